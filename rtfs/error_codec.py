"""Errors as bytes, so that one raised in another process is raised here with all that it says.

    error = {"category" text, "fields" [value …], "span" [int int int int] | nil, "source" text | nil,
             "hint" text | nil, "trace" [[function source span] …], "cause" error | nil}

as one RTFS value (`rtfs.ir_codec.encode_value`). What a field holds that means nothing outside its run, such as
a function that was thrown, becomes the text it prints as. The bytes may come from anywhere: whatever they are,
there is an error or a StorageError.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from rtfs import errors
from rtfs.errors import Frame, RtfsError, Span
from rtfs.ir_codec import decode_value, encode_value
from rtfs.printer import pr_str
from rtfs.values import Map, Value, Vector

#: longest chain of causes that is kept
_MOST_CAUSES: Final = 20


def encode_error(error: RtfsError) -> bytes:
    """The error as bytes, which `decode_error` reads back."""
    return encode_value(_as_value(error, _MOST_CAUSES))


def decode_error(data: bytes) -> RtfsError:
    """The error that `encode_error` wrote.

    Raises:
        StorageError: the bytes are damaged, or no error.
    """
    return _as_error(decode_value(data), _MOST_CAUSES)


def _as_value(error: RtfsError, causes: int) -> Map:
    cause = error.cause if causes else None
    return Map(
        {
            "category": type(error).__name__,
            "fields": Vector([_storable(getattr(error, name)) for name in error.fields]),
            "span": _span_value(error.span),
            "source": error.source,
            "hint": error.hint,
            "trace": Vector([Vector([f.function, f.source, _span_value(f.span)]) for f in error.trace]),
            "cause": None if cause is None else _as_value(cause, causes - 1),
        }
    )


def _storable(found: Any) -> Value:
    if isinstance(found, tuple):
        return Vector(list(found))
    try:
        encode_value(found)
    except errors.StorageError:
        return pr_str(found)
    return found


def _span_value(span: Span | None) -> Value:
    return None if span is None else Vector(list(span))


def _as_error(value: Value, causes: int) -> RtfsError:
    if type(value) is not Map:
        raise _damaged("expected a map")
    kind = _classes().get(value.get("category"))
    fields = value.get("fields")
    if kind is None or type(fields) is not Vector or len(fields) != len(kind.fields):
        raise _damaged(f"no error `{value.get('category')}` has these fields")
    made = kind(*[_field(kind, name, each) for name, each in zip(kind.fields, fields, strict=True)])
    made.span, made.source, made.hint = (
        _span(value.get("span")),
        _text(value.get("source")),
        _text(value.get("hint")),
    )
    made.trace = _trace(value.get("trace"))
    cause = value.get("cause")
    if cause is not None and causes:
        made.cause = _as_error(cause, causes - 1)
    return made


@cache
def _classes() -> dict[Value, type[RtfsError]]:
    """Every class of error that can be raised, by its name."""
    found: dict[Value, type[RtfsError]] = {}
    todo = [RtfsError]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind.__module__ == errors.__name__ and not kind.__name__.startswith("_"):
            found[kind.__name__] = kind
    for base in (RtfsError, errors.LimitError):
        del found[base.__name__]
    return found


#: fields that are not texts
_ANY: Final = frozenset({("ApplicationError", "data"), ("ApplicationError", "value")})


def _field(kind: type[RtfsError], name: str, value: Value) -> Any:
    if (kind.__name__, name) in _ANY:
        return value
    if kind is errors.ReadError and name == "expected":
        if type(value) is not Vector:
            raise _damaged("`expected` of a ReadError is no list")
        return tuple(map(str, value))
    if kind is errors.ReadError and name == "kind" and value not in errors.ReadError.KINDS:
        raise _damaged(f"no kind of ReadError is `{value}`")
    if value is not None and type(value) not in (str, int, float, bool):
        raise _damaged(f"`{name}` of {kind.__name__} is neither text nor number")
    return value


def _span(value: Value) -> Span | None:
    if value is None:
        return None
    if type(value) is not Vector or len(value) != 4 or any(type(each) is not int for each in value):
        raise _damaged("a place is not four numbers")
    return Span(*value)


def _text(value: Value) -> str | None:
    if value is not None and type(value) is not str:
        raise _damaged("expected a text")
    return value


def _trace(value: Value) -> tuple[Frame, ...]:
    if type(value) is not Vector:
        raise _damaged("expected a trace")
    frames: list[Frame] = []
    for each in value:
        if type(each) is not Vector or len(each) != 3:
            raise _damaged("expected a call of a trace")
        frames.append(Frame(_text(each[0]) or "", _text(each[1]) or "", _span(each[2])))
    return tuple(frames)


def _damaged(what: str) -> errors.StorageError:
    return errors.StorageError(f"damaged error: {what}")
