"""Types from text: what is read as what, what is refused and with which words."""

import pytest

from rtfs import errors
from rtfs.reader import read
from rtfs.types import model as types
from rtfs.types.model import Alias, EnumType, MapEntry, MapType, OptionalType, Primitive, UnionType, VectorType
from rtfs.types.parser import (
    MAX_DEPTH,
    looks_like_type,
    optional,
    parse_type,
    parse_type_text,
    resolve_aliases,
    type_text,
)
from rtfs.values import Keyword, Vector

INT, STRING, ANY = Primitive("int"), Primitive("string"), Primitive("any")


def form(text: str):
    (found,) = read(text).forms
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int", INT),
        (":int", INT),
        ("Int", INT),
        ("Integer", INT),
        ("integer", INT),
        ("Boolean", Primitive("bool")),
        ("nil", Primitive("nil")),
        ("number", Primitive("number")),
        (":vector", Primitive("vector")),
        ("Vector", Alias("Vector")),
        ("Point", Alias("Point")),
        ("geo/Point", Alias("geo/Point")),
        ("int?", OptionalType(INT)),
        (":string?", OptionalType(STRING)),
        ("Point?", OptionalType(Alias("Point"))),
        ("[:vector :int]?", OptionalType(VectorType(INT))),
        ("[:vector [:vector int]?]", VectorType(OptionalType(VectorType(INT)))),
        ("[:list int]", types.ListType(INT)),
        ("[:set int]", types.SetType(INT)),
        ("[:tuple int [:vector int]? string]", types.TupleType((INT, OptionalType(VectorType(INT)), STRING))),
        ("[:union int string]", UnionType((INT, STRING))),
        ("[:union int]", INT),
        ("[:map [:a int] [:b string ?]]", MapType((MapEntry("a", INT, False), MapEntry("b", STRING, True)))),
        ("[:record [:a int]]", MapType((MapEntry("a", INT, False),))),
        (
            "[:map {:a int :b string?}]",
            MapType((MapEntry("a", INT, False), MapEntry("b", optional(STRING), False))),
        ),
        ("[:map [:a [:vector int] ?]]", MapType((MapEntry("a", VectorType(INT), True),))),
        ("[:map [:a [:vector int] ? ?]]", MapType((MapEntry("a", optional(VectorType(INT)), True),))),
        ("[:map [:* any]]", MapType((), ANY)),
        ("[:map]", MapType(())),
        ("[:map-of :keyword int]", types.MapOfType(Primitive("keyword"), INT)),
        ("[:dict [:union string int] any]", types.MapOfType(UnionType((STRING, INT)), ANY)),
        ("[:fn [int & string] any]", types.FunctionType((INT,), STRING, ANY)),
        ("[:=> [] int]", types.FunctionType((), None, INT)),
        ('[:enum :a "b" 1 2.5 true nil]', EnumType((Keyword.of("a"), "b", 1, 2.5, True, None))),
        ("[:val 3]", EnumType((3,), "val")),
        ("[:array float]", types.ArrayType(Primitive("float"), ())),
        ("[:array int [2 ?]]", types.ArrayType(INT, (2, None))),
        ("[:resource File]", types.ResourceType("File")),
        (
            "[:and int [:> 3] [:even? 2] [:union int float]]",
            types.AndType(
                (
                    INT,
                    types.Predicate(">", (3,)),
                    types.Predicate("even?", (2,)),
                    UnionType((INT, Primitive("float"))),
                )
            ),
        ),
        (
            "[:and :map [:required-keys [:a]] [positive]]",
            types.AndType(
                (
                    Primitive("map"),
                    types.Predicate("required-keys", (Vector.of(Keyword.of("a")),)),
                    types.Predicate("positive", ()),
                )
            ),
        ),
    ],
)
def test_text_is_read_as_type_and_printed_text_reads_back(text, expected):
    assert parse_type_text(text) == expected
    assert parse_type_text(type_text(expected)) == expected


def test_optional_entry_and_optional_type_stay_apart():
    needed = MapType((MapEntry("k", OptionalType(VectorType(INT)), False),))
    assert type_text(needed) == "[:map [:k [:union [:vector int]?]]]"
    assert parse_type_text(type_text(needed)) == needed


@pytest.mark.parametrize(
    ("text", "part", "hint"),
    [
        ("5", "got an integer", None),
        ("[]", "got a vector", None),
        ("(int)", "got a list", None),
        ("?", "expected a type, got `?`", None),
        ("[int]", "starts with a keyword such as `:vector`", None),
        ("[:vecotr int]", "unknown type constructor `:vecotr`", "did you mean `:vector`?"),
        ("[:vector]", "expected `[:vector T]`, got 0 types", None),
        ("[:vector int string]", "got 2 types", None),
        ("[:tuple]", "expected `[:tuple T …]`", None),
        ("[:union]", "expected `[:union T …]`", None),
        ("[:enum]", "expected `[:enum literal …]`", None),
        ("[:enum x]", "got a symbol for a literal", None),
        ("[:val 1 2]", "expected `[:val literal]`", None),
        ("[:map int]", "expected `[:map [:key T] …]`", None),
        ("[:map [:a]]", "got 0 types", None),
        ("[:map [:a int] [:a int]]", "the same key twice", None),
        ("[:map [:* int] [:* any]]", "got two", None),
        ('[:map {"a" int}]', "got a string as a key", None),
        ("[:map-of float int]", "keys are strings, keywords and integers, got `float`", None),
        ("[:map-of int]", "got 1 types", None),
        ("[:fn int]", "expected `[:fn [T …] R]`", None),
        ("[:fn [int]]", "got 0 types", None),
        ("[:and int]", "expected `[:and T [:predicate …] …]`", None),
        ("[:and]", "expected `[:and T [:predicate …] …]`", None),
        ("[:and [:> 3] int]", "unknown type constructor `:>`", None),
        ('[:and int [:> "3"]]', "expected `[:> number]`", None),
        ("[:and int [:in-range 1]]", "expected `[:in-range number number]`", None),
        ("[:and string [:min-length -1]]", "expected `[:min-length n]`", None),
        ("[:and string [:custom [1]]]", "expected `[:custom literal …]`", None),
        ("[:array int [x]]", "where n is a count or `?`", None),
        ("[:resource 5]", "expected `[:resource Name]`", None),
    ],
)
def test_malformed_types_say_what_was_expected(text, part, hint):
    with pytest.raises(errors.InvalidProgram) as caught:
        parse_type_text(text)
    assert part in caught.value.message
    assert caught.value.hint == hint


def test_error_has_the_given_place():
    where = errors.Span(3, 1, 3, 5)
    with pytest.raises(errors.InvalidProgram) as caught:
        parse_type(5, where=where)
    assert caught.value.span == where


def test_depth_and_size_are_bounded_even_for_shared_forms():
    deep = Keyword.of("int")
    for _ in range(MAX_DEPTH + 1):
        deep = Vector.of(Keyword.of("vector"), deep)
    with pytest.raises(errors.InvalidProgram, match="nest"):
        parse_type(deep)
    shared = Keyword.of("int")
    for _ in range(60):
        shared = Vector.of(Keyword.of("tuple"), shared, shared)
    with pytest.raises(errors.InvalidProgram, match="parts"):
        parse_type(shared)


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("[:vector :int]", (), True),
        ("[:vector Foo]", (), True),
        ("[:map]", (), True),
        ("[:val 1]", (), True),
        ("[:union int nil]", (), True),
        ("[:vector foo]", (), False),
        ("[:vector foo]", ("foo",), True),
        ("[:vector foo?]", ("foo",), True),
        ("[:and a b]", (), False),
        ("[:fn [x] body]", (), False),
        ("[:val x]", (), False),
        ("[:ok n]", (), False),
        ("[:vector]", (), False),
        ("[a b]", (), False),
        ("[]", (), False),
        ("int", (), False),
    ],
)
def test_looks_like_type(text, known, expected):
    assert looks_like_type(form(text), known) is expected


def test_resolve_aliases_follows_the_chain_only():
    aliases = {"A": Alias("B"), "B": VectorType(Alias("A")), "C": Alias("D"), "D": Alias("C"), "Number2": INT}
    assert resolve_aliases(Alias("A"), aliases) == VectorType(Alias("A"))
    assert resolve_aliases(INT, aliases) == INT
    with pytest.raises(errors.InvalidProgram, match="`C` is defined only by itself"):
        resolve_aliases(Alias("C"), aliases)
    with pytest.raises(errors.InvalidProgram, match="unknown type `Numbre2`") as caught:
        resolve_aliases(Alias("Numbre2"), aliases)
    assert caught.value.hint == "did you mean `Number2`?"


def test_optional_is_idempotent():
    assert optional(optional(INT)) == OptionalType(INT)
