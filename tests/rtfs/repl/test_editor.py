"""The editor, driven by keys through a pipe as a terminal would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from rtfs.repl.editor import Editor, NameCompleter, RtfsLexer, history_in
from rtfs.repl.loop import ready
from rtfs.repl.names import Entry

ENTRIES = [
    Entry("map", "(map f coll & more)", "Apply f.\nMore.", "builtin"),
    Entry("mapcat", "(mapcat f coll)", "Apply and join.", "builtin"),
    Entry("zipmap", "(zipmap ks vs)", "A map.", "builtin"),
    Entry(":time", ":time expr", "How long.", "command"),
]


def typed(keys: str, count: int = 1) -> list[str]:
    """The inputs that the editor returns for these keys."""
    with create_pipe_input() as pipe:
        pipe.send_text(keys)
        editor = Editor(
            is_complete=ready, entries=lambda: ENTRIES, history=None, input=pipe, output=DummyOutput()
        )
        return [editor.read("> ") for _ in range(count)]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("(+ 1 2)\r", "(+ 1 2)"),
        ("(+ 1\r2)\r", "(+ 1\n  2)"),
        ("(let [a 1\rb 2]\ra)\r", "(let [a 1\n      b 2]\n  a)"),
        ('(str "a\rb")\r', '(str "a\nb")'),
        ("1\x1b\r2\r", "1\n2"),
        (":time (+ 1\r2)\r", ":time (+ 1\n        2)"),
        ("(+ 1 2))\r", "(+ 1 2))"),
        ("#| c\r |# 1\r", "#| c\n |# 1"),
    ],
)
def test_enter_submits_what_is_complete_and_indents_what_is_not(keys: str, text: str) -> None:
    assert typed(keys) == [text]


def test_two_inputs() -> None:
    assert typed("1\r(f\rx)\r", 2) == ["1", "(f\n  x)"]


def test_ctrl_d_leaves() -> None:
    with pytest.raises(EOFError):
        typed("\x04")


def test_ctrl_c_gives_the_line_up() -> None:
    with pytest.raises(KeyboardInterrupt):
        typed("(+ 1\x03")


def completions(text: str) -> list[tuple[str, str, str]]:
    found = NameCompleter(lambda: ENTRIES).get_completions(Document(text), CompleteEvent())
    return [(each.text, each.display_text, each.display_meta_text) for each in found]


def test_completion_shows_the_call_and_the_first_line_of_its_documentation() -> None:
    assert completions("(mapc") == [("mapcat", "(mapcat f coll)", "Apply and join.")]


def test_names_that_begin_so_come_before_names_that_contain_it() -> None:
    assert [text for text, _, _ in completions("(map")] == ["map", "mapcat", "zipmap"]


@pytest.mark.parametrize(("text", "names"), [(":ti", [":time"]), ("(f :ti", []), ("(", []), ("(x ", [])])
def test_commands_complete_only_at_the_beginning(text: str, names: list[str]) -> None:
    assert [name for name, _, _ in completions(text)] == names


@pytest.fixture
def texts() -> Iterator[str]:
    return iter(['(def a "x\ny") ; z', "", "\n\n(", '"open\n'])


def test_colours_cover_every_line(texts: Iterator[str]) -> None:
    for text in texts:
        line_of = RtfsLexer().lex_document(Document(text))
        shown = ["".join(piece[1] for piece in line_of(i)) for i in range(text.count("\n") + 1)]
        assert "\n".join(shown) == text


def test_a_very_long_text_is_shown_plain() -> None:
    text = "(a)\n" * 20_000
    assert RtfsLexer().lex_document(Document(text))(1) == [("", "(a)")]


def test_history_is_private_and_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "state" / "rtfs" / "history"
    assert isinstance(history_in(path), FileHistory)
    assert path.stat().st_mode & 0o077 == 0
    (tmp_path / "file").write_text("")
    assert isinstance(history_in(tmp_path / "file" / "history"), InMemoryHistory)
    assert isinstance(history_in(None), InMemoryHistory)
