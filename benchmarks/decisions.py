"""What a decision costs. `python benchmarks/decisions.py [--json]`

A policy of 1,000 rules of all kinds, 20 targets, privacy labels, budgets and static routes; 6,000 calls, all
different, so that a cold decision meets each for the first time. What the engine keeps about tenants, labels
and targets fills up on the way, as it does when a program is linked.

The peer decides as simply as one can: rule after rule, glob after glob, up to the first that matches, then a
weighted draw among its deployments that may be used. It knows no hard rules but denials and explains nothing.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import Row, report, text_of
from policies.context import CallContext, CallFacts
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.file.policy import Policy
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current, Rulebook
from policies.world import World
from rtfs.delegation import FunctionInfo, RuntimeFacts

RULES = 1000
CALLS = 6000
ROUNDS = 5
SEED = 7

AREAS = ("billing", "crm", "search", "mail", "legal", "hr", "logs", "geo", "media", "trade")
VERBS = ("summarise", "extract", "classify", "translate", "score", "rank", "draft", "route", "check", "merge")
TENANTS = tuple(f"tenant-{number}" for number in range(40))
LABELS = ("confidential", "personal", "health")
TYPES = ("string", "vector", "map", "integer")


# ---------------------------------------------------------------- a policy and calls


def policy_text(draw: random.Random) -> str:
    """A policy file with all kinds of conditions in its rules."""
    lines = [
        "[delegation]",
        'default_target = "local-pure"',
        'fallback = ["local-m0"]',
        "[delegation.static_routes]",
        *[f'"route-{number}-*" = "remote-p{number % 10}"' for number in range(50)],
        "[delegation.remote_providers]",
        *[
            f'p{number} = {{ endpoint = "https://p.example.com", cost_usd = {0.001 * (number + 1):.3f}, '
            f"latency_ms = {100 + 50 * number}, quality = {0.7 + 0.02 * number:.2f}, "
            f'region = "{("eu", "us")[number % 2]}" }}'
            for number in range(12)
        ],
        "[delegation.local_models]",
        *[
            f'm{number} = {{ path = "m{number}.gguf", latency_ms = {200 + 10 * number}, quality = 0.6 }}'
            for number in range(8)
        ],
        "[delegation.security.privacy]",
        'confidential = { allow = ["local-*"] }',
        'personal = { allow = ["local-*", "remote-p[0-3]"] }',
        'health = { allow = ["local-m?"] }',
        "[delegation.budgets.tenants]",
        'scope = "tenant"',
        "limit_usd = 100",
        "[delegation.budgets.p3]",
        'scope = "provider"',
        'match = "p3"',
        "limit_usd = 500",
    ]
    for number in range(RULES):
        lines += ["[[delegation.rules]]", f'name = "r{number}"', *_conditions(draw, number), *_answer(draw)]
    return "\n".join(lines)


def _conditions(draw: random.Random, number: int) -> list[str]:
    area, verb = draw.choice(AREAS), draw.choice(VERBS)
    tenant = draw.choice(TENANTS)
    globs = (
        f"{area}/{verb}-{number}*",
        f"{area}/*-{number}",
        f"*{verb}-{number % 97}?",
        f"{area}/*{number}*-v[12]",
    )
    match number % 10:
        case 0 | 1 | 2:
            return [f'symbols = ["{area}/{verb}-{number}"]']
        case 3 | 4 | 5:
            return [f'symbols = ["{draw.choice(globs)}"]']
        case 6:
            return [
                f'namespaces = ["{area}"]',
                f'symbols = ["*-{number}"]',
                f'tenants = ["{tenant}"]',
            ]
        case 7:
            return [f'arg_types = ["{draw.choice(TYPES)}", "..."]', f'tenants = ["{tenant}"]']
        case 8:
            return [f'symbols = ["{area}/{verb}-*"]', f"min_size = {number * 10}"]
        case _:
            return [f'privacy = ["{draw.choice(LABELS)}"]', f'tenants = ["{tenant}*"]']


def _answer(draw: random.Random) -> list[str]:
    kind = draw.random()
    if kind < 0.05:
        return ['deny = ["remote-p1*"]']
    if kind < 0.08:
        return ['require_locality = "machine"']
    remote = [f"remote-p{number}" for number in draw.sample(range(12), 4)]
    targets = ", ".join(f'"{name}"' for name in [*remote, f"local-m{draw.randrange(8)}"])
    choose = ['choose = "best"'] if kind > 0.5 else []
    return [f"targets = [{targets}]", *choose]


def calls_of(draw: random.Random) -> list[CallContext]:
    """Calls that are all different."""
    return [CallContext.of(_facts(draw, number)) for number in range(CALLS)]


def _facts(draw: random.Random, number: int) -> CallFacts:
    types = tuple(draw.choice(TYPES) for _ in range(2))
    function = FunctionInfo(
        symbol=f"{draw.choice(AREAS)}/{draw.choice(VERBS)}-{number % 2000}",
        doc=None,
        parameters=("a", "b"),
        parameter_types=("any", "any"),
        return_type="any",
        hint=None,
        metadata={},
        ir_hash=f"{number:064x}",
        labels=frozenset(draw.sample(LABELS, 1)) if draw.random() < 0.2 else frozenset(),
    )
    runtime = RuntimeFacts(
        tenant=draw.choice(TENANTS), plan=f"plan-{number % 5}", ambient={"hour": number % 24}
    )
    return CallFacts(function=function, arg_types=types, size=draw.randrange(20_000), runtime=runtime)


# ---------------------------------------------------------------- the peer


@dataclass(frozen=True, slots=True)
class Deployment:
    name: str
    weight: float


class SimpleRouter:
    """One rule after another, and a weighted draw among the deployments of the first that matches."""

    def __init__(self, policy: Policy, draw: random.Random) -> None:
        self.rules = policy.settings.rules
        self.draw = draw
        self.deployments = {
            f"remote-{name}": Deployment(f"remote-{name}", 1 / (provider.cost_usd or 1))
            for name, provider in policy.settings.remote_providers.items()
        } | {f"local-{name}": Deployment(f"local-{name}", 1.0) for name in policy.settings.local_models}

    def decide(self, call: CallContext) -> str:
        facts = call.facts
        namespace = call.fn_symbol.partition("/")[0]
        denied: list[str] = []
        for rule in self.rules:
            if rule.symbols and not any(fnmatchcase(call.fn_symbol, glob) for glob in rule.symbols):
                continue
            if rule.namespaces and not any(fnmatchcase(namespace, glob) for glob in rule.namespaces):
                continue
            if rule.tenants and not any(fnmatchcase(facts.runtime.tenant or "", glob) for glob in rule.tenants):
                continue
            if rule.privacy and not rule.privacy & facts.labels:
                continue
            if rule.arg_types and facts.arg_types[:1] != rule.arg_types[:1]:
                continue
            if rule.min_size is not None and (facts.size or 0) < rule.min_size:
                continue
            denied += rule.deny
            if rule.targets:
                return self.pick(
                    [name for name in rule.targets if not any(fnmatchcase(name, d) for d in denied)]
                )
        return "local-pure"

    def pick(self, names: Sequence[str]) -> str:
        if not names:
            return "local-pure"
        healthy = [self.deployments[name] for name in names]
        return self.draw.choices(healthy, weights=[one.weight for one in healthy])[0].name


# ---------------------------------------------------------------- measuring


def each_s(decide: Callable[[CallContext], object], calls: Sequence[CallContext]) -> list[float]:
    """Seconds of each decision."""
    clock, times = time.perf_counter, []
    for call in calls:
        start = clock()
        decide(call)
        times.append(clock() - start)
    return times


def typical_s(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Of each call the median of the rounds, ascending: what a busy machine takes away hits few rounds."""
    return sorted(statistics.median(times) for times in zip(*rounds, strict=True))


def row(what: str, ours: float, peer: float | None, peer_name: str, at_most_s: float) -> Row:
    return Row(what, ours, peer, peer_name, ours, "s", f"<= {text_of(at_most_s)}", ours <= at_most_s)


def at(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))]


def cold(policy: Policy, calls: Sequence[CallContext]) -> list[Row]:
    """Each round a fresh rulebook meets every call for the first time; the peer knows nothing to forget."""
    rounds_ours, rounds_peer = [], []
    for _ in range(ROUNDS):
        engine = standard_engine(Current(Rulebook(policy), World(now=1.0)))
        rounds_ours.append(each_s(engine.decide, calls))
        rounds_peer.append(each_s(SimpleRouter(policy, random.Random(SEED)).decide, calls[::6]))
    ours, peer = typical_s(rounds_ours), typical_s(rounds_peer)
    return [
        row(f"cold decision, {RULES} rules, {name}", at(ours, share), at(peer, share), "rule after rule", reach)
        for name, share, reach in (("p50", 0.5, 50e-6), ("p99", 0.99, 0.5e-3))
    ]


def warm(policy: Policy, calls: Sequence[CallContext]) -> list[Row]:
    """Decisions that were made before."""
    engine = standard_engine(Current(Rulebook(policy), World(now=1.0)))
    router = SimpleRouter(policy, random.Random(SEED))
    five = tuple(router.deployments)[:5]
    plans: list[DelegationPlan] = [engine.plan(call) for call in calls]
    assert all(engine.plan(call) is plan for call, plan in zip(calls, plans, strict=True))

    def decide_all() -> None:
        decide = engine.decide
        for call in calls:
            decide(call)

    def pick_all() -> None:
        pick = router.pick
        for _ in calls:
            pick(five)

    ours, peer = [], []
    for _ in range(9):
        for run, times in ((decide_all, ours), (pick_all, peer)):
            start = time.perf_counter()
            run()
            times.append((time.perf_counter() - start) / len(calls))
    ours_s, peer_s = statistics.median(ours), statistics.median(peer)
    return [row("memoised decision", ours_s, peer_s, "weighted draw of five", 1e-6)]


def main() -> int:
    draw = random.Random(SEED)
    policy = load_policy(policy_text(draw))
    calls = calls_of(draw)
    return report("decisions", [*warm(policy, calls), *cold(policy, calls)])


if __name__ == "__main__":
    sys.exit(main())
