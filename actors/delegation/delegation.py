"""All that decides and carries out the delegated calls of one process: policy, health, money, runners.

    policy actor ──state──▶ Delegation.follow ─▶ PolicyHolder ─▶ Current ◀─ PolicyDelegate ◀─ linked programs
    other evaluators ──health──▶ Delegation.heard_of

One for each process. Linked programs ask its delegate; whoever hears of a new policy, or of a target's health
from another process, tells it here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from actors.delegation.active_run import active_run
from actors.delegation.ports import Announcer, Silence, Treasury
from actors.delegation.shared_ledger import SharedLedger
from actors.policy.state import PolicyState
from actors.requests import Deferral
from policies.context import DelegationMetadata
from policies.engines.adaptive import AdaptiveEngine
from policies.engines.l4 import SignedModuleStore
from policies.engines.protocol import DelegationEngine
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.file.policy import Policy
from policies.file.reload import PolicyHolder
from policies.rules.rulebook import Current, Rulebook
from policies.running.chain import Attempt
from policies.running.delegate import PolicyDelegate
from policies.running.health import HealthTracker
from policies.running.ledger import Ledger
from policies.running.observe import Meter
from policies.running.results import Results
from policies.running.runner import CallRecord, Clock, Observation, Runner
from policies.running.services import Modules
from policies.targets import target_name
from policies.world import TargetState
from rtfs.delegation import FunctionInfo
from rtfs.runtime_facts import RuntimeFacts

#: failures that say that a target is down, and not that the call was at fault
DOWN: Final = frozenset(
    {
        *("connection-refused", "connection-lost", "timeout", "server-error", "overloaded", "rate-limited"),
        *("crashed", "out-of-memory", "breaker"),
    }
)
#: how long a run waits for a target of which nobody knows when it will be back, seconds
_PATIENCE_S: Final = 1.0
#: timers of the machine cannot be set for ever, seconds
_LONGEST_TIMER_S: Final = 3600.0


class Delegation:
    """Decides and carries out the delegated calls of this process. Safe to use from many threads.

    Args:
        state: the policy to begin with.
        runners: makes those who carry calls out, by a target's name or kind, for what is in force.
        treasury: the runtime's money; None: this process is alone.
        observe: told of each try of a target.
        results: makes what knows results already, for what is in force; None: nothing is kept.
        modules: which signed modules there are; None: none is used.
        in_module: gives the functions in them, to stand for linked ones.
    """

    def __init__(
        self,
        state: PolicyState,
        runners: Callable[[Current], Mapping[str, Runner]],
        clock: Clock,
        *,
        announcer: Announcer | None = None,
        treasury: Treasury | None = None,
        meter: Meter | None = None,
        observe: Callable[[Observation], None] | None = None,
        metadata: Callable[[FunctionInfo, RuntimeFacts], DelegationMetadata | None] | None = None,
        results: Callable[[Current], Results] | None = None,
        modules: SignedModuleStore | None = None,
        in_module: Modules | None = None,
    ) -> None:
        policy = _loaded(state)
        current = Current(Rulebook(policy))
        learning: list[AdaptiveEngine] = []

        def adaptive(inner: DelegationEngine) -> DelegationEngine:
            learning.append(AdaptiveEngine(inner, current))  # does nothing unless the policy says so
            return learning[0]

        def observed(observation: Observation) -> None:
            learning[0].observe(observation)
            if observe is not None:
                observe(observation)

        self.number = state.number
        self.holder = PolicyHolder(current)
        self._clock = clock
        self._announcer = announcer or Silence()
        self._refresh_timer: threading.Timer | None = None
        self._is_closed = False
        self._lock = threading.RLock()
        self.health = HealthTracker(policy.settings.health, on_change=self._circuit_changed)
        self.delegate = PolicyDelegate(
            standard_engine(current, l4=modules, adaptive=adaptive, stays=True),
            current,
            runners(current),
            clock,
            ledger=Ledger() if treasury is None else SharedLedger(treasury),
            health=self.health,
            meter=meter,
            observe=observed,
            audit=_audit,
            metadata=metadata,
            before_body=self._before_body,
            results=None if results is None else results(current),
            modules=in_module,
        )

    @property
    def current(self) -> Current:
        """The policy and the world in force."""
        return self.holder.current

    def follow(self, state: PolicyState) -> None:
        """Put a policy in force that the policy actor has checked; an older one than this is passed over.

        Raises:
            PolicyFileError: it is refused here, which is a bug or a difference of versions; the old one stays.
        """
        with self._lock:
            if state.number <= self.number:
                return
            policy = _loaded(state)
            self.holder.replace(policy)
            self.number = state.number
            self.health.settings = policy.settings.health
            self.delegate.refresh()

    def heard_of(self, target: str, data: Mapping[str, Any]) -> None:
        """Another process found a target's circuit to have opened, or closed again."""
        circuit = data.get("circuit")
        if circuit not in ("open", "closed"):
            return
        retry_at = float(data.get("retry_at") or 0.0)
        if self.health.adopt(target, circuit, retry_at, data.get("cause"), self._clock.wall()):
            self._refresh()

    def close(self) -> None:
        """End what is under way here."""
        with self._lock:
            self._is_closed = True
            if self._refresh_timer is not None:
                self._refresh_timer.cancel()

    def _circuit_changed(self, target: str, state: TargetState) -> None:
        record = self.health.record(target)
        data = {"circuit": state.circuit, "retry_at": record.retry_at, "cause": record.cause}
        self._announcer.publish("health", target, data)
        self._refresh()

    def _refresh(self) -> None:
        """Decide by the health of now, and again when the next cool-down is over."""
        self.delegate.refresh()
        now = self._clock.wall()
        due = self.health.next_change(now)
        with self._lock:
            if self._refresh_timer is not None:
                self._refresh_timer.cancel()
                self._refresh_timer = None
            if due is not None and not self._is_closed:
                wait_s = min(max(0.0, due - now), _LONGEST_TIMER_S)
                self._refresh_timer = threading.Timer(wait_s + 0.01, self._refresh)
                self._refresh_timer.daemon = True
                self._refresh_timer.start()

    def _before_body(self, fn_symbol: str, history: tuple[Attempt, ...]) -> None:
        """End a run that would rather wait for a target that is down than do with the function's own body."""
        run = active_run()
        if run is None or run.request.on_target_down != "wait" or run.had_effects:
            return
        down = next((each for each in history if each.cause in DOWN), None)
        if down is not None:
            name, now = target_name(down.target), self._clock.wall()
            record = self.health.record(name)
            until = record.retry_at if record.circuit == "open" else 0.0
            raise run.defer(Deferral(target=name, until=max(until, now + _PATIENCE_S)))


def _loaded(state: PolicyState) -> Policy:
    # secrets are looked for where a call needs them; the policy actor has seen to it that they can be there
    return load_policy(state.text, source=state.source, environ=state.overrides, needs_secrets=False)


def _audit(record: CallRecord) -> None:
    run = active_run()
    if run is not None:
        run.add(record)
