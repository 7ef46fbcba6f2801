"""The hub of a thread: it lets parts run, one at a time, each until it waits.

The hub's own greenlet is the one that made it. All parts start from there and come back to there, so that
neither the depth of Python's stack nor that of the machine adds up over parts that start parts. What is ready
stands in `ready`; parts that begin, and those that parts of their own have finished for, go to its front, so
that things happen in the order of the program as far as they can. Other threads put what they have to say into
`wakes`. When nothing is ready the hub first tells those who asked for that (`idle`), then sleeps on `wakes`.

Making a greenlet is dear beside switching to one, since it gets memory for its frames. So a part that is over
leaves its greenlet, the `Carrier`, to one that begins.

A hub ends when its first part is over, and first cancels all that are left.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from typing import Final

from greenlet import getcurrent, greenlet

from rtfs import errors
from rtfs.overlap.kept import raise_again
from rtfs.overlap.part import Awaited, Part, Wait
from rtfs.run import Run, noticing_stops, stop_of


class Carrier(greenlet):  # type: ignore[misc]  # greenlet has no types
    """The greenlet of one part after another."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(None, hub.greenlet)
        self._free = hub.free
        self._hub_greenlet = hub.greenlet
        self.part: Part | None = None

    def run(self) -> None:
        """The greenlet's body. Ends when there is no part to run."""
        while self.part is not None:
            self.part.run()
            self.part = None
            self._free.append(self)
            self._hub_greenlet.switch()


def part_under_way() -> Part | None:
    """The part that runs now on this thread, None if no hub has made it."""
    found = getcurrent()
    return found.part if type(found) is Carrier else None


class Hub:
    """The parts that overlap on this thread."""

    def __init__(self) -> None:
        self.greenlet: Final = getcurrent()
        #: greenlets that run no part
        self.free: Final[list[Carrier]] = []
        self.ready: Final[deque[Part]] = deque()
        #: from any thread: a `Wait` that is over, or None to have a look whether a run must stop
        self.wakes: Final[SimpleQueue[Wait | None]] = SimpleQueue()
        self.idle: list[Callable[[], None]] = []
        #: those that have begun and are not over, in the order in which they began
        self.parts: Final[dict[Part, None]] = {}
        #: the run whose stop is told to this hub
        self.noticing: Run | None = None
        #: what went wrong while parts were cancelled
        self.faults: Final[list[BaseException]] = []
        self._timers: list[tuple[float, int, Wait]] = []
        self._timers_made = 0
        self._poke: Final = self._poked

    def run[T](self, entry: Callable[[], T]) -> T:
        """The value of `entry`, or its exception."""
        main = Part(self, lambda _: entry())
        self.ready.append(main)
        try:
            self._loop(lambda: main.over)
        except BaseException as error:  # an interrupt, or what a callback raised
            self._end(error)
            raise
        self._end(errors.BudgetExhausted("cancelled", "the program has ended"))
        failure, main.error = main.error or next(iter(self.faults), None), None
        try:
            if failure is not None:
                raise_again(failure)
        finally:
            del failure
        value: T = main.value
        return value

    # ------------------------------------------------------------ for parts

    def resume(self, part: Part, awaited: Awaited, *, first: bool = False) -> None:
        """Let `part` go on if it waits for `awaited`; with `first` before all that is ready."""
        if part.waiting is awaited:
            part.waiting = None
            if first:
                self.ready.appendleft(part)
            else:
                self.ready.append(part)

    def cancel(self, part: Part, error: BaseException) -> None:
        """End `part`: where it waits now, or wants to wait later, `error` is raised."""
        if part.over or part.cancelled is not None:
            return
        part.cancelled = error
        if part.waiting is not None and not part.shielded:
            self.resume(part, part.waiting)

    def run_first(self, part: Part, current: Part) -> None:
        """Let `part` begin, and go on with the current one when it waits or is over."""
        self.ready.appendleft(current)
        self.ready.appendleft(part)
        self.greenlet.switch()

    def notice(self, run: Run | None) -> None:
        """Be told when `run` must stop, or one that it serves."""
        noticing_stops(run, self._poke)
        self.noticing = run

    def wake_at(self, when: float, waiting: Wait) -> None:
        """End `waiting` at that time of the monotonic clock, if nothing else does."""
        self._timers_made += 1
        heappush(self._timers, (when, self._timers_made, waiting))

    def has_only(self, part: Part) -> bool:
        """Whether no other part has begun, and none would if this one waited."""
        if part.forks or part.serves is not None or self.ready:
            return False
        return len(self.parts) == 1 and part in self.parts

    def tell_idle(self) -> None:
        """Call those who wait for all parts to wait."""
        while self.idle:
            callbacks, self.idle = self.idle, []
            for each in callbacks:
                each()

    # ------------------------------------------------------------ its greenlet

    def _loop(self, is_over: Callable[[], bool]) -> None:
        ready, wakes = self.ready, self.wakes
        while not is_over():
            if ready:
                part = ready.popleft()
                (part.carrier or self._carrier(part)).switch()
            elif not wakes.empty():
                self._take(wakes.get())
            elif self.idle:
                self.tell_idle()
            else:
                self._sleep()

    def _carrier(self, part: Part) -> Carrier:
        carrier = self.free.pop() if self.free else Carrier(self)
        carrier.part, part.carrier = part, carrier
        self.parts[part] = None
        carrier.gr_context, part.context = part.context, None
        return carrier

    def _sleep(self) -> None:
        """Until another thread says something, or for as long as the first timer has left."""
        if not self._timers:
            self._take(self.wakes.get())
            return
        when, _, waiting = self._timers[0]
        left_s = when - time.monotonic()
        if waiting.woken or left_s <= 0:
            heappop(self._timers)
            waiting.wake()
            return
        try:
            self._take(self.wakes.get(timeout=left_s))
        except Empty:
            pass  # that time is over

    def _take(self, wake: Wait | None) -> None:
        if wake is not None:
            self.resume(wake.part, wake)
            return
        for part in list(self.parts):
            stop = stop_of(part.waiting_run) if part.waiting is not None else None
            if stop is not None:
                self.cancel(part, stop)

    def _poked(self) -> None:
        self.wakes.put(None)

    def _end(self, error: BaseException) -> None:
        while self.parts or self.ready:
            for part in (*self.parts, *self.ready):
                self.cancel(part, error)
            self._loop(lambda: not (self.parts or self.ready))
        while self.free:
            self.free.pop().switch()  # it has no part, and ends
