"""What the tests on Ray share: the policy of their runtime, and how its processes are killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import ray

from actors import Runtime

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

# these tests are about calls that reach their targets; `test_caches` has a runtime of its own
[delegation.caches.l2]
enabled = false
"""


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
