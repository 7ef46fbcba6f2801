"""What the static checker knows about builtins: kinds of their arguments and of their results.

Each entry reads `parameters -> result`; `& T` is for all further arguments, alternatives are joined by `|`, and
parameters left out are not checked (how many there may be is known from the library itself). A parameter type
holds everything that the function takes, a result type everything that it gives: what is said here is certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from rtfs.types import model as types
from rtfs.types.kinds import INT
from rtfs.types.model import Type
from rtfs.types.subtyping import is_subtype


@dataclass(frozen=True, slots=True)
class Signature:
    """The types of a builtin. `rest` is for the arguments beyond `params`; None: unchecked."""

    params: tuple[Type, ...]
    rest: Type | None
    result: Type
    #: the result is an integer if all arguments are
    keeps_int: bool = False

    def param(self, index: int) -> Type | None:
        """The type of an argument by its place; None: unchecked."""
        return self.params[index] if index < len(self.params) else self.rest

    def certain(self, index: int) -> bool:
        """Whether an argument of another type certainly fails. A function for the items of a collection does
        not if there are none."""
        return self.param(index) is not _type("callable")

    def result_of(self, args: Sequence[Type]) -> Type:
        """The type of a call's value."""
        return INT if self.keeps_int and all(is_subtype(arg, INT) for arg in args) else self.result


_SHORT: Final[Mapping[str, str]] = {
    "coll": "vector|list|set|map|string",
    "callable": "fn|keyword|map|set|vector",
    "ordered": "number|string",
}

_INTEGER_KEEPING: Final = frozenset(("+", "-", "*", "max", "min", "inc", "dec", "abs", "mod", "rem", "quot"))

_TABLE: Final[Mapping[str, str]] = {
    "+": "& number -> number",
    "-": "& number -> number",
    "*": "& number -> number",
    "/": "& number -> number",
    "max": "& number -> number",
    "min": "& number -> number",
    "inc": "number -> number",
    "dec": "number -> number",
    "abs": "number -> number",
    "mod": "number number -> number",
    "rem": "number number -> number",
    "quot": "number number -> number",
    "sqrt": "number -> float",
    "pow": "number number -> number",
    "factorial": "int -> int",
    "even?": "number -> bool",
    "odd?": "number -> bool",
    "zero?": "number -> bool",
    "pos?": "number -> bool",
    "neg?": "number -> bool",
    "floor": "number -> number",
    "ceil": "number -> number",
    "round": "number -> number",
    "=": "-> bool",
    "not=": "-> bool",
    "!=": "-> bool",
    "not": "-> bool",
    "<": "& ordered -> bool",
    ">": "& ordered -> bool",
    "<=": "& ordered -> bool",
    ">=": "& ordered -> bool",
    "compare": "-> int",
    "str": "-> string",
    "pr-str": "-> string",
    "string-length": "string -> int",
    "substring": "string int int? -> string",
    "string-contains": "string string -> bool",
    "string-contains?": "string string -> bool",
    "starts-with?": "string? any -> bool",
    "ends-with?": "string? any -> bool",
    "split": "string? string -> vector",
    "join": "string -> string",
    "string-join": "string -> string",
    "string-upper": "string -> string",
    "upper": "string -> string",
    "string-lower": "string -> string",
    "lower": "string -> string",
    "string-trim": "string -> string",
    "trim": "string -> string",
    "string-replace": "string string string -> string",
    "re-matches": "string string? -> bool",
    "re-find": "string string? -> string?",
    "re-seq": "string string? -> vector",
    "type-name": "-> string",
    "parse-int": "-> int?",
    "parse-float": "-> float?",
    "int": "-> int",
    "float": "-> float",
    "serialize-json": "-> string",
    "serialize-json-pretty": "-> string",
    "parse-json": "string -> any",
    "vector": "-> vector",
    "hash-map": "-> map",
    "vec": "-> vector",
    "list": "-> list",
    "count": "coll -> int",
    "length": "coll -> int",
    "empty?": "-> bool",
    "nth": "vector|list|set|string int -> any",
    "assoc": "map|vector|nil -> any",
    "dissoc": "map|nil -> any",
    "find": "map|nil -> vector?",
    "keys": "map|nil -> any",
    "vals": "map|nil -> any",
    "contains?": "-> bool",
    "cons": "-> vector",
    "concat": "-> vector",
    "subvec": "vector|list|set int int? -> any",
    "take": "number -> any",
    "drop": "number -> any",
    "range": "& number -> vector",
    "numbers": "number number -> vector",
    "map": "callable & coll|nil -> vector",
    "map-indexed": "callable coll|nil -> vector",
    "filter": "callable coll|nil -> vector",
    "remove": "callable coll|nil -> any",
    "reduce": "callable -> any",
    "apply": "callable -> any",
    "every?": "callable coll|nil -> bool",
    "some?": "callable coll|nil -> bool",
    "group-by": "callable coll|nil -> map",
    "throw": "-> never",
    "error": "-> never",
    "getMessage": "error -> string",
    "println": "-> nil",
    **{
        f"{kind}?": "-> bool"
        for kind in (
            *("int", "float", "number", "string", "bool", "boolean", "nil", "map", "vector", "list", "set"),
            *("keyword", "symbol", "fn", "coll", "error", "true", "false"),
        )
    },
}


@cache
def signature(name: str) -> Signature | None:
    """What is known about the builtin `name`."""
    line = _TABLE.get(name)
    if line is None:
        return None
    left, _, result = line.partition("->")
    fixed, _, rest = left.partition("&")
    return Signature(
        params=tuple(_type(word) for word in fixed.split()),
        rest=_type(rest.strip()) if rest else None,
        result=_type(result.strip()),
        keeps_int=name in _INTEGER_KEEPING,
    )


def names() -> frozenset[str]:
    """The builtins that have a signature."""
    return frozenset(_TABLE)


@cache
def _type(word: str) -> Type:
    if word.endswith("?"):
        return types.OptionalType(_type(word[:-1]))
    members = tuple(types.Primitive(name) for name in _expanded(word))
    return members[0] if len(members) == 1 else types.UnionType(members)


def _expanded(word: str) -> list[str]:
    found: list[str] = []
    for name in word.split("|"):
        found += _SHORT[name].split("|") if name in _SHORT else [name]
    return found
