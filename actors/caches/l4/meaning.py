"""What a function is for, as a vector: the embedding of its docstring by the embedder of L3."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from actors.models.errors import ModelError
from policies.errors import TargetFailed
from policies.file.policy import Policy

if TYPE_CHECKING:
    from actors.models.embedding.embedder import Embedder

_log = logging.getLogger("rtfs.caches")

#: texts whose vectors are remembered
_MOST_TEXTS: Final = 4096


class Meaning:
    """`actors.caches.l4.publish.Embed`, whose embedder is loaded at the first text. For many threads.

    Args:
        policy: gives the one in force. Another embedder counts from the next process on.
    """

    def __init__(self, policy: Callable[[], Policy]) -> None:
        self._policy = policy
        self._embedder: Embedder | None = None
        self._problem = ""
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> tuple[str, bytes]:
        """The embedder's version and the vector of `text`, float32, little-endian; both empty without one."""
        with self._lock:
            embedder = self._loaded()
            if embedder is None:
                return "", b""
            found = self._known.get(text)
            if found is None:
                try:
                    found = embedder.embed([text])[0].astype("<f4").tobytes()
                except TargetFailed as error:
                    _log.warning("a description has no vector: %s", error)
                    return "", b""
                self._known[text] = found
                if len(self._known) > _MOST_TEXTS:
                    self._known.popitem(last=False)
            return embedder.version, found

    def close(self) -> None:
        """Let go of the embedder."""
        with self._lock:
            if self._embedder is not None:
                self._embedder.close()
                self._embedder, self._problem = None, "it was closed"

    def _loaded(self) -> Embedder | None:
        if self._embedder is None and not self._problem:
            try:
                from actors.caches.l3.opened import embedder_entry
                from actors.models.embedding.loading import load_embedder

                self._embedder = load_embedder(embedder_entry(self._policy()))
            except (ImportError, ModelError, TargetFailed) as error:
                self._problem = str(error)
                _log.warning("modules are not found by meaning: %s", error)
        return self._embedder
