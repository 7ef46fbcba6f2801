"""A model that tells texts apart by what they mean, without being trained. `kind = "classifier"` in the policy.

    (defn ^{:labels {:glad "thanks and praise" :cross "an angry complaint"}}
      mood [text : string] : [:enum :glad :cross] …)

What it answers are the labels of the return type. `actors.models.embedding.labels` says what they are,
`actors.models.embedding.prototypes` which of them it is. An answer with less confidence than the policy's
`threshold` counts as a guess: it has confidence 0, so that a chain goes on to a better model.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from actors.models.embedding.labels import labels_of
from actors.models.errors import ModelError
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider
from actors.models.texts import text_of
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from rtfs.errors import Generic

if TYPE_CHECKING:
    from actors.models.embedding.embedder import Embedder, Vectors
    from actors.models.embedding.prototypes import Prototypes

#: of the way from vectors to answers
_VERSION: Final = "classifier-1"
#: texts that one batch may have: those that the embedder packs into one step
_MOST_TEXTS: Final = 64
#: functions whose labels are kept as vectors
_KEPT: Final = 1024

#: gives the embedder when the model is loaded; raises ModelError
type Load = Callable[[], Embedder]


class ClassifierModel(ModelProvider):
    """Answers with labels.

    Args:
        id: the model's name.
        load: gives the embedder.
        threshold: an answer with less confidence counts as a guess, 0 to 1.
    """

    max_batch = _MOST_TEXTS

    def __init__(self, id: str, load: Load, *, threshold: float = 0.0) -> None:
        super().__init__(id)
        self._load = load
        self._threshold = threshold
        self._loading = threading.Lock()
        self._embedder: Embedder | None = None
        #: bytes that stand for a function → its labels as vectors
        self._known: dict[bytes, Prototypes] = {}

    @classmethod
    def of(cls, id: str, entry: LocalModelEntry) -> ClassifierModel:
        """The one that a policy describes. Raises ModelError if it names no file."""
        if entry.path is None:
            raise ModelError(f"model `{id}`: expected the `path` of a GGUF file, or `minilm`, it is missing")

        def load() -> Embedder:
            from actors.models.embedding.loading import load_embedder

            return load_embedder(entry)

        return cls(id, load, threshold=entry.threshold)

    @property
    def version(self) -> str:
        """A hash of the file, of the threshold, and of the way to the answers."""
        return self._version_with(self._current())

    def load(self) -> None:
        """Read the file. Raises ModelError if it cannot be used, or llama.cpp is missing."""
        with self._loading:
            if self._embedder is None:
                self._embedder = self._load()

    def warm_up(self) -> None:
        """Embed a first text, which takes longer than any later one."""
        self._current().embed(["warm"])

    def close(self) -> None:
        """Let go of the file."""
        with self._loading:
            embedder, self._embedder = self._embedder, None
        self._known.clear()
        if embedder is not None:
            embedder.close()

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """The label that the request's text is nearest to."""
        (reply,) = self.infer_batch([request])
        if isinstance(reply, TargetFailed):
            raise reply
        return reply

    def infer_batch(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        """The label of each request's text; texts that are the same are looked at once."""
        embedder, began = self._current(), time.perf_counter()
        asked = [self._asked(request, embedder) for request in requests]
        places: dict[str, int] = {}
        for each in asked:
            if not isinstance(each, TargetFailed):
                places.setdefault(each[0], len(places))
        vectors = embedder.embed(list(places))
        version = self._version_with(embedder)
        took_ms = (time.perf_counter() - began) * 1000
        return [
            each
            if isinstance(each, TargetFailed)
            else self._answer(each[1], vectors[[places[each[0]]]], version, took_ms)
            for each in asked
        ]

    def _asked(self, request: InferenceRequest, embedder: Embedder) -> tuple[str, Prototypes] | TargetFailed:
        """The text that is asked about, and what it may be; or why there is no answer."""
        try:
            return text_of(request.args), self._prototypes(request.function, embedder)
        except Generic as error:
            return TargetFailed("bad-request", f"the model `{self.id}`: {error.message}")
        except TargetFailed as failure:
            return failure

    def _prototypes(self, function: FunctionFacts, embedder: Embedder) -> Prototypes:
        key = function.encoded
        known = self._known.get(key)
        if known is None:
            from actors.models.embedding.prototypes import prototypes

            known = prototypes(labels_of(function), embedder)
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = known
        return known

    def _answer(self, known: Prototypes, vector: Vectors, version: str, took_ms: float) -> InferenceResponse:
        (found,) = known.probabilities(vector).tolist()
        confidence = max(found)
        label = known.labels[found.index(confidence)]
        told = confidence if confidence >= self._threshold else 0.0
        told = min(told, 1.0)
        return InferenceResponse(label.value, label.name, told, latency_ms=took_ms, model_version=version)

    def _version_with(self, embedder: Embedder) -> str:
        told = f"{_VERSION} {embedder.version} {self._threshold!r}"
        return hashlib.sha256(told.encode()).hexdigest()

    def _current(self) -> Embedder:
        embedder = self._embedder
        if embedder is None:
            raise TargetFailed("connection-refused", f"the model `{self.id}` is not loaded")
        return embedder
