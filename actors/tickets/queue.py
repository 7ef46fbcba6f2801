"""What runs next. A pure data structure: no clock, no store; times come in.

It holds the tickets that have not ended, by little more than their ids, and is a function of their records:
`put` enters a record in whatever stage it is, so that a queue is built anew after a restart, or set back after
a failed commit, by putting records.

    asleep ──its time has come, or its target is back──▶ ready ──turn──▶ running

**Order.** Two rules, one after the other:

1. *Between tenants.* The next place goes to the tenant that holds the fewest places for its weight. Among
   equals, to the one that has been given the fewest starts for its weight lately: start-time fair queueing,
   where a start moves a tenant's mark on by 1 / weight, and a tenant that comes back from being idle begins
   where the others are. A tenant at its limit of running tickets is passed over. So no tenant gains by sending
   more, or by raising its own priorities.
2. *Within a tenant.* The ticket with the least `queued_at − priority · aging_s`. One step of priority is worth
   `aging_s` seconds of waiting: a ticket of priority 0 comes before one of priority 5 that was queued five
   times `aging_s` later, however many such come. The order of two tickets never changes with time, so a heap
   holds it.

**Bounds.** What waits is counted against `max_queued` and `max_queued_per_tenant` when it is submitted; who
comes in vain is told when to come again. Retries, tickets whose target is down and tickets of a lost process
have been let in before and are not turned away, so at most the running ones come on top.

All operations cost O(log n).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from actors.tickets.errors import QueueFull
from actors.tickets.heap import KeyedHeap
from actors.tickets.limits import QueueLimits
from actors.tickets.ticket import Ticket

type Place = Literal["ready", "asleep", "running"]

#: tickets whose deadline has passed that one turn reports; the others come with the next one
MOST_EXPIRED: Final = 1_000
#: idle tenants whose marks are remembered
_REMEMBERED: Final = 10_000
#: bounds of what a caller that is turned away is told, seconds, and what it is told when nothing is known
_RETRY_AFTER_S: Final = (1.0, 60.0)
_RETRY_AFTER_UNKNOWN_S: Final = 5.0
#: part of the latest gap between starts in the running average
_LATEST: Final = 0.2


class Turn(NamedTuple):
    """What one look at the queue found to do."""

    #: to start now, in this order; they count as running from here on
    started: list[str]
    #: waited until their deadline passed; no longer in the queue
    expired: list[str]
    #: still running after their deadline; each is reported once and keeps its place until it is taken out
    overdue: list[str]


class _Job:
    """What the queue knows of one ticket."""

    __slots__ = ("order", "place", "target", "tenant")

    def __init__(self, ticket: Ticket, order: float) -> None:
        self.tenant = ticket.tenant
        self.order = order
        self.target = ticket.waiting_for
        self.place: Place = "ready"


class _Tenant:
    """What the queue knows of one tenant."""

    __slots__ = ("mark", "ready", "running", "waiting", "weight")

    def __init__(self, weight: float, mark: float) -> None:
        self.weight = weight
        #: how far its starts have got, in starts for a weight of 1
        self.mark = mark
        self.ready = KeyedHeap()
        self.running = 0
        self.waiting = 0


class JobQueue:
    """The tickets that have not ended."""

    def __init__(self, limits: QueueLimits) -> None:
        self.limits = limits
        self._jobs: dict[str, _Job] = {}
        self._tenants: dict[str, _Tenant] = {}
        #: tenants with a ready ticket and a free place, by who is next
        self._offers = KeyedHeap()
        self._asleep = KeyedHeap()
        self._deadlines = KeyedHeap()
        #: target → the tickets that wait for it, in the order in which they came
        self._parked: dict[str, dict[str, None]] = {}
        self._waiting = 0
        #: mark of the tenant that started last
        self._mark = 0.0
        self._marks_of_idle: OrderedDict[str, float] = OrderedDict()
        self._started_at: float | None = None
        self._gap_s: float | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, ticket_id: str) -> bool:
        return ticket_id in self._jobs

    @property
    def waiting(self) -> int:
        """Tickets that are not running."""
        return self._waiting

    def place(self, ticket_id: str) -> Place | None:
        """Where a ticket is; None: not in the queue."""
        job = self._jobs.get(ticket_id)
        return None if job is None else job.place

    def running(self) -> list[str]:
        """The tickets that run."""
        return [ticket_id for ticket_id, job in self._jobs.items() if job.place == "running"]

    def waiting_for(self, target: str) -> list[str]:
        """The tickets that wait for a target to come back."""
        return list(self._parked.get(target, ()))

    def counts(self) -> dict[str, tuple[int, int]]:
        """By tenant: how many tickets wait, how many run."""
        return {name: (tenant.waiting, tenant.running) for name, tenant in self._tenants.items()}

    # ------------------------------------------------------------ in and out

    def check_room(self, wanted: Mapping[str, int]) -> None:
        """Whether so many more tickets may wait, by tenant.

        Raises:
            QueueFull: they may not.
        """
        if self._waiting + sum(wanted.values()) > self.limits.max_queued:
            raise QueueFull(
                f"{self._waiting} tickets wait, at most {self.limits.max_queued} may", self._retry_after_s()
            )
        most = self.limits.max_queued_per_tenant
        for name, count in wanted.items():
            tenant = self._tenants.get(name)
            waiting = 0 if tenant is None else tenant.waiting
            if waiting + count > most:
                raise QueueFull(
                    f"{waiting} tickets of tenant `{name}` wait, at most {most} may", self._retry_after_s()
                )

    def put(self, ticket: Ticket, now: float) -> None:
        """Enter a ticket as its record says, in place of what was known of it; one that has ended goes out."""
        known = self._jobs.get(ticket.id)
        runs = ticket.stage in ("running", "input_required")
        if known is not None and known.place == "running" and runs:
            self._set_deadline(ticket)
            return
        self.remove(ticket.id)
        if ticket.ended:
            return
        job = _Job(ticket, ticket.queued_at - ticket.priority * self.limits.aging_s)
        self._jobs[ticket.id] = job
        tenant = self._tenant(ticket.tenant)
        self._set_deadline(ticket)
        if runs:
            job.place = "running"
            tenant.running += 1
            self._offer(ticket.tenant, tenant)
            return
        tenant.waiting += 1
        self._waiting += 1
        if ticket.not_before is not None and ticket.not_before > now:
            self._sleep(ticket.id, job, ticket.not_before)
        else:
            self._make_ready(ticket.id, job)

    def remove(self, ticket_id: str) -> None:
        """Take a ticket out, wherever it is."""
        job = self._jobs.pop(ticket_id, None)
        if job is None:
            return
        tenant = self._tenants[job.tenant]
        self._deadlines.discard(ticket_id)
        if job.place == "running":
            tenant.running -= 1
        else:
            self._leave(ticket_id, job, tenant)
        self._offer(job.tenant, tenant)
        if not tenant.running and not tenant.waiting:
            self._forget(job.tenant, tenant)

    def stopping(self, ticket_id: str) -> None:
        """A running ticket has ended but its run has not: it keeps its place, without a deadline."""
        self._deadlines.discard(ticket_id)

    # ------------------------------------------------------------ time and targets

    def target_up(self, target: str) -> list[str]:
        """A target is back: the tickets that waited for it are ready."""
        released = self.waiting_for(target)
        for ticket_id in released:
            self._wake(ticket_id)
        return released

    def all_targets_up(self) -> list[str]:
        """Nothing is known of any target: all tickets that waited for one are ready."""
        return [ticket_id for target in list(self._parked) for ticket_id in self.target_up(target)]

    def turn(self, now: float, free: int) -> Turn:
        """What to do now.

        Args:
            now: seconds since the epoch.
            free: how many tickets may be started.
        """
        expired, overdue = self._past_deadline(now)
        while (found := self._asleep.first()) is not None and found[0] <= now:
            self._wake(found[1])
        started: list[str] = []
        if len(expired) == MOST_EXPIRED:  # there may be more, and none of them must be started
            free = 0
        while len(started) < free and (name := self._offers.pop()) is not None:
            started.append(self._start(name))
        self._note_starts(len(started), now)
        return Turn(started, expired, overdue)

    def next_wake(self, now: float) -> float | None:
        """When time alone will give a turn something to do; None: never.

        Ready tickets wait for a free place, which is no matter of time: whoever frees one takes a turn.
        """
        times = [found[0] for found in (self._asleep.first(), self._deadlines.first()) if found is not None]
        return max(now, min(times)) if times else None

    def _past_deadline(self, now: float) -> tuple[list[str], list[str]]:
        expired: list[str] = []
        overdue: list[str] = []
        while len(expired) < MOST_EXPIRED and (ticket_id := self._deadlines.pop(until=now)) is not None:
            if self._jobs[ticket_id].place == "running":
                overdue.append(ticket_id)
            else:
                expired.append(ticket_id)
                self.remove(ticket_id)
        return expired, overdue

    def _start(self, name: str) -> str:
        """Start the first ticket of a tenant that has one."""
        tenant = self._tenants[name]
        ticket_id = tenant.ready.pop()
        assert ticket_id is not None  # tenants without a ready ticket are not offered
        job = self._jobs[ticket_id]
        job.place = "running"
        tenant.waiting -= 1
        self._waiting -= 1
        tenant.running += 1
        self._mark = max(self._mark, tenant.mark)
        tenant.mark += 1 / tenant.weight
        self._offer(name, tenant)
        return ticket_id

    # ------------------------------------------------------------ places

    def _make_ready(self, ticket_id: str, job: _Job) -> None:
        tenant = self._tenants[job.tenant]
        if not tenant.ready:
            tenant.mark = max(tenant.mark, self._mark)
        job.place = "ready"
        tenant.ready.put(ticket_id, job.order)
        self._offer(job.tenant, tenant)

    def _sleep(self, ticket_id: str, job: _Job, until: float) -> None:
        job.place = "asleep"
        self._asleep.put(ticket_id, until)
        if job.target is not None:
            self._parked.setdefault(job.target, {})[ticket_id] = None

    def _wake(self, ticket_id: str) -> None:
        job = self._jobs[ticket_id]
        self._get_up(ticket_id, job)
        self._make_ready(ticket_id, job)

    def _get_up(self, ticket_id: str, job: _Job) -> None:
        self._asleep.discard(ticket_id)
        if job.target is not None:
            parked = self._parked.get(job.target, {})
            parked.pop(ticket_id, None)
            if not parked:
                self._parked.pop(job.target, None)
            job.target = None

    def _leave(self, ticket_id: str, job: _Job, tenant: _Tenant) -> None:
        tenant.ready.discard(ticket_id)
        self._get_up(ticket_id, job)
        tenant.waiting -= 1
        self._waiting -= 1

    def _set_deadline(self, ticket: Ticket) -> None:
        if ticket.deadline_at is None:
            self._deadlines.discard(ticket.id)
        else:
            self._deadlines.put(ticket.id, ticket.deadline_at)

    # ------------------------------------------------------------ tenants

    def _tenant(self, name: str) -> _Tenant:
        tenant = self._tenants.get(name)
        if tenant is None:
            mark = self._marks_of_idle.pop(name, self._mark)
            tenant = self._tenants[name] = _Tenant(self.limits.weight(name), mark)
        return tenant

    def _forget(self, name: str, tenant: _Tenant) -> None:
        """A tenant has no tickets; its mark stays for a while, or coming anew would put it in front."""
        del self._tenants[name]
        if tenant.mark > self._mark:
            self._marks_of_idle[name] = tenant.mark
            if len(self._marks_of_idle) > _REMEMBERED:
                self._marks_of_idle.popitem(last=False)

    def _offer(self, name: str, tenant: _Tenant) -> None:
        """Say anew whether, and when, it is a tenant's turn."""
        if tenant.ready and tenant.running < self.limits.max_running_per_tenant:
            self._offers.put(name, (tenant.running / tenant.weight, tenant.mark))
        else:
            self._offers.discard(name)

    # ------------------------------------------------------------ back-pressure

    def _note_starts(self, count: int, now: float) -> None:
        if not count:
            return
        if self._started_at is not None:
            gap_s = max(now - self._started_at, 0.0) / count
            before = gap_s if self._gap_s is None else self._gap_s
            self._gap_s = before + _LATEST * (gap_s - before)
        self._started_at = now

    def _retry_after_s(self) -> float:
        """About the time in which one ticket leaves the queue."""
        if self._gap_s is None:
            return _RETRY_AFTER_UNKNOWN_S
        least, most = _RETRY_AFTER_S
        return min(max(self._gap_s, least), most)


def by_tenant(tickets: Iterable[Ticket]) -> dict[str, int]:
    """How many tickets each tenant has."""
    counts: dict[str, int] = {}
    for ticket in tickets:
        counts[ticket.tenant] = counts.get(ticket.tenant, 0) + 1
    return counts
