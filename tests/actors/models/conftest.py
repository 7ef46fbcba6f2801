"""A model that answers when the test lets it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider

#: longest wait for something that has to happen
PATIENCE_S = 20.0
FUNCTION = FunctionFacts(symbol="f")


class Gated(ModelProvider):
    """Notes each batch, then waits until it is let go. Answers with the argument, or raises it."""

    def __init__(self, max_batch: int = 4, concurrency: int = 1) -> None:
        super().__init__("gated")
        self.max_batch, self.concurrency = max_batch, concurrency
        self.batches: list[list[Any]] = []
        self.timeouts: list[float] = []
        self.cancelled: list[frozenset[str]] = []
        self.threads: set[str] = set()
        self.running = self.most_running = 0
        self.closed = threading.Event()
        self._gate = threading.Semaphore(0)
        self._changed = threading.Condition()

    @property
    def version(self) -> str:
        return "gated-1"

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        raise AssertionError("expected batches only")

    def infer_batch(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        asked = [request.args[0] for request in requests]
        with self._changed:
            self.batches.append(asked)
            self.timeouts += [request.timeout_s for request in requests]
            self.threads.add(threading.current_thread().name)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            self._changed.notify_all()
        assert self._gate.acquire(timeout=PATIENCE_S)
        with self._changed:
            self.running -= 1
        for each in asked:
            if isinstance(each, BaseException):
                raise each
        return [InferenceResponse(each) for each in asked]

    def cancel(self, ids: frozenset[str]) -> None:
        self.cancelled.append(ids)

    def close(self) -> None:
        self.closed.set()

    def let_go(self, batches: int = 1) -> None:
        """Let so many batches be answered."""
        self._gate.release(batches)

    def has_begun(self, batches: int) -> list[list[Any]]:
        """The batches, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.batches) >= batches, PATIENCE_S)
            return list(self.batches)


def requests(
    *args: Any, tenant: str = "", timeout_s: float = 60.0, ids: bool = False
) -> list[InferenceRequest]:
    return [
        InferenceRequest(FUNCTION, (arg,), id=f"id-{arg}" if ids else "", tenant=tenant, timeout_s=timeout_s)
        for arg in args
    ]


def outcomes(replies: Sequence[Reply]) -> list[Any]:
    """Values, and causes of failures."""
    return [reply.value if isinstance(reply, InferenceResponse) else f"!{reply.cause}" for reply in replies]


@pytest.fixture
def gated() -> type[Gated]:
    return Gated


@pytest.fixture
def asking() -> Callable[..., list[InferenceRequest]]:
    return requests


@pytest.fixture
def told() -> Callable[[Sequence[Reply]], list[Any]]:
    return outcomes


@pytest.fixture
def callers() -> Iterator[Callable[..., Future[Any]]]:
    """Starts a call in a thread of its own, whose end the test waits for at the latest when it ends."""
    with ThreadPoolExecutor(32, thread_name_prefix="caller") as pool:
        yield pool.submit
