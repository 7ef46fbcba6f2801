"""What happens to a record, step by step, and the reasons that it keeps."""

from __future__ import annotations

from actors.tickets import transitions
from actors.tickets.limits import QueueLimits
from actors.tickets.ticket import Attempt, Submission, Ticket
from actors.tickets.transitions import KEPT_ATTEMPTS, LONGEST_REASON, LOST

LIMITS = QueueLimits(backoff_s=2.0, keep_s=100.0, keep_dead_s=700.0)


def new(now: float = 10.0, **changes: object) -> Ticket:
    return transitions.submitted(Submission(request=b"r", tenant="acme", **changes), LIMITS, now)  # type: ignore[arg-type]


def run(ticket: Ticket, now: float = 20.0, where: str = "evaluator-1") -> Ticket:
    return transitions.started(ticket, now, where)


def failed(ticket: Ticket, now: float = 30.0, *, retryable: bool = True, why: str = "timeout") -> Ticket:
    return transitions.attempt_failed(ticket, LIMITS, now, retryable=retryable, why=why)


def test_a_new_ticket_waits_for_a_place_or_for_its_time() -> None:
    assert (new().stage, new().queued_at, new().max_attempts) == ("queued", 10.0, 3)
    assert new(not_before=11.0).stage == "delayed"
    assert new(not_before=10.0).stage == "queued"


def test_a_run_that_comes_to_a_result() -> None:
    ticket = transitions.completed(run(new()), LIMITS, 25.0)
    assert (ticket.state, ticket.phase, ticket.dead, ticket.expires_at) == ("completed", None, False, 125.0)
    assert ticket.attempts == (Attempt(1, 20.0, 25.0, "evaluator-1", "completed"),)


def test_attempts_are_used_up_and_the_reasons_are_kept() -> None:
    ticket = failed(run(new()), why="first")
    assert (ticket.stage, ticket.reason, ticket.failures) == ("retrying", "attempt 1 failed: first", 1)
    assert ticket.not_before is not None
    assert 31.0 <= ticket.not_before <= 32.0
    ticket = failed(run(ticket, 40.0), 50.0, why="second")
    assert ticket.stage == "retrying"
    ticket = failed(run(ticket, 60.0), 70.0, why="third")
    assert (ticket.state, ticket.dead, ticket.expires_at) == ("failed", True, 770.0)
    assert ticket.reason == "all 3 attempts failed, the last one: third"
    assert [each.why for each in ticket.attempts] == ["first", "second", "third"]
    assert [each.number for each in ticket.attempts] == [1, 2, 3]


def test_a_failure_that_another_attempt_cannot_mend_is_no_dead_letter() -> None:
    ticket = failed(run(new()), retryable=False, why="division by zero")
    assert (ticket.state, ticket.dead, ticket.reason) == ("failed", False, "division by zero")
    assert ticket.expires_at == 130.0


def test_no_pause_beyond_the_deadline() -> None:
    ticket = failed(run(new(deadline_at=31.0)))
    assert (ticket.state, ticket.dead) == ("failed", True)
    assert ticket.reason == "another attempt would begin after its deadline; the last one: timeout"


def test_waiting_for_a_target_does_not_count_as_an_attempt() -> None:
    ticket = new(max_attempts=1)
    for _ in range(5):
        ticket = transitions.deferred(run(ticket), 22.0, "remote-x", 50.0)
        assert (ticket.stage, ticket.waiting_for, ticket.not_before) == ("queued", "remote-x", 50.0)
        assert (ticket.reason, ticket.failures) == ("target `remote-x` is down", 0)
    assert (run(ticket).waiting_for, run(ticket).reason) == (None, "")
    assert ticket.tries == 5


def test_a_lost_process_counts_as_an_attempt() -> None:
    ticket = transitions.lost(run(new(max_attempts=2, not_before=15.0)), LIMITS, 30.0)
    assert (ticket.stage, ticket.reason, ticket.not_before) == ("queued", LOST, None)
    ticket = transitions.lost(run(ticket, 40.0), LIMITS, 50.0)
    assert (ticket.state, ticket.dead) == ("failed", True)
    assert ticket.reason == f"all 2 attempts failed, the last one: {LOST}"
    only = transitions.lost(run(new(max_attempts=1)), LIMITS, 30.0)
    assert only.reason == f"its only attempt failed, the last one: {LOST}"


def test_deadlines_in_the_queue_are_dead_letters_and_those_of_runs_are_not() -> None:
    waiting = transitions.expired(failed(run(new())), LIMITS, 40.0)
    assert (waiting.state, waiting.dead) == ("failed", True)
    assert waiting.reason == "its deadline passed in the queue; attempt 1 failed: timeout"
    assert waiting.attempts[-1].why == "timeout"
    running = transitions.expired(run(new()), LIMITS, 40.0)
    assert (running.state, running.dead) == ("failed", False)
    assert running.attempts[-1] == (1, 20.0, 40.0, "evaluator-1", "its deadline passed while it was running")


def test_a_requeued_ticket_has_its_attempts_before_it_and_its_history_behind() -> None:
    dead = transitions.expired(failed(run(new(deadline_at=35.0, max_attempts=5))), LIMITS, 36.0)
    again = transitions.requeued(dead, 90.0, None)
    assert (again.stage, again.failures, again.tries, again.dead) == ("queued", 0, 1, False)
    assert (again.deadline_at, again.not_before, again.expires_at, again.queued_at) == (None, None, None, 90.0)
    assert again.attempts == dead.attempts
    assert (
        again.reason.startswith("requeued; before: another attempt would begin") or dead.reason in again.reason
    )
    assert run(again, 91.0).attempts[-1].number == 2


def test_records_stay_small_whatever_happens() -> None:
    ticket = new()
    for turn in range(60):
        ticket = transitions.deferred(run(ticket), 22.0 + turn, "remote-x", 50.0)
    assert [each.number for each in ticket.attempts] == [*range(61 - KEPT_ATTEMPTS, 61)]
    ticket = failed(run(ticket), why="\x1b[31m" + "x" * 10_000 + "\n")
    assert len(ticket.reason) <= LONGEST_REASON
    assert ticket.reason.isprintable()
    assert ticket.attempts[-1].why.isprintable()
    for _ in range(50):
        ticket = transitions.requeued(failed(run(ticket), retryable=False, why="y" * 400), 90.0, None)
    assert len(ticket.reason) <= LONGEST_REASON
