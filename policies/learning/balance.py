"""Choosing a replica of a target by load, which is given as data.

`least_loaded` looks at all replicas. `one_of_two` looks at two that a hash of the call draws, and takes the
less loaded of them: the power of two choices (Mitzenmacher 2001). With loads that are known late, many callers
that all look for the least loaded replica run to the same one; with two choices they do not, and the longest
queue is still only a little longer than it must be.

Load is calls under way, the next one included, as a share of capacity, times the measured time of a call: how
long the new call has to wait. A replica without a capacity counts as one of `UNBOUNDED`; one that was not
measured as the fastest of those that were, so that it gets its chance. One that is full or unhealthy is never
chosen.

Both functions are pure: the same replicas and key give the same choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from policies.context import fingerprint
from policies.errors import PolicyError
from policies.world import Circuit

#: capacity for comparison of a replica that names none
UNBOUNDED: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One of several that serve the same target, and how it is now."""

    #: its endpoint, or any name that tells it from the others
    name: str
    #: calls under way
    in_flight: int = 0
    #: calls that it takes at once; None: not known; 0: none, it is being shut down
    capacity: int | None = None
    circuit: Circuit = "closed"
    #: median time of a call, milliseconds, if measured
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        if self.in_flight < 0 or (self.capacity is not None and self.capacity < 0):
            raise PolicyError(
                f"expected calls under way and capacity of `{self.name}` to be 0 or more, "
                f"got {self.in_flight} and {self.capacity}"
            )

    @property
    def is_full(self) -> bool:
        """Whether it takes no further call."""
        return self.capacity is not None and self.in_flight >= self.capacity

    @property
    def is_usable(self) -> bool:
        """Whether a call may go there; one that is half-open takes a trial, and only one."""
        return not self.is_full and (
            self.circuit == "closed" or (self.circuit == "half-open" and self.in_flight == 0)
        )

    def wait(self, unmeasured_ms: float) -> float:
        """How long a further call has to wait, for comparison."""
        pace = unmeasured_ms if self.latency_ms is None else self.latency_ms
        return (self.in_flight + 1) / (self.capacity or UNBOUNDED) * pace


def least_loaded(replicas: Iterable[Replica], key: str = "") -> Replica | None:
    """The usable replica with the least load, None if there is none.

    Args:
        key: of the call; it decides between equals, so that these share the calls.
    """
    usable = [replica for replica in replicas if replica.is_usable]
    fastest = _fastest(usable)
    return min(usable, key=lambda each: (each.wait(fastest), fingerprint("b1", key, each.name)), default=None)


def one_of_two(replicas: Iterable[Replica], key: str, seed: int = 0) -> Replica | None:
    """The less loaded of two usable replicas that `key` and `seed` draw, None if none is usable.

    Args:
        key: of the call: different for calls that should not all go the same way, the same for a repetition.
    """
    usable = [replica for replica in replicas if replica.is_usable]
    if len(usable) < 2:
        return usable[0] if usable else None
    drawn = fingerprint("b1", str(seed), key)
    first = drawn % len(usable)
    second = (drawn >> 32) % (len(usable) - 1)
    second += second >= first
    one, other = usable[first], usable[second]
    fastest = _fastest(usable)
    return other if other.wait(fastest) < one.wait(fastest) else one


def _fastest(replicas: Iterable[Replica]) -> float:
    """Time of a call of the fastest replica that was measured, milliseconds; 1 if none was."""
    measured = (each.latency_ms for each in replicas)
    return min((pace for pace in measured if pace is not None and pace > 0), default=1.0)
