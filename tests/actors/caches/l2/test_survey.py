"""Walking all answers: in portions, by every index, beside a writer, and over what is damaged."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import pytest

from actors.caches.errors import StoreDamaged, StoreError, StoreMissing
from actors.caches.keys import input_of
from actors.caches.l2 import rows, survey
from actors.caches.l2.payload import Damaged
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.store import L2Store
from actors.caches.l2.survey import L2Survey, writer_of
from actors.caches.layer import CacheConfig, Origin, Which

CONFIG = CacheConfig(size_bytes=1 << 26)
LONG = "a value of some length, which is not kept in the entry itself, " * 3
COUNT = 23


@pytest.fixture
def full(folder: Path, call: Any, put: Any) -> Path:
    """Answers of two models and two tenants, every third of them long."""
    with L2Store(folder, CONFIG) as store:
        for i in range(COUNT):
            one = call(i, model="ab"[i % 2], tenant=None if i % 5 else "acme")
            store.write([put(one, LONG if i % 3 == 0 else f"short {i}", cost_usd=float(i))])
    return folder


def numbers(folder: Path, which: Which = Which(), **options: Any) -> list[int]:  # noqa: B008
    """The answers by what they cost, in the order of the walk."""
    with L2Survey(folder) as opened:
        return [int(row.record.cost_usd) for row in opened.rows(which, **options)]


@pytest.mark.parametrize("portion", [1, 2, 7, COUNT, 512])
def test_all_come_once_and_newest_first_however_small_the_portions(
    full: Path, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "_PORTION", portion)
    assert numbers(full) == [*reversed(range(COUNT))]
    assert numbers(full, Which(model="a")) == [*reversed(range(0, COUNT, 2))]


def test_portions_are_bounded_by_the_size_of_values(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    original = survey._begun

    def counted(env: lmdb.Environment) -> Any:
        begun.append(1)
        return original(env)

    monkeypatch.setattr(survey, "_begun", counted)
    monkeypatch.setattr(survey, "_PORTION_BYTES", 1)
    assert numbers(full, values=True) == [*reversed(range(COUNT))]
    assert len(begun) > COUNT


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (Which(model="b"), range(1, COUNT, 2)),
        (Which(tenant="acme"), range(0, COUNT, 5)),
        (Which(tenant="acme", model="a"), range(0, COUNT, 10)),
        (Which(symbol="mail/subject", version="1"), range(COUNT)),
        (Which(version="2"), []),
        (Which(input=input_of("mail/subject", (7,))), [7]),
        (Which(input=input_of("mail/subject", (7,)), model="a"), []),
    ],
)
def test_what_is_chosen(full: Path, which: Which, expected: Any) -> None:
    assert sorted(numbers(full, which)) == [*expected]


def test_one_by_its_key(full: Path, call: Any) -> None:
    key = call(4, model="a").key
    assert numbers(full, Which(key=key)) == [4]
    assert numbers(full, Which(key=key, model="b")) == []
    assert numbers(full, Which(key=bytes(32))) == []
    with L2Survey(full) as opened:
        assert opened.keys(key[:4], 5) == [key]
        assert len(opened.keys(b"", 5)) == 5
        assert opened.keys(b"\xff" * 32, 5) == []


def test_values_come_if_they_are_asked_for(full: Path) -> None:
    with L2Survey(full) as opened:
        found = {int(row.record.cost_usd): row.value() for row in opened.rows(values=True)}
        assert found == {i: LONG if i % 3 == 0 else f"short {i}" for i in range(COUNT)}
        row = next(opened.rows())
        assert row.stored is None
        with pytest.raises(Damaged):
            row.value()


def test_what_the_folder_says_of_itself(full: Path) -> None:
    with L2Survey(full) as opened:
        facts = opened.facts()
        assert (facts.entries, facts.values, facts.state.commits) == (COUNT, 1, COUNT + 1)
        assert (facts.writer, facts.is_written) == (None, False)
        assert facts.file_bytes == (full / rows.DATA_FILE).stat().st_size
        assert sorted(opened.origins(), key=repr) == sorted(
            [Origin(tenant, "mail/subject", model, "1") for tenant in ("acme", None) for model in "ab"],
            key=repr,
        )


def test_origins_whose_answers_are_gone_are_none(full: Path) -> None:
    with L2Store(full, CONFIG) as store:
        store.invalidate(Which(model="a"))
    with L2Survey(full) as opened:
        assert {origin.model for origin in opened.origins()} == {"b"}


def test_nothing_is_changed(full: Path) -> None:
    before = (full / rows.DATA_FILE).read_bytes()
    numbers(full, values=True)
    assert (full / rows.DATA_FILE).read_bytes() == before


WRITE = """
import sys
from pathlib import Path
from actors.caches.l2.change import Put
from actors.caches.l2.payload import stored_form
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig, Origin
from rtfs.ir_codec import encode_value
flags, stored = stored_form(encode_value("word " * 100))
with L2Store(Path(sys.argv[1]), CacheConfig(size_entries=200), map_bytes=1 << 18) as store:
    number = 1000
    while True:
        keys = [(number + i).to_bytes(32) for i in range(20)]
        origin = Origin(None, "f", "m", "1")
        puts = [Put(key, bytes(16), origin, flags, stored, None, 0.5, None, 60.0) for key in keys]
        store.write(puts)
        number += 20
        print(number, flush=True)
"""


def test_a_walk_beside_a_busy_writer_comes_to_an_end(
    full: Path, child: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "_PORTION", 3)
    process = child(WRITE, full)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    with L2Survey(full) as opened:
        facts = opened.facts()
        assert (facts.writer, facts.is_written) == (process.pid, True)
        found = [row.record.number for row in opened.rows(values=True)]
        assert opened.damaged == 0
    assert found == sorted(set(found), reverse=True)
    assert writer_of(full) == process.pid
    assert process.poll() is None


# ---------------------------------------------------------------- damage


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def test_damaged_answers_are_left_out_and_counted(full: Path) -> None:
    data = (full / rows.DATA_FILE).read_bytes()
    flip(full / rows.DATA_FILE, data.rindex(LONG.encode()) + 20)
    with L2Survey(full) as opened:
        assert len([*opened.rows()]) == COUNT
        assert opened.damaged == 0  # nobody looked at the values
        left = {int(row.record.cost_usd) for row in opened.rows(values=True)}
        assert left == {i for i in range(COUNT) if i % 3}
        assert opened.damaged == COUNT - len(left)


def test_a_damaged_record_is_left_out_and_counted(full: Path, call: Any) -> None:
    key = call(4, model="a").key
    data = (full / rows.DATA_FILE).read_bytes()
    at = [i for i in range(len(data)) if data.startswith(key, i)]
    for each in at:  # in the entry, and in the order: the former has its record behind it
        if data[each + 32 + 4 : each + 32 + 5] == b"\0" and rows.read_record(
            key, data[each + 32 : each + 32 + rows.RECORD_BYTES]
        ):
            flip(full / rows.DATA_FILE, each + 32 + 30)
    with L2Survey(full) as opened:
        assert len([*opened.rows()]) == COUNT - 1
        assert opened.damaged == 1
        assert [*opened.rows(Which(key=key))] == []
        assert opened.damaged == 2


def test_a_folder_without_a_cache(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(StoreMissing):
            L2Survey(folder)
    lmdb.open(str(tmp_path), max_dbs=4).close()  # another store
    with pytest.raises(StoreMissing):
        L2Survey(tmp_path)


def test_a_file_that_was_cut(full: Path) -> None:
    path = full / rows.DATA_FILE
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreDamaged):
        L2Survey(full)


def test_a_file_that_nobody_may_read(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(survey, "join", refused)
    with pytest.raises(StoreError, match=r"cannot use the cache in `.*`: Permission denied"):
        L2Survey(full)


def test_another_format_is_refused(full: Path) -> None:
    data = (full / rows.DATA_FILE).read_bytes()
    (full / rows.DATA_FILE).write_bytes(data.replace(rows.FORMAT, b"rtfs l2 9"))
    with pytest.raises(StoreDamaged, match="another format"):
        L2Survey(full)


def test_the_folder_is_free_afterwards(full: Path) -> None:
    numbers(full)
    L2Store(full, CONFIG).close()
    L2Reader(full).close()
