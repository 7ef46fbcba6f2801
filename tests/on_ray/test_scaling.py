"""A model that gets a second replica, in a runtime of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import ray
from ray_parts import until

from actors import Runtime

#: a batch of more than two finds no room; so there is something like a queue with a model that only waits
POLICY = """
[delegation.local_models.slow]
kind = "echo"
latency_ms = 200
queue_bound = 2
replicas = { min = 1, max = 2 }

[delegation.static_routes]
"slow-*" = "local-slow"

# what is known already would ask no replica
[delegation.caches.l2]
enabled = false
"""
TOO_MANY = "(defn slow-it [x] x) (map slow-it (range 8))"
SOME = "(defn slow-it [x] x) (map slow-it (range 2))"


@pytest.mark.usefixtures("runtime")  # its Ray
def test_a_second_replica_comes_and_is_used(tmp_path: Path) -> None:
    policy = tmp_path / "delegation.toml"
    policy.write_text(POLICY, encoding="utf-8")
    with Runtime.start(policy, name="scaling", state_dir=tmp_path, evaluators=1) as runtime:
        assert len(models(runtime)) == 1

        def has_grown() -> bool:
            runtime.run(TOO_MANY)
            return len(models(runtime)) == 2

        until(has_grown)
        first, second = sorted(models(runtime))

        def is_used() -> bool:
            tickets = [runtime.submit(SOME) for _ in range(4)]
            assert [list(ticket.result(timeout=30)) for ticket in tickets] == [[0, 1]] * 4
            return requests(runtime, second) > 0

        until(is_used)
        assert requests(runtime, first) > 0
        assert runtime.status().ready


def models(runtime: Runtime) -> list[str]:
    return [name for name in runtime.status().parts if name.startswith("model-")]


def requests(runtime: Runtime, name: str) -> int:
    handle: Any = ray.get_actor(name, namespace=runtime.spec.namespace)
    return int(ray.get(handle.stats.remote(), timeout=30).requests)
