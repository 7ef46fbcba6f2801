"""Types in plain English, for whoever has to write a value as JSON: people, and models in prompts.

[:map [:mood [:enum :glad :cross]] [:marks [:vector [:and int [:in-range 1 6]]] ?]]

an object with the keys `mood`: one of ":glad", ":cross"; `marks` (may be left out): a list of whole numbers
from 1 to 6
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rtfs.types import model as types
from rtfs.types.kinds import union_members
from rtfs.types.limits import NO_LIMITS, Limits, flattened, limits_of, with_keys
from rtfs.types.literals import json_literal
from rtfs.types.model import Predicate, Type
from rtfs.types.shapes import array_item
from rtfs.types.text import type_text
from rtfs.types.walk import reached_aliases

#: collections within each other that words still describe; the rest is told as RTFS has it
_MAX_DEPTH: Final = 6

_SCALARS: Final[Mapping[str, str]] = {
    "nil": "null",
    "int": "a whole number",
    "float": "a number",
    "number": "a number",
    "string": "a text",
    "bool": "true or false",
    "keyword": 'a keyword, which is a string such as ":name"',
    "symbol": "a name, as a string",
    "any": "any JSON value",
    "never": "nothing",
    "vector": "a list",
    "list": "a list",
    "set": "a list of different values",
    "map": "an object",
    "fn": "a function",
    "error": "an error",
    "timestamp": 'a time such as "2025-01-31T10:20:30Z"',
    "uuid": "a UUID",
}


def type_words(t: Type, aliases: Mapping[str, Type] | None = None) -> str:
    """`t` in words, without a stop; what the names in it stand for comes on lines of its own."""
    known = aliases or {}
    writer = _Writer(known)
    lines = [writer.words(t)]
    for name, definition in reached_aliases(t, known).items():
        if definition is not None:
            lines.append(f"`{name}` is {writer.words(definition)}")
    return "\n".join(lines)


class _Writer:
    def __init__(self, aliases: Mapping[str, Type]) -> None:
        self._aliases = aliases
        self._depth = 0

    def words(self, t: Type, predicates: tuple[Predicate, ...] = ()) -> str:
        if self._depth >= _MAX_DEPTH:
            return f"`{type_text(t)}`"
        self._depth += 1
        try:
            return _WORDS[type(t)](self, t, predicates)
        finally:
            self._depth -= 1

    def primitive(self, t: types.Primitive, predicates: tuple[Predicate, ...]) -> str:
        limits = limits_of(predicates)
        unit = {"string": "characters", "map": "keys"}.get(t.name, "items")
        return _SCALARS[t.name] + _limited(limits, unit)

    def alias(self, t: types.Alias, predicates: tuple[Predicate, ...]) -> str:
        return f"a `{t.name}`{_limited(limits_of(predicates), 'items')}"

    def union(self, t: types.UnionType | types.OptionalType, predicates: tuple[Predicate, ...]) -> str:
        return ", or ".join(dict.fromkeys(self.words(each, predicates) for each in union_members(t)))

    def enum(self, t: types.EnumType, predicates: tuple[Predicate, ...]) -> str:
        texts = [text for text in map(json_literal, t.values) if text is not None]
        return f"exactly {texts[0]}" if len(texts) == 1 else f"one of {', '.join(texts)}"

    def and_(self, t: types.AndType, predicates: tuple[Predicate, ...]) -> str:
        found, more = flattened(t, self._aliases)
        first = self.words(found[0], (*predicates, *more))
        return "; at the same time ".join([first, *map(self.words, found[1:])])

    def row(self, t: types.VectorType | types.ListType, predicates: tuple[Predicate, ...]) -> str:
        return self._list(t.item, limits_of(predicates))

    def set_(self, t: types.SetType, predicates: tuple[Predicate, ...]) -> str:
        return self._list(t.item, limits_of(predicates), " of which no two are the same")

    def array(self, t: types.ArrayType, predicates: tuple[Predicate, ...]) -> str:
        size = t.dims[0] if t.dims else None
        limits = limits_of(predicates)
        return self._list(array_item(t), limits if size is None else limits.of_size(size))

    def _list(self, item: Type, limits: Limits, how: str = "") -> str:
        return f"a list{_limited(limits, 'items')}{how}, each {self.words(item)}"

    def tuple_(self, t: types.TupleType, predicates: tuple[Predicate, ...]) -> str:
        items = "; ".join(f"{at}. {self.words(item)}" for at, item in enumerate(t.items, 1))
        return f"a list of exactly {len(t.items)}: {items}"

    def map_(self, t: types.MapType, predicates: tuple[Predicate, ...]) -> str:
        limits = limits_of(predicates)
        t = with_keys(t, limits.keys)
        parts = [
            f"`{each.key}`{' (may be left out)' if each.optional else ''}: {self.words(each.type)}"
            for each in t.entries
        ]
        if t.rest is not None:
            parts.append(f"any others: {self.words(t.rest)}")
        if not parts:
            return "an object without keys"
        return f"an object with the key{'s' if len(parts) > 1 else ''} {'; '.join(parts)}"

    def map_of(self, t: types.MapOfType, predicates: tuple[Predicate, ...]) -> str:
        size = _limited(limits_of(predicates), "keys")
        return f"an object{size} whose keys are each {self._key(t.key)}, and each value {self.words(t.value)}"

    def _key(self, t: Type) -> str:
        if t == types.Primitive("keyword"):
            return "a name without colon"
        if isinstance(t, types.EnumType):
            return f"one of {', '.join(f'"{getattr(each, "name", each)}"' for each in t.values)}"
        return self.words(t)


def _limited(limits: Limits, unit: str) -> str:
    """What the limits add to a noun."""
    if limits == NO_LIMITS:
        return ""
    parts = [_range(limits), _size(limits, unit)]
    parts += [f"matching the regular expression `{pattern}`" for pattern in limits.patterns]
    parts += [f"equal to {json_literal(value)}" for value in limits.equal]
    parts += [f"other than {json_literal(value)}" for value in limits.unequal]
    parts += [f"with `{each.name}` true of it" for each in limits.custom]
    return "".join(f" {part}" for part in parts if part)


def _range(limits: Limits) -> str:
    low, high = limits.low, limits.high
    if low is not None and high is not None and not limits.low_open and not limits.high_open:
        return f"from {low} to {high}"
    least = "" if low is None else f"{'above' if limits.low_open else 'at least'} {low}"
    most = "" if high is None else f"{'below' if limits.high_open else 'at most'} {high}"
    return " and ".join(part for part in (least, most) if part)


def _size(limits: Limits, unit: str) -> str:
    least, most = limits.least, limits.most
    if most is None:
        return f"of at least {least} {unit}" if least else ""
    if least == most:
        return f"of exactly {least} {unit}"
    return f"of {least} to {most} {unit}" if least else f"of at most {most} {unit}"


_WORDS: Final[Mapping[type, Callable[..., str]]] = {
    types.Primitive: _Writer.primitive,
    types.Alias: _Writer.alias,
    types.OptionalType: _Writer.union,
    types.UnionType: _Writer.union,
    types.EnumType: _Writer.enum,
    types.AndType: _Writer.and_,
    types.VectorType: _Writer.row,
    types.ListType: _Writer.row,
    types.SetType: _Writer.set_,
    types.ArrayType: _Writer.array,
    types.TupleType: _Writer.tuple_,
    types.MapType: _Writer.map_,
    types.MapOfType: _Writer.map_of,
    types.FunctionType: lambda writer, t, predicates: "a function",
    types.ResourceType: lambda writer, t, predicates: f"a handle on a `{t.name}`",
}
