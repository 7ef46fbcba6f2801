"""`rtfs fmt`."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError
from rtfs.cli.sources import STDIN, Source, read_program
from rtfs.error_json import describe

_EXAMPLES = (
    ("rtfs fmt plan.rtfs", "the formatted text on stdout"),
    ("rtfs fmt -w lib/*.rtfs", "change the files"),
    ("rtfs fmt --check lib/*.rtfs", "exit code 1 if a file would change"),
    ("rtfs fmt --diff plan.rtfs", "what would change"),
    ("cat plan.rtfs | rtfs fmt", "from stdin to stdout"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs fmt`."""
    parser = common.Parser("fmt", "Put program text in its standard form; comments stay.", _EXAMPLES)
    parser.add_argument(
        "files", nargs="*", default=[STDIN], metavar="FILE", help="a program; `-` or none is stdin"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "-w", "--write", action="store_true", help="change the files that are not in standard form"
    )
    what.add_argument("--check", action="store_true", help="change nothing; exit code 1 if a file would change")
    parser.add_argument("--diff", action="store_true", help="show what would change instead of the text")
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Format every file."""
    files = options.files or [STDIN]
    if options.write and STDIN in files:
        raise UsageError("--write needs files; stdin cannot be changed")
    reports = [_format(read_program(path), options, console) for path in files]
    failed = any(report["error"] for report in reports)
    would_change = options.check and any(report["changed"] for report in reports)
    return console.finish(Exit.PROGRAM_ERROR if failed or would_change else Exit.VALUE, {"files": reports})


def _format(source: Source, options: Namespace, console: Console) -> dict[str, Any]:
    from rtfs.errors import RtfsError
    from rtfs.fmt import format_source

    report: dict[str, Any] = {"file": source.name, "changed": False, "text": None, "error": None}
    try:
        text = format_source(source.text)
    except RtfsError as error:
        error.source = source.name
        report["error"] = describe(error)
        if not console.json:
            console.show(error, source.text)
        return report
    report["changed"] = text != source.text
    report["text"] = text
    if not console.json:
        _tell(source, text, options, console)
    if options.write and report["changed"]:
        _write(source.name, text)
    return report


def _tell(source: Source, text: str, options: Namespace, console: Console) -> None:
    changed = text != source.text
    if options.diff:
        console.out.write(_diff(source, text))
    elif text and not options.check and not options.write:
        console.show_text(text.removesuffix("\n"))
    if changed and options.check:
        console.note(f"{source.name} is not in standard form")
    elif changed and options.write:
        console.note(f"{source.name} changed")


def _diff(source: Source, text: str) -> str:
    from difflib import unified_diff

    before, after = source.text.splitlines(keepends=True), text.splitlines(keepends=True)
    lines = unified_diff(before, after, source.name, f"{source.name} (standard form)")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines)


def _write(path: str, text: str) -> None:
    """Replace the file in one step, so that an interrupt leaves the old one or the new one."""
    target = os.path.realpath(path)
    beside = f"{target}.{os.getpid()}.new"
    try:
        with open(beside, "x", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(beside, os.stat(target).st_mode & 0o7777)
        os.replace(beside, target)
    except OSError as error:
        if os.path.exists(beside):
            os.unlink(beside)
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
