"""Python exceptions at the border, and what `catch` catches."""

from __future__ import annotations

import pytest

from rtfs import errors, ir
from rtfs.border import MAX_CAUSES, MAX_TRACE, add_frame, catches, place, set_cause, translate
from rtfs.errors import Span
from rtfs.host import PureHost
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext


def thrown(type_="boom", value=None):
    return errors.ApplicationError(type_, "message", None, value)


@pytest.mark.parametrize(
    ("exc", "category", "text"),
    [
        (RecursionError("maximum"), "StackOverflow", "depth limit 7"),
        (MemoryError(), "BudgetExhausted", "allocation"),
        (ValueError("odd"), "InternalError", "ValueError: odd"),
    ],
)
def test_translate(exc, category, text):
    with running(Run(PureHost(), RuntimeContext.pure(), Limits(depth=7))):
        error = translate(exc)
    assert error.category == category
    assert text in error.text()


def test_translate_leaves_rtfs_errors_and_interrupts():
    error = errors.DivisionByZero()
    assert translate(error) is error
    with pytest.raises(KeyboardInterrupt):
        translate(KeyboardInterrupt())


DIVISION = errors.DivisionByZero()
HOST = errors.HostException("down")
GENERIC = errors.Generic("reduce on empty collection")
GROUP = ir.CatchCategory("RuntimeError", ("DivisionByZero", "Generic", "ApplicationError"))
HOST_GROUP = ir.CatchCategory("HostError", ("IoError", "HostException"))


@pytest.mark.parametrize(
    ("selector", "error", "expected"),
    [
        (ir.CatchAll(), DIVISION, True),
        (ir.CatchAll(), errors.StackOverflow("deep"), False),
        (ir.CatchAll(), errors.ReadError("Grammar", "m", ()), False),
        (ir.CatchCategory("DivisionByZero", ("DivisionByZero",)), DIVISION, True),
        (ir.CatchCategory("ArityMismatch", ("ArityMismatch",)), DIVISION, False),
        (GROUP, GENERIC, True),
        (GROUP, HOST, False),
        (HOST_GROUP, HOST, True),
        (HOST_GROUP, GENERIC, False),
        (ir.CatchCategory("Generic", ("Generic",)), HOST, True),
        (ir.CatchCategory("StackOverflow", ("StackOverflow",)), errors.StackOverflow("deep"), False),
        (ir.CatchThrown("boom", None), thrown("boom"), True),
        (ir.CatchThrown("boom", None), thrown("error/boom", 1), True),
        (ir.CatchThrown("other", "text"), thrown("boom", "text"), True),
        (ir.CatchThrown("other", "text"), thrown("boom", 1), False),
        (ir.CatchThrown("division-by-zero", None), DIVISION, False),
    ],
)
def test_catches(selector, error, expected):
    assert catches(selector, error) is expected


def test_causes_form_no_circle_and_stay_short():
    first, second = errors.DivisionByZero(), errors.Generic("second")
    set_cause(first, first)
    assert first.cause is None
    set_cause(second, first)
    set_cause(first, second)
    assert (second.cause, first.cause) == (first, None)
    last = first
    for _ in range(2 * MAX_CAUSES):
        error = errors.DivisionByZero()
        set_cause(error, last)
        last = error
    length, link = 0, last
    while link is not None:
        length, link = length + 1, link.cause
    assert length <= MAX_CAUSES


def test_place_keeps_the_innermost():
    error = errors.DivisionByZero()
    place(error, "a", None)
    assert (error.source, error.span) == (None, None)
    place(error, "a", Span(1, 1, 1, 2))
    place(error, "b", Span(2, 1, 2, 2))
    assert (error.source, error.span) == ("a", Span(1, 1, 1, 2))


def test_the_trace_keeps_the_innermost_calls():
    error = errors.DivisionByZero()
    for number in range(MAX_TRACE + 5):
        add_frame(error, f"f{number}", "a", None)
    assert [frame.function for frame in error.trace] == [f"f{number}" for number in range(MAX_TRACE)]
