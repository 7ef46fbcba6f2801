"""The hub: takes events from those who make them, and keeps them for those who asked.

    publisher ── publish ──▶ hub ──▶ buffer of each subscriber it concerns ◀── next ── subscriber
                              └────▶ latest state of the key ◀── subscribe (the states come first)

Nobody polls. `next` parks in the hub until there is something; its timeout only ends the call, so that a
subscriber which died without a word is noticed: one that has not called for `idle_s` is removed. That is looked
at when something happens anyway, since a subscriber that costs nothing may stay.

Plain class, for one event loop, such as that of an asyncio actor. No method waits except `next`, so each is one
step for all others.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from actors.events.event import TICKETS, Event, EventError, News, SubscriberDropped, check_topic
from actors.events.states import States
from actors.events.subscribers import Subscriber, Subscribers

#: seconds between two looks for subscribers that are gone, as a share of `idle_s`
_SWEEP_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLimits:
    """What a hub keeps."""

    #: events that may wait for one subscriber
    buffer: int = 1_000
    subscribers: int = 10_000
    #: keys of one topic whose state is kept
    keys: int = 10_000
    #: how long the state of what has ended is kept
    ended_keep_s: float = 600.0
    #: a subscriber that has not called for so long is removed
    idle_s: float = 120.0

    def __post_init__(self) -> None:
        for name in ("buffer", "subscribers", "keys"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")


class EventHub:
    """Publish and subscribe, within one event loop."""

    def __init__(
        self,
        limits: HubLimits | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or HubLimits()
        self._clock = clock
        self._monotonic = monotonic
        self._seq = 0
        self._states = States(most_keys=self._limits.keys, ended_keep_s=self._limits.ended_keep_s)
        self._subscribers = Subscribers()
        self._next_sweep = 0.0

    # ------------------------------------------------------------ those who make events

    async def publish(
        self,
        topic: str,
        key: str,
        data: Mapping[str, Any],
        *,
        tenant: str | None = None,
        ended: bool = False,
    ) -> int:
        """Something changed. The number of the event.

        Args:
            topic: one of `TOPICS`.
            key: what of the topic changed.
            data: JSON-like; it is the state of the key from now on.
            tenant: whose it is. Tickets need one to be seen by a subscriber bound to a tenant.
            ended: nothing further will change, so the state is forgotten after a while.

        Raises:
            EventError: no such topic, or data that is no JSON object.
        """
        return await self.publish_all([News(topic=topic, key=key, data=data, tenant=tenant, ended=ended)])

    async def publish_all(self, news: Iterable[News]) -> int:
        """Several at once, all or none. The number of the last event.

        Raises:
            EventError: one of them has no such topic, or data that is no JSON object.
        """
        checked = list(news)
        for each in checked:
            _check(each)
        at, now = self._clock(), self._monotonic()
        self._sweep(now)
        for each in checked:
            self._seq += 1
            event = Event(
                seq=self._seq, topic=each.topic, key=each.key, at=at, data=each.data, tenant=each.tenant
            )
            self._states.put(event, ended=each.ended, now=now)
            for subscriber in self._subscribers.concerned(event):
                subscriber.put(event)
        return self._seq

    # ------------------------------------------------------------ those who want them

    async def subscribe(
        self, topics: Iterable[str], keys: Iterable[str] | None = None, tenant: str | None = None
    ) -> str:
        """A new subscriber, whose first events are the current states. Its name.

        Args:
            topics: some of `TOPICS`.
            keys: only what concerns these; None: everything.
            tenant: only what this tenant may see; None: everything.

        Raises:
            EventError: no topic, one that does not exist, or too many subscribers.
        """
        wanted, only = _names("topics", topics), None if keys is None else _names("keys", keys)
        if not wanted:
            raise EventError("a subscriber needs at least one topic")
        for topic in wanted:
            check_topic(topic)
        now = self._monotonic()
        self._sweep(now)
        if len(self._subscribers) >= self._limits.subscribers:
            self._remove_idle(now)
        if len(self._subscribers) >= self._limits.subscribers:
            raise EventError(f"there are {len(self._subscribers)} subscribers, which is as many as may be")
        subscriber = Subscriber(secrets.token_hex(16), wanted, only, tenant, self._limits.buffer)
        subscriber.heard_at = now
        states = filter(subscriber.sees, self._states.of(wanted, only, now=now))
        subscriber.begin_with(replace(each, state=True) for each in states)
        self._subscribers.add(subscriber)
        return subscriber.name

    async def next(self, subscriber: str, max_events: int = 100, timeout_s: float = 25.0) -> list[Event]:
        """The next events, at most `max_events`, as soon as there is one; none when the time is over.

        Raises:
            SubscriberDropped: it was too slow, or is not known.
        """
        found = self._subscribers.get(subscriber)
        if found is None:
            raise SubscriberDropped("the hub does not know this subscriber; subscribe again")
        found.heard_at = self._monotonic()
        events = await found.next(max(1, max_events), timeout_s)
        found.heard_at = self._monotonic()
        if found.dropped is not None:
            self._subscribers.remove(subscriber)
            raise SubscriberDropped(f"the hub dropped this subscriber, since {found.dropped}; subscribe again")
        return events

    async def unsubscribe(self, subscriber: str) -> None:
        """Forget a subscriber. Whoever waits for its events hears so; one that is not known is no error."""
        found = self._subscribers.get(subscriber)
        if found is not None:
            self._subscribers.remove(subscriber)
            found.drop("it unsubscribed")

    async def counts(self) -> dict[str, int]:
        """How many events there were, and how many subscribers and states are kept."""
        return {"events": self._seq, "subscribers": len(self._subscribers), "states": len(self._states)}

    # ------------------------------------------------------------ those who have gone

    def _sweep(self, now: float) -> None:
        """Look for subscribers that are gone, unless that was done a moment ago."""
        if now >= self._next_sweep:
            self._next_sweep = now + self._limits.idle_s * _SWEEP_SHARE
            self._remove_idle(now)

    def _remove_idle(self, now: float) -> None:
        for each in self._subscribers:
            if not each.has_waiter and now - each.heard_at > self._limits.idle_s:
                self._subscribers.remove(each.name)


def _check(news: News) -> None:
    check_topic(news.topic)
    if not isinstance(news.data, Mapping):
        raise EventError(f"data of {_place(news)} must be a mapping, got {type(news.data).__name__}")
    try:
        json.dumps(dict(news.data), allow_nan=False)
    except (TypeError, ValueError) as error:  # it would break the streams of all who read it
        raise EventError(f"data of {_place(news)} must be JSON: {error}") from error
    if news.topic == TICKETS and not news.key:
        raise EventError("an event about a ticket needs the ticket's id as its key")


def _place(news: News) -> str:
    return f"the event `{news.topic}/{news.key}`"


def _names(parameter: str, names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):  # would be taken apart into its characters
        raise EventError(f"{parameter} must be a collection of names, got the string {names!r}")
    return frozenset(names)
