"""`rtfs runtime`, as far as no Ray is needed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.service import PolicyChange, PolicyView
from cluster.cli import place, runtime
from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]

POLICY = PolicyView(version="e604d72f30451234", text="", source="/p/new.toml", number=7)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["push"], "required: FILE"),
        (["push", "nowhere.toml"], "no such file"),
        (["start", "--evaluators", "0"], "expected a number from 1 to 1000"),
        (["start", "--address", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
        (["status", "--address", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
        (["stop", "--name", "a b"], "expected a runtime's name"),
    ],
)
def test_misuse(words: list[str], message: str, tmp_path: Path, monkeypatch: Any, capsys: Said) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["runtime", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_one_that_is_served_is_ended_by_whoever_serves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setenv("RTFS_STATE_DIR", str(tmp_path))
    there = place.Place(pid=os.getpid(), address="127.0.0.1:1", url="", jobs="", state_dir="")
    place.note("default", os.environ, there)
    assert main(["runtime", "stop"]) == 2
    assert f"process {os.getpid()} serves the runtime `default`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "code", "out", "err"),
    [
        (PolicyChange(policy=POLICY, swapped=True, changes=("~ a = 1 → 2",)), 0, "~ a = 1 → 2\n", "in force: "),
        (PolicyChange(policy=POLICY, swapped=False), 0, "", "nothing changes; in force: "),
        (
            PolicyChange(policy=POLICY, swapped=False, problems=("x:1: error: no",)),
            1,
            "x:1: error: no\n",
            "refused; ",
        ),
    ],
)
def test_what_became_of_a_policy(
    change: PolicyChange, code: int, out: str, err: str, console: Callable[..., Any]
) -> None:
    said = console()
    assert runtime._show_change(change, said.console) == code
    assert said.out.getvalue() == out
    assert said.err.getvalue().startswith(err)
    assert "/p/new.toml, version e604d72f3045, number 7" in said.err.getvalue()
    said = console(json=True)
    runtime._show_change(change, said.console)
    document = json.loads(said.out.getvalue())
    assert document["policy"] == {"source": "/p/new.toml", "version": POLICY.version, "number": 7}
    assert document["problems"] == list(change.problems)
