"""L1 as one of the caches: decisions, which `policies.l1_cache` holds."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from actors.caches.layer import DEFAULT_CONTROL, CacheConfig, CacheControl, CacheStats, Hit, Item, Origin, Which
from policies.l1_cache import L1Cache, L1Entry, Timer, may_be_kept
from policies.plan import DelegationPlan
from policies.targets import target_name


class DecisionKey(NamedTuple):
    """A question that an engine decides."""

    #: symbol of the function
    agent: str
    #: `CallContext.task`
    task: int
    #: of the policy
    version: str
    ir_hash: str | None = None


class DecisionLayer:
    """A `CacheLayer` over the decisions of an engine. `Which.symbol` is the agent, `Which.input` the task.

    Args:
        timer: that of the cache.
    """

    name = "l1"

    def __init__(self, cache: L1Cache, timer: Timer) -> None:
        self._cache = cache
        self._timer = timer
        self.config = CacheConfig(size_entries=cache.size, ttl_s=cache.ttl, eviction=cache.eviction)

    @property
    def stats(self) -> CacheStats:
        """What happened so far."""
        found = self._cache.stats
        return CacheStats(
            hits=found.hits,
            misses=found.misses,
            entries=found.size,
            evictions=found.evictions,
            expirations=found.expirations,
        )

    def get(self, key: DecisionKey, control: CacheControl = DEFAULT_CONTROL) -> Hit[DelegationPlan] | None:
        """The decision that is kept for a question."""
        entry = self._cache.get(key.agent, key.task, version=key.version, ir_hash=key.ir_hash)
        if entry is None:
            return None
        hit = self._hit(entry)
        return hit if control.suits(hit.age_s, 1.0) else None

    def put(self, key: DecisionKey, item: Item) -> bool:
        """Keep a decision; whether it is one that may be kept."""
        plan = item.value
        if not isinstance(plan, DelegationPlan) or not may_be_kept(plan):
            return False
        self._cache.keep(key.agent, key.task, plan, version=key.version, ir_hash=key.ir_hash)
        return True

    def invalidate(self, which: Which) -> int:
        """Remove decisions of an agent, of a task, or of both. Raises InvalidCache."""
        which.check()
        if which.symbol is None and which.input is None:
            return 0
        task = None if which.input is None else int.from_bytes(which.input)
        return self._cache.invalidate(agent=which.symbol, task=task)

    def clear(self) -> int:
        """Remove everything; how many entries."""
        entries = self._cache.stats.size
        self._cache.clear()
        return entries

    def _hit(self, entry: L1Entry) -> Hit[DelegationPlan]:
        left_s = entry.expires_at - self._timer()
        return Hit(
            entry.plan,
            "l1",
            0.0 if left_s == inf else max(0.0, self._cache.ttl - left_s),
            left_s,
            Origin(None, entry.agent, target_name(entry.plan.target), entry.version or ""),
        )
