"""From one type to another: numbers out of text, keywords and symbols, collections, printed text."""

from __future__ import annotations

import math
from typing import Final

from rtfs.printer import pr_str
from rtfs.run import reserve
from rtfs.stdlib.iteration import items, not_a
from rtfs.stdlib.registry import builtin
from rtfs.stdlib.strings import text_bytes
from rtfs.values import (
    EMPTY_SET,
    EMPTY_VECTOR,
    INT_MAX,
    INT_MIN,
    Keyword,
    List,
    Set,
    Symbol,
    Value,
    Vector,
)

#: digits of the largest integer; Python refuses to read very long ones
_MAX_DIGITS: Final = 19
_FLOAT_CHARACTERS: Final = frozenset("0123456789.eE+-")
_FLOAT_NAMES: Final = frozenset(("inf", "infinity", "nan"))


def _int_from_text(text: str) -> int | None:
    text = text.strip()
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        return None
    digits = digits.lstrip("0")
    if len(digits) > _MAX_DIGITS:
        return None
    value = int(digits or "0")
    return _fitting(-value if text[0] == "-" else value)


def _fitting(value: int) -> int | None:
    return value if INT_MIN <= value <= INT_MAX else None


def _float_from_text(text: str) -> float | None:
    text = text.strip()
    if not (_FLOAT_CHARACTERS.issuperset(text) or text.lstrip("+-").lower() in _FLOAT_NAMES):
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _to_int(x: Value) -> int | None:
    kind = type(x)
    if kind is int:
        return int(x)
    if kind is float:
        return _fitting(math.trunc(x)) if math.isfinite(x) else None
    return _int_from_text(x) if kind is str else None


def _to_float(x: Value) -> float | None:
    kind = type(x)
    if kind is float or kind is int:
        return float(x)
    return _float_from_text(x) if kind is str else None


@builtin("parse-int")
def parse_int(x: Value) -> Value:
    """The integer that a string holds, or a number cut off; nil for anything else.

    Nil, too, for an integer that 64 bits cannot hold.

    (parse-int " 42 ") => 42
    (parse-int 3.9) => 3
    (parse-int "4x") => nil
    (parse-int true) => nil
    """
    return _to_int(x)


@builtin("parse-float")
def parse_float(x: Value) -> Value:
    """The float that a string holds, or a number as a float; nil for anything else.

    (parse-float "2.5") => 2.5
    (parse-float "1e3") => 1000.0
    (parse-float 2) => 2.0
    (parse-float "two") => nil
    """
    return _to_float(x)


@builtin("int")
def int_(x: Value) -> Value:
    """Like parse-int, but 0 where that gives nil; true is 1 and false is 0.

    (int "42") => 42
    (int -3.9) => -3
    (int true) => 1
    (int "x") => 0
    """
    if type(x) is bool:
        return 1 if x else 0
    return _to_int(x) or 0


@builtin("float")
def float_(x: Value) -> Value:
    """Like parse-float, but 0.0 where that gives nil; true is 1.0 and false is 0.0.

    (float 2) => 2.0
    (float "x") => 0.0
    """
    if type(x) is bool:
        return 1.0 if x else 0.0
    value = _to_float(x)
    return 0.0 if value is None else value


def _name(x: Value, operation: str) -> str:
    """The full name that a string, keyword or symbol stands for."""
    if type(x) is str:
        return x
    if type(x) is Keyword or type(x) is Symbol:
        return str(x.name)
    raise not_a(x, "string, keyword or symbol", operation)


def _parts(name: str) -> tuple[str | None, str]:
    """Namespace and name: the text before the first slash and the text after it."""
    namespace, slash, rest = name.partition("/")
    return (namespace, rest) if slash and namespace and rest else (None, name)


@builtin("keyword")
def keyword(x: Value, name: Value = None) -> Value:
    """The keyword of that name; with two arguments, of that namespace and name. Nil for nil.

    (keyword "a") => :a
    (keyword "user" "id") => :user/id
    (keyword 'a) => :a
    """
    if name is not None:
        return Keyword.of(f"{_name(x, 'keyword')}/{_name(name, 'keyword')}")
    return None if x is None else Keyword.of(_name(x, "keyword"))


@builtin("symbol")
def symbol(x: Value, name: Value = None) -> Value:
    """The symbol of that name; with two arguments, of that namespace and name.

    (symbol "a") => a
    (symbol "m" "f") => m/f
    """
    if name is not None:
        return Symbol.of(f"{_name(x, 'symbol')}/{_name(name, 'symbol')}")
    return Symbol.of(_name(x, "symbol"))


@builtin("name")
def name_of(x: Value) -> Value:
    """The name of a keyword or symbol without its namespace; a string itself.

    (name :user/id) => "id"
    (name 'f) => "f"
    (name "text") => "text"
    """
    return x if type(x) is str else _parts(_name(x, "name"))[1]


@builtin("namespace")
def namespace_of(x: Value) -> Value:
    """The namespace of a keyword or symbol, nil if it has none.

    (namespace :user/id) => "user"
    (namespace :id) => nil
    """
    if type(x) is str:
        raise not_a(x, "keyword or symbol", "namespace")
    return _parts(_name(x, "namespace"))[0]


@builtin("vec")
def vec(coll: Value) -> Value:
    """The items of a collection as a vector: the characters of a string, the `[k v]` of a map. Empty for nil.

    (vec '(1 2)) => [1 2]
    (vec {:a 1}) => [[:a 1]]
    (vec nil) => []
    """
    if type(coll) is Vector:
        return coll
    return EMPTY_VECTOR if coll is None else Vector(list(items(coll, "vec")))


@builtin("list")
def list_(*values: Value) -> Value:
    """A list of the arguments.

    (list 1 2 3) => (1 2 3)
    (list) => ()
    """
    return List(values)


@builtin("set")
def set_(coll: Value) -> Value:
    """The items of a collection as a set, in order of first appearance. Empty for nil.

    (set [1 2 1]) => #{1 2}
    (set nil) => #{}
    """
    if type(coll) is Set:
        return coll
    return EMPTY_SET if coll is None else Set(items(coll, "set"))


@builtin("pr-str")
def pr_str_(*values: Value) -> Value:
    """The values as text that reads back as the same values, with a space between them.

    (pr-str "a" :b 1.0) => "\\"a\\" :b 1.0"
    (pr-str [nil "x"]) => "[nil \\"x\\"]"
    """
    parts = []
    size = 0
    for value in values:
        text = pr_str(value)
        size += text_bytes(text) + 1
        reserve(size)
        parts.append(text)
    return " ".join(parts)
