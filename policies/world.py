"""What decisions depend on besides the policy: time, health, money spent, load. A snapshot, never looked up.

Whoever owns the clock and the counters makes a new `World` when one of them changes what may be decided, and
hands it to the engines. Under one policy and one world `decide` is a pure function of the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

#: states of a circuit breaker: calls go through; none does; a few try whether it is back
type Circuit = Literal["closed", "open", "half-open"]
#: money is counted in millionths of a US dollar, so that sums are exact
type MicroUsd = int

USD: int = 1_000_000


def micro_usd(usd: float) -> MicroUsd:
    """Dollars as counted money, rounded up: nothing that costs is free."""
    scaled = usd * USD
    whole = int(scaled)
    # 0.1 + 0.2 dollars are 300000.00000000006 of them: what is below a thousandth of one is no money
    return whole if scaled - whole < 1e-3 else whole + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """What is known of one target now."""

    circuit: Circuit = "closed"
    #: when an open circuit lets the next call try, seconds since the epoch
    retry_at: float = 0.0
    #: fraction of failures in the window, 0 to 1
    error_rate: float = 0.0
    #: median latency in the window, None if nothing was measured
    latency_ms: float | None = None
    #: calls under way
    in_flight: int = 0


class BudgetKey(NamedTuple):
    """One purse: a budget of the policy, whose it is, and which window of time."""

    budget: str
    #: the tenant, plan or provider that it is counted for
    owner: str
    #: number of the window since the epoch, 0 for a budget that never ends
    window: int


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A snapshot. `version` changes whenever anything else does."""

    version: int = 0
    #: seconds since the epoch
    now: float = 0.0
    #: by target name; a target that is missing has the state of a new one
    targets: Mapping[str, TargetState] = field(default_factory=lambda: MappingProxyType({}))
    #: spent or reserved, by purse
    spent: Mapping[BudgetKey, MicroUsd] = field(default_factory=lambda: MappingProxyType({}))
    #: price of a call in dollars by target name, where it differs from the policy's
    prices_usd: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
