"""`rtfs check`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, text_at_fault
from rtfs.cli.sources import Source, read_program
from rtfs.error_json import describe, place

if TYPE_CHECKING:
    from rtfs.check.unit import Problem
    from rtfs.program import FileModules

_EXAMPLES = (
    ("rtfs check plan.rtfs", ""),
    ("rtfs check lib/*.rtfs --json", "for editors and scripts"),
    ("cat plan.rtfs | rtfs check -", "a program on stdin"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs check`."""
    summary = "Find mistakes in programs without running them. Exit code 1 if there is an error."
    parser = common.Parser("check", summary, _EXAMPLES)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a program; `-` is stdin")
    common.add_path(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Check every file and say what is wrong with each."""
    sources = [read_program(path) for path in options.files]
    modules = common.modules(options)
    reports = [_check(source, modules, console) for source in sources]
    found = [problem["severity"] for report in reports for problem in report["problems"]]
    if not console.json:
        counts = [_counted(found.count(severity), severity) for severity in ("error", "warning")]
        console.note(", ".join([_counted(len(reports), "file"), *counts]))
    return console.finish(Exit.PROGRAM_ERROR if "error" in found else Exit.VALUE, {"files": reports})


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _check(source: Source, modules: FileModules, console: Console) -> dict[str, Any]:
    """The JSON report on one program; also shown to people unless they asked for JSON."""
    import rtfs
    from rtfs.check.unit import check_unit
    from rtfs.errors import RtfsError

    try:
        # unoptimised: what is checked is what was written
        unit = rtfs.compile(source.text, source_name=source.name, modules=modules, optimize=False).unit
        problems = check_unit(unit)
    except RtfsError as error:
        if not console.json:
            console.show(error, text_at_fault(error, source))
        problem = {"severity": "error", "source": error.source or source.name, **_fields(describe(error))}
        return {"file": source.name, "ok": False, "problems": [problem]}
    if not console.json:
        for found in problems:
            console.say(_line(source.name, found))
    described = [_describe(found, source.name) for found in problems]
    return {
        "file": source.name,
        "ok": all(each["severity"] != "error" for each in described),
        "problems": described,
    }


def _line(name: str, problem: Problem) -> str:
    """One line, in the form that editors know: `file:line:column: severity: message (code)`."""
    from rtfs.report import visible

    at = f"{name}:{problem.span.line}:{problem.span.column}" if problem.span else name
    hint = f"; {problem.hint}" if problem.hint else ""
    return visible(f"{at}: {problem.severity}: {problem.message}{hint} ({problem.code})")


def _describe(problem: Problem, source: str) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "source": source,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        **place(problem.span),
    }


def _fields(error: dict[str, Any]) -> dict[str, Any]:
    wanted = ("code", "message", "hint", "line", "column", "end_line", "end_column")
    return {name: error[name] for name in wanted}
