"""`rtfs cache get`: single answers."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cluster.cli.cache_choice import add_filters, given, which_of
from cluster.cli.cache_source import count, opened, parser_of
from cluster.cli.cache_text import about, counted, one_line, pairs, value_fields, value_text
from cluster.cli.ticket_text import aligned
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.caches.l2.survey import L2Survey, Row
    from actors.caches.layer import Which
    from rtfs.values import Value

_USUALLY_SHOWN: Final = 10


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs cache get`."""
    examples = (
        "rtfs cache get --function mail/subject --args '[\"Dear all\"]'",
        "rtfs cache get --key 3f9a1c02",
        "rtfs cache get --model small --limit 3",
    )
    parser = parser_of("get", "Answers that are kept and have not expired, newest first.", examples)
    add_filters(parser)
    parser.add_argument(
        "--limit",
        type=count,
        default=_USUALLY_SHOWN,
        metavar="N",
        help="at most so many (default: %(default)s)",
    )
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Show answers."""
    with opened(options) as survey:
        now_us = survey.now_us()
        found, has_more = _found(survey, which_of(options, survey), options, now_us)
        damaged = survey.damaged
    if not console.json:
        for number, (row, value) in enumerate(found):
            if number:
                console.say("")
            for line in aligned([("value", value_text(value)), *pairs(row, now_us)]):
                console.show_text(line)
        if has_more:
            console.note(f"there are more; --limit {options.limit * 10} shows them")
        if damaged:
            console.note(f"{counted(damaged, 'answer')} damaged; `rtfs cache verify` says more")
    fields = {
        "answers": [_fields(row, value, now_us) for row, value in found],
        "more": has_more,
        "damaged": damaged,
    }
    return console.finish(Exit.VALUE, fields)


def _found(
    survey: L2Survey, which: Which, options: Namespace, now_us: int
) -> tuple[list[tuple[Row, Value]], bool]:
    """Answers, and whether there are more.

    Raises:
        UsageError: there is none.
    """
    from actors.caches.l2.payload import Damaged

    found: list[tuple[Row, Value]] = []
    expired = 0
    for row in survey.rows(which, values=True):
        if row.record.expires_us <= now_us:
            expired += 1
            continue
        if len(found) == options.limit:
            return found, True
        try:
            found.append((row, row.value()))
        except Damaged:
            survey.damaged += 1
    if not found:
        raise _nothing(options, expired, survey.damaged)
    return found, False


def _nothing(options: Namespace, expired: int, damaged: int) -> UsageError:
    what = " ".join(f"{flag} {one_line(getattr(options, flag[2:]))}" for flag in given(options))
    message = f"there is no answer with {what}" if what else "nothing is kept"
    if expired:
        message += f" that has not expired: {counted(expired, 'answer')} did"
    if damaged:
        return UsageError(
            f"{message}; {counted(damaged, 'answer')} damaged", hint="`rtfs cache verify` says more"
        )
    return UsageError(message, hint="`rtfs cache stats` shows what there is")


def _fields(row: Row, value: Value, now_us: int) -> dict[str, Any]:
    record = row.record
    return {
        **value_fields(value),
        "tier": "l2-cold",
        "age_s": max(0, now_us - record.created_us) / 1e6,
        "expires_in_s": (record.expires_us - now_us) / 1e6,
        **about(row),
    }
