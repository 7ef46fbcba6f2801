"""Who carries delegated calls out: the port between the chain of a call and the targets themselves.

A `Runner` takes one call to one target and comes back with an `Outcome`, or raises `TargetFailed`. It keeps to
its `Allowance` as well as it can; the chain bears one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from policies.plan import DelegationPlan
from policies.running.chain import Attempt, Known
from policies.targets import target_name
from policies.world import MicroUsd
from rtfs.delegation import (
    ExecTarget,
    FunctionInfo,
    L4CacheHit,
    LocalModel,
    LocalPure,
    RemoteModel,
)
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The owner's clocks."""

    #: seconds that never go back; the same as `time.monotonic`, by which runs keep their deadlines
    monotonic: Callable[[], float]
    #: seconds since the epoch
    wall: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one try of a target may take, and for whom it is."""

    timeout_s: float
    #: money that the chain has left; None: no bound
    max_cost_usd: float | None
    facts: RuntimeFacts
    plan: DelegationPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a target answered."""

    #: an RTFS value, or plain Python data to be made one
    value: Value
    cost_usd: float = 0.0
    #: None: as long as the runner took
    latency_ms: float | None = None
    #: 0 to 1; None: the target says nothing about it
    confidence: float | None = None
    #: of what answered, as it stands in keys of caches; empty: the runner does not say
    version: str = ""


class Runner(Protocol):
    """Takes calls to targets. Used by many threads at once."""

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        """Carry one call out.

        Raises:
            TargetFailed: the target is to blame; the chain goes on.
            RtfsError: the function ran there, and this is the error of the program; the chain ends with it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """How one try of a target went, for whoever learns from it."""

    fn_symbol: str
    #: `CallContext.task` of the call
    task: int
    #: name of the target
    target: str
    #: why it failed; None: it answered
    cause: str | None
    cost_usd: float
    latency_ms: float
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """What became of one delegated call, for the audit."""

    fn_symbol: str
    plan: DelegationPlan
    facts: RuntimeFacts
    history: tuple[Attempt, ...]
    #: who answered; `LocalPure`: the function's own body was run; None: nobody, the call was broken off
    answered_by: ExecTarget | None
    reason: str
    spent: MicroUsd
    #: seconds since the epoch
    at: float
    took_ms: float
    #: what was answered, as text, of a function that can answer only a few values; None: it can answer others,
    #: or nobody answered
    answer: str | None = None


def known_of(history: tuple[Attempt, ...], answered_by: ExecTarget | None) -> Known | None:
    """Where the answer comes from if it was known already."""
    for attempt in history:
        if attempt.target == answered_by and attempt.result in ("answered", "unsure"):
            return attempt.known
    return None


#: names of runners for all targets of a kind
KINDS: Final[Mapping[type, str]] = {
    LocalPure: "local-pure",
    LocalModel: "local-model",
    RemoteModel: "remote",
    L4CacheHit: "l4",
}


def runner_for(runners: Mapping[str, Runner], target: ExecTarget) -> Runner | None:
    """The runner of that name, `remote-openai`, else that of its kind, `remote`; None if there is neither."""
    runner = runners.get(target_name(target))
    return runners.get(KINDS[type(target)]) if runner is None else runner
