"""One runtime on a Ray of its own for all tests of this folder: starting one takes longer than any of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from actors import Runtime, names

POLICY = """
[delegation.local_models]
echo = { kind = "echo" }
slow = { kind = "echo", latency_ms = 100 }
flaky = { kind = "echo", fail_rate = 1.0 }

[delegation.static_routes]
"echo-*" = "local-echo"
"slow-*" = "local-slow"
"flaky-*" = "local-flaky"

[delegation.health]
cool_down_s = { crashed = 0.5, connection-lost = 0.5, connection-refused = 0.5, unknown = 0.5 }
max_cool_down_s = 2
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.ray)
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::FutureWarning"))


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("runtime")
    policy = folder / "delegation.toml"
    policy.write_text(POLICY, encoding="utf-8")
    with Runtime.start(policy, name="tests", state_dir=folder, evaluators=2) as started:
        yield started


class Killer:
    """Ends the process of a part with SIGKILL, and waits until it is back."""

    def __init__(self, runtime: Runtime) -> None:
        self._space = runtime.spec.namespace

    def process(self, name: str) -> int:
        handle = ray.get_actor(name, namespace=self._space)
        if name.startswith("model-"):
            raise ValueError("use `models`")
        return int(ray.get(handle.process.remote(), timeout=30))

    def kill(self, name: str) -> int:
        process = self.process(name)
        os.kill(process, signal.SIGKILL)
        return process

    def wait_for(self, name: str, old: int) -> None:
        def is_back() -> bool:
            try:
                return self.process(name) != old
            except (ray.exceptions.RayError, ValueError):
                return False

        until(is_back)


def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """What `condition` answers, once that is true."""
    end = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


@pytest.fixture
def killer(runtime: Runtime) -> Killer:
    return Killer(runtime)


PARTS = (names.CONTROL, names.POLICY, names.TICKETS, names.evaluator(0))
