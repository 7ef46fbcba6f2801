"""What a decision is about: one call, as far as rules may look at it.

Fingerprints are 64 bits: the first 8 bytes, big-endian, of BLAKE2b (digest size 8) over a canonical sequence of
texts, each as UTF-8 after its length in bytes (8 bytes, big-endian). They are the same on every machine and in
every run. A fingerprint of types never sees a value.

    arg_type_fingerprint   of "t1", the types of the arguments, "|", size and labels, and where types have names
                           "|" and each name with its type; see `type_fingerprint`
    runtime_context_hash   of "c1" and, per fact in order of name, its name, count and texts; see `context_hash`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import Literal

from rtfs.delegation import FunctionInfo, RuntimeFacts

#: who attached metadata to a call
type MetadataSource = Literal["planner", "intent-analyzer", "model", "user"]


def fingerprint(*parts: str) -> int:
    """64 bits for a sequence of texts; different sequences differ but for chance."""
    digest = blake2b(digest_size=8)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return int.from_bytes(digest.digest(), "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationMetadata:
    """What a planner or an intent analyser says about a run or a call; reaches the decision and the audit."""

    #: 0 to 1
    confidence: float | None = None
    reasoning: str | None = None
    context: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    source: MetadataSource = "planner"
    #: name of the target that is suggested, if one is
    target: str | None = None


def context_hash(facts: RuntimeFacts) -> int:
    """The `runtime_context_hash` of a call under `facts`."""
    named: dict[str, list[str]] = {
        "tenant": [] if facts.tenant is None else [facts.tenant],
        "permissions": sorted(facts.permissions),
        "labels": sorted(facts.labels),
        "plan": [] if facts.plan is None else [facts.plan],
        **{f"ambient.{name}": [f"{type(fact).__name__}:{fact}"] for name, fact in facts.ambient.items()},
    }
    parts = []
    for name in sorted(named):
        parts += [name, str(len(named[name])), *named[name]]
    return fingerprint("c1", *parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """All that rules may look at; what the fingerprints of a `CallContext` are made of."""

    function: FunctionInfo
    #: type of each argument, as `type-name` answers it (`string`, `vector`, …); None where the call decides
    arg_types: tuple[str | None, ...] = ()
    #: upper bound of the arguments' size, None where not known; `policies.running.guard` says what size is
    size: int | None = None
    runtime: RuntimeFacts = RuntimeFacts()  # noqa: RUF009 - frozen

    @property
    def labels(self) -> frozenset[str]:
        """Privacy labels that the arguments may carry."""
        return self.function.labels | self.runtime.labels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CallContext:
    """One question to an engine. Equality and hash ignore `semantic_hash` and `metadata`.

    Equal contexts have equal facts: two that share their fingerprints by chance are told apart by `facts`.
    """

    fn_symbol: str
    arg_type_fingerprint: int
    runtime_context_hash: int
    facts: CallFacts
    #: embedding of the call's meaning, if a semantic index takes part
    semantic_hash: tuple[float, ...] | None = None
    metadata: DelegationMetadata | None = None
    _hash: int = field(init=False, repr=False)
    #: `task`, once somebody asked for it
    _task: int | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        key = (self.fn_symbol, self.arg_type_fingerprint, self.runtime_context_hash)
        object.__setattr__(self, "_hash", hash(key))

    @classmethod
    def of(
        cls,
        facts: CallFacts,
        *,
        metadata: DelegationMetadata | None = None,
        semantic_hash: tuple[float, ...] | None = None,
    ) -> CallContext:
        """The context for `facts`, fingerprints and all."""
        return cls(
            fn_symbol=facts.function.symbol,
            arg_type_fingerprint=type_fingerprint(facts),
            runtime_context_hash=context_hash(facts.runtime),
            facts=facts,
            semantic_hash=semantic_hash,
            metadata=metadata,
        )

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, CallContext):
            return NotImplemented
        return (
            self.fn_symbol == other.fn_symbol
            and self.arg_type_fingerprint == other.arg_type_fingerprint
            and self.runtime_context_hash == other.runtime_context_hash
            and (self.facts is other.facts or self.facts == other.facts)
        )

    @property
    def task(self) -> int:
        """The key of the call beside its symbol in L1: both fingerprints in one. Computed once per context."""
        task = self._task
        if task is None:
            task = fingerprint("k1", f"{self.arg_type_fingerprint:016x}", f"{self.runtime_context_hash:016x}")
            object.__setattr__(self, "_task", task)
        return task


def type_fingerprint(facts: CallFacts) -> int:
    """64 bits of the arguments' types: those of the call where known, else the declared ones.

    Size and labels belong to it, as refinements of the types; no value does.
    """
    declared = facts.function.parameter_types
    types: Iterable[str] = (
        [text if given is None else given for given, text in zip(facts.arg_types, declared, strict=False)]
        if facts.arg_types
        else declared
    )
    extra = [given or "any" for given in facts.arg_types[len(declared) :]]
    size = "" if facts.size is None else str(facts.size)
    names = [text for pair in sorted(facts.function.aliases.items()) for text in pair]
    meant = ["|", *names] if names else []
    return fingerprint("t1", *types, *extra, "|", size, *sorted(facts.function.labels), *meant)
