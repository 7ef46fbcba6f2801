"""Tickets from submission to their end: the store and the queue kept as one.

Whoever owns a board runs tickets, on one thread:

    board.submit(...)                   any time
    work = board.start(free)            then and at each `next_wake()`, and whenever a place is free
        work.start: run these           → finished | failed | deferred
        work.stop: stop these runs      → stopped (or what else they end with)

**Durable before it is told.** An operation returns, and `on_change` is called, after the commit. Operations in
one `with board.batch():` share a commit and are durable when the block ends; there must be no `await` in it. If
the block or its commit fails, nothing of it has happened: the queue is set back to what the store says.

**Runs may outlive what the board thinks of them.** A ticket that was cancelled, or whose deadline has passed,
has ended at once; its run holds its place until the owner reports its end, which then changes nothing else.
After the board's own process was lost, `recover` queues what was running, while old runs may still go on
elsewhere and report: a result is taken from any attempt, since all would have the same; failures only from the
latest. Reports are therefore given the number of the attempt that they are about.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, NamedTuple

from actors.tickets import transitions
from actors.tickets.book import Book
from actors.tickets.errors import IllegalTransition, InvalidTicket, TicketConflict
from actors.tickets.limits import QueueLimits
from actors.tickets.queue import JobQueue, by_tenant
from actors.tickets.reader import Page, TicketFilter
from actors.tickets.store import TicketStore
from actors.tickets.ticket import LATEST, Part, Stage, Submission, Ticket, request_digest

# names for these, since `list` is a method of the board
type Tickets = list[Ticket]
type Ids = list[str]

#: tickets that one `purge` forgets
PURGED_AT_ONCE: Final = 500
WAITS_FOR_A_PLACE: Final = "waits for a free place"


class Work(NamedTuple):
    """What the owner of a board is to do."""

    #: run these; the number of the attempt is `tries`
    start: list[Ticket]
    #: stop the runs of these: their deadlines have passed
    stop: list[Ticket]


class Cancelled(NamedTuple):
    """What `cancel` did."""

    ticket: Ticket
    #: a run of it is under way: stop it, then report `stopped`
    must_stop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How full the board is."""

    waiting: int
    running: int
    #: by tenant: waiting, running
    tenants: dict[str, tuple[int, int]]


class TicketBoard:
    """All tickets of a store. The only one who writes them.

    Args:
        store: open for writing.
        limits: those of the queue.
        clock: seconds since the epoch.
        on_change: told each new record after its commit; exceptions reach the caller of the operation.
    """

    def __init__(
        self,
        store: TicketStore,
        limits: QueueLimits | None = None,
        *,
        clock: Callable[[], float] = time.time,
        on_change: Callable[[Ticket], None] | None = None,
    ) -> None:
        self.limits = limits or QueueLimits()
        self._clock = clock
        self._queue = JobQueue(self.limits)
        self._book = Book(store, self._queue, clock, on_change)

    def batch(self) -> AbstractContextManager[None]:
        """Operations in such a block share one commit. Inside another batch, a part of that one.

        Raises:
            StoreError: the commit failed; nothing of the batch has happened.
        """
        return self._book.batch()

    # ------------------------------------------------------------ reading

    def get(self, ticket_id: str, tenant: str | None = None) -> Ticket:
        """The record of a ticket, as it stands at this moment.

        Args:
            ticket_id: its whole id.
            tenant: who asks; None: who may see all.

        Raises:
            InvalidTicket: this is no id.
            UnknownTicket: there is none, or it is another tenant's.
        """
        return self._present(self._book.get(ticket_id, tenant))

    def payload(self, ticket_id: str, part: Part, tenant: str | None = None) -> bytes | None:
        """The request, result or error of a ticket; None: it has none. Raises as `get` does."""
        self._book.get(ticket_id, tenant)
        return self._book.payload(ticket_id, part)

    def list(self, which: TicketFilter | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """A page of tickets, newest first, without what an open batch has changed. Raises as the store does."""
        page = self._book.store.list(which, limit, cursor)
        return replace(page, tickets=tuple([self._present(ticket) for ticket in page.tickets]))

    def counts(self) -> Counts:
        """How many tickets wait and run."""
        waiting = self._queue.waiting
        return Counts(waiting=waiting, running=len(self._queue) - waiting, tenants=self._queue.counts())

    def waiting_for(self, target: str) -> Ids:
        """The ids of the tickets that wait for a target to come back."""
        return self._queue.waiting_for(target)

    def next_wake(self, now: float | None = None) -> float | None:
        """When `start` will have something to do though nothing was submitted or ended; None: never."""
        return self._queue.next_wake(self._now(now))

    # ------------------------------------------------------------ submitting

    def submit(self, submission: Submission, now: float | None = None) -> Ticket:
        """Take a ticket into the queue; one that is known already is answered with its present record.

        Raises:
            TicketConflict: the id is taken by another request.
            InvalidTicket: its deadline has passed.
            QueueFull: no room; nothing was taken.
            StoreError: it could not be written; nothing was taken.
        """
        return self.submit_many([submission], now)[0]

    def submit_many(self, submissions: Iterable[Submission], now: float | None = None) -> Tickets:
        """Take all these tickets, or none of them. Raises as `submit` does."""
        now = self._now(now)
        new: dict[str, Ticket] = {}
        requests: dict[str, bytes] = {}
        answers: list[Ticket] = []
        for submission in submissions:
            known = new.get(submission.id) or self._book.find(submission.id)
            if known is None:
                known = new[submission.id] = self._new(submission, now)
                requests[submission.id] = submission.request
            elif known.request_digest != request_digest(submission.tenant, submission.request):
                raise TicketConflict(submission.id)
            answers.append(self._present(known))
        if new:
            self._queue.check_room(by_tenant(new.values()))
        with self._book.batch():
            for ticket_id, ticket in new.items():
                self._book.write(ticket, now, {"request": requests[ticket_id]})
        return answers

    def _new(self, submission: Submission, now: float) -> Ticket:
        if submission.deadline_at is not None and submission.deadline_at <= now:
            raise InvalidTicket(f"`deadline_at` has passed {now - submission.deadline_at:.3f} s ago")
        return transitions.submitted(submission, self.limits, now)

    # ------------------------------------------------------------ running

    def start(self, free: int, now: float | None = None, where: str = "") -> Work:
        """What to start and what to stop. Fails what has waited beyond its deadline.

        Args:
            free: how many tickets may be started.
            now: the clock's time if None.
            where: what will run them, for people.
        """
        now = self._now(now)
        with self._book.batch():
            turn = self._queue.turn(now, free)
            self._book.moved((*turn.started, *turn.expired, *turn.overdue))
            for ticket_id in turn.expired:
                self._book.write(transitions.expired(self._book.get(ticket_id), self.limits, now), now)
            overdue = [self._book.get(each) for each in turn.overdue]
            stop = [self._book.stop(transitions.expired(each, self.limits, now)) for each in overdue]
            ready = [self._book.get(each) for each in turn.started]
            start = [self._book.write(transitions.started(each, now, where), now) for each in ready]
        return Work(start, stop)

    def finished(
        self,
        ticket_id: str,
        result: bytes,
        *,
        attempt: int | None = None,
        where: str = "",
        now: float | None = None,
    ) -> Ticket:
        """A run has a result.

        Args:
            ticket_id: of a ticket that runs, or ran and has ended in the meantime.
            result: encoded by others.
            attempt: the `tries` with which it was started; None: the latest.
            where: what ran it, for people.
            now: the clock's time if None.

        Returns:
            its record; as it was if the ticket had ended before.

        Raises:
            IllegalTransition: it never ran.
        """
        now = self._now(now)
        with self._book.batch():
            ticket = self._book.get(ticket_id)
            if ticket.ended:
                return self._run_over(ticket, attempt)
            if not ticket.tries:
                raise IllegalTransition(ticket_id, ticket.stage, "completed", "it was not started")
            done = transitions.completed(ticket, self.limits, now, where)
            if self._is_latest(ticket, attempt) or self._queue.place(ticket_id) != "running":
                return self._book.write(done, now, {"result": result})
            # an attempt that was given up for lost was faster; the one under way goes on for nothing
            return self._book.stop(done, {"result": result})

    def failed(
        self,
        ticket_id: str,
        error: bytes,
        *,
        retryable: bool,
        why: str,
        attempt: int | None = None,
        where: str = "",
        now: float | None = None,
    ) -> Ticket:
        """A run has failed: another one follows after a pause, if it may help and is allowed, or the end.

        Args:
            ticket_id: as for `finished`.
            error: encoded by others.
            retryable: whether another attempt may end better.
            why: for people.
            attempt: as for `finished`; the failure of an earlier one changes nothing.
            where: what ran it, for people.
            now: the clock's time if None.

        Raises:
            IllegalTransition: it does not run.
        """
        now = self._now(now)
        with self._book.batch():
            ticket = self._book.get(ticket_id)
            if ticket.ended:
                return self._run_over(ticket, attempt)
            if not self._is_running(ticket, attempt, "failed"):
                return ticket
            after = transitions.attempt_failed(
                ticket, self.limits, now, retryable=retryable, why=why, where=where
            )
            return self._book.write(after, now, {"error": error})

    def deferred(
        self,
        ticket_id: str,
        target: str,
        until: float,
        *,
        attempt: int | None = None,
        where: str = "",
        now: float | None = None,
    ) -> Ticket:
        """A run came to a target that is down: the ticket waits until it is up, at the longest to `until`.

        Args:
            ticket_id: as for `finished`.
            target: its name.
            until: when it is tried even if nobody says that the target is up, such as the end of its cool-down.
            attempt: as for `failed`.
            where: what ran it, for people.
            now: the clock's time if None.

        Raises:
            IllegalTransition: it does not run.
            InvalidTicket: `until` is no time.
        """
        if not isfinite(until) or not 0 <= until <= LATEST:
            raise InvalidTicket(f"`until` must be a time in seconds since the epoch, got {until!r}")
        now = self._now(now)
        with self._book.batch():
            ticket = self._book.get(ticket_id)
            if ticket.ended:
                return self._run_over(ticket, attempt)
            if not self._is_running(ticket, attempt, "queued"):
                return ticket
            return self._book.write(transitions.deferred(ticket, now, target, until, where), now)

    def stopped(self, ticket_id: str, *, attempt: int | None = None) -> None:
        """The run of a ticket that had ended, or of an attempt that was replaced, is over."""
        ticket = self._book.find(ticket_id)
        if ticket is not None and ticket.ended:
            self._run_over(ticket, attempt)

    def target_up(self, target: str) -> Ids:
        """A target is back: what waited for it is ready. Take a turn then. Returns the ids."""
        return self._queue.target_up(target)

    # ------------------------------------------------------------ cancelling, requeueing, forgetting

    def cancel(
        self, ticket_id: str, tenant: str | None = None, why: str = "cancelled", now: float | None = None
    ) -> Cancelled:
        """Nobody wants the ticket any more. One that has ended stays as it is.

        Raises:
            UnknownTicket: there is none, or it is another tenant's.
        """
        now = self._now(now)
        with self._book.batch():
            ticket = self._book.get(ticket_id, tenant)
            if ticket.ended:
                return Cancelled(ticket, must_stop=False)
            after = transitions.cancelled(ticket, self.limits, now, why)
            if self._queue.place(ticket_id) == "running":
                return Cancelled(self._book.stop(after), must_stop=True)
            return Cancelled(self._book.write(after, now), must_stop=False)

    def requeue(
        self,
        ticket_id: str,
        tenant: str | None = None,
        *,
        deadline_at: float | None = None,
        now: float | None = None,
    ) -> Ticket:
        """Try a failed ticket again, with all its attempts and a new deadline, or none.

        Raises:
            UnknownTicket: there is none, or it is another tenant's.
            IllegalTransition: it has not failed, or its last run is not over yet.
            InvalidTicket: the deadline has passed.
            QueueFull: no room; it stays as it was.
        """
        now = self._now(now)
        if deadline_at is not None and not now < deadline_at <= LATEST:
            raise InvalidTicket(f"`deadline_at` must be a time to come, got {deadline_at!r}")
        with self._book.batch():
            ticket = self._book.get(ticket_id, tenant)
            if ticket_id in self._book.stopping:
                raise IllegalTransition(ticket_id, ticket.stage, "queued", "its last run is not over yet")
            after = transitions.requeued(ticket, now, deadline_at)
            self._queue.check_room({ticket.tenant: 1})
            return self._book.write(after, now)

    def purge(self, now: float | None = None, most: int = PURGED_AT_ONCE) -> Ids:
        """Forget ended tickets whose time is over: the ids of at most `most`. Not inside a batch."""
        if self._book.in_batch:
            raise RuntimeError("purge inside a batch")
        return self._book.store.purge(self._now(now), most)

    def next_purge(self) -> float | None:
        """When `purge` will have something to forget; None: never."""
        return self._book.store.next_expiry()

    def recover(self, now: float | None = None, still_running: Collection[str] = ()) -> Tickets:
        """After a restart: queue what was running, and try what waited for a target. Call it before `start`.

        Args:
            now: the clock's time if None.
            still_running: tickets whose runs are known to go on.

        Returns:
            the tickets that were running, as they are now; some may have used up their attempts.
        """
        now = self._now(now)
        self._queue.all_targets_up()
        with self._book.batch():
            lost = [self._book.get(each) for each in self._queue.running() if each not in still_running]
            return [self._book.write(transitions.lost(each, self.limits, now), now) for each in lost]

    # ------------------------------------------------------------ helpers

    def _run_over(self, ticket: Ticket, attempt: int | None) -> Ticket:
        """The run of a ticket that had ended is over: its place is free."""
        if self._is_latest(ticket, attempt):
            self._book.run_over(ticket.id)
        return ticket

    @staticmethod
    def _is_latest(ticket: Ticket, attempt: int | None) -> bool:
        return attempt is None or attempt == ticket.tries

    def _is_running(self, ticket: Ticket, attempt: int | None, wanted: Stage) -> bool:
        """Whether a report is about the run of a ticket that is under way; one about an earlier run is ignored.

        Raises:
            IllegalTransition: there is no run, and the report does not say of which it speaks.
        """
        if self._queue.place(ticket.id) == "running":
            return self._is_latest(ticket, attempt)
        if attempt is None:
            raise IllegalTransition(ticket.id, ticket.stage, wanted, "it is not running")
        return False

    def _present(self, ticket: Ticket) -> Ticket:
        """A ticket that was woken since its record was written waits for nothing but a place."""
        if ticket.phase in ("delayed", "queued", "retrying") and self._queue.place(ticket.id) == "ready":
            return replace(ticket, phase="queued", waiting_for=None, reason=ticket.reason or WAITS_FOR_A_PLACE)
        return ticket

    def _now(self, now: float | None) -> float:
        return self._clock() if now is None else now
