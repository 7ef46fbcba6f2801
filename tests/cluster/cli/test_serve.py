"""`rtfs serve`: what it refuses before anything is started, and what it tells."""

from __future__ import annotations

import os
import shlex
import socket
from pathlib import Path

import pytest

from cluster.cli import place, serve
from cluster.cli.serving import Served, Wish
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTFS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("RTFS_TOKENS_FILE", str(tmp_path / "tokens"))


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["--host", "0.0.0.0"],
            "without a token the service listens on this machine alone",
            "rtfs tokens create",
        ),
        (["--port", "70000"], "expected a port from 0 to 65535, got `70000`", "--help"),
        (["--evaluators", "0"], "expected a number from 1 to 1000", "--help"),
        (["--policy", "polcy.toml"], "no such file: polcy.toml", "did you mean `policy.toml`?"),
        (["--name", "a b"], "expected a runtime's name", ""),
        (["--host", "no.such.host.invalid"], "without a token", ""),
        (["--address", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1", "ray start --head"),
        (["--prot", "80"], "unknown option `--prot`", "did you mean `--port`?"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(
    words: list[str], message: str, hint: str, capsys: Said
) -> None:
    Path("policy.toml").write_text("", encoding="utf-8")
    port = [] if any(word in ("--port", "--prot") for word in words) else ["--port", "0"]
    assert main(["serve", *words, *port]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert hint in said.err


def test_a_port_that_is_taken(capsys: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    said = capsys.readouterr()
    assert f"port {port} of 127.0.0.1 is taken by another service" in said.err
    assert f"--port {port + 1}" in said.err


def test_a_second_one_of_the_same_name(capsys: Said) -> None:
    there = place.Place(pid=os.getpid(), address="", url="http://127.0.0.1:8700", jobs="", state_dir="")
    place.note("default", os.environ, there)
    assert main(["serve", "--port", "0"]) == 2
    assert f"process {os.getpid()} serves the runtime `default` already" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--policy", "bad.toml"], []])
def test_a_policy_with_a_mistake_is_told_at_once(words: list[str], capsys: Said) -> None:
    Path("bad.toml" if words else "delegation.toml").write_text(
        "[delegation]\ncache_tl = 1\n", encoding="utf-8"
    )
    assert main(["serve", "--port", "0", *words]) == 1
    said = capsys.readouterr()
    assert "did you mean `cache_ttl`?" in said.out
    assert "starting" not in said.err


WISH = Wish(
    host="127.0.0.1",
    port=8700,
    address=None,
    name="default",
    policy=None,
    evaluators=2,
    state_dir=None,
    tokens=Path("/home/ada/tokens"),
    jobs=True,
)
SERVED = Served(
    url="http://127.0.0.1:8700",
    address="10.0.0.1:6379",
    jobs="http://127.0.0.1:8265",
    state_dir="/state/default",
    policy="/home/ada/delegation.toml",
    version="e604d72f30451234",
    joined=False,
)


@pytest.mark.parametrize("needs_token", [False, True])
def test_the_curl_line_is_one_for_a_shell(needs_token: bool) -> None:
    lines = list(serve._lines(SERVED, WISH, needs_token))
    start = next(number for number, line in enumerate(lines) if "curl" in line)
    end = lines.index("", start)
    words = shlex.split("\n".join(lines[start:end]))
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8700/v1/evaluate"]
    assert words[-2:] == ["-d", '{"source": "(+ a 1)", "args": {"a": 41}}']
    assert ("authorization: Bearer $RTFS_TOKEN" in words) == needs_token
    assert ("only this machine is answered" in "\n".join(lines)) != needs_token
