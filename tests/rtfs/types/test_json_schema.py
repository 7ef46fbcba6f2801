"""Types as JSON Schema."""

import json

import pytest

from rtfs import errors
from rtfs.types.json_schema import json_schema
from rtfs.types.parser import parse_type_text as T  # noqa: N812

INT = {"type": "integer"}
STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("int", INT),
        ("float", {"type": "number"}),
        ("number", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("nil", {"type": "null"}),
        ("string", STRING),
        ("symbol", STRING),
        ("keyword", {"type": "string", "pattern": "^:.+"}),
        ("any", {}),
        ("never", {"not": {}}),
        ("uuid", {"type": "string", "format": "uuid"}),
        ("timestamp", {"type": "string", "format": "date-time"}),
        ("vector", {"type": "array"}),
        ("set", {"type": "array", "uniqueItems": True}),
        ("map", {"type": "object"}),
        ("fn", {"type": "object"}),
        ("[:fn [int] int]", {"type": "object"}),
        ("[:resource File]", {"type": "object"}),
        ("int?", {"anyOf": [INT, {"type": "null"}]}),
        ("[:union int string]", {"anyOf": [INT, STRING]}),
        ("[:vector int]", {"type": "array", "items": INT}),
        ("[:list int]", {"type": "array", "items": INT}),
        ("[:set int]", {"type": "array", "items": INT, "uniqueItems": True}),
        ("[:tuple int string]", {"type": "array", "prefixItems": [INT, STRING], "minItems": 2, "maxItems": 2}),
        ("[:array int]", {"type": "array", "items": INT}),
        (
            "[:array int [2 ?]]",
            {"type": "array", "items": {"type": "array", "items": INT}, "minItems": 2, "maxItems": 2},
        ),
        ('[:enum :a "b" 1 nil]', {"enum": [":a", "b", 1, None]}),
        ("[:val :a]", {"const": ":a"}),
        (
            "[:map [:a int] [:b string ?]]",
            {
                "type": "object",
                "properties": {"a": INT, "b": STRING},
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
        ("[:map [:* any]]", {"type": "object", "properties": {}, "required": [], "additionalProperties": True}),
        ("[:map [:* int]]", {"type": "object", "properties": {}, "required": [], "additionalProperties": INT}),
        ("[:map-of string int]", {"type": "object", "additionalProperties": INT}),
        (
            "[:map-of int any]",
            {"type": "object", "additionalProperties": True, "propertyNames": {"pattern": "^-?[0-9]+$"}},
        ),
        (
            "[:map-of [:enum :a :b] any]",
            {"type": "object", "additionalProperties": True, "propertyNames": {"enum": ["a", "b"]}},
        ),
        ("[:and int [:> 3]]", {"type": "integer", "minimum": 4}),
        ("[:and int [:> 2.5]]", {"type": "integer", "minimum": 3}),
        ("[:and int [:< 3]]", {"type": "integer", "maximum": 2}),
        ("[:and int [:>= 2.5]]", {"type": "integer", "minimum": 3}),
        ("[:and float [:> 3]]", {"type": "number", "exclusiveMinimum": 3}),
        ("[:and float [:< 3]]", {"type": "number", "exclusiveMaximum": 3}),
        ("[:and int [:> ##-Inf]]", INT),
        ("[:and float [:in-range 0 1.5]]", {"type": "number", "minimum": 0, "maximum": 1.5}),
        ("[:and string [:length 3]]", {"type": "string", "minLength": 3, "maxLength": 3}),
        ("[:and string [:min-length 1] [:max-length 9]]", {"type": "string", "minLength": 1, "maxLength": 9}),
        ('[:and string [:matches-regex "^a"]]', {"type": "string", "pattern": "^a"}),
        ("[:and string [:is-url]]", {"type": "string", "pattern": "^https?://"}),
        ("[:and string [:non-empty]]", {"type": "string", "minLength": 1}),
        ("[:and [:vector int] [:count 2]]", {"type": "array", "items": INT, "minItems": 2, "maxItems": 2}),
        ("[:and map [:max-count 2]]", {"type": "object", "maxProperties": 2}),
        ("[:and map [:required-keys [:a :b]]]", {"type": "object", "required": ["a", "b"]}),
        ("[:and map [:has-key :a]]", {"type": "object", "required": ["a"]}),
        ("[:and any [:= :x]]", {"const": ":x"}),
        ("[:and any [:!= 3]]", {"not": {"const": 3}}),
        ("[:and int [:custom]]", INT),
        ("[:and int [:> 3] [:> 5]]", {"type": "integer", "minimum": 4, "allOf": [{"minimum": 6}]}),
        ("[:and int string]", {"type": "integer", "allOf": [STRING]}),
    ],
)
def test_schema(text, schema):
    found = json_schema(T(text))
    assert found == schema
    json.dumps(found, allow_nan=False)


def test_plain_aliases_are_inlined_and_shared_ones_are_defined_once():
    aliases = {"Id": T("int"), "Pair": T("[:tuple Id Id]")}
    assert json_schema(T("[:vector Pair]"), aliases | {"Pair": T("[:tuple Id]")}) == {
        "type": "array",
        "items": {"type": "array", "prefixItems": [INT], "minItems": 1, "maxItems": 1},
    }
    found = json_schema(T("Pair"), aliases)
    assert found["prefixItems"] == [{"$ref": "#/$defs/Id"}] * 2
    assert found["$defs"] == {"Id": INT}


def test_recursive_aliases_are_references():
    aliases = {"a/Tree": T("[:union int [:vector a/Tree]]")}
    reference = {"$ref": "#/$defs/a~1Tree"}
    assert json_schema(T("a/Tree"), aliases) == {
        **reference,
        "$defs": {"a/Tree": {"anyOf": [INT, {"type": "array", "items": reference}]}},
    }


def test_many_aliases_that_double_stay_small():
    aliases = {f"A{i + 1}": T(f"[:tuple A{i} A{i}]") for i in range(100)} | {"A0": T("int")}
    assert len(json.dumps(json_schema(T("A100"), aliases))) < 20_000


def test_unknown_and_circular_aliases_are_refused():
    with pytest.raises(errors.InvalidProgram, match="unknown type `Nope`"):
        json_schema(T("[:vector Nope]"))
    with pytest.raises(errors.InvalidProgram, match="defined only by itself"):
        json_schema(T("A"), {"A": T("B"), "B": T("A")})
