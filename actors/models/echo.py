"""A model that answers with what it is asked: for trials, tests and measurements.

One argument comes back as it is, several as a vector of them, and none as an empty vector. Whether that is of
the function's type is for whoever asked to find out.

It takes as long as it is told to, once for a batch, since a real model works on a batch as a whole. And it
fails as often as it is told to, evenly: of any `n` requests in a row the share `fail_rate` fails, give or take
one, and the same ones each time it is started.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from actors.models.inference import InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from rtfs.values import Vector

_VERSION: Final = "echo-1"


class EchoModel(ModelProvider):
    """Answers with its arguments.

    Args:
        id: the model's name.
        latency_ms: how long a batch takes.
        fail_rate: the share of requests that fails, 0 to 1.
    """

    max_batch = 1024
    concurrency = 64  # it only waits

    def __init__(self, id: str, *, latency_ms: float = 0.0, fail_rate: float = 0.0) -> None:
        super().__init__(id)
        self._latency_s = latency_ms / 1000
        self._fail_rate = fail_rate
        self._asked = 0
        self._counting = threading.Lock()
        self._closed = threading.Event()

    @classmethod
    def of(cls, id: str, entry: LocalModelEntry) -> EchoModel:
        """The one that a policy describes."""
        return cls(id, latency_ms=entry.latency_ms or 0.0, fail_rate=entry.fail_rate)

    @property
    def version(self) -> str:
        """Always the same: so are its answers."""
        return _VERSION

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """The request's arguments."""
        (reply,) = self.infer_batch([request])
        if isinstance(reply, TargetFailed):
            raise reply
        return reply

    def infer_batch(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
        """The arguments of each request."""
        began = time.perf_counter()
        fails = self._fails(len(requests))
        latency_s = self._latency_s
        if latency_s:
            longest_s = max((request.timeout_s for request in requests), default=0.0)
            self._closed.wait(max(0.0, min(latency_s, longest_s)))
        if self._closed.is_set():
            return [TargetFailed("connection-lost", f"the model `{self.id}` was unloaded") for _ in requests]
        took_ms = (time.perf_counter() - began) * 1000
        return [self._answer(request, took_ms, fail) for request, fail in zip(requests, fails, strict=True)]

    def close(self) -> None:
        """End what waits."""
        self._closed.set()

    def _answer(self, request: InferenceRequest, took_ms: float, fail: bool) -> Reply:
        if self._latency_s > request.timeout_s:
            return TargetFailed("timeout", f"the model `{self.id}` takes {self._latency_s * 1000:g} ms")
        if fail:
            return TargetFailed("server-error", f"the model `{self.id}` fails on purpose: `fail_rate`")
        value = request.args[0] if len(request.args) == 1 else Vector([*request.args])
        text = value if isinstance(value, str) else None
        return InferenceResponse(value, text, latency_ms=took_ms, model_version=_VERSION)

    def _fails(self, count: int) -> list[bool]:
        """Whether each of the next requests fails: those where the share's multiples reach a whole number."""
        if not self._fail_rate:
            return [False] * count
        with self._counting:
            start = self._asked
            self._asked += count
        multiples = [int((start + at) * self._fail_rate) for at in range(count + 1)]
        return [after > before for before, after in pairwise(multiples)]
