"""`rtfs tokens`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from actors.access.gate import Gate
from actors.access.store import TokenStore
from cluster.cli.tokens import tokens_file
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTFS_TOKENS_FILE", str(tmp_path / "tokens"))
    return tmp_path / "tokens"


def made(capsys: Said, *words: str) -> Any:
    assert main(["tokens", "create", "app", "--tenant", "acme", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_token_that_was_made_lets_in(file: Path, capsys: Said) -> None:
    assert main(["tokens", "create", "app", "--tenant", "acme", "--permission", "models.remote"]) == 0
    said = capsys.readouterr()
    caller = Gate(TokenStore(file)).caller(f"Bearer {said.out.strip()}", "10.0.0.1")
    assert (caller.name, caller.tenant, caller.level, caller.admin) == ("app", "acme", "controlled", False)
    assert caller.permissions == {"models.remote"}
    assert "the only time that it is shown" in said.err


def test_its_text_is_shown_once(file: Path, capsys: Said) -> None:
    secret = made(capsys)["token"].rpartition("_")[2]
    assert secret not in file.read_text(encoding="utf-8")
    for words in (["list"], ["list", "--json"]):
        assert main(["tokens", *words]) == 0
        said = capsys.readouterr()
        assert secret not in said.out + said.err
        assert "hash" not in said.out


def test_the_list(file: Path, capsys: Said) -> None:
    assert main(["tokens", "list"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert f"no tokens in {file}" in said.err
    day = time.strftime("%Y-%m-%d", time.gmtime())
    first = made(capsys, "--expires", "49h")["id"]
    second = made(capsys, "--admin", "--level", "full")["id"]
    assert main(["tokens", "revoke", second]) == 0
    assert main(["tokens", "list"]) == 0
    assert capsys.readouterr().out.replace(time.strftime("%Y-%m-%d", time.gmtime()), day).splitlines() == [
        "ID            NAME  TENANT  LEVEL       ADMIN  CREATED     STATE",
        f"{first}  app   acme    controlled  -      {day}  valid for 2d",
        f"{second}  app   acme    full        yes    {day}  revoked",
    ]


def test_a_revoked_token_lets_nobody_in(file: Path, capsys: Said) -> None:
    from actors.access.errors import AccessDenied

    text = made(capsys)["token"]
    gate = Gate(TokenStore(file))
    assert gate.caller(f"Bearer {text}", "10.0.0.1").name == "app"
    assert main(["tokens", "revoke", text]) == 0  # the whole token names it as well
    with pytest.raises(AccessDenied, match="revoked"):
        gate.caller(f"Bearer {text}", "10.0.0.1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "app"], "required: --tenant"),
        (["create", "", "--tenant", "acme"], "needs a name and a tenant"),
        (["create", "app", "--tenant", "acme", "--level", "ful"], "did you mean `full`?"),
        (["create", "app", "--tenant", "acme", "--level", "pure", "--capability", "crm.*"], "use controlled"),
        (["create", "app", "--tenant", "acme", "--expires", "0d"], "expected a time such as 12h"),
        (["create", "app", "--tenant", "acme", "--expires", "soon"], "got `soon`"),
        (["revoke", "0123456789ab"], "no token `0123456789ab`"),
    ],
)
def test_misuse(words: list[str], message: str, file: Path, capsys: Said) -> None:
    assert main(["tokens", *words]) == 2
    assert message in capsys.readouterr().err
    assert not file.exists() or file.read_text(encoding="utf-8") == ""


def test_a_file_that_is_none(file: Path, capsys: Said) -> None:
    file.write_text("{", encoding="utf-8")
    file.chmod(0o600)
    for words in (["list"], ["create", "app", "--tenant", "acme"], ["revoke", "0123456789ab"]):
        assert main(["tokens", *words]) == 2
        assert f"{file}:1: no token" in capsys.readouterr().err


def test_where_they_are() -> None:
    home = {"HOME": "/home/ada"}
    assert tokens_file(None, home) == Path("/home/ada/.config/rtfs/tokens")
    assert tokens_file(None, {**home, "XDG_CONFIG_HOME": "/etc/ada"}) == Path("/etc/ada/rtfs/tokens")
    assert tokens_file(None, {**home, "RTFS_TOKENS_FILE": "/run/tokens"}) == Path("/run/tokens")
    assert tokens_file("/x/y", {**home, "RTFS_TOKENS_FILE": "/run/tokens"}) == Path("/x/y")
