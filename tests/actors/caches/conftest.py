"""Calls, answers and folders for the tests of caches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.caches.keys import FunctionKey, InferenceCall, ModelKey, Scope
from actors.caches.l2.change import Put
from actors.caches.l2.payload import stored_form
from actors.caches.layer import Item
from rtfs.ir_codec import encode_value

FUNCTION = FunctionKey(symbol="mail/subject", ir_hash="a" * 64, parameter_types=("string",))


class Clocks:
    """Time of day and a monotonic clock, set by hand."""

    def __init__(self) -> None:
        self.day = 1_800_000_000.0
        self.machine = 1000.0

    def wall(self) -> float:
        return self.day

    def monotonic(self) -> float:
        return self.machine

    def pass_by(self, seconds: float) -> None:
        self.day += seconds
        self.machine += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def call() -> Callable[..., InferenceCall]:
    """Makes calls: `call(1, model="local-b", version="2", tenant="acme")`."""

    def made(
        *args: Any, model: str = "local-a", version: str = "1", tenant: str | None = None
    ) -> InferenceCall:
        return InferenceCall(FUNCTION, ModelKey(target=model, version=version), Scope(tenant), args)

    return made


@pytest.fixture
def item() -> Callable[..., Item]:
    """Makes answers to a call."""

    def made(call: InferenceCall, value: Any, **changes: Any) -> Item:
        return Item(value=value, origin=call.origin, **changes)

    return made


@pytest.fixture
def put() -> Callable[..., Put]:
    """Makes answers as they travel to the writer."""

    def made(call: InferenceCall, value: Any, **changes: Any) -> Put:
        flags, stored = stored_form(encode_value(value))
        fields: dict[str, Any] = {"confidence": None, "cost_usd": 0.0, "latency_ms": None, "ttl_s": 100.0}
        return Put(
            key=call.key, input=call.input, origin=call.origin, flags=flags, stored=stored, **(fields | changes)
        )

    return made
