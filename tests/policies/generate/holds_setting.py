"""A policy in force, with everything around it that programs need to run under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import holds_words as words
from holds_engines import Modules, Reckless, Suggesting, asked, drawn
from holds_linked import Ready, Watched, outcome
from holds_oracle import Oracle, micro, size, window_number
from holds_watch import Watch
from holds_world import EPOCH, Targets, Time, facts, host

from policies.context import CallContext, CallFacts
from policies.dry_route import dry_routes
from policies.engines.adaptive import AdaptiveEngine
from policies.engines.policy import PolicyEngine
from policies.engines.protocol import DelegationEngine
from policies.engines.resilient import ResilientEngine
from policies.engines.standard import standard_engine
from policies.engines.swappable import SwappableEngine
from policies.explain import explain, explained
from policies.file.load import load_policy
from policies.file.reload import PolicyHolder
from policies.l1_cache import L1Cache
from policies.learning.learnt import Feedback
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.health import HealthTracker
from policies.running.ledger import Ledger
from policies.running.observe import MemoryMeter
from policies.world import BudgetKey, TargetState, World
from rtfs.delegation import FunctionInfo, RemoteModel
from rtfs.linking import functions_told
from rtfs.program import BackendName, Program
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value, type_name

#: of one program in a setting
RUNS = 3


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
        self.watch.money.spent.update({(*key,): spent for key, spent in self.ledger.spent().items()})
        self.health = HealthTracker(self.current.rulebook.policy.settings.health)
        self.meter = MemoryMeter()
        self.targets = Targets(
            Random(drawn(pick.random())), self.watch, self.time, self.upheave if pick.random() < 0.25 else None
        )
        self.learner: AdaptiveEngine | None = None
        #: if decisions are put there by hand
        self.l1: L1Cache | None = None
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

    def _explainer(self) -> PolicyDelegate:
        """Who explains: the delegate of the runs, or, where engines have no state, perhaps another."""
        if self.parts or not self.watch.looks_at_health or self.pick.random() < 0.5:
            return self.policy_delegate
        apart = Current(Rulebook(load_policy(self.text)), self.current.world)
        return PolicyDelegate(standard_engine(apart), apart, {}, self.time.clock)

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
            if pick.random() < 0.08:
                for _ in range(pick.randint(1, 4)):
                    assert self.health.admit(name, EPOCH) or True
                    self.health.failed(name, EPOCH, pick.choice(("auth", "timeout", "rate-limited")))

    def _engine(self) -> DelegationEngine:
        """An engine, most often the standard one; notes what it is made of."""
        pick, current = self.pick, self.current
        seed = pick.randrange(1000)
        way = pick.random()
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
        shares = {"L1": 0.4, "L4": 0.25, "model": 0.35, "adaptive": 0.5, "metadata": 0.25}
        self.parts = [part for part, share in shares.items() if pick.random() < share]
        self.composition = f"standard with {', '.join(self.parts) or 'nothing'}"
        cache = L1Cache.of(current.rulebook.policy.settings, lambda: current.world.now)
        if "L1" in self.parts and pick.random() < 0.5:
            self.l1 = cache
        engine = standard_engine(
            current,
            l1=cache if "L1" in self.parts else None,
            l4=Modules(seed) if "L4" in self.parts else None,
            ask=asked(names, seed) if "model" in self.parts else None,
            adaptive=self._learning if "adaptive" in self.parts else None,
        )
        return Suggesting(engine, names, seed) if "metadata" in self.parts else engine

    def _learning(self, inner: DelegationEngine) -> DelegationEngine:
        """An engine that has learnt something, true or not."""
        self.learner = AdaptiveEngine(inner, self.current, step=4)
        for symbol in (*words.SYMBOLS, *(f"{words.MODULE}/{name}" for name in words.MODULE_NAMES)):
            for name in self.watch.oracle.targets:
                cost_usd, confidence = self.pick.choice(((0.0, 1.0), (0.1, 0.2)))
                outcome = Feedback(
                    fn_symbol=symbol, target=name, success=True, cost_usd=cost_usd, confidence=confidence
                )
                for _ in range(self.pick.choice((0, 4))):
                    self.learner.observe(outcome)
        return self.learner

    def _pin(self, l1: L1Cache, program: Program, facts: RuntimeFacts) -> None:
        """Put a decision into L1 by hand, right or wrong."""
        functions = [each for _, _, each in functions_told(program, self.policy_delegate, facts)]
        if not functions:
            return
        call = CallContext.of(CallFacts(function=self.pick.choice(functions), runtime=facts))
        targets = [each.target for each in self.current.rulebook.candidates.values()]
        target, *chain = self.pick.sample([*targets, RemoteModel("ghost")], 2)
        plan = DelegationPlan(target=target, stage="rule", chain=tuple(chain))
        l1.put(call.fn_symbol, call.task, plan, pinned=self.pick.random() < 0.5)

    # ------------------------------------------------------------ what changes

    def refresh(self) -> None:
        """A new world, by the delegate itself or as whoever owns counters and prices would make it."""
        pick, names = self.pick, tuple(self.watch.oracle.targets)
        if pick.random() < 0.4:
            self.policy_delegate.refresh()
            self._forget()
            self._changed()
            return
        states = self.health.states(self.time.wall())
        if pick.random() < 0.3:
            name = pick.choice(names)
            states[name] = replace(states.get(name, TargetState()), in_flight=9, latency_ms=400.0)
        prices = {name: pick.choice((0.0, 0.0005, 0.02, 0.5)) for name in names if pick.random() < 0.15}
        spent = self.ledger.snapshot()
        self._enforce(World(now=self.time.wall(), targets=states, spent=spent, prices_usd=prices))

    def _enforce(self, world: World) -> None:
        self.current.world = replace(world, version=self.current.world.version + 1)
        self._changed()

    def _forget(self) -> None:
        """Purses of windows that are over may be forgotten; others not, whatever policy is in force."""
        spent, now = self.watch.money.spent, self.time.wall()
        for name, budget in self.watch.oracle.raw.get("budgets", {}).items():
            latest = window_number(budget.get("window", "day"), now)
            for key in [key for key in spent if key[0] == name and latest / 2 <= key[2] < latest]:
                del spent[key]

    def _changed(self) -> None:
        watch, world = self.watch, self.current.world
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
            self.watch.reloaded = True
            self.watch.events += 1
            self.watch.changes += 1

    def upheave(self) -> None:
        """Something changes while a program runs."""
        self.watch.counts["changes in the middle of a run"] += 1
        if self.pick.random() < 0.5:
            self.reload()
        else:
            pick, world = self.pick, self.current.world
            spent = {key: amount + pick.choice((0, 1000, 10**7)) for key, amount in world.spent.items()}
            dear = {name: pick.choice((0.002, 0.02, 0.5)) for name in self.watch.oracle.targets}
            changed = pick.choice(({"spent": spent}, {"prices_usd": dear}))
            self._enforce(replace(world, **changed))

    # ------------------------------------------------------------ runs

    def runs(self, ready: Ready, number: int) -> None:
        """Run a program a few times, in changing circumstances."""
        pick, watch = self.pick, self.watch
        backend: BackendName = "interpreter" if pick.random() < 0.15 else "python"
        watch.functions = ready.generated.functions
        watch.where = (number, id(self))
        linked = ready.compiled.link(self.delegate, RuntimeContext.full(), backend)
        for _ in range(RUNS):
            context = self._circumstances()
            self._explain(ready.compiled)
            found = outcome(lambda: linked.run(host=host(), context=context))  # noqa: B023 - called at once
            watch.counts["runs"] += 1
            watch.counts["runs that end with an error of the program"] += isinstance(found, type)
            plain = ready.plain_outcome(backend)
            if found != plain:
                watch.wrong("value", f"{found!r:.500} instead of {plain!r:.500}")
            self._check_ledger()
        self._check_reports()

    def _circumstances(self) -> RuntimeContext:
        """Time passes, the world and the policy change, another run begins."""
        pick, watch = self.pick, self.watch
        if pick.random() < 0.2:
            self.reload()
        if pick.random() < 0.7:
            self.time.passed += pick.choice((0.0, 1.0, 40.0, 4000.0, 90_000.0))
        watch.is_current = pick.random() < 0.9
        if watch.is_current:
            self.refresh()
        watch.tries = 0
        watch.facts = facts(pick)
        watch.denied_effects = pick.random() < 0.02
        self.targets.mood = pick.choice(("well", "mixed", "mixed", "bad", "unsure", "dear"))
        denied = frozenset({":ai"}) if watch.denied_effects else frozenset[str]()
        return replace(RuntimeContext.full(), facts=watch.facts, denied_effects=denied)

    def _explain(self, program: Program) -> None:
        if self.l1 is not None:
            self._pin(self.l1, program, self.watch.facts)
        self.watch.explained(list(dry_routes(program, self._explainer(), self.watch.facts)))

    def _check_ledger(self) -> None:
        """Whether the ledger holds what was paid, but for windows that are over."""
        money, held = self.watch.money, dict(self.ledger.snapshot())
        if any(money.reserved.values()):
            self.watch.wrong("ledger", f"reserved after a run: {money.reserved}")
        for key, spent in money.spent.items():
            found = held.pop(key, 0)  # type: ignore[call-overload]
            if found != spent:
                self.watch.wrong("ledger", f"{found} instead of {spent} in {key}")
        if any(held.values()):
            self.watch.wrong("ledger", f"nobody paid {held}")

    def _check_reports(self) -> None:
        """Bills above what was reserved are counted for whoever looks at the meter."""
        for name, times in self.watch.over.items():
            told = self.meter.counter("delegation_over_reservation_total", target=name)
            if told != times:
                self.watch.wrong("report", f"{name} cost too much {times} times, {told} were reported")
