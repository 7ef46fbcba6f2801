"""The record of a ticket, what a submission says, and the states between them.

The states are those of MCP Tasks. `working` has phases, since people ask what a ticket waits for:

      submit ─────────┐
         │            ▼
         │         delayed ──┐              not before a time that the submission named
         ▼                   ▼
      queued ──────────▶ running ◀─▶ input_required
         ▲  ▲             │  │  ▲
         │  └─────────────┘  │  │           its target is down, or its process was lost
         │                   ▼  │
         │                retrying          an attempt failed, the next one comes after a pause
         │
         └── failed                         requeued by a person

From each of these a ticket may become `failed` or `cancelled`, and from each in which it has or had a run
`completed`: the result of a run that was taken for lost is as good as any, the language being pure. Phases and
states together are called stages here; `NEXT` is the table.

A ticket that is `failed` for good is a *dead letter* (`dead`) if the queue gave it up: its attempts are used
up, or its deadline passed while it waited. One that its own program failed is not.

`request`, `result` and `error` are bytes that others encode; the store keeps them beside the record, so that a
list of tickets does not read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import isfinite
from typing import Any, Final, Literal, NamedTuple, get_args

from actors.tickets.errors import IllegalTransition, InvalidTicket
from actors.tickets.ids import check_ticket_id, new_ticket_id

type State = Literal["working", "input_required", "completed", "failed", "cancelled"]
type Phase = Literal["delayed", "queued", "running", "retrying"]
type Stage = Literal[
    "delayed", "queued", "running", "retrying", "input_required", "completed", "failed", "cancelled"
]
#: what is kept beside a record
type Part = Literal["request", "result", "error"]

STATES: Final[tuple[State, ...]] = get_args(State.__value__)
PHASES: Final[tuple[Phase, ...]] = get_args(Phase.__value__)
PARTS: Final[tuple[Part, ...]] = get_args(Part.__value__)
ENDED: Final = frozenset(("completed", "failed", "cancelled"))

#: the stages that may follow each stage
NEXT: Final[Mapping[Stage, frozenset[Stage]]] = {
    "delayed": frozenset(("running", "failed", "cancelled")),
    "queued": frozenset(("running", "completed", "failed", "cancelled")),
    "running": frozenset(("queued", "retrying", "input_required", "completed", "failed", "cancelled")),
    "retrying": frozenset(("running", "completed", "failed", "cancelled")),
    "input_required": frozenset(("running", "queued", "completed", "failed", "cancelled")),
    "completed": frozenset(),
    "failed": frozenset(("queued",)),
    "cancelled": frozenset(),
}

#: bounds of what a submission may ask for
PRIORITIES: Final = range(-100, 101)
MAX_ATTEMPTS: Final = 100
LONGEST_NAME: Final = 200
#: no time or duration is larger, seconds: some 30 000 years
LATEST: Final = 1e12


class Attempt(NamedTuple):
    """One run of a ticket."""

    #: from 1; goes on counting when a ticket is requeued
    number: int
    started_at: float
    ended_at: float | None = None
    #: what ran it, for people: an evaluator, a node
    where: str = ""
    #: why it ended; empty while it runs
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """All that is known of a ticket but its request, result and error. Times are seconds since the epoch."""

    id: str
    tenant: str
    #: for people
    name: str = ""
    #: higher first, among the tickets of its tenant
    priority: int = 0
    state: State
    #: None unless `working`
    phase: Phase | None
    #: why it is where it is, for people; may be empty
    reason: str = ""
    #: the target that it waits for
    waiting_for: str | None = None
    created_at: float
    updated_at: float
    #: when it came into the queue: first, or when it was requeued
    queued_at: float
    #: no attempt begins before
    not_before: float | None = None
    deadline_at: float | None = None
    #: the latest ones, oldest first
    attempts: tuple[Attempt, ...] = ()
    #: attempts that were begun at all
    tries: int = 0
    #: attempts that count against `max_attempts`; waiting for a target does not
    failures: int = 0
    max_attempts: int
    #: the queue gave it up
    dead: bool = False
    #: how long it is kept after its end, seconds; None: as long as the limits say
    keep_s: float | None = None
    #: when it will be forgotten; None until it has ended
    expires_at: float | None = None
    #: of its request, to tell a repeated submission from another one
    request_digest: str
    #: name of the journal that its run writes; there is none yet
    journal: str | None = None

    @property
    def stage(self) -> Stage:
        """The phase while it is working, else the state."""
        return self.phase or self.state  # type: ignore[return-value]  # `working` has a phase

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it, unless it is requeued."""
        return self.state in ENDED

    def moved(self, stage: Stage, now: float, **changes: Any) -> Ticket:
        """The ticket in its next stage, with `changes` of other fields.

        Raises:
            IllegalTransition: `stage` does not follow the present one.
        """
        if stage not in NEXT[self.stage]:
            raise IllegalTransition(self.id, self.stage, stage)
        working = stage in PHASES
        changes |= {"state": "working" if working else stage, "phase": stage if working else None}
        return replace(self, updated_at=max(now, self.updated_at), **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a client asks for. Checked on construction.

    Raises:
        InvalidTicket: a field has a value that no ticket can have.
    """

    #: encoded by others
    request: bytes = field(repr=False)
    tenant: str
    id: str = field(default_factory=new_ticket_id)
    name: str = ""
    priority: int = 0
    not_before: float | None = None
    deadline_at: float | None = None
    #: None: as many as the limits say
    max_attempts: int | None = None
    keep_s: float | None = None

    def __post_init__(self) -> None:
        check_ticket_id(self.id)
        _check_text("tenant", self.tenant, least=1)
        _check_text("name", self.name, least=0)
        _check_whole("priority", self.priority, PRIORITIES)
        if self.max_attempts is not None:
            _check_whole("max_attempts", self.max_attempts, range(1, MAX_ATTEMPTS + 1))
        for name in ("not_before", "deadline_at", "keep_s"):
            _check_time(name, getattr(self, name))
        if self.not_before is not None and self.deadline_at is not None and self.not_before >= self.deadline_at:
            raise InvalidTicket(
                f"`not_before` must come before `deadline_at`, got {self.not_before:g} and {self.deadline_at:g}"
            )


def request_digest(tenant: str, request: bytes) -> str:
    """What two submissions have in common that ask for the same."""
    digest = blake2b(tenant.encode("utf-8"), digest_size=16)
    digest.update(b"\0")
    digest.update(request)
    return digest.hexdigest()


def _check_text(name: str, text: object, least: int) -> None:
    if type(text) is not str or not least <= len(text) <= LONGEST_NAME or not text.isprintable():
        raise InvalidTicket(
            f"`{name}` must be {least} to {LONGEST_NAME} printable characters, got {text!a:.60}"
        )


def _check_whole(name: str, number: object, allowed: range) -> None:
    if type(number) is not int or number not in allowed:
        raise InvalidTicket(
            f"`{name}` must be a whole number from {allowed[0]} to {allowed[-1]}, got {number!a:.60}"
        )


def _check_time(name: str, seconds: object) -> None:
    if seconds is None:
        return
    if type(seconds) not in (int, float) or not isfinite(seconds) or not 0 <= seconds <= LATEST:  # type: ignore[arg-type,operator]
        raise InvalidTicket(f"`{name}` must be a number of seconds from 0 to {LATEST:g}, got {seconds!a:.60}")
