"""Takes calls to modules: fetched, judged, checked and loaded at the first call, and kept.

The order is that of distrust: the signature and what it is over, then the hash of the bytes, and only then are
they decoded or compiled. Whatever is wrong, the module is not used, and the call goes on along its chain, at
last to the function's own body.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from types import FunctionType
from typing import Final

from actors.caches.errors import CacheError
from actors.caches.l4.errors import ModuleRefused, TrustFileError
from actors.caches.l4.lookup import ModuleIndex
from actors.caches.l4.manifest import ModuleManifest
from actors.caches.l4.store import StoredModule
from actors.caches.l4.trust import line_of
from actors.caches.l4.trust_file import changing
from policies.engines.l4 import interface_hash
from policies.errors import NotSent
from policies.running.runner import Allowance, Outcome
from rtfs.backends import FORMS, NotLoaded
from rtfs.delegation import ExecTarget, FunctionInfo, L4CacheHit
from rtfs.values import Value

_log = logging.getLogger("rtfs.caches")

#: modules that stay loaded
_MOST_LOADED: Final = 1024


@dataclass(frozen=True, slots=True)
class _Loaded:
    #: `ModuleIndex.version` under which it was judged
    version: str
    function: FunctionType
    manifest: ModuleManifest


class ModuleRunner:
    """`policies.running.runner.Runner` for modules. Safe to use from many threads."""

    def __init__(self, index: ModuleIndex) -> None:
        self._index = index
        #: by id of the module and the line by which it was chosen
        self._loaded: OrderedDict[tuple[str, str], _Loaded] = OrderedDict()
        self._lock = threading.Lock()

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        """Call the function in the module.

        Raises:
            NotSent: the module may not be used, and why.
            RtfsError: whatever the function raises.
        """
        assert isinstance(target, L4CacheHit)
        try:
            loaded = self.load(target, function)
        except ModuleRefused as refused:
            self._tell(function, refused)
            raise NotSent("bad-reply", str(refused)) from refused
        return Outcome(value=loaded(*args), confidence=1.0)

    def bound(self, function: FunctionInfo, target: L4CacheHit) -> FunctionType | None:
        """What stands for `function` as long as a link lives; None: the module is refused, which is logged."""
        try:
            return self.load(target, function)
        except ModuleRefused as refused:
            self._tell(function, refused)
            return None

    def _tell(self, function: FunctionInfo, refused: ModuleRefused) -> None:
        _log.warning("`%s` does not run as a module: %s", function.symbol, refused)

    def load(self, target: L4CacheHit, function: FunctionInfo) -> FunctionType:
        """The function in a module, that may be used now.

        Raises:
            ModuleRefused: it may not.
        """
        # a module of another body is one of all that were ever published for the interface
        key = target.storage_pointer, function.body_hash
        version = self._index.version
        found = self._loaded.get(key)
        if found is not None and found.version == version:
            return found.function
        module = self._index.store.get(target.storage_pointer)
        if module is None:
            raise ModuleRefused("missing", f"there is no module {target.storage_pointer[:16]}…")
        line = self._line(module, function)
        self._judge(module, target, line)
        made = self._made(module) if found is None or found.manifest != module.manifest else found.function
        with self._lock:
            self._loaded[key] = _Loaded(version, made, module.manifest)
            self._loaded.move_to_end(key)
            while len(self._loaded) > _MOST_LOADED:
                self._loaded.popitem(last=False)
        if found is None:
            self._note(module, line)
        return made

    def _line(self, module: StoredModule, function: FunctionInfo) -> str:
        manifest = module.manifest
        wanted = interface_hash(function), function.body_hash
        is_same = wanted == (manifest.interface_hash, manifest.body_hash)
        return line_of(manifest.interface_hash, manifest.body_hash if is_same else None)

    def _judge(self, module: StoredModule, target: L4CacheHit, line: str) -> None:
        if target.signature and target.signature != module.signature.hex():
            raise ModuleRefused("bad-signature", f"the module {module.id[:16]}… has another signature")
        self._index.trust.check(module.manifest, module.signature, now=self._index.clock(), line=line)

    def _made(self, module: StoredModule) -> FunctionType:
        manifest = module.manifest
        blob = self._index.store.blob(manifest.content_hash)
        if blob is None:
            raise ModuleRefused("missing", f"the bytes of the module {module.id[:16]}… are not there")
        self._index.trust.check_blob(manifest, blob)
        try:
            loaded = FORMS[manifest.kind].executor.load(blob, manifest.symbol)
        except NotLoaded as error:
            raise ModuleRefused("kind", str(error)) from error
        if loaded.body_hash not in (None, manifest.body_hash):
            raise ModuleRefused("kind", f"it holds another `{manifest.symbol}` than its manifest says")
        return loaded.function

    def _note(self, module: StoredModule, line: str) -> None:
        """Say and remember that it is used: for people, for garbage collection, and against downgrades."""
        manifest, index = module.manifest, self._index
        _log.info(
            "`%s` runs as the module %s…: %s, version %d, signed by %s",
            *(manifest.symbol, module.id[:16], manifest.kind, manifest.version, manifest.key_id),
        )
        try:
            index.store.used([module.id], index.clock())
            if index.trust.seen.get(line, 0) < manifest.version:
                with changing(index.trust_path) as draft:
                    draft.trust = draft.trust.seeing(line, manifest.version)
        except (TrustFileError, CacheError) as error:
            _log.warning("that the module %s… was used is not noted: %s", module.id[:16], error)
