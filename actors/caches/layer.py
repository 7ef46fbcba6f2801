"""What every cache is: `CacheLayer`. A leaf module: everything about caches builds on it.

A layer maps keys to values for a time. Its keys are whatever it is about: a call for L2, a question for L1. It
is used by many threads at once, and never raises because of what it holds: damaged, stale or lost, an entry is
a miss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from math import inf
from typing import Final, Literal, NamedTuple, Protocol

from actors.caches.errors import InvalidCache, NotCacheable
from policies.file.schema import CacheTable, Eviction
from rtfs.errors import StorageError
from rtfs.ir_codec import encode_value
from rtfs.values import Value

#: where a hit came from
type Tier = Literal["l1", "l2-hot", "l2-cold", "l3", "l4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """How a layer keeps what it is given.

    Raises:
        InvalidCache: there is no bound, or a value is out of range.
    """

    #: entries held at most; None: as many as there is room for
    size_entries: int | None = None
    #: room for entries, in bytes; None: as much as `size_entries` need
    size_bytes: int | None = None
    #: time to live of an entry that brings none, seconds
    ttl_s: float = 3600.0
    #: what goes when there is no room: see `policies.l1_cache`
    eviction: Eviction = "lru"
    #: whether entries outlive the process
    persistent: bool = False
    #: 0 to 1; what is less certain is neither kept nor given; above 0, what says nothing counts as less
    confidence_threshold: float = 0.0

    def __post_init__(self) -> None:
        sizes = [size for size in (self.size_entries, self.size_bytes) if size is not None]
        if not sizes or min(sizes) < 1:
            got = f"{self.size_entries} entries, {self.size_bytes} bytes"
            raise InvalidCache(f"expected a size above 0, got {got}")
        if not 0 < self.ttl_s < inf:
            raise InvalidCache(f"expected a time to live above 0 seconds, got {self.ttl_s}")
        if not 0 <= self.confidence_threshold <= 1:
            raise InvalidCache(f"expected a confidence from 0 to 1, got {self.confidence_threshold}")

    @classmethod
    def of(cls, table: CacheTable, default_ttl_s: float, *, persistent: bool = False) -> CacheConfig:
        """What a table of the policy file says."""
        return cls(
            size_entries=table.size,
            size_bytes=table.size_bytes,
            ttl_s=default_ttl_s if table.ttl is None else table.ttl,
            eviction=table.eviction,
            persistent=persistent,
            confidence_threshold=table.confidence_threshold,
        )

    def is_certain(self, confidence: float | None) -> bool:
        """Whether what has this confidence may be kept, and given."""
        return reaches(confidence, self.confidence_threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """Counts since a layer was opened, but for `entries` and `nbytes`, which are of now."""

    hits: int = 0
    misses: int = 0
    stores: int = 0
    entries: int = 0
    nbytes: int = 0
    #: entries that had to go for want of room
    evictions: int = 0
    #: entries that were found expired
    expirations: int = 0
    #: results that were not to be kept: too uncertain, too large, or withdrawn in between
    refused: int = 0
    #: entries that turned out damaged
    damaged: int = 0
    #: times that something could not be read or written
    failures: int = 0

    @property
    def hit_rate(self) -> float:
        """Hits per question, 0 to 1; 0 if nothing was asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0

    @classmethod
    def total(cls, parts: Iterable[CacheStats]) -> CacheStats:
        """The sums of all counts."""
        every = list(parts)
        return cls(**{each.name: sum(getattr(part, each.name) for part in every) for each in fields(cls)})


class Origin(NamedTuple):
    """Whose answer something is, to what."""

    tenant: str | None
    #: of the function that was called
    symbol: str
    #: name of the target that answered
    model: str
    #: of the model
    version: str


class Hit[V](NamedTuple):
    """What a layer knows, and how well."""

    value: V
    tier: Tier
    #: since the value was made, seconds
    age_s: float
    #: what it has left, seconds
    expires_in_s: float
    origin: Origin
    #: 0 to 1; None: nothing is known about it
    confidence: float | None = None
    #: what it cost to make, which is saved now
    cost_usd: float = 0.0
    latency_ms: float | None = None
    #: of the encoded value; 0: not known
    nbytes: int = 0
    #: invalidations before it was read
    epoch: int | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """A result to be kept."""

    value: Value
    origin: Origin
    confidence: float | None = None
    cost_usd: float = 0.0
    latency_ms: float | None = None
    #: seconds; None: that of the layer
    ttl_s: float | None = None
    #: how old it is already, seconds
    age_s: float = 0.0
    #: whether this is all of the answer; a part of one is never kept
    complete: bool = True
    #: of the encoded value; 0: not known
    known_nbytes: int = 0
    #: invalidations before it was asked for: one since then makes it stale. None: it cannot be
    epoch: int | None = None

    @classmethod
    def of_hit(cls, hit: Hit[Value]) -> Item:
        """What another layer knew, for the time that it has left."""
        return cls(
            value=hit.value,
            origin=hit.origin,
            confidence=hit.confidence,
            cost_usd=hit.cost_usd,
            latency_ms=hit.latency_ms,
            ttl_s=hit.expires_in_s,
            age_s=hit.age_s,
            known_nbytes=hit.nbytes,
            epoch=hit.epoch,
        )

    @cached_property
    def payload(self) -> bytes:
        """The value as bytes.

        Raises:
            NotCacheable: it has no meaning outside its run.
        """
        try:
            return encode_value(self.value)
        except StorageError as error:
            raise NotCacheable(error.text()) from error

    @property
    def nbytes(self) -> int:
        """Size of the value as bytes. Raises NotCacheable."""
        return self.known_nbytes or len(self.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheControl:
    """What one call wants of the caches."""

    #: look for nothing: the target is to be asked; its answer is kept
    bypass: bool = False
    #: keep nothing
    no_store: bool = False
    #: seconds; nothing older will do
    max_age_s: float | None = None
    #: 0 to 1; nothing less certain will do
    min_confidence: float = 0.0
    #: of what is kept, seconds; None: that of the layers
    ttl_s: float | None = None
    #: whether a miss counts: a second look for the same call does not
    counted: bool = True

    def suits(self, age_s: float, confidence: float | None) -> bool:
        """Whether an entry will do."""
        return (self.max_age_s is None or age_s <= self.max_age_s) and reaches(confidence, self.min_confidence)


DEFAULT_CONTROL: Final = CacheControl()


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Names entries: those that agree in all that is given.

    For L1 `symbol` is the agent, and `input` the task in 8 bytes.
    """

    key: bytes | None = None
    tenant: str | None = None
    symbol: str | None = None
    model: str | None = None
    version: str | None = None
    #: digest of function and arguments: `InferenceCall.input`
    input: bytes | None = None

    @property
    def names_nothing(self) -> bool:
        """Whether all entries agree with it."""
        return self == _ANY

    def check(self) -> None:
        """Raises InvalidCache: it would select everything, which is what `clear` is for."""
        if self.names_nothing:
            raise InvalidCache("expected what to invalidate; `clear` removes everything")

    def is_of(self, origin: Origin) -> bool:
        """Whether entries of that origin may be meant."""
        wanted = (self.tenant, self.symbol, self.model, self.version)
        return all(want is None or want == got for want, got in zip(wanted, origin, strict=True))


_ANY: Final = Which()


class CacheLayer[K, V](Protocol):
    """One cache of several."""

    @property
    def name(self) -> str:
        """For people and metrics: `l2-cold`."""

    @property
    def config(self) -> CacheConfig:
        """How it keeps what it is given."""

    @property
    def stats(self) -> CacheStats:
        """What happened so far."""

    def get(self, key: K, control: CacheControl = DEFAULT_CONTROL) -> Hit[V] | None:
        """What is known under `key` and will do; None: nothing."""

    def put(self, key: K, item: Item) -> bool:
        """Keep a result; whether it will be."""

    def invalidate(self, which: Which) -> int:
        """Remove entries; how many.

        Raises:
            InvalidCache: it names no entries in particular.
        """

    def clear(self) -> int:
        """Remove everything; how many entries."""


def reaches(confidence: float | None, least: float) -> bool:
    """Whether a confidence is at least `least`; one that is not known reaches 0 alone."""
    return least <= 0 or (confidence is not None and confidence >= least)
