"""Money: what was spent and what is reserved, by purse.

A call reserves the most that it may cost out of every purse that pays for it before it starts, and settles what
it did cost when it ends. So calls side by side cannot together spend what only one of them may: at the moment
of a reservation, what is spent and reserved of a purse, the new amount included, is within the limit.

What a call costs beyond its reservation is spent all the same: it is booked, reported, and leaves less or
nothing for later calls.

`policies.rules.purses` says which purses pay for a call.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from policies.file.schema import Budget
from policies.rules.purses import window_number
from policies.world import USD, BudgetKey, MicroUsd

#: how long purses of a budget that is no more are kept, seconds: as long as the longest window that ends
KEPT_S: Final = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reservation:
    """Money put aside for one call. Settled or released once."""

    purses: tuple[tuple[BudgetKey, MicroUsd], ...]
    amount: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The first purse that does not hold enough; nothing was reserved anywhere."""

    key: BudgetKey
    limit: MicroUsd
    #: spent or reserved already
    taken: MicroUsd
    wanted: MicroUsd

    def __str__(self) -> str:
        of = f" of `{self.key.owner}`" if self.key.owner else ""
        return (
            f"budget `{self.key.budget}`{of}: {self.wanted / USD:g} USD wanted, "
            f"{self.taken / USD:g} of {self.limit / USD:g} USD taken"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a call did cost."""

    amount: MicroUsd
    #: by how much it was more than had been reserved
    over: MicroUsd
    #: purses that are over their limit now
    exceeded: tuple[BudgetKey, ...]


@dataclass(slots=True)
class _Purse:
    spent: MicroUsd = 0
    reserved: MicroUsd = 0
    #: when it was first missed that a budget counts in it
    missed_since: float | None = None


class Ledger:
    """All purses. Safe to use from many threads.

    Args:
        spent: what earlier processes spent, by purse.
    """

    def __init__(self, spent: Mapping[BudgetKey, MicroUsd] = MappingProxyType({})) -> None:
        self._purses = {key: _Purse(spent=_amount(amount)) for key, amount in spent.items()}
        self._taken = {key: purse.spent for key, purse in self._purses.items()}
        self._open: set[Reservation] = set()
        self._lock = threading.Lock()
        #: spent or reserved, by purse; a live view, to be read only
        self.taken: Mapping[BudgetKey, MicroUsd] = MappingProxyType(self._taken)

    def reserve(self, purses: Iterable[tuple[BudgetKey, MicroUsd]], amount: MicroUsd) -> Reservation | Refused:
        """Put `amount` aside in all purses, each with its limit, or in none. What is free is never refused."""
        wanted = dict(purses)  # a purse that is named twice pays once
        reservation = Reservation(purses=tuple(wanted.items()), amount=_amount(amount))
        with self._lock:
            if amount:
                for key, limit in wanted.items():
                    taken = self._taken.get(key, 0)
                    if taken + amount > limit:
                        return Refused(key=key, limit=limit, taken=taken, wanted=amount)
            for key in wanted:
                self._purse(key).reserved += amount
                self._note(key)
            self._open.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, actual: MicroUsd) -> Settlement:
        """Book what the call did cost; what was reserved beyond it is free again.

        Raises:
            ValueError: the reservation was settled or released before.
        """
        actual = _amount(actual)
        exceeded = []
        with self._lock:
            self._close(reservation)
            for key, limit in reservation.purses:
                purse = self._purse(key)
                purse.reserved -= reservation.amount
                purse.spent += actual
                self._note(key)
                if self._taken[key] > limit:
                    exceeded.append(key)
        over = max(0, actual - reservation.amount)
        return Settlement(amount=actual, over=over, exceeded=tuple(exceeded))

    def release(self, reservation: Reservation) -> None:
        """Give back all of it: the call did not take place.

        Raises:
            ValueError: as `settle`.
        """
        self.settle(reservation, 0)

    def snapshot(self) -> Mapping[BudgetKey, MicroUsd]:
        """Spent or reserved, by purse, at this moment: `World.spent`."""
        with self._lock:
            return MappingProxyType(dict(self._taken))

    def spent(self) -> Mapping[BudgetKey, MicroUsd]:
        """Spent alone, to be kept for the next process."""
        with self._lock:
            return {key: purse.spent for key, purse in self._purses.items() if purse.spent}

    def prune(self, budgets: Mapping[str, Budget], now: float) -> int:
        """Forget purses that nothing is paid out of any more; how many there were.

        These are the purses of windows that are over. Those that no budget counts in as it stands now are kept
        for `KEPT_S`, since an earlier policy may come back: what was spent under it is spent. A purse in which
        something is reserved stays.
        """
        with self._lock:
            over = [
                key
                for key, purse in self._purses.items()
                if not purse.reserved and _is_over(key, purse, budgets.get(key.budget), now)
            ]
            for key in over:
                del self._purses[key], self._taken[key]
        return len(over)

    def _purse(self, key: BudgetKey) -> _Purse:
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = _Purse()
        return purse

    def _note(self, key: BudgetKey) -> None:
        purse = self._purses[key]
        self._taken[key] = purse.spent + purse.reserved

    def _close(self, reservation: Reservation) -> None:
        if reservation not in self._open:
            raise ValueError("expected a reservation that is open, got one settled or released before")
        self._open.remove(reservation)


class Larger(Mapping[BudgetKey, MicroUsd]):
    """The larger of two counts of money, purse by purse: what others counted, and what was counted here."""

    def __init__(self, a: Mapping[BudgetKey, MicroUsd], b: Mapping[BudgetKey, MicroUsd]) -> None:
        self._a = a
        self._b = b

    def __getitem__(self, key: BudgetKey) -> MicroUsd:
        a, b = self._a.get(key), self._b.get(key)
        if a is None:
            return self._b[key]
        return a if b is None else max(a, b)

    def __iter__(self) -> Iterator[BudgetKey]:
        return iter({**self._a, **self._b})

    def __len__(self) -> int:
        return len({**self._a, **self._b})


def _amount(amount: MicroUsd) -> MicroUsd:
    if amount < 0:
        raise ValueError(f"expected an amount of money, got {amount} millionths of a dollar")
    return amount


def _is_over(key: BudgetKey, purse: _Purse, budget: Budget | None, now: float) -> bool:
    latest = None if budget is None else window_number(budget.window, now)
    if latest is not None and _is_of_that_kind(key.window, latest):
        purse.missed_since = None
        return key.window < latest
    if purse.missed_since is None:
        purse.missed_since = now
    return now - purse.missed_since > KEPT_S


def _is_of_that_kind(number: int, latest: int) -> bool:
    """Whether a window is one of the kind of the latest: numbers of other kinds are several times as large."""
    return number <= latest <= 2 * number
