"""An engine that can be replaced while others use it."""

from __future__ import annotations

from threading import Lock

from policies.context import CallContext
from policies.engines.protocol import DelegationEngine
from policies.plan import DelegationPlan
from rtfs.delegation import ExecTarget


class SwappableEngine(DelegationEngine):
    """Answers with the engine that it holds at the moment. Every swap is a new version."""

    def __init__(self, engine: DelegationEngine) -> None:
        self._held = (engine, 0)
        self._lock = Lock()

    @property
    def engine(self) -> DelegationEngine:
        """The engine in use."""
        return self._held[0]

    def swap(self, new: DelegationEngine) -> DelegationEngine:
        """Put `new` in place of the engine in use, which is given back; decisions under way end with that."""
        with self._lock:
            old, swaps = self._held
            self._held = (new, swaps + 1)
        return old

    @property
    def version(self) -> str:
        """That of the engine in use and the number of swaps."""
        engine, swaps = self._held
        return f"{engine.version}~{swaps}"

    def plan(self, call: CallContext) -> DelegationPlan:
        """What the engine in use says."""
        return self._held[0].plan(call)

    def decide(self, call: CallContext) -> ExecTarget:
        """Where `call` runs."""
        return self._held[0].decide(call)
