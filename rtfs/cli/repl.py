"""`rtfs repl`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit

_EXAMPLES = (
    ("rtfs repl", ""),
    ("rtfs repl --context pure --deadline 5", "each input may take five seconds"),
    ("echo '(+ 1 2)' | rtfs repl", "without a prompt"),
    ("rtfs repl --json", "one JSON object per input, for programs"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs repl`."""
    parser = common.Parser("repl", "Talk to the language at a prompt; `:help` there tells more.", _EXAMPLES)
    common.add_context(parser)
    common.add_limits(parser)
    common.add_path(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Answer inputs until there are no more."""
    from rtfs.repl.answers import JsonAnswers, PeoplesAnswers
    from rtfs.repl.loop import Repl
    from rtfs.repl.terminal import listen, talk
    from rtfs.session import Session

    def new_session() -> Session:
        return Session(**common.surroundings(options, console), modules=common.modules(options))

    repl = Repl(new_session, JsonAnswers(console) if console.json else PeoplesAnswers(console))
    if console.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        listen(repl, sys.stdin)
    else:
        talk(repl, console)
    return Exit.VALUE
