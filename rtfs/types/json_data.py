"""JSON text as plain data, strictly and within bounds, for `rtfs.types.from_json`."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from rtfs.values import INT_MAX, INT_MIN

#: of one text, as UTF-8
MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 100
#: digits of a number that is taken as an integer
_MAX_DIGITS: Final = 20
_STRUCTURE: Final = re.compile(r'[\[{\]}]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)


class NotOfType(Exception):
    """A text that is no JSON, or JSON that is no value of the type. The text says where, and what was expected.

    What a reply says stands nowhere in it, only what kinds of things it has.
    """


def json_data(text: str) -> Any:
    """The data of one JSON text, blanks around it included. Integers beyond 64 bits are floats.

    Raises:
        NotOfType: it is no JSON, has a key twice, or is too large.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise NotOfType(f"more than {MAX_BYTES} bytes")
    if _depth(text) > MAX_DEPTH:
        raise NotOfType(f"nested more than {MAX_DEPTH} deep")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        raise NotOfType(f"no JSON: {what} at line {error.lineno} column {error.colno}") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _STRUCTURE.finditer(text):
        mark = found[0]
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotOfType("a key of an object that comes twice")
    return found


def _integer(digits: str) -> int | float:
    if len(digits) <= _MAX_DIGITS:
        number = int(digits)
        if INT_MIN <= number <= INT_MAX:
            return number
    return _float(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise NotOfType("a number that no float can hold")
    return number


def _no_constant(name: str) -> NoReturn:
    raise NotOfType(f"no JSON: `{name}` is no number of JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_no_constant
)
