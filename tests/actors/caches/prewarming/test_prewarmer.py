"""Calls asked beforehand: which, at what cost, and that nothing permits what is forbidden to a call itself."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rtfs
from actors.caches.layer import CacheConfig
from actors.caches.manager import l2_manager
from actors.caches.prewarming.prewarmer import AT_ONCE, REST_S, Prewarmer, PrewarmingStats
from actors.caches.results import CachedResults
from actors.telemetry import instruments
from policies.engines.standard import standard_engine
from policies.errors import TargetFailed
from policies.file.load import load_policy
from policies.file.policy import Policy
from policies.rules.rulebook import Current, Rulebook
from policies.running import observe
from policies.running.delegate import PolicyDelegate
from policies.running.ledger import Ledger
from policies.running.observe import MemoryMeter
from policies.running.runner import Allowance, CallRecord, Clock, Outcome
from policies.targets import target_name
from policies.world import World
from rtfs import errors
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value

TTL_S = 100.0
POLICY = """
[delegation]
cache_ttl = 100
static_routes = { "f" = "remote-a", "g" = "local-b" }
[delegation.remote_providers]
remote-a = { endpoint = "https://a.example", max_cost_usd = 0.01 }
[delegation.local_models]
b = { kind = "echo" }
[delegation.caches.prewarming]
enabled = true
targets = ["remote-a", "local-*"]
max_usd_per_hour = 1
min_probability = 0.3
max_calls_per_minute = 100
"""
WITHIN_S = 20.0


class Versions:
    """The version of every target."""

    def __init__(self) -> None:
        self.now = "1"

    def of(self, target: ExecTarget) -> str | None:
        return self.now

    def told(self, target: ExecTarget, version: str) -> None:
        self.now = version


class Setting:
    """Programs, targets, caches and a prewarmer, whose background goes only when told."""

    def __init__(self, policy: str = POLICY, run: Callable[[], str | None] = lambda: None) -> None:
        self.now = 1000.0
        self.policy = load_policy(policy)
        self.current = Current(Rulebook(self.policy), World(now=1_000_000.0))
        clock = Clock(monotonic=lambda: self.now, wall=lambda: 1_000_000.0 + self.now)
        self.versions, self.ledger, self.meter = Versions(), Ledger(), MemoryMeter()
        self.records: list[CallRecord] = []
        self.asked: list[tuple[str, tuple[Value, ...]]] = []
        self.answer: Callable[[tuple[Value, ...]], Outcome] = lambda args: Outcome(value=args[0])
        manager = l2_manager(
            None, hot=CacheConfig(size_entries=1000), cold=CacheConfig(size_entries=1), writer=None
        )
        manager.results[0]._clock = self  # type: ignore[attr-defined]
        self.results = CachedResults(manager, self.versions)
        self.waiting: deque[Callable[[], None]] = deque()
        self.prewarmer = Prewarmer(
            self.policy.settings.caches.prewarming,
            self.waiting.append,
            run=run,
            timer=lambda: self.now,
            meter=self.meter,
        )
        self.results.prewarmer = self.prewarmer
        self.delegate = PolicyDelegate(
            standard_engine(self.current),
            self.current,
            {"remote": self, "local-model": self},
            clock,
            ledger=self.ledger,
            meter=self.meter,
            audit=self.records.append,
            results=self.results,
        )

    def now_us(self) -> int:
        """Time of the cache."""
        return int(self.now * 1e6)

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        self.asked.append((target_name(target), args))
        return replace(self.answer(args), version=self.versions.now)

    def call(self, *texts: str, function: str = "f", tenant: str | None = None, **context: Any) -> None:
        """Programs that make one call each; a second passes between them."""
        for text in texts:
            permits = replace(RuntimeContext.full(), facts=RuntimeFacts(tenant=tenant), **context)
            program = rtfs.compile(f'(defn {function} [x :string] :string "own") ({function} "{text}")')
            program.link(self.delegate, permits).run(context=permits)
            self.now += 1.0

    def learn(self, *texts: str, times: int = 4, **more: Any) -> None:
        """Have a workflow known, and all its answers expired. What was asked meanwhile is not told."""
        for _ in range(times):
            self.call(*texts, **more)
        self.background()
        self.now += 10 * TTL_S
        self.asked.clear()
        self.records.clear()

    def background(self) -> None:
        """Do what waits to be done."""
        while self.waiting:
            self.waiting.popleft()()

    def beforehand(self, text: str, **more: Any) -> list[Value]:
        """Make a call; the first arguments of those that are asked beforehand then."""
        self.call(text, **more)
        self.asked.clear()
        self.background()
        return [args[0] for _, args in self.asked]

    def replace(self, **changes: Any) -> None:
        """Put other settings in force."""
        table = self.policy.settings.caches.prewarming.model_copy(update=changes)
        self.prewarmer.follow(table)

    def put(self, policy: str) -> None:
        """Put another policy in force."""
        self.current.rulebook = Rulebook(load_policy(policy))
        self.delegate.refresh()


@pytest.fixture
def setting() -> Setting:
    return Setting()


# ---------------------------------------------------------------- what is asked


def test_what_will_follow_is_asked_if_its_answer_is_not_known(setting: Setting) -> None:
    setting.learn("one", "two", "three")
    assert setting.beforehand("one") == ["two"]
    setting.asked.clear()
    setting.call("two")
    assert setting.asked == []
    assert setting.records[-1].history[0].known is not None
    assert setting.prewarmer.stats == PrewarmingStats(answered=1)
    setting.background()
    assert setting.prewarmer.stats.used == 1


def test_what_is_known_is_not_asked(setting: Setting) -> None:
    for _ in range(4):
        setting.call("one", "two")
    setting.asked.clear()
    setting.background()
    assert setting.beforehand("one") == []


def test_another_version_of_a_model_makes_all_unknown(setting: Setting) -> None:
    for _ in range(4):
        setting.call("one", "two")
    setting.background()
    setting.versions.now = "2"
    assert setting.beforehand("one") == ["two"]
    assert setting.beforehand("one") == []


def test_what_never_followed_is_not_asked(setting: Setting) -> None:
    setting.learn("one", "two")
    assert setting.beforehand("else") == []
    assert setting.beforehand("two") in ([], ["one"])


def test_what_is_unlikely_is_not_asked(setting: Setting) -> None:
    setting.replace(min_probability=0.99)
    setting.learn("one", "two")
    assert setting.beforehand("one") == []


def test_only_targets_that_are_named(setting: Setting) -> None:
    setting.replace(targets=("local-*",))
    setting.learn("one", "two")
    setting.learn("one", "two", function="g")
    assert setting.beforehand("one") == []
    assert setting.beforehand("one", function="g") == ["two"]


def test_targets_that_are_not_named_any_more(setting: Setting) -> None:
    setting.learn("one", "two")
    setting.replace(targets=())
    assert setting.beforehand("one") == []


def test_each_tenant_has_its_own(setting: Setting) -> None:
    setting.learn("one", "two", tenant="a")
    assert setting.beforehand("one", tenant="b") == []
    assert setting.beforehand("one", tenant="a") == ["two"]


def test_runs_are_told_apart() -> None:
    runs = iter(f"run {number}" for number in range(1000))
    under_way = "first"
    setting = Setting(run=lambda: under_way)
    for _ in range(4):
        under_way = next(runs)
        setting.call("one", "two", tenant="a")
    setting.background()
    setting.now += 10 * TTL_S
    under_way = next(runs)
    assert setting.beforehand("one", tenant="a") == ["two"]


def test_large_arguments_are_not_remembered(setting: Setting) -> None:
    large = "x" * 100_000
    setting.learn("one", large)
    assert setting.beforehand("one") == []


# ---------------------------------------------------------------- what nobody asks beforehand


FORBIDDING = [
    ('[[delegation.rules]]\ndeny = ["remote-a"]', "refused"),
    ('[[delegation.rules]]\nrequire_locality = "machine"', "refused"),
    ('[delegation.security.require]\n"remote-a" = ["models.remote"]', "refused"),
    ("[delegation.budgets.x]\nscope = 'tenant'\nlimit_usd = 0.001", "refused"),
]


@pytest.mark.parametrize(("rule", "result"), FORBIDDING)
def test_what_is_forbidden_now_is_not_asked_though_it_was_permitted(rule: str, result: str) -> None:
    setting = Setting()
    setting.learn("one", "two", tenant="a")
    setting.call("one", tenant="a")
    setting.put(POLICY + rule)
    setting.asked.clear()
    setting.background()
    assert setting.asked == []
    assert getattr(setting.prewarmer.stats, result) == 1


def test_what_an_open_circuit_is_against_is_not_asked(setting: Setting) -> None:
    setting.learn("one", "two")
    setting.call("one")
    for _ in range(3):
        setting.delegate.services.health.failed("remote-a", 1_000_000.0 + setting.now, "timeout", None)
    setting.asked.clear()
    setting.background()
    assert setting.asked == []
    assert setting.prewarmer.stats.refused == 1


def test_functions_with_capabilities_are_not_even_remembered(setting: Setting) -> None:
    program = '(defn f [x :string] :string (call "notes.write" x)) (f "%s")'
    context = RuntimeContext.full()
    for text in ("one", "two") * 4:
        rtfs.compile(program % text).link(setting.delegate, context).run(context=context)
    assert setting.asked
    setting.background()
    assert len(setting.prewarmer._memory) == 0


@pytest.mark.parametrize("wish", [":none", "{:bypass true}", "{:no-store true}"])
def test_functions_that_do_not_want_it(setting: Setting, wish: str) -> None:
    context = RuntimeContext.full()
    program = f'(defn ^{{:cache {wish}}} f [x :string] :string "own") (f "%s")'
    for text in ("one", "two") * 4:
        rtfs.compile(program % text).link(setting.delegate, context).run(context=context)
    assert len(setting.asked) == 8
    setting.background()
    assert len(setting.prewarmer._memory) == 0


def test_what_the_context_forbids_is_not_remembered(setting: Setting) -> None:
    setting.learn("one", "two", denied_effects=frozenset({":ai"}))
    assert len(setting.prewarmer._memory) == 0


def test_a_target_without_a_price_is_not_asked() -> None:
    setting = Setting(POLICY.replace(", max_cost_usd = 0.01", ""))
    setting.learn("one", "two")
    assert setting.beforehand("one") == []


# ---------------------------------------------------------------- money and errors


def test_the_tenants_purse_pays(setting: Setting) -> None:
    setting.put(POLICY + "[delegation.budgets.x]\nscope = 'tenant'\nlimit_usd = 1.0")
    setting.answer = lambda args: Outcome(value=args[0], cost_usd=0.004)
    setting.learn("one", "two", tenant="a")
    before = sum(setting.ledger.snapshot().values())
    assert setting.beforehand("one", tenant="a") == ["two"]
    (paid,) = setting.ledger.snapshot().items()
    assert paid[0].owner == "a"
    assert paid[1] - before == 8_000  # the call itself, and the one beforehand
    assert setting.prewarmer.spent == 4_000
    assert setting.meter.counter(instruments.PREWARMING_COST) == 4_000
    assert setting.meter.counter(observe.COST, target="remote-a") == paid[1]


def test_nobody_is_told_of_calls_that_nobody_made(setting: Setting) -> None:
    setting.learn("one", "two")
    calls = setting.meter.counter(observe.CALLS)
    assert setting.beforehand("one") == ["two"]
    assert len(setting.records) == 1
    assert setting.meter.counter(observe.CALLS) == calls + 1


@pytest.mark.parametrize(
    "error",
    [TargetFailed("timeout"), errors.DivisionByZero(), KeyError("bug"), errors.BudgetExhausted("x", "y")],
)
def test_errors_do_not_matter(setting: Setting, error: Exception) -> None:
    setting.learn("one", "two")

    def fails(args: tuple[Value, ...]) -> Outcome:
        if args == ("two",):
            raise error
        return Outcome(value=args[0])

    setting.answer = fails
    assert setting.beforehand("one") == ["two"]
    assert setting.prewarmer.stats.failed == 1
    assert setting.prewarmer._budget.under_way == 0
    setting.now += TTL_S - REST_S / 2
    assert setting.beforehand("one") in ([], ["two"])
    setting.answer = lambda args: Outcome(value=args[0])
    setting.asked.clear()
    setting.call("two")
    assert setting.asked  # it was not taken for known


def test_a_call_that_failed_rests(setting: Setting) -> None:
    setting.replace(min_probability=0.1)
    setting.learn("one", "two")
    setting.answer = lambda args: Outcome(value=args[0] if args == ("one",) else 7)
    assert setting.beforehand("one") == ["two"]
    assert setting.beforehand("one") == []
    setting.now += REST_S
    setting.answer = lambda args: Outcome(value=args[0])
    assert setting.beforehand("one") == ["two"]


def test_an_answer_that_nobody_came_for_is_wasted(setting: Setting) -> None:
    setting.learn("one", "two")
    assert setting.beforehand("one") == ["two"]
    setting.now += 2 * TTL_S
    assert setting.beforehand("one") == ["two"]
    assert (setting.prewarmer.stats.wasted, setting.prewarmer.stats.used) == (1, 0)
    assert setting.meter.counter(instruments.PREWARMED, result="wasted") == 1


STREAM = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([0.0, 5.0, 150.0])), max_size=25)


@settings(max_examples=15)
@given(STREAM, st.integers(1, 3), st.sampled_from([0.0, 0.01, 0.03]), st.booleans())
def test_the_budget_is_never_exceeded(
    stream: list[tuple[str, float]], per_minute: int, per_hour: float, waits: bool
) -> None:
    setting = Setting()
    setting.replace(max_calls_per_minute=per_minute, max_usd_per_hour=per_hour, min_probability=0.05)
    beforehand: list[tuple[float, float]] = []

    def answer(args: tuple[Value, ...]) -> Outcome:
        if is_background:
            beforehand.append((setting.now, 0.008))
        return Outcome(value=args[0], cost_usd=0.008)

    setting.answer = answer
    for text, wait_s in stream:
        is_background = False
        setting.call(text)
        setting.now += wait_s
        is_background = True
        if not waits:
            setting.background()
        assert setting.prewarmer._budget.under_way <= AT_ONCE
    setting.background()
    for now, _ in beforehand:
        assert sum(1 for at, _ in beforehand if now - 60 < at <= now) <= per_minute
        assert sum(cost for at, cost in beforehand if now - 3600 < at <= now) <= per_hour + 1e-9


# ---------------------------------------------------------------- together with calls


def test_a_call_that_comes_meanwhile_waits_for_the_same_answer(setting: Setting) -> None:
    setting.learn("one", "two")
    setting.call("one")
    setting.asked.clear()
    begun, go_on = threading.Event(), threading.Event()

    def slow(args: tuple[Value, ...]) -> Outcome:
        begun.set()
        assert go_on.wait(WITHIN_S)
        return Outcome(value=args[0])

    setting.answer = slow
    with _thread(setting.background):
        assert begun.wait(WITHIN_S)
        with _thread(lambda: setting.call("two")):
            flights = setting.results.manager.flights
            assert flights is not None
            while not any(flight.waiting for flight in list(flights._under_way.values())):
                time.sleep(0.001)
            go_on.set()
    assert [args for _, args in setting.asked] == [("two",)]
    known = setting.records[-1].history[0].known
    assert known is not None
    assert known.tier == "shared"
    setting.background()
    assert setting.prewarmer.stats.used == 1
    assert setting.prewarmer.stats.wasted == 0


@contextmanager
def _thread(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join(WITHIN_S)
    assert not thread.is_alive()


# ---------------------------------------------------------------- off


def test_it_is_off_by_default() -> None:
    assert not Policy().settings.caches.prewarming.enabled


def test_without_a_prewarmer_nothing_is_noted(setting: Setting) -> None:
    setting.results.prewarmer = None
    setting.call("one", "two", "one")
    assert not setting.waiting
    assert len(setting.prewarmer._notes) == 0
