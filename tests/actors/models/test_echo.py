from __future__ import annotations

import threading
import time

import pytest

from actors.models.echo import EchoModel
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from rtfs.values import Keyword, Map, Value, Vector

FUNCTION = FunctionFacts(symbol="f")


def asked(*args: Value, timeout_s: float = 60.0) -> InferenceRequest:
    return InferenceRequest(FUNCTION, args, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (("a",), "a"),
        ((Map({"k": 1}),), Map({"k": 1})),
        (("a", Keyword.of("b")), Vector(["a", Keyword.of("b")])),
        ((), Vector([])),
        ((None,), None),
    ],
)
def test_what_it_answers(args: tuple[Value, ...], value: Value) -> None:
    assert EchoModel("e").infer(asked(*args)).value == value


def test_text() -> None:
    assert EchoModel("e").infer_text("How do you do?") == "How do you do?"


def test_it_takes_its_time_once_for_a_batch() -> None:
    model = EchoModel("e", latency_ms=50)
    began = time.monotonic()
    replies = model.infer_batch([asked(number) for number in range(40)])
    assert 0.05 <= time.monotonic() - began < 40 * 0.05
    assert [reply.value for reply in replies if isinstance(reply, InferenceResponse)] == [*range(40)]
    assert all(isinstance(reply, InferenceResponse) and (reply.latency_ms or 0) >= 49 for reply in replies)


def test_who_has_less_time_than_it_takes_gets_no_answer() -> None:
    model = EchoModel("e", latency_ms=20)
    first, second = model.infer_batch([asked(1, timeout_s=0.01), asked(2)])
    assert isinstance(first, TargetFailed)
    assert (first.cause, first.detail) == ("timeout", "the model `e` takes 20 ms")
    assert isinstance(second, InferenceResponse)


def test_it_does_not_work_for_longer_than_anybody_waits() -> None:
    model = EchoModel("e", latency_ms=60_000)
    with pytest.raises(TargetFailed, match="timeout"):
        model.infer(asked(1, timeout_s=0.01))


def test_closing_ends_its_sleep() -> None:
    model = EchoModel("e", latency_ms=60_000)
    failures: list[TargetFailed] = []

    def ask() -> None:
        with pytest.raises(TargetFailed) as raised:
            model.infer(asked(1))
        failures.append(raised.value)

    thread = threading.Thread(target=ask)
    thread.start()
    model.close()
    thread.join(20)
    assert [failure.cause for failure in failures] == ["connection-lost"]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("size", [1, 7])
def test_it_fails_as_often_as_it_is_told_to(rate: float, size: int) -> None:
    def failed() -> list[bool]:
        model = EchoModel("e", fail_rate=rate)
        replies = [each for _ in range(280 // size) for each in model.infer_batch([asked(1)] * size)]
        return [isinstance(reply, TargetFailed) for reply in replies]

    first = failed()
    assert first == failed()
    for start in range(0, 200, 13):
        for length in (10, 20, 80):
            assert abs(sum(first[start : start + length]) - rate * length) <= 1


def test_why_it_fails() -> None:
    with pytest.raises(TargetFailed, match="server-error: the model `e` fails on purpose: `fail_rate`"):
        EchoModel("e", fail_rate=1.0).infer(asked(1))


def test_from_a_policy() -> None:
    model = EchoModel.of("e", LocalModelEntry(kind="echo", latency_ms=15, fail_rate=0.5))
    first, second = model.infer_batch([asked(1), asked(2)])
    assert isinstance(first, InferenceResponse)
    assert (first.latency_ms or 0) >= 14
    assert isinstance(second, TargetFailed)
