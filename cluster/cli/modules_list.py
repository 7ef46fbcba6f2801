"""`rtfs modules list`, `show` and `verify`: which modules there are, and whether they may be used."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cluster.cli.cache_text import SHORT, counted, one_line
from cluster.cli.modules_source import (
    KINDS,
    add_id,
    chosen,
    folder_of,
    none_here,
    of_function,
    opened,
    parser_of,
    trusted,
)
from cluster.cli.modules_text import (
    HEADS,
    SHORT_KINDS,
    Verdict,
    described,
    everything,
    in_order,
    pairs,
    row,
    verdict_of,
)
from cluster.cli.ticket_text import aligned
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.caches.l4.store import StoredModule

type Judged = tuple[StoredModule, Verdict]

# ---------------------------------------------------------------- list


def parse_list(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs modules list`."""
    summary = (
        "The modules that there are, by function, the highest version first, and whether they may be used."
    )
    examples = ("rtfs modules list", "rtfs modules list --function mail/score --kind wasm")
    parser = parser_of("list", summary, examples)
    add = parser.add_argument_group("which modules").add_argument
    add("--function", metavar="SYMBOL", help="those of a function")
    add("--kind", **common.one_of(tuple(KINDS)), default=None, help="those of a kind")
    return parser.options(argv)


def execute_list(options: Namespace, console: Console) -> Exit:
    """List modules."""
    now = time.time()
    trust = trusted()
    with opened(options) as (store, problems):
        known = store.all()
        found = known if options.function is None else of_function(options.function, known)
        if options.kind is not None:
            found = [each for each in found if each.manifest.kind == KINDS[options.kind]]
        judged = [(each, verdict_of(each, store, trust, now)) for each in in_order(found)]
    if not console.json:
        rows = [row(module, verdict, trust, now) for module, verdict in judged]
        for line in aligned([HEADS, *rows]) if rows else ():
            console.show_text(line)
        if not rows and not problems:
            console.note(_none(options, len(known)))
        _tell(problems, console)
    fields = {
        "folder": str(folder_of(options)),
        "modules": [described(module, verdict, trust) for module, verdict in judged],
        "problems": problems,
    }
    return console.finish(Exit.PROGRAM_ERROR if problems else Exit.VALUE, fields)


def _none(options: Namespace, known: int) -> str:
    if not known:
        return none_here(options)
    return f"there are {counted(known, 'module')}, but none of the kind `{options.kind}` that was asked for"


def _tell(problems: Sequence[str], console: Console) -> None:
    for problem in problems:
        console.note(problem)


# ---------------------------------------------------------------- show


def parse_show(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs modules show`."""
    summary = "All that is said of a module, and whether it may be used. Nothing of it is run."
    parser = parser_of("show", summary, ("rtfs modules show 3f9a1c02b7de",))
    add_id(parser, "to show")
    return parser.options(argv)


def execute_show(options: Namespace, console: Console) -> Exit:
    """Show one module."""
    now = time.time()
    trust = trusted()
    with opened(options) as (store, problems):
        module = _chosen(options.id, store.all(), problems)
        verdict = verdict_of(module, store, trust, now)
    if not console.json:
        for line in aligned(list(pairs(module, verdict, trust, now))):
            console.show_text(line)
    return console.finish(Exit.VALUE, everything(module, verdict, trust))


def _chosen(word: str, known: Sequence[StoredModule], problems: Sequence[str]) -> StoredModule:
    """The module that is meant. Raises UsageError: there is none, which may be since it is damaged."""
    try:
        return chosen(word, known)
    except UsageError as error:
        if problems:
            raise UsageError(f"{error}; {'; '.join(problems)}", hint=error.hint) from None
        raise


# ---------------------------------------------------------------- verify


def parse_verify(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs modules verify`."""
    summary = (
        "Check the hash of each module's bytes, its signature, and whether its key is trusted. Nothing is run, "
        "nor changed. Exit code 1 if a module is refused."
    )
    parser = parser_of("verify", summary, ("rtfs modules verify", "rtfs modules verify 3f9a1c02b7de --json"))
    parser.add_argument("ids", nargs="*", metavar="ID", help="of the modules to look at (default: all)")
    return parser.options(argv)


def execute_verify(options: Namespace, console: Console) -> Exit:
    """Check modules, and say what is wrong with each."""
    now = time.time()
    trust = trusted()
    with opened(options) as (store, problems):
        known = store.all()
        wanted = {_chosen(word, known, problems).id for word in options.ids}
        found = [each for each in known if not wanted or each.id in wanted]
        judged = [(each, verdict_of(each, store, trust, now)) for each in in_order(found)]
    refused = [(module, verdict) for module, verdict in judged if verdict.refused is not None]
    if not console.json:
        for line in _lines(judged, refused):
            console.show_text(line)
        if not judged and not problems:
            console.note(none_here(options))
        _tell(problems, console)
    code = Exit.PROGRAM_ERROR if refused or problems else Exit.VALUE
    fields = {
        "folder": str(folder_of(options)),
        "checked": len(judged),
        "refused": len(refused),
        "problems": problems,
        "modules": [described(module, verdict, trust) for module, verdict in judged],
    }
    return console.finish(code, fields)


def _lines(judged: Sequence[Judged], refused: Sequence[Judged]) -> Iterator[str]:
    for module, verdict in refused:
        manifest = module.manifest
        what = f"{module.id[:SHORT]} {manifest.symbol} {SHORT_KINDS[manifest.kind]} {manifest.version}"
        yield one_line(f"{what}: {verdict.reason}: {verdict.detail}")
    if refused:
        yield f"{len(refused)} of {counted(len(judged), 'module')} refused"
    elif judged:
        yield f"{counted(len(judged), 'module')}, none refused"
