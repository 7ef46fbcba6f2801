from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from actors.caches.disk.file_check import CHECKED_BYTES, boot, check_file, went_down
from actors.caches.disk.files import DATA_FILE
from actors.caches.disk.owned import RUNNING_FILE
from actors.caches.errors import StoreDamaged
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig

CONFIG = CacheConfig(size_bytes=1 << 28)


def test_what_lmdb_wrote_is_fine(folder: Path, call: Any, put: Any) -> None:
    check_file(folder)  # there is none
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(i), f"{i} " * 100) for i in range(100)])
    check_file(folder)


def test_a_damaged_page_is_found(folder: Path, call: Any, put: Any) -> None:
    with L2Store(folder, CONFIG) as store:
        store.write([put(call(i), f"{i} " * 100) for i in range(100)])
    data = bytearray((folder / DATA_FILE).read_bytes())
    data[4 * 4096 :] = bytes(len(data) - 4 * 4096)
    (folder / DATA_FILE).write_bytes(data)
    with pytest.raises(StoreDamaged):
        check_file(folder)
    with L2Store(folder, CONFIG) as store:
        assert store.began_anew
        assert store.size() == (0, 0)


def test_a_large_file_is_walked_only_if_that_is_wanted(folder: Path) -> None:
    folder.mkdir()
    (folder / DATA_FILE).touch()
    os.truncate(folder / DATA_FILE, CHECKED_BYTES + 1)
    check_file(folder, thorough=False)
    with pytest.raises(StoreDamaged):
        check_file(folder)


def test_the_end_of_the_machine_is_noticed(folder: Path) -> None:
    running = folder / RUNNING_FILE
    with L2Store(folder, CONFIG):
        assert running.read_bytes() == boot()
        assert not went_down(running)
    assert not running.exists()
    assert not went_down(running)
    running.write_bytes(b"another run of the machine")
    assert went_down(running)
    L2Store(folder, CONFIG).close()
    assert not running.exists()
