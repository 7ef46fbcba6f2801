"""Streams of events: order, gaps told, a hub that goes and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from actors.events.backoff import Backoff
from actors.events.event import Event, EventError
from actors.events.hub import EventHub, HubLimits
from actors.events.stream import ActorSource, EventStream

QUICK = Backoff(first_s=0.001, most_s=0.005)


class HubAway(Exception):
    """What calls raise while there is no hub."""


class RestartingHub:
    """A hub that can be killed and started anew, as an actor can."""

    def __init__(self) -> None:
        self.hub: EventHub | None = EventHub()
        self.refused = 0

    def kill(self) -> None:
        self.hub = None

    def _there(self) -> EventHub:
        if self.hub is None:
            self.refused += 1
            raise HubAway
        return self.hub

    async def subscribe(
        self, topics: Iterable[str], keys: Iterable[str] | None = None, tenant: str | None = None
    ) -> str:
        return await self._there().subscribe(topics, keys, tenant)

    async def next(self, subscriber: str, max_events: int = 100, timeout_s: float = 25.0) -> list[Event]:
        return await self._there().next(subscriber, max_events, timeout_s)

    async def unsubscribe(self, subscriber: str) -> None:
        await self._there().unsubscribe(subscriber)


def stream_of(source: RestartingHub, **options: float) -> EventStream:
    return EventStream(
        source,
        ["health"],
        connection_errors=(HubAway,),
        timeout_s=options.get("timeout_s", 0.02),
        max_events=int(options.get("max_events", 100)),
        backoff=QUICK,
    )


async def some(events: AsyncIterator[Event], count: int) -> list[Event]:
    return [await anext(events) for _ in range(count)]


def hub_of(source: RestartingHub) -> EventHub:
    assert source.hub is not None
    return source.hub


async def test_states_then_events_across_many_calls() -> None:
    source = RestartingHub()
    for n in range(3):
        await hub_of(source).publish("health", f"remote-{n}", {})
    async with stream_of(source, max_events=2) as stream:
        events = aiter(stream)
        assert [(event.key, event.state) for event in await some(events, 3)] == [
            ("remote-0", True),
            ("remote-1", True),
            ("remote-2", True),
        ]
        waiting = asyncio.create_task(some(events, 2))
        await asyncio.sleep(0.05)  # more than one timeout passes: nothing comes of that
        assert not waiting.done()
        for n in range(2):
            await hub_of(source).publish("health", "remote-9", {"n": n})
        assert [event.data for event in await waiting] == [{"n": 0}, {"n": 1}]
        assert (await hub_of(source).counts())["subscribers"] == 1
    assert (await hub_of(source).counts())["subscribers"] == 0


async def test_after_a_restart_it_subscribes_again_says_so_and_begins_with_the_states() -> None:
    source = RestartingHub()
    await hub_of(source).publish("health", "remote-a", {"circuit": "closed"})
    async with stream_of(source) as stream:
        events = aiter(stream)
        assert (await anext(events)).seq == 1
        source.kill()
        waiting = asyncio.create_task(some(events, 2))
        while source.refused < 4:  # it tries again and again
            await asyncio.sleep(0.001)
        source.hub = EventHub()
        await source.hub.publish("health", "remote-a", {"circuit": "open"})
        resumed, state = await waiting
    assert (resumed.topic, resumed.key, resumed.seq) == ("stream", "resumed", 0)
    assert resumed.data == {"reason": "the hub was away: HubAway"}
    assert (state.key, state.state, state.data) == ("remote-a", True, {"circuit": "open"})


async def test_a_hub_that_forgot_the_subscriber_is_subscribed_to_again() -> None:
    source = RestartingHub()
    async with stream_of(source) as stream:
        events = aiter(stream)
        await hub_of(source).publish("health", "remote-a", {})
        await anext(events)
        source.hub = EventHub()  # restarted between two calls
        await source.hub.publish("health", "remote-b", {})
        resumed, state = await some(events, 2)
    assert "does not know this subscriber" in resumed.data["reason"]
    assert (state.key, state.state) == ("remote-b", True)


async def test_one_that_was_dropped_for_slowness_goes_on_with_the_states() -> None:
    source = RestartingHub()
    source.hub = EventHub(HubLimits(buffer=2))
    async with stream_of(source) as stream:
        events = aiter(stream)
        await source.hub.publish("health", "remote-a", {"n": 0})
        await anext(events)
        for n in range(1, 5):
            await source.hub.publish("health", "remote-a", {"n": n})
        resumed, state = await some(events, 2)
    assert "too slow" in resumed.data["reason"]
    assert (state.state, state.data) == (True, {"n": 4})


async def test_an_iteration_that_was_left_can_be_taken_up_again() -> None:
    source = RestartingHub()
    async with stream_of(source) as stream:
        for n in range(4):
            await hub_of(source).publish("health", f"remote-{n}", {})
        seen = []
        for _ in range(2):
            async for event in stream:
                seen.append(event.key)
                if len(seen) % 2 == 0:
                    break
    assert seen == ["remote-0", "remote-1", "remote-2", "remote-3"]


async def test_closing_while_the_hub_is_away_is_no_error() -> None:
    source = RestartingHub()
    async with stream_of(source) as stream:
        await hub_of(source).publish("health", "remote-a", {})
        await anext(aiter(stream))
        source.kill()
    assert source.refused == 1


async def test_other_errors_are_not_taken_for_an_absent_hub() -> None:
    stream = EventStream(RestartingHub(), ["helth"], connection_errors=(HubAway,), backoff=QUICK)
    with pytest.raises(EventError, match="did you mean `health`"):
        await anext(aiter(stream))


class Method:
    """A method of an actor's handle: `handle.method.remote(…)`."""

    def __init__(self, method: object) -> None:
        self.remote = method


class Handle:
    """As much of an actor's handle as a source uses."""

    def __init__(self, hub: EventHub) -> None:
        self.subscribe, self.next, self.unsubscribe = map(Method, (hub.subscribe, hub.next, hub.unsubscribe))


async def test_a_stream_over_the_handle_of_an_actor() -> None:
    hub = EventHub()
    async with EventStream(ActorSource(Handle(hub)), ["tickets"], keys=["t-1"], tenant="acme") as stream:
        events = aiter(stream)
        waiting = asyncio.create_task(some(events, 1))
        await asyncio.sleep(0)
        await hub.publish("tickets", "t-2", {}, tenant="acme")
        await hub.publish("tickets", "t-1", {}, tenant="globex")
        await hub.publish("tickets", "t-1", {}, tenant="acme")
        assert [event.seq for event in await waiting] == [3]
    assert (await hub.counts())["subscribers"] == 0
