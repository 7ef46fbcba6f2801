"""`rtfs doctor`: lines, advice and exit code."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from cluster.cli.checks import CHECKS
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RTFS_TOKENS_FILE", str(tmp_path / "tokens"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_where_nothing_fails(capsys: Said) -> None:
    assert main(["doctor", "--port", "0"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("ok    python")
    assert said.err.startswith("0 failed, ")
    assert main(["doctor", "--port", "0", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {each["level"] for each in document["checks"]} <= {"ok", "warn"}
    assert len(document["checks"]) >= len(CHECKS)


def test_a_failure_comes_with_advice_and_exit_code_1(capsys: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["doctor", "--port", str(port)]) == 1
    said = capsys.readouterr()
    line = said.out.splitlines().index(f"fail  port       port {port} of 127.0.0.1 is taken by another service")
    assert "→ rtfs serve --port" in said.out.splitlines()[line + 1]
    assert said.err.startswith("1 failed, ")


def test_nothing_is_made(tmp_path: Path, capsys: Said) -> None:
    main(["doctor", "--port", "0"])
    capsys.readouterr()
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_cannot_be(capsys: Said) -> None:
    assert main(["doctor", "--name", "a b"]) == 2
    assert "expected a runtime's name" in capsys.readouterr().err
