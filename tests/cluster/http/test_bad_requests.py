"""Requests that cannot be used: each has a status, a code and a reason, and none is our fault."""

from __future__ import annotations

import logging

import pytest
from local_server import client_of

from cluster.http.app import http_app

JSON = {"content-type": "application/json"}

#: body of POST /v1/evaluate → status, code, part of the detail
BODIES = {
    b"": (400, "bad-json", "EOF"),
    b"nonsense": (400, "bad-json", "line 1 column"),
    b'{"source":"1"': (400, "bad-json", "EOF"),
    b'{"source":"1"} x': (400, "bad-json", "trailing"),
    b'{"source":"\xff"}': (400, "bad-json", "unicode"),
    b'{"source":"\xed\xa0\x80"}': (400, "bad-json", "unicode"),
    b'{"source":"\\ud800"}': (400, "bad-json", "column"),
    b'\xef\xbb\xbf{"source":"1"}': (400, "bad-json", "column 1"),
    b"\x00\x01": (400, "bad-json", ""),
    '{"source":"1"}'.encode("utf-16"): (400, "bad-json", ""),
    b'{"source":"1","source":"2"}': (400, "bad-json", "the key `source` is there twice"),
    b'{"source":"1","args":{"a":{"x":1,"x":2}}}': (400, "bad-json", "the key `x` is there twice"),
    b'{"source":"1","args":{"a":NaN}}': (400, "bad-json", "`NaN` is no JSON number"),
    b'{"source":"1","args":{"a":-Infinity}}': (400, "bad-json", "`-Infinity`"),
    b'{"source":"1","args":{"a":1e999}}': (400, "bad-json", "beyond what a float can hold"),
    b'{"source":"1","args":{"a":' + b"9" * 5_000 + b"}}": (400, "bad-json", "number out of range"),
    b'{"source":"1","args":{"a":18446744073709551616}}': (422, "invalid-fields", "64-bit"),
    b'{"source":"1","args":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001: (400, "bad-json", "nested deeper"),
    b'{"source":"1","args":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}": (400, "bad-json", "nested deeper"),
    b"null": (422, "invalid-fields", "expected an object, got null"),
    b"[]": (422, "invalid-fields", "expected an object, got an array"),
    b'"source"': (422, "invalid-fields", "expected an object"),
    b"{}": (422, "invalid-fields", "`source`: it is missing"),
    b'{"source":1}': (422, "invalid-fields", "`source`: expected a string, got 1"),
    b'{"source":null}': (422, "invalid-fields", "`source`: expected a string, got null"),
    b'{"source":["1"]}': (422, "invalid-fields", "got an array"),
    b'{"source":"1","sorce":"2"}': (422, "invalid-fields", "`sorce`: no such field; did you mean `source`?"),
    b'{"source":"1","limits":{"deadlin_ms":1}}': (422, "invalid-fields", "did you mean `deadline_ms`?"),
    b'{"source":"1","call":{"functon":"f"}}': (422, "invalid-fields", "did you mean `function`?"),
    b'{"source":"1","mode":"async","ticket":{"prioriti":1}}': (
        422,
        "invalid-fields",
        "did you mean `priority`?",
    ),
    b'{"source":"1","args":[1]}': (422, "invalid-fields", "`args`: expected an object"),
    b'{"source":"1","level":"ful"}': (422, "invalid-fields", "`level`: expected"),
    b'{"source":"1","level":true}': (422, "invalid-fields", "`level`"),
    b'{"source":"1","mode":"later"}': (422, "invalid-fields", '"sync" or "async"'),
    b'{"source":"1","limits":{"deadline_ms":"5"}}': (422, "invalid-fields", "a whole number"),
    b'{"source":"1","limits":{"deadline_ms":1.5}}': (422, "invalid-fields", "a whole number"),
    b'{"source":"1","limits":{"deadline_ms":true}}': (422, "invalid-fields", "a whole number"),
    b'{"source":"1","limits":{"deadline_ms":0}}': (422, "invalid-fields", "at least 1"),
    b'{"source":"1","limits":{"depth":-1}}': (422, "invalid-fields", "at least 1"),
    b'{"source":"1","limits":{"allocation_bytes":99999999999999999999}}': (422, "invalid-fields", "at most"),
    b'{"source":"1","hops":5}': (422, "invalid-fields", "at most 4"),
    b'{"source":"1","ambient":{"x":1.5}}': (422, "invalid-fields", "a whole number, true or false, got 1.5"),
    b'{"source":"1","ambient":{"x":99999999999999999999}}': (422, "invalid-fields", "`ambient.x`"),
    b'{"source":"1","labels":"secret"}': (422, "invalid-fields", "expected an array"),
    b'{"source":"1","labels":[""]}': (422, "invalid-fields", "not empty"),
    b'{"source":"1","denied_effects":["network"]}': (422, "invalid-fields", "a text like"),
    b'{"source":"1","modules":{"m":1}}': (422, "invalid-fields", "`modules.m`: expected a string"),
    b'{"source":"1","mode":"async","ticket":{"id":"../x"}}': (422, "invalid-fields", "`ticket.id`"),
    b'{"source":"1","mode":"async","ticket":{"max_attempts":0}}': (422, "invalid-fields", "at least 1"),
    b'{"source":"1","mode":"async","ticket":{"delay_ms":-5}}': (422, "invalid-fields", "at least 0"),
    b'{"source":"1","mode":"async","ticket":{"priority":1000000}}': (422, "invalid-fields", "at most 1000"),
    b'{"source":"1","source_name":""}': (422, "invalid-fields", "not empty"),
}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:60].decode("latin-1"))
async def test_bodies(body, client, caplog):
    status, code, detail = BODIES[body]
    answer = await client.post("/v1/evaluate", content=body, headers=JSON)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert detail in problem["detail"]
    assert problem["status"] == status
    assert len(answer.content) < 4_000
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonx", 415),
        ("", 415),
        (None, 415),
    ],
)
async def test_content_types(kind, status, client):
    headers = {} if kind is None else {"content-type": kind}
    answer = await client.post("/v1/evaluate", content=b'{"source":"1"}', headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/evaluate", "POST"),
        ("TRACE", "/v1/evaluate", "POST"),
        ("OPTIONS", "/v1/evaluate", "POST"),
        ("POST", "/v1/tickets", "GET"),
        ("PATCH", "/v1/tickets/01m8e0kxz6gygbahtzhd87cea9", "DELETE, GET"),
        ("GET", "/v1/tickets/01m8e0kxz6gygbahtzhd87cea9/requeue", "POST"),
        ("DELETE", "/v1/policy", "GET, PUT"),
        ("POST", "/healthz", "GET"),
        ("NONSENSE", "/docs", "GET"),
    ],
)
async def test_methods(method, path, allow, client):
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/evalute", "did you mean `/v1/evaluate`?"),
        ("/v1/evaluate/", "did you mean `/v1/evaluate`?"),
        ("/v1/ticket", "did you mean `/v1/tickets`?"),
        ("//v1/evaluate", "did you mean `/v1/evaluate`?"),
        ("/V1/EVALUATE", "did you mean `/v1/evaluate`?"),
        ("/", "`/docs` lists all paths"),
        ("/etc/passwd", "`/docs` lists all paths"),
        ("/%2e%2e/%2e%2e/etc/passwd", "`/docs` lists all paths"),
        ("/v1/tickets/", ""),
        ("/v1/tickets/{id}", ""),
        ("/v1/tickets/{id}/nope", ""),
        ("/v1/policy/%0d%0aset-cookie:%20x", ""),
        ("/" + "a/" * 2_000, ""),
        ("/%ff%fe", ""),
        ("/v1/tickets/x/y/z", ""),
    ],
)
async def test_paths(path, says, client):
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert says in answer.json()["detail"]
    assert "set-cookie" not in answer.headers
    assert len(answer.content) < 2_000


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("x=1", 422),
        ("%ff=1", 400),
        ("&".join("a=1" for _ in range(100)), 400),
        ("topics=nope", 422),
        ("topics=", 422),
    ],
)
async def test_queries(query, status, client):
    answer = await client.get(f"/v1/events?{query}")
    assert answer.status_code == status
    assert (await client.get(f"/v1/policy?{query}")).status_code in (400, 422)


async def test_our_fault_is_logged_and_tells_nothing(service, caplog):
    async def broken(request):
        raise RuntimeError("the password is swordfish")

    service.evaluate = broken
    async with client_of(http_app(service, None)) as client:
        answer = await client.post("/v1/evaluate", json={"source": "1"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "swordfish" not in answer.text
    assert answer.json()["request_id"] in caplog.text


async def test_nothing_secret_is_logged(guarded, tokens, caplog):
    caplog.set_level(logging.DEBUG, "rtfs")
    async with client_of(guarded, tokens.acme) as client:
        await client.post("/v1/evaluate", json={"source": '"my-api-key"', "args": {"a": "swordfish"}})
        await client.post("/v1/evaluate", content=b'{"source": swordfish', headers=JSON)
    async with client_of(guarded, tokens.acme + "0") as client:
        await client.get("/v1/policy")
    for secret in ("my-api-key", "swordfish", tokens.acme, tokens.acme.rpartition("_")[2]):
        assert secret not in caplog.text
