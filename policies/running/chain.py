"""One delegated call as a state machine: events in, instructions out; no clock, no target, no money inside.

    chain = Chain(steps, settings, now=…)
    instruction = chain.start(now)
    while isinstance(instruction, Try):
        …try the target…
        instruction = chain.on(Succeeded(…), now)       # or Failed(…), Refused(…)
    …run the body, or give the answer…

The whole chain has one deadline and one amount of money. Rules, in this order:

1. Targets are tried in the order of the plan, each once. One whose lowest price is more than the money left is
   passed over; when no time is left, all that remain are.
2. An answer with at least `min_confidence`, or one that says nothing about its confidence, is given.
3. A less confident answer is kept and the next target tried. If none of the rest does better (they fail, are
   refused, or time or money is gone), the most confident answer so far is given, the earlier of equals: an
   answer that was paid for is worth more than the fallback body, which knows less by its nature.
4. `LocalPure` as a step is the function's own body, asked for by the policy: it is run when its turn comes, and
   then its value counts, whatever was kept. Nothing after it is tried.
5. With no answer at all the function's own body runs. So a call never fails because a target is down.

An answer that comes after the deadline counts: it is here, and it is paid for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from policies.targets import target_name
from policies.world import USD, MicroUsd
from rtfs.delegation import ExecTarget, LocalPure
from rtfs.values import Value

#: the share of a run's time that a chain leaves for what comes after it, the function's own body first of all
LEFT_FOR_BODY: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A target of the chain, and what is known of it beforehand."""

    target: ExecTarget
    #: longest time for one try, seconds; None: what the chain has left
    timeout_s: float | None = None
    #: what one try costs at least; a chain with less money left passes the step over
    price: MicroUsd = 0


# ---------------------------------------------------------------- instructions


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Try this target."""

    target: ExecTarget
    timeout_s: float
    #: money of the chain that is left; None: no bound
    max_cost: MicroUsd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBody:
    """Run the function's own body."""

    reason: str
    #: whether the plan asked for it, rather than nothing else being left
    planned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """The answer."""

    value: Value
    target: ExecTarget
    confidence: float | None
    reason: str


type Instruction = Try | RunBody | Give

# ---------------------------------------------------------------- events


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Where an answer comes from that was known already."""

    #: `l2-hot`, `l2-cold`, `l3`, or `shared`: another call was asking just this
    tier: str
    #: of the answer
    age_s: float = 0.0
    #: of the call that was answered then to this one, -1 to 1; None: it was the very same
    similarity: float | None = None
    #: share of such answers that may be wrong; 0: none can be
    error_bound: float = 0.0
    #: what the target took for the answer
    saved: MicroUsd = 0
    saved_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The target answered, now or before."""

    value: Value
    cost: MicroUsd = 0
    latency_ms: float = 0.0
    #: 0 to 1; None: the target says nothing about it
    confidence: float | None = None
    #: None: it was asked
    known: Known | None = None
    #: of what answered, if it says so
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The target was tried in vain. `cause`: see `policies.running.health.Cause`."""

    cause: str
    detail: str = ""
    cost: MicroUsd = 0
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The target was not tried. `by`: the hard rule, or `breaker`, `runner`, `effect`, that is against it."""

    by: str
    reason: str = ""


type Event = Succeeded | Failed | Refused

# ---------------------------------------------------------------- history

type Result = Literal["answered", "unsure", "failed", "refused", "passed-over", "body"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one step."""

    target: ExecTarget
    result: Result
    #: of a failure its cause, of a refusal what refused; `money`, `deadline` or `low-confidence` otherwise
    cause: str = ""
    detail: str = ""
    #: seconds from the start of the chain to the end of the attempt
    at_s: float = 0.0
    cost: MicroUsd = 0
    latency_ms: float = 0.0
    confidence: float | None = None
    #: of an answer that was known already
    known: Known | None = None

    def __str__(self) -> str:
        text = f"{target_name(self.target)}: {self.result}"
        if self.cause:
            text += f" ({self.cause})"
        return f"{text}, {self.detail}" if self.detail else text


class Chain:
    """One call on its way along its targets.

    Args:
        steps: targets in order. Of two that name the same target the first counts.
        now: any clock's seconds; those of `start` and `on` are the same clock's.
        timeout_s: for the whole chain.
        max_cost: for the whole chain; None: no bound.
        min_confidence: an answer below it escalates; None: any answer is given.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        now: float,
        timeout_s: float,
        max_cost: MicroUsd | None = None,
        min_confidence: float | None = None,
    ) -> None:
        self.began = now
        self.deadline = now + timeout_s
        self.money = max_cost
        self.min_confidence = min_confidence
        self.spent: MicroUsd = 0
        self._steps = steps if len(steps) < 2 else _unique(steps)
        self._next = 0
        self._trying: Step | None = None
        self._best: Give | None = None
        self._history: list[Attempt] = []
        self._end: RunBody | Give | None = None

    @property
    def history(self) -> tuple[Attempt, ...]:
        """What happened so far, in order."""
        return tuple(self._history)

    def start(self, now: float) -> Instruction:
        """The first instruction.

        Raises:
            ValueError: the chain was started before.
        """
        if self._next or self._end is not None:
            raise ValueError("expected a chain that has not started, got one that has")
        return self._advance(now)

    def on(self, event: Event, now: float) -> Instruction:
        """What to do after what became of the last `Try`.

        Raises:
            ValueError: no `Try` is under way.
        """
        step = self._taken(event)
        match event:
            case Succeeded():
                return self._answered(step, event, now)
            case Failed():
                self._failed(step, event, now)
            case Refused():
                self._note(step, "refused", now, event.by, event.reason)
        return self._advance(now)

    def break_off(self, event: Failed, now: float) -> None:
        """Note what the last `Try` ended with when the call goes no further: an error of the program itself.

        Raises:
            ValueError: as `on`.
        """
        step = self._taken(event)
        self._failed(step, event, now)
        self._next = len(self._steps)

    def _taken(self, event: Event) -> Step:
        step = self._trying
        if step is None:
            raise ValueError(f"expected no event, since no target is being tried, got `{type(event).__name__}`")
        self._trying = None
        return step

    def _failed(self, step: Step, event: Failed, now: float) -> None:
        self.spent += event.cost
        self._note(step, "failed", now, event.cause, event.detail, cost=event.cost, latency_ms=event.latency_ms)

    def _answered(self, step: Step, event: Succeeded, now: float) -> Instruction:
        self.spent += event.cost
        wanted = self.min_confidence
        sure = wanted is None or event.confidence is None or event.confidence >= wanted
        self._note(
            step,
            "answered" if sure else "unsure",
            now,
            "" if sure else "low-confidence",
            cost=event.cost,
            latency_ms=event.latency_ms,
            confidence=event.confidence,
            known=event.known,
        )
        if sure:
            return self._finish(_give(step, event, "it answered"))
        if self._best is None or _certainty(event.confidence) > _certainty(self._best.confidence):
            reason = f"no answer was more confident than {event.confidence:g}, though {wanted:g} was wanted"
            self._best = _give(step, event, reason)
        return self._advance(now)

    def _advance(self, now: float) -> Instruction:
        """The next step that there is time and money for; else the end."""
        while self._next < len(self._steps):
            step = self._steps[self._next]
            self._next += 1
            if isinstance(step.target, LocalPure):
                self._note(step, "body", now)
                return self._finish(RunBody(reason=self._why("the policy's next choice"), planned=True))
            left_s = self.deadline - now
            if left_s <= 0:
                self._note(step, "passed-over", now, "deadline", "no time was left")
            elif self.money is not None and step.price > max(0, self.money - self.spent):
                left = max(0, self.money - self.spent) / USD
                detail = f"it costs {step.price / USD:g} USD, {left:g} were left"
                self._note(step, "passed-over", now, "money", detail)
            else:
                self._trying = step
                timeout_s = left_s if step.timeout_s is None else min(left_s, step.timeout_s)
                left_money = None if self.money is None else max(0, self.money - self.spent)
                return Try(target=step.target, timeout_s=timeout_s, max_cost=left_money)
        if self._best is not None:
            return self._finish(self._best)
        return self._finish(RunBody(reason=self._why("nothing else was left")))

    def _why(self, otherwise: str) -> str:
        """The reason for the body: what became of the last target before it."""
        tried = [attempt for attempt in self._history if attempt.result != "body"]
        return str(tried[-1]) if tried else otherwise

    def _finish(self, end: RunBody | Give) -> RunBody | Give:
        self._end = end
        return end

    def _note(
        self,
        step: Step,
        result: Result,
        now: float,
        cause: str = "",
        detail: str = "",
        *,
        cost: MicroUsd = 0,
        latency_ms: float = 0.0,
        confidence: float | None = None,
        known: Known | None = None,
    ) -> None:
        self._history.append(
            Attempt(
                target=step.target,
                result=result,
                cause=cause,
                detail=detail,
                at_s=now - self.began,
                cost=cost,
                latency_ms=latency_ms,
                confidence=confidence,
                known=known,
            )
        )


def _unique(steps: Sequence[Step]) -> Sequence[Step]:
    unique: dict[ExecTarget, Step] = {}
    for step in steps:
        unique.setdefault(step.target, step)
    return tuple(unique.values())


def _give(step: Step, event: Succeeded, reason: str) -> Give:
    return Give(value=event.value, target=step.target, confidence=event.confidence, reason=reason)


def _certainty(confidence: float | None) -> float:
    """For comparisons; what is no number is worth less than any."""
    return confidence if confidence is not None and confidence == confidence else -1.0


def time_for_chain(timeout_s: float, run_left_s: float | None) -> float:
    """Seconds that a chain may take: its own timeout, but of what the run has left not the body's share."""
    if run_left_s is None:
        return timeout_s
    return max(0.0, min(timeout_s, run_left_s * (1 - LEFT_FOR_BODY)))
