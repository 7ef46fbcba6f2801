"""Who is finding out what: leases on keys, so that processes do not ask a target the same thing at once.

A lease is held by one process until it is given back, or that process dies. Whoever finds it taken has it when
it is free, and looks then whether the answer is there.

Leases are advice. One that was lost costs a call, and is never waited for beyond the time of who waits.
`actors.caches.file_leases` has those that processes of a machine share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: called once, from any thread, when the lease is had
type Told = Callable[[], None]


class LeasePort(Protocol):
    """How a process asks for leases. Never raises; `told` may come late, or never."""

    def acquire(self, key: bytes, told: Told) -> None:
        """Ask for the lease on `key`."""

    def release(self, key: bytes) -> None:
        """Give a lease back."""
