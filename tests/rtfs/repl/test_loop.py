from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rtfs.cli.main import main
from rtfs.errors import RtfsError
from rtfs.printer import pr_str
from rtfs.repl.loop import Repl, inputs, ready
from rtfs.session import Session
from rtfs.values import Value


class Answers:
    """Keeps what the loop says, values as text."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def value(self, value: Value) -> None:
        self.said.append(pr_str(value))

    def error(self, error: RtfsError, text: str | None) -> None:
        self.said.append(f"{error.category} in {text}")

    def text(self, text: str) -> None:
        self.said.append(text)

    python = text


@pytest.fixture
def ask() -> Callable[..., list[str]]:
    """Answers to inputs of one session."""
    answers = Answers()
    repl = Repl(Session, answers)

    def ask(*texts: str) -> list[str]:
        answers.said.clear()
        for text in texts:
            assert repl.handle(text)
        return list(answers.said)

    return ask


type Ask = Callable[..., list[str]]


def test_definitions_last(ask: Ask) -> None:
    ask("(defn f [x] (* x 2))", "(def y 4)", "(defmacro m [x] `(f ~x))")
    assert ask("(f y)", "(m 5)") == ["8", "10"]


def test_the_last_values(ask: Ask) -> None:
    assert ask("1", "2", "3", "[*1 *2 *3]") == ["1", "2", "3", "[3 2 1]"]
    assert ask("(+ 1 (count *1))") == ["4"]


def test_the_last_error_and_a_session_that_goes_on(ask: Ask) -> None:
    assert ask("(/ 1 0)") == ["DivisionByZero in (/ 1 0)"]
    assert ask("(getMessage *e)", "(:type *e)") == ['"Division by zero"', ":division-by-zero"]
    assert ask("(+ 1") == ["ParseError in (+ 1"]
    assert ask("*1") == [":division-by-zero"]


def test_an_error_shows_the_input_it_comes_from(ask: Ask) -> None:
    ask("(defn f [x] (/ x 0))")
    assert ask("(f 1)") == ["DivisionByZero in (defn f [x] (/ x 0))"]


def test_nothing_gives_nothing(ask: Ask) -> None:
    assert ask("", "  \n", "; only a comment") == []


def test_doc_of_builtins_forms_and_own_functions(ask: Ask) -> None:
    ask('(defn area "Of a rectangle.\n  In square units." ([w] (* w w)) ([w h] (* w h)))')
    (builtin, form, own) = ask("(doc inc)", "(doc let)", "(doc area)")
    assert builtin.startswith("(inc x)\n")
    assert "builtin" in builtin
    assert form.startswith("(let [")
    assert own.startswith("(area w) (area w h)\n  Of a rectangle.\n")


def test_source(ask: Ask) -> None:
    ask("1 (defn f\n  [x] ; kept\n  x) 2")
    assert ask("(source f)") == ["(defn f\n  [x] ; kept\n  x)"]
    assert "no RTFS source" in ask("(source inc)")[0]


def test_an_unknown_name_has_a_nearest(ask: Ask) -> None:
    ask("(defn frobnicate [] 1)")
    assert ask("(doc frobnicat)") == ["nothing is known about `frobnicat`; did you mean `frobnicate`?"]


def test_own_functions_of_these_names_win(ask: Ask) -> None:
    ask("(defn doc [x] (+ x 1))", "(def y 1)")
    assert ask("(doc y)") == ["2"]


def test_type_ir_and_py(ask: Ask) -> None:
    assert ask(":type [1 2.5]") == ["[:vector [:union int float]]"]
    ask("(def seen 0)")
    (shown, code) = ask(":ir (def seen (+ 1 2))", ":py (fn [x] (+ x 1))")
    assert "seen" in shown
    assert "def " in code
    assert ask("seen") == ["0"]


def test_time(ask: Ask) -> None:
    value, duration = ask(":time (+ 1 2)")
    assert value == "3"
    assert duration.startswith("; ")
    assert duration.endswith("s")


@pytest.mark.parametrize("name", [":time", ":type", ":ir", ":py", ":load", ":doc"])
def test_a_command_without_what_it_needs_says_so(ask: Ask, name: str) -> None:
    assert ask(name)[0].startswith(f"usage: {name} ")


def test_a_keyword_that_is_no_command_is_a_value(ask: Ask) -> None:
    assert ask(":timer", "(:a {:a 1})") == [":timer", "1"]


def test_load(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "lib.rtfs"
    path.write_text("(defn g [x] (* x 3))\n(g 2)")
    assert ask(f":load {path}", "(g 3)") == ["6", "9"]
    assert "cannot be read" in ask(":load /nowhere/at/all")[0]


def test_reset_forgets(ask: Ask) -> None:
    ask("(def x 1)", ":reset")
    assert ask("x", "*2") == ["UndefinedSymbol in x", "nil"]


def test_help_lists_every_command(ask: Ask) -> None:
    text = ask(":help")[0]
    assert all(name in text for name in (":time", ":ir", ":py", ":type", ":help", ":quit", ":reset", ":load"))


def test_quit_leaves() -> None:
    assert Repl(Session, Answers()).handle(":quit") is False


def test_names_for_completion_start_with_the_own_ones() -> None:
    repl = Repl(Session, Answers())
    repl.handle("(defn zzz [a & more] a)")
    entries = list(repl.entries())
    assert (entries[0].name, entries[0].signature) == ("zzz", "(zzz a & more)")
    names = [entry.name for entry in entries]
    assert {"map", "let", "->>", ":time"} <= set(names)
    assert len(names) == len(set(names))


# ---------------------------------------------------------------- grouping lines


@pytest.mark.parametrize(
    ("lines", "groups"),
    [
        (["1\n", "2\n"], ["1\n", "2\n"]),
        (["(a\n", "b)\n", "c\n"], ["(a\nb)\n", "c\n"]),
        (['"a\n', ")\n", 'b"\n', "c"], ['"a\n)\nb"\n', "c"]),
        (["\n", "; c\n", "1\n"], ["; c\n", "1\n"]),
        (["#| a\n", "(\n", "|#\n", "1"], ["#| a\n(\n|#\n", "1"]),
        (["'\n", "a\n", "b\n"], ["'\na\n", "b\n"]),
        (["(a\n"], ["(a\n"]),
        ([")\n", "1\n"], [")\n", "1\n"]),
        ([":time (f\n", "x)\n"], [":time (f\nx)\n"]),
    ],
)
def test_lines_are_grouped_into_inputs(lines: list[str], groups: list[str]) -> None:
    assert list(inputs(lines)) == groups


@pytest.mark.parametrize(
    ("text", "complete"), [(":load (", True), (":ir (", False), (":quit", True), ("(", False)]
)
def test_ready(text: str, complete: bool) -> None:
    assert ready(text) is complete


# ---------------------------------------------------------------- over a pipe


def piped(text: str, *words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    return main(["repl", *words])


def test_plain_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert piped('(def x\n  20)\n(println "hi")\n(+ x 1)\n(f\n', monkeypatch=monkeypatch) == 0
    said = capsys.readouterr()
    assert said.out == "20\nhi\nnil\n21\n"
    assert "❌" in said.err


def test_json_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert piped("[1 :a]\n(/ 1 0)\n(doc inc)\n", "--json", monkeypatch=monkeypatch) == 0
    value, error, answer = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert value == {"ok": True, "value": [1, ":a"], "text": "[1 :a]", "type": "vector"}
    assert (error["ok"], error["error"]["code"]) == (False, "division-by-zero")
    assert answer["answer"].startswith("(inc x)")


def test_limits_hold_for_each_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert piped("(loop [] (recur))\n7\n", "--deadline", "0.2", monkeypatch=monkeypatch) == 0
    said = capsys.readouterr()
    assert said.out == "7\n"
    assert "deadline" in said.err


def test_a_very_long_value_is_shown_in_part(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert piped("(range 0 100000)\n(count *1)\n", monkeypatch=monkeypatch) == 0
    out = capsys.readouterr().out
    assert "characters in all" in out
    assert len(out) < 30_000
    assert out.endswith("\n100000\n")
