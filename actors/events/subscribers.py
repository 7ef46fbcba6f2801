"""Who wants which events, and what has not been fetched yet.

A `Subscriber` has a buffer of bounded size. It is woken when something is in it; when it is full and more
comes, the subscriber is dropped, since waiting for it would hold up everybody else and an endless buffer would
fill the memory. What a late subscriber gets first, the current states, stands outside that bound: it is a list
of events that the hub holds anyway.

`Subscribers` finds those whom an event concerns by topic and key, without asking each of them, so that a
thousand clients who each watch one ticket cost no more than one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator

from actors.events.event import TICKETS, Event


class Subscriber:
    """One of them. Only used by the hub, on its loop."""

    def __init__(
        self, name: str, topics: frozenset[str], keys: frozenset[str] | None, tenant: str | None, room: int
    ) -> None:
        self.name = name
        self.topics = topics
        #: None: all keys
        self.keys = keys
        #: None: sees events of all tenants
        self.tenant = tenant
        #: why it was dropped, until it has been told
        self.dropped: str | None = None
        #: monotonic seconds
        self.heard_at = 0.0
        self._room = room
        self._states: deque[Event] = deque()
        self._buffer: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._calls = 0

    def sees(self, event: Event) -> bool:
        """Whether the event may be shown to its tenant. A ticket without a tenant is shown to no tenant."""
        if self.tenant is None or event.tenant == self.tenant:
            return True
        return event.tenant is None and event.topic != TICKETS

    def begin_with(self, states: Iterable[Event]) -> None:
        """The current states, to be fetched before anything else."""
        self._states.extend(states)

    def put(self, event: Event) -> None:
        """One more event, or one too many."""
        if self.dropped is not None:
            return
        if len(self._buffer) >= self._room:
            self.drop(f"it was too slow: {self._room} events were waiting for it")
            return
        self._buffer.append(event)
        self._wake()

    def drop(self, reason: str) -> None:
        """Forget what it has not fetched, and wake it so that it hears of this."""
        self.dropped = reason
        self._states.clear()
        self._buffer.clear()
        self._wake()

    @property
    def has_waiter(self) -> bool:
        """Whether somebody waits for its events now."""
        return self._waiter is not None

    async def next(self, most: int, timeout_s: float) -> list[Event]:
        """At most so many events, in order, as soon as there is one; they are gone then.

        None come when the time is over, when it was dropped, and when somebody called after this call: a client
        that lost its connection calls again while the first call still waits, and then it is the newer one
        that somebody listens to.
        """
        self._calls += 1
        call = self._calls
        self._wake()
        if not self._states and not self._buffer and self.dropped is None:
            await self._wait(timeout_s)
        return self._take(most) if call == self._calls else []

    async def _wait(self, timeout_s: float) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            pass  # what `timeout_s` is for
        finally:
            if self._waiter is waiter:
                self._waiter = None

    def _take(self, most: int) -> list[Event]:
        taken: list[Event] = []
        for source in (self._states, self._buffer):
            while source and len(taken) < most:
                taken.append(source.popleft())
        return taken

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Subscribers:
    """All of them, found by name, by topic, and by topic and key."""

    def __init__(self) -> None:
        self._by_name: dict[str, Subscriber] = {}
        #: names of those who take every key of a topic; dicts, since order must not depend on hashes
        self._by_topic: dict[str, dict[str, Subscriber]] = {}
        self._by_key: dict[tuple[str, str], dict[str, Subscriber]] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(list(self._by_name.values()))

    def get(self, name: str) -> Subscriber | None:
        """The one of that name."""
        return self._by_name.get(name)

    def add(self, subscriber: Subscriber) -> None:
        """One more."""
        self._by_name[subscriber.name] = subscriber
        for topic in subscriber.topics:
            if subscriber.keys is None:
                self._by_topic.setdefault(topic, {})[subscriber.name] = subscriber
            else:
                for key in subscriber.keys:
                    self._by_key.setdefault((topic, key), {})[subscriber.name] = subscriber

    def remove(self, name: str) -> None:
        """Forget one, if it is known."""
        subscriber = self._by_name.pop(name, None)
        if subscriber is None:
            return
        for topic in subscriber.topics:
            self._by_topic.get(topic, {}).pop(name, None)
            for key in subscriber.keys or ():
                of_key = self._by_key.get((topic, key), {})
                of_key.pop(name, None)
                if not of_key:
                    self._by_key.pop((topic, key), None)

    def concerned(self, event: Event) -> Iterator[Subscriber]:
        """Those who want it and may see it."""
        for group in (self._by_topic.get(event.topic), self._by_key.get((event.topic, event.key))):
            for subscriber in list(group.values()) if group else ():
                if subscriber.sees(event):
                    yield subscriber
