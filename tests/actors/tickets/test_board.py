"""The board: what its operations do, in one go and over crashes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.tickets.board import TicketBoard
from actors.tickets.errors import (
    IllegalTransition,
    InvalidTicket,
    QueueFull,
    StoreFull,
    TicketConflict,
    UnknownTicket,
)
from actors.tickets.ids import new_ticket_id
from actors.tickets.limits import QueueLimits
from actors.tickets.reader import TicketFilter
from actors.tickets.store import TicketStore
from actors.tickets.ticket import Submission, Ticket

LIMITS = QueueLimits(backoff_s=2.0, max_queued=50, max_queued_per_tenant=30, keep_s=100.0, keep_dead_s=700.0)
NOW = 1_000.0


class Told:
    """What a board has told, and the time that it believes in."""

    def __init__(self) -> None:
        self.now = NOW
        self.changes: list[tuple[str, str]] = []
        self.check: Callable[[Ticket], None] = lambda ticket: None

    def __call__(self, ticket: Ticket) -> None:
        self.changes.append((ticket.id, ticket.stage))
        self.check(ticket)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def board(store: TicketStore, told: Told) -> TicketBoard:
    return TicketBoard(store, LIMITS, clock=lambda: told.now, on_change=told)


def work(request: bytes = b"request", tenant: str = "acme", **more: Any) -> Submission:
    return Submission(request=request, tenant=tenant, **more)


def running(board: TicketBoard, **more: Any) -> str:
    """A ticket that runs."""
    ticket = board.submit(work(**more))
    assert [each.id for each in board.start(1).start] == [ticket.id]
    return ticket.id


# ---------------------------------------------------------------- the usual way


def test_from_submission_to_result(board: TicketBoard, store: TicketStore, told: Told) -> None:
    def is_committed(ticket: Ticket) -> None:
        assert store.find(ticket.id) == ticket

    told.check = is_committed
    submission = work(name="nightly", priority=3)
    assert board.submit(submission).stage == "queued"
    assert (board.counts().waiting, board.counts().running) == (1, 0)
    started = board.start(5, where="evaluator-1").start
    assert [(each.id, each.stage, each.tries) for each in started] == [(submission.id, "running", 1)]
    assert board.payload(submission.id, "request") == b"request"
    assert board.counts().tenants == {"acme": (0, 1)}
    done = board.finished(submission.id, b"result", attempt=1)
    assert (done.state, done.attempts[-1].where) == ("completed", "evaluator-1")
    assert board.payload(submission.id, "result") == b"result"
    assert board.payload(submission.id, "error") is None
    assert (board.counts().running, board.start(5).start) == (0, [])
    assert told.changes == [(submission.id, stage) for stage in ("queued", "running", "completed")]


def test_a_failing_ticket_becomes_a_dead_letter_and_is_requeued(board: TicketBoard, told: Told) -> None:
    ticket_id = running(board, max_attempts=2)
    board.failed(ticket_id, b"e1", retryable=True, why="refused", attempt=1)
    wake = board.next_wake()
    assert wake is not None
    assert NOW + 1 <= wake <= NOW + 2
    assert board.start(5).start == []
    told.now = wake
    assert [each.tries for each in board.start(5).start] == [2]
    dead = board.failed(ticket_id, b"e2", retryable=True, why="refused again", attempt=2)
    assert (dead.state, dead.dead) == ("failed", True)
    assert board.payload(ticket_id, "error") == b"e2"
    assert [each.id for each in board.list(TicketFilter(dead=True)).tickets] == [ticket_id]
    again = board.requeue(ticket_id, "acme")
    assert (again.stage, again.failures) == ("queued", 0)
    assert board.list(TicketFilter(dead=True)).tickets == ()
    assert [(each.id, each.tries) for each in board.start(5).start] == [(ticket_id, 3)]


def test_a_ticket_whose_target_is_down_waits_for_it(board: TicketBoard, told: Told) -> None:
    first, second = running(board), running(board)
    for each in (first, second):
        board.deferred(each, "remote-x", NOW + 60, attempt=1)
    assert board.waiting_for("remote-x") == [first, second]
    assert (board.start(5).start, board.next_wake()) == ([], NOW + 60)
    assert board.get(first).waiting_for == "remote-x"
    assert board.target_up("remote-x") == [first, second]
    ready = board.get(first)
    assert (ready.stage, ready.waiting_for) == ("queued", None)
    assert [each.waiting_for for each in board.list().tickets] == [None, None]
    assert [each.id for each in board.start(1).start] == [first]
    told.now = NOW + 60
    assert [each.id for each in board.start(1).start] == [second]


@pytest.mark.parametrize("until", [float("nan"), float("inf"), -1.0, 1e13])
def test_no_waiting_until_no_time(board: TicketBoard, until: float) -> None:
    ticket_id = running(board)
    with pytest.raises(InvalidTicket, match="`until` must be a time"):
        board.deferred(ticket_id, "remote-x", until)
    assert board.get(ticket_id).stage == "running"


# ---------------------------------------------------------------- submitting


def test_the_same_submission_twice_is_one_ticket(board: TicketBoard, told: Told) -> None:
    ticket_id = running(board, id=(same := new_ticket_id()))
    assert board.submit(work(id=same)).stage == "running"
    board.finished(ticket_id, b"result")
    told.changes.clear()
    assert board.submit(work(id=same)).state == "completed"
    assert [each.id for each in board.submit_many([work(id=same), work(id=same)])] == [same, same]
    assert told.changes == []
    for other in (work(b"other", id=same), work(id=same, tenant="globex")):
        with pytest.raises(TicketConflict, match="exists already, for another request"):
            board.submit(other)


def test_many_at_once_are_all_taken_or_none(board: TicketBoard, told: Told) -> None:
    twice = work()
    answers = board.submit_many([twice, work(tenant="globex"), twice])
    assert answers[0] == answers[2] != answers[1]
    assert board.counts().waiting == 2
    told.changes.clear()
    for wrong, error in [
        ([work() for _ in range(30)], QueueFull),
        ([work(), work(deadline_at=NOW)], InvalidTicket),
        ([work(), work(b"other", id=twice.id)], TicketConflict),
    ]:
        with pytest.raises(error):
            board.submit_many(wrong)
    assert (board.counts().waiting, told.changes) == (2, [])
    assert len(board.list().tickets) == 2


def test_back_pressure(board: TicketBoard) -> None:
    mine = work()
    board.submit_many([mine, *[work() for _ in range(29)]])
    with pytest.raises(
        QueueFull, match="30 tickets of tenant `acme` wait, at most 30 may; try again in"
    ) as caught:
        board.submit(work())
    assert caught.value.retry_after_s > 0
    assert board.submit(mine).id == mine.id  # known already, and takes no room
    board.submit_many([work(tenant="globex") for _ in range(20)])
    with pytest.raises(QueueFull, match="50 tickets wait, at most 50 may"):
        board.submit(work(tenant="initech"))
    board.start(1)
    board.submit(work(tenant="initech"))


# ---------------------------------------------------------------- whose it is


def test_the_ticket_of_another_tenant_is_as_if_it_were_not_there(board: TicketBoard) -> None:
    ticket_id = running(board)
    ways: list[Callable[[str], object]] = [
        lambda each: board.get(each, "globex"),
        lambda each: board.payload(each, "request", "globex"),
        lambda each: board.cancel(each, "globex"),
        lambda each: board.requeue(each, "globex"),
    ]
    absent = new_ticket_id()
    for way in ways:
        for each in (ticket_id, absent):
            with pytest.raises(UnknownTicket) as caught:
                way(each)
            assert str(caught.value) == f"there is no ticket `{each}`; it may have expired"
    assert board.list(TicketFilter(tenant="globex")).tickets == ()
    assert board.get(ticket_id, "acme").stage == "running"


@pytest.mark.parametrize("ticket_id", ["", "../../../etc/passwd", "x" * 26, "0" * 25 + "\n"])
def test_what_is_no_id(board: TicketBoard, ticket_id: str) -> None:
    for way in (board.get, board.cancel, board.requeue, lambda each: board.finished(each, b"")):
        with pytest.raises(InvalidTicket):
            way(ticket_id)


# ---------------------------------------------------------------- cancelling and deadlines


def test_cancelling(board: TicketBoard, told: Told) -> None:
    waits = board.submit(work()).id
    assert board.cancel(waits, why="not needed").must_stop is False
    assert (board.get(waits).state, board.get(waits).reason) == ("cancelled", "not needed")
    assert board.start(5).start == []
    ticket_id = running(board)
    cancelled, must_stop = board.cancel(ticket_id, "acme")
    assert (cancelled.state, must_stop) == ("cancelled", True)
    assert board.counts().running == 1  # its run goes on
    assert board.cancel(ticket_id) == (cancelled, False)
    board.stopped(ticket_id, attempt=1)
    assert board.counts().running == 0
    told.changes.clear()
    assert board.finished(ticket_id, b"late", attempt=1).state == "cancelled"
    assert board.failed(ticket_id, b"late", retryable=True, why="", attempt=1).state == "cancelled"
    assert (board.payload(ticket_id, "result"), told.changes) == (None, [])


def test_what_ends_a_run_of_a_cancelled_ticket_frees_its_place(board: TicketBoard) -> None:
    ends: list[Callable[[str], object]] = [
        lambda each: board.finished(each, b"r", attempt=1),
        lambda each: board.failed(each, b"e", retryable=True, why="stopped", attempt=1),
        lambda each: board.deferred(each, "remote-x", NOW + 5, attempt=1),
        lambda each: board.stopped(each),
    ]
    for end in ends:
        ticket_id = running(board)
        board.cancel(ticket_id)
        end(ticket_id)
        assert (board.get(ticket_id).state, board.counts().running) == ("cancelled", 0)


def test_nothing_outlives_its_deadline(board: TicketBoard, told: Told) -> None:
    runs = running(board, deadline_at=NOW + 10)
    waits = board.submit(work(deadline_at=NOW + 5)).id
    assert board.next_wake() == NOW + 5
    told.now = NOW + 5
    assert board.start(0) == ([], [])
    assert (board.get(waits).state, board.get(waits).dead) == ("failed", True)
    told.now = NOW + 10
    [stop] = board.start(5).stop
    assert (stop.id, stop.state, stop.dead) == (runs, "failed", False)
    with pytest.raises(IllegalTransition, match="its last run is not over yet"):
        board.requeue(runs)
    board.stopped(runs)
    assert board.counts().running == 0
    assert board.requeue(runs, deadline_at=NOW + 20).deadline_at == NOW + 20
    with pytest.raises(InvalidTicket, match="must be a time to come"):
        board.requeue(waits, deadline_at=NOW + 10)


def test_requeueing_is_for_what_failed_and_for_what_has_room(board: TicketBoard) -> None:
    ticket_id = running(board)
    failed = board.failed(ticket_id, b"e", retryable=False, why="no").id
    done = running(board)
    board.finished(done, b"")
    with pytest.raises(IllegalTransition, match="is completed and cannot become queued"):
        board.requeue(done)
    board.submit_many([work() for _ in range(30)])
    with pytest.raises(QueueFull):
        board.requeue(failed)
    assert board.get(failed).state == "failed"


# ---------------------------------------------------------------- reports that come late, twice or wrongly


def test_reports_of_what_does_not_run(board: TicketBoard) -> None:
    ticket_id = board.submit(work()).id
    with pytest.raises(IllegalTransition, match="is queued and cannot become completed; it was not started"):
        board.finished(ticket_id, b"")
    with pytest.raises(IllegalTransition, match="is queued and cannot become failed; it is not running"):
        board.failed(ticket_id, b"", retryable=True, why="")
    with pytest.raises(IllegalTransition, match="is queued and cannot become queued; it is not running"):
        board.deferred(ticket_id, "remote-x", NOW)
    assert board.get(ticket_id).stage == "queued"


def test_the_result_of_an_attempt_that_was_taken_for_lost(board: TicketBoard, store: TicketStore) -> None:
    waits, runs = running(board), running(board)
    again = TicketBoard(store, LIMITS, clock=lambda: NOW)
    assert {each.id for each in again.recover()} == {waits, runs}
    assert [each.id for each in again.start(1).start] == [waits]
    waits, runs = runs, waits
    for each in (waits, runs):  # failures of the first attempt are of no interest any more
        assert again.failed(each, b"e", retryable=False, why="late", attempt=1) == again.get(each)
        assert again.deferred(each, "remote-x", NOW, attempt=1) == again.get(each)
        assert again.finished(each, b"result", attempt=1).state == "completed"
    assert (again.counts().running, again.counts().waiting) == (1, 0)  # the second attempt goes on for nothing
    assert again.finished(runs, b"other", attempt=2).state == "completed"
    assert again.payload(runs, "result") == b"result"
    assert again.counts().running == 0


# ---------------------------------------------------------------- batches


def test_a_batch_is_told_after_its_one_commit(board: TicketBoard, store: TicketStore, told: Told) -> None:
    commits = store._env.info()["last_txnid"]
    with board.batch():
        first = board.submit(work(b"1")).id
        second = board.submit(work(b"2")).id
        board.start(1)
        assert board.get(first).stage == "running"
        board.finished(first, b"result")
        assert board.payload(first, "result") == b"result"
        assert store.find(first) is None
        assert told.changes == []
    assert store._env.info()["last_txnid"] == commits + 1
    assert told.changes == [(first, "queued"), (second, "queued"), (first, "running"), (first, "completed")]


def test_a_batch_that_fails_has_not_happened(board: TicketBoard, store: TicketStore, told: Told) -> None:
    class Failed(Exception):
        pass

    old = running(board)
    waits = board.submit(work(deadline_at=NOW + 5)).id
    sleeps = board.submit(work(not_before=NOW + 3)).id
    told.changes.clear()
    before = (board.counts(), store.list())

    def everything() -> None:
        told.now = NOW + 6
        with board.batch():
            board.submit(work())
            assert len(board.start(5).start) == 2
            board.cancel(old)
            board.stopped(old)
            raise Failed

    with pytest.raises(Failed):
        everything()
    assert told.changes == []
    assert (board.counts(), store.list()) == before
    turn = board.start(5)
    assert [each.id for each in turn.start] == [sleeps]
    assert board.get(waits).dead
    assert board.finished(old, b"result").state == "completed"


def test_a_full_store_refuses_and_stays_right(folder: Path) -> None:
    with TicketStore(folder, map_bytes=1 << 17, max_bytes=1 << 20) as store:
        board = TicketBoard(store, QueueLimits(keep_s=0.0))
        taken: list[str] = []

        def fill() -> None:
            while True:
                taken.append(board.submit(work(b"r" * 30_000)).id)

        with pytest.raises(StoreFull):
            fill()
        assert board.counts().waiting == len(taken)
        board.cancel(taken[0])
        assert board.purge() == [taken[0]]
        board.submit(work(b"r" * 10_000))


def test_listeners_that_fail_change_nothing_and_are_heard_of(board: TicketBoard, told: Told) -> None:
    def fails(ticket: Ticket) -> None:
        if len(told.changes) == 1:
            raise ZeroDivisionError

    told.check = fails
    with pytest.raises(ExceptionGroup, match="committed") as caught:
        board.submit_many([work(), work()])
    assert [type(each) for each in caught.value.exceptions] == [ZeroDivisionError]
    assert (len(told.changes), board.counts().waiting) == (2, 2)
    assert board.submit(work()).stage == "queued"


# ---------------------------------------------------------------- restarts and expiry


def test_after_a_restart_nothing_is_lost(board: TicketBoard, store: TicketStore, told: Told) -> None:
    poison = running(board, max_attempts=1)
    lives_on = running(board)
    lost = running(board)
    parked = running(board)
    board.deferred(parked, "remote-x", NOW + 500)
    waits = board.submit(work(priority=9)).id
    later = board.submit(work(not_before=NOW + 50)).id
    again = TicketBoard(store, LIMITS, clock=lambda: told.now, on_change=told)
    told.changes.clear()
    changed = again.recover(still_running={lives_on})
    assert told.changes == [(each.id, each.stage) for each in changed]
    assert {each.id: each.stage for each in changed} == {poison: "failed", lost: "queued"}
    assert again.get(poison).dead
    assert again.get(lost).reason == "the process that ran it was lost"
    assert again.get(lives_on).stage == "running"
    assert again.get(parked).waiting_for is None  # nobody knows now whether it is down
    assert again.get(later).stage == "delayed"
    first, *others = [each.id for each in again.start(99).start]
    assert (first, set(others)) == (waits, {lost, parked})  # the others came at the same time
    assert again.finished(lives_on, b"result", attempt=1).state == "completed"
    told.now = NOW + 50
    assert [each.id for each in again.start(99).start] == [later]


def test_ended_tickets_are_forgotten_in_time(board: TicketBoard, told: Told) -> None:
    done, short, dead, lives = running(board), running(board, keep_s=1.0), running(board), running(board)
    board.finished(done, b"r")
    board.finished(short, b"r")
    board.failed(dead, b"e", retryable=False, why="no")
    assert (board.purge(), board.next_purge()) == ([], NOW + 1)
    told.now = NOW + 1
    assert board.purge() == [short]
    told.now = NOW + 100
    assert sorted(board.purge()) == sorted([done, dead])
    assert (board.purge(), board.next_purge()) == ([], None)
    with pytest.raises(UnknownTicket):
        board.get(done)
    assert board.get(lives).stage == "running"
    with board.batch(), pytest.raises(RuntimeError, match="inside a batch"):
        board.purge()
