"""Turns at a target: how many at once, who is next, and what becomes of those who do not get one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.delegation.turns import InTurn, Turns
from policies.errors import NotSent, TargetFailed
from policies.file.load import load_policy
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current, Rulebook
from policies.running.runner import Allowance, Clock, Outcome
from rtfs import errors
from rtfs.delegation import FunctionInfo, RemoteModel
from rtfs.overlap import overlapping, wait_for
from rtfs.overlap.fork import all_of
from rtfs.program import new_run
from rtfs.run import Limits, cancel, running
from rtfs.runtime_facts import RuntimeFacts

PATIENCE_S = 20.0
FUNCTION = FunctionInfo(
    symbol="f",
    doc=None,
    parameters=(),
    parameter_types=(),
    return_type="any",
    hint=None,
    metadata={},
    ir_hash="",
)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as made:
        yield made


class Holding:
    """Calls that hold a turn until they are let go, and note in which order they got it."""

    def __init__(self, turns: Turns, pool: ThreadPoolExecutor) -> None:
        self._turns, self._pool = turns, pool
        self.order: list[Any] = []
        self.most = self._here = 0
        self._gate = threading.Semaphore(0)
        self._changed = threading.Condition()

    def call(
        self, name: Any, capacity: int = 1, timeout_s: float = PATIENCE_S, tenant: str = ""
    ) -> Future[None]:
        return self._pool.submit(self._call, name, capacity, timeout_s, tenant)

    def _call(self, name: Any, capacity: int, timeout_s: float, tenant: str) -> None:
        with self._turns.turn(capacity, timeout_s, tenant):
            with self._changed:
                self.order.append(name)
                self._here += 1
                self.most = max(self.most, self._here)
                self._changed.notify_all()
            assert self._gate.acquire(timeout=PATIENCE_S)
            with self._changed:
                self._here -= 1

    def let_go(self, calls: int = 1) -> None:
        self._gate.release(calls)

    def has(self, many: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.order) >= many, PATIENCE_S)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def waiting(turns: Turns) -> int:
    return len(turns._queue)


def test_never_more_than_the_capacity(pool: ThreadPoolExecutor):
    turns = Turns("remote-x")
    holding = Holding(turns, pool)
    calls = [holding.call(n, capacity=3) for n in range(12)]
    holding.has(3)
    until(lambda: waiting(turns) == 9)
    holding.let_go(12)
    for call in calls:
        call.result(PATIENCE_S)
    assert holding.most == 3
    assert (turns._busy, waiting(turns)) == (0, 0)


def test_tenants_take_turns(pool: ThreadPoolExecutor):
    turns = Turns("remote-x")
    holding = Holding(turns, pool)
    calls = [holding.call("first")]
    holding.has(1)
    for n, (name, tenant) in enumerate([("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c")], 1):
        calls.append(holding.call(name, tenant=tenant))
        until(lambda n=n: waiting(turns) == n)  # type: ignore[misc]
    holding.let_go(6)
    for call in calls:
        call.result(PATIENCE_S)
    assert holding.order == ["first", "a1", "b1", "c1", "a2", "a3"]


def test_no_turn_in_time(pool: ThreadPoolExecutor):
    turns = Turns("remote-x")
    holding = Holding(turns, pool)
    call = holding.call(1)
    holding.has(1)
    for timeout_s in (0.0, 0.05):
        with pytest.raises(
            NotSent, match="`remote-x` takes 1 calls at once, and had no turn in time"
        ) as failed:
            holding.call(2, timeout_s=timeout_s).result(PATIENCE_S)
        assert failed.value.cause == "timeout"
    assert waiting(turns) == 0
    holding.let_go()
    call.result(PATIENCE_S)
    assert turns._busy == 0


def test_too_many_wait(pool: ThreadPoolExecutor):
    turns = Turns("remote-x", most_waiting=2)
    holding = Holding(turns, pool)
    calls = [holding.call(n) for n in range(3)]
    until(lambda: waiting(turns) == 2)
    with pytest.raises(NotSent, match="2 wait already") as failed:
        holding.call(4).result(PATIENCE_S)
    assert failed.value.cause == "overloaded"
    holding.let_go(3)
    for call in calls:
        call.result(PATIENCE_S)


def test_a_target_that_takes_none_is_not_waited_for():
    with pytest.raises(NotSent) as failed, Turns("remote-x").turn(0, 60.0):
        raise AssertionError
    assert failed.value.cause == "overloaded"


def test_more_capacity_counts_at_once(pool: ThreadPoolExecutor):
    turns = Turns("remote-x")
    holding = Holding(turns, pool)
    calls = [holding.call(n) for n in range(3)]
    until(lambda: waiting(turns) == 2)
    calls.append(holding.call(4, capacity=4))
    holding.has(4)
    holding.let_go(4)
    for call in calls:
        call.result(PATIENCE_S)


def test_a_run_that_is_stopped_waits_no_more_and_leaves_no_turn(pool: ThreadPoolExecutor):
    turns = Turns("remote-x")
    holding = Holding(turns, pool)
    call = holding.call(1)
    holding.has(1)
    run = new_run(None, None, Limits(), None)

    def work() -> None:
        with running(run), turns.turn(1, PATIENCE_S):
            raise AssertionError

    stopped = pool.submit(work)
    until(lambda: waiting(turns) == 1)
    cancel(run)
    with pytest.raises(errors.BudgetExhausted):
        stopped.result(PATIENCE_S)
    assert waiting(turns) == 0
    holding.let_go()
    call.result(PATIENCE_S)
    assert turns._busy == 0


def test_parts_of_one_run_wait_for_each_other():
    turns, most, here = Turns("remote-x"), 0, 0

    def part() -> int:
        nonlocal most, here
        with turns.turn(2, PATIENCE_S):
            here += 1
            most = max(most, here)
            wait_for(lambda wake: None, 0.01)
            here -= 1
        return 1

    with running(new_run(None, None, Limits(), None)):
        assert overlapping(lambda: all_of(*[part] * 10)) == [1] * 10
    assert (most, turns._busy) == (2, 0)


@given(
    capacity=st.integers(1, 4),
    calls=st.lists(
        st.tuples(st.sampled_from([0.0, 0.002, PATIENCE_S]), st.booleans()), min_size=1, max_size=24
    ),
)
@settings(max_examples=30)
def test_whatever_becomes_of_calls_no_turn_is_lost(capacity: int, calls: list[tuple[float, bool]]):
    turns, most, here, lock = Turns("remote-x", most_waiting=8), 0, 0, threading.Lock()

    def call(timeout_s: float, fails: bool) -> None:
        nonlocal most, here
        with turns.turn(capacity, timeout_s):
            with lock:
                here += 1
                most = max(most, here)
            time.sleep(0.001)
            with lock:
                here -= 1
            if fails:
                raise KeyError

    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(call, *each) for each in calls]
        results = [future.exception(PATIENCE_S) for future in futures]
    assert {type(each) for each in results} <= {type(None), NotSent, KeyError}
    assert most <= capacity
    assert (turns._busy, waiting(turns)) == (0, 0)


# ---------------------------------------------------------------- runners


class Runner:
    """Notes what it may take, then answers or fails."""

    def __init__(self) -> None:
        self.allowances: list[Allowance] = []
        self.answer: Outcome | Exception = Outcome(value=1)

    def run(self, function: Any, args: Any, target: Any, allowance: Allowance) -> Outcome:
        self.allowances.append(allowance)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


ALLOWANCE = Allowance(
    timeout_s=5.0,
    max_cost_usd=None,
    facts=RuntimeFacts(tenant="acme"),
    plan=DelegationPlan(target=RemoteModel("x"), stage="hint"),
)


def in_turn(runner: Runner, capacity: str) -> InTurn:
    policy = load_policy(f'[delegation.remote_providers]\nx = {{ endpoint = "http://x"{capacity} }}\n')
    clock = Clock(monotonic=time.monotonic, wall=time.time)
    return InTurn(runner, Current(Rulebook(policy)), clock)


def test_without_a_capacity_nothing_is_between():
    runner = Runner()
    outcome = in_turn(runner, "").run(FUNCTION, (), RemoteModel("x"), ALLOWANCE)
    assert outcome is runner.answer
    assert runner.allowances[0] is ALLOWANCE


def test_the_time_includes_the_wait_and_the_latency_does_not():
    runner = Runner()
    ours = in_turn(runner, ", capacity = 1")
    outcome = ours.run(FUNCTION, (), RemoteModel("x"), ALLOWANCE)
    assert outcome.latency_ms is not None
    assert runner.allowances[0].timeout_s <= 5.0
    runner.answer = Outcome(value=1, latency_ms=7.0)
    assert ours.run(FUNCTION, (), RemoteModel("x"), ALLOWANCE).latency_ms == 7.0


def test_a_call_that_fails_gives_its_turn_back():
    runner = Runner()
    ours = in_turn(runner, ", capacity = 1")
    for answer in (TargetFailed("timeout"), errors.Generic("x"), KeyError("x")):
        runner.answer = answer
        with pytest.raises(type(answer)):
            ours.run(FUNCTION, (), RemoteModel("x"), ALLOWANCE)
    runner.answer = Outcome(value=1)
    assert ours.run(FUNCTION, (), RemoteModel("x"), ALLOWANCE).value == 1
