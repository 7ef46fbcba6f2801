"""Calls of the models on this cluster: gathered into batches, sent to the replica with the least under way.

    DelegatedCall ─▶ ModelRunner.run ─▶ ModelCalls.ask ─┐ parts wait
                                                        ├─▶ batch ─▶ replica of the model
    DelegatedCall ─▶ ModelRunner.run ─▶ ModelCalls.ask ─┘

Nothing waits for a batch to fill: what has gathered is sent when all parts of a run wait (`when_idle`), which
is at once for a single call, and earlier when it fills a batch. So a batch holds what a program asks for at the
same time, and batching costs no time. What travels at once is bounded for each model; one call more is refused
as `overloaded`, and the chain goes on.

A `Transport` is how batches travel: Ray's actors in earnest, a queue in tests.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Protocol

from actors.models.batches import decode_replies, encode_requests
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse, Reply
from policies.errors import NotSent, TargetFailed
from policies.running.runner import Allowance, Outcome
from rtfs.delegation import ExecTarget, FunctionInfo, LocalModel
from rtfs.errors import StorageError
from rtfs.overlap import nothing_overlaps, wait_for, when_idle
from rtfs.values import Value

#: requests in one batch: as many as make the cost of a message small beside that of its contents
MOST_IN_BATCH: Final = 64
#: requests of one process that are with a model or on their way there
MOST_UNDER_WAY: Final = 4096

#: called once with the answer to a batch, or with why there is none; from any thread
type Done = Callable[[bytes | TargetFailed], None]


class Transport(Protocol):
    """How batches reach the replicas of a model."""

    def replicas(self, model: str) -> Sequence[str]:
        """Names of the replicas of `model` that there are now; none if it is not running."""

    def send(self, replica: str, batch: bytes, done: Done) -> None:
        """Send a batch. Never raises: what goes wrong is told to `done`."""

    def exchange(self, replica: str, batch: bytes, timeout_s: float) -> bytes | TargetFailed:
        """Send a batch and wait for the answer, holding the thread: faster where nothing else could use it.

        Raises:
            LimitError: the run must stop.
        """

    def cancel(self, replica: str, ids: Sequence[str]) -> None:
        """Say that nobody waits for these requests any more."""


@dataclass(slots=True, eq=False)
class _Asked:
    """A request under way."""

    request: InferenceRequest
    wake: Callable[[], None]
    reply: Reply | None = None
    #: where it was sent
    replica: str | None = None


@dataclass(slots=True, eq=False)
class _Replica:
    under_way: int = 0


@dataclass(slots=True, eq=False)
class ModelCalls:
    """The calls of one model from this process. Safe to use from many threads."""

    model: str
    transport: Transport
    _gathered: list[_Asked] = field(default_factory=list)
    _replicas: dict[str, _Replica] = field(default_factory=dict)
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, request: InferenceRequest) -> InferenceResponse:
        """The model's answer. The part under way waits for it, and others go on meanwhile.

        Raises:
            TargetFailed: there is none.
            LimitError: the run must stop.
        """
        asked: _Asked | None = None

        def start(wake: Callable[[], None]) -> Callable[[], None]:
            nonlocal asked
            asked = made = _Asked(request, wake)
            self._gather(made)
            if nothing_overlaps():
                self.send(holding_s=request.timeout_s)
            elif len(self._gathered) >= MOST_IN_BATCH:  # more would not travel with it
                self.send()
            else:
                when_idle(self.send)
            return lambda: self._give_up(made)

        in_time = wait_for(start, request.timeout_s)
        assert asked is not None
        if not in_time:
            self._give_up(asked)
            raise TargetFailed("timeout", f"no answer within {request.timeout_s:g} s")
        reply = asked.reply
        assert reply is not None
        if isinstance(reply, TargetFailed):
            raise reply
        return reply

    def _gather(self, asked: _Asked) -> None:
        with self._lock:
            if self._under_way < MOST_UNDER_WAY:
                self._under_way += 1
                self._gathered.append(asked)
                return
        detail = f"{MOST_UNDER_WAY} calls of `{self.model}` are under way already"
        asked.reply = NotSent("overloaded", detail)
        asked.wake()

    def send(self, *, holding_s: float | None = None) -> None:
        """Send what has gathered; with `holding_s` wait for the answers that long before anything else."""
        with self._lock:
            gathered, self._gathered = self._gathered, []
        for first in range(0, len(gathered), MOST_IN_BATCH):
            self._send(gathered[first : first + MOST_IN_BATCH], holding_s)

    def _send(self, batch: list[_Asked], holding_s: float | None = None) -> None:
        try:
            data = encode_requests([each.request for each in batch])
        except StorageError as error:
            self._one_by_one(batch, error)
            return
        found = self._replica(len(batch))
        if found is None:
            self._failed(batch, TargetFailed("connection-refused", f"model `{self.model}` is not running"))
            return
        name, replica = found
        for each in batch:
            each.replica = name
        if holding_s is None:
            self.transport.send(name, data, lambda answer: self._answered(replica, batch, answer))
        else:
            self._exchange(replica, name, data, batch, holding_s)

    def _exchange(
        self, replica: _Replica, name: str, data: bytes, batch: list[_Asked], holding_s: float
    ) -> None:
        answer: bytes | TargetFailed = TargetFailed("cancelled", "nobody waits for the answer any more")
        try:
            answer = self.transport.exchange(name, data, holding_s)
            if isinstance(answer, TargetFailed) and answer.cause == "timeout":
                self.transport.cancel(name, [each.request.id for each in batch])
        except BaseException:  # the run must stop
            self.transport.cancel(name, [each.request.id for each in batch])
            raise
        finally:
            self._answered(replica, batch, answer)

    def _one_by_one(self, batch: list[_Asked], error: StorageError) -> None:
        """Something in the batch cannot be sent: that request fails, the others go by themselves."""
        if len(batch) == 1:
            self._failed(batch, TargetFailed("bad-request", error.text()))
            return
        for each in batch:
            self._send([each])

    def _replica(self, calls: int) -> tuple[str, _Replica] | None:
        """The replica with the least under way, which `calls` more are now."""
        names = self.transport.replicas(self.model)
        if not names:
            return None
        with self._lock:
            self._replicas = {name: self._replicas.get(name) or _Replica() for name in names}
            name = min(names, key=lambda name: self._replicas[name].under_way)
            replica = self._replicas[name]
            replica.under_way += calls
        return name, replica

    def _answered(self, replica: _Replica, batch: list[_Asked], answer: bytes | TargetFailed) -> None:
        with self._lock:
            replica.under_way -= len(batch)
        if isinstance(answer, TargetFailed):
            self._failed(batch, answer)
            return
        try:
            replies = decode_replies(answer)
        except StorageError as error:
            self._failed(batch, TargetFailed("bad-reply", error.text()))
            return
        if len(replies) != len(batch):
            detail = f"{len(replies)} answers to {len(batch)} requests"
            self._failed(batch, TargetFailed("bad-reply", detail))
            return
        self._ended(batch, replies)

    def _failed(self, batch: list[_Asked], failure: TargetFailed) -> None:
        cause, detail, retry_after_s = failure.cause, failure.detail, failure.retry_after_s
        # one for each call: an exception that is raised in several parts would collect all their tracebacks
        self._ended(batch, [TargetFailed(cause, detail, retry_after_s=retry_after_s) for _ in batch])

    def _ended(self, batch: list[_Asked], replies: Sequence[Reply]) -> None:
        with self._lock:
            self._under_way -= len(batch)
        for asked, reply in zip(batch, replies, strict=True):
            asked.reply = reply
            asked.wake()

    def _give_up(self, asked: _Asked) -> None:
        """Nobody waits for the answer any more."""
        with self._lock:
            if asked in self._gathered:
                self._gathered.remove(asked)
                self._under_way -= 1
        if asked.replica is not None:
            self.transport.cancel(asked.replica, [asked.request.id])


class ModelRunner:
    """A `policies.running.runner.Runner` for all models of this cluster."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._calls: dict[str, ModelCalls] = {}
        self._lock = threading.Lock()
        self._prefix = secrets.token_hex(6)
        self._numbers = count()

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        """Ask the model that `target` names.

        Raises:
            TargetFailed: it gave no answer.
            LimitError: the run must stop.
        """
        assert isinstance(target, LocalModel)
        request = InferenceRequest(
            function=FunctionFacts.of(function),
            args=args,
            id=f"{self._prefix}-{next(self._numbers)}",
            timeout_s=allowance.timeout_s,
            max_cost_usd=allowance.max_cost_usd,
            tenant=allowance.facts.tenant or "",
        )
        response = self._of(target.id).ask(request)
        return Outcome(
            value=response.value,
            cost_usd=response.cost_usd,
            confidence=response.confidence,
            version=response.model_version,
        )

    def _of(self, model: str) -> ModelCalls:
        calls = self._calls.get(model)
        if calls is None:
            with self._lock:
                calls = self._calls.setdefault(model, ModelCalls(model, self._transport))
        return calls
