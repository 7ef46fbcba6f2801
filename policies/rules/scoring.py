"""The optimiser: which of several allowed targets is worth most.

Each target loses points by what a call is expected to cost, to take and to lack in quality, each as a share of
the worst among those compared:

    score = 1 - w_cost * cost / worst cost - w_latency * latency / worst latency
              - w_quality * (best quality - quality) / (best quality - worst quality)

with weights that sum to 1; the highest score wins, and of equal scores the target that stands first. A share of
nothing is 0. The figures are those of the world where it has measured, else those of the policy. What nobody
knows counts like the worst that is known, so that silence never wins. Failures in the window take their share
of the quality: an answer that does not come is worth nothing. A target that takes no more calls now
(`capacity`) comes behind all that do, in the same order among its like.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from policies.file.schema import Rule, Weights
from policies.plan import Expected
from policies.rules.candidates import Candidate, expected_now
from policies.world import TargetState, World
from rtfs.delegation import ExecTarget

#: taken from the score of a target that is full: more than any other difference
_FULL: Final = 1.0
_NEW: Final = TargetState()


class Scored(NamedTuple):
    """A target in comparison: at most 1 point, below 0 only if it is full."""

    candidate: Candidate
    expected: Expected
    score: float
    is_full: bool

    def figures(self) -> str:
        """The score and what it was made of, for people."""
        return f"score {self.score:.3f}: {figures(self.expected)}{', full' if self.is_full else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Targets in comparison, best first; at least one."""

    order: tuple[Scored, ...]

    @property
    def best(self) -> Candidate:
        """The one that is worth most."""
        return self.order[0].candidate

    @property
    def targets(self) -> tuple[ExecTarget, ...]:
        """The targets, best first."""
        return tuple(one.candidate.target for one in self.order)

    @property
    def confidence(self) -> float:
        """One half where the next is as good, 1 where it is as much worse as can be or there is none."""
        if len(self.order) == 1:
            return 1.0
        return min(1.0, 0.5 + (self.order[0].score - self.order[1].score) / 2)

    @property
    def comparison(self) -> str:
        """The figures of the best and of the next."""
        first = self.order[0].figures()
        if len(self.order) == 1:
            return f"{first}; no other is allowed"
        return f"{first}; next `{self.order[1].candidate.name}`, {self.order[1].figures()}"


@lru_cache(maxsize=1024)
def figures(expected: Expected) -> str:
    """`$0.002, 300 ms, quality 0.9`, as far as known."""
    cost, latency, quality = expected.cost_usd, expected.latency_ms, expected.quality
    parts = (
        None if cost is None else "free" if cost == 0 else f"${cost:g}",
        None if latency is None else f"{latency:g} ms",
        None if quality is None else f"quality {quality:g}",
    )
    return ", ".join(part for part in parts if part) or "no figures known"


def ranked(candidates: Iterable[Candidate], weights: Weights, world: World) -> Ranking:
    """The candidates, of which there is at least one, in order of worth."""
    listed = list(candidates)
    known = [expected_now(candidate, world) for candidate in listed]
    states = [world.targets.get(candidate.name, _NEW) for candidate in listed]
    whole = weights.cost + weights.latency + weights.quality or 1.0
    terms = (
        (weights.cost / whole, _shares([expected.cost_usd for expected in known])),
        (weights.latency / whole, _shares([expected.latency_ms for expected in known])),
        (weights.quality / whole, _lacks([_worth(e, s) for e, s in zip(known, states, strict=True)])),
    )
    scored = []
    for place, (candidate, state) in enumerate(zip(listed, states, strict=True)):
        full = candidate.capacity is not None and state.in_flight >= candidate.capacity
        score = 1.0 - sum(weight * shares[place] for weight, shares in terms) - (_FULL if full else 0.0)
        scored.append(Scored(candidate, known[place], score, full))
    scored.sort(key=lambda one: (one.is_full, -one.score))
    return Ranking(order=tuple(scored))


def beyond_ceilings(rule: Rule, expected: Expected) -> str | None:
    """Which ceiling of `rule` a target with such figures breaks; what is not known breaks none.

    Money has a rule of its own: there what is not known is forbidden (`policies.rules.hard_rules`).
    """
    latency, quality = expected.latency_ms, expected.quality
    if rule.max_latency_ms is not None and latency is not None and latency > rule.max_latency_ms:
        return f"it takes {latency:g} ms, the ceiling is {rule.max_latency_ms:g} ms"
    if rule.min_quality is not None and quality is not None and quality < rule.min_quality:
        return f"its quality is {quality:g}, at least {rule.min_quality:g} is wanted"
    return None


def _worth(expected: Expected, state: TargetState) -> float | None:
    return None if expected.quality is None else expected.quality * (1.0 - state.error_rate)


def _shares(figures: Sequence[float | None]) -> list[float]:
    """Each as a share of the largest."""
    worst = max((figure for figure in figures if figure is not None), default=0.0)
    if worst <= 0:
        return [0.0] * len(figures)
    return [1.0 if figure is None else figure / worst for figure in figures]


def _lacks(figures: Sequence[float | None]) -> list[float]:
    """How far each is behind the largest, as a share of the way to the smallest."""
    known = [figure for figure in figures if figure is not None]
    best, worst = max(known, default=0.0), min(known, default=0.0)
    if best <= worst:
        return [0.0] * len(figures)
    return [1.0 if figure is None else (best - figure) / (best - worst) for figure in figures]
