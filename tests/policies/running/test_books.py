"""One try of a target: its money is settled once, and its circuit breaker told once, however it ends."""

from __future__ import annotations

from math import inf, nan
from types import SimpleNamespace
from typing import Any

import pytest

from policies.running import observe
from policies.running.books import Books
from policies.running.ledger import Ledger, Reservation
from policies.world import BudgetKey

PURSE = BudgetKey("a", "acme", 0)
#: millionths of a dollar: what was put aside, and what the purse allows
ASIDE, LIMIT = 30, 100


class Health:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.told.append((name, *args))


@pytest.fixture
def services() -> Any:
    counted: list[tuple[str, Any]] = []
    return SimpleNamespace(
        ledger=Ledger(),
        health=Health(),
        clock=SimpleNamespace(wall=lambda: 5.0),
        meter=SimpleNamespace(count=lambda name, labels: counted.append((name, labels))),
        counted=counted,
    )


@pytest.fixture
def books(services: Any) -> Books:
    money = services.ledger.reserve([(PURSE, LIMIT)], ASIDE)
    assert isinstance(money, Reservation)
    return Books(services, "remote-x", money)


@pytest.mark.parametrize(
    ("said_usd", "booked"),
    [(1e-5, 10), (0.0, 0), (None, ASIDE), (-1.0, ASIDE), (nan, ASIDE), (inf, ASIDE)],
)
def test_what_is_said_is_booked_once(books: Books, services: Any, said_usd: float | None, booked: int) -> None:
    assert books.settle(said_usd) == booked
    assert books.settle(1.0) == booked
    assert dict(services.ledger.spent()) == ({PURSE: booked} if booked else {})
    assert services.counted == []


def test_what_costs_more_than_was_put_aside_is_booked_and_counted(books: Books, services: Any) -> None:
    assert books.settle(5e-5) == 50
    assert services.counted == [(observe.OVER_RESERVATION, {"target": "remote-x"})]


def test_a_try_that_was_broken_off_cost_all_and_tells_nothing_of_the_target(
    books: Books, services: Any
) -> None:
    books.close()
    assert dict(services.ledger.spent()) == {PURSE: ASIDE}
    assert services.health.told == [("abandoned", "remote-x", 5.0)]


def test_how_it_ended_is_told_once(books: Books, services: Any) -> None:
    books.settle(0.0)
    books.succeeded(12.0)
    books.close()
    assert services.health.told == [("succeeded", "remote-x", 5.0, 12.0)]


def test_a_failure_is_told_with_its_cause(books: Books, services: Any) -> None:
    books.settle(0.0)
    books.failed("timeout", 3.0)
    books.close()
    assert services.health.told == [("failed", "remote-x", 5.0, "timeout", 3.0)]
