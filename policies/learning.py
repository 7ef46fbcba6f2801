"""Choosing by what was learnt: which target is the best buy, and which is worth a trial.

A target is *known* for a kind of task after `min_outcomes` outcomes of it. Good enough is one whose quality is at
least `min_quality` of the best known one's. The target that is chosen stays as long as it is not worse than that
by more than its standard error, and until another one scores better by more than `MARGIN`: a choice should not
flap between targets that noise alone tells apart.

A trial is worth the share of the cost that it may save times the chance that the target is good enough, by a
normal distribution around its mean that widens while nothing is heard of it. Where the most promising trial is
worth much, more calls are trials: a sign that a cheaper target has become good enough is followed at once, with
what was saved up while there was none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import erf, sqrt
from typing import Final, NamedTuple

from policies.context import fingerprint
from policies.learnt import NO_KIND, NO_LEVEL, Arm, Kind, LearntState
from policies.plan import Expected
from policies.schema import Learning, Weights

#: share by which another target must score better than the one that is chosen
MARGIN: Final = 0.02
CAUTION = 0.0
HOPE = 0.0
HOLD = 1.0
#: outcomes that an arm counts for at most once its target changed in another kind of task
DOUBTED: Final = 2.0
#: outcomes of a kind of task, in half-lives, after which an arm that none of them was of is half as well known
STALE: Final = 10.0
#: largest standard error of a quality; also that of a target of which nothing is known
WIDE: Final = 0.15
#: what any trial is worth: anything may have changed
FLOOR: Final = 0.01
#: share of a kind's calls that are trials, in `exploration`s: where none is promising, and per worth of the best
CALM: Final = 0.5
EAGER: Final = 8.0
#: largest share of a kind's calls that are trials
MOST: Final = 0.25
#: chance that a target of which nothing is known is good enough
UNKNOWN: Final = 0.5


class Estimate(NamedTuple):
    """What is believed of a target for a kind of task."""

    target: str
    #: outcomes ever
    seen: int
    quality: float
    #: standard error of the quality
    error: float
    cost_usd: float
    latency_ms: float

    @property
    def expected(self) -> Expected:
        """The figures alone."""
        return Expected(cost_usd=self.cost_usd, latency_ms=self.latency_ms, quality=self.quality)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The target to take, and the figures behind it."""

    pick: Estimate
    #: the one of the best known quality
    best: Estimate
    #: the quality that a target has to reach
    bar: float
    #: all that are known; those that are good enough have a score, lower is better
    known: tuple[Estimate, ...]
    scores: Mapping[str, float]


def estimate(state: LearntState, name: str, arm: Arm) -> Estimate:
    """What `arm` says of the target `name`."""
    level = state.levels.get(name, NO_LEVEL)
    error = sqrt(arm.variance / arm.weight)
    return Estimate(name, arm.seen, arm.quality, error, arm.cost * level.price, arm.latency * level.pace)


def choose(
    state: LearntState, kind: Kind, names: Iterable[str], learning: Learning, weights: Weights
) -> Choice | None:
    """The best buy among the targets `names` for a kind of task, None if none of them is known."""
    known = tuple(
        estimate(state, name, arm)
        for name in names
        if (arm := kind.arms.get(name)) is not None and arm.seen >= learning.min_outcomes
    )
    if not known:
        return None
    best = max(known, key=lambda each: each.quality - CAUTION * each.error)
    bar = learning.min_quality * (best.quality - CAUTION * best.error)
    good = [each for each in known if each.quality + (HOLD if each.target == kind.choice else HOPE) * each.error >= bar]
    scores = _scores(good or [best], weights, kind.choice)
    pick = min(good or [best], key=lambda each: scores[each.target])
    return Choice(pick=pick, best=best, bar=bar, known=known, scores=scores)


def _scores(good: list[Estimate], weights: Weights, standing: str | None) -> dict[str, float]:
    """By target name, lower is better: shares of the highest cost and latency, and the quality that is missing."""
    whole = weights.cost + weights.latency + weights.quality or 1.0
    dearest = max(each.cost_usd for each in good) or 1.0
    slowest = max(each.latency_ms for each in good) or 1.0
    found = {}
    for each in good:
        score = weights.cost * each.cost_usd / dearest + weights.latency * each.latency_ms / slowest
        score = (score + weights.quality * (1 - each.quality)) / whole
        found[each.target] = score * (1 - MARGIN) if each.target == standing else score
    return found


def decided(state: LearntState, names: Iterable[str], learning: Learning, weights: Weights) -> LearntState:
    """The next version: choice and share of trials made anew for the kinds of task `names`."""
    kinds = state.kinds
    for name in names:
        if name in kinds:
            kind = kinds[name]
            choice = choose(state, kind, kind.arms, learning, weights)
            pick = None if choice is None else choice.pick.target
            kinds = kinds.set(name, kind._replace(choice=pick, share=_share(state, kind, choice, learning)))
    return replace(state, version=state.version + 1, kinds=kinds)


# ---------------------------------------------------------------- trials


def _share(state: LearntState, kind: Kind, choice: Choice | None, learning: Learning) -> float:
    # as long as nothing is known, something might be worth half of all
    most = 0.5 if choice is None else sum(worths(state, kind, choice, learning).values())
    return min(MOST, learning.exploration * (CALM + EAGER * most))


def is_trial(state: LearntState, kind_name: str, fn_symbol: str, task: int, learning: Learning) -> float | None:
    """Whether a call is spent on learning; if so a number from 0 to 1 that says on which target."""
    if state.credit(learning.exploration) < 1:
        return None
    drawn = fingerprint("e1", str(learning.seed), str(state.version), fn_symbol, f"{task:016x}")
    share = state.kinds.get(kind_name, NO_KIND).share
    return (drawn & 0xFFFFFFFF) / 2**32 if (drawn >> 32) / 2**32 < share else None


def on_trial(
    drawn: float,
    state: LearntState,
    kind: Kind,
    home: str,
    prices_usd: Mapping[str, float | None],
    choice: Choice | None,
    learning: Learning,
) -> str | None:
    """The target to try instead of the one that is chosen, None if there is none.

    Args:
        drawn: 0 to 1.
        home: the target where nothing is chosen.
        prices_usd: the targets that may be tried, and what the policy says that they cost.
    """
    pick = home if choice is None else choice.pick.target
    known = {} if choice is None else worths(state, kind, choice, learning)
    price = prices_usd.get(home) if choice is None else choice.pick.cost_usd
    found = {}
    for name, cost in prices_usd.items():
        if name != pick:
            unknown = UNKNOWN * (0.5 if cost is None or not price else max(0.0, 1 - cost / price))
            found[name] = FLOOR + (known[name] if name in known else unknown)
    at = drawn * sum(found.values())
    for name, worth in found.items():
        at -= worth
        if at < 0:
            return name
    return None


def worths(state: LearntState, kind: Kind, choice: Choice, learning: Learning) -> dict[str, float]:
    """What a trial of each known target is worth, by name.

    Two errors can be found out. A cheaper target may be good enough against what is believed: what that would
    save times how likely it is. And the chosen one may not be. Both are questions about the difference between
    a target and the best one, so that the worth is divided between them by what each adds to the doubt.
    """
    pick, best = choice.pick, choice.best
    doubt_of_best = (learning.min_quality * _error(state, kind, best.target, learning)) ** 2
    found: dict[str, float] = {}
    for name, arm in kind.arms.items():
        each = estimate(state, name, arm)
        doubt = _error(state, kind, name, learning) ** 2
        gap = each.quality - choice.bar
        if name == pick.target:
            loss, doubt_of_best_here = 1.0, doubt_of_best
            wrong = _chance(-gap, doubt + doubt_of_best) if name != best.target else 0.0
        else:
            loss = max(0.0, 1 - each.cost_usd / pick.cost_usd) if pick.cost_usd else 0.0
            wrong = _chance(gap, doubt + doubt_of_best)
        worth = loss * wrong
        part = doubt / (doubt + doubt_of_best)
        if name == best.target:
            part = 1.0
        found[name] = found.get(name, 0.0) + worth * part
        found[best.target] = found.get(best.target, 0.0) + worth * (1 - part)
    found.pop(pick.target, None)
    return found


def _error(state: LearntState, kind: Kind, name: str, learning: Learning) -> float:
    """Standard error of the quality, larger the longer nothing is heard of the target."""
    arm = kind.arms[name]
    weight = arm.weight * 0.5 ** ((kind.outcomes - arm.at) / (STALE * learning.half_life))
    if arm.at_all < state.levels.get(name, NO_LEVEL).moved_at:
        weight = min(weight, DOUBTED)
    return min(WIDE, sqrt(arm.variance / max(weight, 1e-9)))


def _chance(gap: float, doubt: float) -> float:
    """How likely a quantity is positive that is believed to be `gap`, with the variance `doubt`."""
    return 0.5 * (1 + erf(gap / sqrt(2 * doubt)))
