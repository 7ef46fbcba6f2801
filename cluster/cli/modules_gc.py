"""`rtfs modules gc`: what was not used for long is removed."""

from __future__ import annotations

import argparse
import re
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import Final

from cluster.cli.cache_text import counted, one_line
from cluster.cli.model_choice import add_policy
from cluster.cli.modules_source import folder_of, opened, parser_of, trusted
from cluster.cli.modules_text import HEADS, Verdict, described, row, verdict_of
from cluster.cli.ticket_text import aligned
from policies.cli import files
from rtfs.cli.console import Console, Exit

_SIZE: Final = re.compile(
    r"(\d{1,12}(?:\.\d{1,6})?) ?(b|bytes|kb|mb|gb|kib|mib|gib)?", re.ASCII | re.IGNORECASE
)
_UNITS: Final = {
    "": 1,
    "b": 1,
    "bytes": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs modules gc`."""
    summary = (
        "Remove modules until the rest is small enough: first those whose time is over, then those that were "
        "not used for the longest time. What is pinned stays."
    )
    examples = ("rtfs modules gc --dry-run", "rtfs modules gc --size 100MB", "rtfs modules gc --size 0")
    parser = parser_of("gc", summary, examples)
    parser.add_argument(
        "--size",
        type=_size,
        metavar="BYTES",
        help="that may stay: 4096, 10KB, 100MB, 2GB (default: delegation.caches.l4.size_bytes of the policy)",
    )
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, show what would go")
    add_policy(parser)
    return parser.options(argv)


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(
            f"expected a size such as 4096, 10KB, 100MB or 2GB, got `{one_line(text[:40])}`"
        )
    return int(float(found[1]) * _UNITS[(found[2] or "").lower()])


def execute(options: Namespace, console: Console) -> Exit:
    """Remove modules, or show what would go."""
    from actors.models.generation.memory import text_of
    from policies.errors import PolicyFileError

    try:
        size: int = _size_of_policy(options) if options.size is None else options.size
    except PolicyFileError as error:
        return files.refuse(error.problems, console)
    now = time.time()
    trust = trusted()  # who does not know what is pinned removes nothing
    keep = set(trust.pinned.values())
    with opened(options) as (store, problems):
        verdicts = {each.id: verdict_of(each, store, trust, now) for each in store.all()}
        done = store.collect(size, now, keep, dry_run=options.dry_run)
    removed = [(each, verdicts.get(each.id, Verdict())) for each in done.removed]
    if not console.json:
        verb = "would remove" if options.dry_run else "removed"
        freed, kept = text_of(done.freed_bytes), text_of(done.kept_bytes)
        console.say(f"{verb} {counted(len(removed), 'module')}, {freed}; {kept} stay")
        if options.dry_run and removed:
            for line in aligned([HEADS, *(row(each, verdict, trust, now) for each, verdict in removed)]):
                console.show_text(line)
        if done.kept_bytes > size:
            console.note(f"{kept} are more than {text_of(size)}: what is pinned stays")
        for problem in problems:
            console.note(problem)
    fields = {
        "folder": str(folder_of(options)),
        "dry_run": options.dry_run,
        "removed": [described(each, verdict, trust) for each, verdict in removed],
        "freed_bytes": done.freed_bytes,
        "kept_bytes": done.kept_bytes,
    }
    return console.finish(Exit.VALUE, fields)


def _size_of_policy(options: Namespace) -> int:
    """What the policy lets modules take. Raises UsageError, PolicyFileError."""
    return files.policy_in_force(options.policy).settings.caches.l4.size_bytes
