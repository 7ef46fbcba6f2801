"""`rtfs run`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtfs.cli import options as common
from rtfs.cli.arguments import arguments
from rtfs.cli.console import Console, Exit, UsageError
from rtfs.cli.sources import STDIN, Source, read_program

if TYPE_CHECKING:
    from rtfs.code_cache import CachedProgram
    from rtfs.program import FileModules, LinkedProgram
    from rtfs.values import Value

_EXAMPLES = (
    ("rtfs run hello.rtfs", ""),
    ("rtfs run -e '(+ 1 2)'", "an expression"),
    ("echo '(* 6 7)' | rtfs run -", "a program on stdin"),
    ("rtfs run triage.rtfs --arg lines=@/var/log/syslog", "the text of a file as an argument"),
    ("rtfs run plan.rtfs --arg n=3 --arg who=Ada", "JSON where it is JSON, else a string"),
    ("rtfs run plan.rtfs --args-json '{\"n\": 3}' --json", ""),
    ("rtfs run untrusted.rtfs --context pure --deadline 1 --memory 16", ""),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs run`."""
    parser = common.Parser("run", "Run a program and print its value (nothing for nil).", _EXAMPLES)
    parser.add_argument("file", nargs="?", metavar="FILE", help="the program; `-` is stdin")
    parser.add_argument("-e", "--expression", metavar="EXPR", help="a program text instead of a file")
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value the program finds under NAME: JSON, @FILE for the text of a file, or else a string",
    )
    parser.add_argument("--args-json", metavar="JSON", help="several at once: an object, or @FILE with one")
    common.add_context(parser)
    common.add_limits(parser)
    common.add_path(parser)
    common.add_backend(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Run the program and print its value."""
    from rtfs.errors import RtfsError

    source = _source(options)
    args = arguments(options.arg, options.args_json, console)
    surroundings = common.surroundings(options, console)
    modules = common.modules(options)
    try:
        value = _compiled(source, options, modules).run(args=args, **surroundings)
        return _show(value, console)
    except RtfsError as error:
        return console.fail(error, source)


def _compiled(source: Source, options: Namespace, modules: FileModules) -> CachedProgram | LinkedProgram:
    """The program, ready to run. Files are kept compiled on disk; other texts come once."""
    if options.backend == "python" and options.file not in (None, STDIN):
        from rtfs.code_cache import load_or_compile

        return load_or_compile(source.text, source.name, modules)
    import rtfs

    return rtfs.compile(source.text, source_name=source.name, modules=modules).link(backend=options.backend)


def _source(options: Namespace) -> Source:
    if options.expression is not None:
        if options.file is not None:
            raise UsageError("give a FILE or -e EXPR, not both")
        return Source("<expression>", options.expression)
    if options.file is None:
        if sys.stdin.isatty():
            raise UsageError(
                "no program given", hint="rtfs run FILE, rtfs run -e EXPR, or `rtfs repl` for a prompt"
            )
        return read_program(STDIN)
    return read_program(options.file)


def _show(value: Value, console: Console) -> Exit:
    if console.json:
        from rtfs.cli.results import describe_value

        return console.finish(Exit.VALUE, describe_value(value))
    if value is not None:
        from rtfs.printer import pretty

        console.show_text(pretty(value))
    return console.finish(Exit.VALUE, {})
