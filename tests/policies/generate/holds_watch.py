"""Watches delegated calls while programs run, and holds all that is done against the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from holds_forms import Function
from holds_oracle import Money, Oracle, Seen, micro, size

from policies.dry_route import Case, FunctionRoute
from policies.plan import DelegationPlan
from policies.running.runner import Allowance, CallRecord
from policies.targets import target_name
from rtfs.delegation import BY_ARGUMENTS, ByArguments, ExecTarget, FunctionInfo, LocalPure
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value, type_name

#: refusals that depend on what explanations are not told: who is there to carry calls out, what a run permits
SURROUNDINGS = frozenset({"runner", "effect"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Something that must not happen."""

    kind: str
    text: str
    policy: str


@dataclass(slots=True, kw_only=True)
class Frame:
    """One call of a function for which something stands."""

    function: FunctionInfo
    args: tuple[Value, ...]
    body: Callable[..., Value]
    #: what was explained before; None: nothing was for such arguments
    expected: DelegationPlan | None
    by_arguments: bool
    #: whether nothing has happened since the explanation that a decision may depend on
    is_fresh: bool
    #: whether policy, world and what was learnt are those that were explained
    is_stable: bool
    began: float
    spent: int = 0
    tried: list[str] = field(default_factory=list)
    failed: bool = False
    record: CallRecord | None = None


class Watch:
    """What was seen so far, and everything that was wrong with it."""

    def __init__(self, now: Callable[[], float], wall: Callable[[], float]) -> None:
        self.now = now
        self.wall = wall
        self.oracle: Oracle = Oracle("[delegation]")
        self.prices: Mapping[str, float] = {}
        #: what others spent, by purse
        self.others: Mapping[Any, int] = {}
        self.money = Money()
        self.functions: Mapping[str, Function] = {}
        self.facts = RuntimeFacts()
        self.denied_effects = False
        self.stack: list[Frame] = []
        self.violations: list[Violation] = []
        self.counts: Counter[str] = Counter()
        self.cases: set[int] = set()
        self.over: Counter[str] = Counter()
        self.where: tuple[object, ...] = ()
        self.tries = 0
        #: grows with all that a decision or an admission may depend on
        self.events = 0
        #: grows when policy, world or what was learnt change
        self.changes = 0
        #: explains a call with such arguments, where more than rules may look at their kind
        self.explains_call: Callable[[FunctionInfo, tuple[Value, ...]], DelegationPlan] | None = None
        self._explained: dict[tuple[str, str], FunctionRoute] = {}
        self._explained_at = (0, 0)
        #: whether the engine leaves out targets that are down; else only the breaker does
        self.looks_at_health = True
        #: whether another policy came into force in the middle of the run
        self.reloaded = False
        #: whether the world that decisions see was made since the last run
        self.is_current = True
        self.revision: Callable[[], object] = lambda: None
        self._revision: object = None

    def wrong(self, kind: str, text: str) -> None:
        self.violations.append(Violation(kind=kind, text=text, policy=self.oracle.text))

    # ------------------------------------------------------------ explanations

    def explained(self, routes: list[FunctionRoute]) -> None:
        """Take what was explained for the next run."""
        self._explained = {(each.function.symbol, each.function.ir_hash): each for each in routes}
        self._explained_at = (self.events, self.changes)
        self.reloaded = False
        self._revision = self.revision()
        self.counts["functions explained"] += len(routes)

    def _expected(
        self, function: FunctionInfo, args: tuple[Value, ...], linked: ExecTarget | ByArguments
    ) -> DelegationPlan | None:
        route = self._explained.get((function.symbol, function.ir_hash))
        if route is None:
            return None
        if route.function != function:
            self.wrong("explain", f"told about {route.function}, explained {function}")
        asks = linked is BY_ARGUMENTS or function.hint is not None
        if asks and function.variadic and len(args) != len(function.parameters):
            return None  # explained are calls as the first arity takes them
        if linked is BY_ARGUMENTS and self.explains_call is not None:
            return self.explains_call(function, args)
        if not route.cases:
            return route.explanation.plan
        case = next((each for each in route.cases if _is_like(each, args)), None)
        return None if case is None else case.explanation.plan

    # ------------------------------------------------------------ calls

    def enter(
        self,
        function: FunctionInfo,
        args: tuple[Value, ...],
        body: Callable[..., Value],
        linked: ExecTarget | ByArguments,
    ) -> Frame:
        stable = self._explained_at[1] == self.changes and self.revision() == self._revision
        frame = Frame(
            function=function,
            args=args,
            body=body,
            expected=self._expected(function, args, linked),
            by_arguments=linked is BY_ARGUMENTS,
            is_fresh=stable and self.is_current and self._explained_at[0] == self.events,
            is_stable=stable,
            began=self.now(),
        )
        self.stack.append(frame)
        self.counts["calls"] += 1
        self.cases.add(
            hash(
                (
                    self.where,
                    function.symbol,
                    function.ir_hash,
                    function.labels,
                    tuple(map(type_name, args)),
                    sum(map(size, args)),
                    self.facts.key(),
                    tuple(sorted(self.money.spent.items())),
                )
            )
        )
        return frame

    def leave(self, frame: Frame) -> None:
        assert self.stack.pop() is frame
        record, plan = frame.record, frame.expected
        if record is None:
            self.counts["calls that stay"] += 1
            if frame.is_stable and plan is not None and not plan.is_local:
                self.wrong("explain", f"{_of(frame)} stayed here, explained was {_plan(plan)}")
            return
        self._count(frame, record)
        done = [attempt for attempt in record.history if attempt.result in ("answered", "unsure", "failed")]
        if [target_name(attempt.target) for attempt in done] != frame.tried:
            self.wrong("record", f"{_of(frame)} tried {frame.tried}, the record says {record.history}")
        if record.spent != frame.spent:
            self.wrong("record", f"{_of(frame)} cost {frame.spent}, the record says {record.spent}")
        if not frame.failed and record.answered_by is not None and frame.tried:
            answered = target_name(record.answered_by)
            if answered != frame.tried[-1]:
                self.wrong("record", f"{_of(frame)}: {answered} answered, nothing failed of {frame.tried}")
        if plan is None:
            self.counts["calls not explained"] += 1
        else:
            self._agrees(frame, record, plan)

    def _agrees(self, frame: Frame, record: CallRecord, plan: DelegationPlan) -> None:
        """Whether what was done is what had been explained."""
        done = record.plan
        as_linked = not frame.by_arguments and frame.function.hint is None
        if (frame.is_stable or as_linked) and done.target != plan.target:
            self.wrong("explain", f"{_of(frame)} went by {_plan(done)}, explained was {_plan(plan)}")
        if not frame.is_stable:
            return
        self.counts["calls as explained"] += 1
        if done.chain != plan.chain:
            self.wrong("explain", f"{_of(frame)} went by {_plan(done)}, explained was {_plan(plan)}")
        if not record.history:
            return
        first = record.history[0]
        if first.target != plan.target:
            self.wrong("explain", f"{_of(frame)} began with {first}, explained was {_plan(plan)}")
        refused = first.result in ("refused", "passed-over") and first.cause not in SURROUNDINGS
        if frame.is_fresh:
            self.counts["calls as explained, nothing having happened"] += 1
            if refused and (self.looks_at_health or first.cause != "breaker"):
                self.wrong("explain", f"{_of(frame)}: {first}, explained was {_plan(plan)}")
        hard = {target_name(each.target) for each in plan.rejected if each.hard is not None}
        if hard & set(frame.tried):
            self.wrong("explain", f"{_of(frame)} tried {frame.tried}, rejected were {hard}")

    def _count(self, frame: Frame, record: CallRecord) -> None:
        counts, plan = self.counts, record.plan
        counts["calls delegated"] += 1
        counts[f"stage {plan.stage}"] += 1
        if frame.by_arguments:
            counts["calls decided by arguments"] += 1
        if frame.function.hint is not None:
            counts["hints followed" if plan.stage == "hint" else "hints vetoed"] += 1
        if plan.chain:
            counts["chains"] += 1
        for rejection in plan.rejected:
            counts[f"vetoed in plan: {rejection.hard or 'other'}"] += 1
        for attempt in record.history:
            counts[f"try {attempt.result}: {attempt.cause}" if attempt.cause else f"try {attempt.result}"] += 1
        if len(frame.tried) > 1:
            counts["fallbacks tried"] += 1
        if record.answered_by is None:
            counts["broken off"] += 1
        elif isinstance(record.answered_by, LocalPure):
            counts["own body at last"] += 1

    # ------------------------------------------------------------ tries

    def seen(self, frame: Frame, allowance: Allowance) -> Seen:
        function = frame.function
        known = self.functions.get(function.symbol)
        return Seen(
            symbol=function.symbol,
            args=frame.args,
            facts=allowance.facts,
            capabilities=function.capabilities,
            annotated=frozenset() if known is None else known.annotated,
            found=function.labels,
        )

    def tried(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> tuple[Frame, list[tuple[Any, int]], int | None]:
        """A target got a call. Answers the purses that pay, and what is reserved out of each."""
        frame, name = self.stack[-1], target_name(target)
        self.tries += 1
        self.counts[f"tries of {name.partition('-')[0]} targets"] += 1
        same = (frame.function.symbol, frame.function.ir_hash) == (function.symbol, function.ir_hash)
        if not same or frame.args != args:
            self.wrong("record", f"{name} got {function.symbol} {args}, called was {_of(frame)}")
        if allowance.facts != self.facts:
            self.wrong("authorization", f"{_of(frame)} ran for {allowance.facts}, not {self.facts}")
        if self.denied_effects and not name.startswith("l4-"):
            self.wrong("authorization", f"{_of(frame)} went to {name} though models may not be called")
        money = Money(spent=dict(self.money.spent), reserved=self.money.reserved)
        for purse, spent in self.others.items():
            money.spent[purse] = max(spent, money.taken(purse)) - money.reserved.get(purse, 0)
        call = self.seen(frame, allowance)
        for against in self.oracle.against(
            name, call, now=self.wall(), prices=self.prices, money=money, chain_spent=frame.spent
        ):
            if against.kind in ("analysis", "ceiling") and self.reloaded:
                continue  # labels are those of the link; which rule decides may depend on them
            self.wrong(against.kind, f"{_of(frame)} went to {name}: {against.why}")
        if name in frame.tried:
            self.wrong("record", f"{_of(frame)} went to {name} twice")
        frame.tried.append(name)
        self.events += 1  # one call more is under way
        self._in_time(frame, allowance)
        try:
            bound = self.oracle.bound(name, self.prices)
        except KeyError:  # nobody serves it, which was noted
            bound = None
        ceiling = self.oracle.ceiling(call)
        left = None if ceiling is None else micro(ceiling) - frame.spent
        allowed = None if allowance.max_cost_usd is None else micro(allowance.max_cost_usd)
        if left is not None and not self.reloaded and (allowed is None or allowed > max(0, left)):
            self.wrong("ceiling", f"{_of(frame)} may cost {allowed} on {name}, {left} are left")
        purses = list(self.oracle.purses(name, allowance.facts, self.wall()))
        reserved = 0 if bound is None else micro(bound)
        for purse, _ in purses:
            self.money.reserved[purse] = self.money.reserved.get(purse, 0) + reserved
        return frame, purses, None if bound is None else reserved

    def _in_time(self, frame: Frame, allowance: Allowance) -> None:
        raw = self.oracle.raw
        left_s = frame.began + raw.get("timeout_ms", 60_000.0) / 1000 - self.now()
        if (
            frame.is_stable
            and self._explained_at[1] == self.changes
            and not 0 < allowance.timeout_s <= left_s + 1e-9
        ):
            self.wrong("deadline", f"{_of(frame)} may take {allowance.timeout_s} s, {left_s} are left")

    def paid(self, frame: Frame, name: str, purses: list[tuple[Any, int]], reserved: int, cost: int) -> None:
        """A try is over and did cost so much."""
        frame.spent += cost
        for purse, _ in purses:
            self.money.reserved[purse] -= reserved
            self.money.spent[purse] = self.money.spent.get(purse, 0) + cost
        if cost > reserved:
            self.over[name] += 1
            self.counts["bills above what was reserved"] += 1
        self.events += 1


def _is_like(case: Case, args: tuple[Value, ...]) -> bool:
    """Whether a call with `args` is of the kind that a case is about."""
    if len(case.types) != len(args):
        return False
    if not all(shown in ("any", "other", type_name(arg)) for shown, arg in zip(case.types, args, strict=True)):
        return False
    if case.sizes is None:
        return True
    low, high = case.sizes
    return low <= sum(map(size, args)) and (high is None or sum(map(size, args)) <= high)


def _of(frame: Frame) -> str:
    return f"`{frame.function.symbol}` {frame.args!r:.300}"


def _plan(plan: DelegationPlan) -> str:
    chain = [target_name(target) for target in plan.chain]
    return f"{target_name(plan.target)} then {chain} by {plan.stage}"


EMPTY: Mapping[Any, int] = MappingProxyType({})
