"""The actor of an evaluator: requests in, replies out, both as bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import ray

from actors import names
from actors.control.spec import MOST_RUNS
from actors.options import actor_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.caches.layer import CacheStats
    from actors.evaluator.evaluator import EvaluatorStats

#: threads beside those of runs, for questions and cancellations
_SPARE: Final = 8


class EvaluatorActor:
    """Runs programs for a runtime. Its methods are called on many threads at once."""

    def __init__(self, name: str, namespace: str, most_runs: int, memory_bytes: int | None) -> None:
        # whoever starts evaluators need not wait for all that they are made of
        from actors.evaluator.connected import ConnectedEvaluator
        from actors.evaluator.memory import MemoryWatch
        from actors.telemetry import logs

        logs.configure(os.environ)
        self._connected = ConnectedEvaluator(namespace, process=name, most_runs=most_runs)
        self._evaluator = self._connected.evaluator
        self._watch = MemoryWatch(memory_bytes, self._evaluator.cancel_all)

    def run(self, data: bytes) -> bytes:
        """Run a `RunRequest`; a `RunReply`.

        Raises:
            EvaluatorBusy: as many run as may.
        """
        from actors.requests import RunReply, RunRequest
        from rtfs import errors

        try:
            request = RunRequest.decode(data)
        except errors.StorageError as error:
            return RunReply(run_id="", status="failed", error=error).encode()
        return self._evaluator.run(request).encode()

    def cancel(self, run_id: str, reason: str = "cancelled") -> bool:
        """Stop a run; whether it was under way."""
        return self._evaluator.cancel(run_id, reason)

    def stats(self) -> EvaluatorStats:
        """How busy it is; also the answer to whether it lives."""
        return self._evaluator.stats()

    def cache_stats(self) -> Mapping[str, CacheStats]:
        """What the caches of this process did, by tier."""
        return self._connected.cache_stats()

    def process(self) -> int:
        """The id of its process."""
        return os.getpid()


def evaluator_actor(
    number: int, namespace: str, *, most_runs: int = MOST_RUNS, memory_bytes: int | None = None
) -> Any:
    """The actor of evaluator `number`, started if it is not there.

    Its calls are not repeated by Ray: what may be run twice, whoever asked decides.
    """
    name = names.evaluator(number)
    options = actor_options(
        name, namespace, concurrency=most_runs + _SPARE, max_task_retries=0, scheduling_strategy="SPREAD"
    )
    return ray.remote(EvaluatorActor).options(**options).remote(name, namespace, most_runs, memory_bytes)
