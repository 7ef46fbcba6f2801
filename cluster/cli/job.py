"""`python -m cluster.job`: a program on the cluster that the job belongs to."""

from __future__ import annotations

import os
import secrets
import tempfile
from argparse import SUPPRESS, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cluster.cli import ray_side, report
from cluster.cli.connecting import NoRuntime, add_runtime, connected, usable
from cluster.cli.programs import Asked, add_program, asked, request_options
from cluster.cli.replies import show_reply, show_ticket
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit

if TYPE_CHECKING:
    from actors.requests import RunReply
    from actors.runtime import Runtime

_SUMMARY: Final = "Run a program on the runtime of this Ray cluster, or on one of its own; print its value."
#: characters of a ticket's name
_LONGEST_NAME: Final = 200
_EXAMPLES: Final = (
    ("ray job submit -- python -m cluster.job examples/hello.rtfs --arg who=Ada", ""),
    ("python -m cluster.job plan.rtfs --ticket", "queue it, and print the id of its ticket"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of a job."""
    parser = common.Parser("job", _SUMMARY, _EXAMPLES)
    parser.prog = "python -m cluster.job"
    add_program(parser)
    add_runtime(parser)
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="for a runtime that this job starts (default: ./delegation.toml, if there is one)",
    )
    parser.add_argument(
        "--ticket", action="store_true", help="queue the program, print the id of its ticket, and end"
    )
    parser.add_argument("--report", metavar="WORD", help=SUPPRESS)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Run the program, or queue it."""
    from policies.cli.files import refuse
    from policies.errors import PolicyFileError

    what = asked(options, console)
    request = request_options(options, what, console)
    ray_side.prepare()
    from actors.service import BusyError, SubmitOptions

    try:
        with ray_side.quiet(), usable(), _runtime(options, console) as runtime:
            if options.ticket:
                queue = SubmitOptions(name=_ticket_name(what))
                return _tell_ticket(runtime.submit(what.source.text, queue, **request).id, options, console)
            reply = runtime.run(what.source.text, **request)
            return _tell(reply, what, options, console)
    except PolicyFileError as error:
        return refuse(error.problems, console)
    except BusyError as busy:
        return _tell_busy(busy, console)


def _ticket_name(what: Asked) -> str | None:
    """What lists call the ticket: the end of the program's name."""
    name = what.source.name[-_LONGEST_NAME:]
    return name if name.isprintable() else None


def _tell(reply: RunReply, what: Asked, options: Namespace, console: Console) -> Exit:
    with _reported(reply, options, console):
        return show_reply(reply, what.source, console)


def _tell_ticket(ticket_id: str, options: Namespace, console: Console) -> Exit:
    with _reported(ticket_id, options, console):
        return show_ticket(ticket_id, console)


@contextmanager
def _reported(outcome: RunReply | str, options: Namespace, console: Console) -> Iterator[None]:
    """Tell whoever submitted the job, around what is told to people."""
    if options.report is None:
        yield
        return
    console.say(report.begin(options.report))
    yield
    console.out.flush()
    console.err.flush()  # both are the same file, and lines must not mix
    for line in report.lines(options.report, outcome):
        console.say(line)
        console.out.flush()


def _tell_busy(busy: Exception, console: Console) -> Exit:
    if not console.json:
        console.note(f"rtfs {console.command}: the runtime is busy: {busy}")
    return console.finish(Exit.LIMIT, {"error": {"category": "Busy", "code": "busy", "message": str(busy)}})


# ---------------------------------------------------------------- the runtime


@contextmanager
def _runtime(options: Namespace, console: Console) -> Iterator[Runtime]:
    """The runtime of that name, or a new one, which ends with the job unless a ticket is to outlive it."""
    try:
        runtime = connected(options)
    except NoRuntime as none:
        begin = _lasting if options.ticket else _passing
        with begin(options, console, str(none)) as runtime:
            yield runtime
        return
    with runtime:
        yield runtime


@contextmanager
def _passing(options: Namespace, console: Console, why: str) -> Iterator[Runtime]:
    """A runtime for this job alone: under a name of its own, so that no other job is cut off when it ends."""
    from actors.runtime import Runtime

    console.note(f"{why}; this job has one of its own")
    with tempfile.TemporaryDirectory(prefix="rtfs-job-", ignore_cleanup_errors=True) as folder:
        name = f"job-{secrets.token_hex(6)}"
        address = _cluster(options)
        with Runtime.start(
            options.policy, name=name, address=address, evaluators=1, state_dir=folder
        ) as runtime:
            yield runtime


@contextmanager
def _lasting(options: Namespace, console: Console, why: str) -> Iterator[Runtime]:
    """A runtime that stays: somebody has to run the ticket."""
    from actors.runtime import Runtime

    console.note(f"{why}; this job starts one that stays, for its ticket")
    with Runtime.start(
        options.policy,
        name=options.name,
        address=_cluster(options) or "auto",
        detached=True,
        state_resource=os.environ.get("RTFS_STATE_RESOURCE") or None,
    ) as runtime:
        yield runtime


def _cluster(options: Namespace) -> str | None:
    address: str | None = options.address or os.environ.get("RAY_ADDRESS") or None
    return address
