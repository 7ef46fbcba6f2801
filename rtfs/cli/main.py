"""`rtfs COMMAND …`: finds the command and runs it."""

from __future__ import annotations

import gc
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Final, Protocol, cast

from rtfs.cli.console import Console, Exit, Output, OutputClosed, UsageError

#: command → (module that implements `Command`, summary)
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("rtfs.cli.run", "run a program and print its value"),
    "repl": ("rtfs.cli.repl", "talk to the language at a prompt"),
    "check": ("rtfs.cli.check", "find mistakes without running"),
    "fmt": ("rtfs.cli.fmt", "put program text in its standard form"),
    "compile": ("rtfs.cli.compile", "show or save what becomes of a program"),
    "explain": ("policies.cli.explain", "say where each function would run, and why"),
    "policy": ("policies.cli.policy", "check, compare and show policies"),
    "models": ("cluster.cli.models", "list, add, try, measure and fetch models"),
    "cache": ("cluster.cli.cache", "look at kept results, remove, verify and export them"),
    "keys": ("cluster.cli.keys", "make and trust keys that sign modules"),
    "modules": ("cluster.cli.modules", "look at signed modules, verify, pin, revoke and remove them"),
    "publish": ("cluster.cli.publish", "sign a program's functions and keep them as modules"),
    "serve": ("cluster.cli.serve", "start a runtime with an HTTP endpoint"),
    "submit": ("cluster.cli.submit", "run a program as a job of a Ray cluster"),
    "tickets": ("cluster.cli.tickets", "list, show, cancel and requeue queued runs"),
    "tokens": ("cluster.cli.tokens", "say who may use the HTTP endpoint"),
    "runtime": ("cluster.cli.runtime", "look at a runtime, change its policy, end it"),
    "doctor": ("cluster.cli.doctor", "find what is in the way on this machine"),
}
#: new objects after which Python looks for garbage; starting makes thousands, and all of them stay
_NEW_OBJECTS: Final = 10_000


class Command(Protocol):
    """What a module in `COMMANDS` offers."""

    def parse(self, argv: Sequence[str]) -> Namespace:
        """The command's options. Raises UsageError."""

    def execute(self, options: Namespace, console: Console) -> Exit:
        """Do it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: this process's) and return its exit code."""
    if argv is not None:
        return _run(list(argv))
    gc.set_threshold(_NEW_OBJECTS)
    code = _run(sys.argv[1:])
    gc.freeze()  # the process ends: a last search for garbage would cost more than a small program
    return code


def _run(words: list[str]) -> int:
    _mend_streams()
    try:
        try:
            code = _dispatch(words)
        finally:
            Output(sys.stdout).flush()
    except OutputClosed as closed:
        _discard_stdout()
        if closed.reason is None:
            return Exit.OUTPUT_CLOSED
        print(f"rtfs: the output could not be written: {closed.reason}", file=sys.stderr)
        return Exit.OUTPUT_FAILED
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except Exception as bug:
        if os.environ.get("RTFS_TRACEBACK"):
            raise
        print(f"rtfs: a bug in rtfs itself: {type(bug).__name__}: {bug}", file=sys.stderr)
        print("  RTFS_TRACEBACK=1 shows where", file=sys.stderr)
        return Exit.BUG
    return code


def _mend_streams() -> None:
    """Give a process that was started without one of its streams an empty one, and messages any encoding."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _dispatch(words: list[str]) -> Exit:
    name = words[0] if words else "--help"
    if name in ("-h", "--help", "help") and len(words) < 2:
        Output(sys.stdout).write(_overview() + "\n")
        return Exit.VALUE if words else Exit.USAGE
    if name == "help":
        name, words = words[1], [words[1], "--help"]
    if name in ("-V", "--version"):
        Output(sys.stdout).write(_version() + "\n")
        return Exit.VALUE
    console = Console.of_process(name if name in COMMANDS else "", json="--json" in words)
    try:
        command = _command(name)
        return command.execute(command.parse(words[1:]), console)
    except UsageError as error:
        return console.misuse(error)
    except SystemExit as stop:  # argparse has printed its help
        return Exit(int(stop.code or 0))


def _command(name: str) -> Command:
    if name not in COMMANDS:
        from rtfs.spell import nearest

        near = nearest(name, COMMANDS)
        if near is None and os.path.exists(name):
            raise UsageError(f"unknown command `{name}`", hint=f"to run that file: rtfs run {name}")
        hint = f"did you mean `{near}`?" if near else f"commands: {', '.join(COMMANDS)}"
        raise UsageError(f"unknown command `{name}`", hint=hint)
    return cast(Command, import_module(COMMANDS[name][0]))


def _overview() -> str:
    width = max(map(len, COMMANDS))
    rows = [f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: rtfs COMMAND …",
            "",
            "RTFS is a small pure Lisp for plans.",
            "",
            "commands:",
            *rows,
            "",
            "`rtfs COMMAND --help` shows options and examples.",
            "exit codes: 0 value, 1 program error, 2 usage, 3 limit, 130 interrupted",
        ]
    )


def _version() -> str:
    from rtfs.version import VERSION

    return f"rtfs {VERSION}"


def _discard_stdout() -> None:
    """Let the interpreter's own last flush of stdout go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):  # a stdout without a descriptor has nothing to flush to
        pass
    finally:
        os.close(nowhere)
