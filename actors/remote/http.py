"""`HttpCaller`: requests to targets on the network, from any thread, many at once.

One event loop in one daemon thread serves the whole process, with one client for each provider, so that its
connections are used again. `call` waits through `rtfs.overlap`, so that other parts of the run go on meanwhile;
a part that is cancelled takes its request with it.

A request has one time for everything, from the wait for a connection to the last byte: a server that sends one
byte every second is as late as one that sends none. Answers are read up to a number of bytes and no farther.
Redirects are not followed, since what may be sent to one host may not be sent to another. Cookies are not kept,
since calls of different tenants share a client. Environment variables about proxies and certificates
(`HTTPS_PROXY`, `SSL_CERT_FILE`, …) hold for all hosts but this machine; a request may name others.

An answer that is a stream of events can be followed while it comes (`on_events`), and left in the middle.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import httpx

from actors.remote.faults import fault_of_exception
from actors.remote.http_clients import ClientKey, client_of, is_this_machine
from policies.errors import TargetFailed
from rtfs.overlap import wait

#: longest answer that is read, bytes
MOST_BYTES: Final = 16 << 20
#: longest time for making a connection, seconds
CONNECT_TIMEOUT_S: Final = 5.0
#: how long `close` waits for the loop to end, seconds
_CLOSE_S: Final = 5.0
_SCHEMES: Final = ("http", "https")
#: what an answer that is followed says of itself
_EVENTS: Final = "text/event-stream"
#: how long the end of a stream is waited for when nothing more is wanted of it, seconds: where it comes, the
#: connection can be used again
_END_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What to send, where, and how long it may take."""

    #: whose connections are shared
    provider: str
    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    body: bytes = field(default=b"", repr=False)
    #: for all of it
    timeout_s: float
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    most_bytes: int = MOST_BYTES
    #: whether variables of the environment about proxies and certificates hold; None: unless it is this machine
    trust_env: bool | None = None
    #: a proxy's URL, which may hold a password; None: as the environment says
    proxy: str | None = field(default=None, repr=False)
    #: certificates to trust in place of the system's
    ca_file: str | None = None
    #: is given each piece of an answer of success that is a stream of events, on the thread of the loop, so it
    #: must be quick; true: nothing more is wanted. What it raises ends the request. The body is empty then
    on_events: Callable[[bytes], bool] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What a server answered, whatever its status."""

    status: int
    #: by name in lower case
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_json(self) -> bool:
        """Whether it says of itself that it is JSON: `application/json`, `application/problem+json`, …"""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            TargetFailed: it says that it is something else, or is none (`bad-reply`).
        """
        if not self.is_json:
            kind = self.headers.get("content-type", "")[:100] or "nothing"
            raise TargetFailed("bad-reply", f"expected JSON, got content of type `{kind}`")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise TargetFailed("bad-reply", "its answer says that it is JSON, and is not") from error


class HttpCaller:
    """Sends requests. Safe to use from many threads; a forked child begins anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here: _Loop | None = None
        self._closed = False

    def call(self, request: HttpRequest) -> HttpReply:
        """Send `request` and wait for the answer, while other parts of the run go on.

        Raises:
            TargetFailed: there was none.
            LimitError: the run must stop; the request was cancelled.
        """
        sent: list[Future[HttpReply]] = []

        def start(wake: Callable[[], None]) -> Callable[[], None]:
            future = self.request(request)
            sent.append(future)
            future.add_done_callback(lambda _: wake())
            return lambda: _cancel(future)

        wait(start)
        try:
            return sent[0].result()
        except CancelledError:
            raise _closed() from None

    def request(self, request: HttpRequest) -> Future[HttpReply]:
        """Send `request`. The future ends with the answer or with TargetFailed; cancelling it ends the request.

        Raises:
            TargetFailed: it cannot be sent anywhere.
        """
        url = _url(request.url)
        loop = self._loop()
        client = loop.client(request, url)
        with self._lock:  # what is sent before `close` ends with it
            if self._here is not loop:
                raise _closed()
            return asyncio.run_coroutine_threadsafe(_send(client, request, url), loop.loop)

    def close(self) -> None:
        """End what is under way, close all connections, and take no more requests. Safe to call twice."""
        with self._lock:
            self._closed = True
            here, self._here = self._here, None
        if here is not None and here.pid == os.getpid():
            here.close()

    def _loop(self) -> _Loop:
        with self._lock:
            if self._closed:
                raise _closed()
            if self._here is None or self._here.pid != os.getpid():
                self._here = _Loop()
            return self._here


class _Loop:
    """The event loop of one process, its thread, and the clients that belong to it."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._clients: dict[ClientKey, httpx.AsyncClient] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="rtfs-http", daemon=True)
        self._thread.start()

    def client(self, request: HttpRequest, url: httpx.URL) -> httpx.AsyncClient:
        """The client for a request. Made on the caller's thread: reading certificates takes a while.

        Raises:
            TargetFailed: its proxy or its certificates cannot be used.
        """
        trust_env = not is_this_machine(url.host) if request.trust_env is None else request.trust_env
        key = ClientKey(request.provider, url.scheme, trust_env, request.proxy, request.ca_file)
        with self._lock:
            found = self._clients.get(key)
            if found is None:
                found = self._clients[key] = client_of(key)
            return found

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._finish(), self.loop).result(_CLOSE_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    async def _finish(self) -> None:
        pending = asyncio.all_tasks() - {asyncio.current_task()}
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        await self.loop.shutdown_asyncgens()


async def _send(client: httpx.AsyncClient, request: HttpRequest, url: httpx.URL) -> HttpReply:
    """One request and its answer; the failures of the network as TargetFailed."""
    timeout = httpx.Timeout(None, connect=min(request.connect_timeout_s, request.timeout_s))
    headers = {"accept-encoding": "identity", **request.headers}
    try:
        async with (
            asyncio.timeout(request.timeout_s),
            client.stream(
                request.method, url, headers=headers, content=request.body, timeout=timeout
            ) as response,
        ):
            body = await _body(response, request)
            return HttpReply(status=response.status_code, headers=_readable(response.headers), body=body)
    except Exception as error:
        failure = fault_of_exception(error)
        if failure is None or failure is error:
            raise
        raise failure from error


async def _body(response: httpx.Response, request: HttpRequest) -> bytes:
    """The body as it was sent, unless it is longer than it may be; empty if somebody follows it."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):  # a small answer could unpack to anything
        raise TargetFailed("bad-reply", "its answer is compressed, though that was not asked for")
    too_long = f"its answer is longer than {request.most_bytes} bytes"
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > request.most_bytes:
        raise TargetFailed("bad-reply", too_long)
    on_events = request.on_events if response.is_success and _is_events(response) else None
    body, read = bytearray(), 0
    pieces = response.aiter_raw()
    async for piece in pieces:
        read += len(piece)
        if read > request.most_bytes:
            raise TargetFailed("bad-reply", too_long)
        if on_events is None:
            body += piece
        elif on_events(piece):
            await _end(pieces)
            break
    return bytes(body)


async def _end(pieces: AsyncIterator[bytes]) -> None:
    """Read the end of a stream that is complete, if it comes at once; else the connection is closed."""
    try:
        async with asyncio.timeout(_END_S):
            async for _ in pieces:
                pass
    except (TimeoutError, httpx.HTTPError):
        pass


def _is_events(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == _EVENTS


def _readable(headers: httpx.Headers) -> Mapping[str, str]:
    return MappingProxyType({name.lower(): value for name, value in headers.items()})


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise TargetFailed("connection-refused", "its address cannot be read") from error
    if url.scheme not in _SCHEMES or not url.host:
        raise TargetFailed("connection-refused", "its address is neither http nor https")
    return url


def _cancel(future: Future[HttpReply]) -> None:
    future.cancel()


def _closed() -> TargetFailed:
    return TargetFailed("cancelled", "this process takes no more requests")
