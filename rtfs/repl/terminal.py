"""The prompt at a terminal, and the same session over a pipe."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from rtfs.cli.console import Console
from rtfs.repl.loop import PROMPT, Repl, inputs, ready
from rtfs.version import VERSION

_GREETING = "RTFS {version} · :help for help, Ctrl-D to leave"


def history_path() -> Path | None:
    """Where inputs are kept between sessions (XDG state directory); None for a user who has no folder."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base, "rtfs", "history") if os.path.isabs(base) else None


def talk(repl: Repl, console: Console) -> None:
    """Read inputs with the editor until the user leaves. Ctrl-C ends an evaluation, never the session."""
    from rtfs.repl.editor import Editor

    editor = Editor(is_complete=ready, entries=repl.entries, history=history_path())
    console.say(_GREETING.format(version=VERSION))
    console.out.flush()
    while True:
        try:
            text = editor.read(PROMPT)
        except KeyboardInterrupt:  # the line is given up
            continue
        except EOFError:
            return
        try:
            if not repl.handle(text):
                return
        except KeyboardInterrupt:
            console.note("interrupted")


def listen(repl: Repl, lines: Iterable[str]) -> None:
    """Answer inputs from any source of lines, without prompts."""
    for text in inputs(lines):
        if not repl.handle(text):
            return
