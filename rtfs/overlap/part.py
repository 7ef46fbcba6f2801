"""Parts: stretches of a program that can wait while others go on.

A part is stopped by being cancelled: where it waits, an error is raised in it, and again wherever it tries to
wait once more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from rtfs.run import STOP_REQUESTS, Run, run_under_way, stop_of

if TYPE_CHECKING:
    from rtfs.overlap.fork import Fork, Turn
    from rtfs.overlap.hub import Carrier, Hub

#: what a part waits for: a `Wait`, a fork, a ticket. Only its identity counts
type Awaited = object

#: frames that are looked at
_MOST_FRAMES: Final = 20_000


class Part:
    """A stretch of a program.

    Args:
        work: what it runs. What that returns or raises is kept in `value` and `error`.
        context: of `contextvars`, its own; by default a copy of the present one.
        handled: the exception that is being handled around it: what it raises came of that.
    """

    __slots__ = (
        "alone", "cancelled", "carrier", "context", "depth", "error", "forks", "handled", "hub", "on_over",
        "over", "serves", "shielded", "turn", "value", "waiting", "waiting_run", "work",
    )  # fmt: skip

    def __init__(
        self,
        hub: Hub,
        work: Callable[[Part], Any],
        context: Context | None = None,
        handled: BaseException | None = None,
    ) -> None:
        self.hub = hub
        self.work: Callable[[Part], Any] | None = work
        self.context: Context | None = copy_context() if context is None else context
        self.handled = handled
        #: what runs it; None before it begins
        self.carrier: Carrier | None = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.over = False
        #: told when it is over, on the hub's thread
        self.on_over: Callable[[Part], None] | None = None
        #: what must be over before its effects happen; None: nothing
        self.turn: Turn | None = None
        #: the fork whose next piece it takes up, None if it serves none
        self.serves: Fork | None = None
        #: the forks it is in the middle of, innermost last
        self.forks: list[Fork] = []
        #: Python frames of the parts around it
        self.depth = 0
        self.waiting: Awaited | None = None
        self.shielded = False
        #: raised wherever it waits
        self.cancelled: BaseException | None = None
        #: the run that it waits in
        self.waiting_run: Run | None = None
        #: blocks under way in which it must not let others go on
        self.alone = 0

    def run(self) -> None:
        """Do the work."""
        work, handled, self.work, self.handled = self.work, self.handled, None, None
        assert work is not None
        try:
            self.check()
            self.value = work(self) if handled is None else _while_handling(handled, work, self)
        except BaseException as error:
            self.error = error
        self.over = True
        del self.hub.parts[self]
        if self.on_over is not None:
            self.on_over(self)

    def check(self) -> None:
        """Raise what the part was cancelled for, if it was."""
        if self.cancelled is not None:
            raise type(self.cancelled)(*self.cancelled.args)  # a fresh one: each has its own traceback

    def park(self, awaited: Awaited, *, begin: Iterable[Part] = (), shielded: bool = False) -> None:
        """Let others go on until `Hub.resume` is called with the same `awaited`. Called in this part alone.

        Args:
            begin: parts that begin now, the last of them first.
            shielded: do not end for being cancelled: what is awaited is the end of what was cancelled with it.

        Raises:
            BaseException: what the part was cancelled for.
        """
        hub = self.hub
        run = self.waiting_run = run_under_way()
        if run is not hub.noticing:
            hub.notice(run)
        if STOP_REQUESTS and self.cancelled is None:
            self.cancelled = stop_of(run)
        if self.cancelled is not None and not shielded:
            self.check()
        if self.serves is not None or self.forks:
            self._hand_on()
        # From here on no function of Python is called: at the limit of recursion that would raise in the midst.
        if begin:
            hub.ready.extendleft(begin)
        self.waiting, self.shielded = awaited, shielded
        hub.greenlet.switch()
        if self.cancelled is not None and not shielded:
            self.check()

    def _hand_on(self) -> None:
        """Let somebody else take up what comes next in the forks that this part is in the middle of."""
        handed: list[Fork] = []
        for fork in reversed(self.forks):
            if fork.head is not self:  # those further out were handed on with it
                break
            handed.append(fork)
        else:
            if self.serves is not None and self.serves.head is self:
                handed.append(self.serves)
        if handed:
            from rtfs.overlap.fork import hand_on

            hand_on(self, handed)

    def frames(self) -> list[FrameType]:
        """The Python frames of this part, which is under way, innermost first; not endlessly many."""
        found: list[FrameType] = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and len(found) < _MOST_FRAMES:
            found.append(frame)
            frame = frame.f_back
        return found

    def depth_below(self) -> int:
        """Python frames around a part that this part, under way, makes now.

        Parts start with an empty stack, so that what recurs through parts would never reach Python's limit.

        Raises:
            RecursionError: more than that limit.
        """
        depth = self.depth + len(self.frames())
        if depth > sys.getrecursionlimit():
            raise RecursionError
        return depth


def _while_handling(handled: BaseException, work: Callable[[Part], Any], part: Part) -> Any:
    """What `work` gives; what it raises has `handled` as its context, as if it were raised further out."""
    trace = handled.__traceback__
    try:
        raise handled
    except BaseException:
        handled.__traceback__ = trace
        return work(part)


class Wait:
    """Waiting for something outside the hub. `wake` may be called from any thread, any number of times."""

    __slots__ = ("part", "woken")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.woken = False

    def wake(self) -> None:
        """It is there."""
        if not self.woken:
            self.woken = True
            self.part.hub.wakes.put(self)
