"""`PolicyDelegate`: an engine and its runners as the delegate of linked programs.

    current = Current(Rulebook(policy))
    delegate = PolicyDelegate(standard_engine(current), current, {"remote": runner}, clock)
    program.link(delegate, context).run(...)

A function of which the engine says that it runs here is linked as if there were no delegate. Where the
arguments of each call decide, a guard stands for the function (`policies.running.guard`); where a target was
chosen, a stub that sends each call along the plan's chain (`policies.running.delegated_call`), and where that
is a module, the function in it. The plan is that of the link: runs under way keep it when the policy changes;
only kinds of arguments that a guard has not met before are decided by the new one. What the hard rules forbid
*now* is asked before each try even so.

Hints are authoritative: the engine is not asked. But no hard rule gives way to one: a hinted target that is
forbidden is replaced by the policy's fallback.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, TypeGuard

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.engines.chaining import behind
from policies.engines.protocol import DelegationEngine
from policies.engines.security import SecurityAwareEngine
from policies.plan import DelegationPlan, Stage
from policies.rules.privacy_sources import PolicySources
from policies.rules.rulebook import Current, Rulebook
from policies.running.chain import Attempt
from policies.running.chain_terms import Terms
from policies.running.delegated_call import stub
from policies.running.guard import guard
from policies.running.health import HealthTracker
from policies.running.ledger import Ledger
from policies.running.observe import Meter, NullMeter
from policies.running.outdated import as_judged
from policies.running.results import Results
from policies.running.runner import CallRecord, Clock, Observation, Runner
from policies.running.services import Modules, Services
from policies.world import World
from rtfs.delegation import (
    BY_ARGUMENTS,
    ByArguments,
    ExecTarget,
    FunctionInfo,
    L4CacheHit,
    LocalPure,
    PrivacySources,
)
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value

#: functions whose contexts are kept, and kinds of arguments whose plans are; one more and all are forgotten
_MOST_FUNCTIONS: Final = 8192
_MOST_PLANS: Final = 1024


class Engine(DelegationEngine, Protocol):
    """An engine that also plans calls whose target is given; `SecurityAwareEngine` is one."""

    def plan_for(self, call: CallContext, target: ExecTarget, stage: Stage = "hint") -> DelegationPlan:
        """The plan of a call that a hint sends to `target`; without what hard rules forbid."""


class PolicyDelegate:
    """An `rtfs.delegation.Delegate`. Safe to use from many threads.

    Args:
        engine: who decides. One without `plan_for` is put behind the hard rules.
        runners: who carries calls out, by a target's name (`remote-openai`) or kind (`remote`, `local-model`,
            `l4`); a target without one is passed over.
        ledger: None: one that begins with what the world says was spent.
        health: None: one in which all targets are new.
        observe: told of each try of a target, such as an adaptive engine's `observe`.
        audit: told of each delegated call and all that happened in it.
        metadata: what planners and intent analysers say of a function in a run, asked when it is linked for the
            run's facts; `facts.plan` tells runs apart. It reaches the decision and, in the plan, the audit.
        before_body: asked before a function's own body runs because no target answered; what it raises ends the
            call.
        results: asked for what is known already before a target is tried; None: nothing is kept.
        modules: gives functions out of signed modules, which stand for the linked ones as they are; None: each
            call of such a function goes to the runner of `l4`.
    """

    def __init__(
        self,
        engine: DelegationEngine | Engine,
        current: Current,
        runners: Mapping[str, Runner],
        clock: Clock,
        *,
        ledger: Ledger | None = None,
        health: HealthTracker | None = None,
        meter: Meter | None = None,
        observe: Callable[[Observation], None] | None = None,
        audit: Callable[[CallRecord], None] | None = None,
        metadata: Callable[[FunctionInfo, RuntimeFacts], DelegationMetadata | None] | None = None,
        before_body: Callable[[str, tuple[Attempt, ...]], None] | None = None,
        results: Results | None = None,
        modules: Modules | None = None,
    ) -> None:
        self.engine: Engine = engine if _plans_hints(engine) else SecurityAwareEngine(engine, current)
        self.services = Services(
            current=current,
            runners=runners,
            clock=clock,
            ledger=Ledger(current.world.spent) if ledger is None else ledger,
            health=HealthTracker(current.rulebook.policy.settings.health) if health is None else health,
            meter=NullMeter() if meter is None else meter,
            observe=observe,
            audit=audit,
            before_body=before_body,
            results=results,
            modules=modules,
        )
        self._metadata = metadata
        self._sources: tuple[Rulebook, PolicySources] | None = None
        self._calls: dict[tuple[int, int], _Told] = {}
        self._routes: dict[tuple[int, int, str, ExecTarget | None], Route] = {}
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """Changes whenever a decision may: with the engine's, and with the policy."""
        return f"{self.engine.version}|{self.services.current.rulebook.policy.version}"

    @property
    def sources(self) -> PrivacySources | None:
        """Where the policy says that privacy labels come from; programs may add labels of their own."""
        rulebook = self.services.current.rulebook
        known = self._sources
        if known is None or known[0] is not rulebook:
            known = self._sources = (rulebook, PolicySources(rulebook.policy.settings.security))
        return known[1]

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        """Where `function` runs."""
        call = self._told(function, facts, linking=True).call
        if self.services.current.rulebook.depends_on_arguments(call):
            return BY_ARGUMENTS
        return self.engine.decide(call)

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        """What stands for `function`: `body` itself, a stub or a guard."""
        if isinstance(target, LocalPure):
            return body
        return self._route(function, target, facts).bound(body)

    def refresh(self) -> World:
        """Make what happened meanwhile, to health, money and time, the world that is decided in from now on.

        Programs are linked anew at their next run. So it is not for every call, which looks at all this itself
        before it tries a target, but for when decisions are to follow: a circuit has changed
        (`HealthTracker.on_change`), a cool-down is over (`HealthTracker.next_change`), or some time has passed.
        """
        services = self.services
        current, now = services.current, services.clock.wall()
        services.ledger.prune(current.rulebook.policy.settings.budgets, now)
        with self._lock:
            world = World(
                version=current.world.version + 1,
                now=now,
                targets=MappingProxyType(services.health.states(now)),
                spent=services.ledger.snapshot(),
                prices_usd=current.world.prices_usd,
            )
            current.world = world
        return world

    def _told(self, function: FunctionInfo, facts: RuntimeFacts, *, linking: bool = False) -> _Told:
        """The call that `function` stands for, and the rulebook whose sources its labels were found by.

        That is the one for which the linker looked at `sources` last: before it asks about a function, and for
        a hinted one, about which it does not ask, before the run that binds it.
        """
        rulebook = self.services.current.rulebook if self._sources is None else self._sources[0]
        key = (id(function), id(facts))
        known = self._calls.get(key)
        if known is None or known.function is not function or known.facts is not facts:
            said = None if self._metadata is None else self._metadata(function, facts)
            call = CallContext.of(CallFacts(function=function, runtime=facts), metadata=said)
            known = _Told(function, facts, call, rulebook)
        elif not linking or known.rulebook is rulebook:
            return known
        else:  # the same labels were found again
            known = known._replace(rulebook=rulebook)
        with self._lock:
            if len(self._calls) >= _MOST_FUNCTIONS:
                self._calls.clear()
            self._calls[key] = known
        return known

    def _route(self, function: FunctionInfo, target: ExecTarget | ByArguments, facts: RuntimeFacts) -> Route:
        """How calls of `function` go. It is bound anew for each closure made of it; this is made once."""
        wanted = None if isinstance(target, ByArguments) else target
        key = (id(function), id(facts), self.version, wanted)
        route = self._routes.get(key)
        told = self._told(function, facts)
        if route is None or route.told.call is not told.call:
            route = Route(self.engine, self.services, told, wanted)
            with self._lock:
                if len(self._routes) >= _MOST_FUNCTIONS:
                    self._routes.clear()
                self._routes[key] = route
        return route


class _Told(NamedTuple):
    """What the linker told about a function."""

    function: FunctionInfo
    facts: RuntimeFacts
    call: CallContext
    #: whose sources the labels were found by
    rulebook: Rulebook


def _plans_hints(engine: DelegationEngine) -> TypeGuard[Engine]:
    return hasattr(engine, "plan_for")


class Route:
    """How the calls of one function go under one link. What is decided is decided once."""

    def __init__(self, engine: Engine, services: Services, told: _Told, target: ExecTarget | None) -> None:
        self.told = told
        self._engine = engine
        self._services = services
        self._target = target
        #: by which arguments are told apart
        self._rulebook = rulebook = services.current.rulebook
        self._call = call = as_judged(told.call, told.rulebook, rulebook)
        if call.facts.function.hint is None:
            self._by_arguments = target is None  # as it was linked, whatever policy has come since
        else:  # what else might be chosen does not matter
            matching = rulebook.matching(call)
            self._by_arguments = bool(matching.undecided or matching.undecided_hard)
        self._bounds = rulebook.size_bounds(call.fn_symbol) if self._by_arguments else ()
        self._plans: dict[tuple[tuple[str, ...], int | None], Terms] = {}

    def bound(self, body: Callable[..., Value]) -> Callable[..., Value]:
        """What stands for one closure of the function."""
        if self._by_arguments:
            return guard(body, lambda types, size: self._towards(types, size, body), self._bounds)
        return self._towards((), None, body)

    def _towards(
        self, types: tuple[str, ...], size: int | None, body: Callable[..., Value]
    ) -> Callable[..., Value]:
        """The route of calls with such arguments: the body itself, or a stub for it."""
        known = self._plans.get((types, size))
        if known is None:
            call, rulebook = self._call, self._services.current.rulebook
            if types or size is not None:
                facts = replace(call.facts, arg_types=types, size=size)
                call = CallContext.of(facts, metadata=call.metadata, semantic_hash=call.semantic_hash)
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            call = as_judged(call, self._rulebook, rulebook)
            known = self._plans[(types, size)] = Terms(self._services, call, self._plan(call), rulebook)
        if known.plan.is_local:
            return body
        return self._module(known.plan.target) or stub(known, body)

    def _module(self, target: ExecTarget) -> Callable[..., Value] | None:
        """The function in the module that is the target, if it may be used: calls cost what plain ones do."""
        modules = self._services.modules
        if modules is None or not isinstance(target, L4CacheHit):
            return None
        return modules(self._call.facts.function, target)

    def _plan(self, call: CallContext) -> DelegationPlan:
        target = self._target
        if call.facts.function.hint is not None and target is not None:
            return self._engine.plan_for(call, target)
        plan = self._engine.plan(call)
        if target is None or plan.target == target or self._by_arguments:
            return plan
        # Something changed since the function was linked. The link stays as it is; what has become forbidden
        # is found out before each try.
        return replace(plan, target=target, chain=behind(target, plan), reasoning="as it was linked")
