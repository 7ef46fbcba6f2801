"""What those who run the service ask: whether it lives, is ready, how it does; and what it offers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from actors.telemetry.prometheus_text import CONTENT_TYPE, render

if TYPE_CHECKING:
    from cluster.http.exchange import Exchange

#: a runtime that has not said by then whether it is ready is not
_STATUS_S: Final = 5.0
#: the page has its style in it and nothing else
_PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


async def alive(exchange: Exchange) -> None:
    """`GET /healthz`."""
    await exchange.answer(200, b'{"status": "up"}')


async def ready(exchange: Exchange) -> None:
    """`GET /readyz`."""
    try:
        async with asyncio.timeout(_STATUS_S):
            status = await exchange.api.service.status()
    except TimeoutError:
        parts = {"runtime": f"degraded: no answer within {_STATUS_S:g} s"}
        await exchange.answer_json(503, {"ready": False, "parts": parts})
        return
    document = {"ready": status.ready, "parts": dict(status.parts)}
    await exchange.answer_json(200 if status.ready else 503, document)


async def metrics(exchange: Exchange) -> None:
    """`GET /metrics`."""
    text = render(exchange.api.meter.read())
    await exchange.answer(200, text.encode(), CONTENT_TYPE.encode())


async def openapi(exchange: Exchange) -> None:
    """`GET /openapi.json`."""
    from cluster.http.openapi import document_bytes

    await exchange.answer(200, document_bytes())


async def docs(exchange: Exchange) -> None:
    """`GET /docs`."""
    from cluster.http.page import page_bytes

    headers = (("content-security-policy", _PAGE_POLICY),)
    await exchange.answer(200, page_bytes(), b"text/html; charset=utf-8", headers)
