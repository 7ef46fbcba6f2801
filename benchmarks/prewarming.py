"""What pre-warming is worth. `python benchmarks/prewarming.py [--seconds 20] [--json]`

Sessions of several tenants follow workflows, with time to think between the steps; some stop early, some leave
their way, and some calls belong to none. Answers expire, and the model changes twice. All goes the whole way of
a delegated call, to a target in this process that takes 20 ms. A minute of life is a second here: answers live
for three, and what comes often is looked for one ahead.

The same sessions run without pre-warming and with it: by what comes often, by what follows one or two calls,
and by both. Told are the share of calls that a cache answered (those that joined a call under way too), the
time of a call, the calls that the target took in all, and the share of the answers asked beforehand that nobody
came for.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rtfs
from actors.caches.layer import CacheConfig
from actors.caches.manager import l2_manager
from actors.caches.prewarming.predictor import Predictor
from actors.caches.prewarming.prewarmer import AT_ONCE, Prewarmer
from actors.caches.prewarming.workers import Workers
from actors.caches.results import CachedResults
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.runner import Allowance, CallRecord, Clock, Outcome, known_of
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.program import LinkedProgram
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value

POLICY: Final = """
[delegation]
cache_ttl = 3
static_routes = { "answer" = "local-slow" }
[delegation.local_models]
slow = { kind = "echo" }
[delegation.caches.prewarming]
enabled = true
targets = ["local-*"]
max_calls_per_minute = 60000
"""
PROGRAM: Final = "(defn answer [question :string] :string question)"
LATENCY_S: Final = 0.02
THINK_S: Final = 0.06
#: between two sessions of one client
PAUSE_S: Final = 0.1
CLIENTS: Final = 8
TENANTS: Final = ("acme", "bolt", "corn")
SINGLE_CALLS: Final = 0.15
STRAYS: Final = 0.08
STOPS: Final = 0.05


class Variant(NamedTuple):
    """How calls are predicted."""

    #: how many calls before count; 0: what follows what is not looked at
    order: int
    least: float = 0.5
    #: how far ahead what comes often is looked for; 0: not at all
    horizon_s: float = 1.0

    def __str__(self) -> str:
        parts = ["often"] if self.horizon_s else []
        parts += [f"after {self.order}"] if self.order else []
        return f"{' and '.join(parts)}, from {self.least:g}"


VARIANTS: Final = (
    None,
    Variant(0),
    Variant(1, horizon_s=0.0),
    Variant(2, horizon_s=0.0),
    Variant(1),
    Variant(2),
    Variant(2, least=0.3),
    Variant(2, least=0.7),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one variant."""

    what: str
    calls: int
    #: share that a cache answered
    known: float
    mean_ms: float
    median_ms: float
    #: calls of the target, those beforehand included
    asked: int
    beforehand: int
    #: share of these that nobody came for
    unused: float


# ---------------------------------------------------------------- who calls

type Session = tuple[str, tuple[tuple[str, float], ...]]


def workflows(chance: Random) -> list[tuple[str, ...]]:
    """Ways through common steps: which step follows depends on where one comes from."""
    shared = [f"common step {number}" for number in range(12)]
    found = []
    for number in range(24):
        own = [f"step {step} of {number}" for step in range(chance.randrange(2, 5))]
        for step in chance.sample(shared, 2):
            own.insert(chance.randrange(1, len(own) + 1), step)
        found.append(tuple(own))
    return found


def sessions(seed: int) -> Callable[[], Session]:
    """Makes one session after the other."""
    chance = Random(seed)
    ways = workflows(Random(1))
    weights = [1 / (1 + rank) ** 0.7 for rank in range(len(ways))]
    steps = sorted({step for way in ways for step in way})

    def make() -> Session:
        tenant = chance.choice(TENANTS)
        if chance.random() < SINGLE_CALLS:
            return tenant, ((f"question {int(chance.paretovariate(0.8))}", 0.0),)
        made = []
        for step in chance.choices(ways, weights)[0]:
            made.append((chance.choice(steps) if chance.random() < STRAYS else step, think(chance)))
            if chance.random() < STOPS:
                break
        return tenant, tuple(made)

    return make


def think(chance: Random) -> float:
    return chance.gammavariate(2.0, THINK_S / 2.0)


# ---------------------------------------------------------------- who answers


class Target:
    """A model that takes its time, and changes."""

    def __init__(self) -> None:
        self.version = "1"
        self.asked = 0

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        self.asked += 1
        version = self.version
        time.sleep(LATENCY_S)
        return Outcome(value=args[0], version=version)

    def of(self, target: ExecTarget) -> str | None:
        return self.version

    def told(self, target: ExecTarget, version: str) -> None:
        pass


class Setting:
    """The whole way of a delegated call."""

    def __init__(self, variant: Variant | None) -> None:
        self.target, self.records = Target(), list[CallRecord]()
        policy = load_policy(POLICY)
        current = Current(Rulebook(policy))
        memory = CacheConfig(size_entries=100_000)
        results = CachedResults(l2_manager(None, hot=memory, cold=memory, writer=None), self.target)
        self.here = threading.local()
        self.workers = Workers(AT_ONCE + 1, "prewarming")
        self.prewarmer: Prewarmer | None = None
        if variant is not None:
            table = policy.settings.caches.prewarming.model_copy(update={"min_probability": variant.least})
            results.prewarmer = self.prewarmer = Prewarmer(
                table,
                self.workers.start,
                run=lambda: self.here.session,
                predictor=Predictor(order=variant.order, half_life_s=10.0, horizon_s=variant.horizon_s),
            )
        delegate = PolicyDelegate(
            standard_engine(current),
            current,
            {"local-model": self.target},
            Clock(monotonic=time.monotonic, wall=time.time),
            audit=self.records.append,
            results=results,
        )
        self.linked: dict[str, tuple[LinkedProgram, RuntimeContext]] = {}
        for tenant in TENANTS:
            context = replace(RuntimeContext.full(), facts=RuntimeFacts(tenant=tenant))
            self.linked[tenant] = rtfs.compile(PROGRAM).link(delegate, context), context

    def client(self, number: int, until: float) -> list[float]:
        """Sessions, one after the other; the time of each call, seconds."""
        make, chance, taken, count = sessions(number), Random(number), list[float](), 0
        while time.monotonic() < until:
            tenant, steps = make()
            count += 1
            self.here.session = f"{number}-{count}"
            linked, context = self.linked[tenant]
            for text, pause_s in steps:
                start = time.perf_counter()
                linked.call("answer", text, context=context)
                taken.append(time.perf_counter() - start)
                time.sleep(pause_s)
            time.sleep(chance.expovariate(1 / PAUSE_S))
        return taken


def measured(variant: Variant | None, seconds: float) -> Result:
    """Run the sessions."""
    setting = Setting(variant)
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        clients = [pool.submit(setting.client, number, until) for number in range(CLIENTS)]
        for version in ("2", "3"):
            time.sleep(seconds / 3)
            setting.target.version = version
        taken = [took for client in clients for took in client.result()]
    time.sleep(2 * LATENCY_S)
    setting.workers.close()
    known = sum(known_of(each.history, each.answered_by) is not None for each in setting.records)
    stats = None if setting.prewarmer is None else setting.prewarmer.stats
    answered = 0 if stats is None else stats.answered
    return Result(
        what="without" if variant is None else str(variant),
        calls=len(taken),
        known=known / len(taken),
        mean_ms=statistics.fmean(taken) * 1000,
        median_ms=statistics.median(taken) * 1000,
        asked=setting.target.asked,
        beforehand=answered,
        unused=0.0 if stats is None or not answered else 1.0 - stats.used / answered,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="What pre-warming is worth")
    parser.add_argument("--seconds", type=float, default=20.0, help="that each variant runs")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    measured(VARIANTS[-1], 1.0)  # what is made once, programs and types, is made now
    results = [measured(variant, options.seconds) for variant in VARIANTS]
    if options.json:
        json.dump([asdict(each) for each in results], sys.stdout, indent=2)
        print()
        return 0
    head = ("calls", "known", "mean", "median", "asked", "before", "unused")
    print(f"{'what':28} " + " ".join(f"{each:>8}" for each in head))
    for each in results:
        print(
            f"{each.what:28} {each.calls:8} {each.known:8.1%} {each.mean_ms:5.2f} ms {each.median_ms:5.2f} ms"
            f" {each.asked:8} {each.beforehand:8} {each.unused:8.1%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
