"""Programs: run one, queue one, explain one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from actors.requests import RunReply, RunRequest
from actors.service import SubmitOptions
from cluster.http.answers import LONG_CHARS, run_answer, ticket_answer
from cluster.http.bodies import EvaluateBody, ExplainBody
from cluster.http.caching import HEADER, STATUS_HEADER, cache_status
from cluster.http.problems import Problem
from cluster.http.reading import expect_type, read_model
from cluster.http.translate import explain_request, run_request, submit_options

if TYPE_CHECKING:
    from cluster.http.exchange import Exchange

#: bodies of more bytes are read in another thread, so that nobody waits for them
_LONG_BODY: Final = 32 << 10


async def evaluate(exchange: Exchange) -> None:
    """`POST /v1/evaluate`."""
    expect_type(exchange.header(b"content-type"))
    data = await exchange.body()
    request, options = await _aside(len(data) > _LONG_BODY, _read, exchange, data)
    service = exchange.api.service
    if options is not None:
        ticket = await service.submit(request, options)
        place = (("location", f"{exchange.root}/v1/tickets/{ticket.id}"),)
        await exchange.answer_json(202, ticket_answer(ticket), place)
        return
    reply = await exchange.while_connected(service.evaluate(request))
    if reply.error is not None:
        raise reply.error
    if reply.status != "completed":
        raise Problem("program-error", f"the run ended as `{reply.status}`")
    await answer_reply(exchange, reply, bypassed=request.cache.bypass)


def _read(exchange: Exchange, data: bytes) -> tuple[RunRequest, SubmitOptions | None]:
    """What is asked for; the options are those of a ticket, None if none is wanted."""
    body = read_model(EvaluateBody, data)
    caller = exchange.api.guard.narrowed(exchange.caller, body)
    request = run_request(
        body,
        caller,
        exchange.api.settings.most_limits,
        exchange.header(b"traceparent"),
        exchange.headers(HEADER),
    )
    return request, submit_options(body.ticket) if body.mode == "async" else None


async def answer_reply(exchange: Exchange, reply: RunReply, *, bypassed: bool = False) -> None:
    """Send what became of a run.

    Args:
        bypassed: whether the run wanted nothing that is known.

    Raises:
        Problem: it is too large.
    """
    size = len(reply.text) + len(reply.output)
    most = exchange.api.settings.max_answer_chars
    if size > most:
        detail = f"value and output have {size} characters, at most {most} are sent; return less"
        raise Problem("answer-too-large", detail)
    status = cache_status(reply.calls, bypassed=bypassed)
    headers = () if status is None else ((STATUS_HEADER, status),)
    await exchange.answer(200, await _aside(size > LONG_CHARS, run_answer, reply), headers=headers)


async def explain(exchange: Exchange) -> None:
    """`POST /v1/explain`."""
    expect_type(exchange.header(b"content-type"))
    data = await exchange.body()

    def read() -> RunRequest:
        body = read_model(ExplainBody, data)
        return explain_request(body, exchange.api.guard.narrowed(exchange.caller, body))

    request = await _aside(len(data) > _LONG_BODY, read)
    found = await exchange.while_connected(_explained(exchange, request))
    await exchange.answer_json(200, found)


async def _explained(exchange: Exchange, request: RunRequest) -> dict[str, Any]:
    return dict(await exchange.api.service.explain(request))


async def _aside[**P, T](is_long: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `work`, done in another thread if it takes long."""
    return await asyncio.to_thread(work, *args, **kwargs) if is_long else work(*args, **kwargs)
