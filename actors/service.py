"""What a runtime does for those outside it, whichever way they come: one port for HTTP, drivers and jobs.

    Service           the protocol; all methods are coroutines of one event loop
    TicketView        what others see of a ticket
    RuntimeStatus     whether the parts of a runtime are up

Whoever calls has been recognised (`Caller`) and the request narrowed to what that caller may do. A ticket of
another tenant is as if it did not exist.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from actors.requests import RunReply, RunRequest

if TYPE_CHECKING:
    from actors.caches.layer import CacheStats, Which

#: states of MCP Tasks
type TicketState = Literal["working", "input_required", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions:
    """How a run is queued."""

    #: higher goes first
    priority: int = 0
    #: seconds from now before which it is not started
    delay_s: float = 0.0
    #: seconds from now after which it is given up, queueing and running together; None: no bound
    deadline_s: float | None = None
    #: how often it is tried; None: 3 for a run that can have no effects, else 1
    max_attempts: int | None = None
    #: for people
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """What others see of a ticket. Times are seconds since the epoch."""

    id: str
    tenant: str | None
    state: TicketState
    #: within `working`: `queued`, `delayed`, `waiting` (for a target), `running`, `retrying`; else the state
    phase: str
    #: why it stands there: `target remote-x is down`, or the reason of the last failed attempt
    reason: str
    name: str | None
    priority: int
    created_at: float
    updated_at: float
    attempts: int
    max_attempts: int
    #: failed for good, kept to be looked at and queued again
    dead: bool
    deadline_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """Some tickets, newest first."""

    tickets: tuple[TicketView, ...]
    #: to be given for the next page; None: there is none
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStatus:
    """Whether the parts of a runtime are up."""

    ready: bool
    #: part → `up`, `starting`, `down`, or `degraded: why`
    parts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A policy and its place in the history."""

    version: str
    text: str
    source: str
    #: number of swaps since the runtime began; what `If-Match` compares
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """What became of a new policy."""

    policy: PolicyView
    swapped: bool
    #: one line for each difference
    changes: tuple[str, ...] = ()
    #: one line for each thing that is wrong; the old policy is still in force then
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvent:
    """Something that happened, or, with `state`, how things stood when the subscription began."""

    seq: int
    topic: str
    key: str
    at: float
    data: Mapping[str, Any]
    state: bool = False


class NotFoundError(Exception):
    """There is no such ticket, for this tenant at least."""


class ConflictError(Exception):
    """The thing is not in a state for this; the text says in which it is."""


class BusyError(Exception):
    """A queue is full. `retry_after_s`: when it is worth trying again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return str(self.args[0])


class Service(Protocol):
    """A runtime, seen from outside."""

    async def evaluate(self, request: RunRequest) -> RunReply:
        """Run a program to its end. Never raises for what the program does: the reply says it.

        When the coroutine is cancelled, so is the run.

        Raises:
            BusyError: as many programs run as may.
        """

    async def submit(self, request: RunRequest, options: SubmitOptions) -> TicketView:
        """Queue a run. Its ticket's id is the request's `ticket_id`, or a new one if that is None.

        Raises:
            BusyError: the queue, or the tenant's part of it, is full.
            ConflictError: another request has this id.
        """

    async def ticket(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Raises NotFoundError."""

    async def result(self, ticket_id: str, tenant: str | None, wait_s: float) -> RunReply | None:
        """What became of the run; None: it is not over after `wait_s`. Raises NotFoundError."""

    async def cancel(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Cancel it, whether queued or running; of one that has ended nothing changes. Raises NotFoundError."""

    async def requeue(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Queue a dead letter again. Raises NotFoundError, ConflictError."""

    async def tickets(
        self,
        tenant: str | None,
        *,
        state: TicketState | None = None,
        dead: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TicketPage:
        """Tickets of a tenant, newest first. `tenant` None: those of nobody in particular."""

    async def explain(self, request: RunRequest) -> Mapping[str, Any]:
        """Where each function of the program would run and why, as `rtfs explain --json` says it.

        Raises:
            RtfsError: the text is no program.
        """

    async def policy(self) -> PolicyView:
        """The policy in force."""

    async def replace_policy(self, text: str, *, source: str, expected: int | None = None) -> PolicyChange:
        """Put a policy in force, or say what is wrong with it.

        Raises:
            ConflictError: the `number` of the policy in force is not `expected`.
        """

    async def rollback_policy(self) -> PolicyChange:
        """Go back to the policy before. Raises ConflictError if there is none."""

    def events(
        self, topics: tuple[str, ...], *, tenant: str | None, ticket_id: str | None = None
    ) -> AsyncIterator[ServiceEvent]:
        """Events of some topics (`policy`, `health`, `tickets`, `caches`), how things stand first."""

    async def status(self) -> RuntimeStatus:
        """Whether all parts are up."""

    async def cache_stats(self) -> Mapping[str, Mapping[str, CacheStats]]:
        """What the caches did, by part and by tier: `caches` writes answers, evaluators look for them.

        A part that does not answer is left out, and so is whatever other processes keep in memory.
        """

    async def invalidate_cache(self, which: Which) -> int:
        """Remove answers, from the memory of all processes, too; how many there were on the disk.

        Raises:
            CacheError: it names none in particular, or nothing can be removed now.
        """

    async def clear_cache(self) -> int:
        """Remove all answers; how many there were on the disk. Raises CacheError: they cannot be removed."""
