"""Delegated calls in one process: a policy, real model hosts on threads, a transport that the test governs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from actors.delegation.delegation import Delegation
from actors.delegation.model_calls import Done, ModelCalls, ModelRunner
from actors.delegation.runners import Runners
from actors.evaluator.evaluator import Evaluator
from actors.models.batches import decode_requests
from actors.models.host import ModelHost
from actors.models.registry import local_models
from actors.policy.state import PolicyState
from actors.requests import RunReply, RunRequest
from policies.errors import TargetFailed
from policies.running.runner import Clock
from rtfs.overlap import wait_for

#: longest wait for something that has to happen
PATIENCE_S = 20.0

ECHO = """
[delegation]
[delegation.local_models]
echo = { kind = "echo" }
[[delegation.rules]]
symbols = ["f"]
targets = ["local-echo"]
"""


class Threads:
    """A transport: each batch is answered on a thread, by the host of its replica or however the test says."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ("echo-0",)
        self.hosts: dict[str, ModelHost] = {}
        #: replica and size of each batch, in the order in which they were sent
        self.sent: list[tuple[str, int]] = []
        self.cancelled: list[tuple[str, tuple[str, ...]]] = []
        #: ids of the requests of each batch
        self.ids: list[list[str]] = []
        #: what answers instead of the host
        self.answer: Callable[[str, bytes], bytes | TargetFailed] | None = None
        #: while it is closed no batch is answered
        self.gate = threading.Event()
        self.gate.set()
        self.has_sent = threading.Semaphore(0)
        self.has_cancelled = threading.Semaphore(0)
        self._pool = ThreadPoolExecutor(32)

    def replicas(self, model: str) -> Sequence[str]:
        return self.names

    def exchange(self, replica: str, batch: bytes, timeout_s: float) -> bytes | TargetFailed:
        found: list[bytes | TargetFailed] = []

        def start(wake: Callable[[], None]) -> None:
            def done(answer: bytes | TargetFailed) -> None:
                found.append(answer)
                wake()

            self.send(replica, batch, done)

        if not wait_for(start, timeout_s):
            return TargetFailed("timeout", "too late")
        return found[0]

    def send(self, replica: str, batch: bytes, done: Done) -> None:
        requests = decode_requests(batch)
        self.sent.append((replica, len(requests)))
        self.ids.append([request.id for request in requests])
        self._pool.submit(self._deliver, replica, batch, done)
        self.has_sent.release()

    def cancel(self, replica: str, ids: Sequence[str]) -> None:
        self.cancelled.append((replica, tuple(ids)))
        self.has_cancelled.release()

    def _deliver(self, replica: str, batch: bytes, done: Done) -> None:
        assert self.gate.wait(PATIENCE_S)
        try:
            answer = self.hosts[replica].infer(batch) if self.answer is None else self.answer(replica, batch)
        except BaseException as error:
            done(TargetFailed("crashed", f"{type(error).__name__} in {replica}"))
            return
        done(answer)

    @property
    def sizes(self) -> list[int]:
        return [size for _, size in self.sent]

    def close(self) -> None:
        self.gate.set()
        self._pool.shutdown()
        for host in self.hosts.values():
            host.close()


class Told:
    """An announcer that keeps what it is told."""

    def __init__(self) -> None:
        self.news: list[tuple[str, str, dict[str, Any]]] = []

    def publish(
        self, topic: str, key: str, data: Mapping[str, Any], tenant: str | None = None, *, ended: bool = False
    ) -> None:
        self.news.append((topic, key, dict(data)))

    @property
    def circuits(self) -> list[tuple[str, str]]:
        return [(key, data["circuit"]) for topic, key, data in self.news if topic == "health"]


class Setting:
    """An evaluator whose delegated calls go over a `Threads`."""

    def __init__(self, policy: str = ECHO, **more: Any) -> None:
        self.transport = Threads()
        self.models = ModelRunner(self.transport)
        self.told = Told()
        self.skew_s = 0.0
        more.setdefault("announcer", self.told)
        self.delegation = Delegation(
            PolicyState(text=policy, source="p.toml", number=1),
            lambda current: Runners(current, self.models, {}),
            Clock(monotonic=time.monotonic, wall=lambda: time.time() + self.skew_s),
            **more,
        )
        self.evaluator = Evaluator(self.delegation, capabilities={"t.effect": lambda: None})
        settings = self.delegation.holder.policy.settings
        self.entries = local_models(settings, Path())
        self.have_replicas(1)

    def have_replicas(self, count: int) -> None:
        """Give the model `echo` so many replicas."""
        self.transport.names = tuple(f"echo-{number}" for number in range(count))
        for name in self.transport.names:
            self.transport.hosts.setdefault(name, ModelHost("echo", self.entries["echo"]))

    def run(self, source: str, **more: Any) -> RunReply:
        return self.evaluator.run(RunRequest(source=source, **more))

    def calls(self, model: str = "echo") -> ModelCalls:
        return self.models._calls[model]

    def close(self) -> None:
        """End everything; nothing must be under way then."""
        self.evaluator.cancel_all("the test is over")
        self.transport.close()
        self.delegation.close()
        for calls in self.models._calls.values():
            assert (calls._under_way, calls._gathered) == (0, [])
            assert [each.under_way for each in calls._replicas.values()] == [0] * len(calls._replicas)


@pytest.fixture
def settings() -> Iterator[Callable[..., Setting]]:
    """Makes settings, and sees to it at the end that they left nothing behind."""
    made: list[Setting] = []

    def make(*args: Any, **more: Any) -> Setting:
        made.append(Setting(*args, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def setting(settings: Callable[..., Setting]) -> Setting:
    return settings()
