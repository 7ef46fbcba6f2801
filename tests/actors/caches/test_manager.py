from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from actors.caches.keys import InferenceCall
from actors.caches.l2.writer import CacheWriter
from actors.caches.layer import CacheConfig, CacheControl, Item, Which
from actors.caches.leases import Told
from actors.caches.manager import CacheManager, l2_manager
from policies.errors import TargetFailed

HOT = CacheConfig(size_entries=100)
COLD = CacheConfig(size_bytes=1 << 26)


@pytest.fixture
def writer(folder: Path) -> Iterator[CacheWriter]:
    with CacheWriter(folder, COLD) as opened:
        yield opened


@pytest.fixture
def manager(writer: CacheWriter, folder: Path) -> Iterator[CacheManager]:
    made = l2_manager(folder, hot=HOT, cold=COLD, writer=writer)
    yield made
    made.close()


class Target:
    """Answers with how often it was asked."""

    def __init__(self, call: InferenceCall) -> None:
        self.call = call
        self.asked = 0

    def __call__(self) -> Item:
        self.asked += 1
        return Item(value=self.asked, origin=self.call.origin)


def answered(manager: CacheManager, target: Target, **control: Any) -> tuple[Any, str | None]:
    found = manager.answer(target.call, target, timeout_s=10.0, control=CacheControl(**control))
    return found.value, None if found.hit is None else found.hit.tier


def test_a_target_is_asked_once(manager: CacheManager, call: Any) -> None:
    target = Target(call(1))
    assert answered(manager, target) == (1, None)
    assert answered(manager, target) == (1, "l2-hot")
    assert target.asked == 1


def test_what_the_file_knows_is_promoted(
    manager: CacheManager, writer: CacheWriter, folder: Path, call: Any
) -> None:
    target = Target(call(1))
    assert answered(manager, target) == (1, None)
    writer.flush()
    other = l2_manager(folder, hot=HOT, cold=COLD, writer=writer)
    assert answered(other, target) == (1, "l2-cold")
    hit = other.get(target.call)
    assert hit is not None
    assert hit.tier == "l2-hot"
    assert hit.expires_in_s <= COLD.ttl_s
    other.close()


def test_a_process_warms_up(manager: CacheManager, writer: CacheWriter, folder: Path, call: Any) -> None:
    for i in range(5):
        answered(manager, Target(call(i)))
    writer.flush()
    other = l2_manager(folder, hot=HOT, cold=COLD, writer=writer)
    assert other.warm(Which(model="local-a"), limit=10) == 5
    assert answered(other, Target(call(3))) == (1, "l2-hot")
    other.close()


def test_a_call_says_what_it_wants_of_the_caches(manager: CacheManager, call: Any) -> None:
    target = Target(call(1))
    assert answered(manager, target, no_store=True) == (1, None)
    assert answered(manager, target) == (2, None)
    assert answered(manager, target, bypass=True) == (3, None)
    assert answered(manager, target) == (3, "l2-hot")
    assert answered(manager, target, max_age_s=0.0) == (4, None)
    assert answered(manager, target, min_confidence=0.5) == (5, None)
    assert answered(manager, target) == (5, "l2-hot")


def test_a_call_may_set_its_time_to_live(manager: CacheManager, call: Any) -> None:
    target = Target(call(1))
    answered(manager, target, ttl_s=5.0)
    hit = manager.get(target.call)
    assert hit is not None
    assert hit.expires_in_s <= 5.0


def test_failures_are_not_kept(manager: CacheManager, call: Any) -> None:
    def fails() -> Item:
        raise TargetFailed("timeout", "no answer")

    with pytest.raises(TargetFailed):
        manager.answer(call(1), fails, timeout_s=1.0)
    assert manager.get(call(1)) is None
    assert answered(manager, Target(call(1))) == (1, None)


def test_what_cannot_be_kept_is_answered_all_the_same(manager: CacheManager, call: Any) -> None:
    one = call(1)
    found = manager.answer(one, lambda: Item(value=len, origin=one.origin), timeout_s=1.0)
    assert found.value is len
    assert manager.get(one) is None


def test_an_invalidation_reaches_every_process(
    manager: CacheManager, writer: CacheWriter, folder: Path, call: Any
) -> None:
    other = l2_manager(folder, hot=HOT, cold=COLD, writer=writer)
    target = Target(call(1))
    answered(manager, target)
    writer.flush()
    assert answered(other, target) == (1, "l2-cold")
    assert other.invalidate(Which(model="local-a", version="1")) >= 1
    assert answered(manager, target) == (2, None)
    assert manager.clear() >= 1
    assert answered(other, target) == (3, None)
    other.close()


def test_what_was_asked_for_before_an_invalidation_is_not_kept(manager: CacheManager, call: Any) -> None:
    one = call(1)

    def slow() -> Item:
        manager.invalidate(Which(model="local-a"))
        return Item(value="stale", origin=one.origin)

    assert manager.answer(one, slow, timeout_s=1.0).value == "stale"
    assert manager.get(one) is None


class Leases:
    """Leases of processes that are threads here: free once what was given before is written."""

    def __init__(self, writer: CacheWriter) -> None:
        self._writer = writer
        self._waiting: dict[bytes, list[Told]] = {}
        self._lock = threading.Lock()

    def acquire(self, key: bytes, told: Told) -> None:
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.append(told)
                return
            self._waiting[key] = []
        told()

    def release(self, key: bytes) -> None:
        self._writer.flush()
        with self._lock:
            waiting = self._waiting[key]
            if not waiting:
                del self._waiting[key]
                return
            told = waiting.pop(0)
        told()


def test_processes_ask_a_target_once(writer: CacheWriter, folder: Path, call: Any) -> None:
    """Two managers stand for two processes; the second waits for the first, and finds what it has kept."""
    leases = Leases(writer)
    managers = [l2_manager(folder, hot=HOT, cold=COLD, writer=writer, leases=leases) for _ in range(2)]
    target, begun = Target(call(1)), threading.Event()

    def ask() -> Item:
        begun.set()
        time.sleep(0.05)
        return target()

    def second() -> str | None:
        begun.wait(10)
        found = managers[1].answer(target.call, ask, timeout_s=10.0)
        return None if found.hit is None else found.hit.tier

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second)
        assert managers[0].answer(target.call, ask, timeout_s=10.0).hit is None
        assert waiting.result() == "l2-cold"
    assert target.asked == 1
    for manager in managers:
        manager.close()


def test_without_a_folder_memory_has_to_do(
    tmp_path: Path, call: Callable[..., InferenceCall], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "rtfs.caches"):
        manager = l2_manager(tmp_path / "nothing", hot=HOT, cold=COLD, writer=None)
    assert "memory only" in caplog.text
    target = Target(call(1))
    assert answered(manager, target) == (1, None)
    assert answered(manager, target) == (1, "l2-hot")
    assert list(manager.stats) == ["l2-hot"]
    assert manager.invalidate(Which(model="local-a")) == 1
    manager.close()


def test_stats_are_those_of_all_layers(manager: CacheManager, call: Any) -> None:
    target = Target(call(1))
    answered(manager, target)
    answered(manager, target)
    assert list(manager.stats) == ["l2-hot", "l2-cold"]
    assert (manager.stats["l2-hot"].hits, manager.stats["l2-hot"].misses) == (1, 1)
