from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from actors.models.embedding.classifier import ClassifierModel
from actors.models.embedding.embedder import Embedder, LlamaEmbedder, Vectors
from actors.models.errors import ModelError
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse, Reply
from actors.models.registry import ModelRegistry, local_models
from policies.errors import TargetFailed
from policies.file.schema import Delegation, LocalModelEntry
from rtfs.values import Keyword, Map, Value, Vector

MOOD = FunctionFacts(
    symbol="mood",
    doc=":glad — thanks and praise\n:cross — an angry complaint",
    return_type="[:enum :glad :cross]",
)
GLAD, CROSS = Keyword.of("glad"), Keyword.of("cross")


class Counting(Embedder):
    """An embedder that notes what it is asked; texts are near each other that begin with the same letter."""

    version = "counting"
    dimensions = 26

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.closed = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(list(texts))
        rows = np.zeros((len(texts), 26), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[ord(text[0].lower()) - ord("a") if text[:1].isalpha() else 25] = 1
        return rows

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def model(counting: Counting) -> ClassifierModel:
    model = ClassifierModel("mood", lambda: counting)
    model.load()
    return model


@pytest.fixture(scope="module")
def real(minilm: LlamaEmbedder) -> ClassifierModel:
    model = ClassifierModel("mood", lambda: minilm)
    model.load()
    return model


def asked(*args: Value, function: FunctionFacts = MOOD) -> InferenceRequest:
    return InferenceRequest(function, args)


def values(replies: Sequence[Reply]) -> list[Value]:
    return [reply.value if isinstance(reply, InferenceResponse) else f"!{reply.cause}" for reply in replies]


# ---------------------------------------------------------------- with MiniLM


def test_texts_are_told_apart(real: ClassifierModel) -> None:
    texts = [
        "Thank you, that was brilliant!",
        "This is a scandal, I want my money back!",
        "Well done",
        "I am furious",
    ]
    replies = real.infer_batch([asked(text) for text in texts])
    assert values(replies) == [GLAD, CROSS, GLAD, CROSS]
    for reply in replies:
        assert isinstance(reply, InferenceResponse)
        assert reply.confidence is not None
        assert 0.5 < reply.confidence <= 1
        assert reply.text in ("glad", "cross")
        assert reply.model_version == real.version
        assert reply.latency_ms is not None


def test_strings_and_booleans(real: ClassifierModel) -> None:
    spam = FunctionFacts(
        symbol="spam?",
        return_type="bool",
        metadata=Map({"labels": Map({"true": "unsolicited advertising", "false": "a personal letter"})}),
    )
    found = real.infer_batch([asked("BUY CHEAP WATCHES NOW", function=spam), asked("Dear mum", function=spam)])
    assert values(found) == [True, False]
    topic = FunctionFacts(symbol="topic", return_type='[:enum "weather" "football"]')
    assert real.infer(asked("It will rain tomorrow", function=topic)).value == "weather"


def test_examples_help(real: ClassifierModel) -> None:
    plain = FunctionFacts(symbol="kind", return_type="[:enum :a :b]")
    examples = Map(
        {"a": Vector(["rain and wind", "sunny, 20 degrees"]), "b": Vector(["2:1 at half-time", "a penalty"])}
    )
    shown = FunctionFacts(symbol="kind", return_type="[:enum :a :b]", metadata=Map({"examples": examples}))
    found = real.infer(asked("Snow is expected in the mountains", function=shown))
    assert found.value == Keyword.of("a")
    doubtful = real.infer(asked("Snow is expected in the mountains", function=plain))
    assert (found.confidence or 0) > (doubtful.confidence or 0)


def test_one_label_and_labels_that_mean_the_same(real: ClassifierModel) -> None:
    one = FunctionFacts(symbol="one", return_type="[:enum :only]")
    assert real.infer(asked("x", function=one))[:3] == (Keyword.of("only"), "only", 1.0)
    same = FunctionFacts(symbol="same", doc="a: the same\nb: the same", return_type="[:enum :a :b]")
    assert real.infer(asked("x", function=same)).confidence == pytest.approx(0.5)


# ---------------------------------------------------------------- batches


def test_a_batch_is_embedded_together_and_texts_once(model: ClassifierModel, counting: Counting) -> None:
    other = FunctionFacts(symbol="other", return_type="[:enum :ants :bees]")
    requests = [asked("thanks"), asked("ants", function=other), asked("thanks"), asked("bees", function=other)]
    replies = model.infer_batch(requests)
    assert values(replies) == [GLAD, Keyword.of("ants"), GLAD, Keyword.of("bees")]
    assert counting.asked == [
        ["thanks and praise", "an angry complaint"],
        ["ants", "bees"],
        ["thanks", "ants", "bees"],
    ]
    model.infer_batch(requests[:2])
    assert counting.asked[3:] == [["thanks", "ants"]]


def test_requests_that_fail_leave_the_others_alone(model: ClassifierModel) -> None:
    wrong = FunctionFacts(symbol="wrong", return_type="int")
    replies = model.infer_batch([asked("thanks"), asked("x", function=wrong), asked("an uproar")])
    assert values(replies) == [GLAD, "!bad-request", CROSS]
    assert str(replies[1]) == (
        "bad-request: `wrong` cannot be answered by a classifier: "
        "a classifier answers `bool` and enums of keywords or strings, not `int`"
    )
    assert values(model.infer_batch([asked("x", function=wrong)])) == ["!bad-request"]
    assert model.infer_batch([]) == []


def test_all_arguments_are_looked_at(model: ClassifierModel, counting: Counting) -> None:
    model.infer(asked("thanks", Keyword.of("k"), 3, Vector(["a"])))
    assert counting.asked[-1] == ['thanks\nk\n3\n["a"]']


def test_a_guess_has_confidence_0(counting: Counting) -> None:
    with ClassifierModel("mood", lambda: counting, threshold=0.9) as model:
        sure, guess = model.infer_batch([asked("thanks"), asked("zebra")])
        assert isinstance(sure, InferenceResponse)
        assert isinstance(guess, InferenceResponse)
        assert (sure.value, sure.confidence) == (GLAD, pytest.approx(1, abs=1e-3))
        assert (guess.text, guess.confidence) == ("glad", 0.0)


# ---------------------------------------------------------------- life


def test_the_version_depends_on_file_and_threshold(counting: Counting) -> None:
    versions = []
    for threshold in (0.0, 0.5, 0.5):
        with ClassifierModel("mood", lambda: counting, threshold=threshold) as model:
            versions.append(model.version)
    assert versions[0] != versions[1] == versions[2]


def test_before_and_after(counting: Counting) -> None:
    model = ClassifierModel("mood", lambda: counting)
    with pytest.raises(TargetFailed, match="connection-refused: the model `mood` is not loaded"):
        model.infer(asked("thanks"))
    model.load()
    model.load()
    model.warm_up()
    assert model.infer(asked("thanks")).value == GLAD
    model.close()
    model.close()
    assert counting.closed == 1
    with pytest.raises(TargetFailed, match="is not loaded"):
        model.infer(asked("thanks"))


# ---------------------------------------------------------------- of a policy


def test_by_the_registry(minilm_path: Path, minilm: LlamaEmbedder) -> None:
    for path in ("minilm", str(minilm_path)):
        with ModelRegistry().make("mood", LocalModelEntry(kind="classifier", path=path)) as model:
            assert model.infer(asked("Thank you, wonderful!")).value == GLAD
            assert model.max_batch == 64


def test_minilm_is_no_path(tmp_path: Path) -> None:
    entry = LocalModelEntry(kind="classifier", path="minilm")
    assert local_models(Delegation(local_models={"mood": entry}), tmp_path)["mood"].path == "minilm"


def test_without_a_file() -> None:
    with pytest.raises(ModelError, match="expected the `path` of a GGUF file, or `minilm`, it is missing"):
        ModelRegistry().make("mood", LocalModelEntry(kind="classifier"))
