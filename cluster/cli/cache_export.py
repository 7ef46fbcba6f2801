"""`rtfs cache export`: answers as JSON lines."""

from __future__ import annotations

import json
import os
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.cli.cache_choice import add_filters, which_of
from cluster.cli.cache_source import opened, parser_of
from cluster.cli.cache_text import about, counted, value_fields
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.caches.l2.survey import L2Survey
    from actors.caches.layer import Which


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs cache export`."""
    summary = (
        "Answers that have not expired, a JSON object a line: value, key, whose it is, and times in seconds "
        "since the epoch. Exit code 1 if damaged ones had to be left out."
    )
    examples = (
        "rtfs cache export --output answers.jsonl",
        "rtfs cache export --function mail/subject | jq .value",
    )
    parser = parser_of("export", summary, examples)
    add_filters(parser)
    parser.add_argument(
        "--output", metavar="FILE", help="write them to a file, whole or not at all (default: stdout)"
    )
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Write answers as they are read."""
    if console.json and options.output is None:
        raise UsageError("--json needs --output FILE: without it stdout is for the answers")
    with opened(options) as survey:
        which = which_of(options, survey)
        with _sink(options, console) as write:
            written = sum(map(write, _lines(survey, which)))
        damaged = survey.damaged
    if damaged:
        console.note(f"{counted(damaged, 'answer')} damaged and left out; `rtfs cache verify` says more")
    elif options.output is not None and not console.json:
        console.note(f"{counted(written, 'answer')} in {options.output}")
    code = Exit.PROGRAM_ERROR if damaged else Exit.VALUE
    return console.finish(code, {"output": options.output, "answers": written, "damaged": damaged})


def _lines(survey: L2Survey, which: Which) -> Iterator[str]:
    """One answer after the other."""
    from actors.caches.l2.payload import Damaged

    now_us = survey.now_us()
    for row in survey.rows(which, values=True):
        if row.record.expires_us <= now_us:
            continue
        try:
            value = row.value()
        except Damaged:
            survey.damaged += 1
            continue
        yield json.dumps({**value_fields(value), **about(row)}, allow_nan=False) + "\n"


@contextmanager
def _sink(options: Namespace, console: Console) -> Iterator[Callable[[str], Any]]:
    """Where lines go. Each is counted as 1."""
    if options.output is None:

        def said(line: str) -> int:
            console.out.write(line)
            return 1

        yield said
        return
    path = Path(options.output)
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file")
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:

            def written(line: str) -> int:
                file.write(line)
                return 1

            yield written
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        raise
