"""Values as RTFS text and back: how they cross to another runtime.

`write_value` writes what `read_value` reads back as an equal value. It refuses the rest: functions, errors and
tickets, which mean nothing elsewhere, and names that no text denotes. `read_value` never evaluates anything,
since the text may come from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rtfs import errors
from rtfs.analyze.syntax import datum
from rtfs.forms import Colon, MetaForm
from rtfs.printer import pr_str
from rtfs.program import ANALYSIS_DEPTH
from rtfs.reader import read
from rtfs.reader.literals import is_keyword, is_symbol
from rtfs.run import deep_recursion
from rtfs.values import (
    MAP_KEY_TYPES,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Timestamp,
    Uuid,
    Value,
    Vector,
    is_function,
    type_name,
)

_ATOMS: Final = frozenset((type(None), bool, int, float, str))
_TAGGED: Final = frozenset((Timestamp, Uuid, ResourceHandle))
_SEQUENCES: Final = frozenset((Vector, List, Set))


def write_value(value: Value) -> str:
    """Text that `read_value` reads back as an equal value.

    Raises:
        InvalidArgument: there is no such text; the message says what is in the way.
        BudgetExhausted: it is too long for the run.
    """
    text = pr_str(value)  # first, since it is what bounds a value whose parts are shared many times over
    todo = [value]
    while todo:
        each = todo.pop()
        kind = type(each)
        if kind in _SEQUENCES:
            todo += each.to_list()
            if kind is List and len(each) and type(each[0]) is Symbol and each[0].name[0] == ".":
                raise _unwritable(f"a list that begins with `{each[0].name}`")
        elif kind is Map:
            for key, item in each.items():
                todo += (key, item)
        elif kind not in _ATOMS:
            _check_rare(each)
    return text


def _check_rare(value: Value) -> None:
    """Refuse a value that is no collection, unless its text denotes it."""
    kind = type(value)
    if kind is Keyword:
        if not is_keyword(value.name):
            raise _unwritable("a keyword that no text denotes")
    elif kind is Symbol:
        if not is_symbol(value.name):
            raise _unwritable("a symbol that no text denotes")
    elif kind in _TAGGED:
        try:
            forms = read(value.text).forms
        except errors.ReadError:
            forms = ()
        if len(forms) != 1 or forms[0] != value:
            raise _unwritable(f"a {type_name(value)} that no text denotes")
    else:
        raise _unwritable("a function" if is_function(value) else f"a value of type {type_name(value)}")


def _unwritable(what: str) -> errors.InvalidArgument:
    error = errors.InvalidArgument(f"{what} cannot be sent to another runtime")
    error.hint = "send data: numbers, strings, keywords, and collections of them"
    return error


def read_value(text: str, source: str = "<value>") -> Value:
    """The value that `text` denotes. Nothing is evaluated: a list is a list.

    Raises:
        ReadError: it is no RTFS.
        InvalidArgument: it is not one value, or no plain data.
    """
    forms = read(text, source).forms
    if len(forms) != 1:
        raise errors.InvalidArgument(f"expected the text of one value, got {len(forms)} forms")
    _check_data(forms)
    try:
        with deep_recursion(ANALYSIS_DEPTH):
            return datum(forms[0])  # without the places of the text
    except RecursionError:
        raise errors.InvalidArgument("the value is nested too deeply") from None


def _check_data(forms: Iterable[Value]) -> None:
    """Refuse what only program text can hold: metadata, annotations, keys that stand for others."""
    todo = list(forms)
    while todo:
        form = todo.pop()
        kind = type(form)
        if kind in _SEQUENCES:
            todo += form.to_list()
        elif kind is Map:
            for key, item in form.items():
                if type(key) not in MAP_KEY_TYPES:
                    raise errors.InvalidArgument(f"a {type_name(key)} cannot be the key of a map")
                todo.append(item)
        elif kind is MetaForm or kind is Colon:
            what = "metadata" if kind is MetaForm else "the colon of an annotation"
            raise errors.InvalidArgument(f"expected data, got {what}, which only programs have")
