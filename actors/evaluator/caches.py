"""The caches of results of one process of a runtime.

On the node of the caches' actor they reach into its folder; elsewhere, and where that actor does not answer,
they are in memory alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import ray
from ray.exceptions import RayError

from actors import names
from actors.caches.actor import CachePlace, l2_config
from actors.caches.errors import StoreError
from actors.caches.file_leases import FileLeases
from actors.caches.l2.cold import ColdLayer
from actors.caches.layer import CacheConfig, CacheStats
from actors.caches.manager import CacheManager, l2_manager
from actors.caches.meters import CacheMeters, LookTimes
from actors.caches.remote_writer import RemoteWriter
from actors.ray_calls import Actors
from policies.file.schema import Delegation
from policies.running.observe import Meter

_log = logging.getLogger("rtfs.caches")

#: how long a new process waits for the caches' actor to answer, seconds
_START_PATIENCE_S: Final = 30.0
#: what answers may take in the memory of each process, bytes
MEMORY_BYTES: Final = 64 << 20


class ConnectedCaches:
    """Opens and closes what `CachedResults` needs."""

    def __init__(self, actors: Actors) -> None:
        self._actors = actors
        self._manager: CacheManager | None = None
        self._leases: FileLeases | None = None
        #: id of the node that has the folder; None: nobody says
        self.node: str | None = None
        #: whether other processes' invalidations are seen without being told
        self._is_shared = False
        self._is_open = False

    @property
    def manager(self) -> CacheManager:
        """The caches, once they are open."""
        assert self._manager is not None
        return self._manager

    def open(self, settings: Delegation) -> None:
        """Open them as the policy says."""
        cold = l2_config(settings)
        hot = replace(cold, size_bytes=MEMORY_BYTES, persistent=False)
        place = self._place()
        self.node = None if place is None else place.node
        if place is None or place.node != ray.get_runtime_context().get_node_id():
            self._manager = l2_manager(None, hot=hot, cold=cold, writer=None)
        else:
            self._open(Path(place.folder), hot, cold)
        self.manager.times = LookTimes()
        self._is_open = True

    def meters(self, meter: Meter) -> CacheMeters:
        """What tells `meter` of them, once they are open."""
        # what is in the folder, the caches' actor tells
        return CacheMeters(
            meter, self.stats, times=self.manager.times, sized_elsewhere=frozenset({ColdLayer.name})
        )

    def stats(self) -> Mapping[str, CacheStats]:
        """What they did, by tier; nothing while they are closed."""
        return self.manager.stats if self._is_open else {}

    def _open(self, folder: Path, hot: CacheConfig, cold: CacheConfig) -> None:
        writer = RemoteWriter(self._actors)
        try:
            self._leases = FileLeases(folder, writer.when_written)
        except StoreError as error:
            _log.warning("calls of other processes are not waited for: %s", error)
        self._manager = l2_manager(folder, hot=hot, cold=cold, writer=writer, leases=self._leases)
        self._is_shared = True

    def invalidated(self) -> None:
        """Entries became invalid; where that is not seen in the folder, all that is in memory goes."""
        if not self._is_shared:
            self.manager.clear()

    def close(self) -> None:
        """Let go of files."""
        self._is_open = False
        if self._manager is not None:
            self._manager.close()
        if self._leases is not None:
            self._leases.close()

    def _place(self) -> CachePlace | None:
        try:
            place: CachePlace = ray.get(
                self._actors.get(names.CACHES).place.remote(), timeout=_START_PATIENCE_S
            )
        except (RayError, ValueError, TimeoutError) as error:
            _log.warning("answers are kept in memory only: %s", type(error).__name__)
            return None
        if place.problem:
            _log.warning("%s", place.problem)
        return place
