"""A model that answers with the vector of what it is asked. `kind = "embedder"` in the policy.

    (defn meaning "Where a text stands among others." [text : string] : [:vector float])

Vectors are of length 1, so the sum of the products of two of them is their cosine. Several arguments are one
text, a line each; values other than strings are as they are printed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from actors.models.errors import ModelError
from actors.models.inference import InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider
from actors.models.texts import text_of
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from rtfs.values import Vector

if TYPE_CHECKING:
    from actors.models.embedding.embedder import Embedder

#: texts that one batch may have: those that the embedder packs into one step
_MOST_TEXTS: Final = 64


class EmbedderModel(ModelProvider):
    """Answers with vectors.

    Args:
        id: the model's name.
        entry: of the policy; its `path` is a GGUF file, or `minilm` for the one that comes along.
    """

    max_batch = _MOST_TEXTS

    def __init__(self, id: str, entry: LocalModelEntry) -> None:
        if entry.path is None:
            raise ModelError(f"model `{id}`: expected the `path` of a GGUF file, or `minilm`, it is missing")
        super().__init__(id)
        self._entry = entry
        self._loading = threading.Lock()
        self._embedder: Embedder | None = None

    @property
    def version(self) -> str:
        """The SHA-256 of the file."""
        return self._current().version

    def load(self) -> None:
        """Read the file. Raises ModelError if it cannot be used, or llama.cpp is missing."""
        with self._loading:
            if self._embedder is None:
                from actors.models.embedding.loading import load_embedder

                self._embedder = load_embedder(self._entry)

    def warm_up(self) -> None:
        """Embed a first text, which takes longer than any later one."""
        self._current().embed(["warm"])

    def close(self) -> None:
        """Let go of the file."""
        with self._loading:
            embedder, self._embedder = self._embedder, None
        if embedder is not None:
            embedder.close()

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """The vector of the request's text."""
        (reply,) = self.infer_batch([request])
        if isinstance(reply, TargetFailed):
            raise reply
        return reply

    def infer_batch(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        """The vector of each request's text."""
        embedder, began = self._current(), time.perf_counter()
        vectors = embedder.embed([text_of(request.args) for request in requests]).tolist()
        took_ms = (time.perf_counter() - began) * 1000
        return [
            InferenceResponse(Vector(vector), latency_ms=took_ms, model_version=embedder.version)
            for vector in vectors
        ]

    def _current(self) -> Embedder:
        embedder = self._embedder
        if embedder is None:
            raise TargetFailed("connection-refused", f"the model `{self.id}` is not loaded")
        return embedder
