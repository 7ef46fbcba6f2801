"""Effects by id, and how arguments take the shape of a schema."""

from __future__ import annotations

import pytest

from rtfs import errors
from rtfs.capabilities import check_input, check_output, default_effects, effect_label
from rtfs.capability_arguments import normalise
from rtfs.types.parser import parse_type_text
from rtfs.values import Keyword, Map, Vector

K = Keyword.of


@pytest.mark.parametrize(
    ("capability_id", "effects"),
    [
        ("ccos.io.open-file", {":filesystem"}),
        ("ccos.io.file-exists", {":filesystem"}),
        ("ccos.io.log", {":compute"}),
        ("ccos.io.print", {":compute"}),
        ("ccos.io.println", {":compute"}),
        ("ccos.json.parse", {":compute"}),
        ("ccos.math.add", {":compute"}),
        ("ccos.echo", {":compute"}),
        ("ccos.user.ask", {":io", ":user-interaction"}),
        ("ccos.network.http-fetch", {":network"}),
        ("ccos.network.other", {":network"}),
        ("ccos.system.get-env", {":system"}),
        ("ccos.ai.llm-execute", {":ai"}),
        ("ccos.agent.discover", {":agent"}),
        ("ccos.stream.open", {":streaming"}),
        ("model-call:gpt", {":ai"}),
        ("weather.now", {":compute"}),
    ],
)
def test_default_effects(capability_id, effects):
    assert default_effects(capability_id) == effects


@pytest.mark.parametrize("text", ["network", ":network", "Network", " :NETWORK "])
def test_effect_labels_are_compared_in_one_spelling(text):
    assert effect_label(text) == ":network"


PAIR = "[:map [:a :any] [:b :any]]"
ONE = "[:map [:a :any] [:o :any ?]]"
FREE = "[:map [:o :any ?]]"
OPEN = "[:map [:a :any] [:* :any]]"
MIXED = "[:map [:o :any ?] [:a :any]]"


@pytest.mark.parametrize(
    ("schema", "args", "expected"),
    [
        (PAIR, [1, 2], [Map({K("a"): 1, K("b"): 2})]),
        (PAIR, [Map({K("a"): 1})], [Map({K("a"): 1})]),
        (PAIR, [Map({"b": 1})], [Map({"b": 1})]),
        (ONE, ["x"], [Map({K("a"): "x"})]),
        # a map without the required key is the value of that key
        (ONE, [Map({K("z"): 1})], [Map({K("a"): Map({K("z"): 1})})]),
        (ONE, [Map({K("a"): 1, K("o"): 2})], [Map({K("a"): 1, K("o"): 2})]),
        (FREE, [], [Map({})]),
        (FREE, [Map({"other": 1})], [Map({"other": 1})]),
        (OPEN, [Map({K("a"): 1})], [Map({K("a"): 1})]),
        ("[:map-of :keyword :int]", [Map({K("a"): 1})], [Map({K("a"): 1})]),
        ("[:map-of :keyword :int]", [], [Map({})]),
        (f"[:and {PAIR} [:has-key :a]]", [1, 2], [Map({K("a"): 1, K("b"): 2})]),
        (f"[:union {PAIR} {ONE}]", [Map({"a": 1})], [Map({"a": 1})]),
        ("[:vector :int]", [1, 2], [1, 2]),
        (":any", [], []),
    ],
)
def test_normalised_arguments(schema, args, expected):
    given, _ = normalise("c", args, parse_type_text(schema))
    assert given == expected


def test_arguments_of_another_schema_are_checked_as_a_vector():
    assert normalise("c", [1, 2], parse_type_text("[:vector :int]"))[1] == Vector.of(1, 2)


@pytest.mark.parametrize(
    ("schema", "args", "text"),
    [
        (PAIR, [], "by position its required fields, :a :b, got 0 arguments"),
        (PAIR, [1], "got 1 arguments"),
        (PAIR, [1, 2, 3], "got 3 arguments"),
        (FREE, [1], "its required fields, no, got 1 arguments"),
        (OPEN, [1], "open to other keys"),
        (MIXED, [1], "a required field follows an optional one"),
        (f"[:union {PAIR} {ONE}]", [1, 2], "is a union"),
        ("[:union :int :string]", [1], "is a union"),
    ],
)
def test_arguments_that_do_not_fit(schema, args, text):
    with pytest.raises(errors.Generic, match=text):
        normalise("weather.now", args, parse_type_text(schema))


@pytest.mark.parametrize(("check", "side"), [(check_input, "Input"), (check_output, "Output")])
def test_schema_failures_name_their_side(check, side):
    schema = parse_type_text("[:map [:a :int]]")
    check("c", Map({K("a"): 1}), schema)
    check("c", object(), None)
    with pytest.raises(
        errors.TypeValidationError, match=f"{side} validation failed: .*{side.lower()}.a"
    ) as caught:
        check("c", Map({K("a"): "x"}), schema)
    assert "`c`" in caught.value.hint
