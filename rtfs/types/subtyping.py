"""Types compared without values: subtype and join (language.md §5). See also `rtfs.types.overlap`.

`is_subtype(a, b)`: every member of a is a member of b. The rules, beside reflexivity and never ≤ T ≤ any:

    int ≤ float, int ≤ number, float ≤ number      nil ≤ T?, T ≤ T?
    a ≤ a union if it is ≤ a member; a union ≤ b if each member is
    [:and T p…] ≤ T; a ≤ [:and …] if it is ≤ each member, and a literal also passes the predicates
    [:enum …] ≤ what holds each literal
    vector, list, set, tuple, array, map-of are covariant; tuple and array ≤ vector
    a record ≤ a record with fewer or optional keys; ≤ map-of if it is closed
    functions: parameters contravariant, result covariant
    every collection type ≤ its bare kind

It says no where it cannot tell, as for predicates that imply each other. Recursive aliases are compared by
coinduction: a question that comes up while it is being answered is taken for yes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from rtfs import errors, run
from rtfs.types import model as types
from rtfs.types.check import TypeEnv, matches
from rtfs.types.kinds import ANY, INT, NEVER, NIL, head, is_any, kinds, union_members
from rtfs.types.model import Type
from rtfs.types.shapes import PRIMITIVE_KINDS, array_item
from rtfs.values import Value, Vector

#: most members of a union that `join` makes
JOIN_LIMIT: Final = 5

#: nesting of comparisons
_DEPTH: Final = 100_000

type Member = Type | types.Predicate


def is_subtype(a: Type, b: Type, aliases: Mapping[str, Type] | None = None) -> bool:
    """Whether every value of `a` certainly belongs to `b`."""
    if a is b or is_any(b):
        return True
    try:
        return _Comparison(aliases or {}).subtype(a, b)
    except RecursionError:
        return _deep_subtype(a, b, aliases or {})


def _deep_subtype(a: Type, b: Type, aliases: Mapping[str, Type]) -> bool:
    """The same with room for types that lead far through many aliases. Without end it cannot tell: no."""
    try:
        with run.deep_recursion(_DEPTH):
            return _Comparison(aliases).subtype(a, b)
    except RecursionError:
        return False


def same_type(a: Type, b: Type, aliases: Mapping[str, Type] | None = None) -> bool:
    """Whether `a` and `b` certainly have the same members."""
    return is_subtype(a, b, aliases) and is_subtype(b, a, aliases)


def join(a: Type, b: Type, aliases: Mapping[str, Type] | None = None) -> Type:
    """A type that holds both: the larger if they compare, `number`, a union of up to five, else any."""
    members: list[Type] = []
    for member in (*union_members(a), *union_members(b)):
        if any(is_subtype(member, known, aliases) for known in members):
            continue
        members = [known for known in members if not is_subtype(known, member, aliases)]
        members.append(member)
    if len(members) == 1:
        return members[0]
    rest = [member for member in members if not (isinstance(member, types.Primitive) and member.name == "nil")]
    if not rest:
        return members[0] if members else NEVER
    if len(rest) > JOIN_LIMIT or any(is_any(member) for member in rest):
        return ANY
    joined = rest[0] if len(rest) == 1 else types.UnionType(tuple(rest))
    return joined if len(rest) == len(members) else types.OptionalType(joined)


# ---------------------------------------------------------------- subtyping


class _Comparison:
    """One question and what has been found on the way to its answer."""

    def __init__(self, aliases: Mapping[str, Type]) -> None:
        self._aliases = aliases
        self._env = TypeEnv(aliases=aliases)
        #: pairs assumed or shown to hold, in order; a failure takes back what was shown since it was assumed
        self._assumed: dict[tuple[int, int], tuple[Type, Type]] = {}
        #: pairs that fail whatever is assumed. Types are kept to keep their ids their own
        self._failed: dict[tuple[int, int], tuple[Type, Type]] = {}

    def subtype(self, a: Type, b: Type) -> bool:
        """Whether a ≤ b."""
        if a is b or is_any(b):
            return True
        pair = (id(a), id(b))
        if pair in self._assumed:
            return True
        if pair in self._failed:
            return False
        run.poll()
        mark = len(self._assumed)
        self._assumed[pair] = (a, b)
        if self._decide(a, b):
            return True
        while len(self._assumed) > mark:
            self._assumed.popitem()
        self._failed[pair] = (a, b)
        return False

    def all(self, pairs: Iterable[tuple[Type, Type]]) -> bool:
        """Whether each pair holds. A plain loop: recursion must not go through C."""
        for a, b in pairs:  # noqa: SIM110
            if not self.subtype(a, b):
                return False
        return True

    def any(self, pairs: Iterable[tuple[Type, Type]]) -> bool:
        """Whether some pair holds."""
        for a, b in pairs:  # noqa: SIM110
            if self.subtype(a, b):
                return True
        return False

    def _decide(self, a: Type, b: Type) -> bool:
        if isinstance(a, types.Alias) or isinstance(b, types.Alias):
            if isinstance(a, types.Alias) and isinstance(b, types.Alias) and a.name == b.name:
                return True
            head_a, head_b = head(a, self._aliases), head(b, self._aliases)
            return head_a is not None and head_b is not None and self.subtype(head_a, head_b)
        left = self._left(a, b)
        if left is not None:
            return left
        right = self._right(a, b)
        if right is not None:
            return right
        rule = _COVARIANT.get((type(a), type(b)))
        return rule is not None and rule(self, a, b)

    def _left(self, a: Type, b: Type) -> bool | None:
        """Rules that take `a` apart."""
        match a:
            case types.UnionType(items):
                return self.all((item, b) for item in items)
            case types.OptionalType(item):
                return self.subtype(NIL, b) and self.subtype(item, b)
            case types.EnumType(values):
                return all(self._literal(value, b) for value in values)
            case types.Primitive("never"):
                return True
            case _:
                return None

    def _literal(self, value: Value, b: Type) -> bool:
        """Whether the literal belongs to `b`. Custom predicates are not called."""
        if calls_programs(b, self._aliases):
            return False
        try:
            return matches(value, b, self._env)
        except errors.TypeValidationError:  # a type that is defined only by itself
            return False

    def _right(self, a: Type, b: Type) -> bool | None:
        """Rules that take `b` apart, and those for primitives."""
        match b:
            case types.UnionType(items):
                return self.any((a, item) for item in items) or self._any_member(a, b)
            case types.OptionalType(item):
                return self.subtype(a, NIL) or self.subtype(a, item) or self._any_member(a, b)
            case types.AndType(items):
                return self._into_and(a, items)
        if isinstance(a, types.AndType):
            return self._any_member(a, b)
        if isinstance(b, types.Primitive):
            wanted, given = PRIMITIVE_KINDS[b.name], kinds(a, self._aliases)
            return given is not None and wanted is not None and given <= wanted
        return None

    def _any_member(self, a: Type, b: Type) -> bool:
        """Whether `[:and …]` on the left has a member that is ≤ b."""
        if not isinstance(a, types.AndType):
            return False
        return self.any((item, b) for item in a.items if not isinstance(item, types.Predicate))

    def _into_and(self, a: Type, items: tuple[Member, ...]) -> bool:
        given = list(_predicates(a))
        for item in items:
            if isinstance(item, types.Predicate):
                if not any(_same_predicate(item, other) for other in given):
                    return False
            elif not self.subtype(a, item):
                return False
        return True


def _predicates(t: Type) -> Iterator[types.Predicate]:
    """What `[:and …]`, and any `[:and …]` in it, demands of a value."""
    todo: list[Member] = [t]
    while todo:
        item = todo.pop()
        if isinstance(item, types.Predicate):
            yield item
        elif isinstance(item, types.AndType):
            todo.extend(item.items)


def _same_predicate(a: types.Predicate, b: types.Predicate) -> bool:
    if a.name != b.name:
        return False
    from rtfs.values import equal

    return equal(Vector(list(a.args)), Vector(list(b.args)))


def calls_programs(t: Type, aliases: Mapping[str, Type]) -> bool:
    """Whether deciding membership in `t` could call a program or meet an unknown name."""
    from rtfs.types.parser import PREDICATES
    from rtfs.types.walk import components

    todo: list[Member] = [t]
    seen: set[str] = set()
    while todo:
        part = todo.pop()
        if isinstance(part, types.Predicate):
            if part.name not in PREDICATES:
                return True
        elif isinstance(part, types.Alias):
            if part.name not in seen:
                seen.add(part.name)
                if head(part, aliases) is None:
                    return True
                todo.append(aliases[part.name])
        else:
            todo.extend(components(part))
    return False


def _items(c: _Comparison, a: types.VectorType, b: types.VectorType) -> bool:
    return c.subtype(a.item, b.item)


def _tuple_vector(c: _Comparison, a: types.TupleType, b: types.VectorType) -> bool:
    return c.all((item, b.item) for item in a.items)


def _tuples(c: _Comparison, a: types.TupleType, b: types.TupleType) -> bool:
    return len(a.items) == len(b.items) and c.all(zip(a.items, b.items, strict=True))


def _tuple_array(c: _Comparison, a: types.TupleType, b: types.ArrayType) -> bool:
    wanted, item = (b.dims[0] if b.dims else None), array_item(b)
    return wanted in (None, len(a.items)) and c.all((each, item) for each in a.items)


def _array_vector(c: _Comparison, a: types.ArrayType, b: types.VectorType) -> bool:
    return c.subtype(array_item(a), b.item)


def _vector_array(c: _Comparison, a: types.VectorType, b: types.ArrayType) -> bool:
    return (not b.dims or b.dims[0] is None) and c.subtype(a.item, array_item(b))


def _arrays(c: _Comparison, a: types.ArrayType, b: types.ArrayType) -> bool:
    given, wanted = (a.dims[0] if a.dims else None), (b.dims[0] if b.dims else None)
    return wanted in (None, given) and c.subtype(array_item(a), array_item(b))


def _records(c: _Comparison, a: types.MapType, b: types.MapType) -> bool:
    given = {entry.key: entry for entry in a.entries}
    for wanted in b.entries:
        entry = given.pop(wanted.key, None)
        if entry is None:
            if not wanted.optional or not c.subtype(_rest(a), wanted.type):
                return False
        elif (entry.optional and not wanted.optional) or not c.subtype(entry.type, wanted.type):
            return False
    rest = _rest(b)
    return c.subtype(_rest(a), rest) and c.all((entry.type, rest) for entry in given.values())


def _rest(t: types.MapType) -> Type:
    return ANY if t.rest is None else t.rest


def _record_map_of(c: _Comparison, a: types.MapType, b: types.MapOfType) -> bool:
    # An entry may stand under a keyword or a string, and a rest under any key.
    keys: tuple[Type, ...] = (types.Primitive("keyword"), types.Primitive("string"))
    if a.rest is None or not c.subtype(a.rest, NEVER):
        keys = (*keys, INT)
    return (
        c.all((key, b.key) for key in keys)
        and c.subtype(_rest(a), b.value)
        and c.all((entry.type, b.value) for entry in a.entries)
    )


def _map_of_record(c: _Comparison, a: types.MapOfType, b: types.MapType) -> bool:
    if not all(entry.optional for entry in b.entries):
        return False
    return c.all((a.value, entry.type) for entry in b.entries) and c.subtype(a.value, _rest(b))


def _maps_of(c: _Comparison, a: types.MapOfType, b: types.MapOfType) -> bool:
    return c.subtype(a.key, b.key) and c.subtype(a.value, b.value)


def _functions(c: _Comparison, a: types.FunctionType, b: types.FunctionType) -> bool:
    """`a` takes every argument list that `b` promises to take."""
    if len(b.params) < len(a.params) or (b.rest is not None and a.rest is None):
        return False
    if len(b.params) > len(a.params) and a.rest is None:
        return False
    for i, param in enumerate(b.params):
        taken = a.params[i] if i < len(a.params) else a.rest
        if taken is None or not c.subtype(param, taken):
            return False
    rests = b.rest is None or (a.rest is not None and c.subtype(b.rest, a.rest))
    return rests and c.subtype(a.returns, b.returns)


def _resources(c: _Comparison, a: types.ResourceType, b: types.ResourceType) -> bool:
    return a.name == b.name


_COVARIANT: Final[Mapping[tuple[type, type], Callable[..., bool]]] = {
    (types.VectorType, types.VectorType): _items,
    (types.ListType, types.ListType): _items,
    (types.SetType, types.SetType): _items,
    (types.TupleType, types.VectorType): _tuple_vector,
    (types.TupleType, types.TupleType): _tuples,
    (types.TupleType, types.ArrayType): _tuple_array,
    (types.ArrayType, types.VectorType): _array_vector,
    (types.VectorType, types.ArrayType): _vector_array,
    (types.ArrayType, types.ArrayType): _arrays,
    (types.MapType, types.MapType): _records,
    (types.MapType, types.MapOfType): _record_map_of,
    (types.MapOfType, types.MapType): _map_of_record,
    (types.MapOfType, types.MapOfType): _maps_of,
    (types.FunctionType, types.FunctionType): _functions,
    (types.ResourceType, types.ResourceType): _resources,
}
