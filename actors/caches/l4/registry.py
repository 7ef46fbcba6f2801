"""Publishing while programs are compiled: a registry of module files that publishes what it hands out.

    modules = PublishingModules(FileModules("plans"), key, store)
    rtfs.compile(text, modules=modules)   # the files that it imports are published meanwhile

Nothing waits for it, and nothing that goes wrong with it reaches a program.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final, Self

import rtfs
from actors.caches.errors import CacheError
from actors.caches.l4.errors import ModuleError
from actors.caches.l4.publish import publish
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.store import ModuleStore
from rtfs.analyze.environment import ModuleStore as Registry
from rtfs.errors import RtfsError

_log = logging.getLogger("rtfs.caches")

#: texts that wait; more of them are not published this time
_MOST_WAITING: Final = 256


class PublishingModules:
    """An `rtfs` registry of modules around another. Safe to use from many threads; `close` it at the end.

    Each text is published once by an object of this class; what is in the store already stays as it is.
    """

    def __init__(
        self, inner: Registry, key: SigningKey, store: ModuleStore, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._inner = inner
        self._key = key
        self._store = store
        self._clock = clock
        self._seen: set[bytes] = set()
        self._waiting: queue.Queue[tuple[str, str, str] | None] = queue.Queue(_MOST_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find(self, name: str) -> tuple[str, str] | None:
        """Text and path of a module, as the registry inside gives them. Raises as that does."""
        found = self._inner.find(name)
        if found is not None:
            self._note(name, *found)
        return found

    def close(self) -> None:
        """Wait until all that was handed out is published. It can be used again afterwards."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _note(self, name: str, text: str, path: str) -> None:
        digest = hashlib.sha256(f"{name}\0{text}".encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            if digest in self._seen:
                return
            self._seen.add(digest)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="publishing", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait((name, text, path))
        except queue.Full:
            _log.warning("the module `%s` is not published: too many others wait", name)

    def _work(self) -> None:
        for name, text, path in iter(self._waiting.get, None):
            try:
                program = rtfs.compile(text, source_name=path, modules=self._inner)
                done = publish(program, self._key, self._store, now=self._clock(), source=path)
            except (RtfsError, CacheError, ModuleError) as error:
                _log.warning("the module `%s` is not published: %s", name, error)
                continue
            for each in done.refused:
                _log.info("`%s` is not published: %s", each.name, each.why)
