"""Errors and places as JSON data, the same for the command line, the prompt and HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rtfs.errors import RtfsError, Span

_NO_PLACE: Final = {"line": None, "column": None, "end_line": None, "end_column": None}


def place(span: Span | None) -> dict[str, int | None]:
    """A span as four JSON fields."""
    return dict(_NO_PLACE) if span is None else dict(span._asdict())


def describe(error: RtfsError) -> dict[str, Any]:
    """An error as JSON data; the keys are stable."""
    chain: list[dict[str, Any]] = []
    current: RtfsError | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        chain.append(_describe_one(current))
        current = current.cause
    return {**chain[0], "causes": chain[1:]}


def _describe_one(error: RtfsError) -> dict[str, Any]:
    trace: Sequence[dict[str, Any]] = [
        {"function": frame.function, "source": frame.source, **place(frame.span)} for frame in error.trace
    ]
    return {
        "category": error.category,
        "code": error.code,
        "message": error.text(),
        "hint": error.hint,
        "source": error.source,
        **place(error.span),
        "trace": trace,
    }
