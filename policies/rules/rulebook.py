"""A policy made ready for decisions: targets by name, hard rules, rules by symbol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from policies.context import CallContext
from policies.errors import PolicyError
from policies.file.policy import Policy
from policies.plan import Because, CacheTier, Rejection
from policies.rules.cache_wish import cache_wish
from policies.rules.candidates import Candidate, candidates_of, module_candidate, place
from policies.rules.globs import GlobSet
from policies.rules.hard_rules import HardRules, Judge
from policies.rules.rule_index import CompiledRule, Matching, RuleIndex
from policies.targets import LOCAL_PURE, parse_target, target_name
from policies.world import World
from rtfs.delegation import DelegationHint, ExecTarget, L4CacheHit, LocalModel, LocalPure, RemoteModel

__all__ = ["Candidate", "Current", "Rulebook"]

LOCAL: Final = LocalPure()
#: calls about which something is remembered
_KEPT: Final = 4096
#: where results may be kept, the most careful first
_CAREFUL: Final[tuple[CacheTier, ...]] = ("none", "l2", "l3")


class _Case:
    """What is known of one call."""

    __slots__ = ("judge", "matching")

    def __init__(self, matching: Matching) -> None:
        self.matching = matching
        #: of the world of the last question
        self.judge: Judge | None = None


class Rulebook:
    """Made once per policy; immutable but for bounded caches. All answers depend on nothing but arguments."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.candidates: Mapping[str, Candidate] = candidates_of(policy)
        # by target, not by name: a hint may call for a local model `pure`, whose name would be `local-pure`
        self._by_target = {candidate.target: candidate for candidate in self.candidates.values()}
        self.rules = RuleIndex(policy)
        self.hard_rules = HardRules(policy, self.candidates.keys())
        self._cases: dict[CallContext, _Case] = {}
        self.default = self.named(policy.settings.default_target)
        self.fallback = self._all_named(policy.settings.fallback)
        settings = policy.settings
        self._routes = GlobSet(settings.static_routes)
        self._routed = [
            (self.named(name), place(policy, f"static route `{glob}`", "static_routes", glob))
            for glob, name in settings.static_routes.items()
        ]
        self.default_because = place(policy, "`default_target`", "default_target")
        self._targets = [
            tuple((target, self.find(target)) for target in self._all_named(rule.targets))
            for rule in settings.rules
        ]
        self._fallbacks = [self._all_named(rule.fallback) for rule in settings.rules]
        caches = {"l2": settings.caches.l2, "l3": settings.caches.l3}
        self._tiers = frozenset(tier for tier, table in caches.items() if table.enabled)

    # ------------------------------------------------------------ hard rules

    def judge(self, call: CallContext, world: World) -> Judge:
        """Who says what is forbidden for `call` under `world`."""
        case = self._case(call)
        judge = case.judge
        if judge is None or judge.world is not world:
            judge = case.judge = self.hard_rules.judge(call, case.matching, world, self.find)
        return judge

    def veto(self, call: CallContext, target: ExecTarget, world: World) -> Rejection | None:
        """The hard rule that forbids `target` for `call`, None if none does. Never forbids `LocalPure`."""
        return None if type(target) is LocalPure else self.judge(call, world).veto(target)

    def allowed(self, call: CallContext, world: World) -> tuple[Candidate, ...]:
        """The targets that no hard rule forbids, in the policy's order; `local-pure` is among them."""
        judge = self.judge(call, world)
        return tuple(one for one in self.candidates.values() if judge.veto_of(one) is None)

    def permitted(
        self, call: CallContext, targets: Iterable[ExecTarget], world: World
    ) -> tuple[ExecTarget, ...]:
        """Those of `targets` that no hard rule forbids, each once."""
        judge = self.judge(call, world)
        return tuple(target for target in dict.fromkeys(targets) if judge.veto(target) is None)

    # ------------------------------------------------------------ targets

    def find(self, target: ExecTarget) -> Candidate | None:
        """What the policy says of `target`; None if it does not name it. Cached modules need no name."""
        found = self._by_target.get(target)
        return module_candidate(target) if found is None and type(target) is L4CacheHit else found

    def known(self, target: ExecTarget) -> Candidate:
        """What the policy says of `target`, which it names.

        Raises:
            PolicyError: it does not name it.
        """
        found = self.find(target)
        if found is None:
            raise PolicyError(f"the policy does not name the target `{target_name(target)}`")
        return found

    def resolve(self, target: ExecTarget, hint: DelegationHint | None = None) -> ExecTarget:
        """The target meant by one that a program names, where provider and model keys may stand for names.

        `^{:delegation {:target "x"}}` may name a target, a provider's key or a local model's; a provider may be
        called `openai` or `remote-openai`. What the policy does not know comes back as it is.
        """
        if hint is not None and hint.kind == "target" and hint.id and target == hint.to_exec_target():
            for name in (hint.id, f"remote-{hint.id}", f"local-{hint.id}"):
                if name in self.candidates:
                    return self.candidates[name].target
        if isinstance(target, RemoteModel | LocalModel) and target_name(target) not in self.candidates:
            known = self.candidates.get(target.id)
            if known is not None and type(known.target) is type(target):
                return known.target
        return target

    def named(self, name: str) -> ExecTarget:
        """The target called `name` in the policy file.

        Raises:
            PolicyError: no target has such a name.
        """
        if name == LOCAL_PURE:
            return LOCAL
        known = self.candidates.get(name)
        return parse_target(name) if known is None else known.target

    def _all_named(self, names: Iterable[str]) -> tuple[ExecTarget, ...]:
        return tuple(dict.fromkeys(self.named(name) for name in names))

    # ------------------------------------------------------------ rules

    def matching(self, call: CallContext) -> Matching:
        """The rules that `call` meets."""
        return self._case(call).matching

    def _case(self, call: CallContext) -> _Case:
        case = self._cases.get(call)
        if case is None:
            if len(self._cases) >= _KEPT:
                self._cases.clear()
            case = self._cases[call] = _Case(self.rules.matching(call))
        return case

    def fallback_of(self, call: CallContext) -> tuple[ExecTarget, ...]:
        """What is tried when the targets of `call` fail, before its own body. Some of it may be forbidden.

        The fallback of the rule that decides it, or else `delegation.fallback`.
        """
        rule = self.matching(call).fallback
        if rule is None or not rule.rule.fallback:
            return self.fallback
        return self._fallbacks[rule.position]

    def targets_of(self, rule: CompiledRule) -> tuple[tuple[ExecTarget, Candidate | None], ...]:
        """The targets that `rule` names, each once, with what the policy says of them."""
        return self._targets[rule.position]

    def chain(
        self, call: CallContext, target: ExecTarget, after: Iterable[ExecTarget], world: World
    ) -> tuple[ExecTarget, ...]:
        """What stands behind `target`: those of `after` that are allowed, each once, up to the function's body.

        The body itself comes last of every chain and is not named.
        """
        judge = self.judge(call, world)
        found: list[ExecTarget] = []
        for other in after:
            if type(other) is LocalPure:
                break
            if other is not target and other != target and other not in found and judge.veto(other) is None:
                found.append(other)
        return tuple(found)

    def chain_after(self, call: CallContext, target: ExecTarget, world: World) -> tuple[ExecTarget, ...]:
        """The allowed fallbacks of `call` behind `target`."""
        return () if type(target) is LocalPure else self.chain(call, target, self.fallback_of(call), world)

    def depends_on_arguments(self, call: CallContext) -> bool:
        """Whether types or size of the arguments, not known yet, may change where `call` runs."""
        matching = self.matching(call)
        doubts = matching.undecided or matching.undecided_hard or matching.undecided_cache
        return bool(doubts) and self._may_leave(call, matching)

    def _may_leave(self, call: CallContext, matching: Matching) -> bool:
        """Whether anything that could decide `call` names a target other than its own body."""
        route = self.static_route(call.fn_symbol)
        if route is not None:
            return type(route[0]) is not LocalPure
        settings = self.policy.settings
        if settings.model_choice.target is not None or settings.remote_rtfs.steps:
            return True
        names = {*settings.fallback, settings.default_target}
        for rule in (matching.choosing, matching.fallback, *matching.undecided):
            if rule is not None:
                names.update(rule.rule.targets, rule.rule.fallback)
        return not names <= {LOCAL_PURE}

    def size_bounds(self, symbol: str) -> tuple[int, ...]:
        """Sizes of arguments, ascending, after each of which a decision about `symbol` may change.

        All sizes above one bound and up to the next are decided alike: a call may be decided by the first bound
        that its size does not exceed, or by the last bound and one if it exceeds all.
        """
        return self.rules.size_bounds(symbol)

    def static_route(self, symbol: str) -> tuple[ExecTarget, Because] | None:
        """Where the first glob of `static_routes` that `symbol` matches sends it."""
        position = self._routes.first(symbol)
        return None if position is None else self._routed[position]

    def cache_tier(self, call: CallContext, target: ExecTarget) -> CacheTier:
        """Where results of `call` are kept if `target` runs it.

        The first matching rule with `cache` says it, and the function's own metadata; of the two the more
        careful counts, and without either it is L2. Where L3 is switched off, only the very same call is known
        again; where L2 is, nothing is, and what runs here is not kept.
        """
        if isinstance(target, LocalPure | L4CacheHit):
            return "none"
        rule = self.matching(call).cache
        by_rule = None if rule is None or rule.rule.cache is None else rule.rule.cache.tier
        by_function = cache_wish(call.facts.function).tier
        said = [tier for tier in (by_rule, by_function) if tier is not None]
        tier: CacheTier = min(said, key=_CAREFUL.index, default="l2")
        if tier == "l3" and "l3" not in self._tiers:
            tier = "l2"
        if tier == "l3" and "l2" not in self._tiers:
            return "none"
        return tier if tier in self._tiers else "none"

    def cache_ttl_s(self, call: CallContext, tier: Literal["l2", "l3"]) -> float:
        """How long results of `call` are kept in `tier`, in seconds: by its rule, its tier, or `cache_ttl`."""
        settings, rule = self.policy.settings, self.matching(call).cache
        of_rule = None if rule is None or rule.rule.cache is None else rule.rule.cache.ttl
        of_tier = (settings.caches.l2 if tier == "l2" else settings.caches.l3).ttl
        return of_rule or of_tier or settings.cache_ttl


class Current:
    """What is in force now: a rulebook and a world. Each is replaced as a whole, never changed."""

    def __init__(self, rulebook: Rulebook, world: World = World()) -> None:  # noqa: B008 - frozen
        self.rulebook = rulebook
        self.world = world

    @property
    def version(self) -> str:
        """Changes whenever a decision may."""
        return f"{self.rulebook.policy.version}.{self.world.version}"
