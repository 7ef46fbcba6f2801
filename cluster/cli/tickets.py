"""`rtfs tickets`: the runs that were queued."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from cluster.cli import ray_side, ticket_source, ticket_text
from cluster.cli.actions import Action, Actions
from cluster.cli.connecting import add_runtime
from cluster.cli.replies import show_reply
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.service import TicketView
    from actors.ticket_handle import Ticket

STATES: Final = ("working", "input_required", "completed", "failed", "cancelled")
#: tickets that a list shows unless told otherwise, and at most
_USUALLY_LISTED: Final = 50
MOST_LISTED: Final = 100_000
_PAGE: Final = 500


# ---------------------------------------------------------------- list


def _parse_list(argv: Sequence[str]) -> Namespace:
    parser = _parser(
        "list", "Tickets, newest first.", ("rtfs tickets list --dead", "rtfs tickets list --state failed")
    )
    parser.add_argument("--tenant", metavar="NAME", help="only those of a tenant (default: of everybody)")
    parser.add_argument("--state", **common.one_of(STATES), help="only those in a state")
    parser.add_argument(
        "--dead", action="store_true", help="only dead letters: failed for good, kept to be requeued"
    )
    parser.add_argument(
        "--limit",
        type=_count,
        default=_USUALLY_LISTED,
        metavar="N",
        help="at most so many (default: %(default)s)",
    )
    return parser.options(argv)


def _list(options: Namespace, console: Console) -> Exit:
    which = ticket_source.Which(tenant=options.tenant, state=options.state, dead=True if options.dead else None)
    found: list[TicketView] = []
    cursor: str | None = None
    with ray_side.quiet(), ticket_source.opened(options, console) as tickets:
        while len(found) < options.limit:
            page = tickets.page(which, min(_PAGE, options.limit - len(found)), cursor)
            found += page.tickets
            cursor = page.cursor
            if cursor is None:
                break
    if not console.json:
        for line in ticket_text.table(found, time.time()) if found else ():
            console.show_text(line)
        if not found:
            console.note("no tickets")
        elif cursor is not None:
            console.note(f"there are more; --limit {options.limit * 10} shows them")
    fields = {"tickets": [asdict(each) for each in found], "more": cursor is not None}
    return console.finish(Exit.VALUE, fields)


def _count(text: str) -> int:
    import argparse

    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_LISTED):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MOST_LISTED}, got `{text[:40]}`")
    return int(text)


# ---------------------------------------------------------------- show, result


def _parse_show(argv: Sequence[str]) -> Namespace:
    return _with_id(_parser("show", "All that is known of a ticket.", ("rtfs tickets show 01k…",))).options(
        argv
    )


def _show(options: Namespace, console: Console) -> Exit:
    ticket_source.check_id(options.id)
    with ray_side.quiet(), ticket_source.opened(options, console) as tickets:
        view = tickets.view(options.id, options.tenant)
        record = tickets.record(options.id)
    if not console.json:
        for line in ticket_text.everything(view, record, time.time()):
            console.show_text(line)
    tries = None if record is None else [each._asdict() for each in record.attempts]
    return console.finish(Exit.VALUE, {"ticket": asdict(view), "tries": tries})


def _parse_result(argv: Sequence[str]) -> Namespace:
    summary = "The value of a ticket's run, as `rtfs run` prints it. Exit code 3 if the run is not over."
    parser = _with_id(_parser("result", summary, ("rtfs tickets result 01k… --wait 60",)))
    parser.add_argument(
        "--wait", type=_seconds, default=0.0, metavar="SECONDS", help="wait so long for its end"
    )
    return parser.options(argv)


def _result(options: Namespace, console: Console) -> Exit:
    from rtfs.errors import StorageError

    ticket_source.check_id(options.id)
    with ray_side.quiet(), ticket_source.opened(options, console) as tickets:
        try:
            reply = tickets.reply(options.id, options.tenant, options.wait)
        except StorageError as error:
            raise UsageError(f"the result cannot be read: {error.text()}") from error
        view = tickets.view(options.id, options.tenant)
    ticket = {"ticket": asdict(view)}
    if reply is not None:
        return show_reply(reply, None, console, ticket)
    message = f"ticket {view.id} is not over: {view.phase}{f', {view.reason}' if view.reason else ''}"
    if not console.json:
        console.note(message)
    fields = {"category": "NotOver", "code": "not-over", "message": message}
    return console.finish(Exit.LIMIT, {**ticket, "error": fields})


def _seconds(text: str) -> float:
    import argparse

    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got `{text[:40]}`")
    return value


# ---------------------------------------------------------------- cancel, requeue


def _parse_cancel(argv: Sequence[str]) -> Namespace:
    summary = "Say that nobody wants a run any more, whether it waits or runs."
    return _with_id(_parser("cancel", summary, ("rtfs tickets cancel 01k…",))).options(argv)


def _cancel(options: Namespace, console: Console) -> Exit:
    return _change(options, console, lambda ticket: ticket.cancel())


def _parse_requeue(argv: Sequence[str]) -> Namespace:
    summary = "Queue a run again that failed."
    return _with_id(_parser("requeue", summary, ("rtfs tickets requeue 01k…",))).options(argv)


def _requeue(options: Namespace, console: Console) -> Exit:
    return _change(options, console, lambda ticket: ticket.requeue())


def _change(options: Namespace, console: Console, change: Callable[[Ticket], TicketView]) -> Exit:
    ticket_source.check_id(options.id)
    ray_side.prepare()
    from actors.service import BusyError, ConflictError

    with ray_side.quiet(), ticket_source.living(options) as tickets:
        try:
            view = change(tickets.handle(options.id, options.tenant))
        except (ConflictError, BusyError) as error:
            raise UsageError(str(error)) from None
    if not console.json:
        console.show_text(f"{view.id} {view.phase}")
    return console.finish(Exit.VALUE, {"ticket": asdict(view)})


# ---------------------------------------------------------------- what they share


def _parser(action: str, summary: str, examples: Sequence[str]) -> common.Parser:
    parser = common.Parser(f"tickets {action}", summary, [(each, "") for each in examples])
    add_runtime(parser)
    parser.add_argument(
        "--state-dir", metavar="DIR", help="where the runtime keeps its state, to read it when none runs"
    )
    return parser


def _with_id(parser: common.Parser) -> common.Parser:
    parser.add_argument("id", metavar="ID", help="of the ticket")
    parser.add_argument("--tenant", metavar="NAME", help="whose ticket it is (default: whoever's)")
    return parser


_ACTIONS: Final = Actions(
    "tickets",
    {
        "list": Action("which there are", _parse_list, _list),
        "show": Action("all that is known of one", _parse_show, _show),
        "result": Action("the value of its run", _parse_result, _result),
        "cancel": Action("stop it, or do not begin it", _parse_cancel, _cancel),
        "requeue": Action("try it again", _parse_requeue, _requeue),
    },
    ("rtfs tickets list --dead", "rtfs tickets show 01k…", "rtfs tickets result 01k… --wait 60"),
)
parse = _ACTIONS.parse
execute = _ACTIONS.execute
