"""The money of a runtime: one ledger for all its processes, whose count outlives the process that keeps it.

Every change is on disk before it is answered; where nothing can be written, nothing is put aside. What was put
aside and never settled, because whoever asked for it died, counts as spent: after a crash of the treasurer at
once, else after `LOST_S`.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from actors.folders import replace_file
from actors.policy.state import MoneyRefusal, MoneyRequest
from policies.file.schema import Budget
from policies.running.ledger import Ledger, Refused, Reservation
from policies.world import BudgetKey, MicroUsd

#: a call that lasts longer than this is taken for lost, seconds
LOST_S: Final = 3600.0


class Treasurer:
    """Grants and books money. Safe to use from many threads.

    Args:
        file: where it is counted.
        budgets: those of the policy in force: purses of windows that are over are forgotten.

    Raises:
        ValueError: the file is damaged. Nothing is spent until somebody has looked at it.
    """

    def __init__(
        self,
        file: Path,
        clock: Callable[[], float] = time.time,
        *,
        budgets: Callable[[], Mapping[str, Budget]] = dict,
    ) -> None:
        self._file = file
        self._clock = clock
        self._budgets = budgets
        self._ledger = Ledger(_read(file))
        self._open: dict[str, tuple[float, Reservation]] = {}
        self._lock = threading.Lock()

    def reserve(self, request: MoneyRequest) -> str | MoneyRefusal:
        """Put money aside, if every purse holds enough; an id by which to settle it.

        Raises:
            OSError: it cannot be written down; nothing was put aside.
        """
        with self._lock:
            now = self._clock()
            self._give_up_lost(now)
            self._ledger.prune(self._budgets(), now)
            made = self._ledger.reserve(request.purses, request.amount)
            if isinstance(made, Refused):
                return MoneyRefusal(key=made.key, limit=made.limit, taken=made.taken, wanted=made.wanted)
            try:
                self._write()
            except OSError:
                self._ledger.release(made)
                raise
            name = secrets.token_hex(12)
            self._open[name] = (now, made)
            return name

    def settle(self, name: str, actual: MicroUsd) -> bool:
        """Book what was spent; whether the reservation was open. One that was given up is booked already."""
        with self._lock:
            found = self._open.pop(name, None)
            if found is None:
                return False
            self._ledger.settle(found[1], actual)
            self._write()
            return True

    def taken(self) -> dict[BudgetKey, MicroUsd]:
        """Spent or put aside, by purse."""
        return dict(self._ledger.snapshot())

    def _give_up_lost(self, now: float) -> None:
        before = now - LOST_S
        for name in [name for name, (since, _) in self._open.items() if since < before]:
            reservation = self._open.pop(name)[1]
            self._ledger.settle(reservation, reservation.amount)

    def _write(self) -> None:
        rows = [[*key, amount] for key, amount in self._ledger.snapshot().items() if amount]
        replace_file(self._file, json.dumps(rows))


def _read(file: Path) -> dict[BudgetKey, MicroUsd]:
    """What an earlier treasurer counted. Raises ValueError: the file is damaged."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return dict(map(_purse, rows))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}; move it away to begin with nothing spent") from error


def _purse(row: Any) -> tuple[BudgetKey, MicroUsd]:
    """A purse as it was written. Raises ValueError, TypeError: it is damaged."""
    budget, owner, window, amount = row
    if [type(each) for each in (budget, owner, window, amount)] != [str, str, int, int] or amount < 0:
        raise ValueError(f"expected a budget, its owner, a window and an amount, got {row!a:.80}")
    return BudgetKey(budget, owner, window), amount
