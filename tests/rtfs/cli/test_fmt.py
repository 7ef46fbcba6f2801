from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from rtfs.cli.main import main
from rtfs.fmt import format_source

type Said = pytest.CaptureFixture[str]
UGLY = "(defn   f [x]   ; twice\n(* 2    x)  )"


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "ugly.rtfs"
    path.write_text(UGLY)
    return path


def test_the_formatted_text_goes_to_stdout(ugly: Path, capsys: Said) -> None:
    assert main(["fmt", str(ugly)]) == 0
    assert capsys.readouterr().out == format_source(UGLY)
    assert ugly.read_text() == UGLY


def test_stdin_to_stdout(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert main(["fmt"]) == 0
    assert capsys.readouterr().out == format_source(UGLY)


def test_write_changes_the_file_and_keeps_its_mode(ugly: Path, capsys: Said) -> None:
    ugly.chmod(0o640)
    assert main(["fmt", "--write", str(ugly)]) == 0
    assert ugly.read_text() == format_source(UGLY)
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in ugly.parent.iterdir()] == ["ugly.rtfs"]
    assert "changed" in capsys.readouterr().err
    assert main(["fmt", "--write", str(ugly)]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_changes_nothing(ugly: Path, capsys: Said) -> None:
    assert main(["fmt", "--check", str(ugly)]) == 1
    assert "not in standard form" in capsys.readouterr().err
    assert ugly.read_text() == UGLY
    ugly.write_text(format_source(UGLY))
    assert main(["fmt", "--check", str(ugly)]) == 0


def test_diff(ugly: Path, capsys: Said) -> None:
    assert main(["fmt", "--diff", str(ugly)]) == 0
    out = capsys.readouterr().out
    assert "-(defn   f [x]   ; twice\n" in out
    assert "+(defn f" in out


def test_a_file_that_cannot_be_read_as_rtfs_stays_and_the_others_are_done(
    ugly: Path, tmp_path: Path, capsys: Said
) -> None:
    broken = tmp_path / "broken.rtfs"
    broken.write_text("(a")
    assert main(["fmt", "--write", str(broken), str(ugly)]) == 1
    assert "broken.rtfs:1" in capsys.readouterr().err
    assert (broken.read_text(), ugly.read_text()) == ("(a", format_source(UGLY))


def test_json(ugly: Path, capsys: Said) -> None:
    assert main(["fmt", "--json", str(ugly)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["files"] == [
        {"file": str(ugly), "changed": True, "text": format_source(UGLY), "error": None}
    ]
