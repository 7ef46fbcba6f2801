"""A model that answers with vectors: real MiniLM under llama.cpp."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.models.errors import ModelError
from actors.models.inference import FunctionFacts, InferenceRequest
from actors.models.provider import ModelProvider
from actors.models.registry import ModelRegistry
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from rtfs.values import Keyword, Vector

pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")
pytest.importorskip("gguf", reason="gguf is not installed")

FUNCTION = FunctionFacts(symbol="meaning", parameters=("text",), return_type="[:vector float]")


@pytest.fixture(scope="module")
def model() -> Iterator[ModelProvider]:
    with ModelRegistry().make("near", LocalModelEntry(kind="embedder", path="minilm")) as made:
        made.warm_up()
        yield made


def vector(model: ModelProvider, *args: object) -> Vector:
    value = model.infer(InferenceRequest(FUNCTION, args)).value
    assert isinstance(value, Vector)
    return value


def cosine(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_texts_that_mean_alike_are_near_each_other(model: ModelProvider) -> None:
    refund, money, weather = (
        vector(model, text)
        for text in ("I want my money back", "please refund my order", "it rains in the mountains")
    )
    assert len(refund) == 384
    assert cosine(refund, refund) == pytest.approx(1, abs=1e-5)
    assert cosine(refund, money) > cosine(refund, weather) + 0.2


def test_a_batch_gives_what_single_requests_give(model: ModelProvider) -> None:
    texts = ["one", "a rather longer text than the others are", "", "zwei"]
    requests = [InferenceRequest(FUNCTION, (text,)) for text in texts]
    for text, reply in zip(texts, model.infer_batch(requests), strict=True):
        assert not isinstance(reply, TargetFailed)
        assert cosine(reply.value, vector(model, text)) > 0.999
        assert reply.model_version == model.version


def test_arguments_are_lines_of_one_text(model: ModelProvider) -> None:
    assert vector(model, "a", Keyword.of("b"), 3) == vector(model, "a\nb\n3")


def test_it_says_what_it_lacks() -> None:
    with pytest.raises(ModelError, match="expected the `path` of a GGUF file, or `minilm`"):
        ModelRegistry().make("near", LocalModelEntry(kind="embedder"))
    model = ModelRegistry().make("near", LocalModelEntry(kind="embedder", path="minilm"))
    with pytest.raises(TargetFailed, match="not loaded"):
        model.infer(InferenceRequest(FUNCTION, ("x",)))
