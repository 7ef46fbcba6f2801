"""`HttpCaller`: requests to targets on the network, from any thread, many at once.

One event loop in one daemon thread serves the whole process, with one client for each provider, so that its
connections are used again. `call` waits through `rtfs.overlap`, so that other parts of the run go on meanwhile;
a part that is cancelled takes its request with it.

A request has one time for everything, from the wait for a connection to the last byte: a server that sends one
byte every second is as late as one that sends none. Answers are read up to a number of bytes and no farther.
Redirects are not followed, since what may be sent to one host may not be sent to another. Cookies are not kept,
since calls of different tenants share a client. Environment variables about proxies and certificates
(`HTTPS_PROXY`, `SSL_CERT_FILE`, …) hold for all hosts but this machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import MappingProxyType
from typing import Any, Final

import httpx

from actors.remote.faults import fault_of_exception
from policies.errors import TargetFailed
from rtfs.overlap import wait

#: longest answer that is read, bytes
MOST_BYTES: Final = 16 << 20
#: longest time for making a connection, seconds
CONNECT_TIMEOUT_S: Final = 5.0
#: connections to one provider, and how many of them are kept while nothing is sent
_CONNECTIONS: Final = httpx.Limits(max_connections=512, max_keepalive_connections=64, keepalive_expiry=20.0)
#: how long `close` waits for the loop to end, seconds
_CLOSE_S: Final = 5.0
_SCHEMES: Final = ("http", "https")


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
        self._clients: dict[tuple[str, str, bool], httpx.AsyncClient] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="rtfs-http", daemon=True)
        self._thread.start()

    def client(self, request: HttpRequest, url: httpx.URL) -> httpx.AsyncClient:
        """The client for a request. Made on the caller's thread: reading certificates takes a while."""
        trust_env = not _is_this_machine(url.host) if request.trust_env is None else request.trust_env
        key = (request.provider, url.scheme, trust_env)
        with self._lock:
            found = self._clients.get(key)
            if found is None:
                found = self._clients[key] = httpx.AsyncClient(
                    # one of `http` never makes a TLS connection, for no redirect is followed: it reads none
                    verify=url.scheme == "https",
                    trust_env=trust_env,
                    follow_redirects=False,
                    limits=_CONNECTIONS,
                    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                )
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
            body = await _body(response, request.most_bytes)
            return HttpReply(status=response.status_code, headers=_readable(response.headers), body=body)
    except Exception as error:
        failure = fault_of_exception(error)
        if failure is None or failure is error:
            raise
        raise failure from error


async def _body(response: httpx.Response, most_bytes: int) -> bytes:
    """The body as it was sent, unless it is longer than `most_bytes`."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):  # a small answer could unpack to anything
        raise TargetFailed("bad-reply", "its answer is compressed, though that was not asked for")
    too_long = f"its answer is longer than {most_bytes} bytes"
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most_bytes:
        raise TargetFailed("bad-reply", too_long)
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > most_bytes:
            raise TargetFailed("bad-reply", too_long)
    return bytes(body)


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


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cancel(future: Future[HttpReply]) -> None:
    future.cancel()


def _closed() -> TargetFailed:
    return TargetFailed("cancelled", "this process takes no more requests")
