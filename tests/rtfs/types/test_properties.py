"""What holds of all types and values: printing, checking and comparing agree with each other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfs import errors
from rtfs.types import model as types
from rtfs.types.check import TypeEnv, checker, matches
from rtfs.types.overlap import overlaps
from rtfs.types.parser import KINDS, SCALARS, parse_type_text, type_text
from rtfs.types.subtyping import is_subtype, join
from rtfs.values import Keyword, List, Map, Set, Vector

ALIASES = {
    "Tree": parse_type_text("[:union int [:vector Tree]]"),
    "Rec": parse_type_text("[:map [:next Rec?] [:a int ?]]"),
}
ENV = TypeEnv(aliases=ALIASES)

keywords = st.sampled_from([Keyword.of(name) for name in "abc"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([0.5, 1.0, -2.0]),
    st.sampled_from(["", "a", "bb"]),
    keywords,
)
keys = st.one_of(keywords, st.sampled_from(["a", "b", "next"]), st.integers(0, 3), st.just(Keyword.of("next")))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(Vector),
        st.lists(inner, max_size=3).map(List),
        st.lists(inner, max_size=3).map(Set),
        st.dictionaries(keys, inner, max_size=3).map(Map),
    ),
    max_leaves=8,
)
predicates = st.sampled_from(
    [
        types.Predicate(">", (1,)),
        types.Predicate("!=", (1,)),
        types.Predicate("non-empty", ()),
        types.Predicate("min-length", (1,)),
        types.Predicate("count", (2,)),
        types.Predicate("required-keys", (Vector.of(Keyword.of("a")),)),
    ]
)
leaves = st.one_of(
    st.sampled_from([types.Primitive(name) for name in (*SCALARS, *KINDS)]),
    st.sampled_from([types.Alias("Tree"), types.Alias("Rec")]),
    st.lists(scalars, min_size=1, max_size=3).map(lambda found: types.EnumType(tuple(found))),
    scalars.map(lambda value: types.EnumType((value,), "val")),
)


def _compound(inner):
    some = st.lists(inner, min_size=1, max_size=3).map(tuple)
    entries = st.dictionaries(st.sampled_from("abc"), st.tuples(inner, st.booleans()), max_size=3).map(
        lambda found: tuple(types.MapEntry(key, t, absent) for key, (t, absent) in found.items())
    )
    key_types = st.sampled_from([types.Primitive(name) for name in ("string", "keyword", "int", "any")])
    return st.one_of(
        inner.filter(lambda t: not isinstance(t, types.OptionalType)).map(types.OptionalType),
        inner.map(types.VectorType),
        inner.map(types.ListType),
        inner.map(types.SetType),
        some.map(types.TupleType),
        st.lists(inner, min_size=2, max_size=3).map(lambda found: types.UnionType(tuple(found))),
        st.builds(types.MapType, entries, st.none() | inner),
        st.builds(types.MapOfType, key_types, inner),
        st.builds(lambda t, p: types.AndType((t, p)), inner, predicates),
        st.builds(types.ArrayType, inner, st.sampled_from([(), (1,), (None, 2)])),
        st.builds(types.FunctionType, some, st.none() | inner, inner),
    )


all_types = st.recursive(leaves, _compound, max_leaves=6)


@given(all_types)
def test_text_of_a_type_reads_back(t):
    text = type_text(t)
    assert type_text(parse_type_text(text)) == text


@given(all_types, values)
@settings(max_examples=300)
def test_a_check_fails_exactly_where_matching_says_no_and_says_where(t, value):
    check = checker(t, ENV)
    if matches(value, t, ENV):
        check(value, "x")
    else:
        with pytest.raises(errors.TypeValidationError, match=" at x"):
            check(value, "x")


@given(all_types, values)
@settings(max_examples=300)
def test_closures_and_solver_agree(t, value):
    deep = types.VectorType(types.VectorType(types.VectorType(types.VectorType(t))))
    wrapped = Vector.of(Vector.of(Vector.of(Vector.of(value))))
    assert matches(wrapped, deep, ENV) is matches(value, t, ENV)


@given(all_types, all_types, values)
@settings(max_examples=500)
def test_subtype_join_and_overlap_are_true_of_values(a, b, value):
    in_a, in_b = matches(value, a, ENV), matches(value, b, ENV)
    if is_subtype(a, b, ALIASES):
        assert in_b or not in_a
    if in_a and in_b:
        assert overlaps(a, b, ALIASES)
    if in_a or in_b:
        assert matches(value, join(a, b, ALIASES), ENV)


@given(all_types)
def test_subtyping_is_reflexive_and_below_any(t):
    assert is_subtype(t, parse_type_text(type_text(t)), ALIASES)
    assert is_subtype(t, types.Primitive("any"), ALIASES)
    assert is_subtype(types.Primitive("never"), t, ALIASES)
