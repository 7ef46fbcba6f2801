"""Puts the concrete parts of a runtime together for those who start it."""

from __future__ import annotations

import asyncio
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import override

from actors import Runtime, names
from actors.control.spec import MOST_RUNS
from actors.evaluator.connected import ConnectedEvaluator
from actors.evaluator.evaluator import EvaluatorBusy
from actors.ray_service import RayService, RuntimeGone, with_trace
from actors.requests import RunReply, RunRequest
from actors.service import BusyError, RuntimeStatus

_log = logging.getLogger("rtfs.http")

#: when it is worth asking again after this process was busy, seconds
_BUSY_S = 1.0


class HttpService(RayService):
    """A runtime as a replica of the HTTP application sees it: what is evaluated at once, runs in the replica.

    So a request costs no hop to another process. All else is done by the runtime's actors.
    """

    def __init__(self, namespace: str, evaluators: int, *, most_runs: int = MOST_RUNS) -> None:
        super().__init__(namespace, evaluators)
        self.connected = ConnectedEvaluator(
            namespace, process=f"http-{uuid.uuid4().hex[:8]}", entry="http", most_runs=most_runs
        )
        self._evaluator = self.connected.evaluator
        self._threads = ThreadPoolExecutor(most_runs, thread_name_prefix="rtfs-run")

    @override
    async def evaluate(self, request: RunRequest) -> RunReply:
        request = with_trace(request)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._evaluator.run, request)
        except EvaluatorBusy as busy:
            raise BusyError(str(busy), _BUSY_S) from busy
        except asyncio.CancelledError:
            self._evaluator.cancel(request.run_id, "whoever asked has gone")
            raise

    @override
    async def status(self) -> RuntimeStatus:
        status = await super().status()
        stats = self._evaluator.stats()
        busy = stats.running >= stats.most_runs
        state = "degraded: as many programs run as may" if busy else "up"
        return RuntimeStatus(ready=status.ready, parts={**status.parts, "http": state})

    def close(self) -> None:
        """End the threads of this process."""
        self.connected.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


async def http_service(
    namespace: str, policy: str | None, state_dir: str | None, evaluators: int
) -> HttpService:
    """The service of one replica; it starts the runtime if that is not there.

    Args:
        namespace: name of the runtime.
        policy: path of the policy file, for a runtime that is not there yet.
        state_dir: where such a runtime keeps its state.
        evaluators: processes that run tickets.

    Raises:
        PolicyFileError, TimeoutError: as `Runtime.start`.
    """
    name = namespace or names.DEFAULT_RUNTIME

    def started() -> tuple[str, int]:
        try:
            runtime = Runtime.connect(name=name)  # whatever policy lies here, it has one
        except RuntimeGone:
            runtime = Runtime.start(
                policy,
                name=name,
                state_dir=state_dir,
                evaluators=evaluators,
                detached=True,
            )
        return runtime.spec.namespace, runtime.spec.evaluators

    loop = asyncio.get_running_loop()
    space, number = await loop.run_in_executor(None, started)
    service = await loop.run_in_executor(None, lambda: HttpService(space, number))
    _log.info("this replica evaluates programs for %s", space)
    return service
