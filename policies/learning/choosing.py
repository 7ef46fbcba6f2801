"""Choosing by what was learnt: which target is the best buy, and which is worth a trial.

A target is *known* for a kind of task after `min_outcomes` outcomes of it. Good enough is one whose quality is
at least `min_quality` of the best known one's. All qualities are known only so well, to a standard error. Doubt
speaks for the cheaper targets by `HOPE` of it, since a wrong choice of one is soon found out, by its own
outcomes; for the target that is chosen by `HOLD`, since a choice should not flap between what noise alone tells
apart; and against the best one by `CAUTION`, since the best of several guesses is too high a guess. Of those
that are good enough the one with the lowest score is taken, the chosen one unless another is better by more
than `MARGIN`.

A trial is worth what it may save times how likely it is to change what is believed: a target's quality is
normal around its mean, with an error that grows while nothing is heard of it. Where trials are worth much, more
calls are trials: a sign that a cheaper target has become good enough is followed at once, with what was saved
up while there was none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import erf, sqrt
from typing import Final, NamedTuple

from policies.context import fingerprint
from policies.file.schema import Learning, Weights
from policies.learning.learnt import NO_KIND, NO_LEVEL, STALE, Kind, LearntState, failing
from policies.plan import Expected

#: standard errors that count for and against a target; see above
HOPE: Final = 0.5
HOLD: Final = 0.5
CAUTION: Final = 0.5
#: share by which another target must score better than the one that is chosen
MARGIN: Final = 0.02
#: outcomes that an arm counts for at most, when trials are considered, once its target changed elsewhere
DOUBTED: Final = 2.0
#: largest standard error of a quality; also that of a target of which nothing is known
WIDE: Final = 0.15
#: chance that a target of which nothing is known is good enough
UNKNOWN: Final = 0.5
#: trials that a kind of task might have had, in `min_outcomes`, by which all targets that it may have were
#: tried
YOUNG: Final = 20
#: what a trial of a target is worth of which nothing was heard for long: anything may have happened to it; and
#: the share of that for one which is dearer than the chosen one
NEWS: Final = 0.1
DEAR: Final = 0.3
#: what any trial is worth, so that their worths have a sum
FLOOR: Final = 1e-6
#: share of a kind's calls that are trials, in `exploration`s: where none is worth anything, and for each worth
#: 1
CALM: Final = 0.3
EAGER: Final = 20.0
#: largest share of a kind's calls that are trials
MOST: Final = 0.25


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


def estimate(state: LearntState, kind: Kind, name: str, half_life: float) -> Estimate:
    """What is known of the target `name`, of which there are outcomes."""
    level, arm = state.levels.get(name, NO_LEVEL), kind.arms[name]
    quality = arm.answers * (1 - failing(arm, level, state.seen, half_life))
    error = _error(arm.variance, arm.weight)
    return Estimate(name, arm.seen, quality, error, arm.cost * level.price, arm.latency * level.pace)


def _error(variance: float, weight: float) -> float:
    return min(WIDE, sqrt(variance / weight)) if weight > 1e-9 else WIDE


def choose(
    state: LearntState, kind: Kind, names: Iterable[str], learning: Learning, weights: Weights
) -> Choice | None:
    """The best buy among the targets `names` for a kind of task, None if none of them is known."""
    known = tuple(
        estimate(state, kind, name, learning.half_life)
        for name in names
        if (arm := kind.arms.get(name)) is not None and arm.seen >= learning.min_outcomes
    )
    if not known:
        return None
    best, surely = known[0], -1.0
    for each in known:
        least = each.quality - CAUTION * each.error
        if least > surely:
            best, surely = each, least
    bar = learning.min_quality * surely
    standing = kind.choice
    good = [
        each for each in known if each.quality + (HOLD if each.target == standing else HOPE) * each.error >= bar
    ] or [best]
    scores = _scores(good, weights, standing)
    pick = min(good, key=lambda each: scores[each.target])
    return Choice(pick=pick, best=best, bar=bar, known=known, scores=scores)


def _scores(good: list[Estimate], weights: Weights, standing: str | None) -> dict[str, float]:
    """By target name, lower is better: shares of the highest cost and latency, and missing quality."""
    whole = weights.cost + weights.latency + weights.quality or 1.0
    dearest = max([each.cost_usd for each in good]) or 1.0
    slowest = max([each.latency_ms for each in good]) or 1.0
    found = {}
    for each in good:
        score = weights.cost * each.cost_usd / dearest + weights.latency * each.latency_ms / slowest
        score = (score + weights.quality * (1 - each.quality)) / whole
        found[each.target] = score * (1 - MARGIN) if each.target == standing else score
    return found


def decided(
    state: LearntState,
    names: Iterable[str],
    learning: Learning,
    weights: Weights,
    targets: Collection[str] = (),
) -> LearntState:
    """The next version: choice and share of trials made anew for the kinds of task `names`.

    Args:
        targets: names of those that the policy has; some may be new.
    """
    kinds = state.kinds
    for name in names:
        kind = kinds.get(name)
        if kind is not None:
            choice = choose(state, kind, kind.arms, learning, weights)
            pick = None if choice is None else choice.pick.target
            share = _share(state, kind, choice, learning, targets)
            kinds = kinds.set(name, Kind(kind.outcomes, kind.arms, kind.at, pick, share))
    return LearntState(
        version=state.version + 1,
        seen=state.seen,
        explored=state.explored,
        kinds=kinds,
        levels=state.levels,
    )


# ---------------------------------------------------------------- trials


def _share(
    state: LearntState, kind: Kind, choice: Choice | None, learning: Learning, targets: Collection[str]
) -> float:
    worth = 0.0 if choice is None else sum(worths(state, kind, choice, learning).values())
    # a target that was not even tried by then is none that this kind of task may have
    young = learning.exploration * kind.outcomes < YOUNG * learning.min_outcomes
    if young and not all(kind.knows(name, learning.min_outcomes) for name in targets):
        worth += UNKNOWN / 2
    return min(MOST, learning.exploration * (CALM + EAGER * worth))


def is_trial(state: LearntState, kind_name: str, fn_symbol: str, task: int, learning: Learning) -> float | None:
    """Whether a call is spent on learning; if so a number from 0 to 1 that says on which target."""
    kind = state.kinds.get(kind_name, NO_KIND)
    if not kind.share or state.credit(learning.exploration) < 1:
        return None
    drawn = fingerprint("e1", str(learning.seed), str(state.version), fn_symbol, f"{task:016x}")
    return (drawn & 0xFFFFFFFF) / 2**32 if (drawn >> 32) / 2**32 < kind.share else None


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
            saving = 0.5 if cost is None or not price else max(0.0, 1 - cost / price)
            found[name] = FLOOR + known.get(name, UNKNOWN * saving)
    at = drawn * sum(found.values())
    for name, worth in found.items():
        at -= worth
        if at < 0:
            return name
    return None


def worths(state: LearntState, kind: Kind, choice: Choice, learning: Learning) -> dict[str, float]:
    """What a trial is worth of each target of which something is known, but the chosen one.

    Two mistakes can be found out. A cheaper target may be good enough against what is believed: that is worth
    what it would save times how likely it is, divided between the target and the best one by what each adds to
    the doubt. And a target may be so good that the chosen one is not good enough: that is worth the price of a
    call. Either counts as far as one more outcome may change what is believed.
    """
    pick, best, share = choice.pick, choice.best, learning.min_quality
    doubts = {name: _doubt(state, kind, name, learning) for name in kind.arms}
    of_best = doubts.get(best.target, 0.0) * share**2
    found, cheaper = dict.fromkeys(doubts, 0.0), set[str]()
    for name, doubt in doubts.items():
        each = estimate(state, kind, name, learning.half_life)
        if name == pick.target:
            continue
        found[name] += _chance(share * each.quality - pick.quality, share**2 * doubt + doubts[pick.target])
        if each.cost_usd < pick.cost_usd:
            cheaper.add(name)
        if name != best.target and name in cheaper:
            worth = _chance(each.quality - choice.bar, doubt + of_best) * (1 - each.cost_usd / pick.cost_usd)
            found[name] += worth * doubt / (doubt + of_best)
            found[best.target] += worth * of_best / (doubt + of_best)
    return {
        name: worth * sqrt(doubts[name] / (doubts[name] + kind.arms[name].variance))
        + _news(kind, name, learning) * (1.0 if name in cheaper else DEAR)
        for name, worth in found.items()
        if name != pick.target
    }


def _news(kind: Kind, name: str, learning: Learning) -> float:
    """How likely something happened since the last outcome of a target that nothing known points to."""
    idle = kind.outcomes - kind.arms[name].at
    fresh: float = 0.5 ** (idle / learning.half_life)
    return NEWS * (1 - fresh)


def _chance(gap: float, doubt: float) -> float:
    """How likely a quantity is positive that is believed to be `gap`, with the variance `doubt`."""
    return 0.5 * (1 + erf(gap / sqrt(2 * doubt)))


def _doubt(state: LearntState, kind: Kind, name: str, learning: Learning) -> float:
    """Variance of what is believed of a quality; it grows while nothing is heard of the target."""
    arm = kind.arms[name]
    weight = arm.weight * 0.5 ** ((kind.outcomes - arm.at) / (STALE * learning.half_life))
    if arm.at_all < state.levels.get(name, NO_LEVEL).moved_at:
        weight = min(weight, DOUBTED)
    return max(_error(arm.variance, weight) ** 2, 1e-12)
