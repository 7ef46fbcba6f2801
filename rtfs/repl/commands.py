"""The commands of the prompt: words that begin with a colon and are no programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rtfs.repl.loop import Repl


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `run` gets the text after its name; it gives False to leave."""

    usage: str
    doc: str
    run: Callable[[Repl, str], bool | None]

    @property
    def takes_program(self) -> bool:
        """Whether what follows is RTFS text."""
        return self.usage == "expr"

    @property
    def needs_text(self) -> bool:
        """Whether it means nothing without text after it."""
        return self.usage != "" and not self.usage.endswith("?")


def parse(text: str) -> tuple[str, str] | None:
    """Name and argument of a command line, None if `text` is a program."""
    words = text.strip().split(None, 1)
    if not words or words[0] not in TABLE:
        return None
    return words[0], words[1] if len(words) > 1 else ""


def run(repl: Repl, name: str, argument: str) -> bool | None:
    """Carry out the command `name`. False to leave."""
    command = TABLE[name]
    if command.needs_text and not argument.strip():
        repl.answers.text(f"usage: {name} {command.usage}")
        return None
    return command.run(repl, argument)


def _time(repl: Repl, text: str) -> None:
    value, seconds = repl.timed(text)
    repl.answers.value(value)
    repl.answers.text(f"; {_duration(seconds)}")


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _ir(repl: Repl, text: str) -> None:
    from rtfs.ir_text import ir_text

    repl.answers.text(ir_text(repl.session.analyze(text)))


def _py(repl: Repl, text: str) -> None:
    repl.answers.python(repl.session.python_source(repl.session.analyze(text)))


def _type(repl: Repl, text: str) -> None:
    from rtfs.repl.type_of import type_of

    repl.answers.text(type_of(repl.evaluate(text)))


def _doc(repl: Repl, text: str) -> None:
    repl.answers.text(repl.doc(text.strip()))


def _load(repl: Repl, text: str) -> None:
    path = text.strip()
    try:
        with open(path, encoding="utf-8-sig") as file:
            program = file.read()
    except (OSError, ValueError) as error:
        repl.answers.text(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
        return
    repl.answers.value(repl.evaluate(program, path))


def _reset(repl: Repl, text: str) -> None:
    repl.reset()
    repl.answers.text("a new session")


def _quit(repl: Repl, text: str) -> bool:
    return False


def _help(repl: Repl, text: str) -> None:
    if text.strip():
        repl.answers.text(repl.doc(text.strip()))
        return
    width = max(len(f"{name} {command.usage}") for name, command in TABLE.items())
    lines = [f"  {f'{name} {command.usage}':{width}}  {command.doc}" for name, command in TABLE.items()]
    repl.answers.text("\n".join([*lines, "", *_HINTS]))


_HINTS: Final = (
    "  (doc name)     what a name means          (source name)  how it was defined here",
    "  *1 *2 *3       the last values            *e             the last error",
    "  Enter answers a closed form, else starts a line; Alt-Enter starts one anywhere",
    "  Tab completes; Ctrl-R searches the history; Ctrl-C interrupts; Ctrl-D leaves",
)

TABLE: Final[dict[str, Command]] = {
    ":help": Command("name?", "this list, or what a name means", _help),
    ":doc": Command("name", "what a name means", _doc),
    ":time": Command("expr", "the value, and how long it took", _time),
    ":type": Command("expr", "the type of the value", _type),
    ":ir": Command("expr", "the intermediate representation; nothing runs", _ir),
    ":py": Command("expr", "the Python code; nothing runs", _py),
    ":load": Command("file", "evaluate a file in this session", _load),
    ":reset": Command("", "forget all definitions", _reset),
    ":quit": Command("", "leave", _quit),
}
