"""What is the case now, by topic and key: the latest event of each.

Bounded. The state of what has ended, such as a finished ticket, stays for a while for those who come a little
late. Of each topic only so many keys are kept: what has ended goes first, then what has not changed for the
longest time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from actors.events.event import TOPICS, Event


class States:
    """The latest event of each key."""

    def __init__(self, *, most_keys: int, ended_keep_s: float) -> None:
        self._topics = {topic: _Topic(most_keys, ended_keep_s) for topic in TOPICS}

    def __len__(self) -> int:
        return sum(len(topic.latest) for topic in self._topics.values())

    def put(self, event: Event, *, ended: bool, now: float) -> None:
        """What is the case from now on."""
        self._topics[event.topic].put(event, ended, now)

    def of(self, topics: frozenset[str], keys: frozenset[str] | None, *, now: float) -> list[Event]:
        """The states of these topics, and of these keys alone if any are given, in order of change."""
        found = [event for topic in topics for event in self._topics[topic].of(keys, now)]
        return sorted(found, key=lambda event: event.seq)


class _Topic:
    def __init__(self, most_keys: int, ended_keep_s: float) -> None:
        self.latest: OrderedDict[str, Event] = OrderedDict()  # what changed last stands last
        self._ended: OrderedDict[str, float] = OrderedDict()  # key → when it goes, in order of that
        self._most_keys = most_keys
        self._ended_keep_s = ended_keep_s

    def put(self, event: Event, ended: bool, now: float) -> None:
        self._forget_ended(now)
        self._ended.pop(event.key, None)
        self.latest[event.key] = event
        self.latest.move_to_end(event.key)
        if len(self.latest) > self._most_keys:
            self._forget(next(iter(self._ended or self.latest)))
        if ended:
            self._ended[event.key] = now + self._ended_keep_s

    def of(self, keys: frozenset[str] | None, now: float) -> Iterator[Event]:
        self._forget_ended(now)
        if keys is None:
            return iter(self.latest.values())
        return (self.latest[key] for key in keys if key in self.latest)

    def _forget_ended(self, now: float) -> None:
        while self._ended:
            key = next(iter(self._ended))
            if self._ended[key] > now:
                return
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._ended.pop(key, None)
        del self.latest[key]
