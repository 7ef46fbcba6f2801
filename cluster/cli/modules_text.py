"""Modules as people and programs read them, and what is thought of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cluster.cli.cache_text import SHORT, counted, one_line, shortened
from cluster.cli.keys_text import when
from cluster.cli.modules_source import KINDS
from cluster.cli.ticket_text import duration

if TYPE_CHECKING:
    from actors.caches.l4.errors import ModuleRefused, Reason
    from actors.caches.l4.store import ModuleStore, StoredModule
    from actors.caches.l4.trust import TrustStore

HEADS: Final = ("ID", "FUNCTION", "KIND", "VERSION", "KEY", "STATE", "SIZE", "CREATED", "USED")
#: what kinds are called in tables
SHORT_KINDS: Final = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a module may be used."""

    #: None: it may be believed
    refused: ModuleRefused | None = None
    #: why it is not used all the same, another one being pinned, or having been used; None: it is
    passed_over: ModuleRefused | None = None
    #: whether it is the one to be used for its interface
    is_pinned: bool = False

    @property
    def reason(self) -> Reason | None:
        """Why it is not used; None: it may be."""
        against = self.refused or self.passed_over
        return None if against is None else against.reason

    @property
    def detail(self) -> str:
        """The same in a sentence."""
        against = self.refused or self.passed_over
        return "" if against is None else against.detail

    @property
    def state(self) -> str:
        """The same in a word or two."""
        if self.reason is not None:
            return self.reason.replace("-", " ")
        return "pinned" if self.is_pinned else "usable"


def verdict_of(module: StoredModule, store: ModuleStore, trust: TrustStore, now: float) -> Verdict:
    """What a runtime would think of a module: of signature, key and revocations, and of the bytes' hash.

    It is compared with modules that were made from the same function. Nothing of it is run, or even decoded.
    """
    from actors.caches.l4.errors import ModuleRefused
    from actors.caches.l4.trust import line_of

    manifest = module.manifest
    is_pinned = trust.pinned.get(manifest.interface_hash) == module.id
    try:
        trust.check(manifest, module.signature, now=now)
        blob = store.blob(manifest.content_hash)
        if blob is None:
            raise ModuleRefused("missing", "its bytes are not there, or damaged")
        trust.check_blob(manifest, blob)
    except ModuleRefused as refused:
        return Verdict(refused=refused, is_pinned=is_pinned)
    try:
        line = line_of(manifest.interface_hash, manifest.body_hash)
        trust.check(manifest, module.signature, now=now, line=line)
    except ModuleRefused as passed_over:
        return Verdict(passed_over=passed_over, is_pinned=is_pinned)
    return Verdict(is_pinned=is_pinned)


def in_order(modules: list[StoredModule]) -> list[StoredModule]:
    """By function, the highest version first."""
    return sorted(modules, key=lambda each: (each.manifest.symbol, -each.manifest.version, each.id))


def key_of(module: StoredModule, trust: TrustStore) -> str:
    """What the key that signed is called; the beginning of its id if it has no name here."""
    key = trust.keys.get(module.manifest.key_id)
    return one_line(module.manifest.key_id[:SHORT] if key is None else key.name)


def row(module: StoredModule, verdict: Verdict, trust: TrustStore, now: float) -> tuple[str, ...]:
    """A module in a table under `HEADS`."""
    from actors.models.generation.memory import text_of

    manifest = module.manifest
    return (
        module.id[:SHORT],
        one_line(manifest.symbol),
        SHORT_KINDS[manifest.kind],
        str(manifest.version),
        shortened(key_of(module, trust), 24),
        verdict.state,
        text_of(module.size),
        f"{duration(now - manifest.created_at)} ago",
        "never" if module.used_at is None else f"{duration(now - module.used_at)} ago",
    )


def pairs(module: StoredModule, verdict: Verdict, trust: TrustStore, now: float) -> Iterator[tuple[str, str]]:
    """All that is known of a module, a line each."""
    from actors.models.generation.memory import text_of

    manifest = module.manifest
    until = manifest.not_after
    yield "module", module.id
    yield "function", one_line(manifest.symbol)
    yield "state", verdict.state if verdict.reason is None else one_line(f"{verdict.state}: {verdict.detail}")
    yield "pinned", "yes" if verdict.is_pinned else "no"
    yield "kind", manifest.kind
    yield "version", str(manifest.version)
    yield "signed by", _signer(module, trust)
    yield "types", one_line(f"[{' '.join(manifest.parameter_types)}] → {manifest.return_type}")
    yield "language", one_line(manifest.language_version)
    yield "created", when(manifest.created_at, now)
    yield "not after", "-" if until is None else when(until, now)
    yield "last used", "never" if module.used_at is None else when(module.used_at, now)
    yield "size", text_of(module.size)
    yield "content", manifest.content_hash
    yield "interface", manifest.interface_hash
    yield "body", manifest.body_hash
    yield "signature", module.signature.hex() or "-"
    yield "source", one_line(manifest.source) or "-"
    yield (
        "tried",
        f"as the interpreter for {counted(manifest.trials, 'argument list')}" if manifest.trials else "not",
    )
    yield "description", one_line(manifest.description) or "-"
    embedder = f"{one_line(manifest.embedder)}, {len(manifest.embedding) // 4} numbers"
    yield "embedding", embedder if manifest.embedder else "-"


def _signer(module: StoredModule, trust: TrustStore) -> str:
    id = one_line(module.manifest.key_id)
    return f"{id}, {key_of(module, trust)}" if id in trust.keys else f"{id}, which is not known here"


def described(module: StoredModule, verdict: Verdict, trust: TrustStore) -> dict[str, Any]:
    """A module in JSON data, in short. Times are seconds since the epoch."""
    manifest = module.manifest
    key = trust.keys.get(manifest.key_id)
    return {
        "id": module.id,
        "function": manifest.symbol,
        "kind": manifest.kind,
        "version": manifest.version,
        "key": manifest.key_id,
        "key_name": None if key is None else key.name,
        "usable": verdict.reason is None,
        "reason": verdict.reason,
        "detail": verdict.detail,
        "pinned": verdict.is_pinned,
        "size": module.size,
        "created_at": manifest.created_at,
        "not_after": manifest.not_after,
        "used_at": module.used_at,
    }


def everything(module: StoredModule, verdict: Verdict, trust: TrustStore) -> dict[str, Any]:
    """The same with the rest of the manifest."""
    manifest = module.manifest
    return {
        **described(module, verdict, trust),
        "content_hash": manifest.content_hash,
        "interface_hash": manifest.interface_hash,
        "body_hash": manifest.body_hash,
        "parameter_types": list(manifest.parameter_types),
        "return_type": manifest.return_type,
        "language_version": manifest.language_version,
        "signature": module.signature.hex(),
        "source": manifest.source,
        "trials": manifest.trials,
        "description": manifest.description,
        "embedder": manifest.embedder,
        "embedding_numbers": len(manifest.embedding) // 4,
    }
