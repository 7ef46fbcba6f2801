"""`rtfs models bench`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from cluster.cli import model_bench
from cluster.cli.model_choice import Choice
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]

POLICY = """\
[delegation.local_models]
mood = { path = "./mood.rules" }
failing = { kind = "echo", fail_rate = 1.0 }
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rules = "default calm 0.5\n[calm]\n1 word ok fine\n[cross]\n3 word bad awful\n"
    Path("mood.rules").write_text(rules, encoding="utf-8")
    Path("delegation.toml").write_text(POLICY, encoding="utf-8")


def test_a_model_is_measured(capsys: Said) -> None:
    assert main(["models", "bench", "mood", "--seconds", "0.02"]) == 0
    heads, *rows = capsys.readouterr().out.splitlines()
    assert heads.split()[:4] == ["BATCH", "TIMES", "P50", "P99"]
    assert [row.split()[0] for row in rows] == ["1", "4", "16", "64", "256"]
    assert main(["models", "bench", "mood", "--seconds", "0.02", "--json"]) == 0
    for each in json.loads(capsys.readouterr().out)["sizes"]:
        assert 0 < each["p50_ms"] <= each["p99_ms"]
        assert each["per_second"] > 0
        assert each["failed"] == 0


def test_a_model_that_answers_nothing_is_not_measured(capsys: Said) -> None:
    assert main(["models", "bench", "failing", "--seconds", "0.02", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "server-error"


def test_each_text_is_another_one() -> None:
    options = Namespace(type=None, doc=None, name="f", action="bench")
    choice = Choice("local-mood", "rules", None, None)
    requests = model_bench._requests("order {}", choice, options)
    assert [next(requests).args for _ in range(3)] == [("order 1",), ("order 2",), ("order 3",)]


def test_an_interrupt_ends_it() -> None:
    program = "import sys; from rtfs.cli.main import main; sys.exit(main())"
    words = [sys.executable, "-c", program, "models", "bench", "mood", "--seconds", "60"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "batches of 1 for 60 s …\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told == "\ninterrupted\n"
