"""Python's recursion limit, which is one per process, shared by runs that each ask for their own depth."""

from __future__ import annotations

import sys
from typing import Final

#: Python frames that one RTFS call may take, and the frames a host may already stand on
FRAMES_PER_CALL: Final = 2
HOST_FRAMES: Final = 2_000
#: Python keeps its recursion limit in a C int
_MOST_FRAMES: Final = 2**31 - 1


def frames(depth: int) -> int:
    """The recursion limit under which `depth` nested RTFS calls fit."""
    return min(depth * FRAMES_PER_CALL + HOST_FRAMES, _MOST_FRAMES)


class Recursion:
    """The limit while runs are active: the deepest of them, and never below what the host had set.

    Frames of Python functions live on the heap and C recursion has a limit of its own (Python ≥ 3.12), so a
    high limit cannot overflow the C stack.
    """

    def __init__(self) -> None:
        #: depth → number of active runs that may go that deep
        self._active: dict[int, int] = {}
        self._outside = 0

    def enter(self, depth: int) -> None:
        """A run that may go `depth` deep becomes active."""
        active = self._active
        if not active:
            self._outside = sys.getrecursionlimit()
        active[depth] = count = active.get(depth, 0) + 1
        if count == 1:
            self._apply()

    def leave(self, depth: int) -> None:
        """It ends. The last one leaves the limit as the first one found it."""
        active = self._active
        active[depth] -= 1
        if not active[depth]:
            del active[depth]
            self._apply()

    def at_least(self, depth: int) -> None:
        """Raise the limit for good."""
        self._outside = max(self._outside, frames(depth))
        if sys.getrecursionlimit() < frames(depth):
            sys.setrecursionlimit(frames(depth))

    def _apply(self) -> None:
        wanted = max(self._outside, frames(max(self._active)) if self._active else 0)
        try:
            sys.setrecursionlimit(wanted)
        except RecursionError:  # this thread stands deeper than that; the run further out will lower it
            pass
