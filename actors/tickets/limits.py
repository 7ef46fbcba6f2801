"""Limits of the queue, and the pauses between attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from math import isfinite
from types import MappingProxyType
from typing import Final

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How much the queue takes, tries and keeps. All durations are in seconds.

    Raises:
        ValueError: a limit is negative, not finite, or zero where nothing could then ever run.
    """

    #: tickets that wait, of all tenants together; running ones do not count
    max_queued: int = 100_000
    max_queued_per_tenant: int = 20_000
    max_running_per_tenant: int = 256
    #: shares of the places when tenants compete; 1 for who is not named
    tenant_weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    #: waiting that outweighs one step of priority
    aging_s: float = 60.0
    default_max_attempts: int = 3
    #: pause after the first failed attempt; doubles with each
    backoff_s: float = 1.0
    max_backoff_s: float = 300.0
    #: how long ended tickets are kept, unless they ask for less or more
    keep_s: float = _DAY_S
    keep_dead_s: float = 7 * _DAY_S
    #: the most that a ticket may ask for
    max_keep_s: float = 30 * _DAY_S

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "tenant_weights":
                for tenant, weight in value.items():
                    _check(f"weight of tenant `{tenant}`", weight, above_zero=True)
            else:
                # `aging_s` of 0 would divide nothing and order nothing; counts of 0 would let nothing run
                _check(each.name, value, above_zero=each.name.startswith(("max_", "default_", "aging_")))

    def weight(self, tenant: str) -> float:
        """The share of a tenant."""
        return self.tenant_weights.get(tenant, 1.0)

    def keeps_s(self, *, dead: bool, asked_s: float | None) -> float:
        """How long a ticket that has ended is kept."""
        if asked_s is not None:
            return min(asked_s, self.max_keep_s)
        return self.keep_dead_s if dead else self.keep_s


def pause_s(limits: QueueLimits, ticket_id: str, failures: int) -> float:
    """The pause before the next attempt, after `failures` failed ones.

    Doubles each time from `backoff_s` to `max_backoff_s`; of that, between a half and all of it. Which part
    depends on the ticket and the attempt alone: tickets that failed together do not come back together, and the
    same history gives the same times.
    """
    longest = min(limits.backoff_s * 2.0 ** min(failures - 1, 60), limits.max_backoff_s)
    digest = blake2b(f"{ticket_id}/{failures}".encode(), digest_size=8).digest()
    return longest * (0.5 + int.from_bytes(digest) / 2**65)


def _check(name: str, value: float, *, above_zero: bool) -> None:
    if not isfinite(value) or value < 0 or (above_zero and value == 0):
        least = "above 0" if above_zero else "0 or more"
        raise ValueError(f"`{name}` must be {least}, got {value!r}")
