"""Tickets over HTTP: look, wait, list, cancel, queue again; those of others do not exist."""

from __future__ import annotations

import asyncio

import pytest
from local_server import client_of

UNKNOWN = "01m8e0kxz6gygbahtzhd87cea9"
SPINNING = {"source": "(loop [] (recur))", "mode": "async"}


async def submitted(client, source="(+ 1 2)", **ticket):
    answer = await client.post("/v1/evaluate", json={"source": source, "mode": "async", "ticket": ticket})
    assert answer.status_code == 202, answer.text
    return f"/v1/tickets/{answer.json()['id']}"


async def test_a_result_is_waited_for(client):
    place = await submitted(client)
    answer = await client.get(f"{place}/result?wait=20")
    assert answer.status_code == 200
    assert (answer.json()["value"], answer.json()["status"]) == (3, "completed")
    ticket = (await client.get(place)).json()
    assert (ticket["state"], ticket["phase"], ticket["attempts"]) == ("completed", "completed", 1)


async def test_a_result_that_is_not_there_yet(client):
    place = await submitted(client, delay_ms=60_000)
    answer = await client.get(f"{place}/result")
    assert answer.status_code == 202
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["phase"] == "delayed"
    answer = await client.get(f"{place}/result?wait=0.05")
    assert answer.status_code == 202


async def test_a_failed_run_is_a_result(client):
    place = await submitted(client, "(/ 1 0)")
    answer = await client.get(f"{place}/result?wait=20")
    assert answer.status_code == 200
    assert answer.json()["status"] == "failed"
    assert answer.json()["error"]["category"] == "DivisionByZero"
    ticket = (await client.get(place)).json()
    assert (ticket["state"], ticket["dead"], ticket["reason"]) == ("failed", True, "Division by zero")


async def test_cancel(client, service):
    answer = await client.post("/v1/evaluate", json=SPINNING)
    place = answer.headers["location"]
    cancelled = await client.delete(place)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    again = await client.delete(place)
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")
    assert (await client.get(f"{place}/result")).json()["status"] == "cancelled"


async def test_a_dead_letter_is_queued_again(client):
    place = await submitted(client, "(/ 1 0)")
    await client.get(f"{place}/result?wait=20")
    answer = await client.post(f"{place}/requeue")
    assert (answer.status_code, answer.json()["state"]) == (202, "working")
    assert (await client.get(f"{place}/result?wait=20")).status_code == 200
    assert (await client.get(place)).json()["attempts"] == 2


async def test_only_a_dead_letter_can_be_queued_again(client):
    place = await submitted(client)
    await client.get(f"{place}/result?wait=20")
    answer = await client.post(f"{place}/requeue")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_listing(client):
    places = [await submitted(client, name=f"n{i}") for i in range(5)]
    await submitted(client, "(/ 1 0)")
    for place in places:
        await client.get(f"{place}/result?wait=20")
    first = (await client.get("/v1/tickets?state=completed&limit=3")).json()
    second = (await client.get("/v1/tickets", params={"state": "completed", "cursor": first["cursor"]})).json()
    found = [each["id"] for each in (*first["tickets"], *second["tickets"])]
    assert sorted(found) == sorted(place.rpartition("/")[2] for place in places)
    assert (len(first["tickets"]), second["cursor"]) == (3, None)
    await asyncio.sleep(0)
    dead = (await client.get("/v1/tickets?dead=true")).json()["tickets"]
    assert [each["phase"] for each in dead] in (["failed"], [])


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("state=complete", "did you mean `completed`?"),
        ("state=", "expected working"),
        ("dead=yes", "expected true, false"),
        ("limit=0", "expected 1 to 200"),
        ("limit=1e3", "expected 1 to 200"),
        ("limit=²", "expected 1 to 200"),
        ("cursor=", "`cursor`"),
        ("cursor=%C3%A9", "`cursor`"),
        ("limt=3", "did you mean `limit`?"),
        ("limit=3&limit=4", "there twice"),
    ],
)
async def test_wrong_parameters_of_the_listing(query, says, client):
    answer = await client.get(f"/v1/tickets?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-fields")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "1e9", "x", "", "61", "١"])
async def test_wrong_waits(wait, client):
    answer = await client.get(f"/v1/tickets/{UNKNOWN}/result", params={"wait": wait})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-fields")


#: method, what follows the ticket's place
OPERATIONS = [("GET", ""), ("DELETE", ""), ("GET", "/result"), ("GET", "/events"), ("POST", "/requeue")]


@pytest.mark.parametrize(("method", "rest"), OPERATIONS)
async def test_tickets_of_others_are_as_if_they_did_not_exist(method, rest, guarded, tokens):
    async with client_of(guarded, tokens.acme) as owner, client_of(guarded, tokens.other) as other:
        place = await submitted(owner, delay_ms=60_000)
        foreign = await other.request(method, place + rest)
        missing = await other.request(method, f"/v1/tickets/{UNKNOWN}{rest}")
        assert foreign.status_code == missing.status_code == 404
        assert foreign.json()["detail"] == missing.json()["detail"].replace(UNKNOWN, place.rpartition("/")[2])
        assert (await owner.get(place)).json()["phase"] == "delayed"
        assert (await other.get("/v1/tickets")).json()["tickets"] == []


@pytest.mark.parametrize(("method", "rest"), OPERATIONS)
@pytest.mark.parametrize(
    "odd",
    [
        *(
            "x",
            "%2e%2e",
            "..%2f..%2fetc",
            "%00",
            "01M8E0KXZ6GYGBAHTZHD87CEA9",
            f"{UNKNOWN}%0a",
            "a" * 5_000,
        ),
        *(f"%20{UNKNOWN}", "%F0%9F%98%80", "'or'1'='1", "{id}", f"{UNKNOWN};x=1"),
    ],
)
async def test_odd_ids(odd, method, rest, client):
    answer = await client.request(method, f"/v1/tickets/{odd}{rest}")
    assert answer.status_code in (404, 405)
    assert answer.headers["content-type"] == "application/problem+json"
