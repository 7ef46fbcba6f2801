"""`rtfs cache purge`: answers are removed."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cluster.cli.cache_choice import NothingOf, add_filters, given, which_of
from cluster.cli.cache_source import folder_of, is_ours, opened, parser_of, purger
from cluster.cli.cache_text import HEADS, about, cells, counted
from cluster.cli.ticket_text import aligned
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.caches.l2.survey import L2Survey, Row
    from actors.caches.layer import Which

#: answers that a dry run shows
_SAMPLE: Final = 10


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs cache purge`."""
    summary = (
        "Remove answers, for good and at once: nothing gives them again, from memory neither. It asks nothing; "
        "--dry-run shows what would go."
    )
    examples = (
        "rtfs cache purge --model small --version 1f0c --dry-run",
        "rtfs cache purge --function mail/subject --tenant acme",
        "rtfs cache purge --all",
    )
    parser = parser_of("purge", summary, examples)
    add_filters(parser)
    parser.add_argument("--all", action="store_true", help="everything that is kept")
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, show what would go")
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Remove answers, or show what would go."""
    _check(options)
    try:
        which = _which(options)
    except NothingOf as nothing:
        return _no_answers(options, nothing, console)
    if options.dry_run and which is not None:
        return _rehearsed(options, which, console)
    with purger(options) as writer:
        gone = writer.clear() if options.all or which is None else writer.invalidate(which)
    if not console.json:
        console.say(f"removed {counted(gone, 'answer')}")
        if which is None:
            console.note("the file was damaged: the cache begins anew")
    return console.finish(Exit.VALUE, {"dry_run": False, "answers": gone, "was_damaged": which is None})


def _check(options: Namespace) -> None:
    """Whether it is said what is to go. Raises UsageError."""
    named = given(options)
    if options.all and named:
        raise UsageError(f"--all does not go with {named[0]}")
    if not options.all and not named:
        hint = "--function, --model, --version, --tenant, --key; --dry-run shows what would go"
        raise UsageError("name what is to be removed, or say --all", hint=hint)


def _which(options: Namespace) -> Which | None:
    """What the options name; None: all of a cache that is damaged, from which nothing could be chosen.

    Raises:
        NothingOf, UsageError: as `which_of`.
    """
    from actors.caches.errors import StoreDamaged

    try:
        with opened(options) as survey:
            return which_of(options, survey)
    except UsageError as error:
        is_damaged = isinstance(error.__cause__, StoreDamaged)
        if is_damaged and options.all and not options.dry_run and is_ours(folder_of(options)):
            return None
        raise


def _no_answers(options: Namespace, nothing: NothingOf, console: Console) -> Exit:
    """What is not there need not be removed; but it may have been a slip."""
    if not console.json:
        console.say(f"{'would remove' if options.dry_run else 'removed'} 0 answers")
        console.note(str(nothing) + (f"; {nothing.hint}" if nothing.hint else ""))
    return console.finish(
        Exit.VALUE,
        {"dry_run": options.dry_run, "answers": 0, "note": str(nothing), "hint": nothing.hint},
    )


# ---------------------------------------------------------------- dry run


def _rehearsed(options: Namespace, which: Which, console: Console) -> Exit:
    with opened(options) as survey:
        now_us = survey.now_us()
        answers, nbytes, sample = _would_go(survey, which)
    if not console.json:
        from actors.models.generation.memory import text_of

        console.say(f"would remove {counted(answers, 'answer')}, {text_of(nbytes)}")
        for line in aligned([HEADS, *(cells(row, now_us) for row in sample)]) if sample else ():
            console.show_text(line)
        if answers > len(sample):
            console.say(f"and {answers - len(sample)} more")
    fields: dict[str, Any] = {
        "dry_run": True,
        "answers": answers,
        "charged_bytes": nbytes,
        "sample": [about(row) for row in sample],
    }
    return console.finish(Exit.VALUE, fields)


def _would_go(survey: L2Survey, which: Which) -> tuple[int, int, list[Row]]:
    """How many answers would go, the bytes that they are charged, and the newest of them."""
    nbytes = answers = 0
    sample: list[Row] = []
    for row in survey.rows(which):
        answers += 1
        nbytes += row.record.charged_bytes
        if len(sample) < _SAMPLE:
            sample.append(row)
    return answers, nbytes, sample
