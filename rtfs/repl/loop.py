"""The session loop: takes inputs, evaluates them, remembers, answers. Knows nothing of terminals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from rtfs import ir
from rtfs.errors import RtfsError
from rtfs.forms import Program
from rtfs.reader import is_complete, read
from rtfs.repl import commands
from rtfs.repl.names import Entry, Names
from rtfs.repl.tokens import indentation
from rtfs.values import ErrorValue, List, Symbol, Value

if TYPE_CHECKING:
    from rtfs.session import Session

PROMPT = "rtfs> "
_RESULTS = ("*1", "*2", "*3")
#: characters that may end an input
_CLOSING = frozenset(')]}"#')


class Answers(Protocol):
    """Where the loop puts its answers."""

    def value(self, value: Value) -> None:
        """The value of an input."""

    def error(self, error: RtfsError, text: str | None) -> None:
        """The error that ended an input. `text`: the input it arose in, if it did in one."""

    def text(self, text: str) -> None:
        """Something to read: documentation, code, figures."""

    def python(self, code: str) -> None:
        """Python code."""


class Repl:
    """One session at a prompt. `new_session` makes an empty one, at the start and for `:reset`."""

    def __init__(self, new_session: Callable[[], Session], answers: Answers) -> None:
        self._new_session = new_session
        self.answers = answers
        self.reset()

    def reset(self) -> None:
        """Forget all definitions and results."""
        self.session = self._new_session()
        self.names = Names(self.session)
        for name in (*_RESULTS, "*e"):
            self.session.define(name, None)

    def handle(self, text: str) -> bool:
        """Answer one input. False if it asks to leave."""
        command = commands.parse(text)
        if command is not None:
            name, argument = command
            return self._guarded(lambda: commands.run(self, name, argument))
        return self._guarded(lambda: self._answer(text))

    def _guarded(self, act: Callable[[], bool | None]) -> bool:
        try:
            return act() is not False
        except RtfsError as error:
            self.session.define("*e", ErrorValue(error))
            self.answers.error(error, self.session.texts.get(error.source or ""))
            return True

    def _answer(self, text: str) -> None:
        unit = self.session.analyze(text)
        program = read(text, unit.source)
        if not program.forms:
            return
        question = self._question(program)
        if question is not None:
            self.answers.text(question)
            return
        self.answers.value(self._run(text, unit, program))

    def evaluate(self, text: str, source: str | None = None) -> Value:
        """Evaluate `text` and remember its value and definitions. `source`: what errors call it."""
        unit = self.session.analyze(text, source)
        return self._run(text, unit, read(text, unit.source))

    def _run(self, text: str, unit: ir.Unit, program: Program) -> Value:
        value = self.session.run(unit)
        self.names.note(text, program)
        self._remember(value)
        return value

    def _remember(self, value: Value) -> None:
        session = self.session
        first, second, third = _RESULTS
        session.define(third, session.lookup(second))
        session.define(second, session.lookup(first))
        session.define(first, value)

    def timed(self, text: str) -> tuple[Value, float]:
        """The value of `text` and the seconds it took."""
        begin = time.perf_counter()
        value = self.evaluate(text)
        return value, time.perf_counter() - begin

    def _question(self, program: Program) -> str | None:
        """The answer to `(doc name)` and `(source name)`, unless the session has functions of these names."""
        form = program.forms[0]
        if len(program.forms) != 1 or type(form) is not List or len(form) != 2:
            return None
        head, about = form
        if type(head) is not Symbol or head.name not in _QUESTIONS or type(about) is not Symbol:
            return None
        if head.name in self.session.names():
            return None
        return _QUESTIONS[head.name](self, about.name)

    def doc(self, name: str) -> str:
        """What `(doc name)` answers."""
        entry = self.names.entry(name)
        if entry is None:
            return self._unknown(name)
        lines = [f"{entry.signature}", *(f"  {line}" for line in entry.doc.splitlines()), f"  [{entry.origin}]"]
        return "\n".join(lines)

    def source(self, name: str) -> str:
        """What `(source name)` answers."""
        text = self.names.source(name)
        if text is not None:
            return text
        entry = self.names.entry(name)
        if entry is None:
            return self._unknown(name)
        return f"{name} has no RTFS source here ({entry.origin})"

    def _unknown(self, name: str) -> str:
        from rtfs.spell import nearest

        near = nearest(name, [entry.name for entry in self.entries()])
        return f"nothing is known about `{name}`" + (f"; did you mean `{near}`?" if near else "")

    def entries(self) -> Iterator[Entry]:
        """Every name that may be typed, commands included."""
        yield from self.names.entries()
        for name, command in commands.TABLE.items():
            yield Entry(name, f"{name} {command.usage}".strip(), command.doc, "command")


_QUESTIONS: dict[str, Callable[[Repl, str], str]] = {"doc": Repl.doc, "source": Repl.source}


def inputs(lines: Iterable[str]) -> Iterator[str]:
    """Group lines into inputs, each as short as it can be while complete. What is left comes last."""
    held: list[str] = []
    in_brackets = False
    for line in lines:
        held.append(line)
        # inside brackets only a line that could close one is worth reading it all again for
        if in_brackets and not any(char in line for char in _CLOSING):
            continue
        text = "".join(held)
        if ready(text):
            held, in_brackets = [], False
            if text.strip():
                yield text
        else:
            in_brackets = indentation(text) > 0
    if held and "".join(held).strip():
        yield "".join(held)


def ready(text: str) -> bool:
    """Whether `text` can be answered as it is: forms that are closed, or a command with such."""
    command = commands.parse(text)
    if command is None:
        return is_complete(text)
    name, argument = command
    return not commands.TABLE[name].takes_program or is_complete(argument)
