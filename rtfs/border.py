"""The border between Python and RTFS: Python's exceptions become RTFS errors, and `catch` chooses among them.

Both backends use these functions, so that they cannot disagree about what an error is.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import TYPE_CHECKING

from rtfs import errors
from rtfs.run import current_run
from rtfs.stdlib.registry import BY_FUNCTION
from rtfs.values import Keyword, Value, Vector, equal

if TYPE_CHECKING:
    from rtfs import ir

#: longest chain of `:cause` that is kept, and most frames of a call trace
MAX_CAUSES = 50
MAX_TRACE = 50


def translate(exc: BaseException) -> errors.RtfsError:
    """The RTFS error that `exc` is reported as. Called inside a run.

    Raises:
        BaseException: `exc` itself if it is no `Exception` (an interrupt, the end of a greenlet).
    """
    if isinstance(exc, errors.RtfsError):
        return exc
    if isinstance(exc, RecursionError):
        return stack_overflow()
    if isinstance(exc, MemoryError):
        return errors.BudgetExhausted("allocation", "memory of the machine")
    if not isinstance(exc, Exception):
        raise exc
    error = errors.InternalError(f"{type(exc).__name__}: {exc}")
    error.__cause__ = exc
    return error


def stack_overflow() -> errors.StackOverflow:
    """The error of a run that nests calls, expressions or data too deeply."""
    limit = current_run().limits.depth
    return errors.StackOverflow(f"calls or data nested too deeply (depth limit {limit})")


def catches(selector: ir.Selector, error: errors.RtfsError) -> bool:
    """Whether a `catch` clause with this selector handles `error`."""
    if not error.catchable:
        return False
    from rtfs import ir

    match selector:
        case ir.CatchAll():
            return True
        case ir.CatchCategory(categories=categories):
            return in_categories(categories, error)
        case ir.CatchThrown(type=wanted, value=value):
            return was_thrown(wanted, value, error)


def in_categories(categories: tuple[str, ...], error: errors.RtfsError) -> bool:
    """Whether a clause for these categories handles `error`."""
    if not error.catchable:
        return False
    if isinstance(error, errors.HostException):
        # Its category is Generic, so `(catch Generic e)` sees it; the group RuntimeError must not.
        return "HostException" in categories or categories == ("Generic",)
    return error.category in categories


def was_thrown(wanted: str, value: Value, error: errors.RtfsError) -> bool:
    """Whether `error` was thrown with this type, or as this value."""
    if not isinstance(error, errors.ApplicationError):
        return False
    return error.type.removeprefix("error/") == wanted.removeprefix("error/") or equal(error.value, value)


def set_cause(error: errors.RtfsError, handled: errors.RtfsError) -> None:
    """Note that `error` arose while `handled` was being handled.

    Does nothing if `error` has a cause already, if it would become its own cause, or if the chain is long.
    """
    if error.cause is not None:
        return
    link: errors.RtfsError | None = handled
    for _ in range(MAX_CAUSES):
        if link is None:
            error.cause = handled
            return
        if link is error:
            return
        link = link.cause


#: values that are called as functions → what their errors name as the operation
_LOOKUPS = {Keyword: "keyword lookup", Vector: "vector lookup"}


def refused(error: errors.TypeMismatch, callee: Value, kinds: Sequence[str]) -> int | None:
    """Which argument a builtin, or a value called as a function, refused: the only one of the kind that came.

    None if several are of that kind, if none is (an item of one was refused), or if `error` is that of another
    operation, such as a function that `callee` was given.

    Args:
        kinds: the type names of the arguments.
    """
    builtin = BY_FUNCTION.get(callee) if type(callee) is FunctionType else None
    operation = _LOOKUPS.get(type(callee)) if builtin is None else builtin.name
    if error.operation != operation:
        return None
    found = [index for index, kind in enumerate(kinds) if kind == error.actual]
    return found[0] if len(found) == 1 else None


def place(error: errors.RtfsError, source: str, span: errors.Span | None) -> None:
    """Say where `error` arose, unless that is known already."""
    if error.span is None and span is not None:
        error.span = span
        error.source = source


def add_frame(error: errors.RtfsError, function: str, source: str, span: errors.Span | None) -> None:
    """Append a call to the trace of `error`, which is unwinding; the innermost `MAX_TRACE` are kept."""
    if len(error.trace) < MAX_TRACE:
        error.trace += (errors.Frame(function, source, span),)
