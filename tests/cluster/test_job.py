"""The entry point of jobs, as far as no Ray is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.job import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required: FILE"),
        (["nowhere.rtfs"], "no such file: nowhere.rtfs"),
        (["plan.rtfs", "--dedline", "3"], "unknown option `--dedline`"),
        (["plan.rtfs", "--arg", "n"], "--arg takes name=value"),
        (["plan.rtfs", "--context", "pure", "--allow", "x"], "--allow does not go with"),
        (["plan.rtfs", "--name", "a/b"], "expected a runtime's name"),
        (["plan.rtfs", "--address", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
    ],
)
def test_misuse_is_told_before_anything_is_started(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.rtfs").write_text("1", encoding="utf-8")
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert main([*words, "--json"]) == 2
    assert message in json.loads(capsys.readouterr().out)["error"]["message"]


def test_help_says_how_it_is_started() -> None:
    command = [sys.executable, "-m", "cluster.job", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m cluster.job")
    assert "--report" not in done.stdout
