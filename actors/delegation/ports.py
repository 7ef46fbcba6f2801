"""What an evaluator needs of the rest of its runtime: two small ports, with what serves where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from actors.policy.state import MoneyRefusal, MoneyRequest


class Announcer(Protocol):
    """Tells the others of the runtime what happened. Never waits and never fails."""

    def publish(
        self,
        topic: str,
        key: str,
        data: Mapping[str, Any],
        tenant: str | None = None,
        *,
        ended: bool = False,
    ) -> None:
        """Tell everybody who listens to the topic. `ended`: nothing further will be told of the key."""


class Treasury(Protocol):
    """The money of the whole runtime."""

    def reserve(self, request: MoneyRequest) -> str | MoneyRefusal:
        """Put money aside; an id by which it is settled. Where nobody can be asked, nothing is given."""

    def settle(self, reservation: str, actual: int) -> None:
        """Say what was spent of it, in millionths of a dollar. Never waits."""


class Silence:
    """Nobody listens."""

    def publish(
        self,
        topic: str,
        key: str,
        data: Mapping[str, Any],
        tenant: str | None = None,
        *,
        ended: bool = False,
    ) -> None:
        """Nothing."""
