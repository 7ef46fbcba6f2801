"""RTFS errors out of the JSON that another runtime answers (`rtfs.error_json`).

An error is rebuilt from its category and its text, so that a `catch` here chooses as it would have there: its
fields are read out of the text, which is another one for each class. What cannot be read so becomes a Generic
error that keeps the category in its text. What a program threw comes with its data if the other side sends it:
as RTFS text, under `data` and `value`.

Not every error is the program's. Those of `ONLY_THERE` say that this program, or this much of it, cannot be run
on that machine; here its body may well run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from actors.remote.data_text import read_value
from policies.errors import TargetFailed
from policies.running.health import Cause
from rtfs import errors
from rtfs.errors import Frame, RtfsError, Span
from rtfs.values import Value

#: categories that say nothing about the program itself, and what they mean for the target
ONLY_THERE: Final[Mapping[str, Cause]] = {
    "InternalError": "server-error",
    "StorageError": "server-error",
    **dict.fromkeys(
        (
            *("StackOverflow", "BudgetExhausted", "SecurityViolation", "UnknownCapability", "NotImplemented"),
            *("ParseError", "InvalidProgram", "ModuleNotFound", "ModuleError", "SymbolNotFound"),
            "UndefinedSymbol",
        ),
        "bad-request",
    ),
}
#: classes with fields, and their texts
_TEXTS: Final[Mapping[type[RtfsError], str]] = {
    errors.TypeMismatch: "Type error in {operation}: expected {expected}, got {actual}",
    errors.UndefinedSymbol: "Undefined symbol: {symbol}",
    errors.SymbolNotFound: "Symbol not found: {symbol}",
    errors.ArityMismatch: "Arity mismatch in {function}: expected {expected}, got {actual}",
    errors.DivisionByZero: "Division by zero",
    errors.IntegerOverflow: "Integer overflow in {operation}",
    errors.IndexOutOfBounds: "Index out of bounds: index {index} is not in range [0, {length})",
    errors.KeyNotFound: "Key not found: {key}",
    errors.InvalidArguments: "Invalid arguments: expected {expected}, got {actual}",
    errors.ApplicationError: "Application error ({type}): {message}",
    errors.UnknownCapability: "Unknown capability: {id}",
    errors.ModuleNotFound: "Module not found: {module}",
    errors.ResourceError: "Resource error ({resource_type}): {message}",
}
#: fields that are numbers
_NUMBERS: Final = frozenset(
    (
        (errors.ArityMismatch, "actual"),
        (errors.IndexOutOfBounds, "index"),
        (errors.IndexOutOfBounds, "length"),
    )
)
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}")
#: longest chain of causes, and longest trace, that are kept
_MOST_CAUSES: Final = 20
_MOST_FRAMES: Final = 200


def failure_of(found: Mapping[str, Any]) -> TargetFailed | RtfsError:
    """What the error of another runtime is here: a failure of the target, or the error of the program."""
    category = _text(found, "category")
    cause = ONLY_THERE.get(category)
    if cause is None:
        return error_of(found)
    message = _text(found, "message")[:300]
    if category == "BudgetExhausted" and "deadline" in message:
        cause = "timeout"
    return TargetFailed(cause, f"the program cannot be run there: {message}")


def error_of(found: Mapping[str, Any]) -> RtfsError:
    """The error, as good as the other side told it; whatever that is, there is one."""
    error = _rebuilt(found)
    causes = found.get("causes")
    last = error
    for each in causes[:_MOST_CAUSES] if isinstance(causes, list) else ():
        if isinstance(each, Mapping):
            last.cause = _rebuilt(each)
            last = last.cause
    return error


def _rebuilt(found: Mapping[str, Any]) -> RtfsError:
    category, message = _text(found, "category"), _text(found, "message")
    error = _with_message(category, message) or _with_fields(category, message)
    if error is None:
        error = errors.Generic(f"{category or 'error'} on another runtime: {message}")
    if isinstance(error, errors.ApplicationError):
        error.data, error.value = _value(found, "data"), _value(found, "value")
    error.span = _span(found)
    error.source = _text(found, "source") or None
    error.hint = _text(found, "hint") or None
    frames = found.get("trace")
    error.trace = tuple(
        Frame(_text(each, "function"), _text(each, "source"), _span(each))
        for each in (frames[:_MOST_FRAMES] if isinstance(frames, list) else ())
        if isinstance(each, Mapping)
    )
    return error


def _with_message(category: str, text: str) -> RtfsError | None:
    """An error of a class whose only field is its message."""
    kind = _message_classes().get(category)
    if kind is None:
        return None
    # every such text is the prefix of its class, a colon and the message
    prefix = f"{kind('').text()}"
    return kind(text.removeprefix(prefix))


@cache
def _message_classes() -> Mapping[str, type[RtfsError]]:
    """Classes with the one field `message`, by category; of two the one that others inherit from."""
    found: dict[str, type[RtfsError]] = {}
    for kind in vars(errors).values():
        if not isinstance(kind, type) or not issubclass(kind, RtfsError) or kind.__name__.startswith("_"):
            continue
        if kind.fields == ("message",):
            found.setdefault(kind.category, kind)
    return found


def _with_fields(category: str, text: str) -> RtfsError | None:
    """An error whose fields are read out of its text."""
    found = _text_classes().get(category)
    match = None if found is None else found[1].fullmatch(text)
    if found is None or match is None:
        return None
    kind, fields = found[0], match.groupdict()
    values = [_field(kind, name, fields.get(name)) for name in kind.fields]
    made = kind(*values)
    return made if made.text() == text else None


@cache
def _text_classes() -> Mapping[str, tuple[type[RtfsError], re.Pattern[str]]]:
    """Classes with fields and the patterns of their texts, by category."""
    return {
        kind.category: (kind, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*?)", re.escape(text)), re.DOTALL))
        for kind, text in _TEXTS.items()
    }


def _field(kind: type[RtfsError], name: str, text: str | None) -> str | int | None:
    if text is not None and (kind, name) in _NUMBERS and _NUMBER.fullmatch(text):
        return int(text)
    return text


def _value(found: Mapping[str, Any], name: str) -> Value:
    """A value that is sent as text; nil if there is none, or it cannot be read."""
    text = found.get(name)
    if not isinstance(text, str):
        return None
    try:
        return read_value(text)
    except RtfsError:
        return None


def _text(found: Mapping[str, Any], name: str) -> str:
    text = found.get(name)
    return text if isinstance(text, str) else ""


def _span(found: Mapping[str, Any]) -> Span | None:
    numbers = [found.get(name) for name in Span._fields]
    if not all(type(number) is int for number in numbers):
        return None
    return Span(*numbers)  # type: ignore[arg-type]
