"""L3 with all that it needs, as a policy asks for it: embedder, store, guards, acceptance, and L2 to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from actors.caches.errors import StoreError
from actors.caches.l2.reader import L2Reader
from actors.caches.l3.combined import CombinedEmbedding
from actors.caches.l3.guards import analysed, compare
from actors.caches.l3.learnt import LearntAcceptance
from actors.caches.l3.question import Neighbour
from actors.caches.l3.semantic import SemanticCache
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import CacheConfig, Hit, Origin, Which
from actors.models.embedding.loading import load_embedder
from actors.models.embedding.minilm import NAME as MINILM
from actors.models.errors import ModelError
from actors.models.registry import local_models
from policies.file.policy import Policy
from policies.file.schema import LocalModelEntry
from rtfs.spell import nearest
from rtfs.values import Value

#: partitions of a function that are searched for what is near a text
_MOST_PARTITIONS: Final = 64
#: entries whose evidence is looked at when a process begins
_MOST_ENTRIES: Final = 10_000


def l3_folder(state_dir: str | Path) -> Path:
    """Where a runtime with that folder for its state keeps earlier calls by meaning."""
    return Path(state_dir) / "caches" / "l3"


class Opened:
    """L3 of a runtime, until its policy changes.

    Args:
        state_dir: of the runtime.
        told: told of each verdict and how near it was.

    Raises:
        ImportError: the packages for embedding or searching are missing.
        ModelError, TargetFailed: the embedder cannot be used.
        StoreError: the folder cannot be used.
    """

    def __init__(
        self, policy: Policy, state_dir: Path, told: Callable[[str, float], None] = lambda verdict, near: None
    ) -> None:
        self._asked = _asked(policy)
        settings = policy.settings
        self._embedder = load_embedder(embedder_entry(policy))
        try:
            self._embedder.embed(["warm"])
            self._store = SemanticStore(
                l3_folder(state_dir),
                dimensions=self._embedder.dimensions,
                embedder_version=self._embedder.version,
                config=CacheConfig.of(settings.caches.l3, settings.cache_ttl, persistent=True),
            )
        except BaseException:
            self._embedder.close()
            raise
        self._l2_folder = Path(state_dir) / "caches" / "l2"
        self._reader: L2Reader | None = None
        self._acceptance = LearntAcceptance(self._evidence)
        self.cache = SemanticCache(
            self._store,
            CombinedEmbedding(self._embedder.embed).embed,
            refused,
            self._acceptance,
            self._answer,
            told=told,
        )

    def is_of(self, policy: Policy) -> bool:
        """Whether that policy asks for just this."""
        return self._asked == _asked(policy)

    def similar(self, symbol: str, text: str, at_least: float, limit: int) -> list[Neighbour]:
        """Calls of a function near a text, the nearest first."""
        partitions = self._store.partitions(Which(symbol=symbol))[:_MOST_PARTITIONS]
        found = [near for each in partitions for near in self.cache.similar(each, text, at_least, limit)]
        return sorted(found, key=lambda near: -near.similarity)[:limit]

    def stats(self) -> dict[str, Any]:
        """Counts and sizes."""
        return {
            "store": self._store.stats,
            "calls": self.cache.stats,
            "errors": self._acceptance.estimates(),
        }

    def close(self) -> None:
        """Let go of files and memory."""
        self._store.close()
        self._embedder.close()
        if self._reader is not None:
            self._reader.close()

    def _evidence(self, origin: Origin) -> Iterator[bytes]:
        """What was learnt before of a function and its model."""
        which = Which(symbol=origin.symbol, model=origin.model, version=origin.version)
        return (entry.evidence for entry in self._store.entries(which, limit=_MOST_ENTRIES))

    def _answer(self, key: bytes) -> Hit[Value] | None:
        if self._reader is None:
            try:
                self._reader = L2Reader(self._l2_folder)
            except StoreError:  # nothing was kept there yet
                return None
        return self._reader.get(key)


#: what guards see in a text; of those asked about last
_analysed: Final = lru_cache(4_096)(analysed)


def refused(one: str, other: str) -> str | None:
    """What guards have against two texts sharing an answer."""
    found = compare(_analysed(one), _analysed(other))
    return None if found is None else f"{found.guard}: {found.detail}"


def _asked(policy: Policy) -> tuple[object, ...]:
    """What of a policy L3 depends on."""
    caches = policy.settings.caches
    return caches.l3, caches.l2.enabled, policy.settings.cache_ttl, embedder_entry(policy).model_dump_json()


def embedder_entry(policy: Policy) -> LocalModelEntry:
    """The entry of the embedder that the policy names.

    Raises:
        ModelError: there is none of that name.
    """
    wanted = policy.settings.caches.l3.embedder.removeprefix("local-")
    models = local_models(policy.settings, Path(policy.source).parent)
    found = models.get(wanted)
    if found is not None:
        return found
    if wanted == MINILM:
        return LocalModelEntry(kind="embedder", path=MINILM)
    near = nearest(wanted, [*models, MINILM])
    hint = f"did you mean `{near}`?" if near else f"name a local model of the kind `embedder`, or `{MINILM}`"
    raise ModelError(f"the embedder of L3: there is no local model `{wanted}`; {hint}")
