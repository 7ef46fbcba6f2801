"""A model that generates text, out of a GGUF file. `kind = "gguf"` in the policy.

Its answers are constrained to the return type by a grammar, so they are values of that type or, where they
are cut off, failures. A file is checked before llama.cpp sees it, since llama.cpp ends the process over some
that are broken; what it still may do, a model actor bears.
"""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from actors.models.errors import ModelError
from actors.models.generation.runtime import llama
from actors.models.inference import InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider, text_request
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from rtfs.printer import pr_str

if TYPE_CHECKING:
    from actors.models.generation.answering import Answering


class GgufModel(ModelProvider):
    """Answers with what a model generates.

    Args:
        id: the model's name.
        entry: of the policy.
        clock: seconds that never go back.
    """

    def __init__(self, id: str, entry: LocalModelEntry, *, clock: Callable[[], float] = time.monotonic) -> None:
        if entry.path is None:
            raise ModelError(f"model `{id}`: expected the `path` of a GGUF file, it is missing")
        super().__init__(id)
        self.max_batch = self.concurrency = entry.parallel
        self._entry = entry
        self._path = Path(entry.path)
        self._clock = clock
        self._loading = threading.Lock()
        self._loaded: Answering | None = None

    @classmethod
    def of(cls, id: str, entry: LocalModelEntry) -> GgufModel:
        """The one that a policy describes. Raises ModelError if it names no file."""
        return cls(id, entry)

    @property
    def version(self) -> str:
        """The SHA-256 of the file, and behind a dash that of the settings and of how prompts are written."""
        return self._current().version

    @property
    def problems(self) -> tuple[str, ...]:
        """What the policy asks for and does not get."""
        loaded = self._loaded
        return () if loaded is None else loaded.problems

    def load(self) -> None:
        """Read the file.

        Raises:
            ModelError: it cannot be used, or llama.cpp is missing.
            TargetFailed: there is not enough memory for it, `out-of-memory`.
        """
        with self._loading:
            if self._loaded is None:
                # before anything that needs what comes with it
                llama()
                from actors.models.generation.loading import load

                self._loaded = load(self.id, self._path, self._entry, self._clock)

    def close(self) -> None:
        """Let go of the model; answers under way end as failures."""
        with self._loading:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.engine.close()

    def cancel(self, ids: frozenset[str]) -> None:
        """Give up answers under way; their slots are free with the next token."""
        loaded = self._loaded
        if loaded is not None:
            loaded.engine.cancel(ids)

    def warm_up(self) -> None:
        """Let the model say a first token, which takes longer than any later one."""
        loaded = self._current()
        loaded.engine.run([loaded.first_job()])

    def _current(self) -> Answering:
        loaded = self._loaded
        if loaded is None:
            raise TargetFailed("connection-refused", f"the model `{self.id}` is not loaded")
        return loaded

    # ------------------------------------------------------------ requests

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer one request."""
        (reply,) = self.infer_batch([request])
        if isinstance(reply, TargetFailed):
            raise reply
        return reply

    def infer_batch(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        """A reply for each of the requests; `parallel` answers are generated at once."""
        loaded = self._current()
        asked = [loaded.ask(request) for request in requests]
        loaded.engine.run([each.job for each in asked if not isinstance(each, TargetFailed)])
        return [each if isinstance(each, TargetFailed) else loaded.reply(each) for each in asked]

    def infer_text(self, prompt: str) -> str:
        """The answer to a text, as a text."""
        value = self.infer(text_request(prompt)).value
        return value if isinstance(value, str) else pr_str(value)

    def stream(self, request: InferenceRequest) -> Generator[str, None, InferenceResponse]:
        """The text of the answer, JSON of the return type, piece by piece, and at its end the response.

        Raises:
            TargetFailed: as `infer` does, after what there is of the answer.
        """
        loaded = self._current()
        asked = loaded.ask(request)
        if isinstance(asked, TargetFailed):
            raise asked
        job, engine = asked.job, loaded.engine
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        engine.submit([job])
        told = 0
        try:
            while not (job.is_over and told == len(job.text)):
                engine.advance(partial(job.has_more, told))
                piece = bytes(job.text[told:])
                told += len(piece)
                if text := decoder.decode(piece):
                    yield text
        finally:
            if not job.is_over:  # whoever asked has gone
                engine.give_up([job])
                engine.advance(lambda: job.is_over)
        reply = loaded.reply(asked)
        if isinstance(reply, TargetFailed):
            raise reply
        return reply
