"""What was learnt of targets from the outcomes of calls: immutable data, and the step to the next state.

For each kind of task and each target (an *arm*) there are running means of quality, cost and latency. Old
outcomes fade: after `half_life` outcomes of the arm one counts half (discounting, after Garivier & Moulines
2011), and with every `STALE` half-lives of other outcomes in that kind of task all of them do. Three things
make the means follow a world that changes faster than that:

- A sudden change of quality is found by comparing the latest answers, every suffix of up to `WINDOW` of them,
  with the mean, in the manner of window-limited likelihood ratio tests (Willsky & Jones 1976; Lai 1995). How
  surprising a suffix is says Bernstein's inequality: its exponent, `s² / 2(k·v + R·|s|/3)` for a sum `s` of `k`
  residuals of variance `v` bounded by `R`. Residuals are cut at three standard deviations, so that one bad
  answer of a good target is no change. Beyond `SURPRISE` the arm forgets what was before the suffix.
- Prices, speed and failures belong to the target more than to the task. Each target has a level of each, and an
  arm's cost is its own share times the level: one outcome in one kind of task tells all others that prices
  moved. The share of failures is the target's, unless an arm's own is clearly higher.
- A change of quality of one arm makes what is known of the target in other tasks doubtful (`moved_at`).

Costs and latencies are averaged as logarithms: they are typical ones, and a few giant requests do not count
much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, isfinite, log, sqrt
from typing import Final, NamedTuple

from immutables import Map

from policies.errors import PolicyError

#: latest answers of an arm that are looked at for a sudden change; an arm with more is looked at every `EVERY`
WINDOW: Final = 32
EVERY: Final = 4
#: exponent in Bernstein's bound from which a deviation is a change: by chance once in e^9, about 8 000
SURPRISE: Final = 9.0
#: variance assumed of an arm before it is known, and how many outcomes that assumption is worth
PRIOR_VARIANCE: Final = 0.02
PRIOR_WEIGHT: Final = 10.0
#: least variance, so that an arm that never varied is not surprised by rounding
LEAST_VARIANCE: Final = 1e-4
#: half-lives of outcomes of other arms after which what is known of an arm counts half
STALE: Final = 5.0
#: half-lives of any outcomes after which a target's failures count half while nothing is heard of it
FORGIVE: Final = 3.0
#: outcomes that an arm's own share of failures is made of, and standard deviations from that of its target from
#: which it counts
OWN_FAILURES: Final = 100
TOO_MANY: Final = 3.0
#: answers that any target is credited with, so that failures of long ago do not count for ever
FORGIVEN: Final = 5.0
#: how fast the level of a target's prices follows an outcome, and an arm's own share of it
LEVEL_GAIN: Final = 0.1
SHARE_GAIN: Final = 0.02
#: below this no difference in cost (dollars) or latency (milliseconds) is seen
LEAST: Final = 1e-9
#: most that one outcome may differ from what is expected, as a logarithm: eightfold
MOST_OFF: Final = log(8)
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

    def __post_init__(self) -> None:
        for name in ("cost_usd", "latency_ms", "quality", "confidence"):
            value = getattr(self, name)
            if value is not None and not (isfinite(value) and value >= 0):
                raise PolicyError(f"expected `{name}` of an outcome to be 0 or more and finite, got {value}")

    @property
    def worth(self) -> float:
        """The quality of an answer."""
        known = self.confidence if self.quality is None else self.quality
        return 1.0 if known is None else min(1.0, known)


class Arm(NamedTuple):
    """What is known of a target in one kind of task."""

    #: outcomes ever
    seen: int
    #: share of failures among the latest, and how many these are
    fails: float
    tries: float
    #: answers that still count, their mean quality, and the variance of single ones
    weight: float
    answers: float
    variance: float
    #: typical cost (dollars) and latency (milliseconds) of answers, each as a multiple of the target's level;
    #: 0: there was no answer yet
    cost: float
    latency: float
    #: `Kind.outcomes` and `LearntState.seen` at its last outcome
    at: int
    at_all: int
    #: qualities of the latest answers, oldest first
    recent: tuple[float, ...]


class Level(NamedTuple):
    """What outcomes of a target in all kinds of task have in common."""

    price: float
    pace: float
    #: share of failures, how many outcomes it is known by, and `LearntState.seen` at the last
    fails: float
    weight: float
    at: int
    #: `LearntState.seen` when its quality in some task suddenly changed
    moved_at: int


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


NO_ARM: Final = Arm(0, 0.0, 0.0, 0.0, 0.0, PRIOR_VARIANCE, 0.0, 0.0, 0, 0, ())
NO_LEVEL: Final = Level(1.0, 1.0, 0.0, 0.0, 0, -1)
NO_KIND: Final = Kind(0, {}, 0)


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
        name, seen = feedback.target, self.seen + 1
        kind = self.kinds.get(kind_name, NO_KIND)
        arm, level = _learnt(
            kind.arms.get(name, NO_ARM),
            self.levels.get(name, NO_LEVEL),
            feedback,
            half_life,
            outcomes=kind.outcomes + 1,
            seen=seen,
        )
        kinds = self.kinds.set(
            kind_name, Kind(kind.outcomes + 1, {**kind.arms, name: arm}, seen, kind.choice, kind.share)
        )
        if len(kinds) > MAX_KINDS:
            kinds = kinds.delete(min(kinds, key=lambda each: kinds[each].at))
        return LearntState(
            version=self.version,
            seen=seen,
            explored=self.explored + explored,
            kinds=kinds,
            levels=self.levels.set(name, level),
        )

    def credit(self, exploration: float) -> float:
        """How many more outcomes may be spent on learning, if it may take the share `exploration`."""
        return exploration * self.seen - self.explored


def _learnt(
    arm: Arm, level: Level, feedback: Feedback, half_life: float, *, outcomes: int, seen: int
) -> tuple[Arm, Level]:
    """Arm and level after one more outcome."""
    failed = not feedback.success
    weight = arm.weight * 0.5 ** ((outcomes - 1 - arm.at) / (STALE * half_life))
    tries = min(arm.tries * 0.5 ** ((seen - 1 - arm.at_all) / (FORGIVE * half_life)) + 1, OWN_FAILURES)
    mean, variance, recent, moved = arm.answers, arm.variance, arm.recent, False
    if not failed:
        weight, mean, variance, recent, moved = _answered(arm, weight, feedback.worth, half_life)
    price, pace, cost, latency = level.price, level.pace, arm.cost, arm.latency
    if not failed:  # what a failure costs and takes says little about answers
        gain = max(SHARE_GAIN, 1 / (arm.seen + 1))
        price, cost = _levelled(price, cost, feedback.cost_usd, gain)
        pace, latency = _levelled(pace, latency, feedback.latency_ms, gain)
    fails, pooled = _remembered(level, seen, half_life)
    pooled = pooled * 0.5 ** (1 / half_life) + 1
    return (
        Arm(
            arm.seen + 1,
            arm.fails + (failed - arm.fails) / tries,
            tries,
            weight,
            mean,
            variance,
            cost,
            latency,
            outcomes,
            seen,
            recent,
        ),
        Level(price, pace, fails + (failed - fails) / pooled, pooled, seen, seen if moved else level.moved_at),
    )


def _answered(
    arm: Arm, weight: float, worth: float, half_life: float
) -> tuple[float, float, float, tuple[float, ...], bool]:
    """Weight, mean, variance and latest answers after one more; whether they began anew after a change."""
    recent = (*arm.recent[1 - WINDOW :], worth)
    due = weight and (arm.seen < WINDOW or arm.seen % EVERY == 0)
    changed = change(recent, arm.answers, arm.variance, weight) if due else 0
    if changed:
        latest = recent[-changed:]
        mean = sum(latest) / changed
        spread = sum((each - mean) ** 2 for each in latest) + PRIOR_WEIGHT * PRIOR_VARIANCE
        weight, variance, recent = float(changed), spread / (changed + PRIOR_WEIGHT), latest
    else:
        weight = weight * 0.5 ** (1 / half_life) + 1
        off = worth - arm.answers
        mean = arm.answers + off / weight
        variance = arm.variance + (off * (worth - mean) - arm.variance) / (weight + PRIOR_WEIGHT)
    return weight, mean, max(variance, LEAST_VARIANCE), recent, changed > 0


def change(recent: tuple[float, ...], mean: float, variance: float, weight: float) -> int:
    """How many of the latest answers, `recent`, belong to a new world; 0 if there is no sign of one.

    Args:
        mean: of the answers so far, `weight` of which count.
        variance: of single answers.
    """
    bound = 3 * sqrt(variance)
    most, length, total = SURPRISE, 0, 0.0
    for count, worth in enumerate(reversed(recent), 1):
        off = worth - mean
        total += bound if off > bound else -bound if off < -bound else off
        expected = count * variance * (1 + count / weight)  # the mean itself is known only so well
        exponent = total * total / (2 * (expected + bound * abs(total) / 3))
        if exponent > most:
            most, length = exponent, count
    return length


def _levelled(level: float, share: float, got: float, gain: float) -> tuple[float, float]:
    """The level of a target and an arm's share of it after one more answer."""
    got += LEAST
    if share == 0:
        return level, got / level
    off = min(MOST_OFF, max(-MOST_OFF, log(got / (share * level))))
    return min(1e6, max(1e-6, level * exp(LEVEL_GAIN * off))), share * exp(gain * off)


def _remembered(level: Level, seen: int, half_life: float) -> tuple[float, float]:
    """Share of failures of a target and how much it is worth now: both fade while nothing is heard of it."""
    fresh = 0.5 ** ((seen - level.at) / (FORGIVE * half_life))
    return level.fails * fresh, level.weight * fresh


def failing(arm: Arm, level: Level, seen: int, half_life: float) -> float:
    """Share of failures to expect of an arm: that of its target, or its own if that is clearly higher."""
    fails, pooled = _remembered(level, seen, half_life)
    fails *= pooled / (pooled + FORGIVEN)
    tries = arm.tries * 0.5 ** ((seen - arm.at_all) / (FORGIVE * half_life))
    expected = fails * tries
    return arm.fails if arm.fails * tries > expected + TOO_MANY * sqrt(expected + 1) else fails
