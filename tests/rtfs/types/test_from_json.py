"""JSON as values of a type: what means what, and what is said of the rest."""

from __future__ import annotations

import pytest

from rtfs.types.check import TypeEnv
from rtfs.types.from_json import from_json
from rtfs.types.json_data import MAX_BYTES, MAX_DEPTH, NotOfType, json_data
from rtfs.types.literals import library_predicate
from rtfs.types.parser import parse_type_text
from rtfs.values import Keyword, List, Map, Set, Symbol, Timestamp, Uuid, Value, Vector, equal

ALIASES = {
    "Tree": parse_type_text("[:union int [:vector Tree]]"),
    "Two": parse_type_text("[:union [:vector Two] [:list Two] nil]"),
    "Item": parse_type_text("[:map [:b int]]"),
    "Mood": parse_type_text("[:enum :glad :cross]"),
}
ENV = TypeEnv(aliases=ALIASES, function=library_predicate)
K = Keyword.of
AT = "2025-01-31T10:20:30Z"


def read(text: str, wanted: str) -> Value:
    return from_json(text, parse_type_text(wanted), ENV)


@pytest.mark.parametrize(
    ("wanted", "text", "value"),
    [
        ("int", "5", 5),
        ("int", " 5\n", 5),
        ("int", "5.0", 5),
        ("int", "1e2", 100),
        ("float", "5", 5),
        ("float", "5.0", 5.0),
        ("float", "12345678901234567890", 12345678901234567890.0),
        ("bool", "true", True),
        ("nil", "null", None),
        ("string", '"\\u0041\\n"', "A\n"),
        ("keyword", '":a/b"', K("a/b")),
        ("symbol", '"x"', Symbol.of("x")),
        ("uuid", '"123e4567-e89b-12d3-a456-426614174000"', Uuid("123e4567-e89b-12d3-a456-426614174000")),
        ("timestamp", f'"{AT}"', Timestamp(AT)),
        ("any", '{"a":[1,":b",null]}', Map({"a": Vector([1, ":b", None])})),
        ("map", '{"a":1}', Map({"a": 1})),
        ("[:list int]", "[1,2]", List([1, 2])),
        ("[:set int]", "[1,2,1]", Set([1, 2])),
        ("[:tuple int string]", '[1,"a"]', Vector([1, "a"])),
        ("[:array int [2 ?]]", "[[1],[]]", Vector([Vector([1]), Vector([])])),
        ("[:map [:a int] [:b string ?]]", '{"a":1}', Map({K("a"): 1})),
        ("[:map [:a int] [:b string ?]]", '{"a":1,"b":null}', Map({K("a"): 1})),
        ("[:map [:a int] [:b string? ?]]", '{"a":1,"b":null}', Map({K("a"): 1, K("b"): None})),
        ("[:map [:a int]]", '{"a":1,"x":"y"}', Map({K("a"): 1, K("x"): "y"})),
        ("[:map-of string int]", '{":a":1}', Map({":a": 1})),
        ("[:map-of keyword int]", '{"a":1}', Map({K("a"): 1})),
        ("[:map-of int int]", '{"-5":1}', Map({-5: 1})),
        ('[:map-of [:enum :a "b"] int]', '{"a":1,"b":2}', Map({K("a"): 1, "b": 2})),
        ("[:union keyword string]", '":a"', K("a")),
        ("[:union string keyword]", '":a"', ":a"),
        ("[:union int float]", "1.0", 1.0),
        ("[:union string int]", "1.0", 1),
        ("[:union Mood string]", '":glad"', K("glad")),
        ("[:union Mood string]", '"glad"', "glad"),
        ("[:enum 1 1.0]", "1.0", 1.0),
        ("[:enum 1 2]", "2.0", 2),
        ("[:and [:union string int] [:min-length 2]]", '"ab"', "ab"),
        ("[:union [:and string [:min-length 3]] keyword]", '":a"', K("a")),
        ("Tree", "[1,[2,[]]]", Vector([1, Vector([2, Vector([])])])),
        ("int?", "null", None),
    ],
)
def test_a_text_means_a_value(wanted: str, text: str, value: Value) -> None:
    found = read(text, wanted)
    assert equal(found, value), found


@pytest.mark.parametrize(
    ("wanted", "text", "why"),
    [
        ("int", "1.5", "expected int, got a number"),
        ("int", '"5"', "expected int, got a string"),
        ("int", "true", "expected int, got true"),
        ("int", "9223372036854775808", "expected int, got a number"),
        ("string", "null", "expected string, got null"),
        ("keyword", '"a"', 'expected a keyword such as ":name", got a string'),
        ("keyword", '":"', 'expected a keyword such as ":name", got a string'),
        (
            "timestamp",
            '"2025-02-30T10:20:30Z"',
            f"expected a timestamp such as `{AT}`, got a string",
        ),
        ("[:vector int]", '[1,"x"]', "expected int, got a string at `[1]`"),
        ("[:vector int]", "{}", "expected `[:vector int]`, got an object"),
        ("[:tuple int int]", "[1]", "expected `[:tuple int int]`, got an array of 1"),
        (
            "[:map [:a [:vector Item]]]",
            '{"a":[{"b":1},{"b":null}]}',
            "expected int, got null at `.a[1].b`",
        ),
        ("[:map [:a int]]", '{"b":1}', "expected the key `a`, got an object without it"),
        ("[:map-of string int]", '{"secret":"x"}', "expected int, got a string at `.*`"),
        ("[:map-of int int]", '{"05":1}', "expected keys of `int`, got another key"),
        ("[:enum :glad :cross]", '":sad"', "expected `[:enum :glad :cross]`, got a string"),
        ("[:union int [:map [:a int]]]", '{"a":"x"}', "expected int, got a string at `.a`"),
        ("[:union int bool]", '"x"', "expected `[:union int bool]`, got a string"),
        ("[:and int [:in-range 1 6]]", "7", "expected `[:in-range 1 6]`, got an integer"),
        ("[:and string [:min-length 1]]", '""', "expected `[:min-length 1]`, got an empty string"),
        ("never", "1", "expected `never`, got an integer"),
        ("fn", "{}", "expected `fn`, got an object"),
        ("Nowhere", "1", "expected `Nowhere`, which nothing defines, got an integer"),
        ("any", '{"a":1,"a":2}', "a key of an object that comes twice"),
        ("any", "[1,", "no JSON: expecting value at line 1 column 4"),
        ("any", "NaN", "no JSON: `NaN` is no number of JSON"),
        ("any", "-Infinity", "no JSON: `-Infinity` is no number of JSON"),
        ("any", "1e999", "a number that no float can hold"),
        ("any", "1 2", "no JSON: extra data at line 1 column 3"),
        ("any", '"\n"', "no JSON: invalid control character at at line 1 column 2"),
        ("any", "", "no JSON: expecting value at line 1 column 1"),
    ],
)
def test_what_means_none_is_refused_with_the_place(wanted: str, text: str, why: str) -> None:
    with pytest.raises(NotOfType) as caught:
        read(text, wanted)
    assert str(caught.value) == why


def test_nothing_that_a_reply_says_is_in_the_reason() -> None:
    with pytest.raises(NotOfType) as caught:
        read('{"a":"PRIVATE","PRIVATE":1}', "[:map [:a int] [:* int]]")
    assert "PRIVATE" not in str(caught.value)


def test_depth_and_size_are_bounded() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    read(deepest, "any")
    read(deepest, "Tree")
    with pytest.raises(NotOfType, match="nested more than 100 deep"):
        read(f"[{deepest}]", "any")
    with pytest.raises(NotOfType, match="nested more than 100 deep"):
        json_data("[" * 500_000)
    read(f'"{"x" * (MAX_BYTES - 2)}"', "string")
    for text in (f'"{"x" * MAX_BYTES}"', f'"{"ä" * (MAX_BYTES // 2)}"'):
        with pytest.raises(NotOfType, match="more than 1000000 bytes"):
            read(text, "string")
    assert read('"' + "[" * 200 + '"', "string") == "[" * 200


def test_members_of_a_union_that_nest_are_tried_once_each() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert type(read(text, "Two")) is Vector
    broken = "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1)
    with pytest.raises(NotOfType):
        read(broken, "Two")


def test_many_digits_are_no_burden() -> None:
    assert read("0." + "1" * 100_000, "float") == pytest.approx(1 / 9)
    with pytest.raises(NotOfType, match="no float can hold"):
        read("1" * 100_000, "any")
