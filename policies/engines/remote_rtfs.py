"""Whole steps of a plan that run on another RTFS cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policies.context import CallContext
from policies.engines.chaining import behind
from policies.engines.metadata import audited
from policies.engines.protocol import Decorator, DelegationEngine
from policies.engines.resilient import is_resting
from policies.file.schema import Delegation
from policies.plan import Because, DelegationPlan, Rejection
from policies.rules.candidates import Candidate, expected_now
from policies.rules.globs import GlobSet
from policies.rules.rulebook import Current, Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """`[delegation.remote_rtfs]`, read for one rulebook."""

    rulebook: Rulebook
    globs: GlobSet
    #: the cluster that they go to; None: there is none
    cluster: Candidate | None


class RemoteRtfsAwareEngine(Decorator):
    """Sends functions that `remote_rtfs.steps` names to the provider of kind `rtfs`.

    The function goes as it is, body and all, and what the engine inside says is the chain behind it. If the
    cluster is unhealthy or not allowed, the inner plan stands, and its rejections say why.
    """

    def __init__(self, inner: DelegationEngine, current: Current) -> None:
        super().__init__(inner)
        self._current = current
        self._steps: _Steps | None = None

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        plan = self.inner.plan(call)
        rulebook, world = self._current.rulebook, self._current.world
        steps = self._read(rulebook)
        cluster = steps.cluster
        place = steps.globs.first(call.fn_symbol)
        if place is None or cluster is None:
            return plan
        because = rulebook.policy.because(f"remote step `{steps.globs.globs[place]}`", "remote_rtfs.steps")
        rejection = rulebook.veto(call, cluster.target, world)
        if rejection is None and is_resting(cluster.target, world):
            rejection = Rejection(target=cluster.target, reason="its circuit is open", because=because)
        if rejection is not None:
            return replace(plan, rejected=(*plan.rejected, rejection))
        step = DelegationPlan(
            target=cluster.target,
            stage="remote-rtfs",
            reasoning=_reasoning(call, cluster, because),
            because=because,
            chain=behind(cluster.target, plan),
            rejected=plan.rejected,
            expected=expected_now(cluster, world),
            cache=rulebook.cache_tier(call, cluster.target),
            created_at=world.now,
        )
        return step if call.metadata is None else audited(step, call.metadata)

    def _read(self, rulebook: Rulebook) -> _Steps:
        steps = self._steps
        if steps is None or steps.rulebook is not rulebook:
            table = rulebook.policy.settings.remote_rtfs
            steps = _Steps(rulebook=rulebook, globs=GlobSet(table.steps), cluster=_cluster(rulebook))
            self._steps = steps
        return steps


def _cluster(rulebook: Rulebook) -> Candidate | None:
    """The provider that `remote_rtfs.provider` names, else the first one, of kind `rtfs`."""
    settings = rulebook.policy.settings
    wanted = settings.remote_rtfs.provider
    for key in _rtfs_providers(settings):
        name = f"remote-{key.removeprefix('remote-') or key}"
        if wanted is None or wanted in (key, name, name.removeprefix("remote-")):
            return rulebook.candidates.get(name)
    return None


def _rtfs_providers(settings: Delegation) -> tuple[str, ...]:
    return tuple(key for key, provider in settings.remote_providers.items() if provider.kind == "rtfs")


def _reasoning(call: CallContext, cluster: Candidate, because: Because) -> str:
    return f"`{call.fn_symbol}` runs whole on the cluster `{cluster.name}`: {because.what}"
