"""How many replicas a model should have, from how those that it has are doing.

    one more    requests have waited for `FULL_S`, more than a full batch for each replica on average, or some
                were refused since no more may wait; and all replicas answer and have their model
    one less    for `CALM_S` no request waited, and what the model worked on has room in one replica less

Requests that are refused count at once: whoever sends them stops for a while, so the queue does not stay full.
One at a time: the next decision needs to see what the last one did. Plain class without a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.models.host import HostStats

#: seconds that requests wait until there is one replica more: two probes
FULL_S: Final = 5.0
#: seconds without a queue until there is one less
CALM_S: Final = 60.0
#: waiting requests that are many however large the model's batches are: an actor takes only some calls at once,
#: and those that wait before it, of one request each maybe, are in no queue that can be seen
_MANY: Final = 16


class Scaling:
    """The number of one model's replicas.

    Args:
        fewest: replicas that it has at least.
        most: and at most.
        count: how many it has now.
    """

    def __init__(self, fewest: int, most: int, count: int) -> None:
        self.count = count
        self._fewest = fewest
        self._most = most
        #: since when too many requests wait; None: they do not
        self._full_since: float | None = None
        self._calm_since: float | None = None
        #: replica → requests that it has refused
        self._refused: dict[str, int] = {}

    def decide(self, stats: Mapping[str, HostStats], now: float) -> int:
        """How many replicas there should be.

        Args:
            stats: of the replicas that answer, by their names.
            now: seconds that never go back.
        """
        refused, is_calm = self._have_refused(stats), self._is_calm(stats)
        self._full_since = _since(_is_full(stats), self._full_since, now)
        self._calm_since = _since(is_calm and not refused, self._calm_since, now)
        if (refused or _is_over(self._full_since, FULL_S, now)) and self._may_grow(stats):
            self._change(1)
        elif _is_over(self._calm_since, CALM_S, now) and self.count > self._fewest:
            self._change(-1)
        return self.count

    def _change(self, by: int) -> None:
        self.count += by
        self._full_since = self._calm_since = None

    def _may_grow(self, stats: Mapping[str, HostStats]) -> bool:
        """Not while one is on its way or in trouble: what is wrong with it would be wrong with the next."""
        ready = [each for each in stats.values() if each.state == "ready"]
        return self.count < self._most and len(ready) >= self.count

    def _have_refused(self, stats: Mapping[str, HostStats]) -> bool:
        before, self._refused = self._refused, {name: each.refused for name, each in stats.items()}
        return any(refused > before.get(name, refused) for name, refused in self._refused.items())

    def _is_calm(self, stats: Mapping[str, HostStats]) -> bool:
        rooms = sorted(each.max_batch * each.concurrency for each in stats.values())
        in_flight = sum(each.in_flight for each in stats.values())
        has_room = in_flight <= sum(rooms[: max(1, self.count - 1)])
        return has_room and not any(each.waiting for each in stats.values())


def _is_full(stats: Mapping[str, HostStats]) -> bool:
    waiting = sum(each.waiting for each in stats.values())
    return waiting > sum(min(each.max_batch, _MANY) for each in stats.values())


def _since(is_so: bool, since: float | None, now: float) -> float | None:
    """Since when something is so without a break."""
    if not is_so:
        return None
    return now if since is None else since


def _is_over(since: float | None, time_s: float, now: float) -> bool:
    return since is not None and now - since >= time_s
