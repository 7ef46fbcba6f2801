"""What calls cost, and when there is not enough for another attempt."""

from __future__ import annotations

import pytest

from actors.remote.openai.completion import Usage
from actors.remote.openai.money import Money, Prices
from policies.file.schema import RemoteProvider


def prices(**more: float) -> Prices:
    return Prices.of(RemoteProvider(endpoint="http://x", **more))


TOKENS = {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 10.0}


@pytest.mark.parametrize(
    ("given", "usage", "cost"),
    [
        (TOKENS, Usage(prompt=1000, completion=100), 0.003),
        ({**TOKENS, "cost_usd": 5.0}, Usage(prompt=1000, completion=100), 0.003),
        ({**TOKENS, "cost_usd": 5.0}, None, 5.0),
        (TOKENS, None, 0.0),
        ({"input_usd_per_mtok": 2.0}, Usage(prompt=1000, completion=100), 0.002),
        ({"cost_usd": 0.25}, Usage(prompt=1000, completion=100), 0.25),
        ({}, Usage(prompt=1000, completion=100), 0.0),
    ],
)
def test_the_cost_of_an_answer(given: dict[str, float], usage: Usage | None, cost: float):
    assert prices(**given).cost(usage) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("given", "cost"),
    [(TOKENS, 0.001 + 0.0001), ({**TOKENS, "cost_usd": 5.0}, 5.0), ({"cost_usd": 0.25}, 0.25), ({}, 0.0)],
)
def test_the_cost_of_an_attempt_that_nobody_can_tell(given: dict[str, float], cost: float):
    assert prices(**given).assumed(1000, 40) == pytest.approx(cost)


def test_money_that_is_left_bounds_the_next_attempt():
    money = Money(prices=prices(**TOKENS), limit=0.002)
    assert money.lacking(1000) is None
    assert money.most_tokens(1000, None) == 100
    assert money.most_tokens(1000, 20) == 20
    money.spent = 0.0015
    assert money.lacking(1000) == "an attempt costs 0.00101 USD, 0.0005 are left"
    money.spent = 9.0
    assert money.left == 0.0


def test_without_a_bound_or_a_price_nothing_lacks():
    assert Money(prices=prices(**TOKENS), limit=None).lacking(10**9) is None
    assert Money(prices=prices(**TOKENS), limit=None).most_tokens(10**9, None) is None
    free = Money(prices=prices(), limit=0.0)
    assert (free.lacking(10**9), free.most_tokens(10**9, 7)) == (None, 7)
    flat = Money(prices=prices(cost_usd=0.25), limit=0.3)
    assert flat.lacking(1) is None
    flat.spent = 0.1
    assert flat.lacking(1) == "an attempt costs 0.25 USD, 0.2 are left"
