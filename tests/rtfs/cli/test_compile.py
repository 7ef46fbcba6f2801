from __future__ import annotations

import ast
import base64
import json
from pathlib import Path

import pytest

import rtfs
from rtfs.cli.main import main
from rtfs.ir_codec import content_hash, decode

type Said = pytest.CaptureFixture[bytes]
TEXT = "(defn twice [x] (* 2 x))\n(twice 21)\n"


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "twice.rtfs"
    path.write_text(TEXT)
    return str(path)


def test_ir_is_the_default(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", program]) == 0
    assert "twice" in capsys.readouterr().out


def test_python_is_python(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", program, "--emit", "python"]) == 0
    out = capsys.readouterr().out
    assert "def " in out
    ast.parse(out)


def test_the_hash_is_the_content_hash(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", program, "--emit", "hash"]) == 0
    unit = rtfs.compile(TEXT, source_name=program).unit
    assert capsys.readouterr().out == content_hash(unit) + "\n"


def test_the_binary_form_decodes_to_the_same_unit(program: str, tmp_path: Path) -> None:
    target = tmp_path / "twice.bin"
    assert main(["compile", program, "--emit", "binary", "-o", str(target)]) == 0
    assert decode(target.read_bytes()) == rtfs.compile(TEXT, source_name=program).unit


def test_binary_to_a_pipe_and_in_json_are_the_same(
    program: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["compile", program, "--emit", "binary"]) == 0
    piped = capfdbinary.readouterr().out
    assert main(["compile", program, "--emit", "binary", "--json"]) == 0
    document = json.loads(capfdbinary.readouterr().out)
    assert base64.b64decode(document["binary"]) == piped
    assert document["text"] is None


def test_a_file_that_cannot_be_written(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", program, "-o", "/nowhere/at/all"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_what_is_no_program_is_a_program_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.rtfs"
    path.write_text("(let [x] x)")
    assert main(["compile", str(path)]) == 1
    assert "bad.rtfs:1" in capsys.readouterr().err
