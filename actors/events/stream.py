"""The other end of the hub: an endless, ordered iterator over events.

The hub may go away and come back as a new one that knows nobody, or drop a subscriber that was too slow. The
stream then subscribes again, waiting longer each time that fails, and says so: the next event is one of the
topic `stream` with the key `resumed`. What follows begins with the current states, so whoever keeps a picture
of what is the case can start it anew there; events in between may be missing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Protocol, Self

from actors.events.backoff import Backoff
from actors.events.event import STREAM, Event, SubscriberDropped

#: key of the event that tells of a new subscription
RESUMED = "resumed"


class EventSource(Protocol):
    """Where events come from: an `EventHub`, or what passes the calls on to one."""

    async def subscribe(
        self, topics: Iterable[str], keys: Iterable[str] | None = None, tenant: str | None = None
    ) -> str:
        """A new subscriber's name."""

    async def next(self, subscriber: str, max_events: int = 100, timeout_s: float = 25.0) -> list[Event]:
        """Its next events."""

    async def unsubscribe(self, subscriber: str) -> None:
        """Forget it."""


class ActorSource:
    """The hub inside a Ray actor. `handle` is the actor's; each call looks at it anew."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def subscribe(
        self, topics: Iterable[str], keys: Iterable[str] | None = None, tenant: str | None = None
    ) -> str:
        """A new subscriber's name."""
        only = None if keys is None else list(keys)
        name: str = await self._handle.subscribe.remote(list(topics), only, tenant)
        return name

    async def next(self, subscriber: str, max_events: int = 100, timeout_s: float = 25.0) -> list[Event]:
        """Its next events."""
        events: list[Event] = await self._handle.next.remote(subscriber, max_events, timeout_s)
        return events

    async def unsubscribe(self, subscriber: str) -> None:
        """Forget it."""
        await self._handle.unsubscribe.remote(subscriber)


class EventStream:
    """Events of some topics, for ever: `async with EventStream(…) as stream: async for event in stream: …`."""

    def __init__(
        self,
        source: EventSource,
        topics: Iterable[str],
        *,
        keys: Iterable[str] | None = None,
        tenant: str | None = None,
        connection_errors: tuple[type[Exception], ...] = (ConnectionError,),
        max_events: int = 100,
        timeout_s: float = 25.0,
        backoff: Backoff | None = None,
    ) -> None:
        """A stream; nothing is asked of the source before the first event is.

        Args:
            source: the hub.
            topics: see `EventHub.subscribe`, and so `keys` and `tenant`.
            keys: only what concerns these.
            tenant: only what this tenant may see.
            connection_errors: what calls of the source raise while the hub is away; with Ray, `RayActorError`.
            max_events: that come with one call.
            timeout_s: how long a call waits for events; far less than `HubLimits.idle_s`.
            backoff: waits between tries to subscribe again.
        """
        self._source = source
        self._topics = tuple(topics)
        self._keys = None if keys is None else tuple(keys)
        self._tenant = tenant
        self._connection_errors = connection_errors
        self._max_events = max_events
        self._timeout_s = timeout_s
        self._backoff = backoff or Backoff()
        self._subscriber: str | None = None
        self._tries = 0
        self._fetched: deque[Event] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Unsubscribe. A hub that is away has nothing to forget."""
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            try:
                await self._source.unsubscribe(subscriber)
            except self._connection_errors:
                pass

    async def __aiter__(self) -> AsyncIterator[Event]:
        reason: str | None = None  # why it has to subscribe again; None: the first time, or it need not
        while True:
            while self._fetched:  # kept on the stream, so that an iteration that was left can be taken up again
                yield self._fetched.popleft()
            try:
                if self._subscriber is None:
                    await self._subscribe()
                    if reason is not None:
                        yield _resumed(reason)
                        reason = None
                await self._fetch()
            except SubscriberDropped as error:
                self._subscriber = None
                reason = str(error)
                await self._pause()
            except self._connection_errors as error:
                self._subscriber = None
                reason = f"the hub was away: {type(error).__name__}"
                await self._pause()

    async def _subscribe(self) -> None:
        self._subscriber = await self._source.subscribe(self._topics, self._keys, self._tenant)

    async def _fetch(self) -> None:
        assert self._subscriber is not None
        self._fetched.extend(await self._source.next(self._subscriber, self._max_events, self._timeout_s))
        self._tries = 0

    async def _pause(self) -> None:
        self._tries += 1
        await asyncio.sleep(self._backoff.wait_s(self._tries))


def _resumed(reason: str) -> Event:
    return Event(seq=0, topic=STREAM, key=RESUMED, at=time.time(), data={"reason": reason})
