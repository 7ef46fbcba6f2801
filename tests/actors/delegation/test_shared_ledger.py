"""The ledger of one process among many: a reservation holds here and there, or nowhere."""

from __future__ import annotations

import pytest

from actors.delegation.shared_ledger import SharedLedger
from actors.policy.state import MoneyRefusal, MoneyRequest
from policies.running.ledger import Refused, Reservation
from policies.world import BudgetKey
from rtfs import errors

DAY = BudgetKey("day", "acme", 1)
PURSES = [(DAY, 100)]


class Bank:
    """A treasury that does as it is told."""

    def __init__(self) -> None:
        self.answer: MoneyRefusal | BaseException | None = None
        self.asked: list[MoneyRequest] = []
        self.settled: list[tuple[str, int]] = []

    def reserve(self, request: MoneyRequest) -> str | MoneyRefusal:
        self.asked.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer or f"r{len(self.asked)}"

    def settle(self, reservation: str, actual: int) -> None:
        self.settled.append((reservation, actual))


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def ledger(bank: Bank) -> SharedLedger:
    return SharedLedger(bank)


def reserved(ledger: SharedLedger, amount: int) -> Reservation:
    made = ledger.reserve(iter(PURSES), amount)
    assert isinstance(made, Reservation)
    return made


def test_what_is_reserved_is_settled_once_here_and_there(ledger: SharedLedger, bank: Bank) -> None:
    made = reserved(ledger, 40)
    assert bank.asked == [MoneyRequest(purses=tuple(PURSES), amount=40)]
    assert ledger.settle(made, 50).over == 10
    assert bank.settled == [("r1", 50)]
    with pytest.raises(ValueError, match="settled or released before"):
        ledger.settle(made, 50)
    assert bank.settled == [("r1", 50)]
    assert dict(ledger.taken) == {DAY: 50}


def test_what_is_given_back_is_given_back_there_too(ledger: SharedLedger, bank: Bank) -> None:
    ledger.release(reserved(ledger, 40))
    assert (bank.settled, dict(ledger.taken)) == ([("r1", 0)], {DAY: 0})


def test_what_the_treasury_refuses_is_not_spent_here(ledger: SharedLedger, bank: Bank) -> None:
    bank.answer = MoneyRefusal(key=DAY, limit=100, taken=90, wanted=40)  # others spent it
    refused = ledger.reserve(PURSES, 40)
    assert refused == Refused(key=DAY, limit=100, taken=90, wanted=40)
    assert (dict(ledger.taken), bank.settled) == ({DAY: 0}, [])
    bank.answer = None
    reserved(ledger, 100)


def test_what_is_too_much_here_is_not_asked_for_there(ledger: SharedLedger, bank: Bank) -> None:
    assert isinstance(ledger.reserve(PURSES, 101), Refused)
    assert bank.asked == []


@pytest.mark.parametrize("stop", [errors.BudgetExhausted("cancelled", "stopped"), KeyboardInterrupt()])
def test_a_run_that_is_stopped_while_it_asks_leaves_nothing_reserved(
    ledger: SharedLedger, bank: Bank, stop: BaseException
) -> None:
    bank.answer = stop
    with pytest.raises(type(stop)):
        ledger.reserve(PURSES, 40)
    assert (dict(ledger.taken), bank.settled) == ({DAY: 0}, [])
    bank.answer = None
    reserved(ledger, 100)


def test_what_no_budget_pays_for_and_what_is_free_stay_in_the_process(ledger: SharedLedger, bank: Bank) -> None:
    nothing = ledger.reserve((), 40)
    assert isinstance(nothing, Reservation)
    ledger.settle(nothing, 40)
    ledger.settle(reserved(ledger, 0), 0)
    assert (bank.asked, bank.settled) == ([], [])


def test_what_was_to_be_free_and_was_not_is_told(ledger: SharedLedger, bank: Bank) -> None:
    ledger.settle(reserved(ledger, 0), 7)
    assert bank.asked == [MoneyRequest(purses=tuple(PURSES), amount=0)]
    assert bank.settled == [("r1", 7)]
    assert dict(ledger.taken) == {DAY: 7}
    bank.answer = MoneyRefusal(key=DAY, limit=100, taken=100, wanted=0)  # nobody can be asked
    ledger.settle(reserved(ledger, 0), 7)
    assert bank.settled == [("r1", 7)]
    assert dict(ledger.taken) == {DAY: 14}
