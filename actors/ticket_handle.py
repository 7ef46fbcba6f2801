"""Tickets as drivers hold them: an id that outlives everybody, and what can be asked about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from actors import names
from actors.ray_service import RayService
from actors.requests import RunReply
from actors.service import ServiceEvent, TicketState, TicketView
from rtfs.values import Value

#: events after which there are none
_ENDED = ("completed", "failed", "cancelled")


class AsyncTicket:
    """A run that was queued, for drivers with an event loop."""

    def __init__(self, service: RayService, ticket_id: str, tenant: str | None) -> None:
        self.id = ticket_id
        self.tenant = tenant
        self._service = service
        self._ref: Any = None

    @property
    def ref(self) -> Any:
        """An `ObjectRef` of the run's value: `ray.get` waits for it, and raises what the run raised."""
        if self._ref is None:
            self._ref = self._service.actors.get(names.TICKETS).outcome.remote(self.id, self.tenant)
        return self._ref

    async def view(self) -> TicketView:
        """How the ticket stands. Raises NotFoundError."""
        return await self._service.ticket(self.id, self.tenant)

    async def state(self) -> TicketState:
        """`working`, `input_required`, `completed`, `failed` or `cancelled`. Raises NotFoundError."""
        return (await self.view()).state

    async def reply(self, timeout: float | None = None) -> RunReply:
        """What became of the run. Raises TimeoutError, NotFoundError."""
        reply = await self._service.result(self.id, self.tenant, timeout)
        if reply is None:
            raise TimeoutError(f"ticket {self.id} has not ended after {timeout:g} s")
        return reply

    async def result(self, timeout: float | None = None) -> Value:
        """The value of the run. Raises what the run raised; TimeoutError, NotFoundError."""
        return (await self.reply(timeout)).outcome()

    async def cancel(self) -> TicketView:
        """Nobody wants it any more. Raises NotFoundError."""
        return await self._service.cancel(self.id, self.tenant)

    async def requeue(self) -> TicketView:
        """Try it again, after it failed. Raises NotFoundError, ConflictError."""
        return await self._service.requeue(self.id, self.tenant)

    async def events(self) -> AsyncIterator[ServiceEvent]:
        """What happens to it, how it stands first; ends when it has ended."""
        async for event in self._service.events(("tickets",), tenant=self.tenant, ticket_id=self.id):
            if event.topic == "tickets":
                yield event
                if event.data.get("state") in _ENDED:
                    return


class Ticket:
    """A run that was queued. Its id finds it again from any driver."""

    def __init__(self, ticket: AsyncTicket, wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.aio = ticket
        self._wait = wait

    @property
    def id(self) -> str:
        """Its id."""
        return self.aio.id

    @property
    def ref(self) -> Any:
        """An `ObjectRef` of the run's value: `ray.get` waits for it, and raises what the run raised."""
        return self.aio.ref

    @property
    def state(self) -> TicketState:
        """`working`, `input_required`, `completed`, `failed` or `cancelled`. Raises NotFoundError."""
        state: TicketState = self._wait(self.aio.state())
        return state

    def view(self) -> TicketView:
        """How the ticket stands. Raises NotFoundError."""
        view: TicketView = self._wait(self.aio.view())
        return view

    def reply(self, timeout: float | None = None) -> RunReply:
        """What became of the run. Raises TimeoutError, NotFoundError."""
        reply: RunReply = self._wait(self.aio.reply(timeout))
        return reply

    def result(self, timeout: float | None = None) -> Value:
        """The value of the run. Raises what the run raised; TimeoutError, NotFoundError."""
        return self._wait(self.aio.result(timeout))

    def cancel(self) -> TicketView:
        """Nobody wants it any more. Raises NotFoundError."""
        view: TicketView = self._wait(self.aio.cancel())
        return view

    def requeue(self) -> TicketView:
        """Try it again, after it failed. Raises NotFoundError, ConflictError."""
        view: TicketView = self._wait(self.aio.requeue())
        return view

    def events(self) -> Iterator[ServiceEvent]:
        """What happens to it, how it stands first; ends when it has ended."""
        return each_of(self.aio.events(), self._wait)

    def __repr__(self) -> str:
        return f"Ticket({self.id!r})"


def each_of[T](items: AsyncIterator[T], wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> Iterator[T]:
    """An asynchronous iterator for those who have no event loop; it is closed when they have had enough."""
    try:
        while True:
            try:
                yield wait(_next(items))
            except StopAsyncIteration:
                return
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            wait(close())


async def _next[T](items: AsyncIterator[T]) -> T:
    return await anext(items)
