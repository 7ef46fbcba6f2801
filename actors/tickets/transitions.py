"""What happens to a ticket, as functions from its record to the next one. No clock, no store.

Each checks the table of `actors.tickets.ticket`, keeps the reasons, and says how long an ended ticket is kept.
"""

from __future__ import annotations

from typing import Final

from actors.tickets.errors import IllegalTransition
from actors.tickets.limits import QueueLimits, pause_s
from actors.tickets.ticket import Attempt, Stage, Submission, Ticket, request_digest

#: attempts that a record keeps
KEPT_ATTEMPTS: Final = 20
#: characters of a reason that a record keeps
LONGEST_REASON: Final = 500
LOST: Final = "the process that ran it was lost"


def submitted(submission: Submission, limits: QueueLimits, now: float) -> Ticket:
    """The record of a new ticket."""
    delayed = submission.not_before is not None and submission.not_before > now
    return Ticket(
        id=submission.id,
        tenant=submission.tenant,
        name=submission.name,
        priority=submission.priority,
        state="working",
        phase="delayed" if delayed else "queued",
        created_at=now,
        updated_at=now,
        queued_at=now,
        not_before=submission.not_before,
        deadline_at=submission.deadline_at,
        max_attempts=submission.max_attempts or limits.default_max_attempts,
        keep_s=submission.keep_s,
        request_digest=request_digest(submission.tenant, submission.request),
    )


def started(ticket: Ticket, now: float, where: str) -> Ticket:
    """An attempt begins."""
    attempt = Attempt(number=ticket.tries + 1, started_at=now, where=where)
    return ticket.moved(
        "running",
        now,
        attempts=(*ticket.attempts[-KEPT_ATTEMPTS + 1 :], attempt),
        tries=attempt.number,
        reason="",
        waiting_for=None,
    )


def completed(ticket: Ticket, limits: QueueLimits, now: float, where: str = "") -> Ticket:
    """There is a result."""
    return _ended(ticket, "completed", limits, now, "", attempts=_closed(ticket, now, "completed", where))


def attempt_failed(
    ticket: Ticket, limits: QueueLimits, now: float, *, retryable: bool, why: str, where: str = ""
) -> Ticket:
    """An attempt failed: a pause and another one, or the end."""
    failures = ticket.failures + 1
    attempts = _closed(ticket, now, why, where)
    if not retryable:
        return _ended(ticket, "failed", limits, now, why, attempts=attempts, failures=failures)
    if failures >= ticket.max_attempts:
        given_up = f"{_of_attempts(failures)} failed, the last one: {why}"
        return _ended(ticket, "failed", limits, now, given_up, attempts=attempts, failures=failures, dead=True)
    not_before = now + pause_s(limits, ticket.id, failures)
    if ticket.deadline_at is not None and not_before >= ticket.deadline_at:
        too_late = f"another attempt would begin after its deadline; the last one: {why}"
        return _ended(ticket, "failed", limits, now, too_late, attempts=attempts, failures=failures, dead=True)
    return ticket.moved(
        "retrying",
        now,
        attempts=attempts,
        failures=failures,
        not_before=not_before,
        reason=_short(f"attempt {ticket.tries} failed: {why}"),
    )


def deferred(ticket: Ticket, now: float, target: str, until: float, where: str = "") -> Ticket:
    """The run came to a target that is down, and waits for it. Does not count against its attempts."""
    reason = _short(f"target `{target}` is down")
    return ticket.moved(
        "queued",
        now,
        attempts=_closed(ticket, now, reason, where),
        not_before=until,
        waiting_for=target,
        reason=reason,
    )


def lost(ticket: Ticket, limits: QueueLimits, now: float) -> Ticket:
    """The process that ran it is gone. Counts as an attempt: what kills its process is given up at last."""
    failures = ticket.failures + 1
    attempts = _closed(ticket, now, LOST, "")
    if failures >= ticket.max_attempts:
        given_up = f"{_of_attempts(failures)} failed, the last one: {LOST}"
        return _ended(ticket, "failed", limits, now, given_up, attempts=attempts, failures=failures, dead=True)
    return ticket.moved("queued", now, attempts=attempts, failures=failures, not_before=None, reason=LOST)


def expired(ticket: Ticket, limits: QueueLimits, now: float) -> Ticket:
    """Its deadline has passed. A dead letter if it was waiting then."""
    running = ticket.stage in ("running", "input_required")
    why = "its deadline passed while it was running" if running else "its deadline passed in the queue"
    if ticket.reason:
        why = f"{why}; {ticket.reason}"
    return _ended(ticket, "failed", limits, now, why, attempts=_closed(ticket, now, why, ""), dead=not running)


def cancelled(ticket: Ticket, limits: QueueLimits, now: float, why: str) -> Ticket:
    """Nobody wants it any more."""
    return _ended(ticket, "cancelled", limits, now, why, attempts=_closed(ticket, now, "cancelled", ""))


def requeued(ticket: Ticket, now: float, deadline_at: float | None) -> Ticket:
    """A failed ticket begins anew, with all its attempts and another deadline. Its history stays.

    Raises:
        IllegalTransition: it has not failed.
    """
    if ticket.state != "failed":  # running ones become queued for other reasons
        raise IllegalTransition(ticket.id, ticket.stage, "queued", "only failed ones are requeued")
    return ticket.moved(
        "queued",
        now,
        queued_at=now,
        not_before=None,
        deadline_at=deadline_at,
        failures=0,
        dead=False,
        expires_at=None,
        reason=_short(f"requeued; before: {ticket.reason}"),
    )


def _ended(
    ticket: Ticket, stage: Stage, limits: QueueLimits, now: float, reason: str, **changes: object
) -> Ticket:
    dead = bool(changes.get("dead"))
    keep_s = limits.keeps_s(dead=dead, asked_s=ticket.keep_s)
    return ticket.moved(stage, now, reason=_short(reason), waiting_for=None, expires_at=now + keep_s, **changes)


def _closed(ticket: Ticket, now: float, why: str, where: str) -> tuple[Attempt, ...]:
    """The attempts, the last one ended if it was not."""
    if not ticket.attempts or ticket.attempts[-1].ended_at is not None:
        return ticket.attempts
    last = ticket.attempts[-1]
    ended = last._replace(ended_at=max(now, last.started_at), why=_short(why), where=where or last.where)
    return (*ticket.attempts[:-1], ended)


def _of_attempts(failures: int) -> str:
    return "its only attempt" if failures == 1 else f"all {failures} attempts"


def _short(text: str) -> str:
    """A reason that may hold what came from outside: a few lines at most, nothing that steers a terminal."""
    shortened = text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"
    return "".join(char if char.isprintable() else " " for char in shortened)
