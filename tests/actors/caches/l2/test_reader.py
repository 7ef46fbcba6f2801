"""Readers: what is damaged, replaced, or not there is a miss; other processes; forks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from actors.caches.disk import environment, files
from actors.caches.disk.owned import RUNNING_FILE
from actors.caches.errors import StoreError, StoreMissing
from actors.caches.l2 import rows
from actors.caches.l2.reader import L2Reader
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig, Which

CONFIG = CacheConfig(size_bytes=1 << 26)
#: values of all kinds: in the entry, by themselves, compressed
VALUES = ["short", "a value by itself, with no more than a few words in it " * 4, "compressed, " * 400]


def expected(number: int) -> str:
    return f"{number} {VALUES[number % 3]}"


def test_a_folder_without_a_cache_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        L2Reader(tmp_path)
    assert environment._process.by_path == {}


def test_readers_and_the_writer_of_a_process_share_an_environment(store: L2Store, call: Any, put: Any) -> None:
    one, two = L2Reader(store.folder), L2Reader(store.folder)
    store.write([put(call(1), "v")])
    assert one._environment is two._environment is store._environment
    one.close()
    one.close()
    assert one.get(call(1).key) is None
    hit = two.get(call(1).key)
    assert hit is not None
    two.close()


# ---------------------------------------------------------------- damage


def flip(folder: Path, marker: bytes, offset: int) -> None:
    """Flip a bit `offset` bytes after each place where `marker` stands in the file."""
    path = folder / rows.DATA_FILE
    data = bytearray(path.read_bytes())
    at = data.find(marker)
    assert at >= 0
    while at >= 0:
        data[at + offset] ^= 0x10
        at = data.find(marker, at + len(marker))
    path.write_bytes(data)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_flipped_bit_is_a_miss_and_the_writer_drops_it(
    folder: Path, number: int, call: Any, put: Any
) -> None:
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(i), expected(i)) for i in range(6)])
        made = put(call(number), expected(number))
    flip(folder, made.stored, len(made.stored) // 2)
    with L2Store(folder, CONFIG) as store:
        assert not store.began_anew
        reader = L2Reader(folder)
        assert reader.get(call(number).key) is None
        assert reader.damaged == {call(number).key}
        assert all(reader.get(call(i).key) is not None for i in range(6) if i != number)
        store.write([], damaged=[*reader.damaged, call(5).key])
        assert store.size()[0] == 5
        store.write([put(call(number), expected(number))])
        hit = reader.get(call(number).key)
        assert hit is not None
        assert hit.value == expected(number)
        reader.close()


def test_a_damaged_record_is_a_miss(folder: Path, call: Any, put: Any) -> None:
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(i), expected(i)) for i in range(6)])
        opened = store._environment.open()
        with opened.env.begin() as txn:
            row = txn.get(call(1).key, db=opened.databases.entries)
    assert row is not None
    flip(folder, row, 10)
    with L2Store(folder, CONFIG) as store:
        reader = L2Reader(folder)
        assert reader.get(call(1).key) is None
        store.write([], damaged=list(reader.damaged))
        assert store.size()[0] == 5
        store.write([put(call(1), "again")])
        assert reader.get(call(1).key) is not None
        assert store.invalidate(Which(model="local-a")) == 6
        reader.close()


_READ_ALL = """
import sys
from pathlib import Path
from actors.caches.errors import StoreError
from actors.caches.l2.reader import L2Reader
from actors.caches.disk.owned import RUNNING_FILE
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig
try:
    store = L2Store(Path(sys.argv[1]), CacheConfig(size_bytes=1 << 26))
except StoreError as error:
    print("refused", error)
    sys.exit()
reader = L2Reader(Path(sys.argv[1]))
for line in sys.stdin.read().split():
    hit = reader.get(bytes.fromhex(line))
    print(None if hit is None else hit.value)
store.write([], damaged=list(reader.damaged))
reader.close()
store.close()
"""


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_damaged_no_wrong_value_comes_out_and_no_process_ends(
    folder: Path, seed: int, call: Any, put: Any, child: Callable[..., subprocess.Popen[str]]
) -> None:
    """Bits flipped anywhere in the file, its pages of structure included; or the file cut somewhere."""
    random = Random(seed)
    with L2Store(folder, CONFIG) as store:
        for start in range(0, 300, 50):
            store.write([put(call(i), expected(i)) for i in range(start, start + 50)])
    path = folder / rows.DATA_FILE
    data = bytearray(path.read_bytes())
    if seed % 3 == 0:
        del data[random.randrange(len(data)) :]
    else:
        for _ in range(20 if seed % 3 == 1 else 1):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)
    process = child(_READ_ALL, folder)
    printed, _ = process.communicate("\n".join(call(i).key.hex() for i in range(300)), timeout=60)
    assert process.returncode == 0
    lines = printed.splitlines()
    assert len(lines) == 300
    assert all(line in ("None", expected(i)) for i, line in enumerate(lines))


def test_a_damaged_file_that_no_writer_has_seen_is_not_read(
    tmp_path: Path, folder: Path, call: Any, put: Any
) -> None:
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(i), expected(i)) for i in range(100)])
    path = folder / rows.DATA_FILE
    data = bytearray(path.read_bytes())
    data[4 * 4096 :] = bytes(len(data) - 4 * 4096)
    path.write_bytes(data)
    reader = L2Reader(folder)
    assert reader.get(call(1).key) is None
    assert reader.failures == 1
    assert reader.get(call(1).key) is None
    assert reader.failures == 1  # it is not tried again at once
    with L2Store(tmp_path / "other", CONFIG) as store:
        store.write([put(call(1), "v")])
    os.replace(tmp_path / "other" / rows.DATA_FILE, path)
    reader._rest_until = 0.0
    assert reader.get(call(1).key) is not None
    reader.close()


def test_a_file_cut_under_a_reader_is_seen(folder: Path, call: Any, put: Any) -> None:
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(i), expected(i)) for i in range(100)])
    reader = L2Reader(folder)
    path = folder / rows.DATA_FILE
    os.truncate(path, path.stat().st_size // 2)
    reader._follow_at = 0.0
    assert reader.get(call(1).key) is None
    assert reader.failures == 1
    reader.close()


def test_a_reader_follows_to_a_new_file(
    folder: Path, call: Any, put: Any, child: Callable[..., subprocess.Popen[str]]
) -> None:
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(1), "old")])
    reader = L2Reader(folder)
    assert reader.get(call(1).key) is not None
    for name in (rows.DATA_FILE, rows.LOCK_FILE):
        (folder / name).unlink()
    reader._follow_at = 0.0
    assert reader.get(call(1).key) is None
    code = _WRITE.replace("KEYS", repr([call(2).key]))
    process = child(code, folder)
    process.communicate(timeout=60)
    assert process.returncode == 0
    reader._rest_until = 0.0
    hit = reader.get(call(2).key)
    assert hit is not None
    assert hit.value == "new"
    reader.close()


# ---------------------------------------------------------------- processes

_WRITE = """
import sys
from pathlib import Path
from actors.caches.l2.change import Put
from actors.caches.disk.owned import RUNNING_FILE
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig, Origin
from rtfs.ir_codec import encode_value
store = L2Store(Path(sys.argv[1]), CacheConfig(size_bytes=1 << 26), map_bytes=1 << 18)
value = encode_value("new")
fields = dict(flags=0, stored=value, confidence=None, cost_usd=0.0, latency_ms=None, ttl_s=99.0)
origin = Origin(None, "f", "local-a", "1")
store.write([Put(key=key, input=bytes(16), origin=origin, **fields) for key in KEYS])
store.close()
"""


def test_a_reader_sees_what_a_writer_in_another_process_adds(
    folder: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    """Beyond the size of the reader's map, too."""
    L2Store(folder, CONFIG, map_bytes=1 << 18).close()
    reader = L2Reader(folder)
    assert reader.get(bytes(32)) is None
    process = child(_WRITE.replace("KEYS", "[i.to_bytes(32) for i in range(5000)]"), folder)
    process.communicate(timeout=60)
    assert (folder / rows.DATA_FILE).stat().st_size > 1 << 19
    assert all(reader.get(i.to_bytes(32)) is not None for i in range(5000))
    assert reader.failures == 0
    reader.close()


def _in_child(store: L2Store, reader: L2Reader, first: bytes, second: bytes, go_on: int) -> None:
    """What a child of the writer may do: read, before its parent has closed the store and after."""
    assert reader.get(first) is not None
    with pytest.raises(StoreError):
        store.write([])
    assert os.read(go_on, 1)
    assert reader.get(second) is not None
    store.close()


def test_readers_and_writers_survive_a_fork(folder: Path, call: Any, put: Any) -> None:
    go_on, over = os.pipe()
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(1), "v")])
        reader = L2Reader(folder)
        assert reader.get(call(1).key) is not None
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(over)
                _in_child(store, reader, call(1).key, call(2).key, go_on)
                status = 0
            finally:
                os._exit(status)
        try:
            store.write([put(call(2), "w")])
            assert reader.get(call(2).key) is not None
            reader.close()
            store.close()
            with L2Store(folder, CONFIG) as again:  # the child holds nothing that keeps others from writing
                os.write(over, b"x")
                _, status = os.waitpid(pid, 0)
                pid = 0
                assert os.waitstatus_to_exitcode(status) == 0
                assert (folder / RUNNING_FILE).exists()
                assert again.size()[0] == 2
        finally:
            os.close(over)  # ends a child that still waits
            os.close(go_on)
            if pid:
                os.waitpid(pid, 0)


def test_the_table_of_readers_never_fills(
    folder: Path, call: Any, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many processes that end without a word, in a table for a few."""
    monkeypatch.setattr(files, "MAX_READERS", 4)
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(1), "v")])
        reader = L2Reader(folder)
        for _ in range(40):
            pid = os.fork()
            if pid == 0:
                found = reader.get(call(1).key)
                os._exit(0 if found is not None and reader.failures == 0 else 1)  # nothing is closed
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0
        assert reader.get(call(1).key) is not None
        assert reader.failures == 0
        reader.close()
