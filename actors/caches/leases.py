"""Who is finding out what: leases on keys, so that processes do not ask a target the same thing at once.

A lease is held by one process until it is given back, or runs out because its holder died or takes too long.
Whoever finds it taken is told when it is free, and looks then whether the answer is there; nobody asks again
and again.

Leases are advice. One that was lost costs a call, and is never waited for beyond its time.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from threading import Lock
from typing import Protocol

#: called once, from any thread: with a token for the lease, or with None when another's lease is over
type Told = Callable[[str | None], None]


class LeasePort(Protocol):
    """How a process asks for leases. Never raises; `told` may never be called if who grants them is lost."""

    def acquire(self, key: bytes, told: Told) -> None:
        """Ask for the lease on `key`."""

    def release(self, key: bytes, token: str) -> None:
        """Give a lease back; one that has run out is nothing to give."""


@dataclass(slots=True, eq=False)
class _Lease:
    token: str
    holder: str
    waiting: list[Told] = field(default_factory=list)


class Grantor(Protocol):
    """Who grants leases: `Leases`, or the writer that has some."""

    def acquire(self, key: bytes, holder: str, told: Told) -> None:
        """As `Leases.acquire`."""

    def release(self, key: bytes, token: str) -> None:
        """As `Leases.release`."""


class Holder:
    """The `LeasePort` of a process in which the grantor is."""

    def __init__(self, grantor: Grantor, name: str) -> None:
        self._grantor = grantor
        self._name = name

    def acquire(self, key: bytes, told: Told) -> None:
        """Ask for the lease on `key`."""
        self._grantor.acquire(key, self._name, told)

    def release(self, key: bytes, token: str) -> None:
        """Give a lease back."""
        self._grantor.release(key, token)


class Leases:
    """Leases on keys. Safe to use from many threads.

    Args:
        time_s: after which a lease runs out, seconds: longer than most answers take.
        timer: seconds that never go back.
    """

    def __init__(self, time_s: float = 30.0, timer: Callable[[], float] = time.monotonic) -> None:
        self.time_s = time_s
        self._timer = timer
        self._held: dict[bytes, _Lease] = {}
        #: ends of leases, some of which are over
        self._ends: list[tuple[float, bytes, str]] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._held)

    def acquire(self, key: bytes, holder: str, told: Told, time_s: float | None = None) -> None:
        """Ask for the lease on `key`: `told` a token now, or None once whoever has it has it no more.

        Args:
            holder: names the process, for `lost`.
            time_s: after which it runs out, seconds; None: that of all.
        """
        self.expire()
        with self._lock:
            lease = self._held.get(key)
            if lease is not None:
                lease.waiting.append(told)
                return
            token = secrets.token_hex(8)
            self._held[key] = _Lease(token, holder)
            ends_at = self._timer() + (self.time_s if time_s is None else time_s)
            heappush(self._ends, (ends_at, key, token))
        told(token)

    def release(self, key: bytes, token: str) -> None:
        """Give a lease back; one that has run out, and may be another's now, is nothing to give."""
        with self._lock:
            lease = self._held.get(key)
            if lease is None or lease.token != token:
                return
            del self._held[key]
        _tell([lease])

    def lost(self, holder: str) -> int:
        """A process died: what it held is free. How many leases that were."""
        with self._lock:
            gone = {key: lease for key, lease in self._held.items() if lease.holder == holder}
            for key in gone:
                del self._held[key]
        _tell(list(gone.values()))
        return len(gone)

    def expire(self) -> float | None:
        """Free what has run out. When the next one does, on the timer; None: there is none."""
        now, over = self._timer(), []
        with self._lock:
            while self._ends and self._ends[0][0] <= now:
                _, key, token = heappop(self._ends)
                lease = self._held.get(key)
                if lease is not None and lease.token == token:
                    over.append(self._held.pop(key))
            due = self._ends[0][0] if self._ends else None
        _tell(over)
        return due


def _tell(leases: list[_Lease]) -> None:
    for lease in leases:
        for told in lease.waiting:
            told(None)
