"""What may be asked for beforehand is never more than the bounds say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.caches.prewarming.budget import HOUR_S, MINUTE_S, Bounds, Budget

PLENTY = Bounds(calls_per_minute=1000, per_hour=10**9, at_once=1000)


def test_what_nobody_prices_is_not_made() -> None:
    budget = Budget(PLENTY)
    assert not budget.take(None, 0.0)
    assert budget.take(0, 0.0)


def test_without_money_only_what_is_free_is_made() -> None:
    budget = Budget(Bounds(calls_per_minute=10, per_hour=0, at_once=10))
    assert not budget.take(1, 0.0)
    assert budget.take(0, 0.0)


def test_so_many_at_once() -> None:
    budget = Budget(Bounds(calls_per_minute=10, per_hour=0, at_once=2))
    assert [budget.take(0, 0.0) for _ in range(3)] == [True, True, False]
    assert budget.is_used_up(0.0)
    budget.settle(0, 0, 1.0)
    assert budget.take(0, 1.0)


def test_so_many_in_any_minute() -> None:
    budget = Budget(Bounds(calls_per_minute=2, per_hour=0, at_once=10))
    assert [budget.take(0, now) for now in (0.0, 50.0, 59.0, MINUTE_S, 61.0)] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_money_is_put_aside_until_a_call_is_over() -> None:
    budget = Budget(Bounds(calls_per_minute=100, per_hour=10, at_once=10))
    assert budget.take(6, 0.0)
    assert not budget.take(6, 0.0)
    budget.settle(6, 1, 0.0)
    assert budget.take(6, 0.0)
    assert budget.spent == 1


def test_an_hour_later_there_is_money_again() -> None:
    budget = Budget(Bounds(calls_per_minute=100, per_hour=10, at_once=10))
    assert budget.take(10, 0.0)
    budget.settle(10, 10, 5.0)
    assert not budget.take(1, 4.0 + HOUR_S)
    assert budget.take(1, 5.0 + HOUR_S)


@given(
    st.integers(1, 5),
    st.integers(0, 30),
    st.integers(1, 3),
    st.lists(st.tuples(st.floats(0, 40), st.integers(0, 12), st.booleans()), max_size=60),
)
def test_no_window_holds_more_than_the_bounds(
    calls: int, money: int, at_once: int, steps: list[tuple[float, int, bool]]
) -> None:
    budget = Budget(Bounds(calls_per_minute=calls, per_hour=money, at_once=at_once))
    now, began, paid = 0.0, [], []
    open_calls: list[int] = []
    for wait_s, price, ends in steps:
        now += wait_s
        if ends and open_calls:
            price = open_calls.pop()
            budget.settle(price, price, now)
            paid.append((now, price))
        elif budget.take(price, now):
            open_calls.append(price)
            began.append(now)
        assert len(open_calls) <= at_once
        assert sum(1 for at in began if at > now - MINUTE_S) <= calls
        assert sum(price for at, price in paid if at > now - HOUR_S) + sum(open_calls) <= money
