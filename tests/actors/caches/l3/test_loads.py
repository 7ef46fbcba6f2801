"""Partitions loaded in the background: each once, whoever asks for it, and again if it failed."""

from __future__ import annotations

import threading

import pytest

from actors.caches.errors import StoreError
from actors.caches.l3.loads import Loads


class Disk:
    """What is loaded, once the test lets it be."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.loaded: list[bytes] = []
        self.failures: list[str] = []
        self.is_broken = False

    def load(self, key: bytes) -> None:
        assert self.go.wait(10)
        self.loaded.append(key)
        if self.is_broken:
            raise StoreError("the disk failed")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def loads(disk: Disk) -> Loads:
    return Loads(disk.load, lambda error: disk.failures.append(str(error)))


def test_each_is_loaded_once(disk: Disk, loads: Loads) -> None:
    assert loads.wait(0.0)
    for key in (b"a", b"b", b"a", b"b"):
        loads.begin(key)
    assert (loads.has(b"a"), loads.has(b"b"), loads.has(b"c")) == (True, True, False)
    assert not loads.wait(0.01)
    disk.go.set()
    assert loads.wait(10)
    assert disk.loaded == [b"a", b"b"]
    loads.close()
    assert not loads.has(b"a")


def test_one_that_failed_is_tried_again(disk: Disk, loads: Loads) -> None:
    disk.go.set()
    disk.is_broken = True
    for _ in range(2):
        loads.begin(b"a")
        assert loads.wait(10)
    loads.close()
    assert (disk.loaded, disk.failures) == ([b"a", b"a"], ["the disk failed"] * 2)


def test_what_waits_when_it_is_closed_is_not_loaded(disk: Disk, loads: Loads) -> None:
    loads.begin(b"a")
    loads.begin(b"b")
    timer = threading.Timer(0.05, disk.go.set)
    timer.start()
    loads.close()
    loads.close()
    loads.begin(b"c")
    assert (disk.loaded, loads.wait(10)) == ([b"a"], True)
    timer.join()
