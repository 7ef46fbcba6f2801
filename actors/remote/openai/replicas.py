"""The endpoints of one service: each attempt goes to the one where it has to wait least.

Load is what this process has under way there, and how long answers take. One that just failed rests, as long as
it asks for or some seconds; then one attempt tries whether it is back. Whether the service as a whole is asked
at all is for the circuit breaker (`policies.running.health`) to say: when all endpoints rest, the one that has
rested longest of its time is asked all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

from actors.remote.endpoints import REST_S
from policies.errors import NotSent, TargetFailed
from policies.learning.balance import Replica, least_loaded
from policies.running.health import MAX_RETRY_AFTER_S, NOT_ITS_FAULT
from policies.world import Circuit

#: what the latest answer counts in the time that answers take
_NEWEST: Final = 0.2


@dataclass(slots=True)
class _Endpoint:
    under_way: int = 0
    #: None: nothing was measured
    latency_ms: float | None = None
    #: when the rest after a failure ends; None: it did not fail
    rests_until: float | None = None


class Replicas:
    """Endpoints. Safe to use from many threads.

    Args:
        now: seconds that never go back.
    """

    def __init__(self, urls: Iterable[str], now: Callable[[], float]) -> None:
        self._endpoints = {url: _Endpoint() for url in urls}
        self._now = now
        self._calls = count()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, tried: Collection[str] = ()) -> Iterator[str]:
        """An endpoint for one attempt, not one of `tried` if there is another; a TargetFailed tells of it."""
        with self._lock:
            url = self._pick(tried)
            endpoint = self._endpoints[url]
            endpoint.under_way += 1
        began = self._now()
        try:
            yield url
        except TargetFailed as failure:
            if failure.cause not in NOT_ITS_FAULT and not isinstance(failure, NotSent):
                endpoint.rests_until = self._now() + _rest_s(failure)
            raise
        else:
            self._answered(endpoint, (self._now() - began) * 1000)
        finally:
            with self._lock:
                endpoint.under_way -= 1

    def has_other(self, tried: Collection[str]) -> bool:
        """Whether there is an endpoint, not one of `tried`, that does not rest."""
        now = self._now()
        return any(url not in tried and _circuit(each, now) != "open" for url, each in self._endpoints.items())

    def _answered(self, endpoint: _Endpoint, took_ms: float) -> None:
        with self._lock:
            endpoint.rests_until = None
            before = took_ms if endpoint.latency_ms is None else endpoint.latency_ms
            endpoint.latency_ms = before + _NEWEST * (took_ms - before)

    def _pick(self, tried: Collection[str]) -> str:
        if len(self._endpoints) == 1:
            return next(iter(self._endpoints))
        now = self._now()
        urls = [url for url in self._endpoints if url not in tried] or list(self._endpoints)
        chosen = least_loaded(
            (_replica(url, self._endpoints[url], now) for url in urls), str(next(self._calls))
        )
        if chosen is not None:
            return chosen.name
        return min(urls, key=lambda url: self._endpoints[url].rests_until or 0.0)


def _replica(url: str, endpoint: _Endpoint, now: float) -> Replica:
    return Replica(
        name=url,
        in_flight=endpoint.under_way,
        circuit=_circuit(endpoint, now),
        latency_ms=endpoint.latency_ms,
    )


def _circuit(endpoint: _Endpoint, now: float) -> Circuit:
    if endpoint.rests_until is None:
        return "closed"
    return "open" if now < endpoint.rests_until else "half-open"


def _rest_s(failure: TargetFailed) -> float:
    wanted = failure.retry_after_s
    return REST_S if wanted is None else min(max(wanted, 0.0), MAX_RETRY_AFTER_S)
