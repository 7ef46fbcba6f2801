"""The actor of the policy: keeper and treasurer, and whoever wants to know of changes is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ray

from actors import names
from actors.options import actor_options
from actors.policy.keeper import OutcomeTotals, PolicyKeeper, policy_variables
from actors.policy.state import MoneyRefusal, MoneyRequest, PolicyState
from actors.policy.treasurer import Treasurer
from actors.ray_calls import Actors, ControlAnnouncer
from actors.requests import RunRequest
from actors.service import PolicyChange, PolicyView
from actors.telemetry import logs
from policies.running.runner import Observation

_THREADS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStart:
    """The policy that a runtime begins with."""

    text: str
    source: str
    #: the part of the starter's environment that the policy may look at, secrets included
    environ: dict[str, str]
    state_dir: str
    #: tells this runtime from earlier ones that kept their state in the same folder
    epoch: str


class PolicyActor:
    """Keeps policy and money for a runtime."""

    def __init__(self, namespace: str, start: PolicyStart) -> None:
        logs.configure(os.environ)
        announcer = ControlAnnouncer(Actors(namespace))

        def changed(state: PolicyState) -> None:
            announcer.publish("policy", "policy", {"number": state.number, "version": state.version})

        self._folder = folder = Path(start.state_dir)
        self._keeper = PolicyKeeper(
            start.text,
            source=start.source,
            environ={**_secrets(), **start.environ},
            file=folder / "policy.json",
            epoch=start.epoch,
            changed=changed,
        )
        self._treasurer = Treasurer(folder / "money.json", budgets=lambda: self._keeper.policy.settings.budgets)
        changed(self._keeper.state)  # the hub may be newer than the policy

    def state(self) -> PolicyState:
        """The policy in force."""
        return self._keeper.state

    def view(self) -> PolicyView:
        """The policy in force, for people."""
        return self._keeper.view()

    def replace(self, text: str, source: str, expected: int | None = None) -> PolicyChange:
        """Raises ConflictError."""
        return self._keeper.replace(text, source=source, expected=expected)

    def rollback(self) -> PolicyChange:
        """Raises ConflictError."""
        return self._keeper.rollback()

    def reserve(self, request: MoneyRequest) -> str | MoneyRefusal:
        """Put money aside."""
        return self._treasurer.reserve(request)

    def settle(self, reservation: str, actual: int) -> bool:
        """Book what was spent."""
        return self._treasurer.settle(reservation, actual)

    def report(self, observations: Sequence[Observation]) -> None:
        """Count outcomes."""
        self._keeper.report(observations)

    def totals(self) -> dict[str, OutcomeTotals]:
        """What came of the tries of each target."""
        return self._keeper.totals()

    def explain(self, data: bytes) -> dict[str, Any]:
        """Where the functions of a program would run, under the policy in force. Raises RtfsError."""
        from actors.caches.l4.lookup import ModuleIndex
        from actors.caches.l4.mirror import l4_folder
        from actors.caches.l4.store import ModuleStore
        from actors.caches.l4.trust_file import trust_path
        from actors.policy.explaining import explained

        with ModuleStore(l4_folder(self._folder)) as store:
            index = ModuleIndex(store, trust_path(os.environ))
            return explained(RunRequest.decode(data), self._keeper.policy, index)

    def process(self) -> int:
        """The id of its process; also the answer to whether it lives."""
        return os.getpid()


def _secrets() -> dict[str, str]:
    """What this node knows that policies to come may name; overrides come from whoever started the runtime."""
    ours = policy_variables(os.environ)
    return {name: value for name, value in os.environ.items() if name not in ours}


def policy_actor(namespace: str, start: PolicyStart, **more: Any) -> Any:
    """The actor of the policy, started if it is not there. What it is asked while it is away is asked again."""
    options = actor_options(names.POLICY, namespace, concurrency=_THREADS, max_task_retries=3, **more)
    return ray.remote(PolicyActor).options(**options).remote(namespace, start)
