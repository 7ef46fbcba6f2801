"""What became of a run, told as `rtfs run` tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rtfs.cli.console import Console, Exit, exit_code_of, text_at_fault

if TYPE_CHECKING:
    from actors.requests import CallSummary, RunReply
    from rtfs.cli.sources import Source


def show_reply(
    reply: RunReply, source: Source | None, console: Console, more: Mapping[str, Any] | None = None
) -> Exit:
    """Print what the program printed, and its value or error.

    Args:
        source: the program; None: its text is not at hand.
        more: further fields for `--json`.
    """
    from rtfs.error_json import describe

    fields: dict[str, Any] = {**(more or {}), **_about(reply)}
    if not console.json:
        _show_text(reply.output, console)
        known = known_calls(reply.calls)
        if known:
            console.note(known)
    if reply.error is not None:
        if not console.json:
            text = text_at_fault(reply.error, source) if source is not None else None
            console.show(reply.error, text)
        return console.finish(exit_code_of(reply.error), {**fields, "error": describe(reply.error)})
    return console.finish(Exit.VALUE, {**fields, **_value(reply, console)})


def show_ticket(ticket_id: str, console: Console, more: Mapping[str, Any] | None = None) -> Exit:
    """Print the id of a ticket."""
    if not console.json:
        console.say(ticket_id)
    return console.finish(Exit.VALUE, {**(more or {}), "ticket": ticket_id})


def known_calls(calls: Sequence[CallSummary]) -> str:
    """How many delegated calls caches answered, and what that saved; empty: none."""
    from cluster.cli.cache_text import counted, money, working_time

    by_tier: dict[str, int] = {}
    for call in calls:
        if call.tier is not None:
            by_tier[call.tier] = by_tier.get(call.tier, 0) + call.calls
    if not by_tier:
        return ""
    made = sum(call.calls for call in calls)
    tiers = ", ".join(f"{tier} {number}" for tier, number in sorted(by_tier.items()))
    saved_usd = sum(call.saved_usd for call in calls)
    saved_ms = sum(call.saved_ms for call in calls)
    return (
        f"{sum(by_tier.values())} of {counted(made, 'delegated call')} known ({tiers}), "
        f"which saved {money(saved_usd)} and {working_time(saved_ms)}"
    )


def _about(reply: RunReply) -> dict[str, Any]:
    return {
        "run_id": reply.run_id,
        "output": reply.output,
        "took_ms": round(reply.took_ms, 3),
        "calls": [{**asdict(call), "took_ms": round(call.took_ms, 3)} for call in reply.calls],
    }


def _show_text(output: str, console: Console) -> None:
    """What the program printed, as it came."""
    if not output:
        return
    if console.out.isatty():
        from rtfs.report import for_terminal

        output = for_terminal(output)
    console.out.write(output if output.endswith("\n") else output + "\n")


def _value(reply: RunReply, console: Console) -> dict[str, Any]:
    """The value as JSON fields; without `--json` it is printed."""
    if not reply.portable:  # a function, say: only its text left the process
        if not console.json:
            console.show_text(reply.text)
        return {"value": None, "text": reply.text, "type": None}
    if console.json:
        from rtfs.cli.results import describe_value

        return describe_value(reply.value)
    if reply.value is not None:
        from rtfs.printer import pretty

        console.show_text(pretty(reply.value))
    return {}
