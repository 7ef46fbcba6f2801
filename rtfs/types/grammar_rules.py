"""The rules of a grammar in GBNF while it is made, and those that many types need (`rtfs.types.grammar`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rtfs.types import model as types
from rtfs.types.limits import NO_LIMITS, Limits, limits_of
from rtfs.types.literals import json_literal, kept_literals
from rtfs.types.model import Predicate
from rtfs.types.number_grammar import alternatives, any_float, whole
from rtfs.types.pattern_grammar import MAX_REPEAT
from rtfs.values import INT_MAX, INT_MIN

#: sizes above it are not counted; llama.cpp refuses more than 2000
MAX_COUNT: Final = MAX_REPEAT

#: predicates that hold of a value beside its type
type Predicates = tuple[Predicate, ...]

_NAME_START: Final = "[A-Za-z_$+*/=<>!?%-]"
_NAME_BODY: Final = "[A-Za-z0-9_$+*/=<>!?%.@-]"
_HEX: Final = "[0-9a-fA-F]"

#: rules that others need → what they are
_FIXED: Final[Mapping[str, str]] = {
    "hex": _HEX,
    "char": r'[^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" ([0-9a-cA-CefEF] hex{3} | [dD] [0-7] hex{2}))',
    "string": r'"\"" char* "\""',
    "name": f"{_NAME_START} {_NAME_BODY}*",
    "int": whole(INT_MIN, INT_MAX) or "",
    "float": any_float("int"),
    "value": 'object | array | string | float | "true" | "false" | "null"',
    "pair": 'string ":" value',
    "object": '"{" (pair ("," pair)*)? "}"',
    "array": '"[" (value ("," value)*)? "]"',
    "uuid": r'"\"" hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12} "\""',
    "day": '("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])'
    ' | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30") | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])',
    "clock": '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})?',
    "timestamp": r'"\"" [1-9] [0-9]{3} "-" day "T" clock "Z\""',
}
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "char": ("hex",),
    "string": ("char",),
    "float": ("int",),
    "value": ("object", "array", "string", "float"),
    "pair": ("string", "value"),
    "object": ("pair",),
    "array": ("value",),
    "uuid": ("hex",),
    "timestamp": ("day", "clock"),
}


def literal(text: str) -> str:
    """A text that has to stand there, in GBNF."""
    safe = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " else f"\\x{ord(c):02x}" for c in safe) + '"'


class Rules:
    """The rules of one grammar. An expression of None: no text belongs to the type."""

    def __init__(self) -> None:
        self.rules: dict[str, str] = {}
        #: what the grammar does not say of its type
        self.partly: dict[str, None] = {}
        #: bodies of rules that were made for parts → their names
        self._names: dict[str, str] = {}

    def fixed(self, name: str) -> str:
        """The rule `name` and those that it needs."""
        if name not in self.rules:
            self.rules[name] = _FIXED[name]
            for other in _NEEDS.get(name, ()):
                self.fixed(other)
        return name

    def rule(self, body: str) -> str:
        """A rule for `body`; the same for the same. Names stay as they are."""
        if body in self.rules or body.isalnum():
            return body
        name = self._names.get(body)
        if name is None:
            name = self._names[body] = f"r{len(self._names) + 1}"
            self.rules[name] = body
        return name

    def leave(self, what: str) -> None:
        """Note what the grammar does not say."""
        self.partly[what] = None

    def counts(self, limits: Limits) -> tuple[int, int | None]:
        """The least and the most of something that can be counted."""
        least, most = limits.least, limits.most
        if least > MAX_COUNT or (most is not None and most > MAX_COUNT):
            self.leave(f"sizes above {MAX_COUNT}")
        return min(least, MAX_COUNT), None if most is None or most > MAX_COUNT else most

    def limits(self, predicates: Predicates) -> Limits:
        """What the predicates ask, noting those that no grammar can say."""
        if not predicates:
            return NO_LIMITS
        found = limits_of(predicates)
        for predicate in found.custom:
            self.leave(f"the predicate `{predicate.name}`")
        return found

    def any_of(self, options: Sequence[str | None]) -> str | None:
        """One expression for any of several, each once."""
        found = list(dict.fromkeys(each for each in options if each is not None))
        return alternatives(found) if found else None

    def literals(self, t: types.EnumType, predicates: Predicates) -> str | None:
        """One of some literals."""
        texts = [json_literal(value) for value in kept_literals(t.values, predicates)]
        return self.any_of([None if text is None else literal(text) for text in texts])
