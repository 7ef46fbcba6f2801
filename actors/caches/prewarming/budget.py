"""How much may be asked for beforehand: calls in any minute, money in any hour, calls at once.

Money is put aside before a call, as much as it may cost, and counted as spent when it is over. A call of which
nobody says what it may cost is not made. Pure: time is what it is told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from policies.world import MicroUsd

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a budget permits."""

    calls_per_minute: int
    per_hour: MicroUsd
    at_once: int


class Budget:
    """Keeps to its bounds, which may change. For one thread at a time."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        #: calls under way
        self.under_way = 0
        #: all that was spent, ever
        self.spent: MicroUsd = 0
        self._set_aside: MicroUsd = 0
        self._began: deque[float] = deque()
        self._paid: deque[tuple[float, MicroUsd]] = deque()
        self._paid_in_hour: MicroUsd = 0

    def is_used_up(self, now: float) -> bool:
        """Whether no call may be made now, not even one that costs nothing."""
        self._pass(now)
        return self.under_way >= self.bounds.at_once or len(self._began) >= self.bounds.calls_per_minute

    def take(self, price: MicroUsd | None, now: float) -> bool:
        """Begin a call that costs `price` at most; whether it may be. `settle` it when it is over."""
        if price is None or self.is_used_up(now):
            return False
        if price and self._set_aside + self._paid_in_hour + price > self.bounds.per_hour:
            return False
        self.under_way += 1
        self._set_aside += price
        self._began.append(now)
        return True

    def settle(self, price: MicroUsd, cost: MicroUsd, now: float) -> None:
        """A call is over that was begun for `price`, and did cost `cost`."""
        self.under_way -= 1
        self._set_aside -= price
        if cost:
            self.spent += cost
            self._paid.append((now, cost))
            self._paid_in_hour += cost

    def _pass(self, now: float) -> None:
        while self._began and self._began[0] <= now - MINUTE_S:
            self._began.popleft()
        while self._paid and self._paid[0][0] <= now - HOUR_S:
            self._paid_in_hour -= self._paid.popleft()[1]
