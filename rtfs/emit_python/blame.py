"""Whose fault was it? A Python exception out of generated code becomes the RTFS error it stands for.

Generated code makes no checks that Python makes anyway: wrong argument counts, calls of what cannot be called,
names without a value, too deep recursion. When one fails, the traceback says where: every Python node carries
the span of its RTFS form. The call sites of the unit say which call stands there and what its callee was named.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import FrameType, FunctionType, TracebackType
from typing import Final, NamedTuple

from rtfs import errors
from rtfs.border import MAX_CAUSES, MAX_TRACE, place, set_cause, translate
from rtfs.emit_python.arguments import ABSENT, calls_at, is_generated, refused_argument, value_of
from rtfs.emit_python.helpers import bounce
from rtfs.emit_python.names import MAIN, PART, WRAPPER
from rtfs.errors import Frame, Span
from rtfs.stdlib.registry import arity, arity_error
from rtfs.values import Value, type_name

#: attribute of a Python exception that a program caught: the error it was caught as
_KNOWN: Final = "rtfs_error"
#: frames at the end of a traceback that are looked at for a trace
_LAST_FRAMES: Final = 4 * MAX_TRACE


def blamed(exc: BaseException) -> errors.RtfsError:
    """The RTFS error for `exc`, with span, source and call trace. Called where `exc` was caught."""
    known = getattr(exc, _KNOWN, None)
    if known is not None:
        found: errors.RtfsError = known
        return found
    frames = _last_frames(exc.__traceback__)
    error = _explained(exc, frames) or translate(exc)
    steps = list(_steps(frames))
    if steps:
        step = _innermost(steps)
        argument = refused_argument(error, frames) if type(error) is errors.TypeMismatch else None
        place(error, step.source, argument or step.span)
    if not error.trace:
        error.trace = _trace(steps)
    handled = _handled(exc)
    if handled is not None:
        set_cause(error, handled)
    return error


def _handled(exc: BaseException) -> errors.RtfsError | None:
    """The error that RTFS code was handling when `exc` was raised; Python's own in between are left out."""
    context = exc.__context__
    for _ in range(MAX_CAUSES):
        if context is None:
            return None
        known = getattr(context, _KNOWN, None)
        if known is not None:
            found: errors.RtfsError = known
            return found
        context = context.__context__
    return None


def note_caught(exc: Exception, error: errors.RtfsError) -> None:
    """Note that RTFS code is handling `exc` as `error`: what is raised meanwhile has it as its cause."""
    setattr(exc, _KNOWN, error)


def _last_frames(traceback: TracebackType | None) -> list[tuple[FrameType, Span | None]]:
    found: list[TracebackType] = []
    while traceback is not None:
        found.append(traceback)
        if len(found) > 2 * _LAST_FRAMES:
            del found[:_LAST_FRAMES]
        traceback = traceback.tb_next
    return [(each.tb_frame, _span(each)) for each in found]


def _span(traceback: TracebackType) -> Span | None:
    """Where in RTFS source generated code stood; None for other code."""
    if not is_generated(traceback.tb_frame):
        return None
    positions = traceback.tb_frame.f_code.co_positions()
    line, end_line, column, end_column = next(islice(positions, traceback.tb_lasti // 2, None))
    if line is None or end_line is None or column is None or end_column is None:
        return None
    return Span(line, column + 1, end_line, end_column + 1)


class _Step(NamedTuple):
    """Where a frame stands. `function` is None for a tail call, which its function left to be run for it."""

    function: str | None
    source: str
    span: Span


def _steps(frames: list[tuple[FrameType, Span | None]]) -> Iterator[_Step]:
    """RTFS calls under way, outermost first."""
    for frame, span in frames:
        code = frame.f_code
        if code is bounce.__code__:
            call = frame.f_locals.get("call")
            if call is not None:
                yield _Step(None, call.site[0], Span(*call.site[1:]))
        elif span is not None and not code.co_name.endswith(WRAPPER):
            yield _Step(code.co_name, code.co_filename, span)


def _innermost(steps: list[_Step]) -> _Step:
    """Where the innermost function stands; for a check on entry of it, the call that entered it."""
    step = steps[-1]
    if step.span[:2] == step.span[2:] and len(steps) > 1:
        return steps[-2]
    return step


def _trace(steps: list[_Step]) -> tuple[Frame, ...]:
    """RTFS calls, innermost first: each function with the place of the call that it was entered by."""
    calls = []
    for caller, entered in zip(reversed(steps[:-1]), reversed(steps), strict=False):
        name = entered.function
        if name is not None and name != MAIN and not name.startswith(PART):
            calls.append(Frame(name.partition("·")[0], caller.source, caller.span))
        if len(calls) == MAX_TRACE:
            break
    return tuple(calls)


def _explained(exc: BaseException, frames: list[tuple[FrameType, Span | None]]) -> errors.RtfsError | None:
    if not frames:
        return None
    frame, span = frames[-1]
    if isinstance(exc, NameError) and span is not None:
        return _undefined(exc, frame)
    if isinstance(exc, TypeError):
        if frame.f_code is bounce.__code__:
            call = frame.f_locals["call"]
            return _call_error(call.fn, len(call.args))
        if span is not None:
            return _failed_call(frame, span)
    return None


def _undefined(exc: NameError, frame: FrameType) -> errors.RtfsError:
    from rtfs.namespace import with_nearest

    # Python names the variable in an attribute for globals, in the text alone for locals
    python_name = exc.name or str(exc).partition("'")[2].partition("'")[0]
    name = python_name.removeprefix("·").partition("·")[0]
    known = [each for each in (*frame.f_globals, *frame.f_builtins) if "·" not in each]
    return with_nearest(errors.UndefinedSymbol(name), name, known)


def _failed_call(frame: FrameType, span: Span) -> errors.RtfsError | None:
    """The error of the first call at `span` that must fail."""
    for site in calls_at(frame, frame.f_code.co_filename, span):
        callee = value_of(frame, site.callee)
        error = None if callee is ABSENT else _call_error(callee, len(site.arguments))
        if error is not None:
            return error
    return None


def _call_error(callee: Value, count: int) -> errors.RtfsError | None:
    """Why a call of `callee` with `count` arguments fails, None if it does not."""
    if type(callee) is FunctionType:
        least, most = arity(callee)
        if least <= count and (most is None or count <= most):
            return None
        return arity_error(callee, count)
    if not callable(callee):
        return errors.TypeMismatch("function", type_name(callee), "function call")
    if not 1 <= count <= 2:
        return errors.ArityMismatch(type_name(callee), "1 or 2", count)
    return None
