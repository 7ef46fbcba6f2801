"""Tickets: look, wait, list, cancel, queue again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from actors.service import TicketState
from actors.tickets.ids import is_ticket_id
from cluster.http.answers import page_answer, ticket_answer
from cluster.http.evaluate import answer_reply
from cluster.http.problems import Problem
from rtfs.spell import nearest

if TYPE_CHECKING:
    from cluster.http.exchange import Exchange

STATES: Final[tuple[str, ...]] = get_args(TicketState.__value__)
MOST_LISTED: Final = 200
_USUALLY_LISTED: Final = 50
#: characters of a cursor that could be one of ours
_LONGEST_CURSOR: Final = 512


def ticket_id(exchange: Exchange) -> str:
    """The id in the path.

    Raises:
        Problem: no ticket can have it.
    """
    found = exchange.ticket_id
    if not is_ticket_id(found):
        raise Problem("not-found", "there is no such ticket; ids are 26 digits and lower-case letters")
    return found


async def show(exchange: Exchange) -> None:
    """`GET /v1/tickets/{id}`."""
    exchange.query()
    ticket = await exchange.api.service.ticket(ticket_id(exchange), exchange.caller.tenant)
    await exchange.answer_json(200, ticket_answer(ticket))


async def result(exchange: Exchange) -> None:
    """`GET /v1/tickets/{id}/result?wait=`."""
    wait_s = _seconds(exchange.query("wait").get("wait", "0"), exchange.api.settings.max_wait_s)
    service, tenant, found = exchange.api.service, exchange.caller.tenant, ticket_id(exchange)
    reply = await exchange.while_connected(service.result(found, tenant, wait_s))
    if reply is None:
        ticket = await service.ticket(found, tenant)
        await exchange.answer_json(202, ticket_answer(ticket), (("retry-after", "1"),))
    else:
        await answer_reply(exchange, reply)


async def cancel(exchange: Exchange) -> None:
    """`DELETE /v1/tickets/{id}`."""
    exchange.query()
    ticket = await exchange.api.service.cancel(ticket_id(exchange), exchange.caller.tenant)
    await exchange.answer_json(200, ticket_answer(ticket))


async def requeue(exchange: Exchange) -> None:
    """`POST /v1/tickets/{id}/requeue`."""
    exchange.query()
    ticket = await exchange.api.service.requeue(ticket_id(exchange), exchange.caller.tenant)
    await exchange.answer_json(202, ticket_answer(ticket))


async def listing(exchange: Exchange) -> None:
    """`GET /v1/tickets`."""
    given = exchange.query("state", "dead", "limit", "cursor")
    state: Any = given.get("state")
    if state is not None and state not in STATES:
        raise _refused("state", state, STATES)
    dead = given.get("dead")
    if dead not in (None, "true", "false"):
        raise _refused("dead", dead or "", ("true", "false"))
    cursor = given.get("cursor")
    if cursor is not None and not (0 < len(cursor) <= _LONGEST_CURSOR and cursor.isascii()):
        raise Problem("invalid-fields", "`cursor`: expected the `cursor` of an earlier page")
    page = await exchange.api.service.tickets(
        exchange.caller.tenant,
        state=state,
        dead=None if dead is None else dead == "true",
        limit=_count(given.get("limit", str(_USUALLY_LISTED))),
        cursor=cursor,
    )
    await exchange.answer_json(200, page_answer(page))


def _seconds(text: str, most: float) -> float:
    try:
        seconds = float(text) if len(text) <= 20 and text.isascii() else -1.0
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= most:  # not a number fails this, too
        raise Problem("invalid-fields", f"`wait`: expected seconds, 0 to {most:g}, got `{text[:40]}`")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_LISTED):
        raise Problem("invalid-fields", f"`limit`: expected 1 to {MOST_LISTED}, got `{text[:40]}`")
    return int(text)


def _refused(name: str, value: str, known: tuple[str, ...]) -> Problem:
    near = nearest(value, known)
    advice = f"did you mean `{near}`?" if near else f"expected {', '.join(known)}"
    return Problem("invalid-fields", f"`{name}`: got `{value[:40]}`; {advice}")
