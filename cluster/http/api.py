"""The ASGI application: from a connection to the operation, and from whatever happens there to an answer."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from actors.telemetry.aggregates import Aggregates
from actors.telemetry.instruments import HTTP_LATENCY, HTTP_REQUESTS
from cluster.http.exchange import ClientGone, Exchange, Receive, Scope, Send
from cluster.http.guard import Guard
from cluster.http.problems import Problem, problem_of
from cluster.http.routing import Operation

if TYPE_CHECKING:
    from actors.access.store import TokenStore
    from actors.service import Service
    from cluster.http.routing import Routing
    from cluster.http.settings import HttpSettings

_log: Final = logging.getLogger("rtfs.http")
#: what is counted as the route of a request that has none
_NO_ROUTE: Final = "none"


class Api:
    """What all requests share. An ASGI application."""

    def __init__(
        self,
        service: Service,
        access: TokenStore | None,
        settings: HttpSettings,
        routing: Routing,
        meter: Aggregates,
    ) -> None:
        self.service = service
        self.settings = settings
        self.meter = meter
        self.guard = Guard(access, settings)
        self.open_streams = 0
        self._routing = routing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, request or lifespan, as ASGI has it."""
        kind = scope["type"]
        if kind == "http":
            await self._request(Exchange(self, scope, receive, send))
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.guard.announce()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _request(self, exchange: Exchange) -> None:
        began = time.perf_counter()
        operation: Operation | None = None
        try:
            operation, exchange.ticket_id = self._routing.find(exchange.path, exchange.method)
            if operation.who != "anyone":
                exchange.admitted = self.guard.admit(exchange, operation.who)
            await operation.handle(exchange)
        except ClientGone:
            pass
        except Exception as error:
            await self._tell(exchange, error)
        finally:
            self._count(exchange, operation, began)

    async def _tell(self, exchange: Exchange, error: Exception) -> None:
        """Answer with a problem, unless an answer has begun: that can then only be broken off."""
        problem = problem_of(error)
        if problem is None:
            _log.error("request %s to %s failed", exchange.request_id, exchange.path, exc_info=error)
            problem = Problem("internal-error", "it was logged under the request id")
        if exchange.status:
            _log.warning("answer to request %s broken off: %s", exchange.request_id, problem.code)
            raise error
        await exchange.answer_problem(problem)

    def _count(self, exchange: Exchange, operation: Operation | None, began: float) -> None:
        route = operation.path if operation is not None else _NO_ROUTE
        method = operation.method if operation is not None else _NO_ROUTE
        # 499: nobody was there to answer, as proxies log it
        status = str(exchange.status or 499)
        self.meter.count(HTTP_REQUESTS, {"route": route, "method": method, "status": status})
        took_ms = (time.perf_counter() - began) * 1_000
        self.meter.record(HTTP_LATENCY, {"route": route, "method": method}, took_ms)
