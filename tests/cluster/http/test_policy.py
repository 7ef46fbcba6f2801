"""The policy over HTTP: read, replaced, refused, gone back; guarded by its number."""

from __future__ import annotations

import pytest

GOOD = '[delegation]\ndefault_target = "local-pure"\n'
BAD = '[delegation]\ndefault_targt = "local-pure"\nttl = 3\n'
TOML = {"content-type": "application/toml"}


async def test_replace_and_go_back(client):
    before = await client.get("/v1/policy")
    assert before.headers["etag"] == '"0"'
    after = await client.put("/v1/policy", json={"text": GOOD})
    assert (after.status_code, after.headers["etag"]) == (200, '"1"')
    assert after.json()["policy"]["text"] == GOOD
    assert (await client.get("/v1/policy")).json() == after.json()["policy"]
    back = await client.post("/v1/policy/rollback")
    assert (back.status_code, back.headers["etag"]) == (200, '"2"')
    assert back.json()["policy"]["text"] == before.json()["text"]
    none = await client.post("/v1/policy/rollback")
    assert (none.status_code, none.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("kind", ["application/toml", "text/plain", "text/plain; charset=UTF-8"])
async def test_as_text(kind, client):
    answer = await client.put("/v1/policy", content=GOOD, headers={"content-type": kind})
    assert answer.status_code == 200
    assert answer.json()["policy"]["text"] == GOOD


async def test_one_that_cannot_be_used_changes_nothing(client):
    answer = await client.put("/v1/policy", content=BAD, headers=TOML)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid-policy")
    assert "did you mean `default_target`?" in problem["problems"][0]
    assert len(problem["problems"]) == 2
    assert problem["detail"].endswith("and 1 more")
    assert (await client.get("/v1/policy")).headers["etag"] == '"0"'


async def test_text_that_is_not_utf8(client):
    answer = await client.put("/v1/policy", content=b"a = '\xff'", headers=TOML)
    assert (answer.status_code, answer.json()["detail"]) == (400, "the text is not UTF-8 at byte 5")


#: If-Match while number 0 is in force → status
MATCHES = {
    '"0"': 200,
    "*": 200,
    ' "0" ': 200,
    '"7"': 412,
    'W/"0"': 412,
    "0": 400,
    '"x"': 400,
    '"0", "1"': 400,
    "": 400,
}


@pytest.mark.parametrize("tag", MATCHES)
async def test_if_match(tag, client):
    answer = await client.put("/v1/policy", content=GOOD, headers={**TOML, "if-match": tag})
    assert answer.status_code == MATCHES[tag], answer.text
    changed = (await client.get("/v1/policy")).headers["etag"] != '"0"'
    assert changed == (answer.status_code == 200)


async def test_not_modified(client):
    for tag, status in (('"0"', 304), ('W/"0"', 304), ('"5", "0"', 304), ('"5"', 200), ("junk", 200)):
        answer = await client.get("/v1/policy", headers={"if-none-match": tag})
        assert answer.status_code == status
        assert answer.headers["etag"] == '"0"'
