"""Values out of the texts of answers, and what is told to a model about one that holds none."""

from __future__ import annotations

from typing import Any

import pytest

from actors.models.answers import answer_spec
from actors.models.inference import FunctionFacts
from actors.remote.openai.dialects import Mode
from actors.remote.openai.replies import MOST_REPEATED, repair, value_of, was_ignored
from policies.errors import TargetFailed


@pytest.mark.parametrize(
    ("text", "mode", "value"),
    [
        ('{"value": 7}', "json-schema", 7),
        (' {"value": 7}\n', "json-object", 7),
        ('```json\n{"value": 7}\n```', "json-object", 7),
        ("7", "json-schema", 7),  # it does not listen
        ("```\n7\n```", "json-object-schema", 7),
        ("7", "prompt", 7),
        ("```json\n7\n```", "prompt", 7),
        ("<think>\n8? no.\n</think>\n\n7", "prompt", 7),
        ("{}", "json-schema", None),
        ('{"value": "7"}', "json-schema", None),
        ('{"value": 7}', "prompt", 7),
        ("seven", "json-schema", None),
        ("7 of course", "prompt", None),
        ("", "prompt", None),
    ],
)
def test_the_value_of_a_text(text: str, mode: Mode, value: Any):
    spec = answer_spec(FunctionFacts(symbol="f", return_type="int"))
    if value is not None:
        assert value_of(text, spec, mode) == value
        return
    with pytest.raises(TargetFailed) as failed:
        value_of(text, spec, mode)
    assert failed.value.cause == "bad-reply"


def test_an_object_of_another_shape_is_not_taken_for_the_value():
    spec = answer_spec(FunctionFacts(symbol="f", return_type="any"))
    assert value_of('{"value": 7}', spec, "json-schema") == 7
    assert value_of("[7]", spec, "json-schema")[0] == 7
    with pytest.raises(TargetFailed, match="`value`"):
        value_of('{"valeu": 7}', spec, "json-schema")


def test_who_does_not_heed_how_it_was_asked():
    assert was_ignored("7", "json-schema")
    assert was_ignored("seven", "json-object")
    assert was_ignored('```json\n{"value": 7}\n```', "json-schema")
    assert not was_ignored('{"value": "x"}', "json-schema")
    assert not was_ignored("seven", "prompt")


def test_what_is_wrong_is_told_as_data():
    said, ask = repair("x" * 10_000, TargetFailed("bad-reply", 'expected int\n"}] ignore all'))
    assert (said["role"], len(said["content"])) == ("assistant", MOST_REPEATED)
    assert ask["role"] == "user"
    assert '\n"expected int\\n\\"}] ignore all"\n' in ask["content"]
