"""A folder that many write: whoever writes waits for others, and readers wait for nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import lmdb
import pytest

from actors.caches.disk import environment, shared
from actors.caches.disk.file_check import CutShort
from actors.caches.disk.files import DATA_FILE
from actors.caches.disk.shared import SharedFolder, SharedSchema
from actors.caches.disk.writer_lock import has_writer, only_writer, release, without_writer
from actors.caches.errors import StoreDamaged, StoreError, StoreFull, StoreInUse, StoreMissing


class Tables(NamedTuple):
    meta: lmdb._Database
    words: lmdb._Database


SCHEMA = SharedSchema(format=b"test 1", databases=Tables)


def words(txn: Any, tables: Tables) -> list[bytes]:
    return list(map(bytes, txn.cursor(tables.words).iternext(keys=True, values=False)))


def opened(folder: Path, **changes: Any) -> SharedFolder[Tables]:
    options: dict[str, Any] = {"map_bytes": 1 << 18, "max_map_bytes": 1 << 22, "walked_bytes": 1 << 24}
    return SharedFolder(folder, SCHEMA, **(options | changes))


@pytest.fixture
def both(folder: Path) -> Iterator[tuple[SharedFolder[Tables], SharedFolder[Tables]]]:
    made = opened(folder), opened(folder)
    yield made
    for each in made:
        each.close()
    assert environment._process.by_path == {}


type Both = tuple[SharedFolder[Tables], SharedFolder[Tables]]


def put(to: SharedFolder[Tables], *found: bytes, value: bytes = b"") -> None:
    to.write(lambda txn, tables: [txn.put(word, value, db=tables.words) for word in found])


def test_what_one_commits_the_other_reads(both: Both) -> None:
    one, other = both
    with pytest.raises(StoreMissing):
        one.read(words)
    put(one, b"a")
    put(other, b"b")
    assert one.read(words) == other.read(words) == [b"a", b"b"]
    assert not has_writer(one.folder)


def test_the_version_is_another_after_each_commit(both: Both) -> None:
    one, other = both
    with pytest.raises(StoreMissing):
        one.version()
    put(one, b"a")
    before = one.version()
    assert before == one.version() == other.version()
    put(other, b"b")
    assert one.version() == other.version() != before


def test_work_that_fails_changes_nothing(both: Both) -> None:
    def fail(txn: Any, tables: Tables) -> None:
        txn.put(b"b", b"", db=tables.words)
        raise KeyError

    put(both[0], b"a")
    with pytest.raises(KeyError):
        both[0].write(fail)
    assert both[1].read(words) == [b"a"]
    put(both[1], b"c")


def test_readers_do_not_wait_for_a_writer(both: Both) -> None:
    one, other = both
    put(one, b"a")
    begun, go_on = Event(), Event()

    def slowly(txn: Any, tables: Tables) -> None:
        txn.put(b"b", b"", db=tables.words)
        begun.set()
        assert go_on.wait(10.0)

    thread = Thread(target=one.write, args=(slowly,))
    thread.start()
    assert begun.wait(10.0)
    assert one.read(words) == other.read(words) == [b"a"]
    with pytest.raises(StoreInUse, match="try again"):
        other.write(words, wait_s=0.0)
    go_on.set()
    thread.join()
    assert other.read(words) == [b"a", b"b"]


def test_a_writer_waits_for_another_process(both: Both) -> None:
    put(both[0], b"a")
    lock = only_writer(both[0].folder)
    with pytest.raises(StoreInUse, match="try again"):
        both[0].write(words, wait_s=0.03)
    thread = Thread(target=put, args=(both[0], b"b"))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    assert both[1].read(words) == [b"a"]
    release(lock)
    thread.join()
    assert both[1].read(words) == [b"a", b"b"]


def test_the_map_grows_up_to_its_bound(both: Both) -> None:
    one, other = both

    def fill() -> None:
        for number in range(100):
            put(one, number.to_bytes(4), value=bytes(100_000))
            assert len(other.read(words)) == number + 1

    with pytest.raises(StoreFull, match="fills the room"):
        fill()
    assert 10 < len(other.read(words)) < 42
    put(other, (0).to_bytes(4), value=b"small")


def test_another_format_is_left_alone(folder: Path, both: Both) -> None:
    put(both[0], b"a")
    for each in both:
        each.close()
    before = (folder / DATA_FILE).read_bytes()
    later = SharedSchema(format=b"test 2", databases=Tables)
    again = SharedFolder(folder, later, map_bytes=1 << 18, max_map_bytes=1 << 20, walked_bytes=1 << 24)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="expected b'test 2', got b'test 1'"):
            again.read(words)
        with pytest.raises(StoreDamaged):
            put(again, b"b")
    again.close()
    assert (folder / DATA_FILE).read_bytes() == before


def test_what_is_damaged_is_tried_again_when_it_changes(folder: Path, both: Both) -> None:
    put(both[0], b"a")
    for each in both:
        each.close()
    data = (folder / DATA_FILE).read_bytes()
    (folder / DATA_FILE).write_bytes(data[:8192] + os.urandom(len(data) - 8192))
    again = opened(folder)
    for _ in range(3):
        with pytest.raises(StoreDamaged):
            again.read(words)
    with pytest.raises(StoreDamaged):
        put(again, b"b")
    (folder / DATA_FILE).write_bytes(data)
    assert again.read(words) == [b"a"]
    again.close()


def test_a_short_file_that_cannot_be_mended_now_is_tried_again(
    folder: Path, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(both[0], b"a")
    for each in both:
        each.close()

    def short(*_: object) -> None:
        raise CutShort("it was cut short")

    again = opened(folder)
    with monkeypatch.context() as patch:
        patch.setattr(environment, "check_size", short)
        with pytest.raises(CutShort):
            again.read(words)
    with pytest.raises(CutShort):  # not so soon
        again.read(words)
    monkeypatch.setattr(shared.time, "monotonic", lambda now=shared.time.monotonic: now() + 2.0)
    assert again.read(words) == [b"a"]
    again.close()


def test_a_disk_that_fails(both: Both) -> None:
    def fail(txn: Any, tables: Tables) -> None:
        raise lmdb.DiskError

    put(both[0], b"a")
    with pytest.raises(StoreError):
        both[0].write(fail)
    with pytest.raises(StoreError):
        both[0].read(fail)
    assert both[0].read(words) == [b"a"]


def test_writers_are_kept_out(tmp_path: Path) -> None:
    with without_writer(tmp_path) as there_is_none:
        assert there_is_none
    release(only_writer(tmp_path))
    with without_writer(tmp_path) as there_is_none:
        assert there_is_none
        with pytest.raises(StoreInUse):
            only_writer(tmp_path)
        with without_writer(tmp_path) as there_is_none_still:
            assert there_is_none_still
    lock = only_writer(tmp_path)
    with without_writer(tmp_path) as there_is_none:
        assert not there_is_none
    release(lock)


def test_nobody_writes_while_a_file_is_looked_at(
    folder: Path, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(both[0], b"a")
    for each in both:
        each.close()
    refused = []

    def look(*_: object, **__: object) -> None:
        with pytest.raises(StoreInUse) as error:
            only_writer(folder, wait_s=0.0)
        refused.append(error)

    monkeypatch.setattr(shared, "check_file", look)
    again = opened(folder)
    assert again.read(words) == [b"a"]
    assert len(refused) == 1
    again.close()


def test_the_lock_names_its_holder_alone(tmp_path: Path) -> None:
    (tmp_path / "writer.lock").write_text("12345678901\n")
    lock = only_writer(tmp_path)
    with pytest.raises(StoreInUse, match=f"process {os.getpid()};"):
        only_writer(tmp_path, wait_s=0.0)
    release(lock)
