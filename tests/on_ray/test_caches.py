"""What is known already, across the processes of a runtime, their deaths, and a start from the same folder."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from ray_parts import until

from actors import Runtime, names
from actors.caches.actor import l2_folder
from actors.caches.l2.reader import L2Reader
from actors.caches.layer import Which
from actors.requests import CacheUse, RunReply

POLICY = """
[delegation.local_models]
echo = { kind = "echo" }
slow = { kind = "echo", latency_ms = 700 }
mood = { kind = "rules", path = "mood.rules" }

[delegation.static_routes]
"echo-*" = "local-echo"
"slow-*" = "local-slow"
"mood-*" = "local-mood"

[delegation.health]
cool_down_s = { crashed = 0.5, connection-lost = 0.5, connection-refused = 0.5, unknown = 0.5 }
"""
RULES = """
default {default} 0.9
[glad]
3 word thanks
[cross]
3 word never
"""
MOOD = "(defn mood-of [text : string] : [:enum :glad :cross :none] :none) (mood-of text)"


class Held:
    """A runtime that can be ended and started again from the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime = self.start()

    def start(self, name: str = "caches") -> Runtime:
        return Runtime.start(self.folder / "delegation.toml", name=name, state_dir=self.folder, evaluators=2)

    def again(self) -> None:
        """All actors are ended, none has to answer for it, and a runtime is started anew."""
        self.runtime.close()
        self.runtime = self.start()

    def rules(self, default: str) -> None:
        (self.folder / "mood.rules").write_text(RULES.format(default=default), encoding="utf-8")


@contextmanager
def ray_of_its_own() -> Iterator[None]:
    """A Ray that outlives the runtimes in it; where one is there already, that."""
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(address="local", include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    if is_ours:
        ray.shutdown()


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("caches")
    (folder / "delegation.toml").write_text(POLICY, encoding="utf-8")
    (folder / "mood.rules").write_text(RULES.format(default="glad"), encoding="utf-8")
    with ray_of_its_own():
        made = Held(folder)
        yield made
        made.runtime.close()


def echo(value: Any, name: str = "echo-it") -> str:
    return f"(defn {name} [x] :body) ({name} {value})"


def tiers(reply: RunReply) -> list[str | None]:
    """What knew the answers of a run's calls; None: a target was asked."""
    assert reply.error is None, reply.error
    return [call.tier for call in reply.calls for _ in range(call.calls)]


def everywhere(runtime: Runtime, source: str, **options: Any) -> list[str | None]:
    """The same of one run in each evaluator at the same time."""

    async def all_at_once() -> list[RunReply]:
        runs = [runtime.aio.run(source, **options) for _ in range(runtime.spec.evaluators)]
        return await asyncio.gather(*runs)

    replies = runtime._wait(all_at_once())
    assert len({reply.text for reply in replies}) == 1
    return [tier for reply in replies for tier in tiers(reply)]


def stored(runtime: Runtime) -> int:
    return runtime.cache_stats()["caches"]["l2-cold"].stores


def on_disk(held: Held, *symbols: str) -> None:
    """Wait until answers of these functions are written."""
    reader = L2Reader(l2_folder(held.runtime.spec.state_dir))
    try:
        for symbol in symbols:
            until(lambda symbol=symbol: [*reader.entries(Which(symbol=symbol))])  # type: ignore[misc]
    finally:
        reader.close()


# ---------------------------------------------------------------- one runtime


def test_the_second_run_is_answered_without_the_target(held: Held) -> None:
    runtime = held.runtime
    first, second = runtime.run(echo(1)), runtime.run(echo(1))
    assert (first.text, second.text) == ("1", "1")
    assert tiers(first) == [None]
    assert tiers(second)[0] in ("l2-hot", "l2-cold")
    (call,) = second.calls
    assert (call.answered_by, call.cost_usd) == ("local-echo", 0.0)
    assert call.oldest_s is not None
    assert call.saved_ms > 0
    on_disk(held, "echo-it")
    assert set(everywhere(runtime, echo(1))) <= {"l2-hot", "l2-cold"}


def test_what_a_run_wants_of_caches_counts(held: Held) -> None:
    runtime = held.runtime
    runtime.run(echo(2))
    assert tiers(runtime.run(echo(2), cache=CacheUse(bypass=True))) == [None]
    assert tiers(runtime.run(echo(3), cache=CacheUse(no_store=True))) == [None]
    assert tiers(runtime.run(echo(3))) == [None]
    assert tiers(runtime.run(echo(3), cache=CacheUse(max_age_s=0))) == [None]


def test_two_evaluators_ask_a_slow_target_once(held: Held) -> None:
    found = everywhere(held.runtime, echo(1, "slow-it"))
    assert found.count(None) == 1
    assert {tier for tier in found if tier is not None} <= {"l2-cold", "l2-hot", "shared"}


def test_an_invalidation_is_seen_by_all_evaluators(held: Held) -> None:
    runtime = held.runtime
    source = echo('"gone"', "echo-gone")
    runtime.run(source)
    runtime.run(echo('"stays"', "echo-stays"))
    on_disk(held, "echo-gone", "echo-stays")
    assert None not in everywhere(runtime, source)
    assert runtime.invalidate_cache(Which(symbol="echo-gone")) == 1
    assert None in everywhere(runtime, source)
    assert None not in everywhere(runtime, echo('"stays"', "echo-stays"))
    assert runtime.clear_cache() >= 2
    assert None in everywhere(runtime, echo('"stays"', "echo-stays"))


def test_stats_are_those_of_all_parts(held: Held) -> None:
    stats = held.runtime.cache_stats()
    assert {"caches", "evaluator-0", "evaluator-1"} <= stats.keys()
    assert {"l2-hot", "l2-cold"} <= stats["evaluator-0"].keys()
    assert sum(stats[names.evaluator(number)]["l2-hot"].hits for number in range(2)) > 0


def test_other_rules_make_old_answers_unreachable(held: Held) -> None:
    runtime = held.runtime
    held.rules("glad")
    assert runtime.evaluate(MOOD, args={"text": "hm"}) == runtime.evaluate(":glad")
    assert None not in tiers(runtime.run(MOOD, args={"text": "hm"}))
    held.rules("cross")
    until(lambda: runtime.run(MOOD, args={"text": "hm"}).text == ":cross", timeout_s=15)
    until(lambda: None not in everywhere(runtime, MOOD, args={"text": "hm"}), timeout_s=15)
    assert runtime.run(MOOD, args={"text": "hm"}).text == ":cross"
    held.rules("glad")  # what these said is known, and reachable again
    until(lambda: runtime.run(MOOD, args={"text": "hm"}).text == ":glad", timeout_s=15)


# ---------------------------------------------------------------- several, and deaths


@pytest.mark.slow  # it starts a runtime
def test_a_second_runtime_on_the_folder_reads_and_does_not_write(held: Held) -> None:
    runtime = held.runtime
    runtime.run(echo("1", "echo-theirs"))
    on_disk(held, "echo-theirs")
    (held.folder / "second").mkdir()
    (held.folder / "second" / "caches").symlink_to(held.folder / "caches" / "caches")
    with held.start("second") as second:
        state = until(lambda: second.status().parts["caches"] != "starting" and second.status().parts["caches"])
        assert state.startswith("degraded: answers are not written")
        assert tiers(second.run(echo("1", "echo-theirs"))) == ["l2-cold"]
        assert tiers(second.run(echo("1", "echo-ours"))) == [None]
        assert tiers(second.run(echo("1", "echo-ours"))) == ["l2-hot"]  # in memory it is known all the same
        assert second.cache_stats()["caches"]["l2-cold"].stores == 0
        assert tiers(runtime.run(echo("1", "echo-ours"))) == [None]
    assert runtime.status().parts["caches"] == "up"


def test_a_killed_writer_loses_nothing_that_was_written(held: Held) -> None:
    runtime = held.runtime
    runtime.run(echo("1", "echo-kept"))
    on_disk(held, "echo-kept")
    handle = ray.get_actor(names.CACHES, namespace=runtime.spec.namespace)
    old = ray.get(handle.process.remote(), timeout=30)
    os.kill(old, signal.SIGKILL)
    for number in range(20):  # programs notice nothing
        assert runtime.run(echo(1000 + number)).text == str(1000 + number)
    assert None not in everywhere(runtime, echo("1", "echo-kept"))

    def is_back() -> bool:
        try:
            return bool(ray.get(handle.process.remote(), timeout=10) != old)
        except ray.exceptions.RayError:
            return False

    until(is_back)
    until(lambda: "caches" in runtime.cache_stats())

    def is_written() -> bool:
        runtime.run(echo("1", "echo-after"), cache=CacheUse(bypass=True))
        return stored(runtime) > 0  # since it is back

    until(is_written)


@pytest.mark.slow  # it starts a runtime
def test_a_new_runtime_on_the_folder_knows_it_still(held: Held) -> None:
    held.runtime.run(echo("1", "echo-before"))
    on_disk(held, "echo-before")
    held.again()
    assert tiers(held.runtime.run(echo("1", "echo-before"))) == ["l2-cold"]
    assert tiers(held.runtime.run(echo("1", "echo-new"))) == [None]
