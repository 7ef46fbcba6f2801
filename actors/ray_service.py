"""A runtime over its actors: the `Service` that drivers, jobs and the HTTP application use.

Coroutines only, usable from any event loop of a process that is connected to Ray. Runs go straight to the
evaluator with the fewest of this process's runs, but to none that was lost and has not answered since. One
whose evaluator dies is run again, if running it twice does no more than running it once; else it failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ray.exceptions import RayActorError, RayError, RayTaskError

from actors import names
from actors.caches.errors import CacheError
from actors.caches.l2.cold import ColdLayer
from actors.caches.layer import CacheStats, Which
from actors.evaluator.evaluator import EvaluatorBusy
from actors.events.backoff import Backoff
from actors.events.event import TOPICS, Event
from actors.events.stream import ActorSource, EventStream
from actors.ray_calls import AWAY, Actors, told
from actors.requests import RunReply, RunRequest
from actors.service import (
    BusyError,
    ConflictError,
    NotFoundError,
    PolicyChange,
    PolicyView,
    RuntimeStatus,
    ServiceEvent,
    SubmitOptions,
    TicketPage,
    TicketState,
    TicketView,
)
from actors.telemetry.tracing import current_traceparent
from actors.tickets.ids import NOBODY, new_ticket_id
from rtfs import errors
from rtfs.errors import RtfsError

#: times that a run is begun whose evaluators die
ATTEMPTS: Final = 3
#: when it is worth asking again after all evaluators were busy, seconds
_BUSY_S: Final = 1.0
#: how often a lost evaluator is asked whether it is back, and how long a run waits while all are lost, seconds
_LOOK_S: Final = 0.5
_PATIENCE_S: Final = 30.0


class RuntimeGone(ConnectionError):
    """The runtime, or the part that was asked, is not there."""


class RayService:
    """See `actors.service.Service`.

    Args:
        namespace: of the runtime.
        evaluators: how many it has.
    """

    def __init__(self, namespace: str, evaluators: int) -> None:
        self.actors = Actors(namespace)
        self._under_way = {names.evaluator(number): 0 for number in range(evaluators)}
        #: evaluator that was lost and has not answered since → when it is asked again
        self._lost: dict[str, float] = {}

    async def evaluate(self, request: RunRequest) -> RunReply:
        """Run a program to its end; see `Service.evaluate`."""
        request = with_trace(request)
        data = request.encode()
        lost = "all evaluators were lost, and none is back"
        for _ in range(ATTEMPTS if request.repeatable else 1):
            name = await self._next(request.limits.deadline_s)
            if name is None:
                break
            self._under_way[name] += 1
            try:
                return RunReply.decode(await self._run(name, request.run_id, data))
            except RayActorError as error:
                self.actors.forget(name)
                self._lost[name] = 0.0
                lost = f"{name}, which ran it, was lost: {type(error).__name__}"
            finally:
                self._under_way[name] -= 1
        return RunReply(run_id=request.run_id, status="failed", error=errors.InternalError(lost))

    async def _next(self, deadline_s: float | None) -> str | None:
        """The evaluator for the next run; None: all are lost, and none came back while the run could wait."""
        patience_s = _PATIENCE_S if deadline_s is None else min(deadline_s, _PATIENCE_S)
        end, backoff, tries = time.monotonic() + patience_s, Backoff(most_s=_LOOK_S), 0
        self._look_for_lost()
        while len(self._lost) == len(self._under_way):
            if time.monotonic() >= end:
                return None
            tries += 1
            await asyncio.sleep(backoff.wait_s(tries))
            self._look_for_lost()
        return min(self._under_way, key=lambda name: (name in self._lost, self._under_way[name]))

    def _look_for_lost(self) -> None:
        """Ask lost evaluators whether they are back, without waiting."""
        now = time.monotonic()
        for name, due in list(self._lost.items()):
            if now >= due:
                self._lost[name] = now + _LOOK_S
                try:
                    told(self._actor(name).process.remote(), partial(self._heard, name))
                except (RuntimeGone, RayError):
                    self.actors.forget(name)

    def _heard(self, name: str, answer: object) -> None:
        if isinstance(answer, BaseException):
            self.actors.forget(name)
        else:
            self._lost.pop(name, None)

    async def _run(self, name: str, run_id: str, data: bytes) -> bytes:
        handle = self._actor(name)
        try:
            reply: bytes = await handle.run.remote(data)
            return reply
        except EvaluatorBusy as busy:
            raise BusyError(str(busy), _BUSY_S) from busy
        except asyncio.CancelledError:
            handle.cancel.remote(run_id)
            raise

    async def submit(self, request: RunRequest, options: SubmitOptions) -> TicketView:
        """Queue a run; see `Service.submit`."""
        request = with_trace(request)
        if request.ticket_id is None:
            request = replace(request, ticket_id=new_ticket_id())
        view: TicketView = await self._ask(names.TICKETS, "submit", request.encode(), options)
        return view

    async def ticket(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Raises NotFoundError."""
        view: TicketView = await self._ask(names.TICKETS, "ticket", ticket_id, tenant)
        return view

    async def result(self, ticket_id: str, tenant: str | None, wait_s: float | None) -> RunReply | None:
        """What became of the run; None: it is not over after `wait_s`. Raises NotFoundError."""
        data = await self._ask(names.TICKETS, "reply", ticket_id, tenant, wait_s)
        return None if data is None else RunReply.decode(data)

    async def cancel(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Raises NotFoundError."""
        view: TicketView = await self._ask(names.TICKETS, "cancel", ticket_id, tenant)
        return view

    async def requeue(self, ticket_id: str, tenant: str | None) -> TicketView:
        """Raises NotFoundError, ConflictError."""
        view: TicketView = await self._ask(names.TICKETS, "requeue", ticket_id, tenant)
        return view

    async def tickets(
        self,
        tenant: str | None,
        *,
        state: TicketState | None = None,
        dead: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
        everybody: bool = False,
    ) -> TicketPage:
        """Tickets of a tenant, or of everybody, newest first."""
        page: TicketPage = await self._ask(
            names.TICKETS, "tickets", tenant, state, dead, limit, cursor, everybody
        )
        return page

    async def explain(self, request: RunRequest) -> Mapping[str, Any]:
        """Where each function of the program would run, and why. Raises RtfsError."""
        explained: Mapping[str, Any] = await self._ask(names.POLICY, "explain", request.encode())
        return explained

    async def policy(self) -> PolicyView:
        """The policy in force."""
        view: PolicyView = await self._ask(names.POLICY, "view")
        return view

    async def replace_policy(self, text: str, *, source: str, expected: int | None = None) -> PolicyChange:
        """Put a policy in force, or say what is wrong with it. Raises ConflictError."""
        change: PolicyChange = await self._ask(names.POLICY, "replace", text, source, expected)
        return change

    async def rollback_policy(self) -> PolicyChange:
        """Go back to the policy before. Raises ConflictError."""
        change: PolicyChange = await self._ask(names.POLICY, "rollback")
        return change

    async def events(
        self,
        topics: tuple[str, ...] = TOPICS,
        *,
        tenant: str | None,
        ticket_id: str | None = None,
        everybody: bool = False,
    ) -> AsyncIterator[ServiceEvent]:
        """Events of some topics, how things stand first. `everybody`: also those of all tenants' tickets."""
        bound = None if everybody else tenant or NOBODY
        keys = None if ticket_id is None else (ticket_id,)
        source = ActorSource(self._actor(names.CONTROL))
        async with EventStream(source, topics, keys=keys, tenant=bound, connection_errors=AWAY) as stream:
            async for event in stream:
                yield _service_event(event)

    async def status(self) -> RuntimeStatus:
        """Whether all parts are up."""
        try:
            status: RuntimeStatus = await self._ask(names.CONTROL, "status")
        except RuntimeGone as gone:
            return RuntimeStatus(ready=False, parts={names.CONTROL: f"down: {gone}"})
        return status

    async def cache_stats(self) -> Mapping[str, Mapping[str, CacheStats]]:
        """What the caches did, by part and by tier; parts that do not answer are left out."""
        parts = [names.CACHES, *self._under_way]
        found = await asyncio.gather(
            self._ask(names.CACHES, "stats"),
            *(self._ask(name, "cache_stats") for name in self._under_way),
            return_exceptions=True,
        )
        made: dict[str, Mapping[str, CacheStats]] = {}
        for part, stats in zip(parts, found, strict=True):
            if isinstance(stats, CacheStats):
                made[part] = {ColdLayer.name: stats}
            elif not isinstance(stats, BaseException):
                made[part] = stats
        return made

    async def invalidate_cache(self, which: Which) -> int:
        """Remove answers; how many. Raises CacheError."""
        return int(await self._ask(names.CACHES, "invalidate", which))

    async def clear_cache(self) -> int:
        """Remove all answers; how many. Raises CacheError."""
        return int(await self._ask(names.CACHES, "clear"))

    def _actor(self, name: str) -> Any:
        try:
            return self.actors.get(name)
        except ValueError:
            raise RuntimeGone(
                f"there is no {name} in {self.actors.namespace}; is the runtime started?"
            ) from None

    async def _ask(self, name: str, method: str, *args: Any) -> Any:
        """The answer of a part, or what it raised."""
        try:
            return await getattr(self._actor(name), method).remote(*args)
        except RayTaskError as error:
            cause = error.cause
            known = RtfsError | NotFoundError | ConflictError | BusyError | CacheError | ValueError
            if isinstance(cause, known):
                raise cause from None
            raise
        except RayError as error:
            self.actors.forget(name)
            raise RuntimeGone(f"{name} of {self.actors.namespace} cannot be reached: {error}") from error


def with_trace(request: RunRequest) -> RunRequest:
    """The request within the trace under way here, if there is one and it names none."""
    if request.traceparent is not None:
        return request
    here = current_traceparent()
    return request if here is None else replace(request, traceparent=here)


def _service_event(event: Event) -> ServiceEvent:
    return ServiceEvent(
        seq=event.seq, topic=event.topic, key=event.key, at=event.at, data=event.data, state=event.state
    )
