from __future__ import annotations

import logging

import pytest

from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider, failure_of
from policies.errors import TargetFailed
from rtfs.values import Keyword


class Fragile(ModelProvider):
    """Answers with what it is asked, unless that is an exception."""

    def __init__(self) -> None:
        super().__init__("fragile")
        self.life: list[str] = []

    @property
    def version(self) -> str:
        return "1"

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        (found,) = request.args
        if isinstance(found, Exception):
            raise found
        return InferenceResponse(found)

    def load(self) -> None:
        self.life.append("loaded")

    def close(self) -> None:
        self.life.append("closed")


def replies(*args: object) -> list[Reply]:
    function = FunctionFacts(symbol="f")
    return Fragile().infer_batch([InferenceRequest(function, (arg,)) for arg in args])


def test_one_bad_request_of_a_batch_fails_alone() -> None:
    first, second, third = replies("a", ValueError("secret"), "b")
    assert first == InferenceResponse("a")
    assert third == InferenceResponse("b")
    assert isinstance(second, TargetFailed)
    assert (second.cause, second.detail) == ("unknown", "ValueError in the model `fragile`")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TargetFailed("rate-limited"), "rate-limited"),
        (MemoryError(), "out-of-memory"),
        (KeyError("x"), "unknown"),
    ],
)
def test_causes(error: Exception, cause: str) -> None:
    assert failure_of(error, "m").cause == cause


def test_what_is_logged_has_a_place_and_no_data(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        replies(ValueError("secret"))
    assert "`fragile` raised ValueError in " in caplog.text
    assert "test_provider.py:" in caplog.text
    assert "secret" not in caplog.text


def test_texts() -> None:
    class Keywords(Fragile):
        def infer(self, request: InferenceRequest) -> InferenceResponse:
            return InferenceResponse(Keyword.of("glad"))

    class Texts(Fragile):
        def infer(self, request: InferenceRequest) -> InferenceResponse:
            return InferenceResponse(Keyword.of("glad"), "It is glad.")

    assert Fragile().infer_text("hm") == "hm"
    assert Keywords().infer_text("hm") == ":glad"
    assert Texts().infer_text("hm") == "It is glad."


def test_a_block_loads_and_closes() -> None:
    with Fragile() as model:
        assert model.life == ["loaded"]
    assert model.life == ["loaded", "closed"]
