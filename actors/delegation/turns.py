"""Calls of a target take turns where the policy bounds how many it takes at once (`capacity`).

What is more waits, fairly among tenants, as long as its time lasts; other parts of the run go on meanwhile.
What waits is bounded, too: a call that would make it more is refused as `overloaded`, and its chain goes on. A
call that did not get its turn never left this process, and tells nothing about its target.

The bound is each process's own: of a target that several evaluators call, each may have so many calls there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from actors.models.fair_queue import FairQueue
from policies.errors import NotSent
from policies.rules.rulebook import Current
from policies.running.runner import Allowance, Clock, Outcome, Runner
from policies.targets import target_name
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.overlap import wait_for
from rtfs.values import Value

#: calls of one target that may wait
MOST_WAITING: Final = 1024


@dataclass(slots=True, eq=False)
class _Waiting:
    wake: Callable[[], None]
    has_turn: bool = False


class Turns:
    """Who may call a target now. Safe to use from many threads.

    Args:
        name: of the target.
        most_waiting: calls that may wait.
    """

    def __init__(self, name: str, most_waiting: int = MOST_WAITING) -> None:
        self._name = name
        self._most_waiting = most_waiting
        self._busy = 0
        self._queue: FairQueue[_Waiting] = FairQueue()
        self._capacity = 0
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, capacity: int, timeout_s: float, tenant: str = "") -> Iterator[None]:
        """Wait for a turn, and have it.

        Args:
            capacity: calls at once, as the policy says now.

        Raises:
            NotSent: too many wait already (`overloaded`), or there was none in time (`timeout`).
            LimitError: the run must stop.
        """
        self._take(capacity, timeout_s, tenant)
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                woken = self._next()
            _wake(woken)

    def _take(self, capacity: int, timeout_s: float, tenant: str) -> None:
        with self._lock:
            self._capacity = capacity
            woken = self._next()  # a new policy may have room for more
            free = not len(self._queue) and self._busy < capacity
            self._busy += free
        _wake(woken)
        if not free:
            self._wait(capacity, timeout_s, tenant)

    def _wait(self, capacity: int, timeout_s: float, tenant: str) -> None:
        waiting: _Waiting | None = None

        def start(wake: Callable[[], None]) -> Callable[[], None]:
            nonlocal waiting
            waiting = mine = _Waiting(wake)
            self._queue_up(mine, capacity, tenant)
            return lambda: self._give_up(mine)

        try:
            wait_for(start, timeout_s)
        except BaseException:
            if waiting is not None:
                self._give_up(waiting)
            raise
        assert waiting is not None
        with self._lock:
            has_turn = waiting.has_turn
            if not has_turn:
                self._forget(waiting)
        if not has_turn:
            raise NotSent("timeout", f"`{self._name}` takes {capacity} calls at once, and had no turn in time")

    def _queue_up(self, waiting: _Waiting, capacity: int, tenant: str) -> None:
        with self._lock:
            if capacity < 1 or len(self._queue) >= self._most_waiting:
                detail = f"`{self._name}` takes {capacity} calls at once, and {len(self._queue)} wait already"
                raise NotSent("overloaded", detail)
            self._queue.put(tenant, waiting)
            woken = self._next()
        _wake(woken)

    def _give_up(self, waiting: _Waiting) -> None:
        """Nobody waits for this turn any more. Safe to call twice."""
        with self._lock:
            if waiting.has_turn:
                waiting.has_turn = False
                self._busy -= 1
            else:
                self._forget(waiting)
            woken = self._next()
        _wake(woken)

    def _forget(self, waiting: _Waiting) -> None:
        self._queue.remove(lambda other: other is waiting)

    def _next(self) -> list[_Waiting]:
        """Give turns to those who wait, as far as there are; who holds the lock wakes them after it."""
        woken = self._queue.take(max(0, self._capacity - self._busy))
        for each in woken:
            each.has_turn = True
        self._busy += len(woken)
        return woken


def _wake(woken: list[_Waiting]) -> None:
    for each in woken:
        each.wake()


class InTurn:
    """A runner whose calls take turns. A `policies.running.runner.Runner`."""

    def __init__(
        self, runner: Runner, current: Current, clock: Clock, most_waiting: int = MOST_WAITING
    ) -> None:
        self._runner = runner
        self._current = current
        self._clock = clock
        self._most_waiting = most_waiting
        self._turns: dict[str, Turns] = {}
        self._lock = threading.Lock()

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        """Carry a call out when it is its turn. Its time includes the wait; its latency does not.

        Raises:
            TargetFailed, RtfsError: as `Runner.run`.
        """
        candidate = self._current.rulebook.find(target)
        capacity = None if candidate is None else candidate.capacity
        if capacity is None:
            return self._runner.run(function, args, target, allowance)
        now = self._clock.monotonic
        asked = now()
        with self._of(target_name(target)).turn(capacity, allowance.timeout_s, allowance.facts.tenant or ""):
            began = now()
            left_s = allowance.timeout_s - (began - asked)
            outcome = self._runner.run(function, args, target, replace(allowance, timeout_s=left_s))
            if outcome.latency_ms is not None:
                return outcome
            return replace(outcome, latency_ms=(now() - began) * 1000)

    def _of(self, name: str) -> Turns:
        turns = self._turns.get(name)
        if turns is None:
            with self._lock:
                turns = self._turns.setdefault(name, Turns(name, self._most_waiting))
        return turns
