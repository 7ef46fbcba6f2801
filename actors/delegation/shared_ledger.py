"""The ledger of one process in a runtime of many: the purses are the runtime's, and it is asked each time.

What no budget pays for never leaves the process, nor does what is free, unless it turns out to have cost
something. Else a reservation holds here and there, or nowhere: if the treasury refuses or cannot be reached, so
does this ledger, and the call goes on along its chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import override

from actors.delegation.ports import Treasury
from actors.policy.state import MoneyRefusal, MoneyRequest
from policies.running.ledger import Ledger, Refused, Reservation, Settlement
from policies.world import BudgetKey, MicroUsd


class SharedLedger(Ledger):
    """A `Ledger` that also keeps to what all processes together may spend."""

    def __init__(self, treasury: Treasury, spent: Mapping[BudgetKey, MicroUsd] = MappingProxyType({})) -> None:
        super().__init__(spent)
        self._treasury = treasury
        self._shared: dict[Reservation, str] = {}

    @override
    def reserve(self, purses: Iterable[tuple[BudgetKey, MicroUsd]], amount: MicroUsd) -> Reservation | Refused:
        wanted = tuple(purses)
        here = super().reserve(wanted, amount)
        if isinstance(here, Refused) or not wanted or not amount:
            return here
        try:
            there = self._treasury.reserve(MoneyRequest(purses=wanted, amount=amount))
        except BaseException:  # the run was stopped while it waited
            super().release(here)
            raise
        if isinstance(there, MoneyRefusal):
            super().settle(here, 0)
            return Refused(key=there.key, limit=there.limit, taken=there.taken, wanted=there.wanted)
        self._shared[here] = there
        return here

    @override
    def settle(self, reservation: Reservation, actual: MicroUsd) -> Settlement:
        there = self._shared.pop(reservation, None)
        settlement = super().settle(reservation, actual)
        if there is None and actual and reservation.purses:  # it was to be free
            found = self._treasury.reserve(MoneyRequest(purses=reservation.purses, amount=0))
            there = None if isinstance(found, MoneyRefusal) else found
        if there is not None:
            self._treasury.settle(there, actual)
        return settlement
