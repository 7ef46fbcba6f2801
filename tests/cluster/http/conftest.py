"""What the tests of the HTTP API share. Their helpers stand beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from local_server import Served, Tokens, client_of, serving
from local_service import LocalService

from cluster.http.api import Api
from cluster.http.app import http_app


@pytest.fixture
async def service() -> AsyncIterator[LocalService]:
    made = LocalService()
    yield made
    await made.close()


@pytest.fixture
def app(service: LocalService) -> Api:
    """Without tokens: whoever asks is the local user."""
    return http_app(service, None)


@pytest.fixture
async def client(app: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens.made(tmp_path_factory.mktemp("access") / "tokens")


@pytest.fixture
def guarded(service: LocalService, tokens: Tokens) -> Api:
    """With tokens."""
    return http_app(service, tokens.store)


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serving() as made:
        yield made
