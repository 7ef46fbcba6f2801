"""Leases between real processes."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.caches.errors import StoreError
from actors.caches.file_leases import LOCKS_FILE, FileLeases
from actors.caches.flights import Flights

KEY, OTHER = b"k" * 32, b"o" * 32

#: takes the lease on the key that it is given, says so, and holds it until it is told to end
HOLDER = """
import sys
from pathlib import Path
from actors.caches.file_leases import FileLeases
leases, key = FileLeases(Path(sys.argv[1])), sys.argv[2].encode()
leases.acquire(key, lambda: print("taken", flush=True))
for line in sys.stdin:
    if line.strip() == "release":
        leases.release(key)
        print("released", flush=True)
"""


class Holder:
    """Another process, which holds a lease."""

    def __init__(self, folder: Path, key: bytes = KEY) -> None:
        command = [sys.executable, "-c", HOLDER, str(folder), key.decode()]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "taken"

    def release(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("release\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == "released"

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Told:
    """How often somebody who asked for a lease was told that it is had."""

    def __init__(self) -> None:
        self.times = 0
        self._is_told = threading.Event()

    def __call__(self) -> None:
        self.times += 1
        self._is_told.set()

    def wait(self) -> None:
        assert self._is_told.wait(10)


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[FileLeases]:
    made = FileLeases(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("end", [Holder.release, Holder.kill], ids=["given back", "killed"])
def test_who_waits_is_told_when_the_holder_is_done(
    leases: FileLeases, tmp_path: Path, end: Callable[[Holder], None]
) -> None:
    holder = Holder(tmp_path)
    first, second, other = Told(), Told(), Told()
    leases.acquire(KEY, first)
    leases.acquire(KEY, second)
    leases.acquire(OTHER, other)
    other.wait()  # another key is free
    threading.Event().wait(0.05)
    assert (first.times, second.times) == (0, 0)
    end(holder)
    first.wait()
    assert second.times == 0
    leases.release(KEY)
    second.wait()
    holder.end()


def test_another_process_waits_for_this_one(leases: FileLeases, tmp_path: Path) -> None:
    program = """
import sys, threading
from pathlib import Path
from actors.caches.file_leases import FileLeases
told = []
FileLeases(Path(sys.argv[1])).acquire(sys.argv[2].encode(), lambda: told.append(1))
threading.Event().wait(0.05)
print(len(told))
"""
    leases.acquire(KEY, lambda: None)
    for key, expected in ((KEY, "0"), (OTHER, "1")):
        command = [sys.executable, "-c", program, str(tmp_path), key.decode()]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == expected


def test_a_lease_is_free_once_what_was_given_before_is_written(tmp_path: Path) -> None:
    waiting: list[Callable[[], None]] = []
    leases = FileLeases(tmp_path, waiting.append)
    first, second = Told(), Told()
    leases.acquire(KEY, first)
    leases.acquire(KEY, second)
    first.wait()
    leases.release(KEY)
    threading.Event().wait(0.05)
    assert second.times == 0
    waiting.pop()()
    second.wait()
    leases.close()


def test_the_file_stays_empty(leases: FileLeases, tmp_path: Path) -> None:
    for number in range(100):
        leases.acquire(number.to_bytes(32, "big"), lambda: None)
    assert (tmp_path / LOCKS_FILE).stat().st_size == 0
    assert (tmp_path / LOCKS_FILE).stat().st_mode & 0o777 == 0o600


def test_nobody_waits_for_one_that_is_closed(leases: FileLeases, tmp_path: Path) -> None:
    holder, waiting = Holder(tmp_path), Told()
    leases.acquire(KEY, waiting)
    leases.close()
    leases.close()
    waiting.wait()
    late = Told()
    leases.acquire(KEY, late)
    late.wait()
    leases.release(KEY)
    assert Flights(leases).run(KEY, lambda: None, lambda: "answer", 0.0) == "answer"
    holder.end()


def test_where_there_are_no_locks_nobody_waits(leases: FileLeases, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "lockf", none)
    told = Told()
    leases.acquire(KEY, told)
    told.wait()
    leases.release(KEY)
    leases.acquire(KEY, told)
    assert told.times == 2


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot use .*leases`: No such file"):
        FileLeases(tmp_path / "nothing")


def test_processes_ask_once(leases: FileLeases, tmp_path: Path) -> None:
    """The other process holds the lease; what it found out is there when it gives it back."""
    holder, kept, asked = Holder(tmp_path), dict[bytes, str](), []
    threading.Timer(0.05, lambda: (kept.update({KEY: "theirs"}), holder.release())).start()
    found = Flights(leases).run(KEY, lambda: kept.get(KEY), lambda: asked.append(1) or "ours", 10.0)
    assert (found, asked) == ("theirs", [])
    holder.end()


def test_who_waits_for_longer_than_it_may_asks_itself(leases: FileLeases, tmp_path: Path) -> None:
    holder = Holder(tmp_path)
    assert Flights(leases).run(KEY, lambda: None, lambda: "ours", 0.02) == "ours"
    holder.release()
    # what was granted too late went back: it can be had
    told = Told()
    leases.acquire(KEY, told)
    told.wait()
    holder.end()
