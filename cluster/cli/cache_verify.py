"""`rtfs cache verify`: whether what is kept is whole."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cluster.cli.cache_source import folder_of, parser_of, usable
from cluster.cli.cache_text import counted, one_line
from rtfs.cli.console import Console, Exit

if TYPE_CHECKING:
    from actors.caches.l2.verify import Verdict


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs cache verify`."""
    summary = (
        "Look at all that is kept: the structure of the file, each answer and its checksum, and the tables by "
        "which answers are found. Changes nothing. Exit code 1 if something is damaged."
    )
    return parser_of("verify", summary, ("rtfs cache verify", "rtfs cache verify --json")).options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Look at everything, and say what is found."""
    from actors.caches.l2.verify import verify

    folder = folder_of(options)
    with usable(options):
        verdict = verify(folder)
    if not console.json:
        for line in _lines(verdict):
            console.show_text(one_line(line))
        if verdict.damaged:
            console.note(_advice(verdict))
    code = Exit.PROGRAM_ERROR if verdict.damaged else Exit.VALUE
    return console.finish(code, {"folder": str(folder), **_fields(verdict)})


def _lines(verdict: Verdict) -> Iterator[str]:
    from actors.models.generation.memory import text_of

    for key, text in verdict.problems:
        yield text if key is None else f"{key.hex()}: {text}"
    if verdict.damaged > len(verdict.problems):
        yield f"and {verdict.damaged - len(verdict.problems)} more"
    if verdict.left_over:
        rows = ", ".join(f"{more} in `{table}`" for table, more in verdict.left_over.items())
        yield f"left over from answers that are gone, which does no harm: {rows}"
    if not verdict.damaged:
        what = f"{counted(verdict.entries, 'answer')}, {counted(verdict.values, 'shared value')}"
        yield f"all is whole: {what}, {text_of(verdict.file_bytes)}"


def _advice(verdict: Verdict) -> str:
    if any(problem.key is None for problem in verdict.problems):
        return "a runtime that starts has such a file begin anew, and so does `rtfs cache purge --all`"
    them = "it is" if verdict.damaged == 1 else "they are"
    return (
        f"{counted(verdict.damaged, 'answer')} damaged; {them} never given, and replaced when asked for again"
    )


def _fields(verdict: Verdict) -> dict[str, Any]:
    return {
        "entries": verdict.entries,
        "values": verdict.values,
        "file_bytes": verdict.file_bytes,
        "damaged": verdict.damaged,
        "problems": [
            {"key": None if key is None else key.hex(), "message": text} for key, text in verdict.problems
        ],
        "left_over": verdict.left_over,
    }
