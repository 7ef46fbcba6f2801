from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from rtfs.cli.main import main
from rtfs.emit_wasm.artifact import WasmArtifact

type Said = pytest.CaptureFixture[str]
TEXT = "(defn twice [x] (* 2 x))\n(defn shout [s]\n  (upper s))\n"


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "twice.rtfs"
    path.write_text(TEXT)
    return str(path)


def test_a_module_in_a_file(program: str, tmp_path: Path, capsys: Said) -> None:
    target = tmp_path / "twice.wasm"
    assert main(["compile", program, "--target", "wasm", "-o", str(target)]) == 0
    assert [each.name for each in WasmArtifact.of_module(target.read_bytes()).functions] == ["twice"]
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "1 of 2 functions is WebAssembly\n"


def test_why(program: str, capsys: Said) -> None:
    assert main(["compile", program, "--target", "wasm", "--why"]) == 0
    wasm, python = capsys.readouterr().out.splitlines()
    assert wasm == "twice  wasm  [int] → int"
    assert python == f"{program}:3:3: shout stays with Python: `upper`: this builtin has no wasm form"


def test_json(program: str, capsys: Said) -> None:
    assert main(["compile", program, "--target", "wasm", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["functions"] == [{"name": "twice", "params": ["int"], "result": "int"}]
    (refusal,) = document["refusals"]
    assert (refusal["function"], refusal["construct"], refusal["line"]) == ("shout", "`upper`", 3)
    assert base64.b64decode(document["binary"]).startswith(b"\0asm")


def test_why_in_json_has_no_module(program: str, capsys: Said) -> None:
    assert main(["compile", program, "--target", "wasm", "--why", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["binary"] is None
    assert document["refusals"]


def test_a_program_without_any_is_no_module(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "plain.rtfs"
    path.write_text("(defn f [s] (upper s))")
    target = tmp_path / "plain.wasm"
    assert main(["compile", str(path), "--target", "wasm", "-o", str(target)]) == 1
    assert not target.exists()
    assert "0 of 1 functions are WebAssembly" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--why"], "--why tells about a --target"),
        (["--target", "wasm", "--emit", "ir"], "give --emit or --target, not both"),
        (["--target", "wasn"], "wasm"),
    ],
)
def test_misuse(program: str, options: list[str], message: str, capsys: Said) -> None:
    assert main(["compile", program, *options]) == 2
    assert message in capsys.readouterr().err
