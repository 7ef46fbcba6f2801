"""One request and its answer, over the three things that ASGI gives: scope, receive and send.

Thin on purpose. A trivial evaluation takes some tens of microseconds in all, so nothing is made here that the
request does not need: headers are looked up in one dict, the query is parsed when asked for, and the client is
watched only once an answer takes its time.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote

from cluster.http.problems import CONTENT_TYPE, Problem

if TYPE_CHECKING:
    from actors.access.caller import Caller
    from cluster.http.api import Api

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

#: a request id that a client may choose: nothing that would mean something in a log or a header
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
#: of what is drained, seconds
_DRAIN_S: Final = 10.0

#: on every answer
SECURITY_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_JSON: Final = b"application/json"


class ClientGone(Exception):
    """The client has closed the connection: there is nobody to answer."""


class Exchange:
    """A request, and how it is answered."""

    __slots__ = (
        "_headers",
        "_receive",
        "_scope",
        "_send",
        "admitted",
        "api",
        "request_id",
        "status",
        "ticket_id",
    )

    def __init__(self, api: Api, scope: Scope, receive: Receive, send: Send) -> None:
        self.api = api
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        given = self._headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            self.request_id = given.decode("ascii")
        else:
            self.request_id = secrets.token_hex(8)
        #: who asks; None: everybody may
        self.admitted: Caller | None = None
        #: the part of the path that varies
        self.ticket_id = ""
        #: of the answer; 0: none has begun
        self.status = 0

    # ------------------------------------------------------------ the request

    @property
    def method(self) -> str:
        """`GET`, `POST`, …"""
        method: str = self._scope["method"]
        return method

    @property
    def path(self) -> str:
        """The path below the place where the application is mounted."""
        path: str = self._scope["path"]
        return path.removeprefix(self.root) if self.root else path

    @property
    def root(self) -> str:
        """Where the application is mounted, `` or `/prefix`."""
        root: str = self._scope.get("root_path") or ""
        return root.rstrip("/")

    @property
    def client(self) -> str | None:
        """The address of whoever connected."""
        client = self._scope.get("client")
        return None if client is None else client[0]

    @property
    def caller(self) -> Caller:
        """Who asks, in an operation that is not for everybody."""
        assert self.admitted is not None
        return self.admitted

    def header(self, name: bytes) -> str | None:
        """The last header of this name (lower case)."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def headers(self, name: bytes) -> str | None:
        """All headers of this name as one, with commas between (RFC 9110, section 5.3)."""
        if name not in self._headers:
            return None
        return b", ".join(value for each, value in self._scope["headers"] if each == name).decode("latin-1")

    def count(self, name: bytes) -> int:
        """How many headers have this name."""
        return sum(1 for each, _ in self._scope["headers"] if each == name)

    def query(self, *known: str) -> dict[str, str]:
        """The parameters of the query.

        Raises:
            Problem: one is not among `known`, is there twice, or is not UTF-8.
        """
        text: bytes = self._scope.get("query_string", b"")
        if not text:
            return {}
        found: dict[str, str] = {}
        try:
            pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=32)
        except ValueError:
            raise Problem("bad-request", "the query is no list of up to 32 UTF-8 parameters") from None
        for name, value in pairs:
            if name not in known:
                raise _unknown_parameter(name, known)
            if name in found:
                raise Problem("invalid-fields", f"the parameter `{name}` is there twice; give it once")
            found[name] = value
        return found

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            Problem: it is larger than may be, or takes too long.
            ClientGone: the connection was closed before its end.
        """
        declared = self._headers.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > self.api.settings.max_body_bytes:
            raise await self._too_large(0)
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        first: bytes = message.get("body", b"")
        if message.get("more_body"):
            return await self._rest(first)
        if len(first) > self.api.settings.max_body_bytes:
            raise await self._too_large(None)
        return first

    async def _rest(self, first: bytes) -> bytes:
        settings = self.api.settings
        pieces, size, more = [first], len(first), True
        try:
            async with asyncio.timeout(settings.body_timeout_s):
                while more and size <= settings.max_body_bytes:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    piece: bytes = message.get("body", b"")
                    pieces.append(piece)
                    size += len(piece)
                    more = message.get("more_body", False)
        except TimeoutError:
            detail = f"it was not complete after {settings.body_timeout_s:g} s"
            raise Problem("body-timeout", detail, headers=(("connection", "close"),)) from None
        if size > settings.max_body_bytes:
            pieces.clear()
            raise await self._too_large(size if more else None)
        return b"".join(pieces)

    async def _too_large(self, read: int | None) -> Problem:
        """The problem, after reading some of what is still to come: who only writes does not see an answer.

        Args:
            read: bytes that have come so far; None: all.
        """
        most = self.api.settings.max_body_bytes
        if read is not None and b"expect" not in self._headers:
            try:
                async with asyncio.timeout(_DRAIN_S):
                    while read < self.api.settings.drain_bytes:
                        message = await self._receive()
                        if message["type"] == "http.disconnect":
                            raise ClientGone
                        read += len(message.get("body", b""))
                        if not message.get("more_body"):
                            break
            except TimeoutError:
                pass  # slow as well as large: it is answered now and may not look
        return Problem(
            "too-large", f"at most {most} bytes are taken; send less", headers=(("connection", "close"),)
        )

    async def gone(self) -> None:
        """Return when the client has closed the connection. The body must have been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def while_connected[T](self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is cancelled when the client goes away.

        Raises:
            ClientGone: it has gone away.
        """
        watch = _Watch(self)
        try:
            result = await work
        except asyncio.CancelledError:
            if not watch.gone:
                raise
        finally:
            watch.stop()
        if watch.gone:
            watch.task.uncancel()
            raise ClientGone
        return result

    # ------------------------------------------------------------ the answer

    async def answer(
        self, status: int, body: bytes, content_type: bytes = _JSON, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Send the whole answer."""
        await self._start(status, content_type, headers, len(body))
        await self._send({"type": "http.response.body", "body": body})

    async def answer_json(self, status: int, document: object, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send a JSON document."""
        await self.answer(status, json.dumps(document, allow_nan=False).encode(), _JSON, headers)

    async def answer_problem(self, problem: Problem) -> None:
        """Send problem details."""
        body = problem.body(quote(self.path[:200]), self.request_id)
        await self.answer(problem.status, body, CONTENT_TYPE.encode(), problem.headers)

    async def begin_stream(self, content_type: bytes) -> None:
        """Begin an answer whose end is not yet known."""
        await self._start(200, content_type, (("x-accel-buffering", "no"),), None)

    async def send_piece(self, text: str, *, more: bool = True) -> None:
        """Send a part of such an answer.

        Raises:
            ClientGone: the client takes nothing any more.
        """
        message = {"type": "http.response.body", "body": text.encode(), "more_body": more}
        try:
            async with asyncio.timeout(self.api.settings.send_timeout_s):
                await self._send(message)
        except TimeoutError:
            raise ClientGone from None

    async def _start(
        self, status: int, content_type: bytes, headers: Iterable[tuple[str, str]], length: int | None
    ) -> None:
        self.status = status
        named = [(b"content-type", content_type), *SECURITY_HEADERS]
        if length is not None:
            named.append((b"content-length", b"%d" % length))
        if self.api.settings.sends_request_id:
            named.append((b"x-request-id", self.request_id.encode("ascii")))
        for name, value in headers:
            encoded = name.encode("ascii")
            named = [each for each in named if each[0] != encoded]
            named.append((encoded, value.encode("latin-1")))
        await self._send({"type": "http.response.start", "status": status, "headers": named})


class _Watch:
    """Cancels the task it was made in when the client goes away; begins to look only after a while."""

    __slots__ = ("_exchange", "_timer", "_watcher", "gone", "task")

    def __init__(self, exchange: Exchange) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.gone = False
        self._exchange = exchange
        self._watcher: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(exchange.api.settings.watch_after_s, self._begin)

    def _begin(self) -> None:
        self._watcher = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        await self._exchange.gone()
        self.gone = True
        self.task.cancel()

    def stop(self) -> None:
        """The work has ended."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()


def _unknown_parameter(name: str, known: tuple[str, ...]) -> Problem:
    from rtfs.spell import nearest

    near = nearest(name, known)
    advice = (
        f"did you mean `{near}`?" if near else f"known are {', '.join(known)}" if known else "it takes none"
    )
    return Problem("invalid-fields", f"no parameter `{name[:64]}`; {advice}")
