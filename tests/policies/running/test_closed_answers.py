from __future__ import annotations

import pytest

from policies.running.closed_answers import MOST_ANSWERS, answer_text, closed_answers
from rtfs.delegation import FunctionInfo
from rtfs.values import Keyword, Value, Vector


def function(return_type: str, **aliases: str) -> FunctionInfo:
    return FunctionInfo(
        symbol="f",
        doc=None,
        parameters=("x",),
        parameter_types=("any",),
        return_type=return_type,
        hint=None,
        metadata={},
        ir_hash="0" * 64,
        aliases=aliases,
    )


def many(count: int) -> str:
    return f"[:enum {' '.join(f':v{number}' for number in range(count))}]"


@pytest.mark.parametrize(
    ("of", "answers"),
    [
        (function("[:enum :a :b]"), {Keyword.of("a"), Keyword.of("b")}),
        (function('[:enum "a" :a]'), {"a", Keyword.of("a")}),
        (
            function("Level", Level="Severity", Severity="[:enum :low :high]"),
            {Keyword.of("low"), Keyword.of("high")},
        ),
        (function("Level"), None),
        (function("Level", Level="Level"), None),
        (function("[:enum :a 1]"), None),
        (function("[:vector [:enum :a]]"), None),
        (function("any"), None),
        (function("string"), None),
        (function("keyword"), None),
        (function(many(MOST_ANSWERS + 1)), None),
    ],
)
def test_what_a_function_can_answer(of: FunctionInfo, answers: set[Value] | None) -> None:
    assert closed_answers(of) == answers


def test_as_many_as_are_told_apart() -> None:
    assert len(closed_answers(function(many(MOST_ANSWERS))) or ()) == MOST_ANSWERS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Keyword.of("a"), ":a"),
        ("a", "a"),
        (Keyword.of("c"), None),
        ("SECRET", None),
        (None, None),
        (Vector([Keyword.of("a")]), None),
    ],
)
def test_the_text_of_an_answer(value: Value, text: str | None) -> None:
    answers = closed_answers(function('[:enum :a "a"]'))
    assert answers is not None
    assert answer_text(answers, value) == text
