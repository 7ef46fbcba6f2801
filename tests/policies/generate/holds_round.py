"""One round: a few policies and programs out of a seed, joined in all ways, run, and watched."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random

import holds_words as words
from holds_oracle import Oracle, micro, size
from holds_policy import policy_text
from holds_program import Generated, program
from holds_watch import Violation, Watch, Watched
from holds_world import EPOCH, Targets, Time, facts, host

import rtfs
from policies import observe
from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.delegate import PolicyDelegate
from policies.dry_route import dry_routes
from policies.engines.adaptive import AdaptiveEngine
from policies.engines.l4 import LANGUAGE_VERSION, ModuleEntry
from policies.engines.policy import PolicyEngine
from policies.engines.protocol import Decorator, DelegationEngine
from policies.engines.resilient import ResilientEngine
from policies.engines.standard import StandardEngine, standard_engine
from policies.engines.swappable import SwappableEngine
from policies.errors import PolicyFileError
from policies.explain import explain, explained
from policies.health import HealthTracker
from policies.l1_cache import L1Cache
from policies.ledger import Ledger
from policies.load import load_policy
from policies.observe import MemoryMeter
from policies.plan import DelegationPlan
from policies.reload import PolicyHolder
from policies.rulebook import Current, Rulebook
from policies.world import BudgetKey, TargetState, World
from rtfs import errors
from rtfs.analyze.environment import MappingModules
from rtfs.delegation import ExecTarget, FunctionInfo, L4CacheHit, LocalModel, RemoteModel
from rtfs.program import BackendName, Program
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value, type_name

POLICIES, PROGRAMS, RUNS = 3, 3, 3


@dataclass(slots=True)
class Finding:
    """A violation, and how to come by it again."""

    seed: int
    violation: Violation
    program: str
    composition: str


@dataclass(slots=True)
class Tally:
    """What rounds came to."""

    rounds: int = 0
    cases: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.rounds += other.rounds
        self.cases += other.cases
        self.counts.update(other.counts)
        self.findings += other.findings

    @property
    def kinds(self) -> Counter[str]:
        """Findings by kind."""
        return Counter(finding.violation.kind for finding in self.findings)


def drawn(*parts: object) -> int:
    """A number that depends on `parts` alone."""
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:6], "big")


# ---------------------------------------------------------------- programs


@dataclass(slots=True)
class Ready:
    """A program, compiled, and what it comes to without a delegate."""

    generated: Generated
    compiled: Program
    plain: dict[BackendName, object] = field(default_factory=dict)


def outcome(run: Callable[[], Value]) -> object:
    """The value, or the kind of the error of RTFS."""
    try:
        return run()
    except errors.RtfsError as error:
        return type(error)


def ready(pick: Random) -> Ready:
    generated = program(pick)
    return Ready(generated, rtfs.compile(generated.text, modules=MappingModules(generated.modules)))


# ---------------------------------------------------------------- engines that nobody should trust


class Reckless(DelegationEngine):
    """Sends calls anywhere, whatever policies say. What stands around it has to hold."""

    def __init__(self, current: Current, seed: int) -> None:
        self._current = current
        self._seed = seed

    @property
    def version(self) -> str:
        return f"reckless {self._seed} {self._current.version}"

    def plan(self, call: CallContext) -> DelegationPlan:
        pick = Random(drawn(self._seed, call.fn_symbol, call.runtime_context_hash))
        named = [each.target for each in self._current.rulebook.candidates.values()]
        anything: list[ExecTarget] = [*named, RemoteModel("ghost"), L4CacheHit("blob", "sig"), LocalModel("pure")]
        target, *chain = pick.sample(anything, min(len(anything), pick.randint(1, 5)))
        return DelegationPlan(target=target, stage="rule", reasoning="why not", chain=tuple(chain))

    def decide(self, call: CallContext) -> ExecTarget:
        return self.plan(call).target


class Suggesting(Decorator):
    """Gives calls metadata that suggest a target."""

    def __init__(self, inner: StandardEngine, names: Sequence[str], seed: int) -> None:
        super().__init__(inner)
        self._standard = inner
        self._names = names
        self._seed = seed

    def _with_metadata(self, call: CallContext) -> CallContext:
        pick = Random(drawn(self._seed, call.fn_symbol))
        metadata = DelegationMetadata(target=pick.choice(self._names), confidence=pick.choice((None, 0.3, 0.9)))
        return replace(call, metadata=metadata if pick.random() < 0.7 else None)

    def plan(self, call: CallContext) -> DelegationPlan:
        return self.inner.plan(self._with_metadata(call))

    def plan_for(self, call: CallContext, target: ExecTarget) -> DelegationPlan:
        return self._standard.plan_for(self._with_metadata(call), target)


class Modules:
    """A store of modules that knows some functions, by chance."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    version = "1"

    def find(self, interface_hash: str) -> ModuleEntry | None:
        pick = Random(drawn(self._seed, interface_hash))
        if pick.random() < 0.6:
            return None
        return ModuleEntry(
            storage_pointer=interface_hash[:8],
            signature=pick.choice(("", "sig", "sig", "sig")),
            kind="IrBinary",
            validation=pick.choice(("validated", "validated", "validated", "pending")),
            language_version=LANGUAGE_VERSION,
            interface_hash=interface_hash,
            parameter_types=(),
            return_type="any",
        )

    def find_similar(self, embedding: tuple[float, ...], at_least: float) -> list[tuple[float, ModuleEntry]]:
        return []


# ---------------------------------------------------------------- a policy in force


class Setting:
    """A policy in force, engines in some composition, targets, and money; all out of a seed."""

    def __init__(self, pick: Random, texts: Sequence[str]) -> None:
        self.pick = pick
        self.texts = texts
        self.text = texts[0]
        self.time = Time()
        self.watch = Watch(self.time.now, self.time.wall)
        self.watch.oracle = Oracle(self.text)
        self.current = Current(Rulebook(load_policy(self.text)), World(now=EPOCH))
        self.holder = PolicyHolder(self.current)
        self.ledger = Ledger(self._spent())
        self.watch.money.spent.update(self.ledger.spent())
        self.health = HealthTracker(self.current.rulebook.policy.settings.health)
        self.meter = MemoryMeter()
        self.targets = Targets(
            Random(drawn(pick.random())), self.watch, self.time, self.upheave if pick.random() < 0.15 else None
        )
        self.learner: AdaptiveEngine | None = None
        self.composition = ""
        self.parts: list[str] = []
        engine = self._engine()
        kinds = ["remote", "local-model", "l4"]
        if pick.random() < 0.1:
            kinds.remove(pick.choice(kinds))
        self.policy_delegate = PolicyDelegate(
            engine,
            self.current,
            dict.fromkeys(kinds, self.targets),
            self.time.clock,
            ledger=self.ledger,
            health=self.health,
            meter=self.meter,
            observe=self.learner.observe if self.learner is not None else None,
            audit=self._audit,
        )
        self.watch.looks_at_health = self.composition.startswith("standard")
        self.delegate = Watched(self.policy_delegate, self.watch)
        if not {"adaptive", "model"}.isdisjoint(self.parts):
            self.watch.explains_call = self._explained
        if self.learner is not None:
            learner = self.learner
            self.watch.revision = lambda: learner.revision
        self._make_ill()
        self.refresh()

    def _audit(self, record: object) -> None:
        self.watch.stack[-1].record = record  # type: ignore[assignment]

    def _explained(self, function: FunctionInfo, args: tuple[Value, ...]) -> DelegationPlan:
        """What is explained of a call with `args`. A size stands for its class, by the largest of it."""
        bounds, whole = self.current.rulebook.size_bounds(function.symbol), sum(map(size, args))
        largest = next((bound for bound in bounds if bound >= whole), bounds[-1] + 1) if bounds else None
        call = CallContext.of(
            CallFacts(
                function=function, arg_types=tuple(map(type_name, args)), size=largest, runtime=self.watch.facts
            )
        )
        engine = self.policy_delegate.engine
        if function.hint is not None:
            return explained(engine.plan_for(call, function.hint.to_exec_target()), self.current, call).plan
        return explain(engine, self.current, call).plan

    # ------------------------------------------------------------ what is given

    def _spent(self) -> dict[BudgetKey, int]:
        """Purses, some of which are nearly empty."""
        pick, oracle, found = self.pick, self.watch.oracle, {}
        for tenant in (None, *words.TENANTS):
            for plan in (None, *words.PLANS):
                for name in oracle.targets:
                    for purse, limit in oracle.purses(name, RuntimeFacts(tenant=tenant, plan=plan), EPOCH):
                        if pick.random() < 0.3:
                            dear = micro(oracle.bound(name, {}) or 0.001)
                            left = pick.choice((-1, 0, dear - 1, dear, dear + 1, 2 * dear, limit))
                            found[BudgetKey(*purse)] = max(0, limit - left)
        return found

    def _make_ill(self) -> None:
        pick = self.pick
        for name in self.watch.oracle.targets:
            if pick.random() < 0.15:
                for _ in range(pick.randint(1, 4)):
                    assert self.health.admit(name, EPOCH) or True
                    self.health.failed(name, EPOCH, pick.choice(("auth", "timeout", "rate-limited")))

    def _engine(self) -> DelegationEngine:
        pick, current = self.pick, self.current
        way = pick.random()
        seed = pick.randrange(1000)
        if way < 0.1:
            self.composition = "a reckless engine"
            return Reckless(current, seed)
        if way < 0.15:
            self.composition = "a reckless engine, swappable"
            return SwappableEngine(ResilientEngine(Reckless(current, seed), current))
        if way < 0.2:
            self.composition = "policy engine"
            return PolicyEngine(current)
        names = [*self.watch.oracle.targets, "local-pure", "remote-ghost", "nonsense", "l4-blob"]
        l1 = l4 = ask = adaptive = None
        parts = self.parts
        if pick.random() < 0.4:
            l1 = L1Cache.of(current.rulebook.policy.settings, lambda: current.world.now)
            parts.append("L1")
            if pick.random() < 0.5:
                self._pin(l1)
        if pick.random() < 0.3:
            l4 = Modules(seed)
            parts.append("L4")
        if pick.random() < 0.5:
            ask = _asked(names, seed)
            parts.append("model")
        if pick.random() < 0.6:
            parts.append("adaptive")

            def adaptive(inner: DelegationEngine) -> DelegationEngine:
                self.learner = AdaptiveEngine(inner, current, step=4)
                return self.learner

        engine = standard_engine(current, l1=l1, l4=l4, ask=ask, adaptive=adaptive)
        if pick.random() < 0.25:
            parts.append("metadata")
            self.composition = f"standard with {', '.join(parts)}"
            return Suggesting(engine, names, seed)
        self.composition = f"standard with {', '.join(parts) or 'nothing'}"
        return engine

    def _pin(self, l1: L1Cache) -> None:
        """Decisions put into L1 by hand, right or wrong."""
        self.pins = l1

    # ------------------------------------------------------------ what changes

    def refresh(self) -> None:
        """A new world, as whoever owns clock, counters and prices would make it."""
        pick, watch = self.pick, self.watch
        states = self.health.states(self.time.wall())
        if pick.random() < 0.2:
            name = pick.choice(tuple(watch.oracle.targets))
            states[name] = replace(states.get(name, TargetState()), in_flight=9, latency_ms=400.0)
        prices = {
            name: pick.choice((0.0, 0.0005, 0.02, 0.5)) for name in watch.oracle.targets if pick.random() < 0.1
        }
        spent = dict(self.ledger.snapshot())
        self._enforce(World(now=self.time.wall(), targets=states, spent=spent, prices_usd=prices))

    def _enforce(self, world: World) -> None:
        watch = self.watch
        self.current.world = replace(world, version=self.current.world.version + 1)
        watch.prices, watch.others = world.prices_usd, world.spent
        watch.events += 1
        watch.changes += 1

    def reload(self) -> None:
        """Another policy comes into force, if it is in order."""
        text = self.pick.choice(self.texts)
        if self.holder.reload(text).ok:
            self.text = text
            self.watch.oracle = Oracle(text)
            self.watch.counts["policies reloaded"] += 1
            self.watch.events += 1
            self.watch.changes += 1

    def upheave(self) -> None:
        """Something changes while a program runs."""
        self.watch.counts["changes in the middle of a run"] += 1
        if self.pick.random() < 0.5:
            self.reload()
        else:
            world = self.current.world
            spent = {key: amount + self.pick.choice((0, 1000, 10**7)) for key, amount in world.spent.items()}
            self._enforce(replace(world, spent=spent))

    # ------------------------------------------------------------ runs

    def runs(self, ready: Ready, number: int) -> None:
        """Run a program a few times, in changing circumstances."""
        pick, watch = self.pick, self.watch
        backend: BackendName = "interpreter" if pick.random() < 0.15 else "python"
        watch.functions = ready.generated.functions
        watch.where = (number, id(self))
        if backend not in ready.plain:
            full = RuntimeContext.full()
            ready.plain[backend] = outcome(lambda: ready.compiled.link(None, full, backend).run(host=host()))
        linked = ready.compiled.link(self.delegate, RuntimeContext.full(), backend)  # type: ignore[arg-type]
        for _ in range(RUNS):
            if pick.random() < 0.2:
                self.reload()
            if pick.random() < 0.5:
                self.time.passed += pick.choice((0.0, 1.0, 40.0, 4000.0, 90_000.0))
            if pick.random() < 0.9:
                self.refresh()
            watch.facts = facts(pick)
            watch.denied_effects = pick.random() < 0.04
            watch.tries = 0
            denied = frozenset({":ai"}) if watch.denied_effects else frozenset[str]()
            context = replace(RuntimeContext.full(), facts=watch.facts, denied_effects=denied)
            self.targets.mood = pick.choice(("well", "mixed", "mixed", "bad", "dear"))
            watch.explained(list(dry_routes(ready.compiled, self.policy_delegate, watch.facts)))
            found = outcome(lambda: linked.run(host=host(), context=context))  # noqa: B023 - called at once
            watch.counts["runs"] += 1
            watch.counts["runs that end with an error of the program"] += isinstance(found, type)
            if found != ready.plain[backend]:
                watch.wrong("value", f"{found!r:.500} instead of {ready.plain[backend]!r:.500}")
            self._check_ledger()

    def _check_ledger(self) -> None:
        """Whether the ledger holds what was paid, but for windows that are over."""
        money, held = self.watch.money, {key: taken for key, taken in self.ledger.snapshot().items() if taken}
        if any(money.reserved.values()):
            self.watch.wrong("ledger", f"reserved after a run: {money.reserved}")
        for key, spent in money.spent.items():
            if spent and held.pop(key, None) != spent:  # type: ignore[call-overload]
                self.watch.wrong("ledger", f"{self.ledger.snapshot()} instead of {money.spent}")
        if held:
            self.watch.wrong("ledger", f"nobody paid {held}")

    def check_reports(self) -> None:
        """Bills above what was reserved are counted for whoever looks at the meter."""
        for name, times in self.watch.over.items():
            told = self.meter.counter(observe.OVER_RESERVATION, target=name)
            self.watch.counts["bills above what was reserved"] += times
            if told != times:
                self.watch.wrong("report", f"{name} cost too much {times} times, {told} were reported")


def _asked(names: Sequence[str], seed: int) -> Callable[[str, tuple[str, ...], float], str]:
    def ask(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        return Random(drawn(seed, prompt)).choice(names)

    return ask


# ---------------------------------------------------------------- rounds


def valid_policies(pick: Random, count: int, counts: Counter[str]) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        text = policy_text(pick)
        try:
            load_policy(text)
        except PolicyFileError:
            counts["policies refused for contradicting themselves"] += 1
            continue
        found.append(text)
    counts["policies"] += count
    return found


def round_of(seed: int) -> Tally:
    """All that happens with the policies and programs of one seed."""
    pick = Random(drawn("round", seed))
    tally = Tally(rounds=1)
    texts = valid_policies(pick, POLICIES, tally.counts)
    programs = [ready(pick) for _ in range(PROGRAMS)]
    tally.counts["programs"] += PROGRAMS
    for place in range(POLICIES):
        setting = Setting(Random(drawn(seed, place)), texts[place:] + texts[:place])
        watch = setting.watch
        watch.counts[f"engine: {setting.composition.partition(' with')[0]}"] += 1
        for number, each in enumerate(programs):
            known = len(watch.violations)
            try:
                setting.runs(each, number)
            except Exception:
                watch.wrong("exception", traceback.format_exc())
                watch.stack.clear()
            text = each.generated.text + "\n".join(each.generated.modules.values())
            tally.findings += [
                Finding(seed, violation, text, setting.composition)
                for violation in watch.violations[known:]
            ]
        setting.check_reports()
        tally.counts.update(watch.counts)
        tally.cases += len(watch.cases)
    return tally
