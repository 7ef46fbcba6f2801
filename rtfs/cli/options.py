"""Options: argparse whose mistakes name the nearest right thing, and what several commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO, cast

from rtfs.cli.console import Console, UsageError
from rtfs.run import MIB

if TYPE_CHECKING:
    from rtfs.program import FileModules
    from rtfs.security import RuntimeContext

LEVELS: Final = ("pure", "controlled", "full")
BACKENDS: Final = ("python", "interpreter")
#: what a program at a console may do unless told otherwise: nothing of it leaves the run, but text
HARMLESS: Final = frozenset(
    (
        *("ccos.io.print", "ccos.io.println", "ccos.io.log", "ccos.echo"),
        *("ccos.state.kv.get", "ccos.state.kv.put", "ccos.state.counter.inc"),
        *("ccos.system.current-timestamp-ms", "ccos.system.sleep-ms"),
    )
)
#: memory of a run for which neither `--context` nor `--memory` is given, MB
_MEMORY_MB: Final = 1024


class _Unsized(argparse.HelpFormatter):
    """What argparse makes to check each option that is added. Asking for the terminal's size costs 2 ms."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


class Parser(argparse.ArgumentParser):
    """The parser of one command. Raises UsageError where argparse would exit."""

    def __init__(self, command: str, summary: str, examples: Sequence[tuple[str, str]]) -> None:
        width = max((len(example) for example, _ in examples), default=0)
        lines = [f"  {example:{width}}  {meaning}".rstrip() for example, meaning in examples]
        super().__init__(
            prog=f"rtfs {command}",
            description=summary,
            epilog="\n".join(["examples:", *lines]),
            formatter_class=_Unsized,
            allow_abbrev=False,
        )
        self.add_argument("--json", action="store_true", help="print one JSON object on stdout instead of text")

    def format_help(self) -> str:
        """The help, laid out for the terminal."""
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise UsageError: a wrong option is the caller's mistake, reported in one place."""
        raise UsageError(message, hint=f"{self.prog} --help shows what it takes")

    def options(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse `argv`.

        Raises:
            UsageError: with the nearest option if there is one.
        """
        found, unknown = self.parse_known_args(argv)
        if unknown:
            self._refuse(unknown[0])
        return found

    def _refuse(self, word: str) -> NoReturn:
        from rtfs.spell import nearest

        if not word.startswith("-"):
            self.error(f"unexpected argument `{word}`")
        flag = word.partition("=")[0]
        near = nearest(flag, self._option_string_actions) if len(flag) > 2 else None
        raise UsageError(
            f"unknown option `{flag}`",
            hint=f"did you mean `{near}`?" if near else f"{self.prog} --help lists the options",
        )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got `{text}`")
    return value


def _positive_int(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a positive whole number, got `{text}`")
    return value


def one_of(choices: Sequence[str]) -> dict[str, Any]:
    """Settings of an option that takes one of a few words; a wrong one is answered with the nearest."""

    def chosen(text: str) -> str:
        if text in choices:
            return text
        from rtfs.spell import nearest

        near = nearest(text, choices)
        hint = f"; did you mean `{near}`?" if near else ""
        raise argparse.ArgumentTypeError(
            f"expected {', '.join(choices[:-1])} or {choices[-1]}, got `{text}`{hint}"
        )

    return {"type": chosen, "metavar": f"{{{','.join(choices)}}}"}


def add_context(parser: Parser) -> None:
    """The options `--context` and `--allow`."""
    parser.add_argument(
        "--context",
        **one_of(LEVELS),
        help="what the program may do, and its limits: pure nothing, 1 s, 16 MB; "
        "controlled printing, state and time, 5 s, 64 MB; full all this host has, no limits "
        "(default: as controlled, but no deadline and 1 GB)",
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="ID", help="permit one capability more; may be repeated"
    )


def add_limits(parser: Parser) -> None:
    """The options `--deadline`, `--memory` and `--depth`."""
    group = parser.add_argument_group("limits")
    add = group.add_argument
    add("--deadline", type=_positive, metavar="SECONDS", help="stop after this time")
    add("--memory", type=_positive, metavar="MB", help="stop when the program holds more")
    add("--depth", type=_positive_int, metavar="CALLS", help="nested calls that are not tail calls")


def add_path(parser: Parser) -> None:
    """The option `--path`."""
    parser.add_argument(
        "--path",
        action="append",
        metavar="DIR",
        help="where modules are looked for; may be repeated (default: the current directory)",
    )


def add_backend(parser: Parser) -> None:
    """The option `--backend`."""
    parser.add_argument("--backend", **one_of(BACKENDS), default="python", help="how the program is run")


def surroundings(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """What a run gets from the command line: host, context and limits, as the library calls them."""
    from rtfs.host import ConsoleHost

    context = _context(options)
    changes: dict[str, Any] = {}
    if options.context is None:
        changes = {"deadline_s": None, "allocation_bytes": _MEMORY_MB * MIB}
    if options.deadline is not None:
        changes["deadline_s"] = options.deadline
    if options.memory is not None:
        changes["allocation_bytes"] = int(options.memory * MIB)
    if options.depth is not None:
        changes["depth"] = options.depth
    limits = replace(context.limits(), **changes)
    host = ConsoleHost(cast(TextIO, console.program_output))
    return {"host": host, "context": context, "limits": limits}


def modules(options: argparse.Namespace) -> FileModules:
    """The module files that `--path` names."""
    from rtfs.program import FileModules

    for path in options.path or ():
        if not os.path.isdir(path):
            raise UsageError(f"--path {path} is no directory")
    return FileModules(*(options.path or ()))


def _context(options: argparse.Namespace) -> RuntimeContext:
    from rtfs.security import RuntimeContext

    if options.allow and options.context in ("pure", "full"):
        raise UsageError(f"--allow does not go with --context {options.context}")
    if options.context == "pure":
        return RuntimeContext.pure()
    if options.context == "full":
        return RuntimeContext.full()
    return RuntimeContext.controlled(HARMLESS | set(options.allow))
