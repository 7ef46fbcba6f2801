"""Whom to ask, call by call, while prices and qualities drift. `python benchmarks/routing.py [--json] [--quick]`

A trace has calls of several kinds of task and a world of targets, each with a true quality, cost and latency per
kind, which change on the way: prices move, a provider degrades for a while and recovers, a new version of a cheap
model gets better, and everything walks a little. Who routes sees none of that, only the noisy outcome of what it
chose: the share of checks that the answer passed (one check: pass or fail), what it cost, how long it took, or
that it failed.

    always-best       the target of the highest true quality for the kind of task, at any moment
    always-cheapest   the cheapest, at any moment
    random            any
    static            the best assignment of kinds to targets by an evaluation before the trace
    adaptive          the adaptive engine, after the same evaluation
    adaptive, cold    the same without it
    oracle            the cheapest target whose true quality is at least MIN_QUALITY of the best one's, at any moment

The adaptive engine is the real one inside the standard composition under a policy text; every call is decided by
`engine.decide`, every outcome goes to `observe`. The first two see the truth, so that they are bounds: there is
no better quality than that of always-best.

A choice is *optimal* if it is the oracle's. Where a true quality is within TOLERANCE of what is demanded, no
number of outcomes that is to be had between two changes can say on which side it is, and nothing is gained by
knowing: hence "optimal" allows what an oracle would choose whose demand differed by up to TOLERANCE, a quarter
of the two points that the demand itself gives away. The strict share is printed beside it.

Regret is what a choice costs more than the oracle's, in dollars; one that is not good enough (beyond the same
tolerance) is charged with the price of the best target as well, where the answer would have to be had again.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.context import CallContext, CallFacts
from policies.engines.adaptive import AdaptiveEngine
from policies.engines.standard import standard_engine
from policies.learnt import Feedback
from policies.load import load_policy
from policies.rulebook import Current, Rulebook
from policies.targets import target_name
from rtfs.delegation import FunctionInfo

MIN_QUALITY = 0.98
TOLERANCE = 0.005
#: calls of a trace, of which the first do not count
CALLS, WARM_UP = 40_000, 4_000
#: outcomes of each pair of kind and target before the trace
EVALUATION = 200
#: calls from one change of the world to the next, on average
CALLS_PER_CHANGE = 4_000
#: what makes an outcome more or less noisy: checks by which an answer is judged
CHECKS = (20, 5, 1)
SEEDS = range(10)

#: name, dollars and milliseconds per call, share of hard questions it fails at
TARGETS = (
    ("remote-frontier", 0.020, 2500.0, 0.05),
    ("remote-large", 0.008, 1500.0, 0.08),
    ("remote-middle", 0.003, 900.0, 0.14),
    ("remote-small", 0.0008, 500.0, 0.24),
    ("remote-mini", 0.0003, 350.0, 0.35),
    ("local-tiny", 0.00005, 150.0, 0.50),
)
NAMES = tuple(name for name, *_ in TARGETS)
#: name of the namespace, how hard the tasks are, how large, and how often they come
KINDS = (
    ("sentiment", 0.05, 0.4, 6.0),
    ("extract", 0.15, 0.8, 5.0),
    ("summarise", 0.30, 1.5, 3.0),
    ("translate", 0.35, 1.2, 3.0),
    ("code", 0.75, 2.0, 2.0),
)
FUNCTIONS_PER_KIND = 3

POLICY = """
[delegation]
default_target = "remote-frontier"
fallback = ["remote-large", "remote-middle", "remote-small", "remote-mini", "local-tiny"]
weights = { cost = 1, latency = 0, quality = 0 }

[delegation.remote_providers]
frontier = { endpoint = "https://models.example/v1", model = "frontier", cost_usd = 0.02, latency_ms = 2500, quality = 0.97 }
large = { endpoint = "https://models.example/v1", model = "large", cost_usd = 0.008, latency_ms = 1500, quality = 0.95 }
middle = { endpoint = "https://other.example/v1", model = "middle", cost_usd = 0.003, latency_ms = 900, quality = 0.92 }
small = { endpoint = "https://other.example/v1", model = "small", cost_usd = 0.0008, latency_ms = 500, quality = 0.88 }
mini = { endpoint = "https://third.example/v1", model = "mini", cost_usd = 0.0003, latency_ms = 350, quality = 0.83 }

[delegation.local_models]
tiny = { path = "./models/tiny.gguf", cost_usd = 0.00005, latency_ms = 150, quality = 0.75 }

[delegation.learning]
enabled = true
exploration = 0.03
half_life = 300
min_outcomes = 12
min_quality = 0.98
seed = %d
"""


# ---------------------------------------------------------------- the world and the trace


class Arm(NamedTuple):
    """The truth about a target for a kind of task, for a while."""

    #: mean share of checks that an answer passes
    answers: float
    #: how often it does not answer
    fails: float
    cost: float
    latency: float

    @property
    def quality(self) -> float:
        return self.answers * (1 - self.fails)


type Truth = tuple[tuple[Arm, ...], ...]


class Call(NamedTuple):
    """One call, and the luck it has with whomever is asked."""

    kind: int
    function: int
    fails: float
    checks: float
    cost: float
    latency: float


@dataclass(frozen=True, slots=True)
class Trace:
    seed: int
    checks: int
    evaluation: tuple[Call, ...]
    calls: tuple[Call, ...]
    #: from which call on the world is what
    epochs: tuple[tuple[int, Truth], ...]

    def moments(self) -> Iterator[tuple[Call, Truth]]:
        epochs = [*self.epochs, (len(self.calls), ())]
        for (start, truth), (end, _) in zip(epochs, epochs[1:], strict=False):
            for call in self.calls[start:end]:
                yield call, truth


class World:
    """The truth while it drifts."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.price = [cost * chance.lognormvariate(0, 0.2) for _, cost, _, _ in TARGETS]
        self.pace = [latency for _, _, latency, _ in TARGETS]
        self.fails = [chance.uniform(0, 0.004) for _ in TARGETS]
        #: chance of a wrong answer per kind and target; weak models fail more, and each has its strengths
        self.wrong = [
            [min(0.9, hard * weak * chance.lognormvariate(0, 0.35) + 0.01) for _, _, _, weak in TARGETS]
            for _, hard, _, _ in KINDS
        ]
        self.recoveries: list[tuple[int, Callable[[], None]]] = []

    def truth(self) -> Truth:
        return tuple(
            tuple(
                Arm(1 - self.wrong[k][t], self.fails[t], self.price[t] * size, self.pace[t] * size)
                for t in range(len(TARGETS))
            )
            for k, (_, _, size, _) in enumerate(KINDS)
        )

    def walk(self) -> None:
        """What changes all the time: a little."""
        for row in self.wrong:
            for t in range(len(TARGETS)):
                row[t] = min(0.9, row[t] * self.chance.lognormvariate(0, 0.01))

    def change(self, at: int) -> None:
        """Something happens."""
        self.chance.choice((self.reprice, self.degrade, self.improve, self.shift))(at)

    def reprice(self, at: int) -> None:
        """A provider changes its prices, more often down than up."""
        t = self.chance.randrange(len(TARGETS))
        self.price[t] *= self.chance.choice((0.4, 0.5, 0.6, 0.75, 1.5, 2.0))

    def degrade(self, at: int) -> None:
        """A provider is overloaded for a while: slower, failing, and worse in what it answers."""
        t, failing, worse = (
            self.chance.randrange(len(TARGETS)),
            self.chance.uniform(0.05, 0.3),
            self.chance.uniform(0, 0.1),
        )
        before = [row[t] for row in self.wrong]
        self.fails[t] += failing
        self.pace[t] *= 3
        for row in self.wrong:
            row[t] = min(0.9, row[t] + worse)

        def recover() -> None:
            self.fails[t] -= failing
            self.pace[t] /= 3
            for row, was in zip(self.wrong, before, strict=True):
                row[t] = was

        self.recoveries.append((at + self.chance.randrange(1_000, 6_000), recover))

    def improve(self, at: int) -> None:
        """A new version of one of the cheaper models is much better at most tasks."""
        t = self.chance.randrange(1, len(TARGETS))
        for row in self.wrong:
            if self.chance.random() < 0.7:
                row[t] = max(0.005, row[t] * self.chance.uniform(0.2, 0.6))

    def shift(self, at: int) -> None:
        """A new version of any model is better at some tasks and worse at others."""
        t = self.chance.randrange(len(TARGETS))
        for row in self.wrong:
            row[t] = min(0.9, max(0.005, row[t] * self.chance.lognormvariate(0, 0.5)))


def trace(seed: int, checks: int, length: int = CALLS, per_change: float = CALLS_PER_CHANGE) -> Trace:
    chance = Random(f"routing {seed}")
    world = World(chance)
    epochs = [(0, world.truth())]
    next_change = int(chance.expovariate(1 / per_change))
    for at in range(250, length, 250):
        world.walk()
        while next_change < at:
            world.change(at)
            next_change += 1 + int(chance.expovariate(1 / per_change))
        for due in [each for each in world.recoveries if each[0] <= at]:
            world.recoveries.remove(due)
            due[1]()
        epochs.append((at, world.truth()))
    often = [weight for *_, weight in KINDS]
    kinds = chance.choices(range(len(KINDS)), often, k=length)
    evaluation = [kind for kind in range(len(KINDS)) for _ in range(EVALUATION)]
    return Trace(
        seed=seed,
        checks=checks,
        evaluation=tuple(_call(chance, kind) for kind in evaluation),
        calls=tuple(_call(chance, kind) for kind in kinds),
        epochs=tuple(epochs),
    )


def _call(chance: Random, kind: int) -> Call:
    function = kind * FUNCTIONS_PER_KIND + chance.randrange(FUNCTIONS_PER_KIND)
    # means 1: a call that is a little larger than others costs a little more
    cost, latency = (chance.lognormvariate(-0.045, 0.3) for _ in range(2))
    return Call(kind, function, chance.random(), chance.random(), cost, latency)


@lru_cache(maxsize=100_000)
def _binomial(share: float, checks: int) -> tuple[float, ...]:
    return tuple(
        accumulate(math.comb(checks, k) * share**k * (1 - share) ** (checks - k) for k in range(checks + 1))
    )


class Outcome(NamedTuple):
    success: bool
    quality: float
    cost: float
    latency: float


def outcome(call: Call, arm: Arm, checks: int) -> Outcome:
    if call.fails < arm.fails:
        return Outcome(False, 0.0, 0.0, arm.latency * call.latency * 3)
    passed = min(checks, bisect_left(_binomial(arm.answers, checks), call.checks))
    return Outcome(True, passed / checks, arm.cost * call.cost, arm.latency * call.latency)


# ---------------------------------------------------------------- who routes


def best(arms: Sequence[Arm]) -> int:
    return max(range(len(arms)), key=lambda t: arms[t].quality)


def cheapest_of(arms: Sequence[Arm], least: float) -> int:
    """The cheapest target of at least that quality; the best one if none has it."""
    good = [t for t in range(len(arms)) if arms[t].quality >= least]
    return min(good, key=lambda t: arms[t].cost) if good else best(arms)


@lru_cache(maxsize=100_000)
def oracle(arms: tuple[Arm, ...]) -> int:
    return cheapest_of(arms, MIN_QUALITY * arms[best(arms)].quality)


@lru_cache(maxsize=100_000)
def optimal(arms: tuple[Arm, ...]) -> frozenset[int]:
    """What oracles choose whose demand differs by up to TOLERANCE."""
    least = MIN_QUALITY * arms[best(arms)].quality
    demands = [least - TOLERANCE, least, least + TOLERANCE]
    demands += [arm.quality for arm in arms if abs(arm.quality - least) <= TOLERANCE]
    return frozenset(cheapest_of(arms, demand) for demand in demands)


class Router:
    """Chooses a target by its number; is told what came of it."""

    def choose(self, call: Call, arms: tuple[Arm, ...]) -> int:
        raise NotImplementedError

    def learn(self, call: Call, target: int, got: Outcome) -> None:
        """Most do not."""


class Knowing(Router):
    """Sees the truth."""

    def __init__(self, rule: Callable[[tuple[Arm, ...]], int]) -> None:
        self.rule = rule

    def choose(self, call: Call, arms: tuple[Arm, ...]) -> int:
        return self.rule(arms)


class Chance(Router):
    def __init__(self, seed: int) -> None:
        self.chance = Random(f"router {seed}")

    def choose(self, call: Call, arms: tuple[Arm, ...]) -> int:
        return self.chance.randrange(len(arms))


class Static(Router):
    """The best assignment by the evaluation, for ever."""

    def __init__(self) -> None:
        self.heard: dict[tuple[int, int], list[Outcome]] = {}
        self.plan: list[int] = []

    def learn(self, call: Call, target: int, got: Outcome) -> None:
        if not self.plan:
            self.heard.setdefault((call.kind, target), []).append(got)

    def choose(self, call: Call, arms: tuple[Arm, ...]) -> int:
        if not self.plan:
            self.plan = [
                oracle(tuple(self.estimate(kind, target) for target in range(len(TARGETS))))
                for kind in range(len(KINDS))
            ]
        return self.plan[call.kind]

    def estimate(self, kind: int, target: int) -> Arm:
        heard = self.heard[kind, target]
        answered = [each for each in heard if each.success]
        return Arm(
            answers=statistics.fmean(each.quality for each in heard),
            fails=0.0,
            cost=statistics.fmean(each.cost for each in answered),
            latency=statistics.fmean(each.latency for each in answered),
        )


class Adaptive(Router):
    """The adaptive engine, in the composition in which it is used."""

    def __init__(self, seed: int) -> None:
        self.current = Current(Rulebook(load_policy(POLICY % seed)))
        self.engine = standard_engine(self.current, adaptive=self.make)
        self.contexts = [_context(number) for number in range(len(KINDS) * FUNCTIONS_PER_KIND)]
        self.number = {name: number for number, name in enumerate(NAMES)}
        self.trials = 0

    def make(self, inner: object) -> AdaptiveEngine:
        self.adaptive = AdaptiveEngine(inner, self.current, kind_of=_namespace)
        return self.adaptive

    def choose(self, call: Call, arms: tuple[Arm, ...]) -> int:
        return self.number[target_name(self.engine.decide(self.contexts[call.function]))]

    def learn(self, call: Call, target: int, got: Outcome) -> None:
        context = self.contexts[call.function]
        self.adaptive.observe(
            Feedback(
                fn_symbol=context.fn_symbol,
                target=NAMES[target],
                success=got.success,
                cost_usd=got.cost,
                latency_ms=got.latency,
                quality=got.quality if got.success else None,
                task=context.task,
            )
        )


def _namespace(symbol: str) -> str:
    return symbol.partition("/")[0]


def _context(number: int) -> CallContext:
    kind = KINDS[number // FUNCTIONS_PER_KIND][0]
    function = FunctionInfo(
        symbol=f"{kind}/f{number % FUNCTIONS_PER_KIND}",
        doc=None,
        parameters=("text",),
        parameter_types=("string",),
        return_type="string",
        hint=None,
        metadata=MappingProxyType({}),
        ir_hash=f"{number:064x}",
    )
    return CallContext.of(CallFacts(function=function))


#: name → how to make it, and whether it sees the evaluation
ROUTERS: dict[str, tuple[Callable[[int], Router], bool]] = {
    "always-best": (lambda seed: Knowing(best), False),
    "always-cheapest": (
        lambda seed: Knowing(lambda arms: min(range(len(arms)), key=lambda t: arms[t].cost)),
        False,
    ),
    "random": (Chance, False),
    "static": (lambda seed: Static(), True),
    "adaptive": (Adaptive, True),
    "adaptive, cold": (Adaptive, False),
    "oracle": (lambda seed: Knowing(oracle), False),
}


# ---------------------------------------------------------------- what came of it


@dataclass(slots=True)
class Tally:
    """Of the calls after warm-up: means of the truth about what was chosen."""

    optimal: float = 0.0
    strictly: float = 0.0
    cost: float = 0.0
    quality: float = 0.0
    latency: float = 0.0
    regret: float = 0.0


def run(name: str, seed: int, checks: int, length: int, per_change: float) -> Tally:
    make, evaluated = ROUTERS[name]
    given = trace(seed, checks, length, per_change)
    router = make(seed)
    if evaluated:
        for call in given.evaluation:
            for target, arm in enumerate(given.epochs[0][1][call.kind]):
                router.learn(call, target, outcome(call, arm, checks))
    tally = Tally()
    skipped = int(length * WARM_UP / CALLS)
    for at, (call, truth) in enumerate(given.moments()):
        arms = truth[call.kind]
        chosen = router.choose(call, arms)
        arm = arms[chosen]
        router.learn(call, chosen, outcome(call, arm, checks))
        if at < skipped:
            continue
        tally.optimal += chosen in optimal(arms)
        tally.strictly += chosen == oracle(arms)
        tally.cost += arm.cost
        tally.quality += arm.quality
        tally.latency += arm.latency
        tally.regret += regret(arms, arm)
    counted = length - skipped
    return Tally(*(getattr(tally, field) / counted for field in Tally.__slots__))


def regret(arms: tuple[Arm, ...], arm: Arm) -> float:
    top = arms[best(arms)]
    again = top.cost if arm.quality < MIN_QUALITY * top.quality - TOLERANCE else 0.0
    return max(0.0, arm.cost + again - arms[oracle(arms)].cost)
