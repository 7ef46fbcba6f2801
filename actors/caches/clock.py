"""A clock that never goes back.

Times to live need the time of day, since entries outlive processes; but that can be set back, and then what
has expired would be good again, and what is young would live for longer than it may. So time goes on here as
the machine's monotonic clock does, from the latest time of day that was ever seen. The store keeps that latest
time, and all who open it begin there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: what clocks may be apart without meaning anything, microseconds
SLACK_US: Final = 5_000_000
#: a time of day that was set back for longer while nobody looked leaves no way to know the age of anything
MOST_BACK_US: Final = 60_000_000


class SteadyClock:
    """Microseconds since the epoch, or later if the time of day was set back. Safe to use from many threads.

    Args:
        wall: seconds since the epoch.
        monotonic: seconds that never go back.
    """

    __slots__ = ("_ahead_us", "_monotonic", "wall")

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.wall = wall
        self._monotonic = monotonic
        #: the steady time at zero of the monotonic clock
        self._ahead_us = int((wall() - monotonic()) * 1e6)

    def now_us(self) -> int:
        """The time."""
        monotonic = self._monotonic()
        ahead_us = int((self.wall() - monotonic) * 1e6)
        if ahead_us > self._ahead_us:  # the time of day was set forward, or runs faster
            self._ahead_us = ahead_us
        return int(monotonic * 1e6) + self._ahead_us

    def resume(self, steady_us: int, wall_us: int) -> None:
        """Go on from a time that was noted at some time of day, and what has gone by since."""
        self.at_least(steady_us + max(0, int(self.wall() * 1e6) - wall_us))

    def was_set_back(self, wall_us: int) -> bool:
        """Whether the time of day is so far behind one that was noted that no age is known."""
        return int(self.wall() * 1e6) - wall_us < -MOST_BACK_US - SLACK_US

    def at_least(self, steady_us: int) -> None:
        """Go on from a time that somebody else has seen."""
        behind_us = steady_us - self.now_us()
        if behind_us > 0:
            self._ahead_us += behind_us
