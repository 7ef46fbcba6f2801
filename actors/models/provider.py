"""What every model is: something that answers requests, whatever is inside.

A `ModelProvider` is used by several threads at once. It is asked only after `load` and before `close`, with at
most `concurrency` batches under way and at most `max_batch` requests in each. Whoever owns it sees to that:
`actors.models.host` in an actor, a `with` block in a program of one's own.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse, Reply
from policies.errors import TargetFailed
from rtfs.printer import pr_str

_log = logging.getLogger(__name__)

#: what `infer_text` asks
_PROMPT: Final = FunctionFacts(
    symbol="prompt", parameters=("text",), parameter_types=("string",), return_type="string"
)


class ModelProvider(ABC):
    """A model. A kind of model fills in `version` and `infer`, and what else it does in a way of its own.

    Args:
        id: the model's name in the policy, without `local-`.
    """

    #: requests that it takes in one batch
    max_batch: int = 1
    #: batches that it works on at once
    concurrency: int = 1

    def __init__(self, id: str) -> None:
        self.id = id

    @property
    @abstractmethod
    def version(self) -> str:
        """A hash of all that its answers depend on. Changes when they may."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with a model that answers all the same, one line each."""
        return ()

    @abstractmethod
    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer one request.

        Raises:
            TargetFailed: it cannot.
        """

    def infer_batch(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        """A reply for each of the requests, in their order."""
        return [self._reply(request) for request in requests]

    def infer_text(self, prompt: str) -> str:
        """The answer to a text, as a text.

        Raises:
            TargetFailed: there is none.
        """
        response = self.infer(text_request(prompt))
        if response.text is not None:
            return response.text
        return response.value if isinstance(response.value, str) else pr_str(response.value)

    def load(self) -> None:  # noqa: B027 - not every model has something to load
        """Get ready to answer; does nothing the second time.

        Raises:
            ModelError: its file cannot be used.
        """

    def warm_up(self) -> None:  # noqa: B027 - not every model is slow at first
        """Do once what a first request would do more slowly than later ones. After `load`.

        Raises:
            TargetFailed, ModelError: it cannot answer.
        """

    def cancel(self, ids: frozenset[str]) -> None:  # noqa: B027 - it may save nothing
        """Give up requests under way, as far as that saves anything; nobody waits for their replies."""

    def close(self) -> None:  # noqa: B027 - not every model holds something
        """Let go of everything, once or twice. Requests under way end soon, as failures if need be."""

    def __enter__(self) -> Self:
        self.load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reply(self, request: InferenceRequest) -> Reply:
        try:
            return self.infer(request)
        except Exception as error:
            return failure_of(error, self.id)


def text_request(prompt: str) -> InferenceRequest:
    """What `infer_text` asks."""
    return InferenceRequest(_PROMPT, (prompt,))


def failure_of(error: Exception, model: str) -> TargetFailed:
    """What a request failed for, from what the model raised; what it should not have raised is logged.

    The text of such an exception may hold data of the call, so only its kind and its place are told.
    """
    if isinstance(error, TargetFailed):
        return error
    if isinstance(error, MemoryError):
        return TargetFailed("out-of-memory", f"the model `{model}` ran out of memory")
    kind = type(error).__name__
    _log.warning("the model `%s` raised %s %s", model, kind, _place(error))
    return TargetFailed("unknown", f"{kind} in the model `{model}`")


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
