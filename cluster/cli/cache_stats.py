"""`rtfs cache stats`: what is kept, and what it is worth."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cluster.cli.cache_source import count, opened, parser_of
from cluster.cli.cache_text import counted, money, one_line, shortened, working_time
from cluster.cli.ticket_text import aligned, duration
from rtfs.cli.console import Console, Exit

if TYPE_CHECKING:
    from actors.caches.l2.summary import Share, Summary
    from actors.caches.l2.survey import Facts
    from actors.caches.layer import Origin

#: rows of each table, unless told otherwise
_USUALLY_SHOWN: Final = 10
#: of `actors.caches.l2.summary.BOUNDS_S`
_CLASSES: Final = ("under a minute", "under an hour", "under a day", "under a week", "longer")
_FIGURES: Final = ("ANSWERS", "SIZE", "USES", "COST", "TIME")


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs cache stats`."""
    summary = (
        "What is kept on the disk: how much, of whom, how old, and what it cost to make. "
        "One use of an answer saves what it cost."
    )
    examples = ("rtfs cache stats", "rtfs cache stats --name trial --top 3", "rtfs cache stats --json")
    parser = parser_of("stats", summary, examples)
    parser.add_argument(
        "--top",
        type=count,
        default=_USUALLY_SHOWN,
        metavar="N",
        help="rows of each table (default: %(default)s)",
    )
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Count what is kept."""
    from actors.caches.l2.summary import Summary

    summary = Summary()
    with opened(options) as survey:
        facts = survey.facts()
        now_us = survey.now_us()
        summary.add(survey.rows(), now_us)
        found = _Found(str(survey.folder), facts, summary, survey.damaged, now_us)
    if not console.json:
        for line in _lines(found, options.top):
            console.show_text(line)
        if not facts.entries:
            console.note("nothing is kept")
    return console.finish(Exit.VALUE, _fields(found, options.top))


class _Found(NamedTuple):
    """What there is in a folder."""

    folder: str
    facts: Facts
    summary: Summary
    damaged: int
    #: the store's clock
    now_us: int


def _model(origin: Origin) -> tuple[str | None, ...]:
    return origin.model, origin.version


def _function(origin: Origin) -> tuple[str | None, ...]:
    return (origin.symbol,)


def _tenant(origin: Origin) -> tuple[str | None, ...]:
    return (origin.tenant,)


#: table → what its rows are called, as fields; and what they are made of
_TABLES: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Origin], tuple[str | None, ...]]]]] = {
    "models": (("model", "version"), _model),
    "functions": (("function",), _function),
    "tenants": (("tenant",), _tenant),
}


# ---------------------------------------------------------------- for people


def _lines(found: _Found, top: int) -> Iterator[str]:
    yield from aligned(list(_overview(found)))
    for heads, key in _TABLES.values():
        table = found.summary.by(key)
        if table:
            yield ""
            yield from _table(heads, table, top)


def _overview(found: _Found) -> Iterator[tuple[str, str]]:
    from actors.models.generation.memory import text_of

    facts, summary, total = found.facts, found.summary, found.summary.total
    expired = f", {summary.expired} of them expired" if summary.expired else ""
    damaged = f", {found.damaged} damaged" if found.damaged else ""
    yield "folder", found.folder
    yield "answers", f"{facts.entries}{expired}{damaged}"
    yield "size", f"{text_of(facts.state.nbytes)} charged, {text_of(facts.file_bytes)} on the disk"
    yield "writer", _writer(found)
    yield "invalidations", str(facts.state.epoch)
    if total.entries:
        yield "cost to make", f"{money(total.cost_usd)}, {working_time(total.latency_ms)}"
        saved = (
            f", which saved {money(total.saved_usd)} and {working_time(total.saved_ms)}" if total.uses else ""
        )
        yield "uses", f"{total.uses}{saved}"
        yield "age", _spread(summary.ages)
        yield "left to live", _spread(summary.left) or "-"


def _writer(found: _Found) -> str:
    facts = found.facts
    if facts.is_written:
        return "a process" if facts.writer is None else f"process {facts.writer}"
    ago = duration((found.now_us - facts.state.steady_us) / 1e6)
    return f"none, last written {ago} ago"


def _spread(counts: Sequence[int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in zip(_CLASSES, counts, strict=True) if number)


def _table(heads: tuple[str, ...], table: Mapping[tuple[str | None, ...], Share], top: int) -> Iterator[str]:
    from actors.models.generation.memory import text_of

    rows = [(*(head.upper() for head in heads), *_FIGURES)]
    for names, share in list(table.items())[:top]:
        first, *rest = ("-" if name is None else name for name in names)
        rows.append(
            (
                one_line(first),
                *map(shortened, rest),
                str(share.entries),
                text_of(share.nbytes),
                str(share.uses),
                money(share.cost_usd),
                working_time(share.latency_ms),
            )
        )
    yield from aligned(rows)
    if len(table) > top:
        yield f"and {counted(len(table) - top, heads[0])} more; --top {len(table)} shows them"


# ---------------------------------------------------------------- for programs


def _fields(found: _Found, top: int) -> dict[str, Any]:
    from actors.caches.l2.summary import BOUNDS_S

    facts, summary = found.facts, found.summary
    bounds = (*BOUNDS_S, None)
    return {
        "folder": found.folder,
        "entries": facts.entries,
        "expired": summary.expired,
        "damaged": found.damaged,
        "values": facts.values,
        "charged_bytes": facts.state.nbytes,
        "file_bytes": facts.file_bytes,
        "is_written": facts.is_written,
        "writer": facts.writer,
        "written_at": facts.state.steady_us / 1e6,
        "commits": facts.state.commits,
        "invalidations": facts.state.epoch,
        "total": asdict(summary.total),
        "ages": [{"below_s": below, "entries": n} for below, n in zip(bounds, summary.ages, strict=True)],
        "left": [{"below_s": below, "entries": n} for below, n in zip(bounds, summary.left, strict=True)],
        **{
            name: [
                {**dict(zip(heads, names, strict=True)), **asdict(share)}
                for names, share in list(summary.by(key).items())[:top]
            ]
            for name, (heads, key) in _TABLES.items()
        },
    }
