"""What the README shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from rtfs.cli.main import COMMANDS, main
from rtfs.repl.loop import Repl, inputs
from rtfs.session import Session

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_python_example(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [text for language, text in BLOCKS if language == "python" and "Runtime" not in text]
    scope: dict[str, Any] = {}
    checked = 0
    pending: list[str] = []
    for line in code.splitlines():
        expression, mark, expected = line.partition("  # ")
        if mark and not expression.startswith(" "):
            exec("\n".join(pending), scope)
            pending = []
            assert eval(expression, scope) == eval(expected), line
            checked += 1
        else:
            pending.append(expression)
    exec("\n".join(pending), scope)
    assert checked == 3
    assert capsys.readouterr().out == "Resource budget exhausted: deadline (policy: 0.1 s)\n"


def shell_lines() -> list[tuple[str, str]]:
    """Command lines of `rtfs` that are shown with what they print."""
    blocks = [text for _, text in BLOCKS if text.startswith("$ .venv/bin/rtfs ") and "rtfs> " not in text]
    assert len(blocks) == 2
    parts = [
        part for block in blocks for part in re.split(r"^\$ \.venv/bin/rtfs ", block, flags=re.MULTILINE)[1:]
    ]
    return [(command, out) for command, _, out in (part.partition("\n") for part in parts)]


@pytest.mark.parametrize(("command", "out"), shell_lines())
def test_the_shell_examples(
    command: str, out: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(command)
    assert words[0] in COMMANDS
    if not all(Path(word.partition("@")[2]).exists() for word in words if "=@" in word):
        pytest.skip("this machine has no such log")
    assert main(words) == 0
    if out:
        assert capsys.readouterr().out == out


class Answers:
    def __init__(self) -> None:
        self.said: list[str] = []

    def value(self, value: Any) -> None:
        from rtfs.printer import pretty

        self.said.append(pretty(value))

    def error(self, error: Any, text: str | None) -> None:
        raise error

    def text(self, text: str) -> None:
        self.said.append(text)

    python = text


def test_the_prompt_example() -> None:
    (block,) = [text for _, text in BLOCKS if "rtfs> " in text]
    answers = Answers()
    repl = Repl(Session, answers)
    shown = []
    for part in block.split("rtfs> ")[1:]:
        typed, _, answer = part.partition("\n")
        for text in inputs([typed]):
            repl.handle(text)
        shown.append(answer.rstrip("\n"))
    assert answers.said == shown
