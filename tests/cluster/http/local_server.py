"""The application over a `LocalService`, in this loop or behind a real server on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from local_service import LocalService

from actors.access.store import TokenStore
from cluster.http.api import Api
from cluster.http.app import http_app
from cluster.http.settings import HttpSettings

BASE = "http://127.0.0.1"


@dataclass(frozen=True)
class Tokens:
    """Tokens of several kinds, in clear text."""

    store: TokenStore
    acme: str
    #: of the same tenant, and less may be done with it
    pure: str
    other: str
    admin: str
    revoked: str

    @classmethod
    def made(cls, path: Path) -> Tokens:
        store = TokenStore(path)
        revoked, text = store.create(name="gone", tenant="acme")
        store.revoke(revoked.id)
        return cls(
            store=store,
            acme=store.create(name="acme", tenant="acme", permissions=("read", "write"))[1],
            pure=store.create(name="pure", tenant="acme", level="pure")[1],
            other=store.create(name="other", tenant="other")[1],
            admin=store.create(name="admin", tenant="ops", level="full", admin=True)[1],
            revoked=text,
        )


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def client_of(
    app: Api, token: str | None = None, base: str = BASE, peer: str = "127.0.0.1"
) -> httpx.AsyncClient:
    """A client in this loop, without a socket."""
    transport = httpx.ASGITransport(app, client=(peer, 50_000))
    headers = {} if token is None else bearer(token)
    return httpx.AsyncClient(transport=transport, base_url=base, headers=headers)


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    port: int
    service: LocalService
    app: Api

    @property
    def base(self) -> str:
        return f"{BASE}:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@contextmanager
def serving(store: TokenStore | None = None, settings: HttpSettings | None = None) -> Iterator[Served]:
    """The application behind uvicorn, in a thread with a loop of its own."""
    service = LocalService()
    app = http_app(service, store, settings)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)

    async def run() -> None:
        await server.serve([listener])
        await service.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        eventually(lambda: server.started)
        yield Served(listener.getsockname()[1], service, app)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive()


def eventually(holds: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
