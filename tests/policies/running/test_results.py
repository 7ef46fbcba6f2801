"""Delegated calls whose answers may be known already: what stands before the port, and what it spares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rtfs
from policies.engines.standard import standard_engine
from policies.errors import TargetFailed
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running import observe
from policies.running.chain import Event, Known, Succeeded
from policies.running.delegate import PolicyDelegate
from policies.running.health import HealthTracker
from policies.running.ledger import Ledger
from policies.running.observe import MemoryMeter
from policies.running.results import Question
from policies.running.runner import Allowance, CallRecord, Clock, Observation, Outcome
from policies.targets import target_name
from policies.world import World
from rtfs import errors
from rtfs.delegation import ExecTarget, FunctionInfo, LocalPure
from rtfs.program import BackendName
from rtfs.security import RuntimeContext
from rtfs.values import Value

BACKENDS: tuple[BackendName, ...] = ("python", "interpreter")
PROVIDERS = """
[delegation.remote_providers]
remote-a = { endpoint = "https://a.example", cost_usd = 0.01, max_cost_usd = 0.04 }
remote-b = { endpoint = "https://b.example", cost_usd = 0.01 }
"""
ROUTED = """
[delegation]
[[delegation.rules]]
symbols = ["f"]
targets = ["remote-a", "remote-b"]
"""
BUDGET = '[delegation.budgets.all]\nscope = "all"\nlimit_usd = 0.1\nwindow = "forever"\n'
CALL = "(defn f [x] (* 2 x)) (f 21)"


@dataclass
class Memory:
    """Knows every answer that it once saw, by function, arguments and target."""

    known: dict[Any, Succeeded] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)

    def answer(self, question: Question, ask: Callable[[], Event]) -> Event:
        self.questions.append(question)
        key = (question.call.fn_symbol, question.args, question.target)
        found = self.known.get(key)
        if found is not None:
            saved = Known(tier="l2-hot", age_s=1.0, saved=found.cost, saved_ms=found.latency_ms)
            return replace(found, cost=0, latency_ms=0.0, known=saved)
        event = ask()
        if isinstance(event, Succeeded):
            self.known[key] = event
        return event


type Answer = Callable[[], Outcome]


def gives(value: Value, **more: Any) -> Answer:
    return lambda: Outcome(value=value, **more)


def fails(cause: str, **more: Any) -> Answer:
    def answer() -> Outcome:
        raise TargetFailed(cause, **more)

    return answer


def breaks(error: BaseException) -> Answer:
    def answer() -> Outcome:
        raise error

    return answer


class Setting:
    """A policy, targets, and a memory."""

    def __init__(self, policy: str = ROUTED, *, remembers: bool = True, **answers: Answer) -> None:
        self.now = 0.0
        self.answers: Mapping[str, Answer] = answers
        self.asked: list[str] = []
        self.memory = Memory()
        self.current = Current(Rulebook(load_policy(policy + PROVIDERS)), World(now=1_000_000.0))
        self.meter, self.ledger = MemoryMeter(), Ledger()
        self.health = HealthTracker(self.current.rulebook.policy.settings.health)
        self.records: list[CallRecord] = []
        self.observed: list[Observation] = []
        self.delegate = PolicyDelegate(
            standard_engine(self.current),
            self.current,
            {"remote": self},
            Clock(monotonic=lambda: self.now, wall=lambda: 1_000_000.0 + self.now),
            ledger=self.ledger,
            health=self.health,
            meter=self.meter,
            observe=self.observed.append,
            audit=self.records.append,
            results=self.memory if remembers else None,
        )

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        name = target_name(target).removeprefix("remote-")
        self.asked.append(name)
        return self.answers[name]()

    def evaluate(
        self, text: str = CALL, backend: BackendName = "python", context: RuntimeContext | None = None
    ) -> Value:
        context = context or RuntimeContext.full()
        return rtfs.compile(text).link(self.delegate, context, backend).run(context=context)

    def in_force(self, policy: str) -> None:
        self.current.rulebook = Rulebook(load_policy(policy + PROVIDERS))
        self.delegate.refresh()

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Result and cause of every attempt of the last call."""
        return [(each.result, each.cause) for each in self.records[-1].history]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_known_answer_costs_nothing_and_tells_nobody_but_the_audit(backend: BackendName) -> None:
    setting = Setting(a=gives(1, cost_usd=0.03, latency_ms=250.0))
    assert [setting.evaluate(backend=backend) for _ in range(3)] == [1, 1, 1]
    assert setting.asked == ["a"]
    assert sum(setting.ledger.taken.values()) == 0  # no purse pays here, so look at what is counted, too
    assert setting.meter.counter(observe.COST) == 30_000
    assert len(setting.observed) == 1
    assert len(setting.meter.values(observe.LATENCY, target="remote-a")) == 1
    assert [record.spent for record in setting.records] == [30_000, 0, 0]
    known = [record.history[0].known for record in setting.records]
    assert known == [None, *[Known(tier="l2-hot", age_s=1.0, saved=30_000, saved_ms=250.0)] * 2]
    assert setting.meter.by_label(observe.CALLS, "result") == {"answered": 1, "known": 2}
    assert setting.meter.by_label(observe.KNOWN, "tier") == {"l2-hot": 2}
    assert setting.meter.by_label(observe.SAVED, "target") == {"remote-a": 60_000}
    spans = [span.attributes for span in setting.meter.spans if span.name == observe.DELEGATE_SPAN]
    assert [span.get("cache_tier") for span in spans] == [None, "l2-hot", "l2-hot"]


def test_the_purse_pays_once() -> None:
    setting = Setting(ROUTED + BUDGET, a=gives(1, cost_usd=0.03))
    for _ in range(20):
        assert setting.evaluate() == 1
    assert [*setting.ledger.taken.values()] == [30_000]


def test_health_learns_nothing_from_what_was_known() -> None:
    setting = Setting(a=gives(1))
    setting.evaluate()
    before = setting.health.record("remote-a")
    setting.now += 100
    setting.evaluate()
    assert setting.health.record("remote-a") == before


# ---------------------------------------------------------------- what stands before

VETOES = {
    "authorization": '[[delegation.rules]]\ndeny = ["remote-a"]\n',
    "locality": '[[delegation.rules]]\nrequire_locality = "machine"\n',
    "region": '[[delegation.rules]]\nrequire_region = ["eu"]\n',
}


@pytest.mark.parametrize("veto", VETOES)
def test_what_is_forbidden_is_not_answered_from_a_cache(veto: str) -> None:
    setting = Setting(a=gives(1), b=gives(2))
    linked = rtfs.compile(CALL).link(setting.delegate)
    assert linked.run() == 1
    before = len(setting.memory.questions)
    setting.in_force(ROUTED + VETOES[veto])
    assert linked.run() in (2, 42)
    asked = [target_name(question.target) for question in setting.memory.questions[before:]]
    assert "remote-a" not in asked
    assert all(attempt.known is None for attempt in setting.records[-1].history)


def test_an_effect_that_the_context_forbids_is_not_answered_from_a_cache() -> None:
    setting = Setting(a=gives(1), b=gives(2))
    assert setting.evaluate() == 1
    assert setting.evaluate(context=replace(RuntimeContext.full(), denied_effects=frozenset({":ai"}))) == 42
    assert setting.ends[:2] == [("refused", "effect"), ("refused", "effect")]
    assert len(setting.memory.questions) == 1


def test_a_target_that_is_down_is_answered() -> None:
    answers = [gives(1), *[fails("server-error")] * 50]
    setting = Setting(a=lambda: answers.pop(0)(), b=fails("timeout"))
    assert setting.evaluate() == 1
    other = CALL.replace("21", "22")
    for _ in range(10):
        assert setting.evaluate(other) == 44
    assert setting.ends[0] == ("refused", "breaker")
    assert setting.evaluate() == 1
    assert setting.ends == [("answered", "")]


def test_a_target_for_which_no_money_is_left_is_answered() -> None:
    setting = Setting(ROUTED + BUDGET, a=gives(1, cost_usd=0.04), b=fails("timeout"))
    linked = rtfs.compile("(defn f [x] (* 2 x)) (map f [1 2 3 1 2])").link(setting.delegate)
    assert list(linked.run()) == [1, 1, 6, 1, 1]  # of 0.10 two calls are left 0.02
    assert setting.ends == [("answered", "")]
    assert [record.history[0].cause for record in setting.records] == ["", "", "budget", "", ""]
    assert setting.asked == ["a", "a", "b"]
    assert [*setting.ledger.taken.values()] == [80_000]


def test_without_a_known_answer_the_want_of_money_stays() -> None:
    setting = Setting(ROUTED + BUDGET.replace("0.1", "0.005"), a=gives(1), b=gives(2))
    assert setting.evaluate() == 42
    assert setting.asked == []


def test_a_target_that_nobody_takes_calls_to_is_answered() -> None:
    setting = Setting(a=gives(1), b=gives(2))
    assert setting.evaluate() == 1
    setting.delegate.services.runners.pop("remote")  # type: ignore[attr-defined]
    assert setting.evaluate() == 1


# ---------------------------------------------------------------- what is not kept


@pytest.mark.parametrize("failure", [fails("timeout"), fails("bad-reply"), breaks(KeyError("x"))])
def test_failures_are_asked_for_again(failure: Answer) -> None:
    answers = [failure, gives(7)]
    setting = Setting(a=lambda: answers.pop(0)(), b=fails("timeout"))
    assert [setting.evaluate() for _ in range(3)] == [42, 7, 7]
    assert setting.asked == ["a", "b", "a"]


def test_an_answer_of_another_type_is_a_failure_and_no_answer() -> None:
    answers = [gives("text"), gives(7)]
    setting = Setting(a=lambda: answers.pop(0)(), b=fails("timeout"))
    text = "(defn f [x] : int (* 2 x)) (f 21)"
    assert [setting.evaluate(text) for _ in range(3)] == [42, 7, 7]


def test_an_error_of_the_program_is_asked_for_again() -> None:
    answers = [breaks(errors.Generic("no")), gives(7)]
    setting = Setting(a=lambda: answers.pop(0)(), b=gives(2))
    with pytest.raises(errors.Generic):
        setting.evaluate()
    assert setting.records[-1].history[0].cause == "program-error"
    assert setting.evaluate() == 7


def test_the_functions_own_body_is_not_asked_for() -> None:
    setting = Setting('[delegation]\n[[delegation.rules]]\ntargets = ["local-pure"]\n')
    assert setting.evaluate() == 42
    assert setting.memory.questions == []


NEVER = [
    '(defn f [x] (call "ccos.io.log" "x") x) (f 21)',
    "(defn f ^{:cache :none} [x] x) (f 21)",
]


@pytest.mark.parametrize("text", NEVER)
def test_effects_and_what_says_none_are_never_looked_for(text: str) -> None:
    setting = Setting(a=gives(1), b=gives(2))
    assert [setting.evaluate(text) for _ in range(2)] == [1, 1]
    assert setting.asked == ["a", "a"]
    assert setting.memory.questions == []


def test_a_rule_switches_it_off_and_a_function_says_for_how_long() -> None:
    setting = Setting(ROUTED + 'cache = { tier = "l2", ttl = 60 }\n', a=gives(1))
    setting.evaluate()
    setting.evaluate("(defn f ^{:cache {:by :exact :ttl 5 :max-age 3}} [x] x) (f 21)")
    first, second = (question.keeping for question in setting.memory.questions)
    assert (first.tier, first.ttl_s, first.wish.max_age_s) == ("l2", 60, None)
    assert (second.tier, second.ttl_s, second.wish.max_age_s) == ("l2", 5, 3)
    setting.in_force(ROUTED + 'cache = { tier = "none" }\n')
    setting.evaluate()
    assert len(setting.memory.questions) == 2


def test_a_wish_that_there_is_not_is_an_error_of_the_program() -> None:
    setting = Setting(a=gives(1))
    with pytest.raises(errors.InvalidArgument, match="did you mean `:exact`"):
        setting.evaluate("(defn f ^{:cache :exakt} [x] x) (f 21)")


# ---------------------------------------------------------------- chains

UNSURE = ROUTED + "min_confidence = 0.8\n"
ONE = st.one_of(
    st.builds(lambda cause: ("fails", cause), st.sampled_from(["timeout", "server-error"])),
    st.builds(lambda sure: ("gives", sure), st.sampled_from([None, 0.0, 0.3, 0.5, 0.8, 0.9])),
)


@given(first=ONE, second=ONE)
@settings(max_examples=60, deadline=None)
def test_a_chain_ends_as_it_does_without_a_cache(first: Any, second: Any) -> None:
    def made(kind: str, what: Any, value: int) -> Answer:
        return fails(what) if kind == "fails" else gives(value, confidence=what)

    answers = {"a": made(*first, 1), "b": made(*second, 2)}
    plain, remembering = Setting(UNSURE, remembers=False, **answers), Setting(UNSURE, **answers)
    expected = plain.evaluate()
    assert [remembering.evaluate() for _ in range(3)] == [expected] * 3
    ends = [
        (
            record.answered_by,
            record.reason,
            [(each.target, each.result, each.cause, each.confidence) for each in record.history],
        )
        for record in (*plain.records, *remembering.records)
    ]
    assert ends[1:] == ends[:1] * 3


def test_what_was_unsure_escalates_again_at_no_cost() -> None:
    setting = Setting(
        UNSURE, a=gives(1, confidence=0.4, cost_usd=0.02), b=gives(2, confidence=0.9, cost_usd=0.01)
    )
    assert [setting.evaluate() for _ in range(3)] == [2, 2, 2]
    assert setting.asked == ["a", "b"]
    assert [record.spent for record in setting.records] == [30_000, 0, 0]
    assert setting.ends == [("unsure", "low-confidence"), ("answered", "")]
    assert setting.records[-1].answered_by != LocalPure()
