"""Runs the tickets of a board on evaluators: a plain class on one event loop.

    submit ─▶ board (committed) ─▶ turn: as many as evaluators have places ─▶ evaluator.run ─▶ board ─▶ waiters

Operations of one turn of the loop share one commit: a thousand submissions that come together are written
together, and nobody is answered before.

A ticket whose evaluator died is tried again, if running it twice does no more than running it once, as often as
it may be. One whose run met a target that is down goes back into the queue until the target is up. What becomes
of a run is told to the board until the board has written it down: a ticket whose end nobody noted would run for
ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from actors.requests import RunReply, RunRequest, Status
from actors.service import (
    NotFoundError,
    SubmitOptions,
    TicketPage,
    TicketState,
    TicketView,
)
from actors.tickets.board import TicketBoard
from actors.tickets.errors import (
    InvalidTicket,
    StoreError,
    TicketConflict,
    UnknownTicket,
)
from actors.tickets.ids import NOBODY
from actors.tickets.limits import QueueLimits
from actors.tickets.places import Place, Places, RunnerLost, RunnerPort
from actors.tickets.reader import TicketFilter
from actors.tickets.store import TicketStore
from actors.tickets.ticket import LATEST, Submission, Ticket
from actors.tickets.views import asks_for, request_of, submission_for, translated, view
from rtfs import errors

_log = logging.getLogger("rtfs.tickets")

#: pause after a turn that failed: the disk is full, say; seconds
_AFTER_FAILURE_S: Final = 1.0
#: pauses before an evaluator that was lost is asked whether it is back: the first one, which doubles, and the
#: longest; seconds
_AWAY_S: Final = (0.1, 5.0)


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
        self._places = Places(places)
        self._changed = changed
        self._clock = clock
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
        self._places.set_runners(runners)
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
            StorageError: `request` is none.
        """
        submission = submission_for(request, options, self._clock())
        ticket: Ticket = await self._committed(lambda: self._submitted(submission))
        self._wake.set()
        return view(ticket)

    def _submitted(self, submission: Submission) -> Ticket:
        """The ticket; the known one if it is for the same run, though somebody else made the request."""
        try:
            return self._board.submit(submission)
        except TicketConflict:
            ticket = self._board.get(submission.id)
            known = self._board.payload(submission.id, "request")
            if ticket.tenant != submission.tenant or known is None:
                raise
            if asks_for(known) != asks_for(submission.request):
                raise
            return ticket

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
                    future.set_exception(translated(error))
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
            except Exception:  # one ticket's trouble must not keep all others waiting for ever
                _log.exception("a turn of the tickets failed")
                await asyncio.sleep(_AFTER_FAILURE_S)
            else:
                await self._until_something_is_to_do()

    def _take_turn(self) -> None:
        now = self._clock()
        work = self._board.start(self._places.free(), now)
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

    async def _run(self, ticket: Ticket) -> None:
        """Run a ticket that the board has started, and tell the board how it went."""
        place: Place | None = None
        try:
            request, data = request_of(ticket, self._board.payload(ticket.id, "request") or b"")
            place = self._places.take(ticket.id, request.run_id)
            reply, data = await self._reply_from(place, data)
        except errors.StorageError as damaged:  # and will be the next time
            await self._failed(ticket, damaged, retryable=False, place=None)
        except RunnerLost as lost:
            died = str(lost) if place is None else f"{place.name}, which ran it, was lost: {lost}"
            error = errors.InternalError(died)
            await self._failed(ticket, error, retryable=request.repeatable, place=place)
        except Exception as bug:
            _log.exception("ticket %s could not be run", ticket.id)
            error = errors.InternalError(f"{type(bug).__name__}: {bug}")
            await self._failed(ticket, error, retryable=False, place=place)
        else:
            await self._replied(ticket, reply, data, request, place)
        finally:
            if place is not None:
                self._places.leave(place)
            self._wake.set()

    async def _reply_from(self, place: Place, data: bytes) -> tuple[RunReply, bytes]:
        """What the evaluator answers, as record and as bytes.

        Raises:
            RunnerLost: it died, or what it answered is no reply.
        """
        try:
            answer = await place.runner.run(data)
            return RunReply.decode(answer), answer
        except RunnerLost:
            if self._places.lost(place.name):
                self._spawn(self._until_back(place.name))
            raise
        except errors.StorageError as error:
            raise RunnerLost(f"its answer is no reply: {error.text()}") from error

    async def _until_back(self, name: str) -> None:
        """Give an evaluator no tickets until it answers."""
        pause_s, longest_s = _AWAY_S
        try:
            while (runner := self._places.runner(name)) is not None:
                await asyncio.sleep(pause_s)
                try:
                    await runner.alive()
                    return
                except RunnerLost:
                    pause_s = min(2 * pause_s, longest_s)
        finally:
            self._places.back(name)
            self._wake.set()

    async def _replied(
        self, ticket: Ticket, reply: RunReply, data: bytes, request: RunRequest, place: Place
    ) -> None:
        board, attempt, where = self._board, ticket.tries, place.name
        if reply.status == "completed":
            await self._noted(lambda: board.finished(ticket.id, data, attempt=attempt, where=where))
        elif reply.deferral is not None and reply.status == "deferred" and 0 <= reply.deferral.until <= LATEST:
            target, until = reply.deferral.target, reply.deferral.until
            await self._noted(lambda: board.deferred(ticket.id, target, until, attempt=attempt, where=where))
        else:
            # one that was cancelled though its ticket was not: its evaluator ends, or has no memory left
            again = reply.status == "cancelled" and request.repeatable
            error = reply.error or errors.InternalError(f"the run ended as {reply.status}, for no reason")
            told = data if reply.status in ("failed", "cancelled") else None
            await self._failed(ticket, error, retryable=again, place=place, data=told)

    async def _failed(
        self,
        ticket: Ticket,
        error: errors.RtfsError,
        *,
        retryable: bool,
        place: Place | None,
        data: bytes | None = None,
    ) -> None:
        told = data or RunReply(run_id=ticket.id, status="failed", error=error).encode()
        where = "" if place is None else place.name
        await self._noted(
            lambda: self._board.failed(
                ticket.id, told, retryable=retryable, why=error.text(), attempt=ticket.tries, where=where
            )
        )

    async def _noted(self, operation: Callable[[], Any]) -> None:
        """Have the board note what became of a run, as often as it takes."""
        while True:
            try:
                await self._committed(operation)
                return
            except StoreError as error:
                _log.error("the end of a run cannot be written yet: %s", error)
                await asyncio.sleep(_AFTER_FAILURE_S)

    def _stop(self, ticket_id: str) -> None:
        """Stop the run of a ticket that has ended; what it ends with is told as any other end."""
        place = self._places.of(ticket_id)
        if place is not None:
            place.runner.cancel(place.run_id)
        else:
            self._board.stopped(ticket_id)

    # ------------------------------------------------------------ waiting

    def _on_change(self, ticket: Ticket) -> None:
        if ticket.ended:
            for waiter in self._waiters.pop(ticket.id, ()):
                _settle(waiter, None)
        try:
            self._changed(ticket)
        except Exception:  # the ticket is written; who listens cannot undo that
            _log.exception("a change of ticket %s could not be told", ticket.id)

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


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if not future.done():
        future.set_result(answer)
