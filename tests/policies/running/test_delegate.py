"""Programs linked with a policy, on both backends: who is called, what it costs, and what is fallen back on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtfs
from policies.context import DelegationMetadata
from policies.engines.policy import PolicyEngine
from policies.engines.standard import standard_engine
from policies.errors import NotSent, TargetFailed
from policies.file.load import load_policy
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current, Rulebook
from policies.running import observe
from policies.running.chain import Attempt
from policies.running.delegate import PolicyDelegate
from policies.running.health import CAUSES, HealthTracker
from policies.running.ledger import Ledger
from policies.running.observe import MemoryMeter
from policies.running.runner import Allowance, CallRecord, Clock, Observation, Outcome, runner_for
from policies.world import BudgetKey, TargetState, World
from rtfs import errors
from rtfs.delegation import (
    BY_ARGUMENTS,
    ExecTarget,
    FunctionInfo,
    L4CacheHit,
    LocalModel,
    LocalPure,
    RemoteModel,
)
from rtfs.program import BackendName
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Keyword, Value

BACKENDS: tuple[BackendName, ...] = ("python", "interpreter")
A, B = RemoteModel("a"), RemoteModel("b")
PROVIDERS = """
[delegation.remote_providers]
remote-a = { endpoint = "https://a.example", cost_usd = 0.01, max_cost_usd = 0.04, timeout = 5000 }
remote-b = { endpoint = "https://b.example", cost_usd = 0.01 }
[delegation.local_models]
tiny = { path = "tiny.gguf" }
"""
#: `f` goes to a, then to b
ROUTED = """
[delegation]
[[delegation.rules]]
symbols = ["f"]
targets = ["remote-a", "remote-b"]
"""


class Time:
    """Two clocks that go only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, wall=lambda: 1_000_000.0 + self.now)


type Answer = Callable[[tuple[Value, ...]], Outcome]


@dataclass
class Targets:
    """A runner for all targets: what each answers, and the calls it got."""

    answers: Mapping[str, Answer]
    calls: list[tuple[str, tuple[Value, ...]]] = field(default_factory=list)
    allowances: list[Allowance] = field(default_factory=list)

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        assert isinstance(target, RemoteModel | LocalModel)
        self.calls.append((target.id, args))
        self.allowances.append(allowance)
        return self.answers[target.id](args)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def gives(value: Value, **more: Any) -> Answer:
    return lambda args: Outcome(value=value, **more)


def fails(cause: str, **more: Any) -> Answer:
    def answer(args: tuple[Value, ...]) -> Outcome:
        raise TargetFailed(cause, **more)

    return answer


def breaks(error: BaseException) -> Answer:
    def answer(args: tuple[Value, ...]) -> Outcome:
        raise error

    return answer


def slowly(time: Time, seconds: float, then: Answer) -> Answer:
    def answer(args: tuple[Value, ...]) -> Outcome:
        time.now += seconds
        return then(args)

    return answer


class Setting:
    """A policy, targets, and everything around them."""

    def __init__(
        self,
        policy: str = ROUTED,
        time: Time | None = None,
        metadata: Callable[[FunctionInfo, RuntimeFacts], DelegationMetadata | None] | None = None,
        before_body: Callable[[str, tuple[Attempt, ...]], None] | None = None,
        **answers: Answer,
    ) -> None:
        self.time = time or Time()
        self.policy = load_policy(policy + PROVIDERS)
        self.current = Current(Rulebook(self.policy), World(now=1_000_000.0))
        self.targets = Targets(answers)
        self.meter = MemoryMeter()
        self.health = HealthTracker(self.policy.settings.health)
        self.ledger = Ledger()
        self.records: list[CallRecord] = []
        self.observed: list[Observation] = []
        self.delegate = PolicyDelegate(
            standard_engine(self.current),
            self.current,
            {"remote": self.targets, "local-model": self.targets},
            self.time.clock,
            ledger=self.ledger,
            health=self.health,
            meter=self.meter,
            observe=self.observed.append,
            audit=self.records.append,
            metadata=metadata,
            before_body=before_body,
        )

    def run(self, text: str, backend: BackendName = "python", context: RuntimeContext | None = None) -> Value:
        context = context or RuntimeContext.full()
        return rtfs.compile(text).link(self.delegate, context, backend).run(context=context)

    def attempts(self) -> list[tuple[str, str]]:
        """Result and cause of every attempt of the only call."""
        (record,) = self.records
        return [(attempt.result, attempt.cause) for attempt in record.history]


DOUBLED = "(defn f [x] (* 2 x)) (f 21)"


# ---------------------------------------------------------------- metadata


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("plan", "confidence", "names"), [("p", 0.9, ["b"]), ("p", 0.1, []), ("other", 0.9, [])]
)
def test_what_a_planner_says_reaches_decision_and_audit(
    backend: BackendName, plan: str, confidence: float, names: list[str]
) -> None:
    def said(function: FunctionInfo, facts: RuntimeFacts) -> DelegationMetadata | None:
        if facts.plan != "p" or function.symbol != "f":
            return None
        return DelegationMetadata(target="remote-b", confidence=confidence, reasoning="tried it yesterday")

    setting = Setting("[delegation]", b=gives(2), metadata=said)
    context = replace(RuntimeContext.full(), facts=RuntimeFacts(plan=plan))
    assert setting.run(DOUBLED, backend, context) == (2 if names else 42)
    assert setting.targets.names == names
    reasons = [record.plan.metadata["delegation_metadata"]["reasoning"] for record in setting.records]
    assert reasons == ["tried it yesterday"] * len(names)


# ---------------------------------------------------------------- before the body


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_is_asked_before_the_body_may_end_the_call(backend: BackendName) -> None:
    asked: list[tuple[str, list[str]]] = []

    def refuse(symbol: str, history: tuple[Attempt, ...]) -> None:
        asked.append((symbol, [attempt.cause for attempt in history]))
        raise errors.BudgetExhausted("deferred", "later")

    setting = Setting(before_body=refuse, a=fails("timeout"), b=fails("crashed"))
    with pytest.raises(errors.BudgetExhausted):
        setting.run("(try (do (defn f [x] (* 2 x)) (f 21)) (catch _ e 0))", backend)
    assert asked == [("f", ["timeout", "crashed"])]
    (record,) = setting.records  # the audit knows of the call all the same
    assert record.answered_by == LocalPure()
    assert {name: setting.health.record(name).in_flight for name in ("remote-a", "remote-b")} == {
        "remote-a": 0,
        "remote-b": 0,
    }


def test_who_says_nothing_before_the_body_lets_it_run() -> None:
    asked: list[str] = []
    setting = Setting(before_body=lambda symbol, history: asked.append(symbol), a=fails("timeout"), b=gives(2))
    assert (setting.run(DOUBLED), asked) == (2, [])  # there was an answer
    setting.targets.answers = {"a": fails("timeout"), "b": fails("timeout")}
    assert (setting.run(DOUBLED), asked) == (42, ["f"])


def test_an_error_of_the_program_itself_is_no_want_of_an_answer() -> None:
    asked: list[str] = []
    setting = Setting(before_body=lambda symbol, history: asked.append(symbol), a=breaks(errors.Generic("no")))
    with pytest.raises(errors.Generic):
        setting.run(DOUBLED)
    assert asked == []


# ---------------------------------------------------------------- who answers


ANSWERS: list[tuple[dict[str, Answer], Value, list[str], list[tuple[str, str]]]] = [
    ({"a": gives(1)}, 1, ["a"], [("answered", "")]),
    ({"a": gives(None)}, None, ["a"], [("answered", "")]),
    ({"a": fails("timeout"), "b": gives(2)}, 2, ["a", "b"], [("failed", "timeout"), ("answered", "")]),
    (
        {"a": fails("timeout"), "b": fails("out-of-memory")},
        42,
        ["a", "b"],
        [("failed", "timeout"), ("failed", "out-of-memory")],
    ),
    (
        {"a": breaks(ConnectionResetError("reset")), "b": breaks(KeyError("text"))},
        42,
        ["a", "b"],
        [("failed", "unknown"), ("failed", "unknown")],
    ),
    ({"a": gives(object()), "b": gives(2)}, 2, ["a", "b"], [("failed", "bad-reply"), ("answered", "")]),
    ({"a": gives(2**70), "b": gives(2)}, 2, ["a", "b"], [("failed", "bad-reply"), ("answered", "")]),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("answers", "value", "names", "attempts"), ANSWERS)
def test_a_call_goes_along_its_chain_and_never_fails_for_a_target(
    answers: dict[str, Answer],
    value: Value,
    names: list[str],
    attempts: list[tuple[str, str]],
    backend: BackendName,
) -> None:
    setting = Setting(**answers)
    assert setting.run(DOUBLED, backend) == value
    assert setting.targets.names == names
    assert setting.attempts() == attempts
    answered_by = setting.records[0].answered_by
    assert answered_by == (LocalPure() if value == 42 else (A, B)[len(names) - 1])
    assert all(state.in_flight == 0 for state in setting.health.states(1e6).values())


#: declared return type, reply, whether it is of that type
REPLIES = [
    (":string", "yes", True),
    (":string", 1, False),
    (":int", 1.0, False),
    (":[:vector int]", [1, 2], True),
    (":[:vector int]", [1, "2"], False),
    (":[:enum :yes :no]", Keyword.of("yes"), True),
    (":[:enum :yes :no]", "yes", False),
    (":[:and int [:> 3]]", 4, True),
    (":[:and int [:> 3]]", 3, False),
    (":[:map [:name string]]", {}, False),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("declared", "reply", "fits"), REPLIES)
def test_replies_are_held_against_the_declared_type(
    declared: str, reply: Value, fits: bool, backend: BackendName
) -> None:
    setting = Setting(a=gives(reply, cost_usd=0.03), b=fails("timeout"))
    text = f"(defn f [x] {declared} (throw {{:type :own-body}})) (f 1)"
    if fits:
        setting.run(text, backend)
        assert setting.targets.names == ["a"]
        return
    with pytest.raises(errors.ApplicationError):
        setting.run(text, backend)
    assert setting.attempts() == [("failed", "bad-reply"), ("failed", "timeout")]
    assert setting.health.record("remote-a").failures_in_row == 1
    assert setting.records[0].history[0].cost == 30_000  # a bad reply is paid for


@pytest.mark.parametrize("backend", BACKENDS)
def test_errors_of_the_program_pass(backend: BackendName) -> None:
    own = Setting(a=fails("timeout"), b=fails("timeout"))
    with pytest.raises(errors.DivisionByZero):
        own.run("(defn f [x] (/ x 0)) (f 1)", backend)
    there = Setting(a=breaks(errors.DivisionByZero()), b=gives(2))
    with pytest.raises(errors.DivisionByZero):
        there.run(DOUBLED, backend)
    assert there.attempts() == [("failed", "program-error")]
    assert there.records[0].answered_by is None
    assert there.health.record("remote-a").failures_in_row == 0
    caught = Setting(a=breaks(errors.DivisionByZero()))
    assert caught.run("(defn f [x] x) (try (f 1) (catch _ e 7))", backend) == 7


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_wrong_number_of_arguments_is_the_functions_own_error(backend: BackendName) -> None:
    setting = Setting(a=gives(1))
    with pytest.raises(errors.ArityMismatch) as raised:
        setting.run("(defn f [x] x) (f 1 2)", backend)
    assert (raised.value.function, raised.value.expected, raised.value.actual) == ("f", "1", 2)
    assert setting.targets.calls == []


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), errors.BudgetExhausted("cancelled", "x"), RecursionError()]
)
def test_a_call_that_is_broken_off_leaves_the_books_in_order(error: BaseException) -> None:
    setting = Setting(ROUTED + BUDGET, a=breaks(error), b=gives(2))
    # the border makes errors of RTFS of some
    with pytest.raises((KeyboardInterrupt, errors.LimitError)):
        setting.run(DOUBLED)
    assert setting.targets.names == ["a"]
    assert setting.health.record("remote-a").in_flight == 0
    assert setting.health.record("remote-a").window == ()
    assert dict(setting.ledger.taken) == dict(setting.ledger.spent()) == {PURSE: 40_000}
    assert setting.records[0].answered_by is None
    assert setting.meter.counter(observe.CALLS, target="remote-a", result="broken-off") == 1


# ---------------------------------------------------------------- confidence

UNSURE = ROUTED + "min_confidence = 0.8\n"


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        (gives(1, confidence=0.9), gives(2), 1),
        (gives(1, confidence=0.3), gives(2, confidence=0.9), 2),
        (gives(1, confidence=0.3), gives(2), 2),
        (gives(1, confidence=0.3), fails("timeout"), 1),
        (gives(1, confidence=0.3), gives(2, confidence=0.2), 1),
        (gives("no int", confidence=0.9), gives(2, confidence=0.2), 2),
    ],
)
def test_an_unsure_answer_escalates(a: Answer, b: Answer, value: Value) -> None:
    setting = Setting(UNSURE, a=a, b=b)
    assert setting.run("(defn f [x] :int (* 2 x)) (f 21)") == value


# ---------------------------------------------------------------- money

BUDGET = '[delegation.budgets.all]\nscope = "all"\nlimit_usd = 0.1\nwindow = "forever"\n'
PURSE = BudgetKey("all", "", 0)


def test_money_is_reserved_and_settled() -> None:
    seen: list[dict[BudgetKey, int]] = []

    def a(args: tuple[Value, ...]) -> Outcome:
        seen.append(dict(setting.ledger.taken))
        return Outcome(value=1, cost_usd=0.015)

    setting = Setting(ROUTED + BUDGET, a=a)
    assert setting.run(DOUBLED) == 1
    assert seen == [{PURSE: 40_000}]
    assert dict(setting.ledger.taken) == {PURSE: 15_000}
    assert setting.meter.counter(observe.COST, target="remote-a") == 15_000
    assert setting.meter.counter(observe.OVER_RESERVATION) == 0


def test_a_purse_that_runs_empty_in_the_middle_of_a_run() -> None:
    setting = Setting(ROUTED + BUDGET, a=gives(1, cost_usd=0.03), b=gives(2, cost_usd=0.01))
    answers = setting.run("(defn f [x] (* 2 x)) (map f [1 2 3 4 5 6])")
    # 0.03 + 0.03 leave 0.04 for a; then b, whose bound is its price, as often as it fits; then the body
    assert answers.to_list() == [1, 1, 1, 2, 10, 12]
    assert setting.ledger.taken[PURSE] == 100_000
    assert {attempt.cause for attempt in setting.records[-1].history} == {"budget"}


def test_what_costs_more_than_its_bound_is_booked_and_counted() -> None:
    setting = Setting(ROUTED + BUDGET, a=gives(1, cost_usd=5.0))
    assert setting.run("(defn f [x] (* 2 x)) [(f 21) (f 21)]").to_list() == [1, 42]
    assert setting.ledger.taken[PURSE] == 5_000_000
    assert setting.meter.counter(observe.OVER_RESERVATION, target="remote-a") == 1


@pytest.mark.parametrize("cost_usd", [float("nan"), float("inf"), -1.0])
def test_a_cost_that_is_no_money_counts_as_the_bound(cost_usd: float) -> None:
    setting = Setting(ROUTED + BUDGET, a=gives(1, cost_usd=cost_usd))
    assert setting.run(DOUBLED) == 1
    assert setting.ledger.taken[PURSE] == 40_000


def test_one_amount_of_money_for_a_whole_chain() -> None:
    policy = ROUTED + "max_cost_usd = 0.045\n"
    setting = Setting(policy, a=fails("timeout", cost_usd=0.04), b=gives(2))
    assert setting.run(DOUBLED) == 42
    assert setting.attempts() == [("failed", "timeout"), ("passed-over", "money")]
    assert setting.targets.allowances[0].max_cost_usd == 0.045


@pytest.mark.parametrize(("price", "causes"), [(0.02, ["timeout", ""]), (0.03, ["timeout", "budget"])])
def test_a_price_that_rises_meanwhile_is_held_against_the_money_left(price: float, causes: list[str]) -> None:
    def dear(args: tuple[Value, ...]) -> Outcome:
        world = setting.current.world
        setting.current.world = replace(world, version=1, prices_usd={"remote-b": price})
        raise TargetFailed("timeout", cost_usd=0.02)

    setting = Setting(ROUTED + "max_cost_usd = 0.045\n", a=dear, b=gives(2))
    assert setting.run(DOUBLED) == (42 if causes[1] else 2)
    assert [cause for _, cause in setting.attempts()] == causes


def test_what_others_spent_counts() -> None:
    setting = Setting(ROUTED + BUDGET, a=gives(1), b=gives(2))
    (info,) = [info for _, info in functions(rtfs.compile("(defn f [x] (* 2 x))"))]
    stub = setting.delegate.bind(info, A, RuntimeFacts(), lambda x: 2 * x)
    assert stub(21) == 1
    setting.current.world = replace(setting.current.world, spent={PURSE: 95_000})
    assert stub(21) == 42
    assert {attempt.cause for attempt in setting.records[-1].history} == {"budget"}


def test_a_ledger_of_its_own_begins_with_what_the_world_says() -> None:
    setting = Setting(ROUTED + BUDGET)
    setting.current.world = replace(setting.current.world, spent={PURSE: 50_000})
    engine = PolicyEngine(setting.current)
    delegate = PolicyDelegate(engine, setting.current, {}, setting.time.clock)
    assert dict(delegate.services.ledger.taken) == {PURSE: 50_000}


def test_an_engine_that_knows_no_hard_rules_is_put_behind_them() -> None:
    class Careless(PolicyEngine):
        def plan(self, call: Any) -> DelegationPlan:
            return DelegationPlan(target=A, chain=(B,), stage="rule")

    setting = Setting('[delegation]\n[[delegation.rules]]\ndeny = ["remote-a"]\n', a=gives(1), b=gives(2))
    engine = Careless(setting.current)
    delegate = PolicyDelegate(engine, setting.current, {"remote": setting.targets}, setting.time.clock)
    assert rtfs.compile(DOUBLED).link(delegate).run() == 2
    hinted = '(defn f ^:delegation :remote "a" [x] (* 2 x)) (f 21)'
    assert rtfs.compile(hinted).link(delegate).run() == 42


def test_many_threads_keep_within_a_budget() -> None:
    setting = Setting(ROUTED + BUDGET, a=gives(1, cost_usd=0.02), b=fails("cancelled"))
    linked = rtfs.compile("(defn f [x] 0) (reduce + (map f (range 25)))").link(setting.delegate)
    totals: list[int] = []
    threads = [threading.Thread(target=lambda: totals.append(linked.run())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(totals) == 4
    assert sum(totals) <= 5
    assert setting.ledger.taken[PURSE] == sum(totals) * 20_000 <= 100_000


# ---------------------------------------------------------------- health


def test_a_breaker_opens_and_lets_a_trial_through_later() -> None:
    answers: list[Answer] = [fails("auth")] + [gives(1)] * 9
    setting = Setting(a=lambda args: answers.pop(0)(args), b=gives(2))
    linked = rtfs.compile(DOUBLED).link(setting.delegate)
    assert [linked.run(), linked.run()] == [2, 2]
    assert setting.targets.names == ["a", "b", "b"]
    assert (setting.records[1].history[0].result, setting.records[1].history[0].cause) == ("refused", "breaker")
    setting.time.now += 300.0
    assert [linked.run(), linked.run()] == [1, 1]
    assert setting.meter.by_label(observe.FALLBACKS, "cause") == {"auth": 1, "breaker": 1}


def test_a_call_that_was_not_sent_says_nothing_about_its_target() -> None:
    def full(args: tuple[Value, ...]) -> Outcome:
        raise NotSent("overloaded", "no room here")

    setting = Setting(ROUTED + BUDGET, a=full, b=gives(2))
    linked = rtfs.compile(DOUBLED).link(setting.delegate)
    assert [linked.run() for _ in range(10)] == [2] * 10
    assert setting.targets.names == ["a", "b"] * 10
    record = setting.health.record("remote-a")
    assert (record.circuit, record.failures_in_row, record.in_flight, record.window) == ("closed", 0, 0, ())
    assert setting.observed[0].cause == "overloaded"
    assert setting.meter.by_label(observe.FALLBACKS, "cause") == {"overloaded": 10}


def test_what_a_refused_try_reserved_is_free_again() -> None:
    setting = Setting(ROUTED + BUDGET, a=fails("auth"), b=fails("auth"))
    linked = rtfs.compile(DOUBLED).link(setting.delegate)
    assert [linked.run(), linked.run()] == [42, 42]
    assert dict(setting.ledger.taken) == {PURSE: 0}


def test_retry_after_is_heard() -> None:
    setting = Setting(a=fails("rate-limited", retry_after_s=77.0), b=gives(2))
    setting.run(DOUBLED)
    assert setting.health.record("remote-a").retry_at == 1_000_077.0


def test_the_policy_in_force_says_what_is_unhealthy() -> None:
    setting = Setting(a=fails("timeout"), b=gives(2))
    stricter = load_policy(ROUTED + "[delegation.health]\nconsecutive_failures = 1\n" + PROVIDERS)
    setting.current.rulebook = Rulebook(stricter)
    setting.run(DOUBLED)
    assert setting.health.record("remote-a").circuit == "open"


# ---------------------------------------------------------------- time


def test_one_deadline_for_a_whole_chain() -> None:
    time = Time()
    policy = ROUTED.replace("[delegation]", "[delegation]\ntimeout_ms = 8000")
    setting = Setting(
        policy, time, a=slowly(time, 5.0, fails("timeout")), b=slowly(time, 4.0, fails("timeout"))
    )
    assert setting.run(DOUBLED) == 42
    assert [allowance.timeout_s for allowance in setting.targets.allowances] == [5.0, 3.0]
    assert [attempt.latency_ms for attempt in setting.records[0].history] == [5000.0, 4000.0]
    assert setting.records[0].took_ms == 9000.0
    late = Setting(policy, time, a=slowly(time, 9.0, fails("timeout")), b=gives(2))
    assert late.run(DOUBLED) == 42
    assert late.attempts() == [("failed", "timeout"), ("passed-over", "deadline")]


def test_a_runs_own_deadline_leaves_time_for_the_body() -> None:
    import time

    setting = Setting(a=gives(1))
    services = replace(setting.delegate.services, clock=Clock(monotonic=time.monotonic, wall=time.time))
    setting.delegate.services = services
    context = RuntimeContext.full()
    linked = rtfs.compile(DOUBLED).link(setting.delegate, context)
    assert linked.run(limits=rtfs.Limits(deadline_s=2.0)) == 1
    assert 0 < setting.targets.allowances[0].timeout_s <= 1.8


# ---------------------------------------------------------------- hard rules, now


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_became_forbidden_since_the_link_is_not_tried(backend: BackendName) -> None:
    setting = Setting(b=gives(2))
    stricter = load_policy(ROUTED + '[[delegation.rules]]\ndeny = ["remote-*"]\n' + PROVIDERS)

    def a(args: tuple[Value, ...]) -> Outcome:
        setting.current.rulebook = Rulebook(stricter)
        raise TargetFailed("timeout")

    setting.targets.answers = {"a": a, "b": gives(2)}
    assert setting.run("(defn f [x] (* 2 x)) [(f 21) (f 4)]", backend).to_list() == [42, 8]
    assert setting.targets.names == ["a"]
    causes = [[attempt.cause for attempt in record.history] for record in setting.records]
    assert causes == [["timeout", "authorization"], ["authorization", "authorization"]]


def test_effects_that_the_context_denies() -> None:
    setting = Setting(a=gives(1), b=gives(2))
    denied = replace(RuntimeContext.full(), denied_effects=frozenset({":ai"}))
    assert setting.run(DOUBLED, context=denied) == 42
    assert setting.attempts() == [("refused", "effect"), ("refused", "effect")]


def test_the_runs_own_number_of_delegations() -> None:
    setting = Setting(a=gives(1))
    linked = rtfs.compile("(defn f [x] x) (map f [1 2 3])").link(setting.delegate)
    with pytest.raises(errors.BudgetExhausted, match="delegations"):
        linked.run(limits=rtfs.Limits(delegations=2))
    assert len(setting.targets.calls) == 2


def test_a_target_without_a_runner_is_passed_over() -> None:
    setting = Setting(a=gives(1), b=gives(2))
    services = replace(setting.delegate.services, runners={"remote-b": setting.targets})
    setting.delegate.services = services
    assert setting.run(DOUBLED) == 2
    assert setting.attempts() == [("refused", "runner"), ("answered", "")]


def test_which_runner_takes_a_target() -> None:
    one, two, four = Targets({}), Targets({}), Targets({})
    runners = {"remote-a": one, "remote": two, "l4": four}
    assert runner_for(runners, A) is one
    assert runner_for(runners, B) is two
    assert runner_for(runners, L4CacheHit("p", "s")) is four
    assert runner_for(runners, LocalModel("tiny")) is None


# ---------------------------------------------------------------- linking

BY_TYPE = """
[delegation]
[[delegation.rules]]
symbols = ["f"]
arg_types = ["string"]
targets = ["remote-a"]
[[delegation.rules]]
symbols = ["f"]
arg_types = ["vector"]
max_size = 4
targets = ["remote-b"]
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_arguments_decide(backend: BackendName) -> None:
    setting = Setting(BY_TYPE, a=gives("a"), b=gives("b"))
    text = '(defn f [x] :body) (map f ["x" 1 [1 2] [1 2 3 4] "y" [[1] 2] ["abc"] ["abcd"]])'
    found = [str(value) for value in setting.run(text, backend).to_list()]
    assert found == ["a", ":body", "b", ":body", "a", "b", "b", ":body"]


def test_rules_about_arguments_of_other_types_cost_nothing() -> None:
    setting = Setting(BY_TYPE, a=gives("a"))
    facts = RuntimeFacts()
    typed = rtfs.compile("(defn f [x :int] x)")
    assert asked(setting, typed, facts) == [LocalPure()]
    assert asked(setting, rtfs.compile("(defn f [x] x) (defn g [x] x)"), facts) == [BY_ARGUMENTS, LocalPure()]
    assert asked(setting, rtfs.compile("(defn f [x :string] x)"), facts) == [A]


def asked(setting: Setting, program: rtfs.Program, facts: RuntimeFacts) -> list[Any]:
    """What the delegate says of each function of `program`."""
    from rtfs.function_info import functions_of

    return [setting.delegate.target(info, facts) for _, info in functions_of(program.unit)]


HINTS: list[tuple[str, str, list[str], Value]] = [
    (':remote "b"', "", ["b"], 2),
    (':remote "remote-b"', "", ["b"], 2),
    ('{:target "b"}', "", ["b"], 2),
    ('{:target "tiny"}', "", ["tiny"], 3),
    (':local-model "tiny"', "", ["tiny"], 3),
    (":local", "", [], 42),
    (':remote "nobody"', "", [], 42),
    (':remote "b"', '[[delegation.rules]]\ndeny = ["remote-b"]\n', [], 42),
    (':remote "b"', '[[delegation.rules]]\ndeny = ["remote-b"]\nfallback = ["remote-a"]\n', ["a"], 1),
    (':remote "b"', '[[delegation.rules]]\ndeny = ["remote-b"]\nfallback = ["local-tiny"]\n', ["tiny"], 3),
    (':remote "b"', '[[delegation.rules]]\narg_types = ["string"]\ndeny = ["remote-b"]\n', ["b"], 2),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("hint", "rules", "names", "value"), HINTS)
def test_hints_are_followed_unless_a_hard_rule_forbids(
    hint: str, rules: str, names: list[str], value: Value, backend: BackendName
) -> None:
    setting = Setting("[delegation]\n" + rules, a=gives(1), b=gives(2), tiny=gives(3))
    text = f"(defn h ^:delegation {hint} [x] (* 2 x)) (h 21)"
    assert setting.run(text, backend) == value
    assert setting.targets.names == names


def test_a_hint_and_a_rule_about_arguments() -> None:
    rules = '[[delegation.rules]]\narg_types = ["string"]\ndeny = ["remote-b"]\n'
    setting = Setting("[delegation]\n" + rules, b=gives(2))
    assert (
        setting.run('(defn h ^:delegation :remote "b" [x] :own) [(h 1) (h "secret") (h 1)]').to_list()[0] == 2
    )
    assert setting.targets.calls == [("b", (1,)), ("b", (1,))]


def test_a_run_keeps_the_link_it_began_with() -> None:
    setting = Setting(a=gives(1), b=gives(2))
    other = load_policy('[delegation]\ndefault_target = "remote-b"\n' + PROVIDERS)
    linked = rtfs.compile("(defn f [x] (* 2 x)) (f 21)").link(setting.delegate)
    assert linked.run() == 1
    before = setting.delegate.version
    setting.current.rulebook = Rulebook(other)
    assert setting.delegate.version != before
    assert linked.run() == 2


def test_other_facts_may_go_elsewhere() -> None:
    policy = ROUTED + 'tenants = ["acme"]\n'
    setting = Setting(policy, a=gives(1))
    linked = rtfs.compile(DOUBLED).link(setting.delegate)
    acme = replace(RuntimeContext.full(), facts=RuntimeFacts(tenant="acme"))
    assert [linked.run(context=context) for context in (acme, RuntimeContext.full(), acme)] == [1, 42, 1]
    assert setting.targets.allowances[0].facts.tenant == "acme"


def test_a_closure_is_bound_for_what_it_captured() -> None:
    setting = Setting(a=fails("cancelled"), b=fails("cancelled"))
    text = "(let [made (map (fn [n] (let [f (fn f [x] (+ x n))] f)) [1 2 3])] (map (fn [g] (g 10)) made))"
    assert setting.run(text).to_list() == [11, 12, 13]
    assert len(setting.records) == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_privacy_of_what_flows_in(backend: BackendName) -> None:
    policy = ROUTED + (
        "[delegation.security.privacy.pii]\nallow = []\n"
        '[delegation.security.sources]\n"context:customer*" = ["pii"]\n'
    )
    setting = Setting(policy, a=gives(1))
    text = "(defn f [x] 7) (f @customer-name)"

    class Host(rtfs.host.PureHost):
        def get_context_value(self, key: str) -> Value:
            return "Ann"

    linked = rtfs.compile(text).link(setting.delegate, RuntimeContext.full(), backend)
    assert linked.run(host=Host(), context=RuntimeContext.full()) == 7
    assert setting.targets.calls == []


# ---------------------------------------------------------------- what others are told


def test_what_is_measured_observed_and_audited() -> None:
    time = Time()
    setting = Setting(
        ROUTED,
        time,
        a=slowly(time, 1.5, fails("timeout", detail="after 1.5 s")),
        b=slowly(time, 0.5, gives(2, cost_usd=0.01, confidence=0.7)),
    )
    setting.run(DOUBLED)
    first, second = setting.observed
    assert (first.target, first.cause, first.latency_ms, first.cost_usd) == ("remote-a", "timeout", 1500.0, 0.0)
    assert (second.target, second.cause, second.latency_ms, second.cost_usd, second.confidence) == (
        "remote-b", None, 500.0, 0.01, 0.7,
    )  # fmt: skip
    assert first.fn_symbol == "f"
    assert first.task == second.task
    (record,) = setting.records
    assert (record.fn_symbol, record.answered_by, record.reason, record.spent) == (
        "f",
        B,
        "it answered",
        10_000,
    )
    assert (record.at, record.took_ms) == (1_000_002.0, 2000.0)
    assert record.history[0].detail == "after 1.5 s"
    assert setting.meter.values(observe.LATENCY, target="remote-a") == (1500.0,)
    assert setting.meter.counter(observe.CALLS, target="remote-b", result="fallback") == 1
    (span,) = setting.meter.spans
    assert (span.name, span.attributes) == (
        "delegate",
        {"fn_symbol": "f", "decision": "remote-a", "cache_hit": False, "answered_by": "remote-b"},
    )


LEVEL = "(defn f [x] : [:enum :low :high] (if (> x 2) :high (/ :low x)))"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("answers", "argument", "answered_by", "answer"),
    [
        ({"a": gives(Keyword.of("low"))}, 3, A, ":low"),
        ({"a": fails("timeout"), "b": gives(Keyword.of("high"))}, 3, B, ":high"),
        ({"a": fails("timeout"), "b": gives(Keyword.of("SECRET"))}, 3, LocalPure(), ":high"),
    ],
)
def test_of_an_enum_the_audit_is_told_the_answer_whoever_gave_it(
    answers: dict[str, Answer], argument: int, answered_by: ExecTarget, answer: str, backend: BackendName
) -> None:
    setting = Setting(**answers)
    assert str(setting.run(f"{LEVEL} (f {argument})", backend)) == answer
    (record,) = setting.records
    assert (record.answered_by, record.answer) == (answered_by, answer)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_body_that_fails_is_told_of_without_an_answer(backend: BackendName) -> None:
    setting = Setting(a=fails("timeout"), b=fails("timeout"))
    with pytest.raises(errors.RtfsError):
        setting.run(f"{LEVEL} (f 1)", backend)
    (record,) = setting.records
    assert (record.answered_by, record.answer) == (LocalPure(), None)


def test_of_other_types_no_answer_is_told() -> None:
    setting = Setting(a=gives("SECRET"))
    assert setting.run("(defn f [x] : string x) (f 1)") == "SECRET"
    assert [record.answer for record in setting.records] == [None]


def test_a_cause_that_nobody_knows() -> None:
    setting = Setting(a=fails("moon phase", detail="full"), b=gives(2))
    assert setting.run(DOUBLED) == 2
    (failed, _) = setting.records[0].history
    assert (failed.cause, failed.detail, setting.observed[0].cause) == (
        "unknown",
        "moon phase: full",
        "unknown",
    )


def test_nothing_of_the_arguments_is_told() -> None:
    setting = Setting(a=breaks(ValueError("SECRET")), b=gives(object()))
    setting.run('(defn f [x] x) (f "SECRET")')
    told = f"{setting.records} {setting.observed} {setting.meter.spans} {setting.meter.by_label('x', 'y')}"
    assert "SECRET" not in told


def test_a_call_outside_any_run() -> None:
    setting = Setting(a=gives(1))
    (info,) = [info for _, info in functions(rtfs.compile("(defn f [x] (* 2 x))"))]
    stub = setting.delegate.bind(info, A, RuntimeFacts(), lambda x: x)
    assert stub(5) == 1
    assert setting.delegate.bind(info, LocalPure(), RuntimeFacts(), abs) is abs


def functions(program: rtfs.Program) -> Any:
    from rtfs.function_info import functions_of

    return functions_of(program.unit)


def test_what_the_world_says_is_unhealthy_comes_last() -> None:
    setting = Setting(a=gives(1), b=gives(2))
    state = TargetState(circuit="open", retry_at=1_000_060.0, error_rate=1.0)
    setting.current.world = World(version=1, now=1_000_000.0, targets={"remote-a": state})
    assert setting.run(DOUBLED) == 2
    assert setting.targets.names == ["b"]


def test_decisions_follow_what_happened_when_the_world_is_refreshed() -> None:
    answers: list[Answer] = [fails("auth"), gives(1)]
    setting = Setting(ROUTED + BUDGET, a=lambda args: answers.pop(0)(args), b=gives(2, cost_usd=0.01))
    linked = rtfs.compile(DOUBLED).link(setting.delegate)
    assert linked.run() == 2
    assert setting.delegate.refresh() is setting.current.world
    world = setting.current.world
    assert (world.version, world.targets["remote-a"].circuit, world.spent) == (1, "open", {PURSE: 10_000})
    assert linked.run() == 2
    assert [record.plan.target for record in setting.records] == [A, B]
    due = setting.health.next_change(world.now)
    assert due is not None
    setting.time.now = due - 1_000_000.0
    setting.delegate.refresh()
    assert linked.run() == 1
    assert setting.delegate.refresh().targets["remote-a"].circuit == "closed"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("(defn f ([x] 1) ([x y z] 2))", "1 2", "1 to 3"),
        ("(defn f ([x] 1) ([x y z] 2))", "", "1 to 3"),
        ("(defn f ([x] 1) ([x y & z] 2))", "", "at least 1"),
        ("(defn f [x y & z] 2)", "1", "at least 2"),
    ],
)
def test_wrong_numbers_of_arguments_are_not_sent(
    function: str, arguments: str, expected: str, backend: BackendName
) -> None:
    setting = Setting(a=gives(1))
    with pytest.raises(errors.ArityMismatch) as raised:
        setting.run(f"{function} (f {arguments})", backend)
    assert raised.value.expected == expected
    assert setting.targets.calls == []


BEHAVIOURS = st.one_of(
    st.builds(
        gives,
        st.integers(100, 200),
        cost_usd=st.sampled_from([0.0, 0.01, 0.04, 0.2]),
        confidence=st.sampled_from([None, 0.1, 0.9]),
    ),
    st.builds(fails, st.sampled_from(sorted(CAUSES)), cost_usd=st.sampled_from([0.0, 0.01])),
    st.builds(gives, st.just("no integer"), cost_usd=st.just(0.01)),
    st.just(breaks(OSError("gone"))),
)


@given(
    st.lists(BEHAVIOURS, min_size=12, max_size=12),
    st.lists(BEHAVIOURS, min_size=12, max_size=12),
    st.sampled_from(["", "max_cost_usd = 0.045\n", "min_confidence = 0.5\n"]),
    st.sampled_from(["", BUDGET]),
)
def test_calls_are_always_answered_and_the_books_are_always_right(
    a: list[Answer], b: list[Answer], limit: str, budget: str
) -> None:
    answers = {"a": iter(a), "b": iter(b)}
    setting = Setting(
        ROUTED + limit + budget,
        a=lambda args: next(answers["a"])(args),
        b=lambda args: next(answers["b"])(args),
    )
    given_ = setting.run("(defn f [x] :int (* 2 x)) (map f (range 12))").to_list()
    assert len(given_) == len(setting.records) == 12
    for n, (value, record) in enumerate(zip(given_, setting.records, strict=True)):
        assert value == 2 * n if record.answered_by == LocalPure() else 100 <= value <= 200
        tried = [attempt.target for attempt in record.history if attempt.result != "body"]
        assert len(set(tried)) == len(tried)
    spent = sum(record.spent for record in setting.records)
    assert dict(setting.ledger.taken) == dict(setting.ledger.spent()) or spent == 0
    assert setting.ledger.taken.get(PURSE, 0) == (spent if budget else 0)
    assert all(state.in_flight == 0 for state in setting.health.states(1e6).values())
