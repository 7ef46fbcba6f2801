"""The walk through LMDB's file takes nothing for damage that LMDB writes itself, and all else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lmdb.verify
import pytest

from actors.caches.disk.file_check import check_file
from actors.caches.disk.structure import structure_problems
from actors.caches.l2 import rows
from actors.caches.l2.change import Put
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig, Origin, Which

CONFIG = CacheConfig(size_bytes=1 << 26)
COUNT = 700


def put(number: int, model: str, input_: int) -> Put:
    """An answer; those of a model, and those of an input, are many."""
    origin = Origin(None, "f", model, "1")
    return Put(number.to_bytes(32), input_.to_bytes(16), origin, 0, b"a value", None, 0.0, None, 1e6)


def of_one_model(store: L2Store) -> object:
    return store.invalidate(Which(model="a"))


def of_one_input(store: L2Store) -> object:
    return store.invalidate(Which(input=bytes(16)))


def what_has_no_room(store: L2Store) -> object:
    return store.shrink(1.0)


REMOVALS: list[Callable[[L2Store], object]] = [of_one_model, of_one_input, what_has_no_room, L2Store.clear]


@pytest.fixture
def purged(folder: Path, request: pytest.FixtureRequest) -> Path:
    """A cache from which many answers of one model, or one input, were removed at once."""
    remove: Callable[[L2Store], object] = request.param
    config = CacheConfig(size_bytes=COUNT * (rows.ENTRY_OVERHEAD_BYTES + 10))
    with L2Store(folder, config) as store:
        store.write([put(i, "ab"[i % 2], i % 2) for i in range(COUNT)])
        remove(store)
    return folder


@pytest.mark.parametrize("purged", REMOVALS, indirect=True)
def test_what_was_removed_leaves_no_problem(purged: Path) -> None:
    assert structure_problems(purged) == []


@pytest.mark.parametrize("purged", REMOVALS[:2], indirect=True)
def test_nor_does_a_store_begin_anew_for_it(purged: Path) -> None:
    check_file(purged)


def test_a_miscount_is_known_by_its_table_and_its_direction(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [
        "main/by_origin DB: walked 1 leaf pages (4 with dup sub-trees), record says 5",
        "main/by_input DB: walked 3 leaf pages, record says 4",
        "main/by_input DB: walked 3 branch pages, record says 9",
        "main/by_input DB: walked 3 leaf pages, record says 2",
        "main/by_origin DB: walked 2 leaf pages (4 with dup sub-trees), record says 1",
        "main/entries DB: walked 3 leaf pages, record says 4",
        "main/by_input DB: walked 3 overflow pages, record says 4",
        "main/by_input DB: walked 3 entries, record says 4",
    ]
    monkeypatch.setattr(lmdb.verify, "verify", lambda *_, **__: told)
    assert structure_problems(folder) == told[3:]


def test_what_is_no_file_of_lmdb(folder: Path) -> None:
    L2Store(folder, CONFIG).close()
    for data in (b"", b"x" * 10_000, (folder / rows.DATA_FILE).read_bytes()[:100]):
        (folder / rows.DATA_FILE).write_bytes(data)
        assert len(structure_problems(folder)) == 1
    (folder / rows.DATA_FILE).unlink()
    with pytest.raises(FileNotFoundError):
        structure_problems(folder)
