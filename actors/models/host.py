"""The inside of a model actor: one model, its life, and a batch of replies for each batch of requests.

    new ──▶ ready ──unload──▶ unloaded ──load, reload──▶ ready
     │        ▲
     └─▶ failed          tried again after `RETRY_LOAD_S`, by the next request, or by `load` and `reload`

The first request loads the model if nobody did before. A model is warmed up before it is `ready`, so that its
first answer takes no longer than later ones; where that fails, the load has failed. A reload that fails leaves
the old model in place. What is wrong is told in `problems` of the stats and in the log; requests get it as the
reason of their failure. How requests wait and run is the matter of `actors.models.dispatch`. Nothing here knows
of Ray.

A model whose `device` names a number of threads has as many cores while it is loaded, if the owner of the
process lets the host bind it: they are taken before the model makes its threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from actors.models.batches import decode_requests, encode_replies
from actors.models.cores import Cores
from actors.models.dispatch import Dispatcher, close, copy, seconds
from actors.models.errors import ModelError
from actors.models.inference import InferenceRequest, Reply
from actors.models.provider import ModelProvider, failure_of
from actors.models.registry import ModelRegistry
from policies.errors import TargetFailed
from policies.file.device import share_of
from policies.file.schema import LocalModelEntry

_log = logging.getLogger(__name__)

type State = Literal["new", "ready", "failed", "unloaded"]

#: requests that may wait
QUEUE_BOUND: Final = 4096
#: seconds after which a model that could not be loaded is tried again
RETRY_LOAD_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStats:
    """How a host is doing. Counts are since it began, but for the first two."""

    model: str
    state: State
    #: of the model; empty if none is loaded
    version: str
    #: why there is no model, or what is wrong with the one there is
    problems: tuple[str, ...]
    #: requests in the queue
    waiting: int
    #: requests that the model has
    in_flight: int
    requests: int
    batches: int
    #: requests of a batch that the model was given
    mean_batch: float
    #: requests that found the queue full
    refused: int
    timed_out: int
    #: requests in one batch and batches at once that the model takes; 0 if none is loaded
    max_batch: int = 0
    concurrency: int = 0


class ModelHost:
    """Holds one model. Safe to use from many threads.

    Args:
        name: of the model in the policy, without `local-`.
        entry: what the policy says of it.
        registry: makes the model.
        queue_bound: requests that may wait.
        clock: seconds that never go back.
        told: told of each batch: its size, and how many seconds it took.
        cores: of this process, which the model has for itself; None: it is bound to none.
    """

    def __init__(
        self,
        name: str,
        entry: LocalModelEntry,
        *,
        registry: ModelRegistry | None = None,
        queue_bound: int = QUEUE_BOUND,
        clock: Callable[[], float] = time.monotonic,
        told: Callable[[int, float], None] = lambda size, took_s: None,
        cores: Cores | None = None,
    ) -> None:
        self._name = name
        self._entry = entry
        self._registry = registry or ModelRegistry()
        self._clock = clock
        self._cores = cores
        self._dispatcher = Dispatcher(name, queue_bound, clock, told)
        #: held while a model is loaded, which may take long, and whenever one of the following changes
        self._loading = threading.RLock()
        self._state: State = "new"
        self._model: ModelProvider | None = None
        #: why the last load failed
        self._failure: TargetFailed | None = None
        self._retry_at = 0.0

    # ------------------------------------------------------------ requests

    def infer(self, batch: bytes) -> bytes:
        """A batch of replies to a batch of requests.

        Raises:
            StorageError: the bytes are no batch of requests.
        """
        return encode_replies(self.answer(decode_requests(batch)))

    def answer(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        """A reply to each of the requests, in their order."""
        if self._model is None:
            patience_s = max((seconds(request.timeout_s) for request in requests), default=0.0)
            refusal = self._first_load(patience_s)
            if refusal is not None:
                return [copy(refusal) for _ in requests]
        return self._dispatcher.answer(requests)

    def cancel(self, ids: Iterable[str]) -> None:
        """Nobody waits for these requests any more."""
        self._dispatcher.cancel(frozenset(ids) - {""})

    # ------------------------------------------------------------ the model

    def load(self) -> HostStats:
        """Load the model, unless it is, and say how things are. Never raises: `problems` say why it is not."""
        with self._loading:
            if self._model is None:
                self._put(self._made(self._entry))
        return self.stats()

    def reload(self, entry: LocalModelEntry | None = None) -> HostStats:
        """Load the model anew, from a new entry if one is given, and put it in the place of the old one.

        Requests go to the old one meanwhile, and afterwards if the new one cannot be loaded: see `problems`.
        """
        with self._loading:
            wanted = entry or self._entry
            made = self._made(wanted)
            if not isinstance(made, TargetFailed):
                self._entry = wanted
            if not isinstance(made, TargetFailed) or self._model is None:
                self._put(made)
        return self.stats()

    def unload(self) -> HostStats:
        """Let go of the model. Requests are refused until the next `load` or `reload`."""
        with self._loading:
            self._failure = None
            self._put(None)
            self._fit(None)
        return self.stats()

    def close(self) -> None:
        """End for good, and what the model is doing with it."""
        model = self._model
        self.unload()
        if model is not None:
            close(model)
        self._dispatcher.shut_down()

    def version(self, patience_s: float) -> str:
        """That of the model; waits so long for one that is being loaded, or is to be. Empty: there is none."""
        model = self._model
        if model is None:
            self._first_load(patience_s)
            model = self._model
        return "" if model is None else model.version

    def stats(self) -> HostStats:
        """How things are."""
        counts, model, failure = self._dispatcher.counts, self._model, self._failure
        problems = () if failure is None else (failure.detail,)
        if self._cores is not None and self._cores.problem is not None:
            problems = (*problems, self._cores.problem)
        return HostStats(
            model=self._name,
            state=self._state,
            version="" if model is None else model.version,
            problems=problems if model is None else (*problems, *model.problems),
            waiting=counts.waiting,
            in_flight=counts.in_flight,
            requests=counts.requests,
            batches=counts.batches,
            mean_batch=counts.batched / counts.batches if counts.batches else 0.0,
            refused=counts.refused,
            timed_out=counts.timed_out,
            max_batch=0 if model is None else model.max_batch,
            concurrency=0 if model is None else model.concurrency,
        )

    def _first_load(self, patience_s: float) -> TargetFailed | None:
        """Load the model if that is due; others wait for whoever does. Answers why there is none, if so."""
        if not self._loading.acquire(timeout=patience_s):
            return TargetFailed("timeout", f"the model `{self._name}` is still being loaded")
        try:
            is_due = self._state == "new" or (self._state == "failed" and self._clock() >= self._retry_at)
            if self._model is None and is_due:
                self._put(self._made(self._entry))
            return None if self._model is not None else self._refusal()
        finally:
            self._loading.release()

    def _refusal(self) -> TargetFailed:
        return self._failure or TargetFailed("connection-refused", f"the model `{self._name}` is not loaded")

    def _made(self, entry: LocalModelEntry) -> ModelProvider | TargetFailed:
        """A model of that entry, loaded and warm, or why there is none."""
        try:
            model = self._warm(entry)
        except ModelError as error:
            failure = TargetFailed("crashed", f"cannot load the model: {error}")
        except Exception as error:
            found = failure_of(error, self._name)
            cause = "crashed" if found.cause == "unknown" else found.cause
            failure = TargetFailed(cause, f"cannot load the model: {found.detail}")
        else:
            self._failure = None
            return model
        _log.warning("%s: %s", self._name, failure.detail)
        self._failure = failure
        self._fit(None if self._model is None else self._entry)
        return failure

    def _fit(self, entry: LocalModelEntry | None) -> None:
        """Have the cores that `entry` wants; None: none."""
        if self._cores is not None:
            self._cores.fit(None if entry is None else share_of(entry.device).threads)
            if entry is not None and self._cores.problem is not None:
                _log.warning("%s: %s", self._name, self._cores.problem)

    def _warm(self, entry: LocalModelEntry) -> ModelProvider:
        self._fit(entry)
        model = self._registry.make(self._name, entry)
        try:
            model.load()
            model.warm_up()
        except BaseException:  # what it holds by now would stay in memory
            close(model)
            raise
        return model

    def _put(self, made: ModelProvider | TargetFailed | None) -> None:
        """Put a model, or why there is none, in the place of what there is."""
        self._model = made if isinstance(made, ModelProvider) else None
        if self._model is not None:
            self._state = "ready"
        elif made is None:
            self._state = "unloaded"
        else:
            self._state = "failed"
            self._retry_at = self._clock() + RETRY_LOAD_S
        self._dispatcher.serve(self._model, self._refusal())
