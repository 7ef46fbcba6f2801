"""A folder and its one writer: what becomes of damage, of a full map, and of a full disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import pytest

from actors.caches.disk.files import DATA_FILE, Schema
from actors.caches.disk.owned import OwnedFolder
from actors.caches.errors import StoreDamaged, StoreError, StoreFull, StoreInUse


class Tables(NamedTuple):
    meta: lmdb._Database
    words: lmdb._Database


SCHEMA = Schema(format=b"test 1", databases=Tables)


def words(txn: Any, tables: Tables) -> list[bytes]:
    return list(txn.cursor(tables.words).iternext(keys=True, values=False))


def opened(folder: Path, load: Any = lambda txn, tables: None, **changes: Any) -> OwnedFolder[Tables]:
    options: dict[str, Any] = {"map_bytes": 1 << 18, "max_map_bytes": 1 << 22}
    return OwnedFolder(folder, SCHEMA, load=load, **(options | changes))


@pytest.fixture
def owned(folder: Path) -> Iterator[OwnedFolder[Tables]]:
    made = opened(folder)
    yield made
    made.close()


def put(owned: OwnedFolder[Tables], *words: bytes, value: bytes = b"") -> None:
    owned.commit(lambda txn, tables: [txn.put(word, value, db=tables.words) for word in words])


def test_what_is_committed_is_there_again(folder: Path, owned: OwnedFolder[Tables]) -> None:
    put(owned, b"one", b"two")
    owned.close()
    owned.close()
    found: list[bytes] = []
    again = opened(folder, lambda txn, tables: found.extend(words(txn, tables)))
    assert (found, again.began_anew) == ([b"one", b"two"], False)
    assert again.commit(words) == [b"one", b"two"]
    again.close()


def test_work_that_fails_changes_nothing(owned: OwnedFolder[Tables]) -> None:
    def fail(txn: Any, tables: Tables) -> None:
        txn.put(b"one", b"", db=tables.words)
        raise KeyError

    with pytest.raises(KeyError):
        owned.commit(fail)
    assert owned.commit(words) == []


def test_the_map_grows_up_to_its_bound(owned: OwnedFolder[Tables]) -> None:
    def fill() -> None:
        for number in range(100):
            put(owned, number.to_bytes(4), value=bytes(100_000))

    with pytest.raises(StoreFull, match="fills the room"):
        fill()
    count = len(owned.commit(words))
    assert 10 < count < 42
    put(owned, (0).to_bytes(4), value=b"small")


def test_what_load_cannot_read_begins_anew(folder: Path, owned: OwnedFolder[Tables]) -> None:
    put(owned, b"one")
    owned.close()

    def load(txn: Any, tables: Tables) -> None:
        if words(txn, tables):
            raise StoreDamaged("a word")

    again = opened(folder, load)
    assert again.began_anew
    assert again.commit(words) == []
    again.close()


def test_another_format_begins_anew(folder: Path, owned: OwnedFolder[Tables]) -> None:
    put(owned, b"one")
    owned.close()
    other = Schema(format=b"test 2", databases=Tables)
    again = OwnedFolder(folder, other, map_bytes=1 << 18, max_map_bytes=1 << 20, load=lambda *_: None)
    assert again.began_anew
    again.close()


def test_a_full_disk_is_no_damage(folder: Path, owned: OwnedFolder[Tables]) -> None:
    put(owned, b"one")
    owned.close()
    before = (folder / DATA_FILE).read_bytes()

    class NoRoomError(lmdb.Error):
        code = errno.ENOSPC

    def load(txn: Any, tables: Tables) -> None:
        raise NoRoomError

    with pytest.raises(StoreFull):
        opened(folder, load)
    assert (folder / DATA_FILE).read_bytes() == before
    opened(folder).close()  # nothing holds it


def test_an_error_of_load_lets_go_of_the_folder(folder: Path) -> None:
    def load(txn: Any, tables: Tables) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        opened(folder, load)
    opened(folder).close()


def test_there_is_one(folder: Path, owned: OwnedFolder[Tables]) -> None:
    with pytest.raises(StoreInUse):
        opened(folder)
    owned.look_after()


def test_a_disk_that_fails(owned: OwnedFolder[Tables]) -> None:
    def fail(txn: Any, tables: Tables) -> None:
        raise lmdb.DiskError

    with pytest.raises(StoreError):
        owned.commit(fail)
