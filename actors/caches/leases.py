"""Who is finding out what: leases on keys, so that processes do not ask a target the same thing at once.

A lease is held by one process until it is given back, or that process dies. Whoever finds it taken is told when
it is free, and looks then whether the answer is there.

Leases are advice. One that was lost costs a call, and is never waited for beyond the time of who waits.
`actors.caches.file_leases` has those that processes of a machine share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: called once, from any thread: with a token for the lease, or with None when another's lease is over
type Told = Callable[[str | None], None]


class LeasePort(Protocol):
    """How a process asks for leases. Never raises; `told` may never be called if who grants them is lost."""

    def acquire(self, key: bytes, told: Told) -> None:
        """Ask for the lease on `key`."""

    def release(self, key: bytes, token: str) -> None:
        """Give a lease back; one that is over is nothing to give."""
