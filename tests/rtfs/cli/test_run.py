from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from rtfs.cli.main import main

#: a vector nested 50,000 deep
DEEP = "(loop [i 0 v []] (if (< i 50000) (recur (inc i) [v]) v))"

type Said = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["-e", "(+ 1 2)"], "3\n"),
        (["-e", "nil"], ""),
        (["-e", ""], ""),
        (["-e", '"text"'], '"text"\n'),
        (["-e", '(println "a" :b)'], "a :b\n"),
        (["-e", "(+ n 1)", "--arg", "n=2"], "3\n"),
        (["-e", "(count xs)", "--args-json", '{"xs": [1, 2]}'], "2\n"),
        (["-e", "(get :missing)"], ""),
        (["-e", "(+ 1 2)", "--backend", "interpreter"], "3\n"),
        (["-e", '(call :ccos.system.get-env "RTFS_TEST_WORD")', "--allow", "ccos.system.get-env"], '"here"\n'),
        (["-e", '(call :ccos.system.get-env "RTFS_TEST_WORD")', "--context", "full"], '"here"\n'),
    ],
)
def test_the_value_is_printed_unless_it_is_nil(
    words: list[str], out: str, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTFS_TEST_WORD", "here")
    assert main(["run", *words]) == 0
    assert capsys.readouterr() == (out, "")


def test_a_file(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "plan.rtfs"
    path.write_text("; sum\n(reduce + [1 2 3])\n")
    assert main(["run", str(path)]) == 0
    assert capsys.readouterr().out == "6\n"


@pytest.mark.parametrize("words", [["-"], []])
def test_stdin(words: list[str], capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"(* 6 7)")))
    assert main(["run", *words]) == 0
    assert capsys.readouterr().out == "42\n"


def test_modules_come_from_the_path(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "flat.rtfs").write_text(
        "(module shapes.flat (:exports [area]) (defn area [w h] (* w h)))"
    )
    program = "(import shapes.flat :as flat) (flat/area 2 3)"
    assert main(["run", "--path", str(tmp_path), "-e", program]) == 0
    assert capsys.readouterr().out == "6\n"


def test_an_error_in_a_module_shows_the_module(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "bad.rtfs").write_text("(module bad (:exports [f])\n  (defn f [x] (/ x 0)))")
    assert main(["run", "--path", str(tmp_path), "-e", "(import bad) (bad/f 1)"]) == 1
    err = capsys.readouterr().err
    assert "bad.rtfs:2" in err
    assert "(/ x 0)" in err


@pytest.mark.parametrize(
    ("words", "code", "category", "error_code"),
    [
        (["-e", "(/ 1 0)"], 1, "DivisionByZero", "division-by-zero"),
        (["-e", "(+ 1"], 1, "ParseError", "P008"),
        (["-e", "(pritnln 1)"], 1, "UndefinedSymbol", "undefined-symbol"),
        (["-e", '(println "x")', "--context", "pure"], 1, "SecurityViolation", "security-violation"),
        (["-e", '(call :ccos.system.get-env "HOME")'], 1, "SecurityViolation", "security-violation"),
        (["-e", "(loop [] (recur))", "--deadline", "0.1"], 3, "BudgetExhausted", "budget-exhausted"),
        (["-e", "(defn f [n] (+ 1 (f n))) (f 1)", "--depth", "500"], 3, "StackOverflow", "stack-overflow"),
        (["-e", "(count (range 0 100000000))", "--memory", "20"], 3, "BudgetExhausted", "budget-exhausted"),
    ],
)
def test_errors_have_stable_codes_and_no_traceback(
    words: list[str], code: int, category: str, error_code: str, capsys: Said
) -> None:
    assert main(["run", *words]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err
    assert "Traceback" not in said.err
    assert main(["run", "--json", *words]) == code
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["exit"]) == (False, code)
    assert (document["error"]["category"], document["error"]["code"]) == (category, error_code)


def test_an_error_report_has_place_and_caret(capsys: Said) -> None:
    assert main(["run", "-e", "(+ 1\n   (/ 2 0))"]) == 1
    err = capsys.readouterr().err
    assert "<expression>:2:4" in err
    assert "^^^^^^^" in err
    assert "\x1b" not in err


def test_json_keeps_stdout_for_the_one_object(capsys: Said) -> None:
    assert main(["run", "--json", "-e", '(println "text") {:a [1 2.5 nil] "b" :c}']) == 0
    said = capsys.readouterr()
    assert said.err == "text\n"
    assert json.loads(said.out) == {
        "command": "run",
        "ok": True,
        "exit": 0,
        "value": {"a": [1, 2.5, None], "b": ":c"},
        "text": '{:a [1 2.5 nil] "b" :c}',
        "type": "map",
    }


@pytest.mark.parametrize("expression", ["inc", "##NaN", "##Inf", "[##-Inf]", DEEP])
def test_json_of_what_json_cannot_say_is_null_and_text(expression: str, capsys: Said) -> None:
    assert main(["run", "--json", "-e", expression]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["value"] is None
    assert document["text"]


def test_the_fields_of_an_error_are_stable(capsys: Said) -> None:
    program = '(defn f [x] (throw {:type :odd :message "no"})) (f 1)'
    assert main(["run", "--json", "-e", program]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert set(error) == {
        *("category", "code", "message", "hint", "source", "line", "column", "end_line", "end_column"),
        *("trace", "causes"),
    }
    assert error["source"] == "<expression>"
    assert [frame["function"] for frame in error["trace"]] == ["f"]
