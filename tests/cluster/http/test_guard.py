"""Who may do what: the table of callers and operations, requests from elsewhere, and asking for less."""

from __future__ import annotations

import pytest
from local_server import bearer, client_of

from cluster.http.app import http_app
from cluster.http.operations import OPERATIONS
from cluster.http.settings import HttpSettings

TICKET = "01m8e0kxz6gygbahtzhd87cea9"
NOBODY, ACME, ADMIN = "nobody", "acme", "admin"
#: operation → status for nobody, a caller, an administrator
ALLOWED = {
    "POST /v1/evaluate": (401, 200, 200),
    "POST /v1/explain": (401, 200, 200),
    "GET /v1/tickets": (401, 200, 200),
    "GET /v1/tickets/{id}": (401, 404, 404),
    "DELETE /v1/tickets/{id}": (401, 404, 404),
    "GET /v1/tickets/{id}/result": (401, 404, 404),
    "GET /v1/tickets/{id}/events": (401, 404, 404),
    "POST /v1/tickets/{id}/requeue": (401, 404, 404),
    # a topic that there is not: a stream that is let in does not end
    "GET /v1/events": (401, 422, 422),
    "GET /v1/policy": (401, 200, 200),
    "PUT /v1/policy": (401, 403, 200),
    "POST /v1/policy/rollback": (401, 403, 409),
    "GET /metrics": (401, 200, 200),
    "GET /healthz": (200, 200, 200),
    "GET /readyz": (200, 200, 200),
    "GET /openapi.json": (200, 200, 200),
    "GET /docs": (200, 200, 200),
}


def test_the_table_has_every_operation():
    assert ALLOWED.keys() == {f"{each.method} {each.path}" for each in OPERATIONS}


async def asked(client, operation, headers):
    method, _, path = operation.partition(" ")
    path = path.replace("{id}", TICKET)
    body = {"POST /v1/evaluate": {"source": "1"}, "POST /v1/explain": {"source": "1"}}.get(operation)
    if operation == "PUT /v1/policy":
        body = {"text": ""}
    params = {"topics": "none"} if path == "/v1/events" else None
    return await client.request(method, path, json=body, params=params, headers=headers)


@pytest.mark.parametrize("who", [NOBODY, ACME, ADMIN])
@pytest.mark.parametrize("operation", ALLOWED)
async def test_who_may_do_what(operation, who, guarded, tokens):
    headers = {} if who == NOBODY else bearer(getattr(tokens, who))
    async with client_of(guarded) as client:
        answer = await asked(client, operation, headers)
    assert answer.status_code == ALLOWED[operation][[NOBODY, ACME, ADMIN].index(who)], answer.text
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing-token"),
        ("", "malformed-header"),
        ("Bearer", "malformed-header"),
        ("Bearer ", "malformed-header"),
        ("Basic YTpi", "malformed-header"),
        ("Bearer xyz", "malformed-token"),
        ("Bearer rtfs_0123456789ab_" + "0" * 64, "unknown-token"),
        ("{revoked}", "revoked-token"),
        ("{acme}x", "malformed-token"),
        ("Bearer " + "a" * 10_000, "malformed-token"),
    ],
)
async def test_tokens_that_are_none(header, reason, guarded, tokens):
    if header is not None:
        header = header.replace("{revoked}", f"Bearer {tokens.revoked}").replace(
            "{acme}", f"Bearer {tokens.acme}"
        )
    async with client_of(guarded) as client:
        headers = {} if header is None else {"authorization": header}
        answer = await client.get("/v1/policy", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (401, reason)
    assert answer.headers["www-authenticate"].startswith('Bearer realm="rtfs"')
    secret = (header or "").rpartition("_")[2]
    assert len(secret) < 60 or secret not in answer.text


async def test_two_authorizations_are_none(guarded, tokens):
    both = [("authorization", f"Bearer {token}") for token in (tokens.acme, tokens.admin)]
    async with client_of(guarded) as client:
        assert (await client.get("/v1/policy", headers=both)).status_code == 401


async def test_a_token_is_good_from_anywhere(guarded, tokens):
    async with client_of(guarded, tokens.acme, base="http://rtfs.example", peer="203.0.113.7") as client:
        assert (await client.get("/v1/policy")).status_code == 200


#: without tokens: address, Host, other headers → whether it is let in
FROM = {
    "here": ("127.0.0.1", "127.0.0.1:8700", {}, True),
    "by name": ("127.0.0.1", "localhost:8700", {}, True),
    "by IPv6": ("::1", "[::1]:8700", {}, True),
    "from elsewhere": ("203.0.113.7", "127.0.0.1:8700", {}, False),
    "a name made to mean this machine": ("127.0.0.1", "evil.example", {}, False),
    "a name that only begins like this machine": ("127.0.0.1", "127.0.0.1.evil.example", {}, False),
    "through a proxy": ("127.0.0.1", "127.0.0.1", {"x-forwarded-for": "203.0.113.7"}, False),
    "through another proxy": ("127.0.0.1", "127.0.0.1", {"forwarded": "for=203.0.113.7"}, False),
    "a foreign page": ("127.0.0.1", "127.0.0.1", {"origin": "https://evil.example"}, False),
    "a page without a name": ("127.0.0.1", "127.0.0.1", {"origin": "null"}, False),
    "a foreign page, in a browser that says so": (
        "127.0.0.1",
        "127.0.0.1",
        {"sec-fetch-site": "cross-site"},
        False,
    ),
    "a page of this machine": ("127.0.0.1", "127.0.0.1", {"origin": "http://localhost:3000"}, True),
}


@pytest.mark.parametrize("case", FROM)
async def test_without_tokens_only_this_machine(case, app):
    peer, host, headers, is_let_in = FROM[case]
    async with client_of(app, base=f"http://{host}", peer=peer) as client:
        answer = await client.post("/v1/policy/rollback", headers=headers)
        assert answer.status_code == (409 if is_let_in else 401)
        assert (await client.get("/healthz", headers=headers)).status_code == 200


async def test_behind_a_proxy_that_hides_who_asks_nobody_is_let_in_without_a_token(service, tokens):
    settings = HttpSettings(needs_token=True)
    async with client_of(http_app(service, None, settings), peer="127.0.0.1") as client:
        assert (await client.get("/v1/policy")).status_code == 401
        assert (await client.get("/healthz")).status_code == 200
    async with client_of(http_app(service, tokens.store, settings), tokens.acme) as client:
        assert (await client.get("/v1/policy")).status_code == 200


def test_it_is_said_once_that_there_is_no_token(service, tokens, caplog):
    http_app(service, None).guard.announce()
    assert [record.message for record in caplog.records] == [
        "no token is configured: only requests from this machine are answered"
    ]
    caplog.clear()
    http_app(service, tokens.store).guard.announce()
    assert caplog.records == []


# ---------------------------------------------------------------- asking for less

#: token, what is asked for → level, or what the refusal says
NARROWING = [
    ("acme", {}, "controlled"),
    ("acme", {"level": "pure"}, "pure"),
    ("acme", {"level": "controlled", "allow": ["ccos.echo"]}, "controlled"),
    ("acme", {"permissions": ["read"]}, "controlled"),
    ("acme", {"permissions": []}, "controlled"),
    ("acme", {"level": "full"}, "the level full is above this token's, controlled"),
    ("acme", {"allow": ["ccos.*"]}, "the capability `ccos.*` is not among this token's"),
    ("acme", {"permissions": ["red"]}, "did you mean `read`?"),
    ("pure", {}, "pure"),
    ("pure", {"level": "controlled"}, "the level controlled is above this token's, pure"),
    ("pure", {"allow": ["ccos.echo"]}, "the level pure "),
    ("admin", {}, "controlled"),
    ("admin", {"level": "full"}, "full"),
    ("admin", {"allow": ["ccos.io.*"]}, "controlled"),
]


@pytest.mark.parametrize(("token", "asked_for", "expected"), NARROWING)
async def test_a_request_only_narrows(token, asked_for, expected, guarded, service, tokens):
    async with client_of(guarded, getattr(tokens, token)) as client:
        answer = await client.post("/v1/evaluate", json={"source": "1", **asked_for})
    if expected in ("pure", "controlled", "full"):
        assert answer.status_code == 200, answer.text
        assert service.requests[-1].level == expected
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert expected in answer.json()["detail"]


async def test_whose_run_it_is(guarded, service, tokens):
    async with client_of(guarded, tokens.acme) as client:
        await client.post("/v1/evaluate", json={"source": "1"})
        facts = service.requests[-1].facts
        assert (facts.tenant, facts.permissions) == ("acme", {"read", "write"})
        await client.post("/v1/evaluate", json={"source": "1", "permissions": ["read"]})
        assert service.requests[-1].facts.permissions == {"read"}


async def test_a_revoked_token_is_revoked_at_once(service, tmp_path):
    from actors.access.store import TokenStore

    store = TokenStore(tmp_path / "tokens")
    token, text = store.create(name="short", tenant="t")
    async with client_of(http_app(service, store), text) as client:
        assert (await client.get("/v1/policy")).status_code == 200
        store.revoke(token.id)
        assert (await client.get("/v1/policy")).status_code == 401
