"""Who is let in."""

from __future__ import annotations

import logging
import os
import pickle
from pathlib import Path

import pytest

from actors.access.caller import LOCAL_USER
from actors.access.errors import AccessDenied, NotAllowed
from actors.access.gate import AddressNeedsTokens, Gate, is_loopback
from actors.access.store import TokenStore

HERE = "127.0.0.1"


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.jsonl", clock=lambda: 1_000.0)


def denied(gate: Gate, authorization: str | None, peer: str | None = HERE, host: str | None = None) -> str:
    with pytest.raises(AccessDenied) as caught:
        gate.caller(authorization, peer, host)
    assert caught.value.status == 401
    if authorization is not None:
        for word in authorization.split():
            assert word.lower() == "bearer" or word not in str(caught.value)
    return caught.value.code


def test_a_good_token_lets_its_caller_in(store: TokenStore) -> None:
    token, clear = store.create(name="nightly", tenant="acme", permissions=["reports"])
    gate = Gate(store)
    assert not gate.is_open()
    for header in (f"Bearer {clear}", f"bearer  {clear} "):
        assert gate.caller(header, "203.0.113.9", "rtfs.example.com") == token.caller()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "missing-token"),
        ("", "malformed-header"),
        ("Bearer", "malformed-header"),
        ("Bearer ", "malformed-header"),
        ("Basic dXNlcjpwYXNzd29yZA==", "malformed-header"),
        ("rtfs_3f9a1c02b7de_0000", "malformed-header"),
        ("Bearer swordfish-and-more", "malformed-token"),
        ("Bearer rtfs_3f9a1c02b7de_" + "0" * 63, "malformed-token"),
        ("Bearer rtfs_3f9a1c02b7de_" + "0" * 64 + " x", "malformed-token"),
        ("Bearer rtfs_3f9a1c02b7de_" + "0" * 64, "unknown-token"),
        ("Bearer " + "x" * 100_000, "malformed-token"),
        ("Bearer \udcff\u0661" + "0" * 64, "malformed-token"),
    ],
)
def test_why_a_header_is_not_good(store: TokenStore, header: str | None, code: str) -> None:
    store.create(name="nightly", tenant="acme")
    assert denied(Gate(store), header) == code


def test_revoked_and_expired_tokens_say_so_to_those_who_hold_them(store: TokenStore) -> None:
    revoked, clear_revoked = store.create(name="a", tenant="t")
    _, clear_expired = store.create(name="b", tenant="t", lifetime_s=60.0)
    store.revoke(revoked.id)
    now = [1_059.0]
    gate = Gate(store, clock=lambda: now[0])
    assert denied(gate, f"Bearer {clear_revoked}") == "revoked-token"
    assert denied(gate, f"Bearer rtfs_{revoked.id}_{'0' * 64}") == "unknown-token"
    assert gate.caller(f"Bearer {clear_expired}", HERE).name == "b"
    now[0] = 1_060.0
    assert denied(gate, f"Bearer {clear_expired}") == "expired-token"


def test_without_tokens_the_same_machine_alone_is_let_in(store: TokenStore) -> None:
    for gate in (Gate(None), Gate(store)):
        assert gate.is_open()
        for peer, host in [(HERE, None), ("::1", "[::1]:8000"), (HERE, "localhost:8000"), (HERE, "127.0.0.1")]:
            assert gate.caller(None, peer, host) == LOCAL_USER
        assert denied(gate, None, "203.0.113.9") == "no-token-configured"
        assert denied(gate, None, None) == "no-token-configured"
        assert denied(gate, None, HERE, "rebound.example.com:8000") == "no-token-configured"


def test_the_first_token_closes_the_service_and_revoking_it_does_not_open_it(store: TokenStore) -> None:
    gate = Gate(store)
    assert gate.caller(None, HERE) == LOCAL_USER
    token, clear = store.create(name="a", tenant="t")
    assert denied(gate, None) == "missing-token"
    store.revoke(token.id)
    assert denied(gate, None) == "missing-token"
    store.path.unlink()
    assert denied(gate, None) == "missing-token"
    assert denied(gate, f"Bearer {clear}") == "unknown-token"


def test_tokens_that_cannot_be_read_let_nobody_in_and_are_logged_once(
    store: TokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    _, clear = store.create(name="a", tenant="t")
    good = store.path.read_bytes()
    store.path.write_bytes(good + b"{")
    gate = Gate(store)
    with caplog.at_level(logging.ERROR, "rtfs.access"):
        assert [denied(gate, f"Bearer {clear}") for _ in range(3)] == ["tokens-unreadable"] * 3
    assert len(caplog.records) == 1
    assert "tokens.jsonl:2: no token" in caplog.text
    store.path.write_bytes(good)
    os.utime(store.path, ns=(1, 1))
    assert gate.caller(f"Bearer {clear}", HERE).name == "a"


def test_a_service_without_tokens_may_listen_on_this_machine_alone(store: TokenStore) -> None:
    gate = Gate(store)
    gate.check_address(HERE)
    for host in ("0.0.0.0", "::", "192.0.2.1", "rtfs.example.com", ""):
        with pytest.raises(AddressNeedsTokens, match=r"create a token, or listen on 127\.0\.0\.1"):
            gate.check_address(host)
    store.create(name="a", tenant="t")
    gate.check_address("0.0.0.0")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("::ffff:192.0.2.1", False),
        ("0.0.0.0", False),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_which_addresses_are_this_machines(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_errors_cross_processes() -> None:
    denial = pickle.loads(pickle.dumps(AccessDenied("expired-token")))
    assert (denial.code, str(denial)) == ("expired-token", "the token has expired; ask for a new one")
    assert pickle.loads(pickle.dumps(NotAllowed(("a", "b")))).problems == ("a", "b")
