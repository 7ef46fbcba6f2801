"""The actor of the tickets: the dispatcher over the store in the runtime's folder."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError

from actors import names
from actors.control.spec import RuntimeSpec
from actors.evaluator.evaluator import EvaluatorBusy
from actors.events.event import HEALTH
from actors.events.stream import ActorSource, EventStream
from actors.options import actor_options
from actors.ray_calls import AWAY, Actors, ControlAnnouncer
from actors.requests import RunReply
from actors.service import BusyError, SubmitOptions, TicketPage, TicketState, TicketView
from actors.telemetry import instruments, logs
from actors.telemetry.meter import RayMeter
from actors.tickets.dispatcher import Dispatcher
from actors.tickets.places import RunnerLost
from actors.tickets.store import TicketStore
from actors.tickets.ticket import Ticket
from actors.tickets.views import view
from rtfs.values import Value

_log = logging.getLogger("rtfs.tickets")

#: calls at once: each who waits for a ticket has one
_CALLS: Final = 20_000
#: pause before an evaluator that is busy with others' runs is asked again, seconds
_BUSY_S: Final = 0.05


class ActorRunner:
    """An evaluator's actor, for the dispatcher."""

    def __init__(self, actors: Actors, name: str) -> None:
        self._actors = actors
        self._name = name

    async def run(self, request: bytes) -> bytes:
        """Run a request there. Raises RunnerLost."""
        while True:
            try:
                reply: bytes = await self._actors.get(self._name).run.remote(request)
                return reply
            except EvaluatorBusy:
                await asyncio.sleep(_BUSY_S)
            except RayTaskError as error:
                raise RunnerLost(f"{type(error.cause).__name__} in it") from error
            except (RayError, ValueError) as error:
                self._actors.forget(self._name)
                raise RunnerLost(type(error).__name__) from error

    async def alive(self) -> None:
        """Come back if it is there. Raises RunnerLost."""
        try:
            await self._actors.get(self._name).process.remote()
        except (RayError, ValueError) as error:
            self._actors.forget(self._name)
            raise RunnerLost(type(error).__name__) from error

    def cancel(self, run_id: str) -> None:
        """Stop a run there."""
        try:
            self._actors.get(self._name).cancel.remote(run_id)
        except (RayError, ValueError):  # it died, and its runs with it
            self._actors.forget(self._name)


class TicketsActor:
    """Keeps and runs the tickets of a runtime."""

    def __init__(self, spec: RuntimeSpec) -> None:
        logs.configure(os.environ)
        actors = Actors(spec.namespace)
        self._actors = actors
        self._announcer = ControlAnnouncer(actors)
        self._store = TicketStore(Path(spec.state_dir) / "tickets")
        self._meter = RayMeter()
        self._meter.start()
        self._dispatcher = Dispatcher(self._store, places=spec.most_runs, changed=self._changed)
        self._dispatcher.start()
        evaluators = map(names.evaluator, range(spec.evaluators))
        self._dispatcher.set_runners({name: ActorRunner(actors, name) for name in evaluators})
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._follow_health())

    async def submit(self, request: bytes, options: SubmitOptions) -> TicketView:
        """As `Service.submit`."""
        try:
            return await self._dispatcher.submit(request, options)
        except BusyError:
            self._meter.count(instruments.QUEUE_REFUSALS, {"queue": "tickets"})
            raise

    async def ticket(self, ticket_id: str, tenant: str | None) -> TicketView:
        """As `Service.ticket`."""
        return await self._dispatcher.ticket(ticket_id, tenant)

    async def reply(self, ticket_id: str, tenant: str | None, wait_s: float | None) -> bytes | None:
        """What became of the run, as `RunReply` bytes; None: it is not over after `wait_s`."""
        return await self._dispatcher.reply(ticket_id, tenant, wait_s)

    async def outcome(self, ticket_id: str, tenant: str | None) -> Value:
        """The value of the run, when it is over: what `Ticket.ref` refers to. Raises what the run raised."""
        data = await self._dispatcher.reply(ticket_id, tenant, None)
        assert data is not None
        return RunReply.decode(data).outcome()

    async def cancel(self, ticket_id: str, tenant: str | None) -> TicketView:
        """As `Service.cancel`."""
        return await self._dispatcher.cancel(ticket_id, tenant)

    async def requeue(self, ticket_id: str, tenant: str | None) -> TicketView:
        """As `Service.requeue`."""
        return await self._dispatcher.requeue(ticket_id, tenant)

    async def tickets(
        self,
        tenant: str | None,
        state: TicketState | None = None,
        dead: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
        everybody: bool = False,
    ) -> TicketPage:
        """As `Service.tickets`; `everybody`: those of all tenants."""
        return await self._dispatcher.tickets(
            tenant, state=state, dead=dead, limit=limit, cursor=cursor, everybody=everybody
        )

    async def counts(self) -> tuple[int, int]:
        """How many tickets wait, and how many run."""
        return self._dispatcher.counts()

    async def process(self) -> int:
        """The id of its process; also the answer to whether it lives."""
        return os.getpid()

    def _changed(self, ticket: Ticket) -> None:
        self._measure(ticket)
        data = asdict(view(ticket))
        self._announcer.publish("tickets", ticket.id, data, ticket.tenant, ended=ticket.ended)

    def _measure(self, ticket: Ticket) -> None:
        meter = self._meter
        meter.count(instruments.TICKETS, {"state": ticket.stage})
        if ticket.stage == "running" and ticket.tries == 1:
            meter.record(instruments.TICKET_WAIT, {}, (ticket.updated_at - ticket.created_at) * 1000)
        elif ticket.stage == "running":
            cause = "target" if ticket.failures == 0 else "lost"
            meter.count(instruments.TICKET_RETRIES, {"cause": cause})
        meter.gauge(instruments.QUEUE_LENGTH, {"queue": "tickets"}, self._dispatcher.counts()[0])

    async def _follow_health(self) -> None:
        """Let tickets go on that wait for a target, when it is back."""
        source = ActorSource(self._actors.get(names.CONTROL))
        async with EventStream(source, (HEALTH,), connection_errors=AWAY) as stream:
            async for event in stream:
                if event.data.get("circuit") == "closed":
                    self._dispatcher.target_up(event.key)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_event_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("the tickets actor failed at something", exc_info=task.exception())


def tickets_actor(spec: RuntimeSpec) -> Any:
    """The actor of the tickets, started if it is not there. What is asked while it is away is asked again."""
    options = actor_options(
        names.TICKETS, spec.namespace, concurrency=_CALLS, max_task_retries=-1, resources=spec.pinned
    )
    return ray.remote(TicketsActor).options(**options).remote(spec)
