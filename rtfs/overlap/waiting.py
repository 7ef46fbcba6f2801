"""`wait`: the port through which the stubs of delegated functions let other parts go on."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtfs.overlap.current import current_part, look_with
from rtfs.overlap.part import Part, Wait
from rtfs.run import no_longer_noticing, noticing_stops, poll, run_under_way

#: begins some work, and is given what to call when it is done. What it returns, if anything, cancels the work
type Start = Callable[[Callable[[], None]], Callable[[], None] | None]


def overlapping[T](entry: Callable[[], T]) -> T:
    """Run `entry` in a greenlet of a hub of this thread, so that parts of it may overlap.

    Gives its value, or raises its exception. Within a hub already, that one is used. The hub ends with `entry`:
    what still waits then is cancelled.
    """
    from rtfs.overlap.hub import Hub, part_under_way

    look_with(part_under_way)
    return Hub().run(entry) if part_under_way() is None else entry()


def wait(start: Start) -> None:
    """Let other parts go on until some work is done.

    Without a hub the thread is blocked, but a stop of the run is noticed even so.

    Args:
        start: begins the work; called at once, on this thread. It is given `wake`, which may be called from any
            thread, at once or later, and more than once. What it returns, if anything, is called when the part
            is cancelled while it waits.

    Raises:
        LimitError: the run must stop, or the part was cancelled.
    """
    wait_for(start, None)


def wait_for(start: Start, timeout_s: float | None) -> bool:
    """As `wait`, but no longer than `timeout_s`; whether the work is done. If it is not, it goes on.

    Raises:
        LimitError: the run must stop, or the part was cancelled.
    """
    poll()
    part = current_part()
    if part is None:
        return _blocked(start, timeout_s)
    part.check()
    if part.alone:
        return _blocked(start, timeout_s, part)
    return _parked(part, start, timeout_s)


def _parked(part: Part, start: Start, timeout_s: float | None) -> bool:
    waiting, done = Wait(part), False

    def wake() -> None:
        nonlocal done
        done = True
        waiting.wake()

    cancel = start(waiting.wake if timeout_s is None else wake)
    if waiting.woken:
        return True
    if timeout_s is not None:
        part.hub.wake_at(time.monotonic() + timeout_s, waiting)
    try:
        part.park(waiting)
    except BaseException:
        if cancel is not None and not waiting.woken:
            _cancelled(part, cancel)
        raise
    poll()
    return done or timeout_s is None


def _cancelled(part: Part, cancel: Callable[[], None]) -> None:
    try:
        cancel()
    except Exception as error:
        part.hub.faults.append(error)  # the part ends for another reason; the hub raises this at its end


def _blocked(start: Start, timeout_s: float | None, part: Part | None = None) -> bool:
    from queue import Empty, SimpleQueue

    told: SimpleQueue[bool] = SimpleQueue()

    def stopped() -> None:
        told.put(False)

    run = run_under_way()
    noticing_stops(run, stopped)
    cancel: Callable[[], None] | None = None
    done = False
    try:
        cancel = start(lambda: told.put(True))
        if part is not None:
            part.hub.tell_idle()
        poll()
        done = told.get(timeout=timeout_s)
        poll()
    except Empty:
        return False
    except BaseException:
        if cancel is not None and not done:
            cancel()
        raise
    finally:
        no_longer_noticing(run, stopped)
    return True


def nothing_overlaps() -> bool:
    """Whether no other part of this thread could go on while the one under way waits.

    Whoever has a faster way to wait that holds the thread may then take it.
    """
    part = current_part()
    return part is None or bool(part.alone) or part.hub.has_only(part)


def when_idle(callback: Callable[[], None]) -> None:
    """Call `callback` once, on this thread, when every part waits: all that could start has started.

    For senders that want to send what has gathered as one batch. Without a hub it is called at once. It runs
    outside any part and any run; what it raises ends the program.
    """
    part = current_part()
    if part is None:
        callback()
    else:
        part.hub.idle.append(callback)
