"""Raising errors, making them without raising them, and taking them apart.

A thrown value has a type, which `catch` compares, a message and data. A map gives all three; a keyword is the
type, a string the message, anything else the data.
"""

from __future__ import annotations

from typing import Final, NoReturn

from rtfs.errors import ApplicationError
from rtfs.printer import to_str
from rtfs.stdlib.iteration import not_a
from rtfs.stdlib.registry import builtin
from rtfs.values import ErrorValue, Keyword, Map, Symbol, Value, Vector

#: type of a thrown error that says nothing about it
_DEFAULT_TYPE: Final = "error"

_TYPE: Final = Keyword.of("type")
_MESSAGE: Final = Keyword.of("message")
_DATA: Final = Keyword.of("data")


def _type_text(value: Value) -> str:
    """The type that a keyword, string or symbol names; the default for anything else."""
    name = value.name if type(value) is Keyword or type(value) is Symbol else value
    if type(name) is not str:
        return _DEFAULT_TYPE
    return name.removeprefix("error/") or _DEFAULT_TYPE


def _message_text(message: Value) -> str:
    return message if type(message) is str else to_str(message)


def thrown(value: Value) -> ApplicationError:
    """The error that `(throw value)` raises, for any value but an error."""
    kind = type(value)
    if kind is Map:
        message = value.get(_MESSAGE)
        text = to_str(value) if message is None else _message_text(message)
        return ApplicationError(_type_text(value.get(_TYPE)), text, value.get(_DATA), value)
    if kind is str:
        return ApplicationError(_DEFAULT_TYPE, value, None, value)
    if kind is Keyword:
        return ApplicationError(_type_text(value), to_str(value), None, value)
    return ApplicationError(_DEFAULT_TYPE, to_str(value), value, value)


def _made(message: Value, data: Value) -> ApplicationError:
    """An error with that message and data. Its type is the data's `:type`, if it has one."""
    kind = _type_text(data.get(_TYPE)) if type(data) is Map else _DEFAULT_TYPE
    return ApplicationError(kind, _message_text(message), data, None)


@builtin("throw")
def throw(value: Value) -> NoReturn:
    """Raise an error. `catch` chooses by its type, its value, or the group RuntimeError.

    A map gives `:type`, `:message` and `:data`, a keyword the type, a string the message, any other value the
    data; an error value is raised again as it was.

    (try (throw {:type :late :message "too late"}) (catch :late e (getMessage e))) => "too late"
    (try (throw :late) (catch :late e 1)) => 1
    (throw "boom") => !ApplicationError
    """
    if type(value) is ErrorValue:
        raise value.error.with_traceback(None)  # else each rethrow would lengthen its traceback
    raise thrown(value)


@builtin("error")
def error(message: Value, data: Value = None) -> NoReturn:
    """Raise an error with a message and, maybe, data.

    (try (error "bad row" {:row 3}) (catch e (ex-data e))) => {:row 3}
    (error "bad row") => !ApplicationError
    """
    raise _made(message, data)


@builtin("ex-info")
def ex_info(message: Value, data: Value, cause: Value = None) -> Value:
    """An error value with message, data and, maybe, the error that caused it; `throw` raises it.

    Its type is the `:type` of the data, if there is one.

    (try (throw (ex-info "no such user" {:type :missing :id 7})) (catch :missing e (:id (ex-data e)))) => 7
    (ex-message (ex-info "no such user" {})) => "no such user"
    """
    made = _made(message, data)
    if cause is not None:
        if type(cause) is not ErrorValue:
            raise not_a(cause, "error", "ex-info")
        made.cause = cause.error
    return ErrorValue(made)


@builtin("Exception.", "RuntimeError.")
def exception(message: Value, *data: Value) -> Value:
    """An error value with a message and, maybe, data; `throw` raises it. Several data become a vector.

    (getMessage (Exception. "late")) => "late"
    (ex-data (RuntimeError. "late" {:by 3})) => {:by 3}
    """
    if not data:
        return ErrorValue(_made(message, None))
    return ErrorValue(_made(message, data[0] if len(data) == 1 else Vector(list(data))))


@builtin("getMessage")
def get_message(e: Value) -> Value:
    """The message of an error value.

    (try (/ 1 0) (catch e (getMessage e))) => "Division by zero"
    (getMessage "late") => !TypeError
    """
    if type(e) is ErrorValue:
        return e.message
    raise not_a(e, "error", "getMessage")


@builtin("ex-message")
def ex_message(e: Value) -> Value:
    """The message of an error value, nil for any other value.

    (ex-message (Exception. "late")) => "late"
    (ex-message 1) => nil
    """
    return e.message if type(e) is ErrorValue else None


@builtin("ex-data")
def ex_data(e: Value) -> Value:
    """The data of an error value: that of `ex-info`, or the thrown map if it had no `:data`. Else nil.

    (ex-data (ex-info "late" {:by 3})) => {:by 3}
    (try (throw {:type :late :by 3}) (catch e (ex-data e))) => {:type :late :by 3}
    (ex-data 1) => nil
    """
    if type(e) is not ErrorValue:
        return None
    raised = e.error
    if isinstance(raised, ApplicationError) and type(raised.value) is Map and _DATA not in raised.value:
        return raised.value
    return e.data


@builtin("ex-type")
def ex_type(e: Value) -> Value:
    """The type of an error value as a keyword: that it was thrown with, or its category. Nil for other values.

    (try (/ 1 0) (catch e (ex-type e))) => :division-by-zero
    (try (throw :late) (catch e (ex-type e))) => :late
    """
    return Keyword.of(e.type) if type(e) is ErrorValue else None


@builtin("ex-cause")
def ex_cause(e: Value) -> Value:
    """The error that caused an error value, nil if none is known.

    (ex-message (ex-cause (ex-info "outer" {} (Exception. "inner")))) => "inner"
    (ex-cause (Exception. "alone")) => nil
    """
    if type(e) is not ErrorValue or e.error.cause is None:
        return None
    return ErrorValue(e.error.cause)
