"""Listening on a thread: order, failures, start and stop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from queue import Queue
from typing import Any

import pytest

from actors.events.backoff import Backoff
from actors.events.event import Event
from actors.events.hub import EventHub
from actors.events.listener import SyncListener
from actors.events.stream import EventStream

WITHIN_S = 20.0


class HubThread:
    """A hub on a loop of its own, as in an actor; calls from other loops are passed on to it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.hub = EventHub()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.now(self._finish())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _finish(self) -> None:
        """Wait for calls whose callers have gone: these are told on this loop, one turn later."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*left, return_exceptions=True)

    def now[T](self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self.loop).result(WITHIN_S)

    async def _there[T](self, call: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self.loop))

    async def subscribe(
        self, topics: Iterable[str], keys: Iterable[str] | None = None, tenant: str | None = None
    ) -> str:
        return await self._there(self.hub.subscribe(topics, keys, tenant))

    async def next(self, subscriber: str, max_events: int = 100, timeout_s: float = 25.0) -> list[Event]:
        return await self._there(self.hub.next(subscriber, max_events, timeout_s))

    async def unsubscribe(self, subscriber: str) -> None:
        await self._there(self.hub.unsubscribe(subscriber))


@pytest.fixture
def hub() -> Iterator[HubThread]:
    thread = HubThread()
    yield thread
    thread.close()


def listener(
    hub: HubThread, callback: Callable[[Event], None], topics: tuple[str, ...] = ("policy",)
) -> SyncListener:
    return SyncListener(EventStream(hub, topics, backoff=Backoff(first_s=0.001)), callback)


def test_callbacks_run_in_order_on_one_other_thread(hub: HubThread) -> None:
    got: Queue[tuple[int, str]] = Queue()
    with listener(hub, lambda event: got.put((event.data["n"], threading.current_thread().name))):
        for n in range(200):
            hub.now(hub.hub.publish("policy", "default", {"n": n}))
            if n == 0:  # from here on it is subscribed; what comes before is a state
                first = got.get(timeout=WITHIN_S)
        rest = [got.get(timeout=WITHIN_S) for _ in range(199)]
    assert [first, *rest] == [(n, "rtfs-events") for n in range(200)]


def test_stopping_ends_the_thread_and_unsubscribes(hub: HubThread) -> None:
    got: Queue[Event] = Queue()
    listening = listener(hub, got.put)
    assert listening.stop()  # not begun: nothing to stop
    listening.start()
    hub.now(hub.hub.publish("policy", "default", {}))
    got.get(timeout=WITHIN_S)
    assert listening.is_alive
    assert listening.stop()
    assert not listening.is_alive
    assert listening.stop()
    assert hub.now(hub.hub.counts())["subscribers"] == 0
    assert listening.error is None


def test_stop_waits_for_the_callback_that_is_under_way(hub: HubThread) -> None:
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def slowly(event: Event) -> None:
        began.set()
        may_end.wait(WITHIN_S)
        ended.set()

    listening = listener(hub, slowly)
    listening.start()
    hub.now(hub.hub.publish("policy", "default", {}))
    assert began.wait(WITHIN_S)
    assert not listening.stop(timeout_s=0.01)
    may_end.set()
    assert listening.stop(WITHIN_S)
    assert ended.is_set()


def test_a_callback_may_stop_its_own_listener(hub: HubThread) -> None:
    stopped = threading.Event()

    def once(event: Event) -> None:
        listening.stop()
        stopped.set()

    listening = listener(hub, once)
    listening.start()
    hub.now(hub.hub.publish("policy", "default", {}))
    assert stopped.wait(WITHIN_S)
    assert listening.stop(WITHIN_S)


def test_stopping_twice_unsubscribes_all_the_same() -> None:
    begun, may_end, unsubscribed = threading.Event(), threading.Event(), threading.Event()

    class Slow(HubThread):
        async def unsubscribe(self, subscriber: str) -> None:
            begun.set()
            while not may_end.is_set():
                await asyncio.sleep(0.001)
            await super().unsubscribe(subscriber)
            unsubscribed.set()

    slow, told = Slow(), threading.Event()
    try:
        listening = listener(slow, lambda event: told.set())
        listening.start()
        slow.now(slow.hub.publish("policy", "default", {}))
        assert told.wait(WITHIN_S)
        assert not listening.stop(timeout_s=0.0)
        assert begun.wait(WITHIN_S)
        assert not listening.stop(timeout_s=0.05)
        may_end.set()
        assert listening.stop(WITHIN_S)
        assert unsubscribed.is_set()
    finally:
        may_end.set()
        slow.close()


def test_a_failing_callback_does_not_cut_off_later_events(
    hub: HubThread, caplog: pytest.LogCaptureFixture
) -> None:
    got: Queue[int] = Queue()

    def picky(event: Event) -> None:
        if event.data["n"] == 1:
            raise KeyError("no one")
        got.put(event.data["n"])

    with caplog.at_level(logging.ERROR, "rtfs.events"), listener(hub, picky) as listening:
        for n in range(3):
            hub.now(hub.hub.publish("policy", f"p-{n}", {"n": n}))
        assert [got.get(timeout=WITHIN_S) for _ in range(2)] == [0, 2]
    assert listening.failures == 1
    assert "could not deal with the event policy/p-1" in caplog.text
    assert "no one" in caplog.text


def test_a_stream_that_fails_is_logged_and_kept(hub: HubThread, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "rtfs.events"):
        listening = listener(hub, lambda event: None, topics=("polcy",))
        listening.start()
        listening._thread.join(WITHIN_S)
    assert not listening.is_alive
    assert "did you mean `policy`" in str(listening.error)
    assert "listening to events ended" in caplog.text
    assert listening.stop()
