"""`race`: several pieces of a program of which the first value counts.

All begin, in their order; who has a value first wins and the others are cancelled. Their effects wait for what
stands before the race, not for each other: whoever writes `race` wants them at the same time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from rtfs import errors
from rtfs.overlap.current import current_part
from rtfs.overlap.kept import raise_again
from rtfs.overlap.part import Part
from rtfs.values import Value


def first_of(*pieces: Callable[[], Value]) -> Value:
    """The first value to arrive. Where nothing can overlap it is that of the first piece.

    Raises:
        Exception: all have failed: the error of the first piece.
        LimitError: one of them has exceeded a limit of the run.
    """
    part = current_part()
    if part is None or part.alone:
        return pieces[0]()
    return _Race(part, pieces).run()


class _Race:
    def __init__(self, joiner: Part, pieces: Sequence[Callable[[], Value]]) -> None:
        self._joiner = joiner
        depth, handled = joiner.depth_below(), sys.exception()
        self._parts = [Part(joiner.hub, _only(piece), handled=handled) for piece in pieces]
        for part in self._parts:
            part.turn, part.depth, part.on_over = joiner.turn, depth, self._over
        self._running = len(pieces)
        #: who decided the race: by a value, or an error that ends the run
        self._first: Part | None = None

    def run(self) -> Value:
        joiner = self._joiner
        try:
            joiner.park(self, begin=reversed(self._parts))
            while self._running:
                joiner.park(self)
        except BaseException:
            self._cancel()
            while self._running:
                joiner.park(self, shielded=True)
            raise
        decided = self._parts[0] if self._first is None else self._first
        error, decided.error = decided.error, None
        try:
            if error is not None:
                raise_again(error)
        finally:
            del error
        return decided.value

    def _over(self, part: Part) -> None:
        self._running -= 1
        error = part.error
        if error is not None and not isinstance(error, Exception):
            part.hub.cancel(self._joiner, error)
        elif self._first is None and (error is None or isinstance(error, errors.LimitError)):
            self._first = part
            self._cancel()
        if not self._running:
            part.hub.resume(self._joiner, self, first=True)

    def _cancel(self) -> None:
        reason = errors.BudgetExhausted("cancelled", "another one was first")
        for part in self._parts:
            part.hub.cancel(part, reason)


def _only(piece: Callable[[], Value]) -> Callable[[Part], Value]:
    return lambda _: piece()
