"""Modules of a runtime take no more room than its policy says."""

from __future__ import annotations

import logging
from pathlib import Path

from actors.caches.errors import CacheError
from actors.caches.l4.errors import TrustFileError
from actors.caches.l4.store import ModuleStore
from actors.caches.l4.trust import TrustStore

_log = logging.getLogger("rtfs.caches")


def keep_within(store: ModuleStore, trust_path: Path, size_bytes: int, now: float) -> int:
    """Remove what has expired, and what was not used for longest, until the rest fits; how many modules went.

    What is pinned stays. Where it cannot be read what is pinned, or not be written, nothing is removed, and the
    log says so.
    """
    try:
        keep = set(TrustStore.read(trust_path).pinned.values())
        done = store.collect(size_bytes, now, keep)
    except (TrustFileError, CacheError) as error:
        _log.warning("modules are not collected: %s", error)
        return 0
    if done.removed:
        _log.info("%d modules were removed, which gave %d bytes back", len(done.removed), done.freed_bytes)
    return len(done.removed)
