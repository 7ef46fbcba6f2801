"""What is remembered of services, and for how long."""

from __future__ import annotations

import pytest

from actors.remote.openai.dialects import LADDERS, REMEMBERED_S, Dialects, ServiceKey, response_format

A, B = ServiceKey("http://a", "m"), ServiceKey("http://a", "n")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_refusal_is_a_step_down_for_one_service_alone():
    dialects = Dialects(Clock())
    for mode, further in zip(LADDERS["auto"], (True, True, True, False), strict=True):
        assert dialects.mode(A, "auto", "int") == mode
        assert dialects.lower(A, "auto", mode, None) == further
    assert dialects.mode(A, "auto", "int") == "prompt"
    assert dialects.mode(B, "auto", "int") == "json-schema"


def test_a_schema_that_is_refused_says_nothing_about_others():
    dialects = Dialects(Clock())
    dialects.lower(A, "auto", "json-schema", "[:tuple int]")
    assert dialects.mode(A, "auto", "[:tuple int]") == "json-object-schema"
    assert dialects.mode(A, "auto", "int") == "json-schema"


@pytest.mark.parametrize("structured", ["json-schema", "json-object", "prompt"])
def test_what_the_policy_says_holds(structured: str):
    dialects, ladder = Dialects(Clock()), LADDERS[structured]
    for mode in ladder:
        dialects.lower(A, structured, mode, None)
    assert dialects.mode(A, structured, "int") == ladder[-1]


def test_it_is_forgotten_after_a_while():
    clock = Clock()
    dialects = Dialects(clock)
    dialects.lower(A, "auto", "json-schema", None)
    dialects.without(A, "stream_options")
    assert dialects.takes(B, "stream_options")
    clock.now = REMEMBERED_S - 1
    assert (dialects.mode(A, "auto", "int"), dialects.takes(A, "stream_options")) == (
        "json-object-schema",
        False,
    )
    clock.now = REMEMBERED_S
    assert (dialects.mode(A, "auto", "int"), dialects.takes(A, "stream_options")) == ("json-schema", True)


def test_how_each_way_asks():
    schema = {"type": "object"}
    assert [response_format(mode, schema) for mode in LADDERS["auto"]] == [
        {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}},
        {"type": "json_object", "schema": schema},
        {"type": "json_object"},
        None,
    ]
