"""The ceiling of memory of a process that runs programs.

Runs have limits of their own, which judge how far the process grew while they were active. The ceiling is for
what escapes them: many runs that are each within their limits, or what libraries hold. Over it all runs are
stopped; if the process is over it still after `GRACE_S`, it ends, and Ray starts another.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections.abc import Callable
from typing import Final

_log = logging.getLogger("rtfs.evaluator")

#: how often the size is looked at, and how long a process may be over its ceiling without runs; seconds
INTERVAL_S: Final = 0.5
GRACE_S: Final = 5.0
#: exit code of a process that was over its ceiling
EXIT_CODE: Final = 75


def resident_bytes() -> int:
    """Resident size of this process (Linux)."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class MemoryWatch:
    """Watches the size of this process from a thread.

    Args:
        ceiling_bytes: None: nothing is watched.
        stop_runs: stops all runs, for a reason; how many there were.
        end: ends the process.
    """

    def __init__(
        self,
        ceiling_bytes: int | None,
        stop_runs: Callable[[str], int],
        *,
        size: Callable[[], int] = resident_bytes,
        end: Callable[[int], object] = os._exit,
        interval_s: float = INTERVAL_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._ceiling_bytes = ceiling_bytes
        self._stop_runs = stop_runs
        self._size = size
        self._end = end
        self._interval_s = interval_s
        self._grace_s = grace_s
        self._over_s = 0.0
        self._closed = threading.Event()
        if ceiling_bytes is not None:
            threading.Thread(target=self._watch, name="rtfs-memory", daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._interval_s):
            self.look()

    def look(self) -> None:
        """Look once."""
        ceiling = self._ceiling_bytes
        assert ceiling is not None
        if self._size() <= ceiling:
            self._over_s = 0.0
            return
        stopped = self._stop_runs(f"the evaluator is over its memory ceiling of {ceiling} bytes")
        _log.warning("over the memory ceiling of %d bytes: %d runs were stopped", ceiling, stopped)
        gc.collect()
        if self._over_s >= self._grace_s:
            _log.error("still over the memory ceiling after %g s: the process ends", self._over_s)
            self._end(EXIT_CODE)
        self._over_s += self._interval_s
