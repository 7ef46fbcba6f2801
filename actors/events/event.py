"""What an event is, and what can be wrong with events.

    policy    a version of the policy came into force      key: its name
    health    the health of a target changed               key: the target's name
    tickets   a ticket changed                             key: the ticket's id
    caches    entries of a cache became invalid            key: the cache's name
    models    a model has more replicas, or less           key: the model's name, without `local-`
    stream    made by `EventStream` itself, when it had to subscribe again: what came before may have gaps,
              and what follows begins with the current states

EventError              a topic that does not exist, data that is none
└── SubscriberDropped   the hub does not know this subscriber, or no longer
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rtfs.spell import nearest

POLICY: Final = "policy"
HEALTH: Final = "health"
TICKETS: Final = "tickets"
CACHES: Final = "caches"
MODELS: Final = "models"
#: what can be published and subscribed to
TOPICS: Final = (POLICY, HEALTH, TICKETS, CACHES, MODELS)
#: only ever made by a stream
STREAM: Final = "stream"


class EventError(ValueError):
    """An event or a subscription that cannot be."""


class SubscriberDropped(EventError):
    """The hub has no such subscriber: it was too slow, was not heard of, or the hub is a new one.

    It may subscribe again, and then gets the current states first.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something changed."""

    #: rises by hub, from 1; 0 for events of the topic `stream`
    seq: int
    topic: str
    #: what of the topic changed
    key: str
    #: when, in seconds since the epoch
    at: float
    #: JSON-like
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)
    #: True: told to a late subscriber as what is now the case, not because it changes now
    state: bool = False
    #: whose it is; None: nobody's in particular
    tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is published: an event before the hub gave it its number."""

    topic: str
    key: str
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)
    tenant: str | None = None
    #: nothing further will change; the state is forgotten after a while
    ended: bool = False


def check_topic(topic: str) -> None:
    """Whether the topic can be published and subscribed to.

    Raises:
        EventError: it cannot.
    """
    if topic not in TOPICS:
        near = nearest(topic, TOPICS)
        advice = f"did you mean `{near}`?" if near else f"topics are {', '.join(TOPICS)}"
        raise EventError(f"no topic `{topic}`; {advice}")
