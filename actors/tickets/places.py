"""Where tickets run: the evaluators, how many runs each has, and which of them are away.

A pure data structure. An evaluator that was lost is given nothing until it is back: its tickets would fail one
after the other while it is started anew, and use up their attempts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class RunnerLost(Exception):
    """An evaluator died, or cannot be reached, while it ran something."""


class RunnerPort(Protocol):
    """An evaluator."""

    async def run(self, request: bytes) -> bytes:
        """Run a request. Raises RunnerLost."""

    async def alive(self) -> None:
        """Come back if it would run something now. Raises RunnerLost."""

    def cancel(self, run_id: str) -> None:
        """Stop a run, if it is under way. Never waits."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A run under way."""

    ticket_id: str
    run_id: str
    name: str
    runner: RunnerPort


class Places:
    """The places of all evaluators. `each`: runs at once on one of them."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._runners: dict[str, RunnerPort] = {}
        self._away: set[str] = set()
        self._busy: Counter[str] = Counter()
        self._by_ticket: dict[str, Place] = {}

    def set_runners(self, runners: Mapping[str, RunnerPort]) -> None:
        """Say which evaluators there are. Runs on others go on."""
        self._runners = dict(runners)

    def runner(self, name: str) -> RunnerPort | None:
        """The evaluator of that name, if it is one of them still."""
        return self._runners.get(name)

    def free(self) -> int:
        """How many runs may begin."""
        return sum(max(0, self._each - self._busy[name]) for name in self._runners if name not in self._away)

    def take(self, ticket_id: str, run_id: str) -> Place:
        """A place on the evaluator with the fewest runs.

        Raises:
            RunnerLost: there is no evaluator that is not away.
        """
        there = [name for name in self._runners if name not in self._away]
        if not there:
            raise RunnerLost("no evaluator is there")
        name = min(there, key=lambda name: self._busy[name])
        place = Place(ticket_id, run_id, name, self._runners[name])
        self._busy[name] += 1
        self._by_ticket[ticket_id] = place
        return place

    def leave(self, place: Place) -> None:
        """A run is over."""
        self._busy[place.name] -= 1
        if self._by_ticket.get(place.ticket_id) is place:
            del self._by_ticket[place.ticket_id]

    def of(self, ticket_id: str) -> Place | None:
        """Where a ticket runs."""
        return self._by_ticket.get(ticket_id)

    def lost(self, name: str) -> bool:
        """An evaluator was lost; whether that is news."""
        is_news = name not in self._away
        self._away.add(name)
        return is_news

    def back(self, name: str) -> None:
        """An evaluator is there again."""
        self._away.discard(name)
