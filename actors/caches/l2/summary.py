"""What the answers of a folder add up to: by model, by function, by tenant, by age."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from actors.caches.l2.rows import maybe_number
from actors.caches.l2.survey import Row
from actors.caches.layer import Origin

#: ends of the classes of ages and of time that is left, seconds: a minute, an hour, a day, a week
BOUNDS_S: Final = (60.0, 3_600.0, 86_400.0, 604_800.0)


@dataclass(slots=True)
class Share:
    """Some of the answers together."""

    entries: int = 0
    #: of stored values, before they are shared
    nbytes: int = 0
    #: times that they were read from the folder, as far as its writer was told
    uses: int = 0
    #: what they cost to make, which one use of each saves
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    #: what those uses saved
    saved_usd: float = 0.0
    saved_ms: float = 0.0

    def add(self, row: Row) -> None:
        """One answer more."""
        record, uses = row.record, row.place.uses
        latency_ms = maybe_number(record.latency_ms) or 0.0
        self.entries += 1
        self.nbytes += record.length
        self.uses += uses
        self.cost_usd += record.cost_usd
        self.latency_ms += latency_ms
        self.saved_usd += record.cost_usd * uses
        self.saved_ms += latency_ms * uses

    def merge(self, other: Share) -> None:
        """All those of another."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Summary:
    """The sums over answers, as they come."""

    def __init__(self) -> None:
        self.by_origin: defaultdict[Origin, Share] = defaultdict(Share)
        #: how many are so old; one class more than `BOUNDS_S`
        self.ages = [0] * (len(BOUNDS_S) + 1)
        #: how many have so long to live, without those that have expired
        self.left = [0] * (len(BOUNDS_S) + 1)
        self.expired = 0

    def add(self, rows: Iterable[Row], now_us: int) -> None:
        """Count answers. `now_us`: the store's clock."""
        for row in rows:
            self.by_origin[row.origin].add(row)
            self.ages[_class(now_us - row.record.created_us)] += 1
            left_us = row.record.expires_us - now_us
            if left_us <= 0:
                self.expired += 1
            else:
                self.left[_class(left_us)] += 1

    @property
    def total(self) -> Share:
        """All together."""
        whole = Share()
        for share in self.by_origin.values():
            whole.merge(share)
        return whole

    def by[K](self, key: Callable[[Origin], K]) -> Mapping[K, Share]:
        """The sums over what has the same `key`, those with most entries first."""
        found: defaultdict[K, Share] = defaultdict(Share)
        for origin, share in self.by_origin.items():
            found[key(origin)].merge(share)
        return dict(sorted(found.items(), key=lambda item: (-item[1].entries, str(item[0]))))


def _class(time_us: int) -> int:
    """The class of a time: that of its first bound above."""
    return bisect_right(BOUNDS_S, time_us / 1e6)
