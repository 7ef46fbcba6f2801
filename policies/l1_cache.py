"""L1: decisions by who asks and what for, `(agent, task) → DelegationPlan`.

`agent` is the symbol of the function, `task` the combined fingerprint of a call (`CallContext.task`). An entry
belongs to a version of the policy and is out of reach under any other; only entries put by hand may be good
under every version. Entries end after their time to live whatever the eviction is. Time comes from the owner's
`timer`, for engines that of their world, so that a decision depends on no clock.

eviction   what goes when the cache is full
lru        what was not used for the longest time
lfu        what was used least often
fifo       what is there for the longest time
random     any, drawn from a generator with a seed
ttl        what has expired, then what was not used for the longest time

Pinned entries stand beside these: they neither end nor give way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from random import Random
from threading import Lock
from typing import Final

from cachetools import Cache, FIFOCache, LFUCache, LRUCache, RRCache, TLRUCache

from policies.errors import PolicyError
from policies.file.schema import Delegation, Eviction
from policies.plan import DelegationPlan, Stage
from rtfs.delegation import L4CacheHit

#: decisions that must not outlive the call or the moment that they were made for: a module may be withdrawn,
#: metadata belongs to one run, what was learnt changes, and an escape from a veto is no choice
NEVER_KEPT: Final[frozenset[Stage]] = frozenset({"l4", "metadata", "adaptive", "fallback"})

type Timer = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class L1Entry:
    """One decision that is kept."""

    agent: str
    task: int
    plan: DelegationPlan
    #: of the policy that it was made under; None: good under every policy
    version: str | None
    #: seconds, on the owner's clock
    expires_at: float
    #: of the function that it was made for; None: good for any function of that symbol
    ir_hash: str | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class L1Stats:
    """Counts since the cache was made; `clear` keeps them."""

    hits: int
    misses: int
    #: entries held now, pinned ones included; some of them may have expired
    size: int
    #: entries that had to go before their time
    evictions: int
    #: entries that were found expired
    expirations: int

    @property
    def hit_rate(self) -> float:
        """Hits per question, 0 to 1; 0 if nothing was asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


type Key = tuple[str, int, str | None]
type Container = Cache[Key, L1Entry]


def _expires_at(_key: Key, entry: L1Entry, _now: float) -> float:
    return entry.expires_at


#: makes the container of each eviction from its size, the owner's timer and a seed
_CONTAINERS: Final[Mapping[Eviction, Callable[[int, Timer, int], Container]]] = {
    "lru": lambda size, _timer, _seed: LRUCache(size),
    "lfu": lambda size, _timer, _seed: LFUCache(size),
    "fifo": lambda size, _timer, _seed: FIFOCache(size),
    "random": lambda size, _timer, seed: RRCache(size, choice=Random(seed).choice),
    "ttl": lambda size, timer, _seed: TLRUCache(size, _expires_at, timer),
}


class L1Cache:
    """Thread-safe. Engines use `get`, `keep` and `drop`; the rest is for people and programs that operate it.

    `revision` grows with every change made from outside; what engines keep and drop does not count, since it
    changes no answer.

    Args:
        timer: seconds; need not be the clock of the machine.
        size: entries held at most; as many again may be pinned.
        ttl: seconds.
        seed: of eviction `random`.
    """

    def __init__(
        self,
        *,
        timer: Timer,
        size: int = 10_000,
        ttl: float = 3600.0,
        eviction: Eviction = "lru",
        seed: int = 0,
    ) -> None:
        if size < 1 or not ttl > 0:
            raise PolicyError(f"expected a size and a time to live above 0, got {size} and {ttl}")
        self.size = size
        self.ttl = ttl
        self.eviction = eviction
        self.revision = 0
        self._timer = timer
        self._held = _CONTAINERS[eviction](size, timer, seed)
        self._pinned: dict[Key, L1Entry] = {}
        self._lock = Lock()
        self._hits = self._misses = self._evictions = self._expirations = 0

    @classmethod
    def of(cls, settings: Delegation, timer: Timer) -> L1Cache:
        """The cache that `[delegation.caches.l1]` describes."""
        table = settings.caches.l1
        ttl = settings.cache_ttl if table.ttl is None else table.ttl
        return cls(timer=timer, size=table.size, ttl=ttl, eviction=table.eviction)

    # what engines do

    def get(
        self, agent: str, task: int, *, version: str | None = None, ir_hash: str | None = None
    ) -> L1Entry | None:
        """The entry to use under `version` for a function with `ir_hash`; those put by hand come first."""
        with self._lock:
            for key in ((agent, task, None), (agent, task, version)):
                entry = self._pinned.get(key) or self._live(key)
                if entry is not None and entry.ir_hash in (None, ir_hash):
                    self._hits += 1
                    return entry
            self._misses += 1
            return None

    def keep(
        self, agent: str, task: int, plan: DelegationPlan, *, version: str, ir_hash: str | None = None
    ) -> None:
        """Keep a decision of an engine. What `may_be_kept` refuses is not kept."""
        if not may_be_kept(plan):
            return
        with self._lock:
            self._store(self._entry(agent, task, plan, version=version, ir_hash=ir_hash))

    def drop(self, entry: L1Entry) -> None:
        """Take back an entry that `get` gave and that cannot be used: the hit was a miss. Pinned ones stay."""
        with self._lock:
            self._hits -= 1
            self._misses += 1
            key = _key(entry)
            if self._peek(key) is entry:
                self._remove(key)

    # what its operators do

    def put(
        self,
        agent: str,
        task: int,
        plan: DelegationPlan,
        *,
        version: str | None = None,
        ttl: float | None = None,
        pinned: bool = False,
    ) -> L1Entry:
        """Put an entry by hand, in place of one that is there.

        Args:
            version: of the policy that it is good under; None: every one.
            ttl: seconds; None: that of the cache. Pinned entries have none.

        Raises:
            PolicyError: such a plan is never kept, it would have no time to live, or too many are pinned.
        """
        if not may_be_kept(plan):
            raise PolicyError(f"expected a plan that L1 may keep, got one of stage `{plan.stage}`")
        if ttl is not None and not ttl > 0:
            raise PolicyError(f"expected a time to live above 0 seconds, got {ttl}")
        with self._lock:
            entry = self._entry(agent, task, plan, version=version, ttl=ttl, pinned=pinned)
            key = _key(entry)
            if pinned:
                if key not in self._pinned and len(self._pinned) >= self.size:
                    raise PolicyError(f"expected at most {self.size} pinned entries, got one more")
                self._remove(key)
                self._pinned[key] = entry
            else:
                self._pinned.pop(key, None)
                self._store(entry)
            self.revision += 1
            return entry

    def by_agent(self, symbol: str) -> tuple[L1Entry, ...]:
        """The entries of a function, of all versions; neither a hit nor a use."""
        return tuple(entry for entry in self.entries() if entry.agent == symbol)

    def by_task(self, task: int) -> tuple[L1Entry, ...]:
        """The entries of a task, of all functions and versions; neither a hit nor a use."""
        return tuple(entry for entry in self.entries() if entry.task == task)

    def entries(self) -> tuple[L1Entry, ...]:
        """All entries that have not expired, pinned ones first."""
        with self._lock:
            return tuple(self._all())

    def invalidate(self, *, agent: str | None = None, task: int | None = None) -> int:
        """Remove the entries of a function, of a task, or of both at once, pinned ones too; how many it were.

        Raises:
            PolicyError: neither is named; `clear` removes everything.
        """
        if agent is None and task is None:
            raise PolicyError("expected an agent, a task or both to invalidate; `clear` removes everything")
        with self._lock:
            gone = [
                entry
                for entry in self._all()
                if (agent is None or entry.agent == agent) and (task is None or entry.task == task)
            ]
            for entry in gone:
                self._pinned.pop(_key(entry), None)
                self._remove(_key(entry))
            self.revision += 1
        return len(gone)

    def clear(self) -> None:
        """Remove everything, pinned entries too."""
        with self._lock:
            self._held.clear()
            self._pinned.clear()
            self.revision += 1

    @property
    def stats(self) -> L1Stats:
        """What happened so far."""
        with self._lock:
            self._sweep()
            return L1Stats(
                hits=self._hits,
                misses=self._misses,
                size=len(self._held) + len(self._pinned),
                evictions=self._evictions,
                expirations=self._expirations,
            )

    # all of these under the lock

    def _entry(
        self,
        agent: str,
        task: int,
        plan: DelegationPlan,
        *,
        version: str | None,
        ir_hash: str | None = None,
        ttl: float | None = None,
        pinned: bool = False,
    ) -> L1Entry:
        expires_at = inf if pinned else self._timer() + (self.ttl if ttl is None else ttl)
        return L1Entry(
            agent=agent,
            task=task,
            plan=plan,
            version=version,
            expires_at=expires_at,
            ir_hash=ir_hash,
            pinned=pinned,
        )

    def _store(self, entry: L1Entry) -> None:
        self._sweep()
        held, key = self._held, _key(entry)
        before = len(held) + (self._peek(key) is None)
        held[key] = entry
        self._evictions += before - len(held)

    def _sweep(self) -> None:
        """Count what the container would otherwise take away in silence, at any question about its size."""
        if isinstance(self._held, TLRUCache):
            self._expirations += len(self._held.expire())

    def _live(self, key: Key) -> L1Entry | None:
        """The entry under `key`, which counts as a use of it; an expired one goes."""
        entry = self._held.get(key)
        if entry is None or self._timer() < entry.expires_at:
            return entry
        self._remove(key)
        self._expirations += 1
        return None

    def _peek(self, key: Key) -> L1Entry | None:
        """The entry under `key`; unlike a look-up in the container this is no use of it."""
        return Cache.__getitem__(self._held, key) if key in self._held else None

    def _remove(self, key: Key) -> None:
        self._held.pop(key, None)

    def _all(self) -> Iterator[L1Entry]:
        self._sweep()
        yield from self._pinned.values()
        now = self._timer()
        for key in list(self._held):
            entry = self._peek(key)
            if entry is not None and now < entry.expires_at:
                yield entry


def may_be_kept(plan: DelegationPlan) -> bool:
    """Whether L1 may hold `plan` at all."""
    return plan.stage not in NEVER_KEPT and not isinstance(plan.target, L4CacheHit)


def _key(entry: L1Entry) -> Key:
    return entry.agent, entry.task, entry.version
