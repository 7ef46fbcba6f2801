"""Errors that one part has kept and another one raises."""

from __future__ import annotations

from typing import NoReturn


def raise_again(error: BaseException | None) -> NoReturn:
    """Raise `error` as if it had come up through the stack: it keeps its traceback, and what it was raised for.

    The caller should not keep it: its traceback refers to the caller's frame.
    """
    assert error is not None
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context  # Python has put in its place what is handled here
        del error
