"""What a decision says: a target, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from policies.targets import target_name
from rtfs.delegation import ExecTarget, LocalPure

#: the step of the fixed order that decided (docs/policies.md)
type Stage = Literal[
    "hint", "static-route", "l1", "l4", "metadata", "rule", "optimizer", "model", "adaptive", "remote-rtfs",
    "default", "fallback",
]  # fmt: skip
#: the kinds of hard rules; nothing overrides them
type HardRule = Literal["privacy", "authorization", "locality", "budget", "provider", "type"]
type CacheTier = Literal["none", "l2", "l3", "l4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """The place in a policy that is to thank or blame."""

    #: for people: ``rule `cheap-first` ``, ``static route `ai-*` ``, `default_target`
    what: str
    source: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        if self.line is None:
            return self.what
        return f"{self.what} ({self.source}:{self.line})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A target that was not chosen. `hard` names the hard rule that forbids it, None if another was better."""

    target: ExecTarget
    reason: str
    hard: HardRule | None = None
    because: Because | None = None

    def __str__(self) -> str:
        where = f" — {self.because}" if self.because else ""
        return f"{target_name(self.target)}: {self.reason}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one call of a target is expected to take. None: not known."""

    cost_usd: float | None = None
    latency_ms: float | None = None
    #: 0 to 1
    quality: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationPlan:
    """Where a call runs, and why. `chain` are the targets tried after it, in order; the body comes last of all.

    Every target of the plan, fallbacks included, has passed the hard rules under the world it was made in.
    """

    target: ExecTarget
    stage: Stage
    #: 0 to 1
    confidence: float = 1.0
    #: names the rule, the function, the model and the figures behind the choice
    reasoning: str = ""
    because: Because | None = None
    chain: tuple[ExecTarget, ...] = ()
    #: what came before the choice and was vetoed or worse; complete only in explanations
    rejected: tuple[Rejection, ...] = ()
    expected: Expected = Expected()
    cache: CacheTier = "none"
    #: seconds since the epoch, of the world the decision was made in
    created_at: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_local(self) -> bool:
        """Whether the function simply runs its own body."""
        return isinstance(self.target, LocalPure)
