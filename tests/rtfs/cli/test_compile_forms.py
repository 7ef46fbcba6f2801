"""`rtfs compile --target ir` and `source`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rtfs
from rtfs.backends import FORMS
from rtfs.cli.main import main
from rtfs.ir_codec import decode

PLAN = """
(defn double [n : int] : int (* 2 n))
(defn fetch [n]
  (call :web.get n))
"""


@pytest.fixture
def plan(tmp_path: Path) -> str:
    (tmp_path / "plan.rtfs").write_text(PLAN, "utf-8")
    return str(tmp_path / "plan.rtfs")


@pytest.mark.parametrize("target", ["ir", "source"])
def test_why(plan: str, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", plan, "--target", target, "--why"]) == 0
    told = capsys.readouterr()
    first, second = told.out.splitlines()
    assert first.startswith(f"double  {target}  ")
    assert second == f"{plan}:3:1: fetch is no module by itself: `fetch` calls `web.get`"
    assert told.err == "1 of 2 functions can be a module\n"


def test_json(plan: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", plan, "--target", "ir", "--why", "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in about["functions"]] == ["double"]
    assert [(each["function"], each["line"]) for each in about["refusals"]] == [("fetch", 3)]
    assert about["binary"] is None


def test_the_whole_program(plan: str, tmp_path: Path) -> None:
    ir, source = tmp_path / "plan.ir", tmp_path / "plan.zst"
    assert main(["compile", plan, "--target", "ir", "-o", str(ir)]) == 0
    assert decode(ir.read_bytes()) == rtfs.compile(PLAN, source_name=plan).unit
    assert main(["compile", plan, "--target", "source", "-o", str(source)]) == 0
    loaded = FORMS["CompressedRtfsSource"].executor.load(source.read_bytes(), "double")
    assert loaded.function(4) == 8


def test_a_target_that_is_none(plan: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", plan, "--target", "irr"]) != 0
    assert "expected wasm, ir or source, got `irr`" in capsys.readouterr().err
