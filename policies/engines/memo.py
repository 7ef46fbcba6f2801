"""Exact memory of decisions: while nothing changes, a decision is one look-up."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

from policies.context import CallContext
from policies.engines.protocol import Decorator, DelegationEngine
from policies.plan import DelegationPlan

#: plans held at most; one more and all are forgotten, which costs less than keeping count of their use
SIZE: Final = 65_536


class _Memory:
    """Plans by call, all made under one stamp. Replaced as a whole, so readers need no lock."""

    __slots__ = ("plans", "stamp")

    def __init__(self, stamp: object) -> None:
        self.stamp = stamp
        self.plans: dict[CallContext, DelegationPlan] = {}


class MemoEngine(Decorator):
    """Remembers what the engine inside said, for one version of it.

    Calls that carry metadata or a meaning of their own pass by: equality of contexts does not look at either.

    Args:
        stamp: stands for the version where that takes long to ask for: it answers something that is unequal
            to what it answered before if the version is. None: `inner.version`.
    """

    def __init__(
        self, inner: DelegationEngine, *, stamp: Callable[[], object] | None = None, size: int = SIZE
    ) -> None:
        super().__init__(inner)
        self._stamp = (lambda: inner.version) if stamp is None else stamp
        self._size = size
        self._memory = _Memory(None)
        self._lock = Lock()

    def plan(self, call: CallContext) -> DelegationPlan:
        """Where `call` runs, and why."""
        memory = self._memory
        if memory.stamp == self._stamp() and call.metadata is None and call.semantic_hash is None:
            plan = memory.plans.get(call)
            if plan is not None:
                return plan
        return self._learn(call)

    def knows(self, call: CallContext) -> bool:
        """Whether the next decision about `call` would come from here."""
        memory = self._memory
        return memory.stamp == self._stamp() and self._may_keep(call) and call in memory.plans

    @property
    def held(self) -> int:
        """Number of plans remembered now."""
        return len(self._memory.plans)

    def _learn(self, call: CallContext) -> DelegationPlan:
        stamp = self._stamp()
        plan = self.inner.plan(call)
        # what was decided while something changed may belong to either side of the change
        if self._may_keep(call) and stamp == self._stamp():
            with self._lock:
                memory = self._memory
                if memory.stamp != stamp or len(memory.plans) >= self._size:
                    memory = self._memory = _Memory(stamp)
                memory.plans[call] = plan
        return plan

    @staticmethod
    def _may_keep(call: CallContext) -> bool:
        return call.metadata is None and call.semantic_hash is None
