"""How long to wait before trying again: longer each time, and not all at the same moment."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that double from `first_s` to `most_s`.

    Each is shortened by up to `jitter` of its length, by chance: those who lost the same peer at the same time
    should not come back at the same time.
    """

    first_s: float = 0.05
    most_s: float = 5.0
    jitter: float = 0.5

    def wait_s(self, tries: int) -> float:
        """Seconds to wait after so many tries in a row that failed, from 1."""
        doublings = min(max(tries, 1) - 1, 60)
        longest_s = min(self.most_s, self.first_s * 2.0**doublings)
        return longest_s * (1.0 - self.jitter * random.random())
