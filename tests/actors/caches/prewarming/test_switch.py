"""On and off as the policy says, while calls go on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from actors.caches.prewarming.prewarmer import Prewarmer
from actors.caches.prewarming.switch import Prewarming
from actors.caches.prewarming.workers import Workers
from policies.file.schema import PrewarmingTable
from policies.running.observe import NullMeter

WITHIN_S = 20.0
ON = PrewarmingTable(enabled=True, targets=("local-*",))


def threads() -> set[str]:
    return {each.name for each in threading.enumerate() if each.name.startswith("rtfs-prewarming")}


def test_off_there_is_nothing_of_it() -> None:
    put: list[Prewarmer | None] = []
    prewarming = Prewarming(put.append, run=lambda: None, meter=NullMeter())
    prewarming.follow(PrewarmingTable())
    prewarming.close()
    assert put == []
    assert not threads()


def test_it_follows_the_policy() -> None:
    put: list[Prewarmer | None] = []
    prewarming = Prewarming(put.append, run=lambda: None, meter=NullMeter())
    prewarming.follow(ON)
    prewarming.follow(ON.model_copy(update={"max_calls_per_minute": 7}))
    (prewarmer,) = put
    assert prewarmer is not None
    assert prewarmer._budget.bounds.calls_per_minute == 7
    assert threads()
    prewarming.follow(PrewarmingTable())
    prewarming.close()
    assert put == [prewarmer, None]
    for each in threading.enumerate():
        if each.name.startswith("rtfs-prewarming"):
            each.join(WITHIN_S)
    assert not threads()


def test_a_bug_in_some_work_does_not_end_the_rest() -> None:
    workers, done = Workers(1, "rtfs-test"), threading.Event()
    bug: Callable[[], None] = lambda: 1 // 0  # type: ignore[assignment, return-value]  # noqa: E731
    workers.start(bug)
    workers.start(done.set)
    assert done.wait(WITHIN_S)
    workers.close()
