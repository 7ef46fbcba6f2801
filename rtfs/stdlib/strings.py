"""Strings. Positions and lengths count characters (Unicode code points)."""

from __future__ import annotations

from collections.abc import Iterable

from rtfs.errors import IndexOutOfBounds
from rtfs.printer import to_str
from rtfs.run import reserve
from rtfs.stdlib.iteration import integer, items, not_a
from rtfs.stdlib.registry import builtin
from rtfs.values import Value, Vector

#: bytes that Python needs for one short string and the place that refers to it
_PIECE_BYTES = 64


def string(x: Value, operation: str) -> str:
    """`x`, known to be a string.

    Raises:
        TypeMismatch: it is none.
    """
    if type(x) is str:
        return x
    raise not_a(x, "string", operation)


def text_bytes(text: str) -> int:
    """About how many bytes the characters of `text` take."""
    return len(text) if text.isascii() else 2 * len(text)


def texts(values: Iterable[Value], separator: str = "") -> list[str]:
    """Each value as `str` shows it. Refuses, as soon as that is known, what would be too much to join."""
    parts = []
    size = 0
    for value in values:
        text = value if type(value) is str else to_str(value)
        size += text_bytes(text) + len(separator)
        reserve(size)
        parts.append(text)
    return parts


@builtin("str")
def str_(*values: Value) -> Value:
    """The texts of all values, put together. Strings stand for themselves, keywords keep their colon.

    (str "a" 1 :b nil) => "a1:bnil"
    (str 4.0 ["x"]) => "4[\\"x\\"]"
    (str) => ""
    """
    if len(values) == 1:
        return to_str(values[0])
    return "".join(texts(values))


@builtin("string-length")
def string_length(s: Value) -> Value:
    """The number of characters of a string.

    (string-length "héllo") => 5
    """
    return len(string(s, "string-length"))


@builtin("substring")
def substring(s: Value, start: Value, end: Value = None) -> Value:
    """The part of a string from `start` up to, not including, `end`; up to its end without `end`.

    (substring "hello" 1 3) => "el"
    (substring "hello" 2) => "llo"
    (substring "hello" 2 9) => !IndexOutOfBounds
    """
    length = len(string(s, "substring"))
    first = integer(start, "substring")
    last = length if end is None else integer(end, "substring")
    if not 0 <= last <= length:
        raise IndexOutOfBounds(last, length)
    if not 0 <= first <= last:
        raise IndexOutOfBounds(first, last)
    return s[first:last]


@builtin("string-contains", "string-contains?")
def string_contains(s: Value, part: Value) -> Value:
    """Whether a string contains another.

    (string-contains "hello" "ell") => true
    (string-contains "hello" "x") => false
    """
    return string(part, "string-contains") in string(s, "string-contains")


@builtin("starts-with?")
def starts_with(s: Value, prefix: Value) -> Value:
    """Whether a string starts with another. Nil starts with nothing.

    (starts-with? "hello" "he") => true
    (starts-with? nil "he") => false
    """
    return s is not None and string(s, "starts-with?").startswith(string(prefix, "starts-with?"))


@builtin("ends-with?")
def ends_with(s: Value, suffix: Value) -> Value:
    """Whether a string ends with another. Nil ends with nothing.

    (ends-with? "hello" "lo") => true
    (ends-with? nil "lo") => false
    """
    return s is not None and string(s, "ends-with?").endswith(string(suffix, "ends-with?"))


@builtin("split")
def split(s: Value, separator: Value) -> Value:
    """The pieces of a string between separators, empty ones too. An empty separator splits into characters.

    The separator is plain text, no pattern. Nil counts as the empty string.

    (split "a,b,,c" ",") => ["a" "b" "" "c"]
    (split "abc" "") => ["a" "b" "c"]
    (split nil ",") => [""]
    """
    text = "" if s is None else string(s, "split")
    by = string(separator, "split")
    pieces = text.count(by) + 1 if by else len(text)
    reserve(text_bytes(text) + pieces * _PIECE_BYTES)
    return Vector(text.split(by) if by else list(text))


@builtin("join", "string-join")
def join(separator: Value, coll: Value) -> Value:
    """The items of a collection as `str` shows them, with the separator between them.

    (join ", " [1 :a "b"]) => "1, :a, b"
    (join "-" []) => ""
    """
    between = string(separator, "join")
    return between.join(texts(items(coll, "join"), between))


@builtin("string-upper", "upper")
def upper(s: Value) -> Value:
    """The string in upper case.

    (upper "abc") => "ABC"
    """
    return string(s, "string-upper").upper()


@builtin("string-lower", "lower")
def lower(s: Value) -> Value:
    """The string in lower case.

    (lower "ABC") => "abc"
    """
    return string(s, "string-lower").lower()


@builtin("string-trim", "trim")
def trim(s: Value) -> Value:
    """The string without white space at its ends.

    (trim "  a b ") => "a b"
    """
    return string(s, "string-trim").strip()


@builtin("string-replace")
def string_replace(s: Value, old: Value, new: Value) -> Value:
    """The string with each occurrence of `old` replaced by `new`. Both are plain text.

    (string-replace "a-b-c" "-" "+") => "a+b+c"
    """
    text = string(s, "string-replace")
    from_, to = string(old, "string-replace"), string(new, "string-replace")
    found = text.count(from_)
    reserve(text_bytes(text) + found * (text_bytes(to) - len(from_)))
    return text.replace(from_, to)
