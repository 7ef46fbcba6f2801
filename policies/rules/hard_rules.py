"""Hard rules: what forbids a target whatever else is said.

    authorization   the target's `tenants` and `permissions`, `security.require`, `deny` of matching rules
    privacy         every label that the arguments may carry must allow the target
    locality        `require_locality` and `require_region` of matching rules
    budget          ceilings for one call, and purses (`policies.rules.money`)
    provider        a target that the policy does not name: nobody serves it
    type            a model that writes its answers can write none of the function's return type

In doubt they forbid:

- What a rule asks of arguments or ambient facts and nobody knows yet counts as met.
- A region that is not known is not the one required, unless the target is this machine itself.
- A remote target without any price could cost anything: under a ceiling or an applicable budget it is forbidden
  until the policy names its `cost_usd` or `max_cost_usd`. Models on this machine are free unless it names one.
- A label that no table defines allows what `security.unknown_label_allow` says: nothing, by default.

The body of the function here, `LocalPure`, is never forbidden: it is what remains when all else is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from policies.context import CallContext
from policies.file.policy import Policy
from policies.plan import Because, HardRule, Rejection
from policies.rules.candidates import DISTANCE_NAMES, DISTANCES, Candidate, place
from policies.rules.globs import GlobSet, matches
from policies.rules.money import Ceiling, Money
from policies.rules.rule_index import CompiledRule, Matching
from policies.targets import target_name
from policies.world import World
from rtfs.delegation import ExecTarget, FunctionInfo, LocalPure, RuntimeFacts
from rtfs.spell import nearest

_KEPT: Final = 4096
#: characters of a type that a reason shows
_SHOWN: Final = 120
_UNSEEN: Final = Rejection(target=LocalPure(), reason="")

#: by target name
type _Verdicts = dict[str, Rejection | None]


class HardRules:
    """The hard rules of one policy. Immutable but for bounded caches.

    Args:
        names: of the targets that the policy names.
    """

    def __init__(self, policy: Policy, names: Collection[str]) -> None:
        self._policy = policy
        self._names = names
        self.money = Money(policy)
        self._judges: tuple[World | None, dict[object, Judge]] = (None, {})
        self._security = policy.settings.security
        self._allow = {label: GlobSet(entry.allow) for label, entry in self._security.privacy.items()}
        self._allow_unknown = GlobSet(self._security.unknown_label_allow)
        self._of_run: dict[tuple[str | None, frozenset[str], frozenset[str]], _Verdicts] = {}

    def judge(
        self,
        call: CallContext,
        matching: Matching,
        world: World,
        find: Callable[[ExecTarget], Candidate | None],
    ) -> Judge:
        """Who says what is forbidden for calls like `call` under `world`."""
        known_in, judges = self._judges
        if known_in is not world or len(judges) >= _KEPT:
            judges = {}
            self._judges = (world, judges)
        facts, ceiling = call.facts, self.ceiling(matching)
        runtime, labels, unanswerable = facts.runtime, facts.labels, no_answer(facts.function)
        key = (runtime.tenant, runtime.plan, runtime.permissions, labels, matching.hard, ceiling, unanswerable)
        judge = judges.get(key)
        if judge is None:
            judge = judges[key] = Judge(
                self, runtime, labels, matching.hard, ceiling, world, find, unanswerable
            )
        return judge

    def ceiling(self, matching: Matching) -> Ceiling | None:
        """The most that a call may cost in dollars, fallbacks included; None if no ceiling is set."""
        return self.money.ceiling(matching)

    # ------------------------------------------------------------ who may use it, and what may go there

    def of_run(self, runtime: RuntimeFacts, labels: frozenset[str]) -> _Verdicts:
        """What forbids targets to a run with such labels, by name; `of_target` fills it."""
        key = (runtime.tenant, runtime.permissions, labels)
        known = self._of_run.get(key)
        if known is None:
            if len(self._of_run) >= _KEPT:
                self._of_run.clear()
            known = self._of_run[key] = {}
        return known

    def of_target(
        self, runtime: RuntimeFacts, labels: frozenset[str], candidate: Candidate
    ) -> Rejection | None:
        """What forbids `candidate` to a run with such labels, whatever it calls."""
        known = self.of_run(runtime, labels)
        if len(known) >= _KEPT:  # targets out of the module cache have ever new names
            known.clear()
        verdict = self._unauthorized(runtime, candidate) or self._private(labels, candidate)
        known[candidate.name] = verdict
        return verdict

    def _unauthorized(self, runtime: RuntimeFacts, candidate: Candidate) -> Rejection | None:
        if candidate.tenants:
            tenant = runtime.tenant
            if tenant is None or not any(matches(glob, tenant) for glob in candidate.tenants):
                who = "a run for no tenant" if tenant is None else f"tenant `{tenant}`"
                because = place(self._policy, f"`{candidate.path}.tenants`", candidate.path, "tenants")
                return _rejected(candidate, "authorization", f"{who} may not use it", because)
        for needed, because in self._needed(candidate):
            missing = sorted(needed - runtime.permissions)
            if missing:
                names = ", ".join(f"`{name}`" for name in missing)
                text = f"it needs the permission {names}, which the run does not have"
                return _rejected(candidate, "authorization", text, because)
        return None

    def _needed(self, candidate: Candidate) -> Iterator[tuple[frozenset[str], Because]]:
        if candidate.permissions:
            what = f"`{candidate.path}.permissions`"
            yield candidate.permissions, place(self._policy, what, candidate.path, "permissions")
        for glob, needed in self._security.require.items():
            if matches(glob, candidate.name):
                yield needed, place(self._policy, f"`security.require.{glob}`", "security.require", glob)

    def _private(self, labels: frozenset[str], candidate: Candidate) -> Rejection | None:
        for label in sorted(labels):
            known = self._allow.get(label)
            if (self._allow_unknown if known is None else known).matches(candidate.name):
                continue
            if known is None:
                named, globs = "the unknown label", self._security.unknown_label_allow
                because = place(
                    self._policy, "`security.unknown_label_allow`", "security", "unknown_label_allow"
                )
            else:
                named, globs = "the label", self._security.privacy[label].allow
                because = place(self._policy, f"privacy label `{label}`", "security.privacy", label, "allow")
            allowed = ", ".join(f"`{glob}`" for glob in ("local-pure", *globs))
            text = f"the arguments may carry {named} `{label}`, which allows only {allowed}"
            return _rejected(candidate, "privacy", text, because)
        return None

    def denied(self, rule: CompiledRule, candidate: Candidate) -> Rejection | None:
        """What a matching rule has against `candidate` by `deny`, locality and region."""
        return _denied(self._policy, rule, candidate)

    def nobody_serves(self, target: ExecTarget) -> Rejection:
        """The rejection of a target that the policy does not name."""
        name = target_name(target)
        likely = nearest(name, self._names)
        hint = f"; did you mean `{likely}`?" if likely else ""
        return Rejection(target=target, reason=f"no provider serves `{name}`{hint}", hard="provider")


class Judge:
    """The hard rules for calls alike, under one world. Remembers its verdicts.

    Calls are alike if they have the same tenant, plan, permissions and labels, meet the same hard rules, have
    the same ceiling, and return what models can write, or what they cannot for the same reason.

    Args:
        find: what the policy says of a target, None if it does not name it.
        unanswerable: why no model can write an answer; None: one can.
    """

    __slots__ = (
        "_ceiling",
        "_find",
        "_hard",
        "_known",
        "_labels",
        "_of_run",
        "_rules",
        "_runtime",
        "_unanswerable",
        "world",
    )

    def __init__(
        self,
        rules: HardRules,
        runtime: RuntimeFacts,
        labels: frozenset[str],
        hard: tuple[CompiledRule, ...],
        ceiling: Ceiling | None,
        world: World,
        find: Callable[[ExecTarget], Candidate | None],
        unanswerable: str | None = None,
    ) -> None:
        self._rules = rules
        self._unanswerable = unanswerable
        self._runtime = runtime
        self._labels = labels
        self._hard = hard
        self._ceiling = ceiling
        self._of_run = rules.of_run(self._runtime, self._labels)
        self._find = find
        self._known: dict[str, Rejection | None] = {}
        self.world = world

    def veto(self, target: ExecTarget) -> Rejection | None:
        """What forbids `target`, None if nothing does."""
        if type(target) is LocalPure:
            return None
        candidate = self._find(target)
        return self._rules.nobody_serves(target) if candidate is None else self.veto_of(candidate)

    def veto_of(self, candidate: Candidate) -> Rejection | None:
        """What forbids `candidate`, None if nothing does."""
        verdict = self._known.get(candidate.name, _UNSEEN)
        if verdict is _UNSEEN:
            verdict = self._known[candidate.name] = self._verdict(candidate)
        return verdict

    def sift(
        self, targets: Iterable[tuple[ExecTarget, Candidate | None]]
    ) -> tuple[list[Candidate], list[Rejection]]:
        """Which of some targets are allowed, and what forbids the others."""
        allowed: list[Candidate] = []
        rejected: list[Rejection] = []
        known = self._known
        for target, candidate in targets:
            if candidate is None:
                rejected.append(self._rules.nobody_serves(target))
                continue
            verdict = known.get(candidate.name, _UNSEEN)
            if verdict is _UNSEEN:
                verdict = self.veto_of(candidate)
            if verdict is None:
                allowed.append(candidate)
            else:
                rejected.append(verdict)
        return allowed, rejected

    def _verdict(self, candidate: Candidate) -> Rejection | None:
        if type(candidate.target) is LocalPure:
            return None
        verdict = self._of_run.get(candidate.name, _UNSEEN)
        if verdict is _UNSEEN:
            verdict = self._rules.of_target(self._runtime, self._labels, candidate)
        if verdict is not None:
            return verdict
        if self._unanswerable is not None and candidate.writes:
            return _rejected(candidate, "type", self._unanswerable, candidate.because)
        for rule in self._hard:
            verdict = self._rules.denied(rule, candidate)
            if verdict is not None:
                return verdict
        return self._rules.money.veto(candidate, self._runtime, self._ceiling, self.world)


def no_answer(function: FunctionInfo) -> str | None:
    """Why no model can write what `function` returns; None if one can."""
    returns = function.return_type
    if returns == "any":
        return None
    from rtfs.types.answerable import unsupported_text

    found = unsupported_text(returns, tuple(sorted(function.aliases.items())))
    if found is None:
        return None
    part, why = found
    where = "" if part == returns else f" in return type `{_short(returns)}`"
    return f"{'return type ' if not where else ''}`{_short(part)}`{where}: {why}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _denied(policy: Policy, rule: CompiledRule, candidate: Candidate) -> Rejection | None:
    """What a matching rule has against `candidate` by `deny`, locality and region."""
    asked = rule.rule
    if asked.deny and any(matches(glob, candidate.name) for glob in asked.deny):
        return _rejected(candidate, "authorization", f"{rule.label} denies it", _at(policy, rule, "deny"))
    wanted = asked.require_locality
    if wanted is not None and candidate.distance > DISTANCES[wanted]:
        here, there = DISTANCE_NAMES[DISTANCES[wanted]], DISTANCE_NAMES[candidate.distance]
        text = f"it runs at {there}, and data may go no farther than {here}"
        return _rejected(candidate, "locality", text, _at(policy, rule, "require_locality"))
    regions = asked.require_region
    if regions and candidate.region not in regions and (candidate.region is not None or candidate.distance > 0):
        where = (
            "in a region that the policy does not name"
            if candidate.region is None
            else f"in `{candidate.region}`"
        )
        allowed = ", ".join(f"`{region}`" for region in sorted(regions))
        text = f"it runs {where}, and data must stay in {allowed}"
        return _rejected(candidate, "locality", text, _at(policy, rule, "require_region"))
    return None


def _at(policy: Policy, rule: CompiledRule, key: str) -> Because:
    return place(policy, rule.label, "rules", str(rule.position), key)


def _rejected(candidate: Candidate, hard: HardRule, reason: str, because: Because) -> Rejection:
    return Rejection(target=candidate.target, reason=reason, hard=hard, because=because)
