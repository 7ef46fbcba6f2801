"""The smallest engine: a map of routes, and nothing else to set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from policies.context import CallContext, fingerprint
from policies.engines.metadata import THRESHOLD, audited, followed, suggested
from policies.engines.protocol import DelegationEngine
from policies.l1_cache import L1Cache
from policies.plan import Because, DelegationPlan
from policies.rules.globs import GlobSet
from policies.targets import parse_target, target_name
from rtfs.delegation import ExecTarget, LocalPure


class StaticDelegationEngine(DelegationEngine):
    """Static map → L1 → metadata → default target. Stands alone: it knows no policy and no hard rule.

    L1 is only read: the map and the default need no cache, and metadata belongs to one run; what it holds was
    put there by hand or by others. Metadata may suggest only targets that the map or the default names.

    Args:
        routes: glob over the qualified symbol → target, or its name; the first that matches decides.
        threshold: confidence from which a suggestion is followed.

    Raises:
        PolicyError: a route names no target.
    """

    def __init__(
        self,
        routes: Mapping[str, ExecTarget | str],
        *,
        l1: L1Cache | None = None,
        default: ExecTarget | str = LocalPure(),  # noqa: B008 - frozen
        threshold: float = THRESHOLD,
    ) -> None:
        self._globs = GlobSet(routes)
        self._targets = tuple(_target(target) for target in routes.values())
        self._default = _target(default)
        self._l1 = l1
        self._threshold = threshold
        named = [target_name(target) for target in (*self._targets, self._default)]
        self._version = f"static-{fingerprint('s1', *routes, *named, str(threshold)):016x}"

    @property
    def version(self) -> str:
        """Made of routes and default, and of the changes made to the cache by hand."""
        return self._version if self._l1 is None else f"{self._version}+l1.{self._l1.revision}"

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        plan = self._routed(call) or self._kept(call) or self._suggested(call) or self._by_default(call)
        return plan if call.metadata is None else audited(plan, call.metadata)

    def decide(self, call: CallContext) -> ExecTarget:
        """Where `call` runs."""
        return self.plan(call).target

    def _routed(self, call: CallContext) -> DelegationPlan | None:
        place = self._globs.first(call.fn_symbol)
        if place is None:
            return None
        target, what = self._targets[place], f"static route `{self._globs.globs[place]}`"
        return DelegationPlan(
            target=target,
            stage="static-route",
            reasoning=f"{what} sends `{call.fn_symbol}` to `{target_name(target)}`",
            because=Because(what=what),
        )

    def _kept(self, call: CallContext) -> DelegationPlan | None:
        if self._l1 is None:
            return None
        ir_hash = call.facts.function.ir_hash
        entry = self._l1.get(call.fn_symbol, call.task, version=self._version, ir_hash=ir_hash)
        return None if entry is None else replace(entry.plan, stage="l1")

    def _suggested(self, call: CallContext) -> DelegationPlan | None:
        if call.metadata is None:
            return None
        target = suggested(call.metadata, self._threshold)
        if isinstance(target, str):
            return audited(self._by_default(call), call.metadata, followed=target)
        if target != self._default and target not in self._targets:
            why = f"no: no route leads to `{target_name(target)}`"
            return audited(self._by_default(call), call.metadata, followed=why)
        return audited(followed(call, call.metadata, target), call.metadata, followed="yes")

    def _by_default(self, call: CallContext) -> DelegationPlan:
        name = target_name(self._default)
        return DelegationPlan(
            target=self._default,
            stage="default",
            reasoning=f"no route matches `{call.fn_symbol}`, so it runs on the default target `{name}`",
            because=Because(what="default target"),
        )


def _target(target: ExecTarget | str) -> ExecTarget:
    return parse_target(target) if isinstance(target, str) else target
