"""Money: reserved before, settled after, never more than the limit at admission."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.file.schema import Budget
from policies.rules.purses import window_number
from policies.running.ledger import Larger, Ledger, Refused, Reservation
from policies.world import BudgetKey

A, B = BudgetKey("a", "acme", 0), BudgetKey("b", "", 0)


def reserved(ledger: Ledger, purses: list[tuple[BudgetKey, int]], amount: int) -> Reservation:
    found = ledger.reserve(purses, amount)
    assert isinstance(found, Reservation)
    return found


def test_reserve_and_settle() -> None:
    ledger = Ledger()
    held = reserved(ledger, [(A, 100), (B, 50)], 30)
    assert dict(ledger.taken) == {A: 30, B: 30}
    settlement = ledger.settle(held, 10)
    assert (settlement.amount, settlement.over, settlement.exceeded) == (10, 0, ())
    assert dict(ledger.taken) == dict(ledger.spent()) == {A: 10, B: 10}
    ledger.release(reserved(ledger, [(A, 100)], 90))
    assert dict(ledger.taken) == {A: 10, B: 10}


def test_all_purses_or_none() -> None:
    ledger = Ledger({A: 90})
    refused = ledger.reserve([(B, 50), (A, 100)], 11)
    assert refused == Refused(key=A, limit=100, taken=90, wanted=11)
    assert dict(ledger.taken) == {A: 90}
    assert str(refused) == "budget `a` of `acme`: 1.1e-05 USD wanted, 9e-05 of 0.0001 USD taken"
    assert isinstance(ledger.reserve([(B, 50), (A, 100)], 10), Reservation)


def test_what_is_free_is_never_refused() -> None:
    ledger = Ledger({A: 500})
    assert isinstance(ledger.reserve([(A, 100)], 0), Reservation)
    assert isinstance(ledger.reserve([(A, 100)], 1), Refused)


def test_a_purse_named_twice_pays_once() -> None:
    ledger = Ledger()
    held = reserved(ledger, [(A, 10), (A, 10)], 8)
    assert dict(ledger.taken) == {A: 8}
    ledger.settle(held, 5)
    assert dict(ledger.taken) == {A: 5}


def test_what_costs_more_than_was_reserved_is_booked_and_reported() -> None:
    ledger = Ledger()
    settlement = ledger.settle(reserved(ledger, [(A, 100), (B, 500)], 90), 150)
    assert (settlement.over, settlement.exceeded) == (60, (A,))
    assert dict(ledger.taken) == {A: 150, B: 150}
    assert isinstance(ledger.reserve([(A, 100)], 1), Refused)


def test_a_reservation_ends_once() -> None:
    ledger = Ledger()
    held = reserved(ledger, [(A, 100)], 10)
    ledger.settle(held, 10)
    for end in (lambda: ledger.settle(held, 10), lambda: ledger.release(held)):
        with pytest.raises(ValueError, match="settled or released before"):
            end()
    assert dict(ledger.taken) == {A: 10}


@pytest.mark.parametrize("bad", [-1, -(10**9)])
def test_money_is_not_negative(bad: int) -> None:
    ledger = Ledger()
    held = reserved(ledger, [(A, 100)], 10)
    for act in (
        lambda: ledger.reserve([(A, 100)], bad),
        lambda: ledger.settle(held, bad),
        lambda: Ledger({A: bad}),
    ):
        with pytest.raises(ValueError, match="amount of money"):
            act()
    assert dict(ledger.taken) == {A: 10}


def test_old_purses_are_forgotten_but_for_what_is_under_way() -> None:
    budgets = {
        "day": Budget(scope="all", limit_usd=1.0),
        "ever": Budget(scope="all", limit_usd=1.0, window="forever"),
    }
    old, now, ever = BudgetKey("day", "", 3), BudgetKey("day", "", 4), BudgetKey("ever", "", 0)
    ledger = Ledger({old: 1, now: 2, ever: 3})
    held = reserved(ledger, [(BudgetKey("day", "", 2), 100)], 5)
    assert ledger.prune(budgets, 4 * 86_400.0) == 1
    assert dict(ledger.taken) == {now: 2, ever: 3, BudgetKey("day", "", 2): 5}
    ledger.settle(held, 5)
    assert ledger.prune(budgets, 4 * 86_400.0) == 1
    assert dict(ledger.snapshot()) == {now: 2, ever: 3}


def test_purses_of_budgets_that_are_no_more_are_kept_for_when_these_come_back() -> None:
    purse = BudgetKey("day", "", 4)
    budgets = {"day": Budget(scope="all", limit_usd=1.0)}
    ledger = Ledger({purse: 7})
    assert ledger.prune({}, 4 * 86_400.0) == 0
    assert ledger.prune(budgets, 4.5 * 86_400.0) == 0
    assert ledger.taken[purse] == 7
    assert ledger.prune({}, 4.6 * 86_400.0) == 0
    assert ledger.prune({}, 34.5 * 86_400.0) == 0
    assert ledger.prune({}, 34.7 * 86_400.0) == 1
    assert purse not in ledger.taken


def test_purses_outlast_a_change_of_their_window() -> None:
    now = 1_790_000_000.0
    windows = ("minute", "hour", "day", "week", "month", "forever")
    purses = {BudgetKey("b", "", window_number(window, now)): 7 for window in windows}
    ledger = Ledger(purses)
    for window in windows:
        assert ledger.prune({"b": Budget(scope="all", limit_usd=1.0, window=window)}, now) == 0
    assert dict(ledger.taken) == purses
    assert ledger.prune({"b": Budget(scope="all", limit_usd=1.0, window="hour")}, now + 3600.0) == 1


def test_a_snapshot_stays_as_it_is() -> None:
    ledger = Ledger({A: 1})
    snapshot, live = ledger.snapshot(), ledger.taken
    reserved(ledger, [(A, 10)], 5)
    assert (snapshot[A], live[A]) == (1, 6)


PURSES = [BudgetKey("p", str(n), 0) for n in range(3)]
LIMITS = dict(zip(PURSES, (50, 80, 120), strict=True))
STEPS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(PURSES)),
        st.integers(0, 60),
        st.integers(0, 60),
        st.integers(0, 5),
    ),
    max_size=60,
)


@given(STEPS)
def test_admission_never_exceeds_a_limit_and_sums_are_exact(steps: list[tuple[Any, int, int, int]]) -> None:
    ledger, spent = Ledger(), dict.fromkeys(PURSES, 0)
    under_way: list[Reservation] = []

    def held(key: BudgetKey) -> int:
        return sum(one.amount for one in under_way if key in dict(one.purses))

    for keys, amount, actual, ends in steps:
        before = {key: spent[key] + held(key) for key in PURSES}
        found = ledger.reserve([(key, LIMITS[key]) for key in keys], amount)
        fits = all(before[key] + amount <= LIMITS[key] for key in keys)
        assert isinstance(found, Reservation) == (fits or amount == 0)
        if isinstance(found, Reservation):
            under_way.append(found)
        while ends and under_way:
            ends -= 1
            one = under_way.pop(0)
            ledger.settle(one, actual)
            for key, _ in one.purses:
                spent[key] += actual
        assert all(ledger.taken.get(key, 0) == spent[key] + held(key) for key in PURSES)


def test_many_threads_do_not_overspend() -> None:
    ledger, limit, admitted = Ledger(), 1000, []
    barrier = threading.Barrier(4)

    def spend() -> None:
        barrier.wait()
        for _ in range(500):
            held = ledger.reserve([(A, limit), (B, 10**9)], 3)
            if isinstance(held, Reservation):
                admitted.append(ledger.settle(held, 3).amount)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == ledger.taken[A] == ledger.taken[B] == 999


def test_the_larger_of_two_counts() -> None:
    both = Larger({A: 1, B: 5}, {B: 2, PURSES[0]: 7})
    assert dict(both) == {A: 1, B: 5, PURSES[0]: 7}
    assert (both.get(A, 0), both.get(PURSES[1], 0), len(both)) == (1, 0, 3)
