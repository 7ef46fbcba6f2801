"""Whom to ask, call by call, while the world drifts. `python benchmarks/routing.py [--json] [--quick]`

A trace has calls of several kinds of task and a world of targets, each with a true quality, cost and latency
per kind, which change on the way: prices move, a provider degrades for a while and recovers, a new version of a
cheaper model gets better, one of any model gets better here and worse there, and everything walks a little. Who
routes sees none of that, only the noisy outcome of what it chose: the share of checks that the answer passed
(one check: pass or fail), what it cost, how long it took, or that it failed.

    always-best       the target of the highest true quality for the kind of task, at any moment
    always-cheapest   the cheapest, at any moment
    random            any
    static            the best assignment of kinds to targets by an evaluation before the trace
    adaptive          the adaptive engine, after the same evaluation
    adaptive, cold    the same without it
    oracle            the cheapest target whose true quality is at least MIN_QUALITY of the best one's, at any
                      moment

The adaptive engine is the real one inside the standard composition under a policy's text: every call is decided
by `engine.decide`, every outcome goes to `observe`. The first two and the last see the truth, so that they are
bounds: there is no better quality than that of always-best. All see the same luck.

A choice is *optimal* if an oracle would make it whose demand differs by up to TOLERANCE from the true one. The
tolerance is half of what the demand itself gives away: who takes an answer of 98 % of the best quality for as
good does not care whether it is 97 or 99 %. Nor could anybody tell: a mean of 400 outcomes of five checks each
has a standard error of half a point. The strict share, of choices that are exactly the oracle's, stands beside
it.

Regret is what a choice costs more than the oracle's, in dollars per 1 000 calls; one that is not good enough
(beyond the tolerance) is charged with the price of the best target as well: the answer has to be had again.

Drift: six changes a month (a price, a version or an incident at one of five targets) are much; a service of
5 000 delegated calls a day then sees one every 25 000 calls. The harsh row has one every 4 000. Somebody who
saw the outcome of *every* target at every call, and took running means, would make 99 % and 97 % of optimal
choices.

The engine's constants were set on other seeds than those measured here. It all takes some minutes.
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
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.context import CallContext, CallFacts
from policies.engines.adaptive import AdaptiveEngine
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.learning.learnt import Feedback
from policies.rules.rulebook import Current, Rulebook
from policies.targets import target_name
from rtfs.delegation import FunctionInfo

MIN_QUALITY = 0.98
TOLERANCE = 0.01
#: calls of a trace, of which the first do not count
CALLS, WARM_UP = 100_000, 10_000
#: outcomes of each pair of kind and target before the trace
EVALUATION = 200
SEEDS = range(1000, 1010)

#: name, dollars and milliseconds per call, share of hard questions it fails at
TARGETS = (
    ("remote-frontier", 0.020, 2500.0, 0.05),
    ("remote-large", 0.006, 1300.0, 0.09),
    ("remote-middle", 0.002, 800.0, 0.16),
    ("remote-small", 0.0005, 450.0, 0.28),
    ("local-tiny", 0.00005, 150.0, 0.50),
)
NAMES = tuple(name for name, *_ in TARGETS)
#: name of the namespace, how hard the tasks are, how large, and how often they come
KINDS = (
    ("sentiment", 0.08, 0.4, 6.0),
    ("extract", 0.20, 0.8, 5.0),
    ("translate", 0.40, 1.2, 4.0),
    ("code", 0.80, 2.0, 3.0),
)
FUNCTIONS_PER_KIND = 3

POLICY = """
[delegation]
default_target = "remote-frontier"
fallback = ["remote-large", "remote-middle", "remote-small", "local-tiny"]
weights = { cost = 1, latency = 0, quality = 0 }

[delegation.remote_providers]
frontier = { endpoint = "https://models.example/v1", cost_usd = 0.02, latency_ms = 2500, quality = 0.97 }
large = { endpoint = "https://models.example/v1", cost_usd = 0.006, latency_ms = 1300, quality = 0.95 }
middle = { endpoint = "https://other.example/v1", cost_usd = 0.002, latency_ms = 800, quality = 0.92 }
small = { endpoint = "https://other.example/v1", cost_usd = 0.0005, latency_ms = 450, quality = 0.88 }

[delegation.local_models]
tiny = { path = "./models/tiny.gguf", cost_usd = 0.00005, latency_ms = 150, quality = 0.75 }

[delegation.learning]
enabled = true
exploration = 0.02
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
        for (start, truth), (end, _) in pairwise(epochs):
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


def trace(seed: int, checks: int, length: int, per_change: float) -> Trace:
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


class Scenario(NamedTuple):
    name: str
    #: by how many checks an answer is judged: the fewer, the noisier
    checks: int
    calls_per_change: float
    routers: tuple[str, ...]


ALL = tuple(ROUTERS)
FEW = ("always-best", "static", "adaptive", "oracle")
SCENARIOS = (
    Scenario("20 checks, a change every 25 000 calls", 20, 25_000, ALL),
    Scenario("5 checks, a change every 25 000 calls", 5, 25_000, FEW),
    Scenario("pass or fail, a change every 25 000 calls", 1, 25_000, FEW),
    Scenario("harsh: 5 checks, a change every 4 000 calls", 5, 4_000, FEW),
)
#: the scenario in which the figures must be reached
JUDGED = SCENARIOS[0]


@dataclass(slots=True)
class Tally:
    """Means over the calls after warm-up, by the truth about what was chosen."""

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
    skipped = length * WARM_UP // CALLS
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


@dataclass(frozen=True, slots=True)
class Row:
    """One router in one scenario: medians over the seeds, and the worst seed."""

    scenario: str
    router: str
    optimal: float
    optimal_worst: float
    strictly: float
    #: dollars per 1 000 calls, and as a share of what always-best costs on the same seed
    cost: float
    cost_share: float
    cost_share_worst: float
    quality: float
    quality_share: float
    quality_share_worst: float
    latency_ms: float
    regret: float


def row(scenario: Scenario, router: str, tallies: Sequence[Tally], tops: Sequence[Tally]) -> Row:
    def middle(figures: Sequence[float]) -> float:
        return statistics.median(figures)

    cost_shares = [each.cost / top.cost for each, top in zip(tallies, tops, strict=True)]
    quality_shares = [each.quality / top.quality for each, top in zip(tallies, tops, strict=True)]
    return Row(
        scenario=scenario.name,
        router=router,
        optimal=middle([each.optimal for each in tallies]),
        optimal_worst=min(each.optimal for each in tallies),
        strictly=middle([each.strictly for each in tallies]),
        cost=1000 * middle([each.cost for each in tallies]),
        cost_share=middle(cost_shares),
        cost_share_worst=max(cost_shares),
        quality=middle([each.quality for each in tallies]),
        quality_share=middle(quality_shares),
        quality_share_worst=min(quality_shares),
        latency_ms=middle([each.latency for each in tallies]),
        regret=1000 * middle([each.regret for each in tallies]),
    )


def rows(length: int, seeds: Sequence[int]) -> list[Row]:
    with ProcessPoolExecutor() as pool:
        jobs = {
            (scenario, router): [
                pool.submit(run, router, seed, scenario.checks, length, scenario.calls_per_change)
                for seed in seeds
            ]
            for scenario in SCENARIOS
            for router in scenario.routers
        }
        found = {key: [job.result() for job in each] for key, each in jobs.items()}
    return [
        row(scenario, router, tallies, found[scenario, "always-best"])
        for (scenario, router), tallies in found.items()
    ]


def verdicts(found: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """What was to be reached, what was, and whether it is enough."""
    ours = next(each for each in found if each.scenario == JUDGED.name and each.router == "adaptive")
    return [
        ("optimal choices >= 95 %", f"{ours.optimal:.1%}", ours.optimal >= 0.95),
        ("cost <= 80 % of always-best", f"{ours.cost_share:.1%}", ours.cost_share <= 0.8),
        ("quality >= 98 % of always-best", f"{ours.quality_share:.1%}", ours.quality_share >= 0.98),
    ]


HEAD = (
    "router", "optimal", "worst", "strictly", "$ / 1000", "of best", "worst", "quality", "of best", "worst",
    "ms", "regret",
)  # fmt: skip


def cells(each: Row) -> tuple[str, ...]:
    return (
        each.router,
        f"{each.optimal:.1%}",
        f"{each.optimal_worst:.1%}",
        f"{each.strictly:.1%}",
        f"{each.cost:.3f}",
        f"{each.cost_share:.1%}",
        f"{each.cost_share_worst:.1%}",
        f"{each.quality:.4f}",
        f"{each.quality_share:.1%}",
        f"{each.quality_share_worst:.1%}",
        f"{each.latency_ms:.0f}",
        f"{each.regret:.3f}",
    )


def show(found: Sequence[Row]) -> None:
    table = [HEAD, *map(cells, found)]
    widths = [max(len(line[at]) for line in table) for at in range(len(HEAD))]

    def line(words: Sequence[str]) -> str:
        first, *rest = (word.rjust(width) for word, width in zip(words, widths, strict=True))
        return "  ".join((first.strip().ljust(widths[0]), *rest))

    for scenario in SCENARIOS:
        print(f"\n{scenario.name}")
        print(line(HEAD))
        for each in found:
            if each.scenario == scenario.name:
                print(line(cells(each)))


def main() -> int:
    parser = argparse.ArgumentParser(description="routing while the world drifts")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--quick", action="store_true", help="short traces, three seeds; judges nothing")
    options = parser.parse_args()
    length, seeds = (10_000, SEEDS[:3]) if options.quick else (CALLS, SEEDS)
    found = rows(length, seeds)
    judged = [] if options.quick else verdicts(found)
    if options.json:
        reached = [{"reach": what, "got": got, "reached": yes} for what, got, yes in judged]
        json.dump({"rows": [asdict(each) for each in found], "verdicts": reached}, sys.stdout, indent=2)
        print()
    else:
        print(f"routing, {length} calls, {len(seeds)} seeds; medians, and the worst seed beside them")
        show(found)
        print("" if options.quick else f"\nadaptive, {JUDGED.name}:")
        for what, got, yes in judged:
            print(f"  {what}: {got}  {'reached' if yes else 'MISSED'}")
    return 0 if all(yes for *_, yes in judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
