from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtfs.cli.main import main

type Said = pytest.CaptureFixture[str]


def test_a_good_program(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "good.rtfs"
    path.write_text("(defn f [x :int] (+ x 1)) (println (f 1))")
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr() == ("", "1 file, 0 errors, 0 warnings\n")


@pytest.mark.parametrize("program", ["(+ 1", "(let [x] x)", "(recur 1)", "(let [x :string 1] x)"])
def test_mistakes_are_found_without_running(program: str, tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "bad.rtfs"
    path.write_text(f'(println "ran")\n{program}')
    assert main(["check", str(path)]) == 1
    said = capsys.readouterr()
    assert "bad.rtfs:2:" in said.out + said.err
    assert "ran" not in said.out.splitlines()
    assert said.err.endswith("1 file, 1 error, 0 warnings\n")


def test_a_finding_is_one_line_that_editors_understand(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "typo.rtfs"
    path.write_text("(prinltn 1)")
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{path}:1:2: warning: ")
    assert out.count("\n") == 1
    assert "println" in out


def test_json_lists_every_file(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "a.rtfs").write_text("1")
    (tmp_path / "b.rtfs").write_text("(")
    assert main(["check", "--json", str(tmp_path / "a.rtfs"), str(tmp_path / "b.rtfs")]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert [(Path(each["file"]).name, each["ok"]) for each in document["files"]] == [
        ("a.rtfs", True),
        ("b.rtfs", False),
    ]
    assert document["files"][1]["problems"][0]["code"] == "P008"
    assert document["files"][1]["problems"][0]["line"] == 1
