"""What was learnt of targets from the outcomes of calls: immutable data, and the step from one state to the next.

For each kind of task and each target (an *arm*) there are running means of quality, cost and latency. Old outcomes
fade: after `half_life` outcomes of the arm one counts half (discounting, after Garivier & Moulines 2011). Three
things make the means follow a world that drifts faster than that:

- A sudden change of quality is found by comparing the latest outcomes, every suffix of up to `WINDOW` of them,
  with the mean, in the manner of window-limited likelihood ratio tests (Willsky & Jones 1976; Lai 1995). How
  surprising a suffix is says Bernstein's inequality: its exponent, `s² / 2(k·v + R·|s|/3)` for a sum `s` of `k`
  residuals of variance `v` bounded by `R`. Residuals are cut at three standard deviations, so that one failure
  of a good target is no change. Beyond `SURPRISE` the arm forgets what was before the suffix.
- Prices and speed belong to the target more than to the task. Each target has a level of both, and an arm's cost
  is its own share times the level: one outcome in one kind of task tells all others that prices moved.
- A change of quality of one arm makes what is known of the target in other tasks doubtful (`moved_at`).

Costs and latencies are averaged as logarithms: they are typical ones, and a few giant requests do not count much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp, isfinite, log, sqrt
from typing import Any, Final, NamedTuple

from immutables import Map


#: latest outcomes of an arm that are looked at for a sudden change
WINDOW: Final = 32
#: exponent in Bernstein's bound from which a deviation is a change: by chance once in e^9, about 8 000
SURPRISE: Final = 9.0
#: variance assumed of an arm before it is known, and how many outcomes that assumption is worth
PRIOR_VARIANCE: Final = 0.02
PRIOR_WEIGHT: Final = 3.0
#: least variance, so that an arm that never varied is not surprised by rounding
LEAST_VARIANCE: Final = 1e-4
#: how fast the level of a target's prices follows an outcome, and an arm's own share of it
LEVEL_GAIN: Final = 0.1
SHARE_GAIN: Final = 0.02
#: below this no difference in cost (dollars) or latency (milliseconds) is seen
LEAST: Final = 1e-9
#: kinds of task that are remembered; beyond, the one that was not seen for the longest time goes
MAX_KINDS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """How one try of a target went."""

    fn_symbol: str
    #: name of the target
    target: str
    success: bool
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    #: 0 to 1, judged afterwards; None: `confidence` stands for it, or else that the target answered
    quality: float | None = None
    confidence: float | None = None
    #: `CallContext.task` of the call; tells whether the call was spent on learning
    task: int | None = None

    @property
    def worth(self) -> float:
        """The quality that counts: none of a failure."""
        if not self.success:
            return 0.0
        known = self.confidence if self.quality is None else self.quality
        return 1.0 if known is None else min(1.0, max(0.0, known))


class Arm(NamedTuple):
    """What is known of a target in one kind of task."""

    #: outcomes ever
    seen: int
    #: outcomes that still count
    weight: float
    quality: float
    #: of the quality of single outcomes
    variance: float
    #: typical cost (dollars) and latency (milliseconds) of answers, each as a multiple of the target's level; 0:
    #: there was no answer yet
    cost: float
    latency: float
    #: `Kind.outcomes` and `LearntState.seen` at its last outcome
    at: int
    at_all: int
    #: latest qualities, oldest first
    recent: tuple[float, ...]


class Level(NamedTuple):
    """What outcomes of a target in all kinds of task have in common."""

    price: float = 1.0
    pace: float = 1.0
    #: `LearntState.seen` when its quality in some task suddenly changed
    moved_at: int = -1


class Kind(NamedTuple):
    """One kind of task."""

    outcomes: int
    #: by target name; never changed in place
    arms: Mapping[str, Arm]
    #: `LearntState.seen` at its last outcome
    at: int
    #: the target that is chosen for it where all are allowed, None as long as too little is known
    choice: str | None = None
    #: share of its calls that are trials, while there is credit for them
    share: float = 0.0

    def knows(self, target: str, min_outcomes: int) -> bool:
        """Whether enough outcomes of `target` were seen."""
        arm = self.arms.get(target)
        return arm is not None and arm.seen >= min_outcomes


NO_KIND: Final = Kind(0, {}, 0)
NO_LEVEL: Final = Level()


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntState:
    """All that was learnt, at one moment. `version` grows in steps; states of one version decide alike."""

    version: int = 0
    #: outcomes ever, and how many of them were spent on learning
    seen: int = 0
    explored: int = 0
    kinds: Map[str, Kind] = field(default_factory=Map)
    levels: Map[str, Level] = field(default_factory=Map)

    def after(self, kind_name: str, feedback: Feedback, half_life: float, *, explored: bool) -> LearntState:
        """The state after one more outcome of a task of that kind; the version stays, and what was decided."""
        kind = self.kinds.get(kind_name, NO_KIND)
        level = self.levels.get(feedback.target, NO_LEVEL)
        before = kind.arms.get(feedback.target)
        seen, outcomes = self.seen + 1, kind.outcomes + 1
        if before is None:
            arm = Arm(1, 1.0, feedback.worth, PRIOR_VARIANCE, 0.0, 0.0, outcomes, seen, (feedback.worth,))
        else:
            arm, moved = _next(before, feedback.worth, half_life, outcomes, seen)
            if moved:
                level = level._replace(moved_at=seen)
        if feedback.success:  # what a failure costs and takes says little about answers
            arm, level = _priced(arm, level, feedback)
        arms = {**kind.arms, feedback.target: arm}
        kinds = self.kinds.set(kind_name, Kind(outcomes, arms, seen, kind.choice, kind.share))
        if len(kinds) > MAX_KINDS:
            kinds = kinds.delete(min(kinds, key=lambda name: kinds[name].at))
        return replace(
            self,
            seen=seen,
            explored=self.explored + explored,
            kinds=kinds,
            levels=self.levels.set(feedback.target, level),
        )

    def credit(self, exploration: float) -> float:
        """How many more outcomes may be spent on learning, if it may take the share `exploration`."""
        return exploration * self.seen - self.explored


def _next(arm: Arm, worth: float, half_life: float, outcomes: int, seen: int) -> tuple[Arm, bool]:
    """The arm after one more outcome, and whether it began anew after a sudden change."""
    recent = (*arm.recent[1 - WINDOW :], worth)
    changed = change(recent, arm.quality, arm.variance, arm.weight)
    if changed:
        latest = recent[-changed:]
        mean = sum(latest) / changed
        spread = sum((each - mean) ** 2 for each in latest) + PRIOR_WEIGHT * PRIOR_VARIANCE
        weight, variance, recent = float(changed), spread / (changed + PRIOR_WEIGHT), latest
    else:
        weight = arm.weight * 0.5 ** (1 / half_life) + 1
        off = worth - arm.quality
        mean = arm.quality + off / weight
        variance = arm.variance + (off * (worth - mean) - arm.variance) / (weight + PRIOR_WEIGHT)
    after = arm._replace(
        seen=arm.seen + 1,
        weight=weight,
        quality=mean,
        variance=max(variance, LEAST_VARIANCE),
        at=outcomes,
        at_all=seen,
        recent=recent,
    )
    return after, changed > 0


def change(recent: tuple[float, ...], mean: float, variance: float, weight: float) -> int:
    """How many of the latest outcomes, `recent`, belong to a new world; 0 if there is no sign of one.

    Args:
        mean: of the outcomes so far, `weight` of which count.
        variance: of single outcomes.
    """
    bound = 3 * sqrt(variance)
    most, length, total = SURPRISE, 0, 0.0
    for count, worth in enumerate(reversed(recent), 1):
        total += min(bound, max(-bound, worth - mean))
        expected = count * variance * (1 + count / weight)  # the mean itself is known only so well
        exponent = total * total / (2 * (expected + bound * abs(total) / 3))
        if exponent > most:
            most, length = exponent, count
    return length


def _priced(arm: Arm, level: Level, feedback: Feedback) -> tuple[Arm, Level]:
    """Both with what the outcome says of prices and pace."""
    if arm.cost == 0:
        share = (feedback.cost_usd + LEAST) / level.price
        return arm._replace(cost=share, latency=(feedback.latency_ms + LEAST) / level.pace), level
    gain = max(SHARE_GAIN, 1 / arm.seen)
    dearer = _log_ratio(feedback.cost_usd, arm.cost * level.price)
    slower = _log_ratio(feedback.latency_ms, arm.latency * level.pace)
    level = level._replace(
        price=_bounded(level.price * exp(LEVEL_GAIN * dearer)),
        pace=_bounded(level.pace * exp(LEVEL_GAIN * slower)),
    )
    return arm._replace(cost=arm.cost * exp(gain * dearer), latency=arm.latency * exp(gain * slower)), level


def _log_ratio(got: float, expected: float) -> float:
    """How far an outcome is from the expected one, at most a factor of 8."""
    ratio = (got + LEAST) / (expected + LEAST)
    return min(2.0794, max(-2.0794, log(ratio)))


def _bounded(level: float) -> float:
    return min(1e6, max(1e-6, level))
