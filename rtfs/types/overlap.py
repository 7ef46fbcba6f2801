"""Whether two types may have a member in common.

`overlaps` says yes where it cannot tell: predicates are taken to hold, collections of unknown length may be
empty, recursive aliases meet. A no is certain, which is what the static checker needs for an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from rtfs import errors, run
from rtfs.types import model as types
from rtfs.types.check import TypeEnv, matches
from rtfs.types.kinds import head, kinds, union_members
from rtfs.types.model import Type
from rtfs.types.shapes import array_item
from rtfs.types.subtyping import calls_programs
from rtfs.values import Value


def overlaps(a: Type, b: Type, aliases: Mapping[str, Type] | None = None) -> bool:
    """Whether some value may belong to both types. False is certain."""
    try:
        return _Overlap(aliases or {}).holds(a, b)
    except RecursionError:  # too deep to tell
        return True


def strangers(given: Type, wanted: Type, aliases: Mapping[str, Type] | None = None) -> tuple[list[Type], bool]:
    """The alternatives of `given` that certainly are no `wanted`, and whether those are all it has."""
    table = aliases or {}
    resolved = head(given, table)
    members = [] if resolved is None else list(union_members(resolved))
    found = [member for member in members if not overlaps(member, wanted, table)]
    return found, bool(found) and len(found) == len(members)


class _Overlap:
    def __init__(self, aliases: Mapping[str, Type]) -> None:
        self._aliases = aliases
        self._env = TypeEnv(aliases=aliases)
        #: answers; yes while a question is open. Types are kept to keep their ids their own
        self._known: dict[tuple[int, int], tuple[Type, Type, bool]] = {}

    def holds(self, a: Type, b: Type) -> bool:
        """Whether the types may meet."""
        pair = (id(a), id(b))
        known = self._known.get(pair)
        if known is not None:
            return known[2]
        run.poll()
        self._known[pair] = (a, b, True)
        answer = self._decide(a, b)
        self._known[pair] = (a, b, answer)
        return answer

    def all(self, pairs: Iterable[tuple[Type, Type]]) -> bool:
        """Whether each pair may meet. A plain loop: recursion must not go through C."""
        for a, b in pairs:  # noqa: SIM110
            if not self.holds(a, b):
                return False
        return True

    def _any(self, pairs: Iterable[tuple[Type, Type]]) -> bool:
        for a, b in pairs:  # noqa: SIM110
            if self.holds(a, b):
                return True
        return False

    def _decide(self, a: Type, b: Type) -> bool:
        resolved_a, resolved_b = head(a, self._aliases), head(b, self._aliases)
        if resolved_a is None or resolved_b is None:
            return True
        if isinstance(resolved_b, types.EnumType):  # literals are compared exactly, with predicates too
            resolved_a, resolved_b = resolved_b, resolved_a
        for one, other in ((resolved_a, resolved_b), (resolved_b, resolved_a)):
            taken_apart = self._apart(one, other)
            if taken_apart is not None:
                return taken_apart
        kinds_a, kinds_b = kinds(resolved_a, self._aliases), kinds(resolved_b, self._aliases)
        if kinds_a is not None and kinds_b is not None and not kinds_a & kinds_b:
            return False
        return self._structures(resolved_a, resolved_b)

    def _apart(self, a: Type, b: Type) -> bool | None:
        """The rules that take `a` apart."""
        match a:
            case types.UnionType() | types.OptionalType():
                return self._any((member, b) for member in union_members(a))
            case types.EnumType(values):
                return any(self._literal(value, b) for value in values)
            case types.AndType(items):
                return self.all((i, b) for i in items if not isinstance(i, types.Predicate))
            case types.Primitive("never"):
                return False
            case _:
                return None

    def _literal(self, value: Value, b: Type) -> bool:
        """Whether the literal may belong to `b`."""
        if calls_programs(b, self._aliases):
            known = kinds(b, self._aliases)
            return known is None or type(value) in known
        try:
            return matches(value, b, self._env)
        except errors.TypeValidationError:  # the type is at fault, which is reported elsewhere
            return True

    def _structures(self, a: Type, b: Type) -> bool:
        rule = _RULES.get((type(a), type(b)))
        if rule is not None:
            return rule(self, a, b)
        rule = _RULES.get((type(b), type(a)))
        return rule is None or rule(self, b, a)


def _tuples(o: _Overlap, a: types.TupleType, b: types.TupleType) -> bool:
    return len(a.items) == len(b.items) and o.all(zip(a.items, b.items, strict=True))


def _tuple_vector(o: _Overlap, a: types.TupleType, b: types.VectorType) -> bool:
    return o.all((item, b.item) for item in a.items)


def _tuple_array(o: _Overlap, a: types.TupleType, b: types.ArrayType) -> bool:
    size, item = (b.dims[0] if b.dims else None), array_item(b)
    return size in (None, len(a.items)) and o.all((each, item) for each in a.items)


def _arrays(o: _Overlap, a: types.ArrayType, b: types.ArrayType) -> bool:
    sizes = {t.dims[0] for t in (a, b) if t.dims} - {None}
    return len(sizes) < 2


def _records(o: _Overlap, a: types.MapType, b: types.MapType) -> bool:
    return _required(o, a, b) and _required(o, b, a)


def _required(o: _Overlap, a: types.MapType, b: types.MapType) -> bool:
    """Whether the entries that `a` must have may be in `b`."""
    there = {entry.key: entry.type for entry in b.entries}
    elsewhere = types.Primitive("any") if b.rest is None else b.rest
    return o.all((e.type, there.get(e.key, elsewhere)) for e in a.entries if not e.optional)


def _record_map_of(o: _Overlap, a: types.MapType, b: types.MapOfType) -> bool:
    keys = types.UnionType((types.Primitive("keyword"), types.Primitive("string")))
    required = [entry for entry in a.entries if not entry.optional]
    if required and not o.holds(keys, b.key):
        return False
    return o.all((entry.type, b.value) for entry in required)


_RULES: Final[Mapping[tuple[type, type], Callable[..., bool]]] = {
    (types.TupleType, types.TupleType): _tuples,
    (types.TupleType, types.VectorType): _tuple_vector,
    (types.TupleType, types.ArrayType): _tuple_array,
    (types.ArrayType, types.ArrayType): _arrays,
    (types.MapType, types.MapType): _records,
    (types.MapType, types.MapOfType): _record_map_of,
}
