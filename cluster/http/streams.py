"""Server-sent events: what happens to one ticket, and what happens at all.

A stream begins with how things stand. On one where nothing happens a comment is sent now and then, which
keeps proxies from closing it and shows whether the client is still there. One that takes nothing off is
dropped. Events are not kept, so `Last-Event-ID` changes nothing: whoever comes back is told anew how things
stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from actors.events.event import TICKETS, TOPICS, Event, EventError, check_topic
from actors.events.sse import CONTENT_TYPE, KEEP_ALIVE, to_sse
from actors.service import ServiceEvent, TicketView
from actors.telemetry.instruments import HTTP_STREAMS
from cluster.http.answers import ticket_answer
from cluster.http.exchange import ClientGone
from cluster.http.problems import Problem
from cluster.http.tickets import ticket_id

if TYPE_CHECKING:
    from cluster.http.exchange import Exchange

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
#: what clients are asked to wait before they connect again
_RETRY: Final = "retry: 2000\n\n"

#: takes an event; the texts to be sent, and whether the stream has ended
type Tell = Callable[[ServiceEvent], Awaitable[tuple[str, bool]]]


async def events(exchange: Exchange) -> None:
    """`GET /v1/events?topics=`."""
    topics = _topics(exchange.query("topics").get("topics"))

    async def tell(event: ServiceEvent) -> tuple[str, bool]:
        return to_sse(_told(event)), False

    source = exchange.api.service.events(topics, tenant=exchange.caller.tenant)
    await _stream(exchange, source, tell, "")


async def ticket_events(exchange: Exchange) -> None:
    """`GET /v1/tickets/{id}/events`.

    An event only says that something changed; what is told is the ticket as it then stands. So a ticket whose
    events came before the subscription, or are no longer known, is told all the same.
    """
    exchange.query()
    service, tenant, found = exchange.api.service, exchange.caller.tenant, ticket_id(exchange)
    last = await service.ticket(found, tenant)

    async def tell(event: ServiceEvent) -> tuple[str, bool]:
        nonlocal last
        before, last = last, await service.ticket(found, tenant)
        ended = last.state in ENDED
        return "" if last == before else to_sse(_of_ticket(last, event.seq)), ended

    first = to_sse(_of_ticket(last, 0, state=True))
    if last.state in ENDED:
        await exchange.begin_stream(CONTENT_TYPE.encode())
        await exchange.send_piece(_RETRY + first, more=False)
        return
    source = service.events((TICKETS,), tenant=tenant, ticket_id=found)
    await _stream(exchange, source, tell, first)


def _topics(given: str | None) -> tuple[str, ...]:
    if given is None:
        return TOPICS
    topics = tuple(dict.fromkeys(part.strip() for part in given.split(",")))
    try:
        for each in topics:
            check_topic(each)
    except EventError as error:
        raise Problem("invalid-fields", f"`topics`: {error}") from None
    return topics


def _told(event: ServiceEvent) -> Event:
    return Event(
        seq=event.seq, topic=event.topic, key=event.key, at=event.at, data=event.data, state=event.state
    )


def _of_ticket(ticket: TicketView, seq: int, *, state: bool = False) -> Event:
    return Event(
        seq=seq,
        topic=TICKETS,
        key=ticket.id,
        at=ticket.updated_at,
        data=ticket_answer(ticket),
        state=state,
    )


async def _stream(exchange: Exchange, source: AsyncIterator[ServiceEvent], tell: Tell, first: str) -> None:
    """Send what `tell` makes of the events of `source`, until it says that this is all or the client goes."""
    api = exchange.api
    if api.open_streams >= api.settings.max_streams:
        detail = f"{api.settings.max_streams} event streams are open"
        raise Problem("busy", detail, headers=(("retry-after", "5"),))
    api.open_streams += 1
    api.meter.gauge(HTTP_STREAMS, {"route": "all"}, api.open_streams)
    gone = asyncio.ensure_future(exchange.gone())
    upcoming: asyncio.Future[ServiceEvent] | None = None
    try:
        await exchange.begin_stream(CONTENT_TYPE.encode())
        await exchange.send_piece(_RETRY + first)
        ended = False
        while not ended:
            upcoming = upcoming or asyncio.ensure_future(anext(source))
            awaited: set[asyncio.Future[Any]] = {gone, upcoming}
            done, _ = await asyncio.wait(
                awaited, timeout=api.settings.heartbeat_s, return_when=asyncio.FIRST_COMPLETED
            )
            if gone in done:
                raise ClientGone
            if not done:
                await exchange.send_piece(KEEP_ALIVE)
                continue
            event, upcoming = _event(upcoming), None
            if event is None:
                break
            text, ended = await tell(event)
            if text:
                await exchange.send_piece(text)
        await exchange.send_piece("", more=False)
    finally:
        api.open_streams -= 1
        api.meter.gauge(HTTP_STREAMS, {"route": "all"}, api.open_streams)
        await _close(source, gone, upcoming)


def _event(done: asyncio.Future[ServiceEvent]) -> ServiceEvent | None:
    """The event that has come; None: there are no more."""
    try:
        return done.result()
    except StopAsyncIteration:
        return None


async def _close(source: AsyncIterator[ServiceEvent], *running: asyncio.Future[Any] | None) -> None:
    """Stop what is waited for, then the source, which unsubscribes."""
    waiting = [each for each in running if each is not None]
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()
