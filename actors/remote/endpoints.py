"""The endpoints of one provider: calls go round, and one that just failed is passed over for a while.

The provider as a whole has its circuit breaker (`policies.running.health`). This is the small matter below it:
which of its replicas a call goes to. When all of them failed lately, they are asked all the same, those first
that failed longest ago; whether anybody is asked at all is the breaker's to say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

#: how long an endpoint that failed is passed over, seconds
REST_S: Final = 5.0


class Endpoints:
    """Endpoints in turn. Safe to use from many threads."""

    def __init__(self, urls: Iterable[str], now: Callable[[], float]) -> None:
        self.urls = tuple(dict.fromkeys(urls))
        self._now = now
        self._next = 0
        #: endpoint → when it failed last
        self._failed: dict[str, float] = {}
        self._lock = threading.Lock()

    def in_turn(self) -> tuple[str, ...]:
        """All endpoints in the order in which one call tries them; the next call begins with another."""
        with self._lock:
            first = self._next
            self._next = (first + 1) % len(self.urls)
            failed = dict(self._failed)
        order = self.urls[first:] + self.urls[:first]
        resting_since = self._now() - REST_S
        well = [url for url in order if failed.get(url, resting_since) <= resting_since]
        resting = sorted((url for url in order if url not in well), key=failed.__getitem__)
        return (*well, *resting)

    def failed(self, url: str) -> None:
        """A call of the endpoint failed."""
        with self._lock:
            self._failed[url] = self._now()

    def answered(self, url: str) -> None:
        """It answered."""
        with self._lock:
            self._failed.pop(url, None)
