"""One run of a program: whom it runs for, what it may use, and how it is stopped.

Safepoints. Generated code and long-running builtins test one process-wide list, `STOP_REQUESTS`, at each
loop turn and at each call that could be part of a recursion: `if STOP_REQUESTS: poll()`. It is empty almost
always, so that limits cost a few nanoseconds. A watchdog thread, awake only while runs are active, puts a run
there when it has passed its deadline or its memory, and `cancel` does when somebody asks; `poll` then raises
in that run alone.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rtfs import errors

if TYPE_CHECKING:
    from rtfs.host import Host
    from rtfs.security import RuntimeContext

MIB: Final = 1 << 20

#: how often the watchdog looks at active runs, seconds
WATCH_INTERVAL_S: Final = 0.01
#: growth of the process that is not charged to a run: allocator slack, imports, caches
MEMORY_SLACK_BYTES: Final = 32 * MIB
#: results smaller than this are not checked one by one
LARGE_RESULT_BYTES: Final = 64 << 10
#: Python frames that one RTFS call may take, and the frames a host may already stand on
FRAMES_PER_CALL: Final = 2
HOST_FRAMES: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use. Exceeding any is an uncatchable, typed error; the process lives on."""

    #: seconds from the start of the run; None: unlimited
    deadline_s: float | None = None
    #: nested non-tail calls
    depth: int = 100_000
    #: bytes that the run may hold. A single result that would exceed it is refused before it is made;
    #: many small ones are noticed by watching the process grow
    allocation_bytes: int | None = None
    #: bytes that the run may print or log
    output_bytes: int | None = None
    #: delegated calls
    delegations: int | None = None

    def __post_init__(self) -> None:
        for name in ("deadline_s", "depth", "allocation_bytes", "output_bytes", "delegations"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must not be negative, got {value!r}")


@dataclass(slots=True, eq=False)
class Run:
    """The state of one run. Found through `current_run()`; never shared between runs."""

    host: Host
    context: RuntimeContext
    limits: Limits
    #: values given from outside, looked up after globals
    arguments: Mapping[str, Any] = field(default_factory=dict)
    #: monotonic seconds; None: none
    deadline: float | None = None
    output_bytes: int = 0
    delegations: int = 0
    #: why the run must stop, set by the watchdog or `cancel`
    stop: errors.LimitError | None = None
    #: process size when the watchdog first saw the run, bytes
    baseline_bytes: int | None = None


#: truthy when some run must stop; tested by every safepoint
STOP_REQUESTS: Final[list[Run]] = []

_current: ContextVar[Run | None] = ContextVar("rtfs_run", default=None)


def current_run() -> Run:
    """The run under way.

    Raises:
        InternalError: outside any run.
    """
    run = _current.get()
    if run is None:
        raise errors.InternalError("no run is under way")
    return run


def poll() -> None:
    """A safepoint: raise if this run must stop."""
    if STOP_REQUESTS:
        run = _current.get()
        if run is not None and run.stop is not None:
            raise run.stop


def reserve(nbytes: int) -> None:
    """Refuse a result of `nbytes` before it is made. Call it where one call can make a large one.

    Raises:
        BudgetExhausted: it alone exceeds the run's `allocation_bytes`.
    """
    if nbytes < LARGE_RESULT_BYTES:
        return
    run = _current.get()
    if run is None:
        return
    limit = run.limits.allocation_bytes
    if limit is not None and nbytes > limit:
        raise errors.BudgetExhausted("allocation", f"{limit} bytes")
    poll()


def charge_output(nbytes: int) -> None:
    """Count bytes that the run prints.

    Raises:
        BudgetExhausted: the run printed more than its `output_bytes`.
    """
    run = current_run()
    run.output_bytes += nbytes
    limit = run.limits.output_bytes
    if limit is not None and run.output_bytes > limit:
        raise errors.BudgetExhausted("output", f"{limit} bytes")


def charge_delegation() -> None:
    """Count one delegated call.

    Raises:
        BudgetExhausted: the run made more than its `delegations`.
    """
    run = current_run()
    run.delegations += 1
    limit = run.limits.delegations
    if limit is not None and run.delegations > limit:
        raise errors.BudgetExhausted("delegations", str(limit))


def cancel(run: Run, reason: str = "cancelled") -> None:
    """Stop `run` at its next safepoint, from any thread."""
    _request_stop(run, errors.BudgetExhausted("cancelled", reason))


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Make `run` the current one, under its limits."""
    limits = run.limits
    if limits.deadline_s is not None:
        run.deadline = time.monotonic() + limits.deadline_s
    _allow_depth(limits.depth)
    watched = run.deadline is not None or limits.allocation_bytes is not None
    if watched:
        _watchdog.watch(run)
    token = _current.set(run)
    try:
        yield run
    finally:
        _current.reset(token)
        if watched:
            _watchdog.forget(run)
        if run.stop is not None:
            _withdraw(run)


def _allow_depth(depth: int) -> None:
    """Let Python recurse as deep as a run may. Never lowered: other runs may stand deep already.

    Frames of Python functions live on the heap and C recursion has a limit of its own (Python ≥ 3.12), so a
    high limit cannot overflow the C stack.
    """
    wanted = depth * FRAMES_PER_CALL + HOST_FRAMES
    if sys.getrecursionlimit() < wanted:
        sys.setrecursionlimit(wanted)


_stop_lock = threading.Lock()


def _request_stop(run: Run, error: errors.LimitError) -> None:
    with _stop_lock:
        if run.stop is None:
            run.stop = error
            STOP_REQUESTS.append(run)


def _withdraw(run: Run) -> None:
    with _stop_lock:
        if run in STOP_REQUESTS:
            STOP_REQUESTS.remove(run)


def _process_bytes() -> int:
    """Resident size of this process, bytes."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


class _Watchdog:
    """One thread per process that looks at the active runs every `WATCH_INTERVAL_S`."""

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}
        self._wake = threading.Event()
        self._pid: int | None = None

    def watch(self, run: Run) -> None:
        self._runs[id(run)] = run
        if not self._wake.is_set():
            self._start()

    def forget(self, run: Run) -> None:
        del self._runs[id(run)]

    def _start(self) -> None:
        import os

        self._wake.set()
        if self._pid != os.getpid():  # none yet, or this is a forked child
            self._pid = os.getpid()
            threading.Thread(target=self._loop, name="rtfs-watchdog", daemon=True).start()

    def _loop(self) -> None:
        idle = 0
        while True:
            time.sleep(WATCH_INTERVAL_S)
            runs = list(self._runs.values())
            if runs:
                idle = 0
                self._look(runs)
                continue
            idle += 1
            if idle > 100:  # rest until the next run; look again, one may have come in between
                idle = 0
                self._wake.clear()
                if not self._runs:
                    self._wake.wait()

    def _look(self, runs: list[Run]) -> None:
        now = time.monotonic()
        for run in runs:
            if run.deadline is not None and now > run.deadline:
                limit = run.limits.deadline_s
                _request_stop(run, errors.BudgetExhausted("deadline", f"{limit:g} s"))
        bounded = [run for run in runs if run.limits.allocation_bytes is not None]
        if not bounded:
            return
        size = _process_bytes()
        for run in bounded:
            if run.baseline_bytes is None:
                run.baseline_bytes = size
        # Memory belongs to the process: runs together may hold the sum of what each may.
        allowed = sum(run.limits.allocation_bytes or 0 for run in bounded)
        grown = size - min(run.baseline_bytes or 0 for run in bounded)
        if grown > allowed + MEMORY_SLACK_BYTES:
            for run in bounded:
                _request_stop(run, errors.BudgetExhausted("allocation", f"{run.limits.allocation_bytes} bytes"))


_watchdog = _Watchdog()
