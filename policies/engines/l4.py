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
from rtfs.delegation import FunctionInfo, L4CacheHit

#: the version of the language whose modules this process can run
LANGUAGE_VERSION: Final = "2.0"

type ModuleKind = Literal["WasmBytecode", "CompressedRtfsSource", "IrBinary"]
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


class SignedModuleStore(Protocol):
    """An index of modules in memory; it does not read the modules."""

    @property
    def version(self) -> str:
        """Changes whenever any answer may."""

    def find(self, interface_hash: str) -> ModuleEntry | None:
        """The module for exactly that interface, the best one if there are several."""

    def find_similar(
        self, embedding: tuple[float, ...], at_least: float
    ) -> Sequence[tuple[float, ModuleEntry]]:
        """Modules whose meaning is that similar, cosine −1 to 1, with their similarity; the nearest first."""


def interface_hash(function: FunctionInfo) -> str:
    """SHA-256, hex, of what a module must be the same in to stand for `function`.

    Hashed are, in this order, `i1`, the symbol, the number of parameters, the type of each, the type of the
    result and the hash of the IR, each as UTF-8 after its length in bytes (8 bytes, big-endian). So a module
    for an earlier body of the function is out of reach.
    """
    types = function.parameter_types
    digest = sha256()
    for part in ("i1", function.symbol, str(len(types)), *types, function.return_type, function.ir_hash):
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


class L4AwareEngine(Decorator):
    """Runs a function as a module out of L4 if there is one that may be used; the rest is the inner plan's.

    A module may be used if it is signed, validated, and of this version of the language.

    Args:
        similar_at_least: similarity from which a module may stand for a function of the same types that is not
            the same function. None: only the same function counts. A similar module computes something that is
            similar, so this is for functions whose results nobody relies on to the letter.
    """

    def __init__(
        self,
        inner: DelegationEngine,
        store: SignedModuleStore,
        current: Current,
        *,
        similar_at_least: float | None = None,
    ) -> None:
        super().__init__(inner)
        self._store = store
        self._current = current
        self._similar_at_least = similar_at_least

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
        function = call.facts.function
        wanted = interface_hash(function)
        entry = self._store.find(wanted)
        if entry is not None and entry.interface_hash == wanted and is_usable(entry):
            return None, entry
        at_least = self._similar_at_least
        if at_least is None or call.semantic_hash is None:
            return None
        types = (function.parameter_types, function.return_type)
        for similarity, near in self._store.find_similar(call.semantic_hash, at_least):
            same_types = (near.parameter_types, near.return_type) == types
            if at_least <= similarity <= 1 and same_types and is_usable(near):
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
