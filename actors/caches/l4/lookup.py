"""Which module may stand for a function, judged by what is trusted now: the index that the L4 engine asks.

A module counts whose signature is by a trusted key and which is neither revoked nor expired nor older than one
that was used before. Nothing of a module is read here but its manifest; `ModuleRunner` looks at its bytes, and
judges once more.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, sqrt
from pathlib import Path
from typing import Final

from actors.caches.l4.errors import ModuleRefused, TrustFileError
from actors.caches.l4.publish import Embed
from actors.caches.l4.store import ModuleStore, StoredModule
from actors.caches.l4.trust import TrustStore, line_of
from policies.engines.l4 import ModuleEntry, interface_hash
from rtfs.delegation import FunctionInfo

_log = logging.getLogger("rtfs.caches")

#: modules that would be used if they were not refused are told in the log, at most so many
_MOST_TOLD: Final = 1024


@dataclass(slots=True)
class _State:
    """What was found out under one state of the store and of the file of trust."""

    number: int
    #: identity of the file of trust: inode, size and time of change; None: there is none
    file: tuple[int, int, int] | None
    trust: TrustStore
    #: from when on answers may be others, since something expires; seconds since the epoch
    until: float
    found: dict[tuple[str, str | None], ModuleEntry | None] = field(default_factory=dict)


class ModuleIndex:
    """`policies.engines.l4.SignedModuleStore` over a store and a file of trust. Safe to use from many threads.

    Args:
        trust_path: the file of trusted keys; it may come, go and change.
        embed: of docstrings, for modules that mean the same; None: none is found by meaning.
    """

    def __init__(
        self,
        store: ModuleStore,
        trust_path: Path,
        *,
        clock: Callable[[], float] = time.time,
        embed: Embed | None = None,
    ) -> None:
        self.store = store
        self.trust_path = trust_path
        self.clock = clock
        self._embed = embed
        self._lock = threading.RLock()
        self._changes = 0
        self._state: _State | None = None
        self._told: set[str] = set()

    @property
    def version(self) -> str:
        """Changes whenever any answer may."""
        self._now()
        return str(self._changes)

    @property
    def trust(self) -> TrustStore:
        """What is trusted now."""
        return self._now().trust

    def find(self, interface_hash: str, body_hash: str | None) -> ModuleEntry | None:
        """The newest module for that interface, and that body, that may be used. See `SignedModuleStore`."""
        state, key = self._now(), (interface_hash, body_hash)
        if key not in state.found:
            line = line_of(interface_hash, body_hash)
            usable = (
                _entry(each)
                for each in self.store.of_interface(interface_hash)
                if body_hash in (None, each.manifest.body_hash) and self._may_be_used(each, line, state)
            )
            state.found[key] = next(usable, None)
        return state.found[key]

    def find_similar(self, function: FunctionInfo, at_least: float) -> Sequence[tuple[float, ModuleEntry]]:
        """Modules whose description means the same. See `SignedModuleStore`."""
        if self._embed is None or not function.doc:
            return ()
        state = self._now()
        embedder, wanted = self._embed(function.doc)
        near = []
        for each in self.store.all():
            manifest = each.manifest
            if manifest.embedder != embedder or manifest.interface_hash == interface_hash(function):
                continue
            similarity, line = _cosine(wanted, manifest.embedding), line_of(manifest.interface_hash, None)
            if similarity >= at_least and self._may_be_used(each, line, state):
                near.append((similarity, _entry(each)))
        return sorted(near, key=lambda pair: pair[0], reverse=True)

    def _may_be_used(self, module: StoredModule, line: str, state: _State) -> bool:
        state.until = min(state.until, _next([module.manifest.not_after], self.clock()))
        try:
            state.trust.check(module.manifest, module.signature, now=self.clock(), line=line)
        except ModuleRefused as refused:
            self._tell(f"the module {module.id[:16]}… is not used: {refused}")
            return False
        return True

    def _now(self) -> _State:
        """The state under which answers are given, looked at anew if anything changed."""
        state, number, file = self._state, self.store.generation, _identity(self.trust_path)
        if state is not None and (state.number, state.file) == (number, file) and self.clock() <= state.until:
            return state
        with self._lock:
            trust = self._read_trust()
            self._changes += 1
            ends = [key.not_after for key in trust.keys.values()]
            self._state = _State(number, file, trust, _next(ends, self.clock()))
            return self._state

    def _read_trust(self) -> TrustStore:
        try:
            return TrustStore.read(self.trust_path)
        except TrustFileError as error:
            self._tell(f"no module is used: {error}")
            return TrustStore()

    def _tell(self, text: str) -> None:
        """Say it in the log, once."""
        if text not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(text)
            _log.warning("%s", text)


def _entry(module: StoredModule) -> ModuleEntry:
    manifest = module.manifest
    return ModuleEntry(
        storage_pointer=module.id,
        signature=module.signature.hex(),
        kind=manifest.kind,
        validation="validated",
        language_version=manifest.language_version,
        interface_hash=manifest.interface_hash,
        parameter_types=manifest.parameter_types,
        return_type=manifest.return_type,
        body_hash=manifest.body_hash,
    )


def _next(ends: Sequence[float | None], now: float) -> float:
    """The next of these moments; infinity if there is none."""
    return min((end for end in ends if end is not None and end >= now), default=inf)


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _cosine(one: bytes, other: bytes) -> float:
    """Of two embeddings, float32, little-endian; 0 where they do not fit together."""
    if not one or len(one) != len(other) or len(one) % 4:
        return 0.0
    a, b = array("f", one), array("f", other)
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    lengths = sqrt(sum(x * x for x in a)) * sqrt(sum(y * y for y in b))
    return dot / lengths if lengths > 0 else 0.0
