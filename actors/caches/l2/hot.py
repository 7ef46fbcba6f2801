"""The hot part of L2: answers in the memory of this process, decoded.

Values are immutable, so that all who ask get the same object. An entry is good only as long as nothing was
invalidated on the machine (`Epoch`) and its time lasts, by the clock of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from threading import Lock
from typing import Final, NamedTuple

from cachetools import Cache, FIFOCache, LFUCache, LRUCache, RRCache, TLRUCache

from actors.caches.clock import SteadyClock
from actors.caches.errors import NotCacheable
from actors.caches.keys import Keyed
from actors.caches.l2.epoch import Epoch
from actors.caches.layer import DEFAULT_CONTROL, CacheConfig, CacheControl, CacheStats, Hit, Item, Origin, Which
from policies.file.schema import Eviction
from rtfs.values import Value

#: what an entry takes in memory beside its value, bytes
_OVERHEAD_BYTES: Final = 600
#: how much larger a value is in memory than as bytes, about
_LARGER: Final = 3


class Kept(NamedTuple):
    """An answer in memory. Times are microseconds of the clock."""

    value: Value
    origin: Origin
    input: bytes
    confidence: float | None
    cost_usd: float
    latency_ms: float | None
    created_us: int
    expires_us: int
    nbytes: int
    epoch: int


type Container = Cache[bytes, Kept]


def memory_of(nbytes: int) -> int:
    """About what an answer takes in memory whose value has so many bytes when encoded."""
    return _OVERHEAD_BYTES + _LARGER * nbytes


def _expires_us(_key: bytes, kept: Kept, _now: float) -> float:
    return kept.expires_us


type Measure = Callable[[Kept], float]

#: makes the container of each eviction from its size, what an entry counts, the timer and a seed
_CONTAINERS: Final[Mapping[Eviction, Callable[[int, Measure, Callable[[], int], int], Container]]] = {
    "lru": lambda size, of, _timer, _seed: LRUCache(size, of),
    "lfu": lambda size, of, _timer, _seed: LFUCache(size, of),
    "fifo": lambda size, of, _timer, _seed: FIFOCache(size, of),
    "random": lambda size, of, _timer, seed: RRCache(size, choice=Random(seed).choice, getsizeof=of),
    "ttl": lambda size, of, timer, _seed: TLRUCache(size, _expires_us, timer, of),
}


class HotLayer:
    """A `CacheLayer` in memory. Safe to use from many threads.

    Args:
        config: with `size_bytes` that bounds the memory, else `size_entries`.
        epoch: None: invalidations are this process's own.
        seed: of eviction `random`.
    """

    name = "l2-hot"

    def __init__(
        self,
        config: CacheConfig,
        *,
        clock: SteadyClock | None = None,
        epoch: Epoch | None = None,
        seed: int = 0,
    ) -> None:
        self.config = config
        self._clock = clock or SteadyClock()
        self._epoch = epoch or Epoch(None)
        in_bytes = config.size_bytes is not None
        size = config.size_bytes or config.size_entries or 0
        measure: Measure = (lambda kept: memory_of(kept.nbytes)) if in_bytes else (lambda _kept: 1)
        self._held = _CONTAINERS[config.eviction](size, measure, self._clock.now_us, seed)
        self._lock = Lock()
        self._hits = self._misses = self._stores = self._evictions = self._expirations = self._refused = 0

    @property
    def stats(self) -> CacheStats:
        """What happened so far."""
        with self._lock:
            return CacheStats(
                hits=self._hits,
                misses=self._misses,
                stores=self._stores,
                entries=len(self._held),
                nbytes=int(self._held.currsize) if self.config.size_bytes is not None else 0,
                evictions=self._evictions,
                expirations=self._expirations,
                refused=self._refused,
            )

    def get(self, key: Keyed, control: CacheControl = DEFAULT_CONTROL) -> Hit[Value] | None:
        """What is in memory for a call and will do."""
        now_us = self._clock.now_us()
        with self._lock:
            kept = self._held.get(key.key)
            if kept is None:
                self._misses += control.counted
                return None
            if now_us >= kept.expires_us or kept.epoch != self._epoch.get():
                self._held.pop(key.key, None)
                self._expirations += 1
                self._misses += control.counted
                return None
            age_s = max(0, now_us - kept.created_us) / 1e6
            if not (self.config.is_certain(kept.confidence) and control.suits(age_s, kept.confidence)):
                self._misses += control.counted
                return None
            self._hits += 1
        return Hit(
            kept.value,
            "l2-hot",
            age_s,
            (kept.expires_us - now_us) / 1e6,
            kept.origin,
            kept.confidence,
            kept.cost_usd,
            kept.latency_ms,
            kept.nbytes,
            kept.epoch,
        )

    def put(self, key: Keyed, item: Item) -> bool:
        """Keep an answer in memory; whether it is."""
        now = self._epoch.get()
        epoch = now if item.epoch is None else item.epoch
        try:
            nbytes = item.nbytes
        except NotCacheable:
            epoch, nbytes = -1, 0
        if epoch != now or not item.complete or not self.config.is_certain(item.confidence):
            with self._lock:
                self._refused += 1
            return False
        now_us = self._clock.now_us()
        ttl_s = self.config.ttl_s if item.ttl_s is None else item.ttl_s
        kept = Kept(
            item.value,
            item.origin,
            key.input,
            item.confidence,
            item.cost_usd,
            item.latency_ms,
            now_us - int(item.age_s * 1e6),
            now_us + int(ttl_s * 1e6),
            nbytes,
            epoch,
        )
        return self._keep(key.key, kept)

    def _keep(self, key: bytes, kept: Kept) -> bool:
        with self._lock:
            held = self._held
            if held.getsizeof(kept) > held.maxsize:
                self._refused += 1
                return False
            before = len(held) + (key not in held)
            held[key] = kept
            self._evictions += before - len(held)
            self._stores += 1
            return True

    def invalidate(self, which: Which) -> int:
        """Remove entries from memory; how many. Raises InvalidCache."""
        which.check()
        with self._lock:
            gone = [
                key
                for key in list(self._held)
                if which.key in (None, key) and self._is_meant(which, Cache.__getitem__(self._held, key))
            ]
            for key in gone:
                self._held.pop(key, None)
        return len(gone)

    def _is_meant(self, which: Which, kept: Kept) -> bool:
        return which.input in (None, kept.input) and which.is_of(kept.origin)

    def clear(self) -> int:
        """Remove everything from memory; how many entries."""
        with self._lock:
            entries = len(self._held)
            self._held.clear()
        return entries
