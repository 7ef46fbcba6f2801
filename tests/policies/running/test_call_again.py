"""A call that is made once more, outside its run, so that its answer is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import rtfs
from policies.engines.standard import standard_engine
from policies.errors import TargetFailed
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running import observe
from policies.running.chain import Event, Failed, Refused, Succeeded
from policies.running.delegate import PolicyDelegate
from policies.running.ledger import Ledger
from policies.running.observe import MemoryMeter
from policies.running.results import Again, Question
from policies.running.runner import Allowance, CallRecord, Clock, Outcome
from policies.targets import target_name
from policies.world import World
from rtfs import errors
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.security import RuntimeContext
from rtfs.values import Value

POLICY = """
[delegation]
[delegation.remote_providers]
remote-a = { endpoint = "https://a.example", cost_usd = 0.01, max_cost_usd = 0.04 }
remote-b = { endpoint = "https://b.example", cost_usd = 0.01 }
[[delegation.rules]]
symbols = ["f"]
targets = ["remote-a", "remote-b"]
"""
PLENTY = 10**6


class Setting:
    """A program whose one call is noted, and made again."""

    def __init__(self, policy: str = POLICY) -> None:
        self.current = Current(Rulebook(load_policy(policy)), World(now=1_000_000.0))
        self.asked: list[str] = []
        self.allowances: list[Allowance] = []
        self.again: list[Again] = []
        self.records: list[CallRecord] = []
        self.meter, self.ledger = MemoryMeter(), Ledger()
        self.outcome: Callable[[], Outcome] = lambda: Outcome(value=1, cost_usd=0.02)
        self.delegate = PolicyDelegate(
            standard_engine(self.current),
            self.current,
            {"remote": self},
            Clock(monotonic=lambda: 0.0, wall=lambda: 1_000_000.0),
            ledger=self.ledger,
            meter=self.meter,
            audit=self.records.append,
            results=self,
        )
        context = RuntimeContext.full()
        rtfs.compile("(defn f [x :int] :int x) (f 7)").link(self.delegate, context).run(context=context)
        self.asked.clear()
        self.records.clear()

    def answer(self, question: Question, ask: Callable[[], Event]) -> Event:
        assert question.again is not None
        self.again.append(question.again())
        return ask()

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        assert args == (7,)
        self.asked.append(target_name(target))
        self.allowances.append(allowance)
        return self.outcome()

    def put(self, policy: str) -> None:
        self.current.rulebook = Rulebook(load_policy(policy))
        self.delegate.refresh()


def fails(error: Exception) -> Callable[[], Outcome]:
    def outcome() -> Outcome:
        raise error

    return outcome


def test_it_goes_to_the_same_target_and_is_paid_for() -> None:
    setting = Setting()
    before = setting.meter.counter(observe.COST)
    event = setting.again[0].ask(PLENTY)
    assert isinstance(event, Succeeded)
    assert (event.value, event.cost) == (1, 20_000)
    assert setting.asked == ["remote-a"]
    assert setting.meter.counter(observe.COST) == before + 20_000
    assert len(setting.again) == 2  # caches are asked again


def test_it_does_not_go_along_the_chain() -> None:
    setting = Setting()
    setting.outcome = fails(TargetFailed("timeout"))
    assert isinstance(setting.again[0].ask(PLENTY), Failed)
    assert setting.asked == ["remote-a"]


def test_nobody_is_told_but_the_health_of_the_target() -> None:
    setting = Setting()
    calls = setting.meter.counter(observe.CALLS)
    setting.outcome = fails(TargetFailed("timeout"))
    setting.again[0].ask(PLENTY)
    assert setting.records == []
    assert setting.meter.counter(observe.CALLS) == calls
    assert setting.delegate.services.health.record("remote-a").failures_in_row == 1


def test_it_costs_what_is_reserved_for_it() -> None:
    setting = Setting()
    again = setting.again[0]
    assert again.price == 40_000
    assert isinstance(again.ask(39_999), Refused)
    assert setting.asked == []
    assert isinstance(again.ask(40_000), Succeeded)
    assert setting.allowances[-1].max_cost_usd == 0.04


@pytest.mark.parametrize(
    ("old", "new", "price"),
    [
        (", cost_usd = 0.01, max_cost_usd = 0.04", "", None),
        ("max_cost_usd = 0.04", "max_cost_usd = 0.08", 80_000),
    ],
)
def test_its_price_is_that_of_now(old: str, new: str, price: int | None) -> None:
    setting = Setting()
    setting.put(POLICY.replace(old, new))
    assert setting.again[0].price == price


def test_the_rules_of_now_hold() -> None:
    setting = Setting()
    setting.put(POLICY + '[[delegation.rules]]\ndeny = ["remote-a"]')
    event = setting.again[0].ask(PLENTY)
    assert isinstance(event, Refused)
    assert setting.asked == []


def test_an_error_of_the_program_passes() -> None:
    setting = Setting()
    setting.outcome = fails(errors.DivisionByZero())
    with pytest.raises(errors.DivisionByZero):
        setting.again[0].ask(PLENTY)
    assert setting.delegate.services.health.record("remote-a").in_flight == 0


def test_what_is_not_kept_is_not_noted() -> None:
    setting = Setting()
    setting.again.clear()
    context = RuntimeContext.full()
    program = rtfs.compile("(defn ^{:cache :none} f [x :int] :int x) (f 7)")
    program.link(setting.delegate, context).run(context=context)
    assert setting.asked == ["remote-a"]
    assert setting.again == []
