"""L4: signed modules that were compiled before are better than anything that would have to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, Protocol

from policies.context import CallContext
from policies.engines.chaining import behind
from policies.engines.metadata import audited
from policies.engines.protocol import Decorator, DelegationEngine
from policies.plan import DelegationPlan, Expected
from policies.rules.rulebook import Current
from rtfs.backends import ModuleKind
from rtfs.delegation import FunctionInfo, L4CacheHit
from rtfs.values import Keyword

#: the version of the language whose modules this process can run
LANGUAGE_VERSION: Final = "2.0"
#: metadata by which a function leaves its implementation to what is published
MODULE: Final = "module"
PUBLISHED: Final = Keyword.of("published")

type Validation = Literal["validated", "pending", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleEntry:
    """What a store says of one module."""

    storage_pointer: str
    #: empty: not signed
    signature: str
    kind: ModuleKind
    #: whether the signature was checked with a key that is trusted
    validation: Validation
    language_version: str
    #: see `interface_hash`
    interface_hash: str
    #: types of the parameters and of the result, as in `FunctionInfo`
    parameter_types: tuple[str, ...]
    return_type: str
    #: `FunctionInfo.body_hash` of what it was made from
    body_hash: str


class SignedModuleStore(Protocol):
    """An index of modules in memory; it does not read the modules."""

    @property
    def version(self) -> str:
        """Changes whenever any answer may."""

    def find(self, interface_hash: str, body_hash: str | None) -> ModuleEntry | None:
        """The module for exactly that interface, the best one if there are several.

        Args:
            body_hash: what it must have been made from; None: anything.
        """

    def find_similar(self, function: FunctionInfo, at_least: float) -> Sequence[tuple[float, ModuleEntry]]:
        """Modules whose description means what that of `function` does, by the cosine of their embeddings.

        At least so similar, −1 to 1, with their similarity; the nearest first.
        """


def interface_hash(function: FunctionInfo) -> str:
    """SHA-256, hex, of what a module must have in common with `function` to stand for it at all.

    Hashed are, in this order, `i2`, the version of the language, the symbol, the number of parameters, the type
    of each, the type of the result, and of the type names that these reach each name and what it stands for,
    as UTF-8 after its length in bytes (8 bytes, big-endian).
    """
    types = (str(len(function.parameter_types)), *function.parameter_types, function.return_type)
    names = (text for name in sorted(function.aliases) for text in (name, function.aliases[name]))
    digest = sha256()
    for part in ("i2", LANGUAGE_VERSION, function.symbol, *types, *names):
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


def takes_any_body(function: FunctionInfo) -> bool:
    """Whether a function takes whatever was published under its name: `^{:module :published}`."""
    return function.metadata.get(MODULE) is PUBLISHED


class L4AwareEngine(Decorator):
    """Runs a function as a module out of L4 if there is one that may be used; the rest is the inner plan's.

    A module may be used if it is signed, validated, of this version of the language, and made from the same
    function, body and all. It may be made from another one of the same name and types where the policy
    accepts that or the function asks for it, and from a similar function where the policy says how similar:
    that is for functions whose results nobody relies on to the letter.
    """

    def __init__(self, inner: DelegationEngine, store: SignedModuleStore, current: Current) -> None:
        super().__init__(inner)
        self._store = store
        self._current = current

    @property
    def version(self) -> str:
        """That of the engine inside and that of the store."""
        return f"{self.inner.version}+l4.{self._store.version}"

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        plan = self.inner.plan(call)
        settings = self._current.rulebook.policy.settings
        if not settings.enable_l4_cache or not settings.caches.l4.enabled:
            return plan
        found = self._find(call)
        if found is None:
            return plan
        similarity, entry = found
        target = L4CacheHit(entry.storage_pointer, entry.signature)
        world = self._current.world
        if self._current.rulebook.veto(call, target, world) is not None:
            return plan
        how = "its very interface" if similarity is None else f"a meaning {similarity:.3f} like its own"
        hit = DelegationPlan(
            target=target,
            stage="l4",
            confidence=1.0 if similarity is None else similarity,
            reasoning=f"a signed module has {how} for `{call.fn_symbol}`: `{entry.storage_pointer}`",
            chain=behind(target, plan),
            expected=Expected(cost_usd=0.0),
            cache="l4",
            created_at=world.now,
        )
        return hit if call.metadata is None else audited(hit, call.metadata)

    def _find(self, call: CallContext) -> tuple[float | None, ModuleEntry] | None:
        """The module to use, with its similarity if it is not the very function."""
        settings = self._current.rulebook.policy.settings.caches.l4
        function = call.facts.function
        wanted = interface_hash(function)
        body = None if settings.accept == "interface" or takes_any_body(function) else function.body_hash
        entry = None if body == "" else self._store.find(wanted, body)
        if (
            entry is not None
            and entry.interface_hash == wanted
            and body in (None, entry.body_hash)
            and is_usable(entry)
        ):
            return None, entry
        if settings.similar_at_least is None or not function.doc:
            return None
        types = (function.parameter_types, function.return_type)
        for similarity, near in self._store.find_similar(function, settings.similar_at_least):
            same_types = (near.parameter_types, near.return_type) == types
            if settings.similar_at_least <= similarity <= 1 and same_types and is_usable(near):
                return similarity, near
        return None


def is_usable(entry: ModuleEntry) -> bool:
    """Whether a module may run here at all."""
    return (
        entry.signature != ""
        and entry.storage_pointer != ""
        and entry.validation == "validated"
        and entry.language_version == LANGUAGE_VERSION
    )
