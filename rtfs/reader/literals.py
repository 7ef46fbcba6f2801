"""Atoms: from the text of one token to its value.

A token is read whole (language.md §1), so each text has one meaning or none; there is no prefix matching.
Every pattern here is matched in time linear in the text.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from rtfs.errors import ReadError
from rtfs.values import INT_MAX, INT_MIN, Keyword, Symbol, Timestamp, Uuid, Value

type AtomKind = Literal["number", "constant", "literal", "keyword", "symbol"]

#: escape letter → character, the only ones there are
ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}

_BODY = r"[\w$+\-*/=<>!?%.@]"
_START = r"(?:[^\W\d]|[$+\-*/=<>!?%])"
_VERSION = r":[\w$+\-*=<>!?%.@]+/[\w$+\-*/=<>!?%.@]+"
_SYMBOL = re.compile(rf"\.?{_START}{_BODY}*+(?:{_VERSION})?#?")
_KEYWORD = re.compile(rf":{_START}{_BODY}*+(?::{_BODY}++)*+#?")
_ODD_CHARACTER = re.compile(r"[^\w$+\-*/=<>!?%.@]")
_NUMBER_START = re.compile(r"[+-]?[0-9]")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?")
_TIMESTAMP = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[._][0-9]{3})?Z")
_DATE_START = re.compile(r"[0-9]{4}-[0-9]{2}-")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_UUID_LENGTH = 36

_CONSTANTS: Final = {"nil": None, "true": True, "false": False}
_SPECIAL_FLOATS: Final = {
    "##Inf": float("inf"),
    "##-Inf": float("-inf"),
    "##NaN": float("nan"),
}
#: symbols outside the general shape: `& rest`, `#(f %&)`, and the head that `@name` stands for
_ODD_SYMBOLS: Final = frozenset(("&", "%&", "resource:ref"))


class Atom(NamedTuple):
    """One token's meaning; `kind` is for highlighting."""

    kind: AtomKind
    value: Value


def shown(text: str) -> str:
    """A token as it appears in a message: in backticks, shortened, control characters named."""
    short = text if len(text) <= 40 else text[:37] + "…"
    return "`" + "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in short) + "`"


def read_atom(text: str) -> Atom:
    """The atom that `text`, one whole token, denotes.

    Raises:
        ReadError: none; its span is not filled in.
    """
    if text[0] == ":":
        return Atom("keyword", _keyword(text))
    if text in _CONSTANTS:
        return Atom("constant", _CONSTANTS[text])
    if len(text) == _UUID_LENGTH and _UUID.fullmatch(text):
        return Atom("literal", Uuid(text))
    if _NUMBER_START.match(text):
        return _number_or_time(text)
    if text[:2] == "##":
        return Atom("constant", _special_float(text))
    return Atom("symbol", _symbol(text))


def _keyword(text: str) -> Keyword:
    if _KEYWORD.fullmatch(text) and (text[1].isascii() or text[1].isalpha()):
        return Keyword.of(text[1:])
    raise ReadError(
        "InvalidLiteral", f"malformed keyword {shown(text)}", ("a keyword such as :name or :a.b/name",)
    )


def is_symbol(text: str) -> bool:
    """Whether `text` is read as a symbol."""
    if text in _ODD_SYMBOLS:
        return True
    if not _SYMBOL.fullmatch(text) or text in _CONSTANTS or _NUMBER_START.match(text):
        return False
    if len(text) == _UUID_LENGTH and _UUID.fullmatch(text):
        return False
    first = text[1] if text[0] == "." else text[0]
    return first.isascii() or first.isalpha()


def is_keyword(name: str) -> bool:
    """Whether `:name` is read as a keyword."""
    return bool(name and _KEYWORD.fullmatch(":" + name)) and (name[0].isascii() or name[0].isalpha())


def _symbol(text: str) -> Symbol:
    if is_symbol(text):
        return Symbol.of(text)
    raise _bad_symbol(text)


def _number_or_time(text: str) -> Atom:
    if _INTEGER.fullmatch(text):
        return Atom("number", _integer(text))
    if _FLOAT.fullmatch(text):
        return Atom("number", float(text))
    found = _TIMESTAMP.fullmatch(text)
    if found and _is_moment(*map(int, found.groups())):
        return Atom("literal", Timestamp(text))
    if _DATE_START.match(text):
        raise ReadError(
            "InvalidLiteral",
            f"malformed timestamp {shown(text)}",
            ("a timestamp such as 2025-01-31T10:20:30Z",),
        )
    raise _bad_number(text)


def _integer(text: str) -> int:
    # Nineteen digits hold 2**63; int() of a long text would be slow, and refuses more than 4300 digits.
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) <= 19:
        value = int(digits or "0")
        if text[0] == "-":
            value = -value
        if INT_MIN <= value <= INT_MAX:
            return value
    raise ReadError(
        "InvalidLiteral", f"integer {shown(text)} does not fit into 64 bits", (f"{INT_MIN} to {INT_MAX}",)
    )


def _special_float(text: str) -> float:
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    raise ReadError("InvalidLiteral", f"unknown number {shown(text)}", tuple(_SPECIAL_FLOATS))


def _is_moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> bool:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    # 60: a leap second
    return 1 <= month <= 12 and 1 <= day <= lengths[month - 1] and hour < 24 and minute < 60 and second <= 60


#: what a malformed number looks like → what to write
_NUMBER_HINTS: Final = (
    (re.compile(r"[+-]?[0-9]+/[0-9]+"), "there are no ratios; write the division `(/ a b)`"),
    (re.compile(r"[+-]?0[xXbBoO][0-9a-fA-F]+"), "there are only decimal integers"),
    (re.compile(r"[+-]?[0-9]+\."), "a float has digits on both sides of the point; write `1.0`"),
    (re.compile(r"[+-]?[0-9]+[eE][+-]?[0-9]+"), "an exponent follows a float; write `1.0e3`"),
    (re.compile(r"[+-]?[0-9.]+[NM]"), "numbers have no suffix"),
    (re.compile(r"[+-]?[0-9]+(?:_[0-9]+)+"), "digits are not grouped"),
)


def _bad_number(text: str) -> ReadError:
    error = ReadError(
        "InvalidLiteral", f"malformed number {shown(text)}", ("an integer", "a float such as 1.5")
    )
    error.hint = next((hint for shape, hint in _NUMBER_HINTS if shape.fullmatch(text)), None)
    return error


def _bad_symbol(text: str) -> ReadError:
    if text[0] == "\\":
        error = ReadError("UnsupportedRule", f"unsupported character literal {shown(text)}", ("a string",))
        error.hint = 'there are no characters; write a string such as "a"'
        return error
    if text[0] == "." and text[1:2].isdigit():
        return _bad_number(text)
    error = ReadError("InvalidInput", f"malformed symbol {shown(text)}", ("a symbol",))
    found = _ODD_CHARACTER.search(text)
    odd = found[0] if found else None
    if text[0] == "&" and is_symbol(text[1:]):
        error.hint = f"write `& {text[1:]}`"
    elif odd == ":":
        before, _, after = text.partition(":")
        error.hint = f"write `{before} : {after}`" if is_symbol(before) and is_symbol(after) else None
    elif odd is not None:
        error.hint = f"{shown(odd)} (U+{ord(odd):04X}) cannot stand in a symbol"
    return error
