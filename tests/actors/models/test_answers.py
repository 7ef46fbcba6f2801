"""What a model has to answer: schema, grammar, and the value that a reply means."""

from __future__ import annotations

import pickle

import pytest
from jsonschema import Draft202012Validator

from actors.models.answers import AnswerSpec, UnsupportedType, answer_spec
from actors.models.inference import FunctionFacts
from policies.errors import TargetFailed
from rtfs import errors
from rtfs.values import Keyword, Map, Value, Vector

K = Keyword.of


def facts(returns: str, **aliases: str) -> FunctionFacts:
    return FunctionFacts(symbol="shop/judge", return_type=returns, aliases=aliases)


def spec(returns: str, **aliases: str) -> AnswerSpec:
    return answer_spec(facts(returns, **aliases))


def test_a_specification_has_all_that_a_model_needs() -> None:
    found = spec("[:map [:mood Mood] [:sure [:and float [:in-range 0 1]] ?]]", Mood="[:enum :glad :cross]")
    assert found.type_text == "[:map [:mood Mood] [:sure [:and float [:in-range 0 1]] ?]]"
    assert (
        found.schema
        == found.object_schema
        == {
            "type": "object",
            "properties": {
                "mood": {"enum": [":glad", ":cross"]},
                "sure": {"type": "number", "minimum": 0, "maximum": 1},
            },
            "required": ["mood"],
            "additionalProperties": False,
        }
    )
    assert found.grammar.startswith('root ::= "{"')
    assert found.partly == ()
    assert found.read('{"mood":":glad","sure":0.5}') == Map({K("mood"): K("glad"), K("sure"): 0.5})
    assert found.write(Map({K("sure"): 1, K("mood"): K("cross")})) == '{"mood":":cross","sure":1}'
    assert found.words.startswith("an object with the keys `mood`")


def test_it_is_made_once_for_a_type_whoever_asks() -> None:
    assert spec("[:vector int]") is answer_spec(FunctionFacts(symbol="other", return_type="[:vector int]"))
    assert spec("T", T="int") is not spec("T", T="string")


@pytest.mark.parametrize("returns", ["int", "[:vector int]", "int?", "Tree", "[:union int [:map]]", "any"])
def test_a_root_that_is_no_object_is_wrapped(returns: str) -> None:
    found = spec(returns, Tree="[:map [:of [:vector Tree]]]")
    assert found.is_wrapped
    assert found.object_schema["type"] == "object"
    assert list(found.object_schema["properties"]) == ["value"]
    Draft202012Validator.check_schema(found.object_schema)


def test_a_recursive_type_keeps_its_definitions_at_the_root() -> None:
    found = spec("Tree", Tree="[:map [:of [:vector Tree]]]")
    checks = Draft202012Validator(found.object_schema)
    checks.validate({"value": {"of": [{"of": []}]}})
    assert not checks.is_valid({"value": {"of": [{"of": 1}]}})
    assert found.read_object('{"value":{"of":[]}}') == Map({K("of"): Vector([])})


@pytest.mark.parametrize("text", ["5", '{"value":5,"more":1}', '{"answer":5}', '{"value":"x"}', "[5]"])
def test_what_is_no_wrapped_value_is_refused(text: str) -> None:
    with pytest.raises(TargetFailed) as caught:
        spec("int").read_object(text)
    assert caught.value.cause == "bad-reply"


def test_an_object_is_not_wrapped() -> None:
    assert spec("[:map [:value int]]").read_object('{"value":5}') == Map({K("value"): 5})


@pytest.mark.parametrize(
    ("returns", "text", "value"),
    [
        ("int", " 5 \n", 5),
        ("string", '"x"', "x"),
        ("[:vector int]", "Here you are: [1, 2]. Enjoy!", Vector([1, 2])),
        ("[:vector int]", "```json\n[1, 2]\n```", Vector([1, 2])),
        ("[:vector int]", "Sure:\n\n```\n[1]\n```\nAnything else?", Vector([1])),
        ("int", "```json\n7\n```", 7),
        ("[:map [:a int]]", '<think>maybe {"a": 1}?</think>\n{"a":2}', Map({K("a"): 2})),
        ("[:map [:a string]]", 'It is {"a": "}```{"} I think.', Map({K("a"): "}```{"})),
        ("[:map [:a int]]", 'As {said}: {"a": 2}', Map({K("a"): 2})),
    ],
)
def test_an_answer_is_cut_out_where_it_cannot_be_mistaken(returns: str, text: str, value: Value) -> None:
    assert spec(returns).read(text) == value


@pytest.mark.parametrize(
    ("returns", "text", "why"),
    [
        ("int", "", "an empty reply"),
        ("int", "<think>5", "an empty reply"),
        ("int", "The answer is 5.", "no JSON"),
        ("string", "hello", "no JSON"),
        ("string", 'She said "hello".', "no JSON"),
        ("[:vector int]", "[1] or [2]", "more than one JSON value"),
        ("[:vector int]", "```json\n[1]\n```\n```json\n[2]\n```", "more than one JSON value"),
        ("[:vector int]", "[1", "no JSON"),
        ("[:vector int]", "[1,]", "no JSON"),
        ("[:vector int]", "[" * 1000, "no JSON, but many brackets"),
        ("[:vector int]", "[" * 200 + "]" * 200, "nested more than 100 deep"),
        ("any", '{"a":1,"a":2}', "a key of an object that comes twice"),
        ("any", '"' + "x" * 1_000_000 + '"', "more than 1000000 bytes"),
        ("int", '"5"', "expected int, got a string"),
    ],
)
def test_a_reply_that_means_none_is_a_failure_with_the_reason(returns: str, text: str, why: str) -> None:
    with pytest.raises(TargetFailed) as caught:
        spec(returns).read(text)
    assert caught.value.cause == "bad-reply"
    assert caught.value.detail.startswith(why)


@pytest.mark.parametrize(
    ("returns", "part", "message"),
    [
        (
            "[:fn [int] int]",
            "[:fn [int] int]",
            "no model can answer `shop/judge`: return type `[:fn [int] int]`: a model cannot answer a function",
        ),
        (
            "[:vector Callback]",
            "[:fn [] int]",
            "no model can answer `shop/judge`: return type `[:fn [] int]` in `[:vector Callback]`: "
            "a model cannot answer a function",
        ),
        ("Nowhere", "Nowhere", None),
        ("[:vector", "[:vector", None),
    ],
)
def test_a_type_that_no_text_can_be_is_named(returns: str, part: str, message: str | None) -> None:
    with pytest.raises(UnsupportedType) as caught:
        spec(returns, Callback="[:fn [] int]")
    error = caught.value
    assert (error.symbol, error.type_text, error.part) == ("shop/judge", returns, part)
    assert error.why
    if message is not None:
        assert str(error) == message
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.part, again.why) == (str(error), error.part, error.why)


def test_a_predicate_of_the_library_is_asked_and_one_of_the_program_is_taken_to_hold() -> None:
    with pytest.raises(TargetFailed, match="expected `\\[:even\\?\\]`"):
        spec("[:and int [:even?]]").read("3")
    assert spec("[:and int [:my-own?]]").read("3") == 3


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument):
        spec("int").write("x")


@pytest.mark.parametrize(
    "piece", ["```json\n", "```\n", "[", "{", '"', '\\"', "<think>", "[ ]", "{[", "```json\n[\n"]
)
def test_a_long_reply_that_makes_no_sense_is_soon_refused(piece: str) -> None:
    with pytest.raises(TargetFailed):
        spec("[:vector [:vector int]]").read((piece * 100_000)[:100_000])
    with pytest.raises(TargetFailed):
        spec("[:vector [:vector int]]").read((piece * 1_000_000)[:1_000_000])
