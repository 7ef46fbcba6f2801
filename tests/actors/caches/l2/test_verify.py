"""`verify` finds what is damaged, says where, and finds nothing in what the store has written."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.caches.errors import StoreError, StoreMissing
from actors.caches.l2 import rows
from actors.caches.l2 import verify as module
from actors.caches.l2.change import Put
from actors.caches.l2.payload import stored_form
from actors.caches.l2.store import L2Store
from actors.caches.l2.verify import verify
from actors.caches.layer import CacheConfig, Origin, Which
from rtfs.ir_codec import encode_value

CONFIG = CacheConfig(size_bytes=1 << 26)
LONG = "a value of some length, which is not kept in the entry itself, " * 3


@pytest.fixture
def full(folder: Path, call: Any, put: Any) -> Path:
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(i), f"{LONG}{i % 4}" if i % 2 else i) for i in range(40)])
    return folder


def changed(folder: Path, change: Callable[[Any, rows.Databases], object]) -> None:
    """Something is written past the store."""
    env = lmdb.open(str(folder), max_dbs=rows.MAX_DATABASES)
    databases = rows.open_databases(env, create=False)
    with env.begin(write=True) as txn:
        change(txn, databases)
    env.close()


def record_of(txn: Any, dbs: rows.Databases, key: bytes) -> rows.Record:
    record = rows.read_record(key, txn.get(key, db=dbs.entries))
    assert record is not None
    return record


def test_what_the_store_wrote_is_whole(full: Path) -> None:
    verdict = verify(full)
    assert (verdict.entries, verdict.values, verdict.damaged, verdict.problems) == (40, 2, 0, ())
    assert verdict.left_over == {}
    assert verdict.file_bytes == (full / rows.DATA_FILE).stat().st_size


def test_nothing_is_changed(full: Path) -> None:
    before = {path.name: path.read_bytes() for path in full.iterdir() if path.name != rows.LOCK_FILE}
    verify(full)
    assert {path.name: path.read_bytes() for path in full.iterdir() if path.name != rows.LOCK_FILE} == before


def test_an_empty_one(folder: Path) -> None:
    L2Store(folder, CONFIG).close()
    verdict = verify(folder)
    assert (verdict.entries, verdict.damaged) == (0, 0)


def test_none_at_all(folder: Path) -> None:
    with pytest.raises(StoreMissing):
        verify(folder)
    assert not folder.exists()


type Work = list[tuple[str, int]]


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("put", "put", "long", "use", "invalidate", "sweep", "shrink", "clear")),
            st.integers(0, 9),
        ),
        max_size=25,
    )
)
def test_whatever_the_store_does_leaves_it_whole(work: Work) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with L2Store(folder, CacheConfig(size_entries=8), map_bytes=1 << 18, seed=1) as store:
            for what, number in work:
                done(store, what, number)
        verdict = verify(folder)
        assert (verdict.problems, verdict.left_over) == ((), {})
        assert verdict.entries <= 8


def done(store: L2Store, what: str, number: int) -> None:
    key, origin = number.to_bytes(32), Origin(None, "f", f"m{number % 3}", "1")
    if what in ("put", "long"):
        flags, stored = stored_form(encode_value(LONG + str(number % 2) if what == "long" else number))
        ttl_s = 0.0 if number == 9 else 60.0
        store.write([Put(key, key[-16:], origin, flags, stored, None, 0.0, None, ttl_s)])
    elif what == "use":
        store.write([], [key], [key])
    elif what == "invalidate":
        store.invalidate(Which(model=origin.model))
    elif what == "shrink":
        store.shrink(0.5)
    else:
        getattr(store, what)()


# ---------------------------------------------------------------- damage to single rows


def cut_index(table: str) -> Callable[[Any, rows.Databases, bytes], object]:
    """Has one entry missing in a table."""

    def change(txn: Any, dbs: rows.Databases, key: bytes) -> object:
        record = record_of(txn, dbs, key)
        number = rows.NUMBER.pack(record.number)
        place = rows.read_place(txn.get(number, db=dbs.order))
        assert place is not None
        return {
            "order": lambda: txn.delete(number, db=dbs.order),
            "expiry": lambda: txn.delete(rows.EXPIRY.pack(record.expires_us, record.number), db=dbs.expiry),
            "by_origin": lambda: txn.delete(rows.ORIGIN_NUMBER.pack(record.origin), number, db=dbs.by_origin),
            "by_input": lambda: txn.delete(place.input, number, db=dbs.by_input),
            "values": lambda: txn.delete(rows.NUMBER.pack(record.value_number), db=dbs.values),
        }[table]()

    return change


@pytest.mark.parametrize("table", ["order", "expiry", "by_origin", "by_input"])
def test_an_entry_that_a_table_lacks(full: Path, table: str, call: Any) -> None:
    key = call(7).key
    changed(full, lambda txn, dbs: cut_index(table)(txn, dbs, key))
    verdict = verify(full)
    assert verdict.damaged == 1
    (problem,) = verdict.problems
    assert problem.key == key
    assert problem.text == f"it is missing in the table `{table}`"


def test_a_shared_value_that_is_gone_is_missed_by_all_that_have_it(full: Path, call: Any) -> None:
    key = call(7).key
    changed(full, lambda txn, dbs: cut_index("values")(txn, dbs, key))
    verdict = verify(full)
    assert verdict.damaged == 10
    assert key in {problem.key for problem in verdict.problems}
    assert all("its value is missing" in problem.text for problem in verdict.problems)


def test_an_origin_that_is_gone_is_missed_by_all_that_have_it(full: Path) -> None:
    changed(full, lambda txn, dbs: txn.delete(rows.ORIGIN_NUMBER.pack(1), db=dbs.origins))
    verdict = verify(full)
    assert verdict.damaged == 40
    assert verdict.problems[0].text == "nothing says whose it is"


def test_a_value_that_counts_too_few_users(full: Path) -> None:
    def change(txn: Any, dbs: rows.Databases) -> None:
        digest, row = next(iter(txn.cursor(dbs.shared)))
        number, users = rows.SHARED.unpack(row)
        txn.put(digest, rows.SHARED.pack(number, users - 1), db=dbs.shared)

    changed(full, change)
    (problem,) = verify(full).problems
    assert problem.key is None
    assert problem.text == "entries share 20 stored values, but the table `shared` counts 19"


def test_a_stored_value_that_is_none(full: Path, call: Any) -> None:
    """Whole by its checksum, but nothing that decodes."""
    key = call(8).key

    def change(txn: Any, dbs: rows.Databases) -> None:
        stored = b"\xff" * 5
        record = record_of(txn, dbs, key)._replace(length=5, checksum=rows.value_checksum(stored, 0))
        txn.put(key, record.packed(key) + stored, db=dbs.entries)

    changed(full, change)
    (problem,) = verify(full).problems
    assert problem.key == key
    assert problem.text.startswith("its value cannot be read: ")


def test_rows_of_no_entry_are_left_over_and_no_damage(full: Path) -> None:
    def change(txn: Any, dbs: rows.Databases) -> None:
        txn.put(rows.NUMBER.pack(999), b"", db=dbs.order)
        txn.put(rows.EXPIRY.pack(1, 999), b"", db=dbs.expiry)
        txn.put(bytes(16), rows.NUMBER.pack(999), db=dbs.by_input)
        txn.put(rows.NUMBER.pack(999), bytes(40), db=dbs.values)

    changed(full, change)
    verdict = verify(full)
    assert verdict.damaged == 0
    assert verdict.left_over == {"order": 1, "expiry": 1, "by_input": 1, "values": 1}


def test_many_problems_are_counted_and_some_told(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOLD", 3)
    changed(full, lambda txn, dbs: txn.drop(dbs.by_input, delete=False))
    verdict = verify(full)
    assert (verdict.damaged, len(verdict.problems)) == (40, 3)


# ---------------------------------------------------------------- damage to the file


def test_no_bit_can_be_flipped_unseen_and_none_ends_the_process(full: Path) -> None:
    """Bits that mean nothing, in free room and free pages, are no damage; all the others are found."""
    path = full / rows.DATA_FILE
    intact = path.read_bytes()
    chance = random.Random(5)
    found = 0
    for _ in range(60):
        data = bytearray(intact)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        found += verify(full).damaged > 0
    assert 5 < found < 60
    path.write_bytes(intact)
    assert verify(full).damaged == 0


def test_a_flipped_bit_in_an_answer(full: Path) -> None:
    path = full / rows.DATA_FILE
    data = bytearray(path.read_bytes())
    at = [i for i in range(len(data)) if data.startswith(LONG.encode(), i)]
    for each in at:
        data[each + 40] ^= 0x20
    path.write_bytes(data)
    verdict = verify(full)
    assert verdict.damaged == 20
    assert all(problem.key is not None for problem in verdict.problems)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_file_that_was_cut(full: Path, share: float) -> None:
    path = full / rows.DATA_FILE
    os.truncate(path, int(path.stat().st_size * share))
    verdict = verify(full)
    assert verdict.damaged == 1
    assert verdict.entries == 0
    assert str(full) in verdict.problems[0].text


def test_a_file_that_is_none(full: Path) -> None:
    (full / rows.DATA_FILE).write_bytes(b"no store at all" * 1000)
    assert verify(full).damaged == 1


def test_a_file_that_nobody_may_read(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "structure_problems", refused)
    with pytest.raises(StoreError, match="Permission denied"):
        verify(full)


# ---------------------------------------------------------------- beside a writer

WRITE = """
import sys
from pathlib import Path
from actors.caches.l2.change import Put
from actors.caches.l2.payload import stored_form
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig, Origin
from rtfs.ir_codec import encode_value
with L2Store(Path(sys.argv[1]), CacheConfig(size_entries=300), map_bytes=1 << 18) as store:
    number = 0
    while True:
        flags, stored = stored_form(encode_value("word " * (30 + number % 7)))
        keys = [(number + i).to_bytes(32) for i in range(20)]
        origin = Origin(None, "f", "m", "1")
        store.write([Put(key, key[-16:], origin, flags, stored, None, 0.0, None, 60.0) for key in keys])
        number += 20
        print(number, flush=True)
"""


def test_all_stands_still_while_somebody_writes(
    folder: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    process = child(WRITE, folder)
    assert process.stdout is not None
    for _ in range(30):
        process.stdout.readline()
    for _ in range(5):
        verdict = verify(folder)
        assert (verdict.problems, verdict.left_over) == ((), {})
        assert verdict.entries > 0
    assert process.poll() is None
