"""Kept answers as people and programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cluster.cli.ticket_text import duration

if TYPE_CHECKING:
    from actors.caches.l2.survey import Row
    from rtfs.values import Value

#: digits of a key, and characters of a version, in tables
SHORT: Final = 12


def one_line(text: str) -> str:
    """A name in a line of text, without characters that a terminal obeys."""
    from rtfs.report import visible

    return visible(text).replace("\n", "\\n")


def shortened(text: str, most: int = SHORT) -> str:
    """The beginning of a name, in one line."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def counted(number: int, noun: str) -> str:
    """`1 answer`, `3 answers`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def money(usd: float) -> str:
    """An amount."""
    return f"{usd:.6f}".rstrip("0").rstrip(".") + " USD"


def working_time(ms: float) -> str:
    """A time that something took: `412 ms`, `12.3 s`, `14m`."""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    return f"{ms / 1_000:.1f} s" if ms < 120_000 else duration(ms / 1_000)


def value_text(value: Value) -> str:
    """A value as a program would write it; of one that is too long to be written, that."""
    from rtfs.errors import RtfsError
    from rtfs.printer import pr_str

    try:
        return pr_str(value)
    except RtfsError as error:
        return f"#<{error.text()}>"


def value_fields(value: Value) -> dict[str, Any]:
    """A value as `--json` gives it everywhere; null where that would be too long."""
    from rtfs.cli.results import describe_value
    from rtfs.errors import RtfsError
    from rtfs.values import type_name

    try:
        return describe_value(value)
    except RtfsError:
        return {"value": None, "text": None, "type": type_name(value)}


def about(row: Row) -> dict[str, Any]:
    """What is known of an answer beside its value, as JSON data. Times are seconds since the epoch."""
    from actors.caches.l2.rows import maybe_number

    record, origin = row.record, row.origin
    return {
        "key": row.place.key.hex(),
        "input": row.place.input.hex(),
        "function": origin.symbol,
        "model": origin.model,
        "version": origin.version,
        "tenant": origin.tenant,
        "created_at": record.created_us / 1e6,
        "expires_at": record.expires_us / 1e6,
        "confidence": maybe_number(record.confidence),
        "cost_usd": record.cost_usd,
        "latency_ms": maybe_number(record.latency_ms),
        "uses": row.place.uses,
        "nbytes": record.length,
    }


def pairs(row: Row, now_us: int) -> list[tuple[str, str]]:
    """The same for people, a line each."""
    from actors.caches.l2.rows import maybe_number
    from actors.models.generation.memory import text_of

    record, origin = row.record, row.origin
    confidence, latency_ms = maybe_number(record.confidence), maybe_number(record.latency_ms)
    took = "" if latency_ms is None else f", {working_time(latency_ms)}"
    return [
        ("tier", "l2-cold"),
        ("age", duration((now_us - record.created_us) / 1e6)),
        ("expires", left(row, now_us)),
        ("confidence", "-" if confidence is None else f"{confidence:.3f}"),
        ("cost", f"{money(record.cost_usd)}{took}"),
        ("function", one_line(origin.symbol)),
        ("model", one_line(origin.model)),
        ("version", one_line(origin.version)),
        ("tenant", "-" if origin.tenant is None else one_line(origin.tenant)),
        ("size", text_of(record.length)),
        ("uses", str(row.place.uses)),
        ("key", row.place.key.hex()),
    ]


def left(row: Row, now_us: int) -> str:
    """When an answer ends."""
    left_s = (row.record.expires_us - now_us) / 1e6
    return f"in {duration(left_s)}" if left_s > 0 else "it has"


HEADS: Final = ("KEY", "AGE", "EXPIRES", "SIZE", "MODEL", "FUNCTION")


def cells(row: Row, now_us: int) -> tuple[str, ...]:
    """An answer in a table under `HEADS`."""
    from actors.models.generation.memory import text_of

    return (
        row.place.key.hex()[:SHORT],
        duration((now_us - row.record.created_us) / 1e6),
        left(row, now_us),
        text_of(row.record.length),
        one_line(row.origin.model),
        one_line(row.origin.symbol),
    )
