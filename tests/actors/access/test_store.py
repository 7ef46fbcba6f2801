"""The file of tokens."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from actors.access import token as tokens
from actors.access.errors import TokenStoreError, UnknownToken
from actors.access.store import TokenStore

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access" / "tokens.jsonl"


def test_no_file_is_no_token(path: Path) -> None:
    store = TokenStore(path)
    assert store.listed() == []
    assert not store.is_configured()
    assert not path.parent.exists()


def test_a_token_is_made_once_and_only_its_hash_is_kept(path: Path) -> None:
    store = TokenStore(path, clock=lambda: 1_000.0)
    token, clear = store.create(
        name="nightly", tenant="acme", permissions=["reports"], capabilities=["ccos.echo"], lifetime_s=60.0
    )
    assert (token.created, token.expires) == (1_000.0, 1_060.0)
    assert store.is_configured()
    assert TokenStore(path).listed() == [token] == store.listed()
    found = tokens.parts(clear)
    assert found is not None
    assert token.id == found[0]
    assert token.is_secret(found[1])
    assert found[1] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == ["tokens.jsonl", "tokens.jsonl.lock"]


def test_other_processes_see_changes_without_a_restart(path: Path) -> None:
    serving = TokenStore(path)
    assert not serving.is_configured()
    token, _ = TokenStore(path).create(name="a", tenant="t")
    assert serving.listed() == [token]
    before = serving.current()
    assert serving.current() is before  # nothing is read anew for nothing
    TokenStore(path, clock=lambda: 5.0).revoke(token.id)
    assert [each.revoked for each in serving.listed()] == [5.0]


def test_revoking_keeps_the_first_time_and_the_token(path: Path) -> None:
    times = iter([1.0, 2.0, 3.0])
    store = TokenStore(path, clock=lambda: next(times))
    token, _ = store.create(name="a", tenant="t")
    assert store.revoke(token.id).revoked == 2.0
    assert store.revoke(token.id).revoked == 2.0
    assert store.is_configured()


def test_revoking_what_is_not_there(path: Path) -> None:
    store = TokenStore(path)
    token, _ = store.create(name="a", tenant="t")
    typo = ("0" if token.id[0] != "0" else "1") + token.id[1:]
    with pytest.raises(UnknownToken, match=f"no token `{typo}`; did you mean `{token.id}`?"):
        store.revoke(typo)
    assert store.listed() == [token]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lifetime_s": 0.0}, "more than 0 s, got 0.0"),
        ({"lifetime_s": float("nan")}, "more than 0 s"),
        ({"permissions": "abc"}, "permissions must be a collection of names"),
        ({"capabilities": "abc"}, "capabilities must be a collection of names"),
        ({"name": ""}, "needs a name and a tenant"),
        ({"level": "pure", "capabilities": ["x"]}, "the level pure permits no capability"),
    ],
)
def test_tokens_that_cannot_be(path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenStore(path).create(**{"name": "a", "tenant": "t", **options})  # type: ignore[arg-type]
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not json\n", ":2: no token: it is no JSON"),
        (b"{}\n", ":2: no token: missing keys: id, name, hash, tenant"),
        (b"\xff\xfe\n", ":2: no token: "),
        (b"[" * 100_000 + b"\n", ":2: no token: "),
        (None, ":2: the id `[0-9a-f]{12}` is there twice"),
    ],
)
def test_a_damaged_file_says_where_and_nothing_in_it_is_lost(
    path: Path, content: bytes | None, message: str
) -> None:
    store = TokenStore(path)
    token, _ = store.create(name="a", tenant="t")
    good = path.read_bytes()
    damaged = good + (good if content is None else content)
    path.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(TokenStoreError, match=message):
            store.current()
    with pytest.raises(TokenStoreError, match=message):
        store.create(name="b", tenant="t")
    assert path.read_bytes() == damaged
    path.write_bytes(good + b"\n  \n")
    assert store.listed() == [token]


def test_a_file_that_goes_away_leaves_the_service_closed(path: Path) -> None:
    store = TokenStore(path)
    store.create(name="a", tenant="t")
    store.current()
    path.unlink()
    assert store.listed() == []
    assert store.is_configured()


def test_a_file_that_others_may_write_is_not_trusted(path: Path) -> None:
    store = TokenStore(path)
    store.create(name="a", tenant="t")
    path.chmod(0o620)
    os.utime(path, ns=(1, 1))
    with pytest.raises(TokenStoreError, match=re.escape(f"run `chmod 600 {path}`")):
        store.current()


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(TokenStoreError, match="cannot be read: Is a directory"):
        TokenStore(tmp_path).current()
    (tmp_path / "plain").write_text("")
    with pytest.raises(TokenStoreError, match="cannot be read: Not a directory"):
        TokenStore(tmp_path / "plain" / "tokens").current()
    with pytest.raises(TokenStoreError, match="tokens cannot be kept in"):
        TokenStore(tmp_path / "plain" / "tokens").create(name="a", tenant="t")


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    store = TokenStore(path)
    store.create(name="a", tenant="t")
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    TokenStore(link).create(name="b", tenant="t")
    assert link.is_symlink()
    assert len(store.listed()) == 2


def test_threads_and_processes_lose_none_of_each_others_tokens(path: Path) -> None:
    code = (
        "import sys; from actors.access.store import TokenStore\n"
        "for n in range(5): TokenStore(sys.argv[1]).create(name=f'process-{n}', tenant='t')"
    )
    command = [sys.executable, "-c", code, str(path)]
    others = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    store = TokenStore(path)

    def some() -> None:
        for n in range(5):
            store.create(name=f"thread-{n}", tenant="t")

    threads = [threading.Thread(target=some) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0]
    assert len(store.listed()) == 20
