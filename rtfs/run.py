"""One run of a program: whom it runs for, what it may use, and how it is stopped.

Safepoints. Generated code and long-running builtins test one process-wide list, `STOP_REQUESTS`, at each
loop turn and at each call that could be part of a recursion: `if STOP_REQUESTS: poll()`. It is empty almost
always, so that limits cost a few nanoseconds. A watchdog thread, awake only while runs are active, puts a run
there when it has passed its deadline or its memory, and `cancel` does when somebody asks; `poll` then raises
in that run, and in the runs that it started, alone.

A run is *active* between `activate` and `deactivate`. `running` pairs them around a block; a driver that
suspends its program (`rtfs.stepping`) calls them around each stretch, so that the clock stands still and
nothing is watched in between.

Memory belongs to the process, so `allocation_bytes` is judged by how far the process grew while a run was
active. What a host allocates meanwhile counts too, and runs side by side share the sum of their limits.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from rtfs import errors
from rtfs._recursion import Recursion
from rtfs._watchdog import Watchdog, process_bytes

if TYPE_CHECKING:
    from rtfs.host import Host
    from rtfs.security import RuntimeContext

MIB: Final = 1 << 20

#: results smaller than this are not checked one by one
LARGE_RESULT_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use. Exceeding any is an uncatchable, typed error; the process lives on."""

    #: seconds from the start of the run; None: unlimited
    deadline_s: float | None = None
    #: nested non-tail calls. The Python backend enforces it through Python's recursion limit, of which there is
    #: one per process. A call takes one or two frames, so up to twice as many may pass; one through a callback
    #: takes more, so fewer may. Runs side by side all get the largest of their depths
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
        if type(self.depth) is not int:
            raise ValueError(f"depth must be an integer, got {self.depth!r}")


@dataclass(slots=True, eq=False)
class Run:
    """The state of one run. Found through `current_run()`; never shared between runs, and used once."""

    host: Host
    context: RuntimeContext
    limits: Limits
    #: values given from outside, looked up after globals
    arguments: Mapping[str, Any] = field(default_factory=dict)
    #: monotonic seconds while the run is active; None: none
    deadline: float | None = None
    output_bytes: int = 0
    delegations: int = 0
    #: how many names that must be new it has given out (`gensym`, tickets)
    serial: int = 0
    #: why the run must stop, set by the watchdog or `cancel`
    stop: errors.LimitError | None = None
    #: process size to which this run's growth is compared, bytes; None: not yet known
    baseline_bytes: int | None = None
    #: the run in whose host call this one was started; it must stop when that one must
    parent: Run | None = None
    active: bool = False
    #: what is left of the deadline while the run is suspended, seconds
    _left_s: float | None = None
    #: growth that was charged to the run when it was suspended, bytes
    grown_bytes: int = 0
    #: told when the run must stop, on whatever thread that is found out; see `noticing_stops`
    on_stop: tuple[Callable[[], None], ...] = ()
    #: called when the run ends, the latest first, while it is still the current one
    on_end: dict[Callable[[], None], None] = field(default_factory=dict)
    #: functions of its program may run elsewhere, so that calls of builtins such as `map` may overlap
    may_overlap: bool = False


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


def run_under_way() -> Run | None:
    """The run under way, if there is one."""
    return _current.get()


def make_current(run: Run) -> None:
    """For a driver that runs a program in a `contextvars` context of its own; all others use `running`."""
    _current.set(run)


def poll() -> None:
    """A safepoint: raise if this run, or one that it serves, must stop."""
    if STOP_REQUESTS:
        stop = stop_of(_current.get())
        if stop is not None:
            raise stop


def stop_of(run: Run | None) -> errors.LimitError | None:
    """Why `run`, or one that it serves, must stop; None if it may go on."""
    while run is not None:
        stop = run.stop
        if stop is not None and run.active:
            return type(stop)(*stop.args)  # a fresh one: each border notes its own place on it
        run = run.parent
    return None


def noticing_stops(run: Run | None, told: Callable[[], None]) -> None:
    """Have `told` called when `run`, or one that it serves, must stop: for what waits and reaches no safepoint.

    It may be called from any thread, and from a signal handler, so it must neither block nor take a lock.
    Whoever asks looks at `stop_of` afterwards: the stop may have come before.
    """
    while run is not None:
        if told not in run.on_stop:
            run.on_stop += (told,)
        run = run.parent


def no_longer_noticing(run: Run | None, told: Callable[[], None]) -> None:
    """Take back what `noticing_stops` did."""
    while run is not None:
        run.on_stop = tuple([each for each in run.on_stop if each is not told])
        run = run.parent


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
    """Stop `run` at its next safepoint, or at once when it becomes active. From any thread or signal handler.

    A run that has ended is not affected.
    """
    _request_stop(run, errors.BudgetExhausted("cancelled", reason))


def end_with(run: Run, error: errors.LimitError) -> None:
    """Have `run` end with a limit that a part of it has exceeded."""
    _request_stop(run, error)


class _Running:
    """The context manager of `running`: a class, because a generator costs twice as much."""

    __slots__ = ("_run", "_token")
    _token: Token[Run | None]

    def __init__(self, run: Run) -> None:
        self._run = run

    def __enter__(self) -> Run:
        run = self._run
        activate(run)
        if run.stop is not None:  # no time at all, or cancelled before it began
            deactivate(run)
            raise type(run.stop)(*run.stop.args)
        self._token = _current.set(run)
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._run
        try:
            while run.on_end:
                run.on_end.popitem()[0]()
        finally:
            _current.reset(self._token)
            deactivate(run)


def running(run: Run) -> _Running:
    """`with running(run):` makes `run` the current one, under its limits.

    Raises:
        BudgetExhausted: on entry, if its deadline is 0 or it was cancelled before.
        InternalError: the run is active already.
    """
    return _Running(run)


# One lock for all that runs share. Reentrant, and every section below bears being interrupted by another one:
# a signal handler may call `cancel` in the middle of any of them. A forked child makes a new one.
_lock = threading.RLock()


def activate(run: Run) -> None:
    """Start, or after `deactivate` continue, the clock and the watching of `run`. Does not make it current.

    Raises:
        InternalError: the run is active already.
    """
    if run.active:
        raise errors.InternalError("a run was started twice")
    limits = run.limits
    left_s = limits.deadline_s if run._left_s is None else run._left_s
    with _lock:
        parent = _current.get()
        run.parent = parent if parent is not None and parent.active else None
        _recursion.enter(limits.depth)
        run.active = True
        if left_s is not None:
            run.deadline = time.monotonic() + left_s
            if left_s <= 0 and run.stop is None:
                run.stop = _exhausted(run, "deadline")
        if run.stop is not None:
            STOP_REQUESTS.append(run)
        if limits.allocation_bytes is not None:
            size = process_bytes()
            run.baseline_bytes = None if size is None else size - run.grown_bytes
            _watchdog.watch(run)
        elif left_s is not None:
            _watchdog.watch(run)


def deactivate(run: Run) -> None:
    """End or suspend `run`: its clock stands still and nothing watches it. Safe to call twice."""
    with _lock:
        if not run.active:
            return
        run.active = False
        _watchdog.forget(run)
        _recursion.leave(run.limits.depth)
        if run.stop is not None:
            while run in STOP_REQUESTS:
                STOP_REQUESTS.remove(run)


def suspend(run: Run) -> None:
    """`deactivate` for a run that will go on: note what is left of its time and how far it grew."""
    if run.deadline is not None:
        run._left_s = run.deadline - time.monotonic()
    if run.baseline_bytes is not None:
        size = process_bytes()
        if size is not None:
            run.grown_bytes = max(0, size - run.baseline_bytes)
        run.baseline_bytes = None  # what the host allocates until the run goes on is not the run's
    deactivate(run)


def _request_stop(run: Run, error: errors.LimitError) -> None:
    with _lock:
        if run.stop is None:
            run.stop = error
            if run.active:
                STOP_REQUESTS.append(run)
    for told in run.on_stop:
        told()


def _stop_if_active(run: Run, dimension: str) -> None:
    """The watchdog saw the run some time ago; it may have ended or been suspended since."""
    with _lock:
        if run.active:
            _request_stop(run, _exhausted(run, dimension))


def _exhausted(run: Run, dimension: str) -> errors.BudgetExhausted:
    limits = run.limits
    policy = f"{limits.deadline_s:g} s" if dimension == "deadline" else f"{limits.allocation_bytes} bytes"
    return errors.BudgetExhausted(dimension, policy)


_recursion = Recursion()
_watchdog = Watchdog(_stop_if_active)


@contextmanager
def deep_recursion(depth: int) -> Iterator[None]:
    """Let Python code that walks deep data recurse `depth` calls deep: a pass over forms, for example."""
    with _lock:
        _recursion.enter(depth)
    try:
        yield
    finally:
        with _lock:
            _recursion.leave(depth)


def _allow_depth(depth: int) -> None:
    """Raise Python's recursion limit for good. Prefer `deep_recursion`, which puts it back."""
    with _lock:
        _recursion.at_least(depth)


def _after_fork_in_child() -> None:
    """A thread that is not there any more may have held the lock or been in a run."""
    global _lock
    _lock = threading.RLock()
    mine: set[int] = set()
    run = _current.get()
    while run is not None:
        mine.add(id(run))
        run = run.parent
    STOP_REQUESTS[:] = [run for run in STOP_REQUESTS if id(run) in mine]
    _watchdog.restart(mine)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
