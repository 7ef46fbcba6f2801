"""Tokens: their form, what is kept of them, and their JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from actors.access import token as tokens
from actors.access.token import Token

HASH = "a" * 64
TOKEN = Token(
    id="3f9a1c02b7de",
    name="nightly",
    hash=HASH,
    tenant="acme",
    permissions=frozenset({"b", "a"}),
    capabilities=frozenset({"ccos.echo"}),
    created=1.5,
    expires=2.5,
)


def test_a_token_has_256_bits_of_chance_and_none_is_like_another() -> None:
    made = {tokens.new_secret() for _ in range(50)}
    assert len({token_id for token_id, _ in made}) == len({secret for _, secret in made}) == 50
    assert all(len(bytes.fromhex(secret)) == 32 for _, secret in made)


def test_the_clear_text_names_both_parts() -> None:
    token_id, secret = tokens.new_secret()
    assert tokens.parts(tokens.clear_text(token_id, secret)) == (token_id, secret)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rtfs_",
        f"rtfs_3f9a1c02b7de_{HASH}\n",
        f"rtfs_3f9a1c02b7de_{HASH}0",
        f"rtfs_3F9A1C02B7DE_{HASH}",
        f"RTFS_3f9a1c02b7de_{HASH}",
        f"rtfs_3f9a1c02b7d\uff11_{HASH}",
        HASH,
    ],
)
def test_what_is_no_token(text: str) -> None:
    assert tokens.parts(text) is None


def test_the_secret_is_known_by_its_hash() -> None:
    _, secret = tokens.new_secret()
    assert tokens.hash_of(secret) == hashlib.sha256(secret.encode()).hexdigest()
    token = Token(id="3f9a1c02b7de", name="n", hash=tokens.hash_of(secret), tenant="t")
    assert token.is_secret(secret)
    assert not token.is_secret(tokens.new_secret()[1])


def test_json_and_back() -> None:
    data = json.loads(json.dumps(tokens.to_json(TOKEN)))
    assert data["permissions"] == ["a", "b"]
    assert tokens.from_json(data) == TOKEN
    assert tokens.from_json({"id": TOKEN.id, "name": "n", "hash": HASH, "tenant": "t"}) == Token(
        id=TOKEN.id, name="n", hash=HASH, tenant="t"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": "x"}, "an id of 12 and a hash of 64"),
        ({"hash": "secret in clear"}, "an id of 12 and a hash of 64"),
        ({"tenant": ""}, "a name and a tenant"),
        ({"tenant": None}, "`tenant` must be str, got NoneType"),
        ({"admin": 1}, "`admin` must be bool, got int"),
        ({"created": True}, "`created` must be int or float, got bool"),
        ({"permissions": "ab"}, "`permissions` must be list, got str"),
        ({"permissions": [1]}, "`permissions` must be a list of strings"),
        ({"permission": []}, "unknown keys: permission; known are id, name"),
        ({"level": "ful"}, "no level `ful`; did you mean `full`"),
        ({"level": "full"}, "the level full permits every capability"),
    ],
)
def test_json_that_is_no_token(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        tokens.from_json({**tokens.to_json(TOKEN), **changed})
    assert "secret in clear" not in str(caught.value)


@pytest.mark.parametrize("data", [[], "x", None, {}, {"id": "3f9a1c02b7de"}])
def test_json_that_lacks_the_most(data: object) -> None:
    with pytest.raises(ValueError, match=r"must be a JSON object|missing keys: "):
        tokens.from_json(data)


def test_the_caller_has_what_the_token_has() -> None:
    caller = TOKEN.caller()
    assert (caller.token_id, caller.name, caller.tenant) == (TOKEN.id, "nightly", "acme")
    assert (caller.permissions, caller.capabilities) == (TOKEN.permissions, TOKEN.capabilities)
    assert (caller.level, caller.admin) == ("controlled", False)
