"""The money of a runtime: never more than the limit, whoever asks and whoever dies."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.delegation.shared_ledger import SharedLedger
from actors.policy.state import MoneyRefusal, MoneyRequest
from actors.policy.treasurer import LOST_S, Treasurer
from policies.file.schema import Budget
from policies.running.ledger import Reservation
from policies.world import BudgetKey

DAY, TENANT = BudgetKey("day", "acme", 20_000), BudgetKey("team", "acme", 0)
NOW = 20_000 * 86_400.0


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def wants(amount: int, **limits: int) -> MoneyRequest:
    """Money out of `day` and `team`, as far as limits for them are given."""
    keys = {"day": DAY, "team": TENANT}
    return MoneyRequest(purses=tuple((keys[name], limit) for name, limit in limits.items()), amount=amount)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "money.json"


def test_money_is_put_aside_settled_and_given_back(file: Path) -> None:
    treasurer = Treasurer(file)
    first = treasurer.reserve(wants(60, day=100, team=1000))
    assert isinstance(first, str)
    refused = treasurer.reserve(wants(60, day=100, team=1000))
    assert refused == MoneyRefusal(key=DAY, limit=100, taken=60, wanted=60)
    assert treasurer.taken() == {DAY: 60, TENANT: 60}
    assert treasurer.settle(first, 25)
    assert treasurer.taken() == {DAY: 25, TENANT: 25}
    assert isinstance(treasurer.reserve(wants(75, day=100)), str)


def test_a_reservation_is_settled_once(file: Path) -> None:
    treasurer = Treasurer(file)
    name = treasurer.reserve(wants(10, day=100))
    assert isinstance(name, str)
    assert treasurer.settle(name, 10)
    assert not treasurer.settle(name, 10)
    assert not treasurer.settle("never made", 10)
    assert treasurer.taken() == {DAY: 10}


def test_a_crash_counts_what_was_put_aside_as_spent(file: Path) -> None:
    treasurer = Treasurer(file)
    names = [treasurer.reserve(wants(30, day=100)) for _ in range(3)]
    assert treasurer.settle(str(names[0]), 5)
    again = Treasurer(file)
    assert again.taken() == {DAY: 65}
    assert isinstance(again.reserve(wants(36, day=100)), MoneyRefusal)
    assert not again.settle(str(names[1]), 0)  # of the old one, and booked
    assert isinstance(again.reserve(wants(35, day=100)), str)


def test_a_reservation_that_nobody_settles_counts_as_spent_at_last(file: Path) -> None:
    time = Time()
    treasurer = Treasurer(file, time)
    name = treasurer.reserve(wants(60, day=100))
    time.now += LOST_S
    assert isinstance(treasurer.reserve(wants(0, day=100)), str)  # not yet
    assert treasurer.settle(str(name), 1)
    lost = treasurer.reserve(wants(60, day=100))
    time.now += LOST_S + 1
    assert isinstance(treasurer.reserve(wants(60, day=100)), MoneyRefusal)
    assert not treasurer.settle(str(lost), 0)
    assert treasurer.taken() == {DAY: 61}


def test_windows_that_are_over_are_forgotten(file: Path) -> None:
    time = Time()
    budgets = {"day": Budget(scope="tenant", limit_usd=1.0, window="day")}
    treasurer = Treasurer(file, time, budgets=lambda: budgets)
    name = treasurer.reserve(wants(5, day=100))
    assert treasurer.settle(str(name), 5)
    time.now += 86_400
    tomorrow = DAY._replace(window=DAY.window + 1)
    assert isinstance(treasurer.reserve(MoneyRequest(purses=((tomorrow, 100),), amount=7)), str)
    assert treasurer.taken() == {tomorrow: 7}
    assert json.loads(file.read_text()) == [[*tomorrow, 7]]


def test_what_cannot_be_written_is_not_put_aside(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    treasurer = Treasurer(file)

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("actors.policy.treasurer.replace_file", full)
        with pytest.raises(OSError, match="No space left"):
            treasurer.reserve(wants(60, day=100))
    assert treasurer.taken() == {DAY: 0}
    assert isinstance(treasurer.reserve(wants(100, day=100)), str)


DAMAGED = ["", "{", "1", "{}x", '[["day", "acme", 1]]', '[["day", "acme", 1, "5"]]', '[["day", "acme", 1, -5]]',
           '[["day", "acme", 1, 1e400]]', '[{"a": 1, "b": 2, "c": 3, "d": 4}]', '[["day", null, 1, 5]]',
           "[" * 100_000]  # fmt: skip


@pytest.mark.parametrize("damaged", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_refuses_to_start_and_stays(file: Path, damaged: str) -> None:
    file.write_text(damaged)
    with pytest.raises(ValueError, match=r"is damaged: .*; move it away"):
        Treasurer(file)
    assert file.read_text() == damaged


def test_an_unreadable_file_refuses_to_start(file: Path) -> None:
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        Treasurer(file)


# ---------------------------------------------------------------- never over the limit

STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 60), st.booleans(), st.booleans()),
    max_size=40,
)


@settings(max_examples=50)
@given(STEPS)
def test_no_history_of_ledgers_and_crashes_exceeds_the_limit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int, bool, bool]]
) -> None:
    file = tmp_path_factory.mktemp("money") / "money.json"
    treasurer = Treasurer(file)

    class Port:
        def reserve(self, request: MoneyRequest) -> str | MoneyRefusal:
            return treasurer.reserve(request)

        def settle(self, reservation: str, actual: int) -> None:
            treasurer.settle(reservation, actual)

    ledgers = [SharedLedger(Port()) for _ in range(3)]
    spent = 0
    for who, amount, actual, dies, crashes in steps:
        made = ledgers[who].reserve([(DAY, 100)], amount)
        if isinstance(made, Reservation):
            assert treasurer.taken().get(DAY, 0) <= 100
            if dies:
                ledgers[who] = SharedLedger(Port())  # its process is gone; what it put aside stays put aside
            else:
                ledgers[who].settle(made, min(actual, amount))
                spent += min(actual, amount)
        if crashes:
            before = treasurer.taken().get(DAY, 0)
            treasurer = Treasurer(file)
            assert treasurer.taken().get(DAY, 0) == before
        assert spent <= treasurer.taken().get(DAY, 0) <= 100


def test_many_threads_never_exceed_the_limit_and_lose_nothing(file: Path) -> None:
    treasurer = Treasurer(file)
    limit = 1_000
    granted: list[int] = []
    seen: list[int] = []

    class Port:
        def reserve(self, request: MoneyRequest) -> str | MoneyRefusal:
            return treasurer.reserve(request)

        def settle(self, reservation: str, actual: int) -> None:
            assert treasurer.settle(reservation, actual)

    def spend(seed: int) -> None:
        chance, ledger = random.Random(seed), SharedLedger(Port())
        for _ in range(40):
            made = ledger.reserve([(DAY, limit)], chance.randrange(1, 40))
            seen.append(treasurer.taken().get(DAY, 0))
            if isinstance(made, Reservation):
                actual = chance.randrange(made.amount + 1)
                ledger.settle(made, actual)
                granted.append(actual)

    threads = [threading.Thread(target=spend, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(seen) <= limit
    assert treasurer.taken() == {DAY: sum(granted)}
    assert Treasurer(file).taken() == {DAY: sum(granted)}
    assert sum(granted) > limit // 2
