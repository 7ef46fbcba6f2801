"""Types as grammars in GBNF, the notation of llama.cpp: what a model may write for a value (language.md §5).

    [:map [:mood [:enum :glad :cross]] [:marks [:vector [:and int [:in-range 1 6]]] ?]]

    root ::= "{" r1 ("," r4)? "}"
    r1 ::= "\\"mood\\":" ("\\":glad\\"" | "\\":cross\\"")
    r2 ::= [1-6]
    r3 ::= "," r2
    r4 ::= "\\"marks\\":" "[" (r2 r3*)? "]"

The texts are those of `rtfs.types.json_schema`, written without blanks, the keys of a map in the order in which
it declares them. Every text of a grammar is JSON. Whether its value belongs to the type is up to the grammar as
far as one can say it; `partly` lists what it leaves to whoever reads the text (`rtfs.types.from_json`):

- bounds of integers and decimals are in the digits, sizes up to `MAX_COUNT` in repetitions, simple patterns in
  classes of characters; two patterns, or a pattern and a length, are not;
- that no key comes twice, where the type does not name the keys, and that members of a set differ;
- predicates of the program's own, and all types of `[:and …]` but the first.

Not every text of a value is in the grammar: strings may not escape halves of surrogate pairs, keys have their
order, keywords are of ASCII, and numbers at the edges have few forms.
Source: `grammars/README.md` and `src/llama-grammar.cpp` of llama.cpp, RFC 8259.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Final

from rtfs.types import model as types
from rtfs.types.grammar_rules import Predicates, Rules, literal
from rtfs.types.kinds import union_members
from rtfs.types.limits import Limits, flattened, with_keys
from rtfs.types.literals import json_literal, kept_literals
from rtfs.types.model import Type
from rtfs.types.parser import resolve_aliases
from rtfs.types.pattern_grammar import repetition
from rtfs.types.scalar_grammar import name, number, string, tagged, whole_number
from rtfs.types.shapes import array_item
from rtfs.types.text import type_text
from rtfs.values import Keyword, Timestamp, Uuid


class NoGrammar(Exception):
    """A type that no JSON text belongs to, or one with a part that JSON has no form for."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar, and what it does not say of its type."""

    #: GBNF; the rule `root` is one whole text
    text: str
    #: what may be wrong with a value in a text of it; empty: nothing
    partly: tuple[str, ...]


def grammar(t: Type, aliases: Mapping[str, Type] | None = None) -> Grammar:
    """The grammar of JSON texts of `t`.

    Raises:
        NoGrammar: there are none; `rtfs.types.answerable` says why.
        InvalidProgram: an alias is unknown or defined only by itself.
    """
    known = aliases or {}
    builder = _Builder(known, _inhabited(t, known), is_probe=False)
    root = builder.expression(t)
    if root is None:
        raise NoGrammar
    builder.finish()
    lines = [f"root ::= {root}", *(f"{name} ::= {body}" for name, body in builder.rules.items())]
    return Grammar("\n".join(lines) + "\n", tuple(builder.partly))


def has_texts(t: Type, aliases: Mapping[str, Type]) -> bool:
    """Whether any JSON text belongs to `t`. All aliases that it reaches are known, none is circular."""
    return _Builder(aliases, _inhabited(t, aliases), is_probe=True).expression(t) is not None


def _inhabited(t: Type, aliases: Mapping[str, Type]) -> frozenset[_AliasKey]:
    """The aliases, under predicates, that have values. One that needs a value of itself for that has none."""
    found: set[_AliasKey] = set()
    probe = _Builder(aliases, found, is_probe=True)
    known = -1
    while known != len(found) + len(probe.asked):
        known = len(found) + len(probe.asked)
        probe.expression(t)
        for key, constrained in list(probe.asked.items()):
            if key not in found and probe.expression(*constrained) is not None:
                found.add(key)
    return frozenset(found)


#: an alias's name, and the texts of the predicates of which its values must hold
type _AliasKey = tuple[str, ...]
type _Constrained = tuple[Type, Predicates]


class _Builder(Rules):
    """Makes the rules of one grammar.

    Args:
        inhabited: the aliases that have values.
        is_probe: only find out whether there is a text; what is asked about aliases is noted in `asked`.
    """

    def __init__(self, aliases: Mapping[str, Type], inhabited: Set[_AliasKey], *, is_probe: bool) -> None:
        super().__init__()
        self.aliases = aliases
        #: aliases that were asked about and have no values as far as is known
        self.asked: dict[_AliasKey, _Constrained] = {}
        self._inhabited = inhabited
        self._is_probe = is_probe
        self._alias_rules: dict[_AliasKey, str] = {}
        self._unfinished: list[tuple[str, _Constrained]] = []

    def finish(self) -> None:
        """Write the rules of aliases that others name."""
        while self._unfinished:
            name, constrained = self._unfinished.pop(0)
            self.rules[name] = self.expression(*constrained) or ""

    def expression(self, t: Type, predicates: Predicates = ()) -> str | None:
        """What stands for a value of `t` of which the predicates hold."""
        return _EXPRESSIONS[type(t)](self, t, predicates)

    # ------------------------------------------------------------ types

    def alias(self, t: types.Alias, predicates: Predicates) -> str | None:
        key = (t.name, *map(type_text, predicates))
        if key not in self._inhabited:
            self.asked[key] = resolve_aliases(t, self.aliases), predicates
            return None
        if self._is_probe:
            return t.name
        name = self._alias_rules.get(key)
        if name is None:
            name = self._alias_rules[key] = f"t{len(self._alias_rules) + 1}"
            self.rules[name] = ""
            self._unfinished.append((name, (resolve_aliases(t, self.aliases), predicates)))
        return name

    def primitive(self, t: types.Primitive, predicates: Predicates) -> str | None:
        if t.name in _FINITE:
            return self.literals(types.EnumType(_FINITE[t.name]), predicates)
        if t.name in _SEQUENCES:
            return self.items(ANY, self.limits(predicates), is_set=t.name == "set")
        made = _PRIMITIVES.get(t.name)
        return None if made is None else made(self, predicates)

    def union(self, t: types.UnionType | types.OptionalType, predicates: Predicates) -> str | None:
        return self.any_of([self.expression(each, predicates) for each in union_members(t)])

    def and_(self, t: types.AndType, predicates: Predicates) -> str | None:
        found, more = flattened(t, self.aliases)
        if len(found) > 1:
            self.leave("all but the first type of `[:and …]`")
        return self.expression(found[0], (*predicates, *more))

    # ------------------------------------------------------------ collections

    def items(self, item: Type, limits: Limits, *, is_set: bool = False) -> str | None:
        """An array of `item`."""
        if not limits.allows("items"):
            return None
        if is_set and limits.least > 1:
            self.leave("how many members of a set differ")
        if is_set and limits.most is None:
            limits = limits.at_most(self._most_members(item))
        return self.row("[", self.expression(item), "]", limits)

    def _most_members(self, item: Type) -> int | None:
        """How many members a set of `item` can have; None: no bound is known."""
        meant = resolve_aliases(item, self.aliases)
        return len(meant.values) if isinstance(meant, types.EnumType) else None

    def row(self, opening: str, item: str | None, closing: str, limits: Limits) -> str | None:
        """`item` as often as the limits say, with commas between."""
        if limits.no_size or (item is None and limits.least):
            return None
        if item is None or limits.most == 0:
            return literal(opening + closing)
        least, most = self.counts(limits)
        first = self.rule(item)
        more = ""
        if most != 1:
            further = None if most is None else most - 1
            more = f" {self.rule(f'"," {first}')}{repetition(max(0, least - 1), further)}"
        inside = f"{first}{more}"
        return f"{literal(opening)} {inside if least else f'({inside})?'} {literal(closing)}"

    def vector(self, t: types.VectorType | types.ListType, predicates: Predicates) -> str | None:
        return self.items(t.item, self.limits(predicates))

    def set_(self, t: types.SetType, predicates: Predicates) -> str | None:
        return self.items(t.item, self.limits(predicates), is_set=True)

    def array(self, t: types.ArrayType, predicates: Predicates) -> str | None:
        limits = self.limits(predicates)
        size = t.dims[0] if t.dims else None
        return self.items(array_item(t), limits if size is None else limits.of_size(size))

    def tuple_(self, t: types.TupleType, predicates: Predicates) -> str | None:
        limits = self.limits(predicates)
        if not limits.allows("items") or limits.of_size(len(t.items)).no_size:
            return None
        parts = [self.expression(item) for item in t.items]
        found = [part for part in parts if part is not None]
        return f'"[" {' "," '.join(found)} "]"' if len(found) == len(parts) else None

    # ------------------------------------------------------------ maps

    def map_(self, t: types.MapType, predicates: Predicates) -> str | None:
        limits = self.limits(predicates)
        if not limits.allows("map"):
            return None
        t = with_keys(t, limits.keys)
        pairs: list[tuple[str, bool]] = []
        for entry in t.entries:
            value = self.expression(entry.type)
            if value is not None:
                key = literal(f"{json_literal(entry.key)}:")
                pairs.append((self.rule(f"{key} {value}"), entry.optional))
            elif not entry.optional:
                return None
        needed = sum(not is_optional for _, is_optional in pairs)
        if limits.no_size or (limits.most is not None and limits.most < needed):
            return None
        if limits.least > needed or (
            limits.most is not None and (t.rest is not None or limits.most < len(pairs))
        ):
            self.leave("how many keys there are")
        other = None if t.rest is None else self.expression(t.rest)
        if other is not None:
            self.leave("that no key comes twice")
            other = self.rule(f'{self.fixed("string")} ":" {other}')
        return f'"{{" {self._pairs(pairs, other)} "}}"'

    def _pairs(self, pairs: list[tuple[str, bool]], other: str | None) -> str:
        """The pairs in their order, some of which may be absent, then others.

        From the last to the first it is made what may follow where a pair stands before, `more`, and where none
        does, `first`. A rule is made where that is used twice.
        """
        more = first = ""
        if other is not None:
            further = self.rule(f'"," {other}')
            more, first = f"{further}*", f"({other} {further}*)?"
        required = [at for at, (_, is_optional) in enumerate(pairs) if not is_optional]
        #: from the pair after it on, something stands before
        certain = required[0] if required else len(pairs)
        for at in range(len(pairs) - 1, -1, -1):
            pair, is_optional = pairs[at]
            if is_optional and more:
                more = self.rule(more)
            after = f" {more}" if more else ""
            if at < certain:
                without = f" {self.rule(first)}" if first else ""
                first = f"({pair}{after} |{without})" if without else f"({pair}{after})?"
            else:
                first = f"{pair}{after}"
            more = f'("," {pair})?{after}' if is_optional else f'"," {pair}{after}'
        return first or '""'

    def map_of(self, t: types.MapOfType, predicates: Predicates) -> str | None:
        limits = self.limits(predicates)
        if not limits.allows("map"):
            return None
        if limits.keys:
            self.leave("the keys that there must be")
        key, value = self.key(t.key), self.expression(t.value)
        pair = None if key is None or value is None else f'{key} ":" {value}'
        if pair is not None and limits.most != 1:
            self.leave("that no key comes twice")
        return self.row("{", pair, "}", limits)

    def key(self, t: Type, predicates: Predicates = ()) -> str | None:
        """The name under which a key of such a type stands."""
        match t:
            case types.Alias():
                return self.key(resolve_aliases(t, self.aliases), predicates)
            case types.UnionType() | types.OptionalType():
                return self.any_of([self.key(each, predicates) for each in union_members(t)])
            case types.AndType():
                found, more = flattened(t, self.aliases)
                return self.key(found[0], (*predicates, *more))
            case types.EnumType(values):
                kept = kept_literals(values, predicates)
                names = [
                    v.name if isinstance(v, Keyword) else v for v in kept if type(v) in (Keyword, str, int)
                ]
                return self.any_of([literal(json_literal(str(name)) or "") for name in names])
            case types.Primitive("int"):
                number = whole_number(self, predicates)
                return None if number is None else f'"\\"" {number} "\\""'
            case types.Primitive("keyword"):
                return name(self, predicates, "")
            case types.Primitive("string" | "any"):
                return string(self, predicates)
            case _:
                return None


def _any(builder: _Builder, predicates: Predicates) -> str | None:
    if not predicates:
        builder.leave("that no key comes twice")
        return builder.fixed("value")
    return builder.any_of([builder.expression(each, predicates) for each in _ANYTHING])


def _open_map(builder: _Builder, predicates: Predicates) -> str | None:
    return builder.map_of(types.MapOfType(ANY, ANY), predicates)


ANY: Final = types.Primitive("any")
_SEQUENCES: Final = frozenset(("vector", "list", "set"))
_FINITE: Final = {"nil": (None,), "bool": (True, False)}
#: what JSON can say when nothing is said of the type
_ANYTHING: Final = tuple(types.Primitive(name) for name in ("nil", "bool", "number", "string", "vector", "map"))
_PRIMITIVES: Final[Mapping[str, Callable[[_Builder, Predicates], str | None]]] = {
    "int": whole_number,
    "float": number,
    "number": number,
    "string": string,
    "keyword": lambda builder, predicates: name(builder, predicates, ":"),
    "symbol": lambda builder, predicates: name(builder, predicates, ""),
    "timestamp": tagged(Timestamp, "timestamp"),
    "uuid": tagged(Uuid, "uuid"),
    "any": _any,
    "map": _open_map,
}
_EXPRESSIONS: Final[Mapping[type, Callable[..., str | None]]] = {
    types.Primitive: _Builder.primitive,
    types.Alias: _Builder.alias,
    types.OptionalType: _Builder.union,
    types.VectorType: _Builder.vector,
    types.ListType: _Builder.vector,
    types.SetType: _Builder.set_,
    types.TupleType: _Builder.tuple_,
    types.MapType: _Builder.map_,
    types.MapOfType: _Builder.map_of,
    types.EnumType: _Builder.literals,
    types.UnionType: _Builder.union,
    types.AndType: _Builder.and_,
    types.ArrayType: _Builder.array,
    types.FunctionType: lambda builder, t, predicates: None,
    types.ResourceType: lambda builder, t, predicates: None,
}
