"""Tests of flat types as nested closures. See `rtfs.types.check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from rtfs import run
from rtfs.types import model as types
from rtfs.types.model import Type
from rtfs.types.predicates import Test, predicate_test
from rtfs.types.shapes import PRIMITIVE_KINDS, Fault, array_item, demands, entry_key, in_enum
from rtfs.values import List, Map, Set, Value, Vector, is_function

if TYPE_CHECKING:
    from rtfs.types.check import Compiled

#: items checked between two safepoints
_CHUNK: Final = 4096


def _kinds_test(kinds: frozenset[type] | None) -> Test:
    if kinds is None:
        return lambda v: True
    if len(kinds) == 1:
        (kind,) = kinds
        return lambda v: type(v) is kind
    return lambda v: type(v) in kinds


def _primitive(compiled: Compiled, t: types.Primitive) -> Test:
    return _kinds_test(PRIMITIVE_KINDS[t.name])


def _alias(compiled: Compiled, t: types.Alias) -> Test:
    known = compiled.alias_tests.get(t.name)
    if known is None:
        definition = compiled.definition(t.name)
        known = (lambda v: False) if definition is None else compiled.closure(definition)
        compiled.alias_tests[t.name] = known
    return known


def _optional(compiled: Compiled, t: types.OptionalType) -> Test:
    test = compiled.closure(t.item)
    return lambda v: v is None or test(v)


def _all_items(compiled: Compiled, item: Type) -> Callable[[list[Value]], bool]:
    """The test of many values at once. Primitives are decided by the set of their Python types."""
    if isinstance(item, types.Primitive):
        kinds = PRIMITIVE_KINDS[item.name]
        return lambda values: kinds is None or kinds.issuperset(map(type, values))
    test = compiled.closure(item)

    def test_all(values: list[Value]) -> bool:
        for start in range(0, len(values), _CHUNK):
            run.poll()
            for value in values[start : start + _CHUNK]:
                if not test(value):
                    return False
        return True

    return test_all


def _sequence(kind: Any) -> Callable[[Compiled, types.VectorType | types.ListType | types.SetType], Test]:
    def make(compiled: Compiled, t: types.VectorType | types.ListType | types.SetType) -> Test:
        test_all = _all_items(compiled, t.item)
        return lambda v: type(v) is kind and test_all(v.to_list())

    return make


def _tuple(compiled: Compiled, t: types.TupleType) -> Test:
    tests = [compiled.closure(item) for item in t.items]
    size = len(tests)

    def test(value: Value) -> bool:
        if type(value) is not Vector or len(value) != size:
            return False
        for test_item, item in zip(tests, value, strict=True):  # noqa: SIM110 - see `_until`
            if not test_item(item):
                return False
        return True

    return test


def _map(compiled: Compiled, t: types.MapType) -> Test:
    fields = [(entry.key, entry.optional, compiled.closure(entry.type)) for entry in t.entries]
    rest = None if t.rest is None else _all_items(compiled, t.rest)

    def test(value: Value) -> bool:
        if type(value) is not Map:
            return False
        taken = set()
        for name, may_be_absent, test_field in fields:
            key = entry_key(value, name)
            if key in value:
                taken.add(key)
                if not test_field(value[key]):
                    return False
            elif not may_be_absent:
                return False
        return rest is None or rest([item for key, item in value.items() if key not in taken])

    return test


def _map_of(compiled: Compiled, t: types.MapOfType) -> Test:
    test_keys, test_values = _all_items(compiled, t.key), _all_items(compiled, t.value)
    return lambda v: type(v) is Map and test_keys(v.keys()) and test_values(v.values())


def _array(compiled: Compiled, t: types.ArrayType) -> Test:
    size = t.dims[0] if t.dims else None
    test_all = _all_items(compiled, array_item(t))
    return lambda v: type(v) is Vector and (size is None or len(v) == size) and test_all(v.to_list())


def _function(compiled: Compiled, t: types.FunctionType) -> Test:
    return is_function


def _resource(compiled: Compiled, t: types.ResourceType) -> Test:
    return lambda v: not isinstance(demands(t, v), Fault)


def _enum(compiled: Compiled, t: types.EnumType) -> Test:
    return lambda v: in_enum(t, v)


def _union(compiled: Compiled, t: types.UnionType) -> Test:
    if all(isinstance(item, types.Primitive) for item in t.items):
        kinds = [PRIMITIVE_KINDS[item.name] for item in t.items if isinstance(item, types.Primitive)]
        known = [kind for kind in kinds if kind is not None]
        return _kinds_test(frozenset().union(*known) if len(known) == len(kinds) else None)
    return _until(True, [compiled.closure(item) for item in t.items])


def _and(compiled: Compiled, t: types.AndType) -> Test:
    return _until(False, [compiled.closure(item) for item in t.items])


def _until(answer: bool, tests: list[Test]) -> Test:
    """`answer` as soon as one of `tests` gives it. A plain loop: predicates may call programs from here."""

    def test(value: Value) -> bool:
        if run.STOP_REQUESTS:  # aliases can share members, so that a small type takes exponential time
            run.poll()
        for each in tests:
            if each(value) is answer:
                return answer
        return not answer

    return test


def _predicate(compiled: Compiled, t: types.Predicate) -> Test:
    env = compiled.env
    return (lambda v: True) if env.level == "basic" else predicate_test(t, env.function)


#: type of a type → what makes its test
CLOSURES: Final[Mapping[type, Callable[..., Test]]] = {
    types.Primitive: _primitive,
    types.Alias: _alias,
    types.OptionalType: _optional,
    types.VectorType: _sequence(Vector),
    types.ListType: _sequence(List),
    types.SetType: _sequence(Set),
    types.TupleType: _tuple,
    types.MapType: _map,
    types.MapOfType: _map_of,
    types.ArrayType: _array,
    types.FunctionType: _function,
    types.ResourceType: _resource,
    types.EnumType: _enum,
    types.UnionType: _union,
    types.AndType: _and,
    types.Predicate: _predicate,
}
