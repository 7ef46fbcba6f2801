"""What requests want of the caches of results, and how answers tell what those knew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.requests import CacheUse, CallSummary
from cluster.http.bodies import CacheBody
from cluster.http.caching import cache_status, cache_use
from cluster.http.problems import Problem

#: `Cache-Control` → what is wanted
HEADERS: dict[str, CacheUse] = {
    "": CacheUse(),
    "no-cache": CacheUse(bypass=True),
    "No-Cache": CacheUse(bypass=True),
    "no-store": CacheUse(no_store=True),
    "max-age=60": CacheUse(max_age_s=60),
    "max-age=0": CacheUse(max_age_s=0),
    'MAX-AGE="60"': CacheUse(max_age_s=60),
    "max-age=60, max-age=5": CacheUse(max_age_s=5),
    "max-age=99999999999999999999": CacheUse(max_age_s=2_147_483_648),
    "no-cache, no-store,max-age=1": CacheUse(bypass=True, no_store=True, max_age_s=1),
    " no-store ,, no-cache ,": CacheUse(bypass=True, no_store=True),
    "no-cache=x": CacheUse(bypass=True),
    "only-if-cached, min-fresh=5, max-stale, no-transform, x-mine=7": CacheUse(),
    'ext="no-store, max-age=x", no-cache': CacheUse(bypass=True),
    'ext="open, no-store': CacheUse(),
    "nocache, no_store": CacheUse(),
}


@pytest.mark.parametrize("header", HEADERS)
def test_directives(header: str) -> None:
    assert cache_use(None, header) == HEADERS[header]


@pytest.mark.parametrize(
    "header",
    [
        *("max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=x", "max-age=1 2", "max-age=²"),
        *('max-age="', 'max-age=""', "no-cache, max-age=soon", "max-age=5, max-age=x", f"max-age={'9' * 41}"),
    ],
)
def test_an_age_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(
        Problem, match="expected `max-age=60`, a whole number of seconds, got `max-age="
    ) as caught:
        cache_use(None, header)
    assert (caught.value.code, caught.value.status) == ("bad-request", 400)


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        (CacheBody(), None, CacheUse()),
        (CacheBody(bypass=True), "no-store", CacheUse(bypass=True, no_store=True)),
        (CacheBody(max_age_s=5), "max-age=60", CacheUse(max_age_s=5)),
        (CacheBody(max_age_s=60), "max-age=5", CacheUse(max_age_s=5)),
        (CacheBody(no_store=True, max_age_s=0.5), None, CacheUse(no_store=True, max_age_s=0.5)),
    ],
)
def test_of_body_and_header_the_stricter_counts(
    body: CacheBody, header: str | None, expected: CacheUse
) -> None:
    assert cache_use(body, header) == expected


CALL = CallSummary(
    function="f", target="local-m", answered_by="local-m", reason="", calls=2, took_ms=1.0, cost_usd=0.0
)
HIT, MEANING, SHARED = (replace(CALL, tier=tier) for tier in ("l2-hot", "l3", "shared"))

STATUSES: list[tuple[tuple[CallSummary, ...], bool, str | None]] = [
    ((), False, None),
    ((CALL,), False, 'rtfs; fwd=miss; detail="0 of 2 known"'),
    ((CALL,), True, 'rtfs; fwd=request; detail="0 of 2 known"'),
    ((HIT,), False, "rtfs; hit"),
    ((HIT, MEANING), False, "rtfs; hit"),
    ((HIT, CALL, replace(MEANING, calls=3)), False, 'rtfs; fwd=miss; detail="5 of 7 known"'),
    ((HIT, SHARED), False, 'rtfs; fwd=miss; collapsed; detail="4 of 4 known"'),
    ((CALL, SHARED), False, 'rtfs; fwd=miss; detail="2 of 4 known"'),
]


@pytest.mark.parametrize(("calls", "bypassed", "status"), STATUSES)
def test_who_answered_the_calls(calls: tuple[CallSummary, ...], bypassed: bool, status: str | None) -> None:
    assert cache_status(calls, bypassed=bypassed) == status


# ---------------------------------------------------------------- over HTTP


async def test_what_is_wanted_reaches_the_run(client: Any, service: Any) -> None:
    async def wanted(headers: Any, **body: Any) -> CacheUse:
        answer = await client.post("/v1/evaluate", json={"source": "1", **body}, headers=headers)
        assert answer.status_code == 200, answer.text
        found: CacheUse = service.requests[-1].cache
        return found

    assert await wanted({}) == CacheUse()
    assert await wanted({"Cache-Control": "no-cache, max-age=7"}) == CacheUse(bypass=True, max_age_s=7)
    assert await wanted({}, cache={"no_store": True, "max_age_s": 1.5}) == CacheUse(
        no_store=True, max_age_s=1.5
    )
    twice = [("Cache-Control", "no-cache"), ("Cache-Control", "no-store")]
    assert await wanted(twice, cache={"max_age_s": 3}) == CacheUse(bypass=True, no_store=True, max_age_s=3)


async def test_what_is_wanted_reaches_a_ticket(client: Any, service: Any) -> None:
    answer = await client.post(
        "/v1/evaluate", json={"source": "1", "mode": "async"}, headers={"cache-control": "no-store"}
    )
    assert answer.status_code == 202
    assert service.held[answer.json()["id"]].request.cache == CacheUse(no_store=True)


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_malformed_age_is_refused(mode: str, client: Any) -> None:
    headers = {"Cache-Control": "max-age=soon"}
    answer = await client.post("/v1/evaluate", json={"source": "1", "mode": mode}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert "got `max-age=soon`" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("cache", "field", "text"),
    [
        ({"max_age_s": -1}, "cache.max_age_s", "expected a number of at least 0"),
        ({"max_age_s": "1"}, "cache.max_age_s", "expected a number"),
        ({"bypass": 1}, "cache.bypass", "expected true or false"),
        ({"no_stor": True}, "cache.no_stor", "did you mean `no_store`?"),
    ],
)
async def test_a_wrong_field_is_named(cache: dict[str, Any], field: str, text: str, client: Any) -> None:
    answer = await client.post("/v1/evaluate", json={"source": "1", "cache": cache})
    (problem,) = answer.json()["problems"]
    assert (answer.status_code, problem["field"]) == (422, field)
    assert text in problem["problem"]


async def test_answers_say_who_answered(client: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = await client.post("/v1/evaluate", json={"source": "1"})
    assert "cache-status" not in plain.headers
    assert plain.headers["cache-control"] == "no-store"  # of the answer itself
    run = service._run
    known = replace(MEANING, oldest_s=9.0, similarity=0.97, error_bound=0.01, saved_usd=0.5, saved_ms=80.0)

    async def with_calls(request: Any) -> Any:
        return replace(await run(request), calls=(known,))

    monkeypatch.setattr(service, "_run", with_calls)
    answer = await client.post("/v1/evaluate", json={"source": "1"})
    assert answer.headers["cache-status"] == "rtfs; hit"
    (call,) = answer.json()["calls"]
    told = ("tier", "oldest_s", "similarity", "error_bound", "saved_usd", "saved_ms")
    assert [call[name] for name in told] == ["l3", 9.0, 0.97, 0.01, 0.5, 80.0]
    ticket = (await client.post("/v1/evaluate", json={"source": "1", "mode": "async"})).json()["id"]
    result = await client.get(f"/v1/tickets/{ticket}/result?wait=10")
    assert (result.status_code, result.headers["cache-status"]) == (200, "rtfs; hit")
