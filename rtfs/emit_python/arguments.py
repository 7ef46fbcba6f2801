"""Where the argument stands that a builtin refused. Looked for only when an error is on its way.

The compiler notes each call with the spans of its arguments, packed so that starting a program from disk does
not unpack them. The values of the arguments are still there when the error comes by: in the frame of the
builtin, in a tail call that was left to its caller, or, for in-line arithmetic, in variables of generated code.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType, FunctionType
from typing import Any, Final, NamedTuple

from rtfs import errors
from rtfs.border import refused
from rtfs.emit_python.helpers import bounce
from rtfs.errors import Span
from rtfs.stdlib import arithmetic
from rtfs.values import Value, type_name

#: a call as a compiled unit keeps it: its span, the Python name of its callee, and `packed` arguments
type Call = tuple[Span, str, bytes]

ABSENT: Final = object()
#: of `co_flags`: the function takes `*args`
_VARARGS: Final = 0x04
#: what runs when in-line arithmetic finds no integers → the builtin that stands there
_INLINE: Final[dict[CodeType, str]] = {
    arithmetic.add2.__code__: "b·+",
    arithmetic.sub2.__code__: "b·-",
    arithmetic.mul2.__code__: "b·*",
}


class Site(NamedTuple):
    """A `Call`, unpacked."""

    callee: str
    arguments: tuple[tuple[int, int, int, int] | None, ...]
    operands: tuple[str, ...]


def packed(arguments: Sequence[Span | None], operands: tuple[str, ...]) -> bytes:
    """Where arguments stand and how to find their values, see `CallSite`, for a `Call`."""
    return marshal.dumps((tuple(span and tuple(span) for span in arguments), operands))


def is_generated(frame: FrameType) -> bool:
    """Whether the frame runs code of this backend."""
    return "rt·units" in frame.f_builtins


def calls_at(frame: FrameType, source: str, span: Span) -> Iterator[Site]:
    """The calls at `span` of a text, which the generated code of `frame` may know."""
    for _, callee, arguments in _index(frame.f_builtins, source).get(tuple(span), ()):
        yield Site(callee, *marshal.loads(arguments))


def _index(names: dict[str, Any], source: str) -> dict[tuple[int, ...], list[Call]]:
    """The calls of a text by their spans, made at the first error: a program may fail and catch in a loop."""
    calls: tuple[Call, ...] = names["rt·units"].get(source, ())
    indexes = names.setdefault("rt·indexes", {})
    indexed, index = indexes.get(source, (None, {}))
    if indexed is not calls:  # a session adds calls
        index = {}
        for call in calls:
            index.setdefault(tuple(call[0]), []).append(call)
        indexes[source] = calls, index
    found: dict[tuple[int, ...], list[Call]] = index
    return found


def value_of(frame: FrameType, name: str) -> Value:
    """What `name` means in generated code; `ABSENT` if it has no value."""
    for names in (frame.f_locals, frame.f_globals, frame.f_builtins):
        if name in names:
            return names[name]
    return ABSENT


def refused_argument(error: errors.TypeMismatch, frames: list[tuple[FrameType, Span | None]]) -> Span | None:
    """Where the argument stands that the builtin called last did not take.

    None if that is not known, or if several calls with different arguments stand there, as a macro can make.
    """
    found = set(_possible(error, frames))
    only = found.pop() if len(found) == 1 else None
    return only and Span(*only)


def _possible(
    error: errors.TypeMismatch, frames: list[tuple[FrameType, Span | None]]
) -> Iterator[tuple[int, int, int, int] | None]:
    caller = _last_caller(frames)
    if caller is None or caller + 1 == len(frames):
        return
    frame, span = frames[caller]
    entered = frames[caller + 1][0]
    if span is None:
        call = frame.f_locals["call"]
        for site in _left_calls(frames, call.site[0], Span(*call.site[1:])):
            if len(site.arguments) == len(call.args):
                yield _chosen(site, refused(error, call.fn, [type_name(value) for value in call.args]))
        return
    for site in calls_at(frame, frame.f_code.co_filename, span):
        callee = value_of(frame, site.callee)
        kinds = _kinds(site, callee, frame, entered)
        if kinds is not None:
            yield _chosen(site, refused(error, callee, kinds))


def _last_caller(frames: list[tuple[FrameType, Span | None]]) -> int | None:
    """Index of the innermost frame that calls for RTFS code: generated, or one that runs a tail call."""
    for index in reversed(range(len(frames))):
        frame, span = frames[index]
        if span is not None or frame.f_code is bounce.__code__:
            return index
    return None


def _left_calls(frames: list[tuple[FrameType, Span | None]], source: str, span: Span) -> Iterator[Site]:
    """The calls at `span` as any module under way knows them: a tail call may run in another than its own."""
    known = {id(frame.f_builtins): frame for frame, _ in frames if is_generated(frame)}
    for frame in known.values():
        yield from calls_at(frame, source, span)


def _chosen(site: Site, index: int | None) -> tuple[int, int, int, int] | None:
    return None if index is None else site.arguments[index]


def _kinds(site: Site, callee: Value, frame: FrameType, entered: FrameType) -> list[str] | None:
    """The types of the arguments of the call at `site`, None if it is not the one that `entered` runs."""
    if _INLINE.get(entered.f_code) == site.callee:
        if site.operands:
            return [_operand_kind(frame, operand) for operand in site.operands]
        return [type_name(value) for value in _parameters(entered)]
    itself = 0 if type(callee) is FunctionType else 1
    function = type(callee).__call__ if itself and callable(callee) else callee
    if type(function) is not FunctionType or function.__code__ is not entered.f_code:
        return None
    values = _parameters(entered)[itself : itself + len(site.arguments)]
    return [type_name(value) for value in values]


def _operand_kind(frame: FrameType, operand: str) -> str:
    return type_name(value_of(frame, operand)) if "·" in operand else operand


def _parameters(frame: FrameType) -> list[Value]:
    code, values = frame.f_code, frame.f_locals
    given = [values.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & _VARARGS:
        given.extend(values.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], ()))
    return given
