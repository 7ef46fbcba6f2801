"""The signed modules of one process of a runtime: found, judged, run, and copied from the runtime's node."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError

from actors import names
from actors.caches.errors import CacheError
from actors.caches.l4.errors import ModuleError
from actors.caches.l4.lookup import ModuleIndex
from actors.caches.l4.meaning import Meaning
from actors.caches.l4.mirror import l4_folder, mirror
from actors.caches.l4.runner import ModuleRunner
from actors.caches.l4.store import ModuleStore
from actors.caches.l4.trust_file import trust_path
from actors.ray_calls import Actors
from policies.file.policy import Policy

_log = logging.getLogger("rtfs.caches")

#: seconds between two looks for modules that were published on the runtime's node
_EVERY_S: Final = 5.0
_PATIENCE_S: Final = 10.0


class ConnectedModules:
    """Opens and closes what runs modules.

    On the node of the caches' actor the modules are in its folder. Other nodes have copies in a folder of the
    same path, which follow. Each node's own file says whose modules are trusted there.

    Args:
        state_dir: of the runtime.
        policy: gives the one in force, for its embedder.
    """

    def __init__(
        self, actors: Actors, state_dir: Path, policy: Callable[[], Policy], environ: Mapping[str, str]
    ) -> None:
        self._actors = actors
        self._store = ModuleStore(l4_folder(state_dir))
        self._meaning = Meaning(policy)
        self.index = ModuleIndex(self._store, trust_path(environ), embed=self._meaning)
        self.runner = ModuleRunner(self.index)
        self._ended = threading.Event()
        self._copying: threading.Thread | None = None

    def follow(self, node: str | None) -> None:
        """Begin to copy modules, unless they are on this node.

        Args:
            node: id of the node that has them; None: nobody says.
        """
        if node is None or node == ray.get_runtime_context().get_node_id():
            return
        self._copying = threading.Thread(target=self._copy, name="modules", daemon=True)
        self._copying.start()

    def close(self) -> None:
        """End the copying, and let go of files."""
        self._ended.set()
        if self._copying is not None:
            self._copying.join(_PATIENCE_S)
        self._store.close()
        self._meaning.close()

    def _copy(self) -> None:
        known = -1
        while not self._ended.is_set():
            try:
                known = mirror(self._store, self._ask, known)
            except (RayError, ValueError, TimeoutError, CacheError, ModuleError) as error:
                _log.warning("modules are not copied to this node: %s: %s", type(error).__name__, error)
            self._ended.wait(_EVERY_S)

    def _ask(self, method: str, *args: object) -> Any:
        caches = self._actors.get(names.CACHES)
        return ray.get(getattr(caches, method).remote(*args), timeout=_PATIENCE_S)
