from __future__ import annotations

import logging
from pathlib import Path

import pytest

from actors.models.errors import RulesFileError
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse
from actors.models.rules import LOOK_EVERY_S, RulesModel
from policies.errors import TargetFailed
from rtfs.values import Keyword, Value, Vector

MOOD = """
default neutral 0.3
[glad]
3 word thanks great
[cross = "angry"]
3 word bad
[neutral = 0]
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mood.rules"
    path.write_text(MOOD)
    return path


def asked(*args: Value, returns: str = "any") -> InferenceRequest:
    return InferenceRequest(FunctionFacts(symbol="mood", return_type=returns), args)


def test_an_answer(path: Path) -> None:
    model = RulesModel("mood", path)
    assert model.infer(asked("Thanks!")) == InferenceResponse(
        Keyword.of("glad"), "glad", 0.75, model_version=model.version
    )


GLAD, NEUTRAL = Keyword.of("glad"), Keyword.of("neutral")
VALUES = [
    ("thanks", "any", GLAD),
    ("thanks", "keyword", GLAD),
    ("thanks", "string", "glad"),
    ("thanks", "[:enum :glad :cross]", GLAD),
    ("thanks", '[:enum "glad" "cross"]', "glad"),
    ("thanks", "keyword?", GLAD),
    ("bad", "any", "angry"),
    ("bad", "[:enum :angry :glad]", Keyword.of("angry")),
    ("well", "int", 0),
    ("well", "[:enum 0 1]", 0),
]


@pytest.mark.parametrize(("text", "returns", "value"), VALUES)
def test_the_value_suits_the_type(path: Path, text: str, returns: str, value: Value) -> None:
    answered = RulesModel("mood", path).infer(asked(text, returns=returns)).value
    assert (type(answered), answered) == (type(value), value)


@pytest.mark.parametrize(
    ("returns", "cause", "detail"),
    [
        ("[:enum :happy :sad]", "bad-reply", "the label `glad` of the model `mood` is no [:enum :happy :sad]"),
        ("int", "bad-reply", "the label `glad` of the model `mood` is no int"),
        ("[:enum", "bad-request", "`[:enum` is no type"),
    ],
)
def test_there_is_none_that_suits(path: Path, returns: str, cause: str, detail: str) -> None:
    with pytest.raises(TargetFailed) as raised:
        RulesModel("mood", path).infer(asked("thanks", returns=returns))
    assert (raised.value.cause, raised.value.detail) == (cause, detail)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("so", "bad"), "bad"),
        ((Keyword.of("great"),), "great"),
        ((Vector(["x", "great"]), 1), "great"),
    ],
)
def test_all_arguments_are_looked_at(path: Path, args: tuple[Value, ...], text: str) -> None:
    model = RulesModel("mood", path)
    assert model.infer(asked(*args)).text == model.infer(asked(text)).text != "neutral"


def test_a_batch_has_failures_and_answers(path: Path) -> None:
    first, second = RulesModel("mood", path).infer_batch([asked("thanks", returns="int"), asked("thanks")])
    assert isinstance(first, TargetFailed)
    assert isinstance(second, InferenceResponse)


def test_a_pattern_that_would_take_too_long(tmp_path: Path) -> None:
    path = tmp_path / "slow.rules"
    path.write_text(f"default a\n[a]\n1 regex {'(x{1,30}y?){1,30}z' * 8}\n")
    with pytest.raises(TargetFailed, match=r"bad-request: the model `slow`: .* could take too long"):
        RulesModel("slow", path).infer(asked("x" * 99_000))


# ---------------------------------------------------------------- the file changes


def test_new_rules_are_seen_within_a_second(path: Path) -> None:
    clock = Clock()
    model = RulesModel("mood", path, clock=clock)
    old = model.infer(asked("thanks"))
    path.write_text(MOOD.replace("thanks", "cheers"))
    assert model.infer(asked("thanks")) == old  # it has looked just now
    clock.now = LOOK_EVERY_S
    assert model.infer(asked("thanks")).text == "neutral"
    assert model.infer(asked("cheers")).text == "glad"
    assert model.version != old.model_version


def test_a_change_that_keeps_length_and_time_is_seen(path: Path) -> None:
    import os

    clock = Clock()
    model = RulesModel("mood", path, clock=clock)
    model.load()
    before = path.stat()
    other = path.with_name("other")
    other.write_text(MOOD.replace("thanks", "cheers"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)  # as editors do
    clock.now = LOOK_EVERY_S
    assert model.infer(asked("cheers")).text == "glad"


@pytest.mark.parametrize("broken", ["default nobody\n", "", None])
def test_rules_that_cannot_be_used_leave_the_old_ones(
    path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    model = RulesModel("mood", path, clock=clock)
    old = model.infer(asked("thanks"))
    assert model.problems == ()
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    for second in (1, 2, 3):
        clock.now = second * LOOK_EVERY_S
        with caplog.at_level(logging.WARNING):
            assert model.infer(asked("thanks")) == old
    assert len(model.problems) == 1
    assert str(path) in model.problems[0]
    assert [record.message for record in caplog.records] == [
        f"the model `mood` keeps its old rules: {model.problems[0]}"
    ]
    path.write_text(MOOD.replace("thanks", "cheers"))
    clock.now = 4 * LOOK_EVERY_S
    assert model.infer(asked("cheers")).text == "glad"
    assert model.problems == ()


def test_a_file_that_was_never_good(tmp_path: Path) -> None:
    path = tmp_path / "none.rules"
    model = RulesModel("mood", path)
    with pytest.raises(RulesFileError, match="cannot read the file: no such file or directory"):
        model.load()
    path.write_text(MOOD)
    model.load()
    assert model.infer(asked("thanks")).text == "glad"
