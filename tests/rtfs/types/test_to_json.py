"""Values of a type as JSON text."""

from __future__ import annotations

import pytest

from rtfs import errors
from rtfs.types.check import TypeEnv
from rtfs.types.parser import parse_type_text
from rtfs.types.to_json import to_json
from rtfs.values import Keyword, Map, Set, Timestamp, Value, Vector

K = Keyword.of
ENV = TypeEnv(aliases={"Node": parse_type_text("[:map [:name string] [:of [:vector Node] ?]]")})


@pytest.mark.parametrize(
    ("wanted", "value", "text"),
    [
        ("int", 5, "5"),
        ("float", 1e16, "1e+16"),
        ("keyword", K("a"), '":a"'),
        ("string", 'a"\n\ud800', '"a\\"\\n\\ud800"'),
        ("timestamp", Timestamp("2025-01-31T10:20:30Z"), '"2025-01-31T10:20:30Z"'),
        ("[:set int]", Set([2, 1]), "[2,1]"),
        ("[:map [:b int] [:a int ?]]", Map({K("a"): 1, K("b"): 2}), '{"b":2,"a":1}'),
        ("[:map-of int string]", Map({5: "x"}), '{"5":"x"}'),
        ("any", Map({"a": Vector([1, None])}), '{"a":[1,null]}'),
        ("Node", Map({K("of"): Vector([]), K("name"): "x"}), '{"name":"x","of":[]}'),
        ("[:union int [:map [:b int] [:a int]]]", Map({K("a"): 1, K("b"): 2}), '{"b":2,"a":1}'),
        ("[:and [:map [:b int ?] [:a int]] [:has-key :b]]", Map({K("a"): 1, K("b"): 2}), '{"b":2,"a":1}'),
    ],
)
def test_text_of_a_value(wanted: str, value: Value, text: str) -> None:
    assert to_json(value, parse_type_text(wanted), ENV) == text


@pytest.mark.parametrize(
    ("wanted", "value", "why"),
    [
        ("int", "x", "the value is no `int`"),
        ("float", float("inf"), "no JSON text of `float` is that value"),
        ("any", K("a"), "JSON cannot tell that value from another"),
        ("[:union keyword string]", ":a", "JSON cannot tell that value from another"),
        ("[:map [:a int]]", Map({"a": 1}), "JSON cannot tell that value from another"),
        ("map", Map({"a": 1, K("a"): 2}), "two keys of a map have one text"),
    ],
)
def test_what_has_no_text_of_its_own_is_refused(wanted: str, value: Value, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why):
        to_json(value, parse_type_text(wanted), ENV)
