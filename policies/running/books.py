"""One try of a target: what it cost is settled, and the circuit breaker told, however it ends."""

from __future__ import annotations

from math import isfinite

from policies.running import observe
from policies.running.ledger import Reservation
from policies.running.services import Services
from policies.world import MicroUsd, micro_usd


class Books:
    """Money and health of one try: each is told once, at the latest by `close`.

    Args:
        name: of the target.
        money: what was put aside for the try.
    """

    def __init__(self, services: Services, name: str, money: Reservation) -> None:
        self._services = services
        self._name = name
        self._money = money
        self._settled: MicroUsd | None = None
        self._told = False

    def settle(self, cost_usd: float | None) -> MicroUsd:
        """Book what the try did cost; None, or what is no amount of money: what was reserved. Once only."""
        if self._settled is None:
            known = cost_usd is not None and isfinite(cost_usd) and cost_usd >= 0
            self._settled = micro_usd(cost_usd or 0.0) if known else self._money.amount
            settlement = self._services.ledger.settle(self._money, self._settled)
            if settlement.over:
                self._services.meter.count(observe.OVER_RESERVATION, {"target": self._name})
        return self._settled

    def succeeded(self, latency_ms: float) -> None:
        """The target answered."""
        self._told = True
        self._services.health.succeeded(self._name, self._services.clock.wall(), latency_ms)

    def failed(self, cause: str, retry_after_s: float | None) -> None:
        """The target failed."""
        self._told = True
        self._services.health.failed(self._name, self._services.clock.wall(), cause, retry_after_s)

    def close(self) -> None:
        """End what was not ended: the try was broken off."""
        self.settle(None)
        if not self._told:
            self._services.health.abandoned(self._name, self._services.clock.wall())
