"""A runtime as drivers without an event loop see it, over a service that is no Ray."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from actors.caches.errors import InvalidCache
from actors.caches.layer import CacheStats, Which
from actors.control.spec import RuntimeSpec
from actors.ray_service import RuntimeGone
from actors.requests import CacheUse, RunReply, RunRequest
from actors.runtime import AsyncRuntime, Runtime

STATS = {"caches": {"l2-cold": CacheStats(entries=2)}}


class Service:
    """The part of a service that is about caches: two answers."""

    def __init__(self) -> None:
        self.answers = 2
        self.requests: list[RunRequest] = []
        self.removed: list[Which] = []

    async def evaluate(self, request: RunRequest) -> RunReply:
        self.requests.append(request)
        return RunReply(run_id=request.run_id, status="completed", value=3, text="3")

    async def cache_stats(self) -> Mapping[str, Mapping[str, CacheStats]]:
        return STATS

    async def invalidate_cache(self, which: Which) -> int:
        which.check()
        self.removed.append(which)
        self.answers -= 1
        return 1

    async def clear_cache(self) -> int:
        gone, self.answers = self.answers, 0
        return gone


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def runtime(service: Service) -> Iterator[Runtime]:
    with Runtime(
        "rtfs-trial", RuntimeSpec(namespace="rtfs-trial", state_dir="/"), ends=False, ends_ray=False
    ) as made:
        made.aio = AsyncRuntime(service)  # type: ignore[arg-type]
        yield made


def test_what_the_caches_did_and_what_is_removed(runtime: Runtime, service: Service) -> None:
    assert runtime.cache_stats() == STATS
    assert runtime.invalidate_cache(Which(tenant="acme")) == 1
    assert service.removed == [Which(tenant="acme")]
    assert (runtime.clear_cache(), runtime.clear_cache()) == (1, 0)


def test_what_names_nothing_in_particular_removes_nothing(runtime: Runtime, service: Service) -> None:
    with pytest.raises(InvalidCache, match="`clear` removes everything"):
        runtime.invalidate_cache(Which())
    assert service.answers == 2


def test_what_a_run_wants_of_caches_goes_along(runtime: Runtime, service: Service) -> None:
    use = CacheUse(bypass=True, max_age_s=60)
    assert runtime.evaluate("(+ 1 2)", cache=use) == 3
    assert [request.cache for request in service.requests] == [use]


@pytest.mark.parametrize("ask", [Runtime.cache_stats, Runtime.clear_cache])
def test_one_that_was_closed_cannot_be_asked(runtime: Runtime, ask: Any) -> None:
    runtime.close()
    with pytest.raises(RuntimeGone, match="this runtime was closed"):
        ask(runtime)
