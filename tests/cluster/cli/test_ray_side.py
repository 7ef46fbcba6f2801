"""Addresses, the token and the noise of Ray."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from cluster.cli import ray_side
from rtfs.cli.console import UsageError


def closed_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://127.0.0.1:8265", "got the URL `http://127.0.0.1:8265`"),
        ("head", "expected HOST:PORT of a Ray cluster, or auto, got `head`"),
        (":6379", "got `:6379`"),
        ("head:", "got `head:`"),
        ("head:99999", "got `head:99999`"),
        ("head:٣", "got `head:٣`"),
        ("..:80", "no Ray cluster answers at ..:80"),
    ],
)
def test_what_is_no_address_is_refused(address: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        ray_side.check_address(address)
    assert message in str(refused.value)


def test_somebody_has_to_listen() -> None:
    port = closed_port()
    with pytest.raises(UsageError, match="connection refused"):
        ray_side.check_address(f"127.0.0.1:{port}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        ray_side.check_address(f"127.0.0.1:{server.getsockname()[1]}")
    ray_side.check_address("auto")


@pytest.mark.parametrize("url", ["head:8265", "ftp://head", "http://", "http://[", "http://head:999999"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="expected the URL of job server"):
        ray_side.check_url(url, "job server", "")


def test_a_url_that_nobody_answers() -> None:
    with pytest.raises(UsageError, match=r"there is no job server at .*: connection refused") as refused:
        ray_side.check_url(f"http://127.0.0.1:{closed_port()}", "job server", "start one")
    assert refused.value.hint == "start one"


def test_where_the_token_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ray_side.token_file({}) is None
    assert ray_side.token_file({"RAY_AUTH_TOKEN": "abc"}) == "RAY_AUTH_TOKEN"
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text("abc", encoding="utf-8")
    assert ray_side.token_file({}) == str(file)
    assert ray_side.token_file({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")}) is None


def test_ray_uses_its_token_if_there_is_one_and_nobody_says_otherwise() -> None:
    environ = {"RAY_AUTH_TOKEN": "abc"}
    ray_side.prepare(environ)
    assert environ["RAY_AUTH_MODE"] == "token"
    environ = {"RAY_AUTH_TOKEN": "abc", "RAY_AUTH_MODE": "disabled"}
    ray_side.prepare(environ)
    assert environ["RAY_AUTH_MODE"] == "disabled"


def test_what_ray_prints_is_kept_off_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    out = sys.stdout
    with ray_side.quiet():
        print("(raylet) noise")
        out.write("a result\n")
        with ray_side.silent():
            print("more noise")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a result\n", "(raylet) noise\n")
