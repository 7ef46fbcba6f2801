"""`ResilientEngine`: targets whose circuit is open come last."""

from __future__ import annotations

from dataclasses import replace

from policies.context import CallContext
from policies.engines.protocol import Decorator, DelegationEngine
from policies.plan import DelegationPlan, Expected, Rejection
from policies.rules.rulebook import Current
from policies.targets import target_name
from policies.world import World
from rtfs.delegation import ExecTarget, LocalPure


class ResilientEngine(Decorator):
    """Reorders the plans of the engine inside by the health in the world.

    A target whose circuit is open is moved behind the others, and its rejection says until when. One whose
    cool-down is over, or that is half-open, keeps its place: it takes trials to find out that it is back, and
    whoever runs the chain asks the breaker anyway. With no other target left the function runs its own body.
    The same holds where `local-pure` is the next healthy target, since nothing is tried after it.

    Args:
        stays: where no other target is left a plan stays as it is. Its calls then end at the breaker, which is
            for those whose runs may rather wait for a target than do with the function's own body.
    """

    def __init__(self, inner: DelegationEngine, current: Current, *, stays: bool = False) -> None:
        super().__init__(inner)
        self.current = current
        self.stays = stays

    @property
    def version(self) -> str:
        """That of the engine inside and of the world whose health was looked at."""
        return f"{self.inner.version}+h{self.current.world.version}"

    def plan(self, call: CallContext) -> DelegationPlan:
        """The plan of the engine inside, healthy targets first."""
        return healthy_first(self.inner.plan(call), self.current, stays=self.stays)


def healthy_first(plan: DelegationPlan, current: Current, *, stays: bool = False) -> DelegationPlan:
    """`plan` with targets whose circuit is open behind the others. `stays`: as for `ResilientEngine`."""
    world = current.world
    targets = (plan.target, *plan.chain)
    resting = tuple(target for target in targets if is_resting(target, world))
    if not resting:
        return plan
    healthy = tuple(target for target in targets if target not in resting)
    if stays and not healthy:
        return replace(plan, rejected=(*plan.rejected, *(_rejection(target, world) for target in resting)))
    first, *chain = healthy or (LocalPure(),)
    if not isinstance(first, LocalPure) and not any(isinstance(target, LocalPure) for target in chain):
        chain += resting
    rejected = (*plan.rejected, *(_rejection(target, world) for target in resting))
    if first == plan.target:
        return replace(plan, chain=tuple(chain), rejected=rejected)
    why = f"{target_name(plan.target)} is unhealthy, so {target_name(first)}"
    return replace(
        plan,
        target=first,
        stage="fallback",
        reasoning=f"{plan.reasoning}; {why}" if plan.reasoning else why,
        chain=tuple(chain),
        rejected=rejected,
        expected=_expected(first, current),
    )


def _expected(target: ExecTarget, current: Current) -> Expected:
    candidate = current.rulebook.candidates.get(target_name(target))
    return Expected() if candidate is None else candidate.expected


def is_resting(target: ExecTarget, world: World) -> bool:
    """Whether the target's circuit is open and its cool-down not yet over."""
    state = world.targets.get(target_name(target))
    return state is not None and state.circuit == "open" and state.retry_at > world.now


def _rejection(target: ExecTarget, world: World) -> Rejection:
    state = world.targets[target_name(target)]
    rest_s = state.retry_at - world.now
    return Rejection(
        target=target,
        reason=f"its circuit is open for another {rest_s:.3g} s ({state.error_rate:.0%} of its calls failed)",
    )
