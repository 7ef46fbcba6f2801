"""Copies of a runtime's modules on its other nodes.

A module proves itself: its id is the hash of what is signed, and that names the hash of its bytes. So it does
not matter by whom it was copied, nor whether all of them were.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.caches.l4.manifest import decode_manifest, module_id
from actors.caches.l4.store import ModuleStore

#: calls a method of the caches' actor
type Ask = Callable[..., Any]


def l4_folder(state_dir: str | Path) -> Path:
    """Where a runtime with that folder for its state keeps modules."""
    return Path(state_dir) / "caches" / "l4"


def listed(store: ModuleStore, known: int) -> tuple[int, list[str] | None]:
    """The generation of a store and the ids in it; None in their place if `known` is that generation."""
    generation = store.generation
    return generation, None if generation == known else [each.id for each in store.all()]


def fetched(store: ModuleStore, id: str) -> tuple[bytes, bytes] | None:
    """Manifest with signature, and bytes of a module; None: there is none."""
    module = store.get(id)
    blob = None if module is None else store.blob(module.manifest.content_hash)
    return None if module is None or blob is None else (module.manifest.encode(module.signature), blob)


def mirror(store: ModuleStore, ask: Ask, known: int) -> int:
    """Make `store` hold what the runtime's does.

    Args:
        ask: calls `modules` and `module` of the caches' actor, which are `listed` and `fetched`.
        known: what the last call gave; -1: none did.

    Returns:
        The generation of the runtime's store.

    Raises:
        CacheError: the copy cannot be written.
        ModuleRefused: what came is no module.
    """
    generation, ids = ask("modules", known)
    if ids is None:
        return int(generation)
    here = {each.id for each in store.all()}
    for id in ids:
        found = None if id in here else ask("module", id)
        if found is None:
            continue  # it is here, or went meanwhile
        manifest, signature = decode_manifest(found[0])
        if module_id(manifest, signature) == id:
            store.put(manifest, signature, found[1])
    store.remove(here.difference(ids))
    return int(generation)
