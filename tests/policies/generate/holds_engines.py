"""Engines, stores and models that generated settings are made of; none of them should be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from random import Random

from policies.context import CallContext, DelegationMetadata
from policies.engines.l4 import LANGUAGE_VERSION, ModuleEntry
from policies.engines.protocol import Decorator, DelegationEngine
from policies.engines.standard import StandardEngine
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current
from rtfs.delegation import ExecTarget, FunctionInfo, L4CacheHit, LocalModel, RemoteModel


def drawn(*parts: object) -> int:
    """A number that depends on `parts` alone."""
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:6], "big")


class Reckless(DelegationEngine):
    """Sends calls anywhere, whatever policies say. What stands around it has to hold."""

    def __init__(self, current: Current, seed: int) -> None:
        self._current = current
        self._seed = seed

    @property
    def version(self) -> str:
        return f"reckless {self._seed} {self._current.version}"

    def plan(self, call: CallContext) -> DelegationPlan:
        pick = Random(drawn(self._seed, call.fn_symbol, call.runtime_context_hash))
        named = [each.target for each in self._current.rulebook.candidates.values()]
        anything: list[ExecTarget] = [
            *named,
            RemoteModel("ghost"),
            L4CacheHit("blob", "sig"),
            LocalModel("pure"),
        ]
        target, *chain = pick.sample(anything, min(len(anything), pick.randint(1, 5)))
        return DelegationPlan(target=target, stage="rule", reasoning="why not", chain=tuple(chain))

    def decide(self, call: CallContext) -> ExecTarget:
        return self.plan(call).target


class Suggesting(Decorator):
    """Gives calls metadata that suggest a target."""

    def __init__(self, inner: StandardEngine, names: Sequence[str], seed: int) -> None:
        super().__init__(inner)
        self._standard = inner
        self._names = names
        self._seed = seed

    def _with_metadata(self, call: CallContext) -> CallContext:
        pick = Random(drawn(self._seed, call.fn_symbol))
        metadata = DelegationMetadata(target=pick.choice(self._names), confidence=pick.choice((None, 0.3, 0.9)))
        return replace(call, metadata=metadata if pick.random() < 0.7 else None)

    def plan(self, call: CallContext) -> DelegationPlan:
        return self.inner.plan(self._with_metadata(call))

    def plan_for(self, call: CallContext, target: ExecTarget) -> DelegationPlan:
        return self._standard.plan_for(self._with_metadata(call), target)


class Modules:
    """A store of modules that knows some functions, by chance."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    version = "1"

    def find(self, interface_hash: str, body_hash: str | None) -> ModuleEntry | None:
        pick = Random(drawn(self._seed, interface_hash))
        if pick.random() < 0.6:
            return None
        return ModuleEntry(
            storage_pointer=interface_hash[:8],
            signature=pick.choice(("", "sig", "sig", "sig")),
            kind="IrBinary",
            validation=pick.choice(("validated", "validated", "validated", "pending")),
            language_version=LANGUAGE_VERSION,
            interface_hash=interface_hash,
            parameter_types=(),
            return_type="any",
            body_hash=body_hash or "",
        )

    def find_similar(self, function: FunctionInfo, at_least: float) -> list[tuple[float, ModuleEntry]]:
        return []


def asked(names: Sequence[str], seed: int) -> Callable[[str, tuple[str, ...], float], str]:
    def ask(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        return Random(drawn(seed, prompt)).choice(names)

    return ask
