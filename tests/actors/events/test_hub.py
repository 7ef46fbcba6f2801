"""The hub: who gets which events, in which order, and what becomes of those who do not fetch them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable

import pytest

from actors.events.event import Event, EventError, News, SubscriberDropped
from actors.events.hub import EventHub, HubLimits

NOW = 0.0


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(events: Iterable[Event]) -> list[tuple[str, str, bool]]:
    return [(event.topic, event.key, event.state) for event in events]


async def everything(hub: EventHub, subscriber: str) -> list[Event]:
    return await hub.next(subscriber, 10_000, NOW)


async def test_events_come_in_order_and_once() -> None:
    hub = EventHub(clock=lambda: 1_700_000_000.5)
    watcher = await hub.subscribe(["health", "policy"])
    assert await hub.publish("health", "remote-a", {"circuit": "open"}) == 1
    assert await hub.publish("caches", "l2", {"entries": 3}) == 2
    assert await hub.publish("policy", "default", {"version": "7"}) == 3
    events = await everything(hub, watcher)
    assert events == [
        Event(seq=1, topic="health", key="remote-a", at=1_700_000_000.5, data={"circuit": "open"}),
        Event(seq=3, topic="policy", key="default", at=1_700_000_000.5, data={"version": "7"}),
    ]
    assert await everything(hub, watcher) == []


async def test_a_late_subscriber_gets_the_latest_state_of_each_key_first() -> None:
    hub = EventHub()
    await hub.publish("health", "remote-a", {"circuit": "open"})
    await hub.publish("health", "remote-b", {"circuit": "closed"})
    await hub.publish("health", "remote-a", {"circuit": "half-open"})
    late = await hub.subscribe(["health"])
    await hub.publish("health", "remote-b", {"circuit": "open"})
    events = await everything(hub, late)
    assert told(events) == [
        ("health", "remote-b", True),
        ("health", "remote-a", True),
        ("health", "remote-b", False),
    ]
    assert [event.seq for event in events] == [2, 3, 4]
    assert events[1].data == {"circuit": "half-open"}


async def test_only_the_keys_that_were_asked_for() -> None:
    hub = EventHub()
    for ticket in ("t-1", "t-2", "t-3"):
        await hub.publish("tickets", ticket, {"state": "working"}, tenant="acme")
    watcher = await hub.subscribe(["tickets", "health"], keys=["t-2", "remote-a"])
    await hub.publish("tickets", "t-1", {"state": "failed"}, tenant="acme")
    await hub.publish("tickets", "t-2", {"state": "failed"}, tenant="acme")
    await hub.publish("health", "remote-a", {})
    await hub.publish("health", "remote-b", {})
    assert told(await everything(hub, watcher)) == [
        ("tickets", "t-2", True),
        ("tickets", "t-2", False),
        ("health", "remote-a", False),
    ]


async def test_a_tenant_sees_its_own_tickets_alone_and_what_is_nobodys() -> None:
    hub = EventHub()
    await hub.publish("tickets", "mine", {"n": 1}, tenant="acme")
    await hub.publish("tickets", "theirs", {"n": 1}, tenant="globex")
    await hub.publish("tickets", "unlabelled", {"n": 1})
    acme = await hub.subscribe(["tickets", "policy", "caches"], tenant="acme")
    by_key = await hub.subscribe(["tickets"], keys=["theirs", "unlabelled", "mine"], tenant="acme")
    admin = await hub.subscribe(["tickets"])
    await hub.publish("tickets", "mine", {"n": 2}, tenant="acme")
    await hub.publish("tickets", "theirs", {"n": 2}, tenant="globex")
    await hub.publish("tickets", "unlabelled", {"n": 2})
    await hub.publish("policy", "default", {})
    await hub.publish("caches", "l2", {}, tenant="globex")
    mine = [("tickets", "mine", True), ("tickets", "mine", False)]
    assert told(await everything(hub, acme)) == [*mine, ("policy", "default", False)]
    assert told(await everything(hub, by_key)) == mine
    assert len(await everything(hub, admin)) == 6


async def test_next_waits_until_something_is_there() -> None:
    hub = EventHub()
    watcher = await hub.subscribe(["policy"])
    waiting = asyncio.create_task(hub.next(watcher, 10, 60.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    await hub.publish("caches", "l2", {})
    await asyncio.sleep(0)
    assert not waiting.done()
    await hub.publish("policy", "default", {})
    assert told(await waiting) == [("policy", "default", False)]


async def test_next_gives_at_most_as_many_as_asked_for_and_keeps_the_rest() -> None:
    hub = EventHub()
    for n in range(3):
        await hub.publish("health", f"old-{n}", {})
    watcher = await hub.subscribe(["health"])
    for n in range(3):
        await hub.publish("health", f"new-{n}", {})
    pieces = [[event.key for event in await hub.next(watcher, 2, NOW)] for _ in range(4)]
    assert pieces == [["old-0", "old-1"], ["old-2", "new-0"], ["new-1", "new-2"], []]


async def test_a_subscriber_that_does_not_fetch_is_dropped_and_nobody_waits_for_it() -> None:
    hub = EventHub(HubLimits(buffer=3))
    slow, quick = await hub.subscribe(["health"]), await hub.subscribe(["health"])
    for n in range(4):
        await hub.publish("health", "remote-a", {"n": n})
        assert len(await everything(hub, quick)) == 1
    with pytest.raises(SubscriberDropped, match=r"too slow: 3 events were waiting for it; subscribe again"):
        await everything(hub, slow)
    with pytest.raises(SubscriberDropped, match="does not know this subscriber"):
        await everything(hub, slow)
    again = await hub.subscribe(["health"])
    (state,) = await everything(hub, again)
    assert (state.state, state.data) == (True, {"n": 3})


async def test_the_states_at_the_beginning_do_not_count_as_too_slow() -> None:
    hub = EventHub(HubLimits(buffer=2))
    for n in range(50):
        await hub.publish("health", f"remote-{n}", {})
    late = await hub.subscribe(["health"])
    await hub.publish("health", "remote-a", {})
    await hub.publish("health", "remote-a", {})
    assert len(await everything(hub, late)) == 52


async def test_a_subscriber_that_is_not_heard_of_is_removed_one_that_waits_is_not() -> None:
    clock = Clock()
    hub = EventHub(HubLimits(idle_s=60.0), monotonic=clock)
    gone, lively = await hub.subscribe(["policy"]), await hub.subscribe(["policy"])
    waits = await hub.subscribe(["health"])
    waiting = asyncio.create_task(hub.next(waits, 10, 3_600.0))
    await asyncio.sleep(0)
    clock.now += 40.0
    assert await everything(hub, lively) == []
    clock.now += 40.0
    await hub.publish("policy", "default", {})
    assert len(await everything(hub, lively)) == 1
    with pytest.raises(SubscriberDropped):
        await everything(hub, gone)
    await hub.publish("health", "remote-a", {})
    assert len(await waiting) == 1
    assert (await hub.counts())["subscribers"] == 2


async def test_there_are_not_more_subscribers_than_may_be_and_the_dead_make_room() -> None:
    clock = Clock()
    hub = EventHub(HubLimits(subscribers=2, idle_s=60.0), monotonic=clock)
    for _ in range(2):
        await hub.subscribe(["policy"])
    clock.now += 1.0
    with pytest.raises(EventError, match="2 subscribers"):
        await hub.subscribe(["policy"])
    clock.now += 60.0
    await hub.subscribe(["policy"])


async def test_the_newer_of_two_calls_gets_the_events() -> None:
    hub = EventHub()
    watcher = await hub.subscribe(["policy"])
    lost = asyncio.create_task(hub.next(watcher, 10, 60.0))
    await asyncio.sleep(0)
    current = asyncio.create_task(hub.next(watcher, 10, 60.0))
    await asyncio.sleep(0)
    await hub.publish("policy", "default", {})
    assert await lost == []
    assert len(await current) == 1


async def test_a_cancelled_call_loses_nothing() -> None:
    hub = EventHub()
    watcher = await hub.subscribe(["policy"])
    waiting = asyncio.create_task(hub.next(watcher, 10, 60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await hub.publish("policy", "default", {})
    assert len(await everything(hub, watcher)) == 1


async def test_unsubscribing_ends_the_waiting_and_may_be_done_twice() -> None:
    hub = EventHub()
    watcher = await hub.subscribe(["policy"], keys=["default"])
    waiting = asyncio.create_task(hub.next(watcher, 10, 60.0))
    await asyncio.sleep(0)
    await hub.unsubscribe(watcher)
    await hub.unsubscribe(watcher)
    with pytest.raises(SubscriberDropped, match="it unsubscribed"):
        await waiting
    assert (await hub.counts())["subscribers"] == 0


async def test_the_state_of_what_ended_is_forgotten_after_a_while() -> None:
    clock = Clock()
    hub = EventHub(HubLimits(ended_keep_s=10.0), monotonic=clock)
    await hub.publish("tickets", "done", {"state": "completed"}, ended=True)
    await hub.publish("tickets", "requeued", {"state": "failed"}, ended=True)
    clock.now += 5.0
    await hub.publish("tickets", "requeued", {"state": "working"})
    assert {event.key for event in await everything(hub, await hub.subscribe(["tickets"]))} == {
        "done",
        "requeued",
    }
    clock.now += 5.0
    assert told(await everything(hub, await hub.subscribe(["tickets"]))) == [("tickets", "requeued", True)]
    clock.now += 50.0
    assert told(await everything(hub, await hub.subscribe(["tickets"]))) == [("tickets", "requeued", True)]


async def test_states_are_bounded_and_what_ended_goes_first() -> None:
    hub = EventHub(HubLimits(keys=3))
    await hub.publish("tickets", "a", {})
    await hub.publish("tickets", "b", {})
    await hub.publish("tickets", "c", {}, ended=True)
    await hub.publish("tickets", "d", {})
    await hub.publish("tickets", "a", {})
    await hub.publish("tickets", "e", {}, ended=True)
    await hub.publish("health", "x", {})
    states = await everything(hub, await hub.subscribe(["tickets"]))
    assert [event.key for event in states] == ["d", "a", "e"]
    assert (await hub.counts())["states"] == 4


@pytest.mark.parametrize(
    ("topics", "message"),
    [
        (["polcy"], "no topic `polcy`; did you mean `policy`?"),
        (["stream"], "no topic `stream`; topics are policy, health, tickets, caches, models"),
        ([], "at least one topic"),
        ("policy", "topics must be a collection of names, got the string 'policy'"),
    ],
)
async def test_what_cannot_be_subscribed_to(topics: list[str], message: str) -> None:
    with pytest.raises(EventError) as caught:
        await EventHub().subscribe(topics)
    assert message in str(caught.value)


async def test_what_cannot_be_published_is_refused_as_a_whole() -> None:
    hub = EventHub()
    good = News(topic="policy", key="default")
    for bad, message in [
        (News(topic="ticket", key="t"), "did you mean `tickets`?"),
        (News(topic="tickets", key=""), "needs the ticket's id"),
        (News(topic="policy", key="p", data=[1]), "`policy/p` must be a mapping, got list"),  # type: ignore[arg-type]
        (News(topic="policy", key="p", data={"a": math.nan}), "must be JSON"),
        (News(topic="policy", key="p", data={"a": object()}), "must be JSON"),
    ]:
        with pytest.raises(EventError) as caught:
            await hub.publish_all([good, bad])
        assert message in str(caught.value)
    assert await hub.counts() == {"events": 0, "subscribers": 0, "states": 0}
    assert await hub.publish_all([good, good]) == 2


@pytest.mark.parametrize("name", ["buffer", "subscribers", "keys"])
def test_limits_must_let_something_through(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        HubLimits(**{name: 0})
