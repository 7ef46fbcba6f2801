"""The actor of the caches: the one writer of a runtime's answers, by the policy in force.

    evaluators ──keep──▶ CachesActor ─▶ CacheWriter ─▶ LMDB ◀─read─ evaluators
                 invalidate, clear ─▶        └─▶ event `caches`

Evaluators on its node read what it writes without asking it (`actors.caches.l2.reader`); those elsewhere keep
answers in their memory alone, and hear of invalidations by the event.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import ray

from actors import names
from actors.caches.errors import StoreError
from actors.caches.l2.change import Put
from actors.caches.l2.cold import ColdLayer
from actors.caches.l2.writer import CacheWriter
from actors.caches.l4.mirror import fetched, l4_folder, listed
from actors.caches.l4.room import keep_within
from actors.caches.l4.store import ModuleStore
from actors.caches.l4.trust_file import trust_path
from actors.caches.layer import CacheConfig, CacheStats, Which
from actors.caches.meters import CacheMeters
from actors.control.spec import RuntimeSpec
from actors.events.event import CACHES, POLICY, Event
from actors.events.listener import SyncListener
from actors.events.stream import ActorSource, EventStream
from actors.options import actor_options
from actors.policy.state import PolicyState
from actors.ray_calls import AWAY, Actors, ControlAnnouncer
from actors.telemetry import logs
from actors.telemetry.meter import RayMeter
from policies.file.load import load_policy
from policies.file.schema import Delegation

_log = logging.getLogger("rtfs.caches")

_THREADS: Final = 32
#: seconds between two looks at what modules take
_COLLECT_EVERY_S: Final = 600.0
#: how long the policy actor may take to answer at the start, seconds
_START_PATIENCE_S: Final = 60.0
#: events of all entries have this key
L2: Final = "l2"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePlace:
    """Where the answers of a runtime are."""

    #: id of the node that has the folder
    node: str
    folder: str
    #: why nothing is written there; empty: it is
    problem: str = ""


def l2_folder(state_dir: str | Path) -> Path:
    """Where a runtime with that folder for its state keeps answers."""
    return Path(state_dir) / "caches" / "l2"


def l2_config(settings: Delegation) -> CacheConfig:
    """How they are kept on the disk."""
    return CacheConfig.of(settings.caches.l2, settings.cache_ttl, persistent=True)


class CachesActor:
    """Writes the answers of a runtime. Its methods are called on many threads at once."""

    def __init__(self, spec: RuntimeSpec) -> None:
        logs.configure(os.environ)
        self._actors = Actors(spec.namespace)
        self._announcer = ControlAnnouncer(self._actors)
        self._folder = l2_folder(spec.state_dir)
        self._modules = ModuleStore(l4_folder(spec.state_dir))
        self._lock = threading.Lock()
        self._writer: CacheWriter | None = None
        self._config: CacheConfig | None = None
        self._problem = ""
        #: what modules may take
        self._modules_bytes = 0
        self._follow(_START_PATIENCE_S)
        self._meter = RayMeter()
        self._meter.gather(CacheMeters(self._meter, self._measured).publish)
        self._meter.start()
        stream = EventStream(ActorSource(self._actors.get(names.CONTROL)), (POLICY,), connection_errors=AWAY)
        self._listener = SyncListener(stream, self._heard, name="policy")
        self._listener.start()
        threading.Thread(target=self._collect, name="modules", daemon=True).start()

    def keep(self, puts: Sequence[Put]) -> None:
        """Keep answers. Comes back once they are written, or lost."""
        writer = self._writer
        if writer is not None:
            writer.put(puts)
            writer.flush()

    def note(self, used: Sequence[bytes], damaged: Sequence[bytes]) -> None:
        """Which entries were used, and which are damaged."""
        writer = self._writer
        if writer is not None:
            writer.note(used, damaged)

    def invalidate(self, which: Which) -> int:
        """Remove entries; how many.

        Raises:
            InvalidCache: it names none in particular.
            StoreError: nothing is written here, or the disk failed.
        """
        gone = self._writing().invalidate(which)
        self._tell(gone)
        return gone

    def clear(self) -> int:
        """Remove everything; how many entries. Raises StoreError as `invalidate`."""
        gone = self._writing().clear()
        self._tell(gone)
        return gone

    def stats(self) -> CacheStats:
        """What was written, lost and removed so far."""
        writer = self._writer
        return CacheStats() if writer is None else writer.stats()

    def place(self) -> CachePlace:
        """Where the answers are."""
        node = ray.get_runtime_context().get_node_id()
        return CachePlace(node=node, folder=str(self._folder), problem=self._problem)

    def modules(self, known: int) -> tuple[int, list[str] | None]:
        """Which modules there are, for copies on other nodes: `actors.caches.l4.mirror.listed`."""
        return listed(self._modules, known)

    def module(self, id: str) -> tuple[bytes, bytes] | None:
        """A module for a copy: `actors.caches.l4.mirror.fetched`."""
        return fetched(self._modules, id)

    def process(self) -> int:
        """The id of its process; also the answer to whether it lives."""
        return os.getpid()

    def problem(self) -> str:
        """Why nothing is written; empty: it is."""
        return self._problem

    def _measured(self) -> Mapping[str, CacheStats]:
        return {ColdLayer.name: replace(self.stats(), damaged=0)}  # of these tells whoever met them

    def _writing(self) -> CacheWriter:
        writer = self._writer
        if writer is None:
            raise StoreError(self._problem or "the cache is switched off")
        return writer

    def _tell(self, gone: int) -> None:
        self._announcer.publish(CACHES, L2, {"invalidated": gone})

    def _heard(self, event: Event) -> None:
        self._follow()

    def _follow(self, timeout_s: float = 10.0) -> None:
        """Have the writer that the policy in force asks for."""
        state: PolicyState = ray.get(self._actors.get(names.POLICY).state.remote(), timeout=timeout_s)
        policy = load_policy(state.text, source=state.source, environ=state.overrides, needs_secrets=False)
        settings = policy.settings
        config = l2_config(settings) if settings.caches.l2.enabled else None
        self._modules_bytes = settings.caches.l4.size_bytes
        with self._lock:
            if config == self._config and not self._problem:
                return
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()
            self._config, self._problem = config, ""
            if config is not None:
                self._open(config)

    def _collect(self) -> None:
        """Keep modules within their bounds, as long as this process lives."""
        while True:
            time.sleep(_COLLECT_EVERY_S)
            keep_within(self._modules, trust_path(os.environ), self._modules_bytes, time.time())

    def _open(self, config: CacheConfig) -> None:
        try:
            self._writer = CacheWriter(self._folder, config)
        except (StoreError, OSError) as error:
            self._problem = f"answers are not written: {error}"
            _log.warning("%s", self._problem)


def caches_actor(spec: RuntimeSpec) -> Any:
    """The actor of the caches, started if it is not there."""
    options = actor_options(
        names.CACHES, spec.namespace, concurrency=_THREADS, max_task_retries=0, resources=spec.pinned
    )
    return ray.remote(CachesActor).options(**options).remote(spec)
