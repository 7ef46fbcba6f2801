"""Any operations in any order, crashes and failing batches between them: the board is what a model says."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.tickets.board import TicketBoard
from actors.tickets.errors import IllegalTransition, TicketConflict
from actors.tickets.limits import QueueLimits, pause_s
from actors.tickets.store import TicketStore
from actors.tickets.ticket import ENDED, Submission

LIMITS = QueueLimits(backoff_s=4.0, max_backoff_s=10.0, keep_s=50.0, keep_dead_s=80.0)


@dataclass
class Expected:
    """What the model knows of one ticket."""

    submission: Submission
    stage: str
    max_attempts: int
    not_before: float = 0.0
    deadline_at: float | None = None
    target: str | None = None
    failures: int = 0
    tries: int = 0
    dead: bool = False
    stopping: bool = False
    result: bytes | None = None
    expires_at: float | None = None

    @property
    def waits(self) -> bool:
        return self.stage in ("queued", "delayed", "retrying")


class Fails(Exception):
    """Thrown out of a batch."""


class Boards(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.now = 1_000.0
        self.model: dict[str, Expected] = {}
        self.told: dict[str, str] = {}
        self._open()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    def _open(self) -> None:
        self.store = TicketStore(self.folder, map_bytes=1 << 17)
        self.board = TicketBoard(
            self.store,
            LIMITS,
            clock=lambda: self.now,
            on_change=lambda ticket: self.told.update({ticket.id: ticket.stage}),
        )

    def _some(self, data: st.DataObject, *stages: str) -> str | None:
        ids = [each for each, expected in self.model.items() if not stages or expected.stage in stages]
        return data.draw(st.sampled_from(ids)) if ids else None

    def _end(self, ticket_id: str, stage: str, *, dead: bool = False) -> None:
        expected = self.model[ticket_id]
        expected.stage, expected.dead, expected.target = stage, dead, None
        expected.expires_at = self.now + (LIMITS.keep_dead_s if dead else LIMITS.keep_s)

    def _fails(self, operation: Callable[[], object]) -> None:
        """Do something in a batch that does not come to its end."""

        def in_batch() -> None:
            with self.board.batch():
                operation()
                raise Fails

        with pytest.raises(Fails):
            in_batch()

    # ------------------------------------------------------------ operations

    @rule(
        delay_s=st.none() | st.sampled_from([0.0, 3.0, 20.0]),
        deadline_s=st.none() | st.sampled_from([5.0, 30.0]),
        attempts=st.integers(1, 3),
        priority=st.integers(-2, 2),
        tenant=st.sampled_from("abc"),
        fails=st.booleans(),
    )
    def submit(
        self, delay_s: float | None, deadline_s: float | None, attempts: int, fails: bool, **more: Any
    ) -> None:
        not_before = None if delay_s is None else self.now + delay_s
        deadline_at = None if deadline_s is None else self.now + deadline_s
        if not_before is not None and deadline_at is not None and not_before >= deadline_at:
            return
        made = Submission(
            request=b"r%d" % len(self.model),
            not_before=not_before,
            deadline_at=deadline_at,
            max_attempts=attempts,
            **more,
        )
        if fails:
            self._fails(lambda: self.board.submit(made))
            assert made.id not in self.told
            return
        ticket = self.board.submit(made)
        self.model[made.id] = Expected(
            made,
            "delayed" if delay_s else "queued",
            attempts,
            not_before=not_before or 0.0,
            deadline_at=deadline_at,
        )
        assert ticket.stage == self.model[made.id].stage

    @rule(data=st.data())
    def submit_again(self, data: st.DataObject) -> None:
        ticket_id = self._some(data)
        if ticket_id is None:
            return
        made = self.model[ticket_id].submission
        assert self.board.submit(made).id == ticket_id
        with pytest.raises(TicketConflict):
            self.board.submit(Submission(request=b"another", tenant=made.tenant, id=ticket_id))

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(free=st.integers(0, 4), fails=st.booleans())
    def start(self, free: int, fails: bool) -> None:
        if fails:
            self._fails(lambda: self.board.start(free))
            return
        late = {
            i for i, each in self.model.items() if each.deadline_at is not None and each.deadline_at <= self.now
        }
        expired = {i for i in late if self.model[i].waits}
        overdue = {i for i in late if self.model[i].stage == "running"}
        ready = {i for i, each in self.model.items() if each.waits and each.not_before <= self.now} - expired
        turn = self.board.start(free)
        assert {each.id for each in turn.stop} == overdue
        started = [each.id for each in turn.start]
        assert len(started) == min(free, len(ready))
        assert set(started) <= ready
        for each in expired:
            self._end(each, "failed", dead=True)
        for each in overdue:
            self._end(each, "failed")
            self.model[each].stopping = True
        for each in started:
            expected = self.model[each]
            expected.stage, expected.target = "running", None
            expected.tries += 1

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        ticket_id = self._some(data, "running")
        if ticket_id is not None:
            expected = self.model[ticket_id]
            expected.result = b"result of " + ticket_id.encode()
            self.board.finished(ticket_id, expected.result, attempt=expected.tries)
            self._end(ticket_id, "completed")

    @rule(data=st.data(), retryable=st.booleans())
    def fail(self, data: st.DataObject, retryable: bool) -> None:
        ticket_id = self._some(data, "running")
        if ticket_id is None:
            return
        expected = self.model[ticket_id]
        self.board.failed(ticket_id, b"e", retryable=retryable, why="so", attempt=expected.tries)
        expected.failures += 1
        next_at = self.now + pause_s(LIMITS, ticket_id, expected.failures)
        too_late = expected.deadline_at is not None and next_at >= expected.deadline_at
        if not retryable or too_late or expected.failures >= expected.max_attempts:
            self._end(ticket_id, "failed", dead=retryable)
        else:
            expected.stage, expected.not_before = "retrying", next_at

    @rule(data=st.data(), name=st.sampled_from("xy"), wait_s=st.sampled_from([0.0, 8.0, 1_000.0]))
    def defer(self, data: st.DataObject, name: str, wait_s: float) -> None:
        ticket_id = self._some(data, "running")
        if ticket_id is not None:
            expected = self.model[ticket_id]
            self.board.deferred(ticket_id, name, self.now + wait_s, attempt=expected.tries)
            expected.stage, expected.target = "queued", name
            expected.not_before = self.now + wait_s

    @rule(name=st.sampled_from("xy"))
    def target_is_back(self, name: str) -> None:
        # one whose time has come without a turn since then may be told or not: it is ready either way
        told = set(self.board.target_up(name))
        parked = {i for i, each in self.model.items() if each.waits and each.target == name}
        assert {i for i in parked if self.model[i].not_before > self.now} <= told <= parked
        for each in parked:
            self.model[each].not_before, self.model[each].target = 0.0, None

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        ticket_id = self._some(data)
        if ticket_id is None:
            return
        expected = self.model[ticket_id]
        ticket, must_stop = self.board.cancel(ticket_id)
        assert must_stop == (expected.stage == "running")
        if expected.stage not in ENDED:
            expected.stopping = must_stop
            self._end(ticket_id, "cancelled")
        assert ticket.stage == expected.stage

    @rule(data=st.data(), how=st.sampled_from(["stopped", "finished", "failed"]))
    def run_ends_after_its_ticket(self, data: st.DataObject, how: str) -> None:
        ids = [each for each, expected in self.model.items() if expected.stopping]
        if not ids:
            return
        ticket_id = data.draw(st.sampled_from(ids))
        if how == "stopped":
            self.board.stopped(ticket_id)
        elif how == "finished":
            self.board.finished(ticket_id, b"too late")
        else:
            self.board.failed(ticket_id, b"e", retryable=True, why="stopped")
        self.model[ticket_id].stopping = False

    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        ticket_id = self._some(data)
        if ticket_id is None:
            return
        expected = self.model[ticket_id]
        if expected.stage != "failed" or expected.stopping:
            with pytest.raises(IllegalTransition):
                self.board.requeue(ticket_id)
            return
        self.board.requeue(ticket_id)
        expected.stage, expected.dead, expected.failures = "queued", False, 0
        expected.not_before, expected.deadline_at, expected.expires_at = 0.0, None, None

    @precondition(lambda self: not any(each.stopping for each in self.model.values()))
    @rule()
    def purge(self) -> None:
        gone = {
            i for i, each in self.model.items() if each.expires_at is not None and each.expires_at <= self.now
        }
        assert set(self.board.purge()) == gone
        for each in gone:
            del self.model[each], self.told[each]

    @precondition(lambda self: not any(each.stopping for each in self.model.values()))
    @rule(knows=st.booleans())
    def crash(self, knows: bool) -> None:
        """The process goes; another one opens what is on the disk."""
        self.store.close()
        self._open()
        alive = {i for i, each in self.model.items() if each.stage == "running"} if knows else set()
        self.board.recover(still_running=alive)
        for ticket_id, expected in self.model.items():
            if expected.waits and expected.target is not None:
                expected.not_before, expected.target = 0.0, None
            if expected.stage == "running" and not knows:
                expected.failures += 1
                if expected.failures >= expected.max_attempts:
                    self._end(ticket_id, "failed", dead=True)
                else:
                    expected.stage, expected.not_before = "queued", 0.0

    # ------------------------------------------------------------ what always holds

    @invariant()
    def the_board_is_as_expected(self) -> None:
        for ticket_id, expected in self.model.items():
            ticket = self.store.get(ticket_id, expected.submission.tenant)
            got = (ticket.stage, ticket.failures, ticket.tries, ticket.dead, ticket.expires_at)
            want = (expected.stage, expected.failures, expected.tries, expected.dead, expected.expires_at)
            assert got == want
            assert self.told[ticket_id] == expected.stage
            assert self.board.payload(ticket_id, "request") == expected.submission.request
            assert self.board.payload(ticket_id, "result") == expected.result
        waiting = [each for each in self.model.values() if each.waits]
        holds_place = [each for each in self.model.values() if each.stage == "running" or each.stopping]
        assert (self.board.counts().waiting, self.board.counts().running) == (len(waiting), len(holds_place))

    @invariant()
    def somebody_wakes_up_for_what_comes(self) -> None:
        times = [each.not_before for each in self.model.values() if each.waits and each.not_before > self.now]
        times += [
            each.deadline_at
            for each in self.model.values()
            if each.deadline_at is not None and each.stage not in ENDED
        ]
        wake = self.board.next_wake()
        assert not times or (wake is not None and wake <= max(self.now, min(times)))


TestBoards = Boards.TestCase
TestBoards.settings = settings(stateful_step_count=25, max_examples=settings().max_examples // 2)
