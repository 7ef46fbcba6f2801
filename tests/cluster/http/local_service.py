"""A service without Ray: programs run in threads under their limits, tickets are kept in memory.

Nothing is delegated; events go through a hub. A real one in all that HTTP can see of it.
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import rtfs
from actors.caches.layer import CacheStats, Which
from actors.events.event import News
from actors.events.hub import EventHub
from actors.events.stream import EventStream
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
from actors.tickets.ids import new_ticket_id
from policies.dry_route import dry_delegate, dry_routes
from policies.errors import PolicyFileError
from policies.file.load import load_policy
from rtfs import errors
from rtfs.error_codec import encode_error
from rtfs.host import ConsoleHost
from rtfs.ir_codec import encode_value
from rtfs.printer import pr_str
from rtfs.run import Run, cancel, current_run

ENDED = {"completed", "failed", "cancelled"}


class OwnModules:
    """Modules that came with the request."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def find(self, name: str) -> tuple[str, str] | None:
        text = self._texts.get(name)
        return None if text is None else (text, name)


class StoppableHost(ConsoleHost):
    """Keeps hold of its run, so that it can be stopped from outside."""

    def __init__(self, out: io.StringIO) -> None:
        super().__init__(out)
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._stopped = False

    def prepare_execution(self) -> None:
        with self._lock:
            self._run = current_run()
            if self._stopped:
                cancel(self._run)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._run is not None:
                cancel(self._run)


def run(request: RunRequest, host: StoppableHost, out: io.StringIO) -> RunReply:
    """What becomes of a request."""
    began = time.perf_counter()

    def reply(**fields: Any) -> RunReply:
        took_ms = (time.perf_counter() - began) * 1_000
        return RunReply(run_id=request.run_id, output=out.getvalue(), took_ms=took_ms, **fields)

    try:
        program = rtfs.compile(
            request.source, source_name=request.source_name, modules=OwnModules(request.modules)
        ).link()
        options = {"host": host, "context": request.context()}
        if request.call is None:
            value = program.run(args=request.args, **options)
        else:
            value = program.call(request.call.function, *request.call.args, **options)
        text = pr_str(value)
    except errors.RtfsError as error:
        encode_error(error)  # as if it came from another process
        cancelled = getattr(error, "dimension", None) == "cancelled"
        return reply(status="cancelled" if cancelled else "failed", error=error)
    try:
        encode_value(value)
    except errors.RtfsError:
        return reply(status="completed", text=text, portable=False)
    return reply(status="completed", value=value, text=text)


@dataclass
class Held:
    """A ticket and what belongs to it."""

    view: TicketView
    request: RunRequest
    over: asyncio.Event = field(default_factory=asyncio.Event)
    reply: RunReply | None = None
    task: asyncio.Task[None] | None = None


class LocalService:
    """The service of one event loop."""

    def __init__(self, *, most_runs: int = 64, most_queued: int = 1_000) -> None:
        self.hub = EventHub()
        self.most_runs = most_runs
        self.most_queued = most_queued
        self.running: set[str] = set()
        #: ids of runs that were cancelled by their caller going away
        self.abandoned: list[str] = []
        self.requests: list[RunRequest] = []
        self.held: dict[str, Held] = {}
        self.parts = {"evaluators": "up", "tickets": "up"}
        self.policies = [PolicyView(version="v0", text="", source="built-in policy", number=0)]
        self.open_subscriptions = 0
        self._swaps = 0

    # ------------------------------------------------------------ runs

    async def evaluate(self, request: RunRequest) -> RunReply:
        if len(self.running) >= self.most_runs:
            raise BusyError("as many programs run as may", 2.0)
        self.requests.append(request)
        self.running.add(request.run_id)
        try:
            return await self._run(request)
        except asyncio.CancelledError:
            self.abandoned.append(request.run_id)
            raise
        finally:
            self.running.discard(request.run_id)

    async def _run(self, request: RunRequest) -> RunReply:
        out = io.StringIO()
        host = StoppableHost(out)
        work = asyncio.ensure_future(asyncio.to_thread(run, request, host, out))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            host.stop()
            await work
            raise

    async def explain(self, request: RunRequest) -> Mapping[str, Any]:
        program = rtfs.compile(
            request.source, source_name=request.source_name, modules=OwnModules(request.modules)
        )
        policy = load_policy(self.policies[-1].text, source="delegation.toml", environ={}, needs_secrets=False)
        found = [
            route.explanation.to_json() for route in dry_routes(program, dry_delegate(policy), request.facts)
        ]
        return {"functions": found, "facts": {"tenant": request.facts.tenant}, "notes": []}

    # ------------------------------------------------------------ tickets

    async def submit(self, request: RunRequest, options: SubmitOptions) -> TicketView:
        known = self.held.get(request.ticket_id or "")
        if known is not None:
            if known.request.source != request.source or known.view.tenant != request.facts.tenant:
                raise ConflictError(f"another request has the ticket id `{request.ticket_id}`")
            return known.view
        if len(self.held) >= self.most_queued:
            raise BusyError("the queue is full", 1.4)
        now = time.time()
        view = TicketView(
            id=request.ticket_id or new_ticket_id(),
            tenant=request.facts.tenant,
            state="working",
            phase="delayed" if options.delay_s else "queued",
            reason="",
            name=options.name,
            priority=options.priority,
            created_at=now,
            updated_at=now,
            attempts=0,
            max_attempts=options.max_attempts or 1,
            dead=False,
            deadline_at=None if options.deadline_s is None else now + options.deadline_s,
        )
        held = self.held[view.id] = Held(view=view, request=replace(request, ticket_id=view.id))
        await self._publish(held)
        held.task = asyncio.ensure_future(self._work(held, options.delay_s))
        await asyncio.sleep(0)  # so that it has begun: one cancelled before would never end
        return view

    async def _work(self, held: Held, delay_s: float) -> None:
        try:
            await asyncio.sleep(delay_s)
            await self._change(held, phase="running", attempts=held.view.attempts + 1)
            held.reply = await self._run(held.request)
        except asyncio.CancelledError:
            error = errors.BudgetExhausted("cancelled", "cancelled")
            held.reply = RunReply(run_id=held.request.run_id, status="cancelled", error=error)
        status = held.reply.status
        reason = "" if held.reply.error is None else held.reply.error.text()
        await self._change(held, state=status, phase=status, reason=reason, dead=status == "failed")
        held.over.set()

    async def _change(self, held: Held, **changes: Any) -> None:
        held.view = replace(held.view, updated_at=time.time(), **changes)
        await self._publish(held)

    async def _publish(self, held: Held) -> None:
        view = held.view
        news = News(
            topic="tickets",
            key=view.id,
            data={"state": view.state, "phase": view.phase},
            tenant=view.tenant,
            ended=view.state in ENDED,
        )
        await self.hub.publish_all([news])

    def _of(self, ticket_id: str, tenant: str | None) -> Held:
        held = self.held.get(ticket_id)
        if held is None or held.view.tenant != tenant:
            raise NotFoundError(f"no ticket `{ticket_id}`")
        return held

    async def ticket(self, ticket_id: str, tenant: str | None) -> TicketView:
        return self._of(ticket_id, tenant).view

    async def result(self, ticket_id: str, tenant: str | None, wait_s: float) -> RunReply | None:
        held = self._of(ticket_id, tenant)
        try:
            async with asyncio.timeout(wait_s):
                await held.over.wait()
        except TimeoutError:
            return None
        return held.reply

    async def cancel(self, ticket_id: str, tenant: str | None) -> TicketView:
        held = self._of(ticket_id, tenant)
        if held.task is not None and not held.over.is_set():
            held.task.cancel()
            await held.over.wait()
        return held.view

    async def requeue(self, ticket_id: str, tenant: str | None) -> TicketView:
        held = self._of(ticket_id, tenant)
        if not held.view.dead:
            raise ConflictError(f"the ticket is {held.view.phase}; only dead letters can be queued again")
        held.over.clear()
        held.reply = None
        await self._change(held, state="working", phase="queued", reason="", dead=False)
        held.task = asyncio.ensure_future(self._work(held, 0.0))
        return held.view

    async def tickets(
        self,
        tenant: str | None,
        *,
        state: TicketState | None = None,
        dead: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TicketPage:
        views = sorted((held.view for held in self.held.values()), key=lambda each: each.id, reverse=True)
        found = [
            each
            for each in views
            if each.tenant == tenant
            and (state is None or each.state == state)
            and (dead is None or each.dead == dead)
            and (cursor is None or each.id < cursor)
        ]
        page = tuple(found[:limit])
        return TicketPage(tickets=page, cursor=page[-1].id if len(found) > limit else None)

    # ------------------------------------------------------------ policy, events, status

    async def policy(self) -> PolicyView:
        return self.policies[-1]

    async def replace_policy(self, text: str, *, source: str, expected: int | None = None) -> PolicyChange:
        now = self.policies[-1]
        if expected is not None and expected != now.number:
            raise ConflictError(f"the policy in force has the number {now.number}, not {expected}")
        try:
            policy = load_policy(text, source=source, environ={}, needs_secrets=False)
        except PolicyFileError as error:
            return PolicyChange(policy=now, swapped=False, problems=tuple(map(str, error.problems)))
        self._swaps += 1
        made = PolicyView(version=policy.version, text=text, source=source, number=self._swaps)
        self.policies.append(made)
        return await self._swapped(made)

    async def rollback_policy(self) -> PolicyChange:
        if len(self.policies) < 2:
            raise ConflictError("there is no policy before this one")
        self.policies.pop()
        self._swaps += 1
        self.policies[-1] = replace(self.policies[-1], number=self._swaps)
        return await self._swapped(self.policies[-1])

    async def _swapped(self, policy: PolicyView) -> PolicyChange:
        await self.hub.publish("policy", "delegation.toml", {"version": policy.version})
        return PolicyChange(policy=policy, swapped=True)

    async def events(
        self, topics: tuple[str, ...], *, tenant: str | None, ticket_id: str | None = None
    ) -> AsyncIterator[ServiceEvent]:
        self.open_subscriptions += 1
        try:
            keys = None if ticket_id is None else [ticket_id]
            async with EventStream(self.hub, topics, keys=keys, tenant=tenant) as stream:
                async for event in stream:
                    yield ServiceEvent(
                        seq=event.seq,
                        topic=event.topic,
                        key=event.key,
                        at=event.at,
                        data=event.data,
                        state=event.state,
                    )
        finally:
            self.open_subscriptions -= 1

    async def status(self) -> RuntimeStatus:
        return RuntimeStatus(ready=all(part == "up" for part in self.parts.values()), parts=self.parts)

    async def cache_stats(self) -> Mapping[str, Mapping[str, CacheStats]]:
        """Nothing is delegated, so nothing is kept."""
        return {}

    async def invalidate_cache(self, which: Which) -> int:
        which.check()
        return 0

    async def clear_cache(self) -> int:
        return 0

    async def close(self) -> None:
        """Cancel what still runs."""
        tasks = [held.task for held in self.held.values() if held.task is not None and not held.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
