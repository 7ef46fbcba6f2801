"""Values of random types, as JSON and back: schema, grammar, writer and reader agree with each other."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rtfs import errors
from rtfs.types import model as types
from rtfs.types.answerable import unsupported
from rtfs.types.check import TypeEnv, matches
from rtfs.types.from_json import from_json
from rtfs.types.grammar import grammar
from rtfs.types.json_data import NotOfType, json_data
from rtfs.types.json_schema import json_schema
from rtfs.types.literals import library_predicate
from rtfs.types.model import Type
from rtfs.types.parser import parse_type_text, type_text
from rtfs.types.to_json import to_json
from rtfs.values import Keyword, List, Map, Set, Symbol, Timestamp, Uuid, Vector, equal

pytest.importorskip("numpy")

from grammar_texts import GrammarTexts

ALIASES = {
    "Tree": parse_type_text("[:union int [:vector Tree]]"),
    "Chain": parse_type_text("[:map [:value string] [:next Chain?]]"),
    "Share": parse_type_text("[:and float [:in-range 0 1]]"),
    "Mood": parse_type_text("[:enum :glad :cross]"),
}
ENV = TypeEnv(aliases=ALIASES, function=library_predicate)

# ---------------------------------------------------------------- types and values of them

names = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
integers = st.integers(-(2**63), 2**63 - 1)
#: of which everything that is said is said without an exponent
decimals = st.decimals(0, 1, places=6, allow_nan=False).map(float)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "int": integers,
    "float": st.floats(allow_nan=False, allow_infinity=False) | integers,
    "number": st.floats(allow_nan=False, allow_infinity=False) | integers,
    "string": texts,
    "bool": st.booleans(),
    "nil": st.none(),
    "keyword": names.map(Keyword.of),
    "symbol": names.map(Symbol.of),
    "timestamp": st.datetimes(datetime(1000, 1, 1)).map(lambda at: Timestamp(f"{at:%Y-%m-28T%H:%M:%SZ}")),
    "uuid": st.uuids().map(lambda found: Uuid(str(found))),
}
#: no booleans, since hypothesis takes `(0,)` and `(False,)` for the same
literals = st.one_of(names.map(Keyword.of), texts, st.integers(-9, 9))
leaves = st.one_of(
    st.sampled_from([types.Primitive(name) for name in SCALARS]),
    st.sampled_from([types.Alias(name) for name in ALIASES]),
    st.lists(literals, min_size=1, max_size=4).map(lambda found: types.EnumType(tuple(found))),
    st.sampled_from(
        [
            parse_type_text(text)
            for text in (
                "[:and int [:in-range -3 40]]",
                "[:and string [:min-length 1] [:max-length 3]]",
                '[:and string [:matches-regex "^[a-c]+$"]]',
                "[:and float [:in-range 0 1]]",
            )
        ]
    ),
)


def _compound(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    some = st.lists(inner, min_size=1, max_size=3).map(tuple)
    entries = st.dictionaries(st.sampled_from("abcd"), st.tuples(inner, st.booleans()), max_size=4).map(
        lambda found: tuple(types.MapEntry(key, t, absent) for key, (t, absent) in found.items())
    )
    keys = st.sampled_from([types.Primitive("string"), types.Primitive("keyword"), types.Primitive("int")])
    return st.one_of(
        inner.filter(lambda t: not isinstance(t, types.OptionalType)).map(types.OptionalType),
        inner.map(types.VectorType),
        inner.map(types.ListType),
        some.map(types.TupleType),
        st.lists(inner, min_size=2, max_size=3).map(lambda found: types.UnionType(tuple(found))),
        st.builds(types.MapType, entries),
        st.builds(types.MapOfType, keys, inner),
        st.builds(types.ArrayType, inner, st.sampled_from([(), (1,), (None, 2)])),
        st.sampled_from(["int", "string", "keyword"]).map(lambda name: types.SetType(types.Primitive(name))),
    )


all_types = st.recursive(leaves, _compound, max_leaves=5)


def values_of(t: Type, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of `t`, as JSON would bring them."""
    most = 3 if depth < 4 else 0
    match t:
        case types.Primitive(name):
            return SCALARS[name]
        case types.Alias("Tree"):
            return st.integers(0, 9) if depth > 3 else st.integers(0, 9) | _many(t, depth + 1, most).map(Vector)
        case types.Alias("Chain"):
            ends = st.builds(lambda value: Map({Keyword.of("value"): value, Keyword.of("next"): None}), texts)
            longer = st.builds(
                lambda value, next_: Map({Keyword.of("value"): value, Keyword.of("next"): next_}),
                texts,
                st.deferred(lambda: values_of(t, depth + 1)),
            )
            return ends if depth > 3 else ends | longer
        case types.Alias(name):
            return values_of(ALIASES[name], depth)
        case types.OptionalType(item):
            return st.none() | values_of(item, depth)
        case types.VectorType(item):
            return _many(item, depth + 1, most).map(Vector)
        case types.ListType(item):
            return _many(item, depth + 1, most).map(List)
        case types.SetType(item):
            return _many(item, depth + 1, most).map(Set)
        case types.TupleType(items):
            return st.tuples(*(values_of(item, depth + 1) for item in items)).map(
                lambda found: Vector([*found])
            )
        case types.ArrayType(item, dims):
            size = dims[0] if dims else None
            inner = types.ArrayType(item, dims[1:]) if len(dims) > 1 else item
            return _many(inner, depth + 1, most if size is None else size, size or 0).map(Vector)
        case types.MapType(entries):
            return _maps(entries, depth + 1)
        case types.MapOfType(key, value):
            return st.dictionaries(values_of(key), values_of(value, depth + 1), max_size=most).map(Map)
        case types.UnionType(items):
            return st.one_of([values_of(item, depth) for item in items])
        case types.EnumType(found):
            return st.sampled_from(
                [*found]
            )  # no tuple, since `(0,)` and `(False,)` are the same key of a cache
        case types.AndType(items):
            return _refined(type_text(t))
    raise AssertionError(t)


def _many(item: Type, depth: int, most: int, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.deferred(lambda: values_of(item, depth)), min_size=least, max_size=most)


def _maps(entries: tuple[types.MapEntry, ...], depth: int) -> st.SearchStrategy[Map]:
    always = {Keyword.of(e.key): values_of(e.type, depth) for e in entries if not e.optional}
    maybe = {Keyword.of(e.key): values_of(e.type, depth) for e in entries if e.optional}
    return st.fixed_dictionaries(always, optional=maybe).map(lambda found: Map(dict(found)))


def _refined(text: str) -> st.SearchStrategy[Any]:
    if "in-range -3" in text:
        return st.integers(-3, 40)
    if "in-range 0 1" in text:
        return decimals | st.sampled_from([0, 1])
    return st.text("abc", min_size=1, max_size=3)


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Type, Any]:
    t = draw(all_types)
    return t, draw(values_of(t))


# ---------------------------------------------------------------- what holds of them


def _text(value: Any, t: Type) -> str:
    """The JSON text of a value; those that JSON cannot tell from others are not looked at."""
    try:
        return to_json(value, t, ENV)
    except errors.InvalidArgument as error:
        assume("cannot tell" not in str(error) and "one text" not in str(error))
        raise


@given(typed_values())
@settings(max_examples=1000, deadline=None)
def test_a_value_is_written_and_read_as_itself(case: tuple[Type, Any]) -> None:
    t, value = case
    assert matches(value, t, ENV)
    text = _text(value, t)
    assert equal(from_json(text, t, ENV), value)


@given(typed_values())
@settings(max_examples=500, deadline=None)
def test_schema_and_grammar_accept_what_is_written(case: tuple[Type, Any]) -> None:
    t, value = case
    text = _text(value, t)
    Draft202012Validator(json_schema(t, ALIASES)).validate(json.loads(text))
    made = grammar(t, ALIASES)
    assert unsupported(t, ALIASES) is None
    assert GrammarTexts(made.text).accepts(text), (text, made.text)


@given(typed_values(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_changed_text_is_refused_or_still_of_the_type(case: tuple[Type, Any], data: st.DataObject) -> None:
    t, value = case
    text = _text(value, t)
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    put = data.draw(st.sampled_from([*'"]},0:\\ -', "", "null", "1.5", "{}", "[1]", "e9"]))
    changed = text[:at] + put + text[at + cut :]
    made = grammar(t, ALIASES)
    accepted = GrammarTexts(made.text).accepts(changed)
    try:
        found = from_json(changed, t, ENV)
    except NotOfType:
        assert not accepted or made.partly, changed
    else:
        assert matches(found, t, ENV)


plain = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3)
json_texts = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
).map(json.dumps)


@given(st.text(max_size=40) | json_texts, all_types)
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_a_value_of_the_type_or_refused(text: str, t: Type) -> None:
    try:
        value = from_json(text, t, ENV)
    except NotOfType:
        pass
    else:
        assert matches(value, t, ENV)


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_data_is_what_json_says(text: str) -> None:
    try:
        wanted = json.loads(text)
    except ValueError:
        with pytest.raises(NotOfType):
            json_data(text)
        return
    if not isinstance(wanted, float | dict | list):
        is_long = type(wanted) is int and not -(2**63) <= wanted < 2**63
        assert json_data(text) == (float(wanted) if is_long else wanted)
