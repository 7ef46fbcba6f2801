"""The thread that looks at active runs and stops those that have passed their deadline or their memory."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rtfs.run import Run

MIB: Final = 1 << 20

#: how often active runs are looked at, seconds
WATCH_INTERVAL_S: Final = 0.01
#: the thread ends after this long without an active run; a later run starts another
WATCH_IDLE_S: Final = 1.0
#: growth of the process that is not charged to a run: allocator slack, imports, caches
MEMORY_SLACK_BYTES: Final = 32 * MIB


class _ProcessSize:
    """Reads the resident size of this process from a file kept open: that costs less than a microsecond."""

    def __init__(self) -> None:
        self._file: int | None = None
        #: a forked child must not read the size of its parent
        self._process = 0

    def read(self) -> int | None:
        """Bytes; None if it cannot be read just now (no free file descriptor)."""
        if self._process != os.getpid():
            self._file, self._process = None, os.getpid()
        for _ in range(2):
            try:
                if self._file is None:
                    self._file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
                return int(os.pread(self._file, 100, 0).split()[1]) * _PAGE_BYTES
            except FileNotFoundError:
                return _peak_bytes()  # no Linux: the largest size it ever had is the best there is
            except (OSError, ValueError, IndexError):  # somebody closed our descriptor, and it may be another's
                self._file = None
        return None


_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
#: resident size of this process, bytes; None if it cannot be read just now
process_bytes: Final = _ProcessSize().read


def _peak_bytes() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Watchdog:
    """One thread per process, alive only while runs are active and a little longer.

    Args:
        stop: told a run and the dimension, `deadline` or `allocation`, that it has exhausted.
    """

    def __init__(self, stop: Callable[[Run, str], None]) -> None:
        self._stop = stop
        self._runs: dict[int, Run] = {}
        self._thread: threading.Thread | None = None
        #: reentrant because a signal handler may end up here while its thread holds it
        self._lock = threading.RLock()

    def watch(self, run: Run) -> None:
        """Look at `run` from now on."""
        with self._lock:
            self._runs[id(run)] = run
            if self._thread is None:
                self._start()

    def forget(self, run: Run) -> None:
        """Look at `run` no more, if it was watched."""
        with self._lock:
            self._runs.pop(id(run), None)

    def restart(self, runs: set[int]) -> None:
        """In a forked child: no thread was inherited, and of the runs only those in `runs` (by `id`)."""
        self._lock = threading.RLock()
        self._thread = None
        self._runs = {key: run for key, run in self._runs.items() if key in runs}
        if self._runs:
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="rtfs-watchdog", daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        idle_s = 0.0
        while True:
            time.sleep(WATCH_INTERVAL_S)
            with self._lock:
                runs = list(self._runs.values())
                idle_s = 0.0 if runs else idle_s + WATCH_INTERVAL_S
                if idle_s > WATCH_IDLE_S:
                    self._thread = None
                    return
            if runs:
                self._look(runs)

    def _look(self, runs: list[Run]) -> None:
        now = time.monotonic()
        for run in runs:
            if run.deadline is not None and now > run.deadline:
                self._stop(run, "deadline")
        bounded = [run for run in runs if run.limits.allocation_bytes is not None]
        size = process_bytes() if bounded else None
        if size is not None:
            self._weigh(bounded, size)

    def _weigh(self, runs: list[Run], size: int) -> None:
        for run in runs:
            if run.baseline_bytes is None:  # the size could not be read when it became active
                run.baseline_bytes = size - run.grown_bytes
        allowed = sum(run.limits.allocation_bytes or 0 for run in runs)
        grown = size - min(run.baseline_bytes or 0 for run in runs)
        if grown > allowed + MEMORY_SLACK_BYTES:
            for run in runs:
                self._stop(run, "allocation")
