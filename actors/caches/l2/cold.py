"""The cold part of L2, as a process sees it: it reads the folder by itself, and has the writer write."""

from __future__ import annotations

from threading import Lock
from typing import Final

from actors.caches.errors import NotCacheable
from actors.caches.keys import Keyed
from actors.caches.l2.change import Put
from actors.caches.l2.payload import MOST_VALUE_BYTES, stored_form
from actors.caches.l2.reader import Entry, L2Reader
from actors.caches.l2.writer import WriterPort
from actors.caches.layer import DEFAULT_CONTROL, CacheConfig, CacheControl, CacheStats, Hit, Item, Which
from rtfs.values import Value

#: uses that are gathered before the writer is told
_MOST_USED: Final = 256


class ColdLayer:
    """A `CacheLayer` over a folder. Safe to use from many threads.

    Args:
        writer: None: answers are looked up only.
    """

    name = "l2-cold"

    def __init__(self, reader: L2Reader, writer: WriterPort | None, config: CacheConfig) -> None:
        self.config = config
        self.reader = reader
        self._writer = writer
        #: whether the writer has to know about uses at all
        self._notes_uses = config.eviction in ("lru", "lfu")
        self._used: list[bytes] = []
        self._lock = Lock()
        self._hits = self._misses = self._stores = self._refused = self._damaged = 0

    @property
    def stats(self) -> CacheStats:
        """What this process saw; what there is, is everybody's."""
        entries, nbytes = self.reader.size()
        return CacheStats(
            hits=self._hits,
            misses=self._misses,
            stores=self._stores,
            entries=entries,
            nbytes=nbytes,
            refused=self._refused,
            damaged=self._damaged + len(self.reader.damaged),
            failures=self.reader.failures,
        )

    def get(self, key: Keyed, control: CacheControl = DEFAULT_CONTROL) -> Hit[Value] | None:
        """What the folder has for a call and will do."""
        hit = self.reader.get(key.key)
        if (
            hit is None
            or not self.config.is_certain(hit.confidence)
            or not control.suits(hit.age_s, hit.confidence)
        ):
            self._misses += control.counted
            if self.reader.damaged:
                self.tell()
            return None
        self._hits += 1
        if self._notes_uses:
            self._used.append(key.key)
            if len(self._used) >= _MOST_USED:
                self.tell()
        return hit

    def put(self, key: Keyed, item: Item) -> bool:
        """Have the writer keep an answer; whether it is worth keeping."""
        if self._writer is None:
            return False
        try:
            payload = item.payload
        except NotCacheable:
            payload = b""
        if (
            not payload
            or len(payload) > MOST_VALUE_BYTES
            or not item.complete
            or not self.config.is_certain(item.confidence)
        ):
            self._refused += 1
            return False
        flags, stored = stored_form(payload)
        ttl_s = self.config.ttl_s if item.ttl_s is None else item.ttl_s
        self._stores += 1
        self._writer.put(
            [
                Put(
                    key=key.key,
                    input=key.input,
                    origin=item.origin,
                    flags=flags,
                    stored=stored,
                    confidence=item.confidence,
                    cost_usd=item.cost_usd,
                    latency_ms=item.latency_ms,
                    ttl_s=ttl_s,
                    epoch=item.epoch,
                )
            ]
        )
        return True

    def tell(self) -> None:
        """Tell the writer what was used, and what is damaged."""
        with self._lock:
            used, self._used = self._used, []
            damaged, self.reader.damaged = list(self.reader.damaged), set()
            self._damaged += len(damaged)
        if self._writer is not None:
            self._writer.note(used, damaged)

    def invalidate(self, which: Which) -> int:
        """Have the writer remove entries; how many. Raises InvalidCache."""
        which.check()
        return 0 if self._writer is None else self._writer.invalidate(which)

    def clear(self) -> int:
        """Have the writer remove everything; how many entries."""
        return 0 if self._writer is None else self._writer.clear()

    def entries(self, which: Which, limit: int = 1000) -> list[Entry]:
        """Answers that agree with `which`: of a model, a version, an input."""
        return self.reader.entries(which, limit)

    def close(self) -> None:
        """Tell the writer what is left to tell, and let go of the folder."""
        self.tell()
        self.reader.close()
