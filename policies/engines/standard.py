"""The usual engines in the fixed order.

    StandardEngine             remembers whole decisions while neither policy nor world changes
      ResilientEngine          unhealthy targets come last
        SecurityAwareEngine    hard rules: nothing passes that they forbid; resolves hints (`plan_for`)
          StaticRouteEngine    `static_routes`
            RemoteRtfsAwareEngine   `remote_rtfs.steps`, routes of another kind
              L1Engine         decisions kept across changes of the world       if a cache is given
                L4AwareEngine  signed modules                                   if a store is given
                  MetadataEngine    what planners suggest
                    ModelEngine     a model chooses where no rule decides       if a port is given
                      adaptive      what outcomes taught                        if a factory is given
                        PolicyEngine    rules → optimiser → default

Memory and health stand outside the hard rules, and may: under one policy and one world these answer the same,
and only what passed them is put into another order. Farther inside, health would not see the fallbacks that
follow a veto.
The model stands outside what was learnt, so that it is asked only about what nobody knows yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from policies.context import CallContext
from policies.engines.adaptive import AdaptiveEngine
from policies.engines.asking import Ask
from policies.engines.l1 import L1Engine
from policies.engines.l4 import L4AwareEngine, SignedModuleStore
from policies.engines.memo import SIZE, MemoEngine
from policies.engines.metadata import THRESHOLD, MetadataEngine, audited
from policies.engines.model import ModelEngine
from policies.engines.policy import PolicyEngine
from policies.engines.protocol import DelegationEngine
from policies.engines.remote_rtfs import RemoteRtfsAwareEngine
from policies.engines.resilient import ResilientEngine, healthy_first
from policies.engines.security import SecurityAwareEngine
from policies.engines.static_routes import StaticRouteEngine
from policies.l1_cache import L1Cache
from policies.plan import DelegationPlan, Stage
from policies.rules.rulebook import Current
from rtfs.delegation import ExecTarget

#: makes an engine around another
type Factory = Callable[[DelegationEngine], DelegationEngine]


class StandardEngine(MemoEngine):
    """What `standard_engine` makes. Of calls with metadata every plan records it, whoever decided."""

    def __init__(
        self,
        security: SecurityAwareEngine,
        *,
        stamp: Callable[[], object] | None = None,
        size: int = SIZE,
        stays: bool = False,
    ) -> None:
        super().__init__(ResilientEngine(security, security.current, stays=stays), stamp=stamp, size=size)
        self.security: Final = security
        self._stays = stays

    def plan_for(self, call: CallContext, target: ExecTarget, stage: Stage = "hint") -> DelegationPlan:
        """The plan of a call whose target is already given, such as by a hint.

        Hard rules still veto it, and as in other plans targets that are down come last.
        """
        plan = self.security.plan_for(call, target, stage)
        return healthy_first(plan, self.security.current, stays=self._stays)

    def _learn(self, call: CallContext) -> DelegationPlan:
        plan = super()._learn(call)
        return plan if call.metadata is None else audited(plan, call.metadata)


def standard_engine(
    current: Current,
    *,
    l1: L1Cache | None = None,
    l4: SignedModuleStore | None = None,
    ask: Ask | None = None,
    adaptive: Factory | None = None,
    threshold: float = THRESHOLD,
    size: int = SIZE,
    stays: bool = False,
) -> StandardEngine:
    """The engine for what is in force in `current`.

    Args:
        l1: must take its time from `current.world.now` for decisions to depend on no clock.
        ask: how the model of `model_choice` is reached.
        adaptive: makes the adaptive engine around the policy's. Its `version` names what was learnt so far.
        threshold: confidence from which a suggestion in a call's metadata is followed.
        size: decisions remembered.
        stays: a call for which all targets are down still goes to the breaker; see `ResilientEngine`.
    """
    engine: DelegationEngine = PolicyEngine(current)
    changes: list[Callable[[], object]] = []
    if adaptive is not None:
        engine = adaptive(engine)
        changes.append(_change_of(engine))
    if ask is not None:
        engine = ModelEngine(engine, current, ask)
    engine = MetadataEngine(engine, current, threshold=threshold)
    if l4 is not None:
        engine = L4AwareEngine(engine, l4, current)
        changes.append(lambda: l4.version)
    if l1 is not None:
        engine = L1Engine(engine, l1, current)
        changes.append(lambda: l1.revision)
    engine = StaticRouteEngine(RemoteRtfsAwareEngine(engine, current), current)
    security = SecurityAwareEngine(engine, current)
    return StandardEngine(security, stamp=_stamp(current, changes), size=size, stays=stays)


def _change_of(engine: DelegationEngine) -> Callable[[], object]:
    """What changes when `engine`, around a policy engine, has learnt something."""
    if isinstance(engine, AdaptiveEngine):
        return lambda: engine.revision
    return lambda: engine.version


def _stamp(current: Current, changes: Sequence[Callable[[], object]]) -> Callable[[], object]:
    """Everything that the engines' version is made of, without making texts of it."""
    match tuple(changes):
        case ():
            return lambda: (current.rulebook, current.world)
        case (only,):
            return lambda: (current.rulebook, current.world, only())
        case several:
            return lambda: (current.rulebook, current.world, *[change() for change in several])
