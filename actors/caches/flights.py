"""One flight per key: who asks for what somebody is finding out already waits for that answer.

In a process the first caller leads and the others wait, while other parts of their runs go on (`rtfs.overlap`).
Between processes the leader holds a lease. If a leader fails, one of those who waited leads next: what it
failed for, its deadline say, may be its own. Nobody waits for longer than its own time; then it asks by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, get_ident
from typing import Any

from actors.caches.leases import LeasePort
from rtfs.overlap import nothing_overlaps, wait_for
from rtfs.overlap.current import current_part

#: a fresh exception for each who waited, in place of the leader's; None: each has to find out by itself
type Share = Callable[[BaseException], BaseException | None]


def _share_nothing(_: BaseException) -> BaseException | None:
    return None


@dataclass(slots=True, eq=False)
class _Flight:
    """What is being found out."""

    thread: int = field(default_factory=get_ident)
    part: object = field(default_factory=current_part)
    is_over: bool = False
    #: whether `value` is the answer
    is_answered: bool = False
    value: Any = None
    #: why there is none
    error: BaseException | None = None
    waiting: list[Callable[[], None]] = field(default_factory=list)


class Flights:
    """The flights of a process. Safe to use from many threads.

    Args:
        leases: None: this process is alone.
    """

    def __init__(self, leases: LeasePort | None = None) -> None:
        self._leases = leases
        self._under_way: dict[bytes, _Flight] = {}
        self._lock = Lock()
        #: calls that were spared since another's answer was waited for
        self.joined = 0

    def run[T](
        self,
        key: bytes,
        look: Callable[[], T | None],
        work: Callable[[], T],
        timeout_s: float,
        share: Share = _share_nothing,
    ) -> T:
        """The answer: somebody else's if one is under way, else that of `work`.

        Args:
            look: gives the answer if it is kept by now, else None. Asked once more before `work`: somebody
                may have found it out after the caller looked.
            work: finds the answer out, and has it kept.
            timeout_s: how long others are waited for.
            share: what those who wait are told of a failure.

        Raises:
            LimitError: the run must stop.
            BaseException: what `work` raises.
        """
        until = time.monotonic() + timeout_s
        while True:
            flight, leads = self._join(key)
            if leads:
                return self._lead(key, flight, look, work, until)
            if _would_wait_for_itself(flight) or not self._waited(flight, until - time.monotonic()):
                return work()
            if flight.is_answered:
                self.joined += 1
                found: T = flight.value
                return found
            failure = None if flight.error is None else share(flight.error)
            if failure is not None:
                raise failure
            # one of those who waited leads next

    def _join(self, key: bytes) -> tuple[_Flight, bool]:
        with self._lock:
            flight = self._under_way.get(key)
            if flight is not None:
                return flight, False
            made = self._under_way[key] = _Flight()
            return made, True

    def _lead[T](
        self,
        key: bytes,
        flight: _Flight,
        look: Callable[[], T | None],
        work: Callable[[], T],
        until: float,
    ) -> T:
        lease: _Lease | None = None
        try:
            lease = self._leased(key, until)
            found = look()
            value = work() if found is None else found
            flight.value, flight.is_answered = value, True
            return value
        except BaseException as error:
            flight.error = error
            raise
        finally:
            if lease is not None:
                lease.give_back()
            self._land(key, flight)

    def _leased(self, key: bytes, until: float) -> _Lease | None:
        """The lease, if it is had in time; who waited for it finds out what its holder did."""
        if self._leases is None:
            return None
        lease = _Lease(self._leases, key)
        in_time = False
        try:
            in_time = wait_for(lease.start, max(0.0, until - time.monotonic()))
        finally:
            if not in_time:
                lease.give_back()
        return lease if in_time else None

    def _waited(self, flight: _Flight, timeout_s: float) -> bool:
        """Whether the flight is over, after a wait that lets others go on."""

        def start(wake: Callable[[], None]) -> None:
            with self._lock:
                if not flight.is_over:
                    flight.waiting.append(wake)
                    return
            wake()

        return timeout_s > 0 and wait_for(start, timeout_s)

    def _land(self, key: bytes, flight: _Flight) -> None:
        with self._lock:
            self._under_way.pop(key, None)
            flight.is_over = True
            waiting, flight.waiting = flight.waiting, []
        for wake in waiting:
            wake()


class _Lease:
    """A lease that was asked for; one that is had when it is wanted no more goes back at once."""

    def __init__(self, leases: LeasePort, key: bytes) -> None:
        self._leases = leases
        self._key = key
        self._is_had = self._is_wanted_no_more = False
        self._lock = Lock()

    def start(self, wake: Callable[[], None]) -> None:
        """Ask, and call `wake` when it is had."""

        def told() -> None:
            with self._lock:
                self._is_had = True
                is_late = self._is_wanted_no_more
            if is_late:
                self._leases.release(self._key)
            else:
                wake()

        self._leases.acquire(self._key, told)

    def give_back(self) -> None:
        """Give it back now, or as soon as it is had. Once only."""
        with self._lock:
            self._is_wanted_no_more = True
            is_had = self._is_had
        if is_had:
            self._leases.release(self._key)


def _would_wait_for_itself(flight: _Flight) -> bool:
    """Whether the leader could not go on while the caller waits: they are one, or share a blocked thread."""
    if flight.thread != get_ident():
        return False
    return nothing_overlaps() or flight.part is current_part()
