"""A runtime whose policy has likely calls asked beforehand."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from ray_parts import until

from actors import Runtime

POLICY = """
[delegation]
cache_ttl = 2

[delegation.local_models]
echo = { kind = "echo" }

[delegation.static_routes]
"repeat" = "local-echo"

[delegation.caches.prewarming]
enabled = true
targets = ["local-*"]
min_probability = 0.3
"""
SOURCE = '(defn repeat [text : string] : string "own") (repeat text)'
TTL_S = 2.0


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("prewarming")
    (folder / "policy.toml").write_text(POLICY)
    with Runtime.start(folder / "policy.toml", state_dir=folder / "state", evaluators=1) as made:
        yield made


def tier(runtime: Runtime, text: str) -> str | None:
    """Where the answer was known."""
    reply = runtime.run(SOURCE, args={"text": text})
    assert reply.error is None
    (call,) = reply.calls
    assert call.answered_by == "local-echo"
    return call.tier


def test_what_will_follow_is_known_though_its_time_was_over(runtime: Runtime) -> None:
    for _ in range(4):
        tier(runtime, "one")
        tier(runtime, "two")

    def is_known_beforehand() -> bool:
        time.sleep(TTL_S)
        tier(runtime, "one")
        time.sleep(TTL_S / 4)
        return tier(runtime, "two") is not None

    until(is_known_beforehand)
