"""Which part of a program is under way on this thread, and whether its effects may happen now.

Everything asks here, also where nothing ever overlaps. So this module is small and loads no greenlets: before
the first hub of the process nothing is looked at.

A part is known by the greenlet that runs, not by a variable of the context: a host may carry the context over
to another thread, and a `Stepper` runs its program in a greenlet of its own, which no hub knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtfs.overlap.part import Part


def _nothing() -> Part | None:
    return None


#: gives the part under way; the first hub of the process replaces it
_look: Callable[[], Part | None] = _nothing


def look_with(look: Callable[[], Part | None]) -> None:
    """From now on `look` finds the part under way."""
    global _look
    _look = look


def current_part() -> Part | None:
    """The part under way; None where nothing can overlap."""
    return _look()


def in_hub() -> bool:
    """Whether what waits now lets other parts go on."""
    return _look() is not None


def before_effect() -> None:
    """Call before anything that can be observed: waits until it would happen if parts ran one after another.

    Raises:
        LimitError: it would not happen, since something before it failed; or the run must stop.
    """
    part = _look()
    if part is not None and part.turn is not None:
        part.turn.await_it(part)


@contextmanager
def alone() -> Iterator[None]:
    """No other part goes on while this block runs: what waits in it blocks the thread.

    For what must not be entered twice at the same time, such as loading a module.
    """
    part = _look()
    if part is None:
        yield
        return
    part.alone += 1
    try:
        yield
    finally:
        part.alone -= 1
