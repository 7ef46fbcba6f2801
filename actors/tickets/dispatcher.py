"""Runs the tickets of a board on evaluators: a plain class on one event loop.

    submit ─▶ board (committed) ─▶ turn: as many as evaluators have places ─▶ evaluator.run ─▶ board ─▶ waiters

Operations of one turn of the loop share one commit: a thousand submissions that come together are written
together, and nobody is answered before.

A ticket whose evaluator died is tried again, if running it twice does no more than running it once, as often as
it may be. One whose run met a target that is down goes back into the queue until the target is up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, Protocol

from actors.requests import RunReply, RunRequest, Status
from actors.service import (
    BusyError,
    ConflictError,
    NotFoundError,
    SubmitOptions,
    TicketPage,
    TicketState,
    TicketView,
)
from actors.tickets.board import TicketBoard
from actors.tickets.errors import (
    IllegalTransition,
    InvalidTicket,
    QueueFull,
    StoreError,
    TicketConflict,
    UnknownTicket,
)
from actors.tickets.limits import QueueLimits
from actors.tickets.reader import TicketFilter
from actors.tickets.store import TicketStore
from actors.tickets.ticket import Submission, Ticket
from rtfs import errors

_log = logging.getLogger("rtfs.tickets")

#: the tenant of tickets that belong to nobody in particular
NOBODY: Final = "(nobody)"
#: attempts of a run that may be repeated, and of one that may not, where the submission says nothing
ATTEMPTS: Final = 3
ATTEMPTS_WITH_EFFECTS: Final = 1
#: pause after a turn that failed: the disk is full, say; seconds
_AFTER_FAILURE_S: Final = 1.0


class RunnerLost(Exception):
    """An evaluator died, or cannot be reached, while it ran something."""


class RunnerPort(Protocol):
    """An evaluator."""

    async def run(self, request: bytes) -> bytes:
        """Run a request. Raises RunnerLost."""

    def cancel(self, run_id: str) -> None:
        """Stop a run, if it is under way. Never waits."""


class Dispatcher:
    """Takes tickets, runs them, and answers about them. `start` it inside its event loop.

    Args:
        store: open for writing.
        limits: of the queue.
        places: runs at once on each evaluator.
        changed: told each new record, after its commit.
    """

    def __init__(
        self,
        store: TicketStore,
        *,
        places: int,
        limits: QueueLimits | None = None,
        changed: Callable[[Ticket], None] = lambda ticket: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._board = TicketBoard(store, limits, clock=clock, on_change=self._on_change)
        self._places = places
        self._changed = changed
        self._clock = clock
        self._runners: dict[str, RunnerPort] = {}
        #: by ticket id: where it runs, and the id of its run
        self._under_way: dict[str, tuple[str, str]] = {}
        #: operations that are waiting for the next commit
        self._pending: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self._commit_is_due = False
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------ its life

    def start(self) -> None:
        """Take up what was left of an earlier process, and begin."""
        self._board.recover()
        self._spawn(self._turns())

    async def close(self) -> None:
        """Stop; runs under way go on, and are taken up by the next dispatcher."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set_runners(self, runners: Mapping[str, RunnerPort]) -> None:
        """Say which evaluators there are."""
        self._runners = dict(runners)
        self._wake.set()

    def target_up(self, target: str) -> None:
        """A target is back: tickets that wait for it go on."""
        if self._board.target_up(target):
            self._wake.set()

    # ------------------------------------------------------------ what clients ask for

    async def submit(self, request: bytes, options: SubmitOptions) -> TicketView:
        """Queue a run; its ticket's id is the request's. Answered when it is on the disk.

        Raises:
            BusyError, ConflictError, ValueError: as `Service.submit`.
        """
        submission = _submission(request, options, self._clock())
        ticket: Ticket = await self._committed(lambda: self._board.submit(submission))
        self._wake.set()
        return view(ticket)

    async def ticket(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Raises NotFoundError."""
        return view(self._find(ticket_id, tenant))

    async def reply(self, ticket_id: str, tenant: str | None, wait_s: float | None) -> bytes | None:
        """What became of the run, as `RunReply` bytes; None: it is not over after `wait_s`.

        Raises:
            NotFoundError: there is no such ticket.
        """
        ticket = self._find(ticket_id, tenant)
        if not ticket.ended and wait_s != 0:
            await self._ended(ticket_id, wait_s)
            ticket = self._find(ticket_id, tenant)
        return self._reply_of(ticket) if ticket.ended else None

    async def cancel(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Raises NotFoundError."""
        self._find(ticket_id, tenant)
        cancelled = await self._committed(lambda: self._board.cancel(ticket_id))
        if cancelled.must_stop:
            self._stop(ticket_id)
        return view(cancelled.ticket)

    async def requeue(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Raises NotFoundError, ConflictError, BusyError."""
        self._find(ticket_id, tenant)
        ticket: Ticket = await self._committed(lambda: self._board.requeue(ticket_id))
        self._wake.set()
        return view(ticket)

    async def tickets(
        self,
        tenant: str | None,
        *,
        everybody: bool = False,
        state: TicketState | None = None,
        dead: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TicketPage:
        """Tickets of a tenant, or of everybody, newest first. Raises ValueError for a cursor that is none."""
        which = TicketFilter(tenant=None if everybody else tenant or NOBODY, state=state, dead=dead)
        try:
            page = self._board.list(which, limit, cursor)
        except InvalidTicket as error:
            raise ValueError(str(error)) from error
        return TicketPage(tickets=tuple(map(view, page.tickets)), cursor=page.cursor)

    def counts(self) -> tuple[int, int]:
        """How many tickets wait, and how many run."""
        counts = self._board.counts()
        return counts.waiting, counts.running

    # ------------------------------------------------------------ commits

    async def _committed(self, operation: Callable[[], Any]) -> Any:
        """What an operation of the board answers, once it is on the disk together with others."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append((operation, future))
        if not self._commit_is_due:
            self._commit_is_due = True
            asyncio.get_running_loop().call_soon(self._commit)
        return await future

    def _commit(self) -> None:
        self._commit_is_due = False
        pending, self._pending = self._pending, []
        if len(pending) > 1:
            try:
                with self._board.batch():
                    answers = [operation() for operation, _ in pending]
            except Exception:  # one of them cannot be done: each is tried by itself, and says so itself
                pass
            else:
                for (_, future), answer in zip(pending, answers, strict=True):
                    _settle(future, answer)
                return
        for operation, future in pending:
            try:
                answer = operation()
            except Exception as error:
                if not future.done():
                    future.set_exception(_translated(error))
            else:
                _settle(future, answer)

    # ------------------------------------------------------------ running

    async def _turns(self) -> None:
        while True:
            self._wake.clear()
            try:
                self._take_turn()
            except StoreError as error:
                _log.error("tickets cannot be written: %s", error)
                await asyncio.sleep(_AFTER_FAILURE_S)
                continue
            await self._until_something_is_to_do()

    def _take_turn(self) -> None:
        now = self._clock()
        work = self._board.start(self._free(), now)
        for ticket in work.start:
            self._spawn(self._run(ticket))
        for ticket in work.stop:
            self._stop(ticket.id)
        due = self._board.next_purge()
        if due is not None and due <= now:
            self._board.purge(now)

    async def _until_something_is_to_do(self) -> None:
        times = [at for at in (self._board.next_wake(), self._board.next_purge()) if at is not None]
        timeout = max(0.0, min(times) - self._clock()) if times else None
        try:
            await asyncio.wait_for(self._wake.wait(), timeout)
        except TimeoutError:
            pass

    def _free(self) -> int:
        return max(0, len(self._runners) * self._places - len(self._under_way))

    def _least_busy(self) -> str:
        busy = dict.fromkeys(self._runners, 0)
        for where, _ in self._under_way.values():
            if where in busy:
                busy[where] += 1
        return min(busy, key=lambda name: busy[name])

    async def _run(self, ticket: Ticket) -> None:
        """Run a ticket that the board has started, and tell the board how it went."""
        data = self._board.payload(ticket.id, "request") or b""
        attempt = ticket.tries
        try:
            request = RunRequest.decode(data)
        except errors.StorageError as error:
            await self._failed(ticket, error, retryable=False, where="")
            return
        where = self._least_busy()
        self._under_way[ticket.id] = (where, request.run_id)
        try:
            reply = await self._runners[where].run(data)
        except RunnerLost as lost:
            died = errors.InternalError(f"{where}, which ran it, was lost: {lost}")
            await self._failed(ticket, died, retryable=request.repeatable, where=where)
        else:
            await self._replied(ticket.id, attempt, reply, where)
        finally:
            self._under_way.pop(ticket.id, None)
            self._wake.set()

    async def _replied(self, ticket_id: str, attempt: int, data: bytes, where: str) -> None:
        reply = RunReply.decode(data)
        board = self._board
        if reply.status == "completed":
            await self._committed(lambda: board.finished(ticket_id, data, attempt=attempt, where=where))
        elif reply.status == "deferred" and reply.deferral is not None:
            target, until = reply.deferral.target, reply.deferral.until
            await self._committed(
                lambda: board.deferred(ticket_id, target, until, attempt=attempt, where=where)
            )
        else:
            why = "it failed" if reply.error is None else reply.error.text()[:200]
            await self._committed(
                lambda: board.failed(ticket_id, data, retryable=False, why=why, attempt=attempt, where=where)
            )

    async def _failed(self, ticket: Ticket, error: errors.RtfsError, *, retryable: bool, where: str) -> None:
        reply = RunReply(run_id=ticket.id, status="failed", error=error).encode()
        await self._committed(
            lambda: self._board.failed(
                ticket.id, reply, retryable=retryable, why=error.text(), attempt=ticket.tries, where=where
            )
        )

    def _stop(self, ticket_id: str) -> None:
        """Stop the run of a ticket that has ended; what it ends with is told as any other end."""
        where, run_id = self._under_way.get(ticket_id, ("", ""))
        runner = self._runners.get(where)
        if runner is not None:
            runner.cancel(run_id)
        else:
            self._board.stopped(ticket_id)

    # ------------------------------------------------------------ waiting

    def _on_change(self, ticket: Ticket) -> None:
        if ticket.ended:
            for waiter in self._waiters.pop(ticket.id, ()):
                _settle(waiter, None)
        self._changed(ticket)

    async def _ended(self, ticket_id: str, wait_s: float | None) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(ticket_id, set()).add(waiter)
        try:
            await asyncio.wait_for(waiter, wait_s)
        except TimeoutError:
            pass
        finally:
            waiters = self._waiters.get(ticket_id)
            if waiters is not None:
                waiters.discard(waiter)
                if not waiters:
                    del self._waiters[ticket_id]

    def _reply_of(self, ticket: Ticket) -> bytes:
        """The reply of a ticket that has ended, whether or not its run came to one."""
        if ticket.state == "completed":
            return self._board.payload(ticket.id, "result") or b""
        found = self._board.payload(ticket.id, "error")
        status: Status = "cancelled" if ticket.state == "cancelled" else "failed"
        if ticket.state == "failed" and found is not None:
            return found
        dimension = "cancelled" if status == "cancelled" else "attempts"
        error = errors.BudgetExhausted(dimension, ticket.reason or status)
        return RunReply(run_id=ticket.id, status=status, error=error).encode()

    def _find(self, ticket_id: str, tenant: str | None) -> Ticket:
        try:
            return self._board.get(ticket_id, tenant or NOBODY)
        except (UnknownTicket, InvalidTicket):
            raise NotFoundError(f"there is no ticket `{ticket_id[:80]}`; it may have expired") from None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a ticket could not be dealt with", exc_info=task.exception())


def _submission(data: bytes, options: SubmitOptions, now: float) -> Submission:
    request = RunRequest.decode(data)
    attempts = options.max_attempts or (ATTEMPTS if request.repeatable else ATTEMPTS_WITH_EFFECTS)
    try:
        return Submission(
            request=data,
            tenant=request.facts.tenant or NOBODY,
            id=request.ticket_id or "",
            name=options.name or "",
            priority=options.priority,
            not_before=now + options.delay_s if options.delay_s > 0 else None,
            deadline_at=None if options.deadline_s is None else now + options.deadline_s,
            max_attempts=attempts,
        )
    except InvalidTicket as error:
        raise ValueError(str(error)) from error


def view(ticket: Ticket) -> TicketView:
    """What others see of a ticket."""
    phase = ticket.stage
    return TicketView(
        id=ticket.id,
        tenant=None if ticket.tenant == NOBODY else ticket.tenant,
        state=ticket.state,
        phase="waiting" if ticket.waiting_for is not None else phase,
        reason=ticket.reason,
        name=ticket.name or None,
        priority=ticket.priority,
        created_at=ticket.created_at,
        updated_at=ticket.updated_at,
        attempts=ticket.tries,
        max_attempts=ticket.max_attempts,
        dead=ticket.dead,
        deadline_at=ticket.deadline_at,
    )


def views(tickets: Iterable[Ticket]) -> tuple[TicketView, ...]:
    """What others see of tickets."""
    return tuple(map(view, tickets))


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if not future.done():
        future.set_result(answer)


def _translated(error: Exception) -> Exception:
    """An error of the board as one of `actors.service`, which survives the way to another process."""
    if isinstance(error, UnknownTicket):
        return NotFoundError(str(error))
    if isinstance(error, TicketConflict | IllegalTransition):
        return ConflictError(str(error))
    if isinstance(error, QueueFull):
        return BusyError(str(error), error.retry_after_s)
    if isinstance(error, InvalidTicket):
        return ValueError(str(error))
    return error
