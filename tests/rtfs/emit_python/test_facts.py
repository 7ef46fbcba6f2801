"""Facts are sound: what they say holds of every value they may stand for."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from rtfs.emit_python import facts as f
from rtfs.emit_python.facts import ANY, NOTHING, Fact
from rtfs.errors import RtfsError
from rtfs.program import new_run
from rtfs.run import running
from rtfs.stdlib.table import BUILTINS
from rtfs.types import model as types
from rtfs.types.check import TypeEnv, matches
from rtfs.values import INT_MAX, INT_MIN, Keyword, List, Map, Set, Symbol, Value, Vector

_EDGES = st.sampled_from([INT_MIN, INT_MIN + 1, -2, -1, 0, 1, 2, 10, INT_MAX - 1, INT_MAX])
INTS = st.one_of(_EDGES, st.integers(INT_MIN, INT_MAX))
VALUES: st.SearchStrategy[Value] = st.one_of(
    INTS,
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(
        [Keyword.of("k"), Vector([1]), List([1]), Map({"a": 1}), Set([1]), Symbol.of("s"), print]  # type: ignore[list-item]
    ),
)


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    low, high = sorted((draw(INTS), draw(INTS)))
    return Fact(draw(st.integers(1, f.ALL)), low, high)


def holds(fact: Fact, value: Value) -> bool:
    """Whether `fact` allows `value`."""
    kind = f.of_value(value).kinds
    if not fact.kinds & kind:
        return False
    return type(value) is not int or fact.low <= value <= fact.high


# ---------------------------------------------------------------- the lattice


@given(VALUES)
def test_a_value_has_its_own_fact(value: Value) -> None:
    assert holds(f.of_value(value), value)
    assert holds(ANY, value)
    assert not holds(NOTHING, value)


@given(facts(), facts(), VALUES)
def test_join_holds_of_both(a: Fact, b: Fact, value: Value) -> None:
    if holds(a, value) or holds(b, value):
        assert holds(a.join(b), value)
    assert a.within(a.join(b))
    assert b.within(a.join(b))


@given(facts(), facts())
def test_join_does_not_depend_on_the_order(a: Fact, b: Fact) -> None:
    assert a.join(b).within(b.join(a))
    assert b.join(a).within(a.join(b))
    assert a.join(NOTHING).within(a)
    assert a.join(a).within(a)


@given(facts(), facts(), VALUES)
def test_within_means_that_the_other_allows_as_much(a: Fact, b: Fact, value: Value) -> None:
    if a.within(b) and holds(a, value):
        assert holds(b, value)


@given(facts(), facts(), VALUES)
def test_restrict_keeps_what_passes(a: Fact, test: Fact, value: Value) -> None:
    restricted = a.restrict(test.kinds, test.low, test.high)
    assert holds(restricted, value) == (holds(a, value) and holds(test, value))


@given(st.lists(facts(), min_size=20, max_size=20))
def test_widening_holds_of_both_and_ends(steps: list[Fact]) -> None:
    current, changes = NOTHING, 0
    for step in steps:
        wider = current.widened(step)
        assert current.within(wider)
        assert step.within(wider)
        changes += wider != current
        current = wider
    # each of the 11 kinds may come once, each bound may give way once, and both are set at first
    assert changes <= 14


@given(facts(), VALUES)
def test_only(fact: Fact, value: Value) -> None:
    if holds(fact, value):
        assert fact.only(fact.kinds)
        assert not fact.only(f.ALL & ~f.of_value(value).kinds)


# ---------------------------------------------------------------- arithmetic

NUMBERS = st.one_of(INTS, st.floats())


@pytest.mark.parametrize(
    ("result", "operation"),
    [(f.sum_of, operator.add), (f.difference_of, operator.sub), (f.product_of, operator.mul)],
)
@given(facts(), facts(), NUMBERS, NUMBERS)
def test_arithmetic_is_sound(result, operation, a: Fact, b: Fact, x: Value, y: Value) -> None:  # type: ignore[no-untyped-def]
    a, b = a.restrict(f.NUMBER), b.restrict(f.NUMBER)
    if holds(a, x) and holds(b, y):
        raw, value = result(a, b), operation(x, y)
        assert holds(raw, value)
        if type(value) is not int or INT_MIN <= value <= INT_MAX:
            assert holds(f.checked(raw), value)


# ---------------------------------------------------------------- types and builtins

_TYPES = [
    *[
        types.Primitive(name)
        for name in "int float string bool nil keyword symbol number any vector map".split()
    ],
    types.OptionalType(types.Primitive("float")),
    types.VectorType(types.Primitive("any")),
    types.UnionType((types.Primitive("int"), types.Primitive("string"))),
    types.MapOfType(types.Primitive("string"), types.Primitive("any")),
]


@pytest.mark.parametrize("declared", _TYPES, ids=str)
@given(VALUES)
def test_a_type_tells_what_passes_its_check(declared: types.Type, value: Value) -> None:
    if matches(value, declared, TypeEnv()):
        assert holds(f.of_type(declared), value)


def test_an_integer_passes_as_a_float() -> None:
    assert holds(f.of_type(types.Primitive("float")), 1)
    assert not holds(f.of_type(types.Primitive("int")), True)


_ARGUMENTS = [
    *["nil", "true", "0", "1", "-7", "2.5", "1000.0", "##NaN", "##Inf", '"a,b"', '"12"', ":k", "[]", "[3 1 2]"],
    *["'(1 2)", "#{1}", "{:a 1}", "inc", "int?", "vector", str(INT_MAX), str(INT_MIN), "1.0e300", '"9e99"'],
]


@pytest.mark.parametrize("name", [name for name in f.RESULTS if name in BUILTINS])
def test_builtins_return_what_the_table_says(name: str) -> None:
    entry = BUILTINS[name]
    counts = range(entry.least, min(3, entry.most if entry.most is not None else 3) + 1)
    returned = 0
    known = [rtfs.evaluate(text, backend="interpreter") for text in _ARGUMENTS]
    with running(new_run(None, None, rtfs.Limits(), None)):
        for arguments in [each for count in counts for each in _some(count, known)]:
            try:
                value = entry.function(*arguments)
            except RtfsError:
                continue
            returned += 1
            assert holds(f.RESULTS[name], value), (name, arguments, value)
    assert returned, name


def _some(count: int, known: list[Value]) -> list[list[Value]]:
    """Argument lists: all of one, all pairs, and some triples."""
    if count == 0:
        return [[]]
    if count == 1:
        return [[each] for each in known]
    pairs = [[a, b] for a in known for b in known]
    return pairs if count == 2 else [[*pair, Vector([4, 5])] for pair in pairs[::7]]


def test_the_table_names_builtins() -> None:
    assert [name for name in f.RESULTS if name not in BUILTINS] == []
