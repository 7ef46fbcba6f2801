"""`rtfs cache export`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.caches.l2 import rows, survey
from rtfs.program import evaluate
from rtfs.values import Keyword, Map, Set, Vector, equal

ROOT = Path(__file__).resolve().parents[3]


def test_a_line_for_each_answer_that_has_not_expired(mails: Path, cache: Any) -> None:
    code, out, err = cache("export")
    assert (code, err) == (0, "")
    found = [json.loads(line) for line in out.splitlines()]
    assert [each["function"] for each in found] == ["mail/parts", "mail/subject"] + ["mail/mood"] * 3
    first = found[0]
    assert (first["value"], first["text"], first["type"]) == ({"to": "ada"}, '{:to "ada"}', "map")
    assert (first["model"], first["version"][:4], first["tenant"]) == ("remote-large", "2b9d", "acme")
    assert first["expires_at"] - first["created_at"] == pytest.approx(7200)
    assert len(bytes.fromhex(first["key"])) == 32
    assert len(bytes.fromhex(first["input"])) == 16


def test_filters(mails: Path, cache: Any) -> None:
    assert len(cache("export", "--model", "small", "--tenant", "acme")[1].splitlines()) == 2
    code, out, err = cache("export", "--model", "smal")
    assert (code, out) == (2, "")
    assert "did you mean `local-small`?" in err


@pytest.mark.parametrize(
    "value",
    [
        None,
        1.5,
        float("inf"),
        "a\ud800 lone \x1b[2J one\n",
        Keyword.of("k"),
        Vector([1, Vector(["x"])]),
        Set([1, 2]),
        Map({Keyword.of("a"): 1, "a": 2}),
        Map({1: Vector([None, True])}),
    ],
)
def test_the_text_reads_back_whatever_json_makes_of_the_value(
    value: Any, fill: Any, put: Any, cache: Any
) -> None:
    fill(put(value))
    out = cache("export")[1]
    assert out.isascii()
    (line,) = out.splitlines()
    text = json.loads(line)["text"]
    if value != float("inf"):  # which has no text of its own
        assert equal(evaluate(text), value)


def test_a_file_is_written_whole(mails: Path, cache: Any, tmp_path: Path) -> None:
    output = tmp_path / "answers.jsonl"
    code, out, err = cache("export", "--output", str(output))
    assert (code, out, err) == (0, "", f"5 answers in {output}\n")
    assert output.read_text("utf-8") == cache("export")[1]
    assert output.stat().st_mode & 0o777 == 0o600
    document = json.loads(cache("export", "--output", str(output), "--json", "--model", "small")[1])
    assert (document["answers"], document["damaged"], document["output"]) == (3, 0, str(output))
    assert len(output.read_text("utf-8").splitlines()) == 3


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_file_is_not_written_in_part(
    failure: Any, mails: Path, cache: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "answers.jsonl"
    output.write_text("before\n", encoding="ascii")
    original = survey.Row.value
    told: list[int] = []

    def value(row: survey.Row) -> Any:
        told.append(1)
        if len(told) == 3:
            raise failure
        return original(row)

    monkeypatch.setattr(survey.Row, "value", value)
    code, _, err = cache("export", "--output", str(output))
    assert code == (130 if failure is KeyboardInterrupt else 2)
    assert ("No space left on device" in err) == (code == 2)
    assert output.read_text("ascii") == "before\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_files_that_cannot_be_written(mails: Path, cache: Any, tmp_path: Path) -> None:
    for path, why in (
        (tmp_path, "is no file"),
        (tmp_path / "no" / "x", "No such file"),
        ("/dev/null", "is no file"),
    ):
        code, out, err = cache("export", "--output", str(path))
        assert (code, out) == (2, "")
        assert why in err
    assert not os.path.isfile("/dev/null")


def test_json_needs_a_file(mails: Path, cache: Any) -> None:
    code, out, _ = cache("export", "--json")
    assert code == 2
    assert "--json needs --output FILE" in json.loads(out)["error"]["message"]


def test_damaged_answers_are_left_out_and_said(mails: Path, cache: Any, tmp_path: Path) -> None:
    path = mails / rows.DATA_FILE
    path.write_bytes(path.read_bytes().replace(b"cross", b"crass"))
    code, out, err = cache("export")
    assert (code, len(out.splitlines())) == (1, 4)
    assert err == "1 answer damaged and left out; `rtfs cache verify` says more\n"
    code, out, _ = cache("export", "--output", str(tmp_path / "x"), "--json")
    assert (code, json.loads(out)["damaged"]) == (1, 1)


def test_of_nothing(fill: Any, cache: Any) -> None:
    fill()
    assert cache("export") == (0, "", "")


def test_little_of_it_is_held_at_a_time(
    fill: Any, put: Any, cache: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(*(put("x" * 5_000 + str(i), i) for i in range(60)))
    monkeypatch.setattr(survey, "_PORTION", 10)
    held: list[int] = []
    original = survey.L2Survey._portion

    def portion(self: survey.L2Survey, *args: Any) -> Any:
        found = original(self, *args)
        held.append(len(found))
        return found

    monkeypatch.setattr(survey.L2Survey, "_portion", portion)
    assert len(cache("export")[1].splitlines()) == 60
    assert held == [10] * 6


def test_a_reader_that_goes_away_ends_it(fill: Any, put: Any, state: Path) -> None:
    fill(*(put("x" * 200 + str(i), i) for i in range(800)))
    code = "import sys; from rtfs.cli.main import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "cache", "export"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == b""
    process.stderr.close()
