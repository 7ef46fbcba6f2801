"""Cores of a machine that the process of one model has for itself. On Linux.

`device = "cpu:4"` promises four threads. That they also get four cores, and keep what they have in the caches
of these, takes two things: no other model may count on the same cores, and threads may not be moved. So there
is a file for each core, in a folder that all processes of a user on a machine share; who holds the lock on a
file has that core, and its threads are bound to the cores it has. The system takes locks back from a process
that ends, however it ends, so cores are never lost, and runtimes need not know of each other.

Programs that are no models are not kept away: binding is no isolation. Where too few cores are free, a model
takes none, its threads run wherever the system puts them, and `problem` says so.

Source: flock(2), sched_setaffinity(2), setpriority(2); "CPU Interface Files" in the kernel's cgroup-v2.rst.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from actors.folders import made_own, user_folder

_PROC: Final = Path("/proc/self")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_TOPOLOGY: Final = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
#: the file whose lock is held while locks are taken: of two who take them at once none gets too few
_TURN: Final = "turn"


class Cores:
    """The cores of this process. One object a process: all its threads are bound alike.

    Args:
        folder: with the locks; None: that of this user on this machine.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or user_folder("cores")
        #: core → the open file whose lock says that we have it
        self._locks: dict[int, int] = {}
        #: cores and priority of this process before
        self._before: tuple[Set[int], int] | None = None
        #: why its threads are not bound although they should be
        self.problem: str | None = None

    @property
    def held(self) -> tuple[int, ...]:
        """The numbers of the cores that it has."""
        return tuple(sorted(self._locks))

    def fit(self, wanted: int | None) -> None:
        """Have `wanted` cores and bind all threads of this process, and those to come, to them; None: to none.

        Never raises: without them the work is done all the same, and `problem` says why it is without them.
        """
        if self._locks and wanted == len(self._locks):
            return
        self._release()
        self.problem = None
        if wanted is None:
            return
        fault = self._take(wanted)
        if fault is not None:
            self.problem = f"its threads are not bound to cores, `cpu:{wanted}`: {fault}"

    def _take(self, wanted: int) -> str | None:
        """Take cores and bind the process to them; or say why not."""
        if sys.platform != "linux":
            return "that can be done on Linux only"
        try:
            allowed = os.sched_getaffinity(0)
            granted = min(len(allowed), granted_cpus())
            if granted < wanted:
                return f"this process may use {granted:g} of the machine's cores"
            with _turn(self._folder):
                self._lock(wanted, allowed)
            if len(self._locks) < wanted:
                free = len(self._locks)
                self._release()
                return f"of the {len(allowed)} cores it may use, other models have all but {free}"
            nice = os.getpriority(os.PRIO_PROCESS, 0)
            self._before = allowed, nice
            # Ray's workers stand back behind all else on the machine (nice 15); one with its own cores need not
            _bind(set(self._locks), min(0, nice))
        except OSError as error:
            self._release()
            return f"{error.filename or 'the system refuses it'}: {error.strerror}"
        return None

    def _lock(self, wanted: int, allowed: Iterable[int]) -> None:
        for core in _apart(allowed):
            if len(self._locks) == wanted:
                return
            file = _locked(self._folder / f"core-{core}", wait=False)
            if file is not None:
                self._locks[core] = file

    def _release(self) -> None:
        if self._before is not None:
            with suppress(OSError):
                _bind(*self._before)
        self._before = None
        for file in self._locks.values():
            os.close(file)
        self._locks.clear()


def granted_cpus(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> float:
    """How many CPUs' time the control group of this process may use; infinite where nothing bounds it."""
    found = [_quota(folder / "cpu.max") for folder in _groups(proc, cgroups)]
    with suppress(OSError, ValueError):  # the first version of control groups
        quota = int((cgroups / "cpu" / "cpu.cfs_quota_us").read_text())
        if quota > 0:
            found.append(quota / int((cgroups / "cpu" / "cpu.cfs_period_us").read_text()))
    return min(found, default=float("inf"))


def _groups(proc: Path, cgroups: Path) -> Iterator[Path]:
    """The folder of the control group of this process, and those above it."""
    try:
        lines = (proc / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("0::/"):
            folder = cgroups / line.removeprefix("0::/")
            yield folder
            yield from (each for each in folder.parents if each.is_relative_to(cgroups))


def _quota(file: Path) -> float:
    """What `cpu.max` says: "max 100000", or microseconds in each period."""
    try:
        quota, period = file.read_text().split()
        return float("inf") if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return float("inf")


def _apart(allowed: Iterable[int], siblings: Callable[[int], str] | None = None) -> list[int]:
    """Cores in the order in which they are taken: the first thread of each physical core before second ones."""
    return sorted(allowed, key=lambda core: (_place_on_core(core, siblings or _siblings), core))


def _place_on_core(core: int, siblings: Callable[[int], str]) -> int:
    before = 0
    for part in siblings(core).split(","):
        first, _, last = part.strip().partition("-")
        with suppress(ValueError):
            before += sum(1 for each in range(int(first), int(last or first) + 1) if each < core)
    return before


def _siblings(core: int) -> str:
    """The threads of the physical core that `core` is one of: "0,4" or "0-1"; empty: nobody knows."""
    try:
        return Path(_TOPOLOGY.format(core)).read_text()
    except OSError:
        return ""


def _bind(cores: Set[int], priority: int) -> None:
    """Bind all threads of this process to `cores`, and give them `priority` where that is permitted."""
    seen: set[int] = set()
    while fresh := {int(name) for name in os.listdir("/proc/self/task")} - seen:
        seen |= fresh
        for thread in fresh:
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setaffinity(thread, cores)
                with suppress(PermissionError):
                    os.setpriority(os.PRIO_PROCESS, thread, priority)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Whoever takes cores is alone with that. Raises OSError if the folder is not this user's own."""
    file = _locked(made_own(folder) / _TURN, wait=True)
    try:
        yield
    finally:
        if file is not None:
            os.close(file)


def _locked(path: Path, *, wait: bool) -> int | None:
    """The file, open and locked; None: another has it. The lock is gone when it is closed."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file
