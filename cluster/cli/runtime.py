"""`rtfs runtime`: a runtime that runs on a Ray cluster."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cluster.cli import place, ray_side
from cluster.cli.actions import Action, Actions
from cluster.cli.connecting import add_runtime, address_of, checked_name, connected, policy_name, usable
from cluster.cli.serve import add_evaluators
from cluster.cli.ticket_text import aligned
from policies.cli import files
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from actors.runtime import Runtime
    from actors.service import PolicyChange, PolicyView

#: seconds for one answer of a part
_ANSWER_S: Final = 10.0


# ---------------------------------------------------------------- status


def _parse_status(argv: Sequence[str]) -> Namespace:
    summary = "Its parts, how busy they are, and its policy. Exit code 1 if a part is not up."
    return _parser("status", summary, ("rtfs runtime status",)).options(argv)


def _status(options: Namespace, console: Console) -> Exit:
    with ray_side.quiet(), connected(options) as runtime, usable():
        status = runtime.status()
        policy = runtime.policy()
        waiting, running = _counts(runtime)
        busy = _busy(runtime)
    if not console.json:
        rows = [
            ("PART", "STATE"),
            *((part, _told(state, busy.get(part))) for part, state in sorted(status.parts.items())),
        ]
        for line in aligned(rows):
            console.show_text(line)
        console.say("")
        console.show_text(f"tickets  {waiting} waiting, {running} running")
        console.show_text(f"policy   {_named(policy)}")
        console.show_text(f"state    {runtime.spec.state_dir}")
        if not status.ready:
            console.note("the runtime is not ready")
    fields = {
        "name": options.name,
        "ready": status.ready,
        "parts": dict(status.parts),
        "evaluators": busy,
        "tickets": {"waiting": waiting, "running": running},
        "policy": _described(policy),
        "state_dir": runtime.spec.state_dir,
    }
    return console.finish(Exit.VALUE if status.ready else Exit.PROGRAM_ERROR, fields)


def _counts(runtime: Runtime) -> tuple[int, int]:
    """Tickets that wait, and that run."""
    import ray

    from actors import names

    actors = runtime.aio.service.actors
    found: tuple[int, int] = ray.get(actors.get(names.TICKETS).counts.remote(), timeout=_ANSWER_S)
    return found


def _busy(runtime: Runtime) -> dict[str, dict[str, int]]:
    """How busy each evaluator is that answers."""
    from dataclasses import asdict

    import ray

    from actors import names

    actors = runtime.aio.service.actors
    found: dict[str, dict[str, int]] = {}
    for number in range(runtime.spec.evaluators):
        name = names.evaluator(number)
        try:
            found[name] = asdict(ray.get(actors.get(name).stats.remote(), timeout=_ANSWER_S))
        except (ray.exceptions.RayError, ValueError):  # its state says so
            continue
    return found


def _told(state: str, busy: dict[str, int] | None) -> str:
    if busy is None:
        return state
    return (
        f"{state}; {busy['running']} of {busy['most_runs']} runs under way, "
        f"{busy['completed']} completed, {busy['failed']} failed"
    )


# ---------------------------------------------------------------- the policy


def _parse_push(argv: Sequence[str]) -> Namespace:
    summary = "Put a policy in force, or say what is wrong with it. Runs under way keep the old one."
    parser = _parser("push", summary, ("rtfs runtime push delegation.toml",))
    parser.add_argument("file", metavar="FILE", help="the policy")
    parser.add_argument(
        "--expected", type=int, metavar="NUMBER", help="only if this is the number of the policy in force"
    )
    return parser.options(argv)


def _push(options: Namespace, console: Console) -> Exit:
    from policies.errors import PolicyFileError
    from policies.file.load import read_policy_text

    try:
        text = read_policy_text(options.file)
    except PolicyFileError as error:
        raise UsageError(str(error.problems[0])) from None
    ray_side.prepare()
    from actors.service import ConflictError

    with ray_side.quiet(), connected(options) as runtime, usable():
        try:
            change = runtime.replace_policy(
                text, source=str(Path(options.file).absolute()), expected=options.expected
            )
        except ConflictError as error:
            raise UsageError(str(error), hint="rtfs runtime status") from None
    return _show_change(change, console)


def _parse_rollback(argv: Sequence[str]) -> Namespace:
    summary = "Go back to the policy that was in force before."
    return _parser("rollback", summary, ("rtfs runtime rollback",)).options(argv)


def _rollback(options: Namespace, console: Console) -> Exit:
    ray_side.prepare()
    from actors.service import ConflictError

    with ray_side.quiet(), connected(options) as runtime, usable():
        try:
            change = runtime.rollback_policy()
        except ConflictError as error:
            raise UsageError(str(error)) from None
    return _show_change(change, console)


def _show_change(change: PolicyChange, console: Console) -> Exit:
    if not console.json:
        for line in change.problems or change.changes:
            console.show_text(line)
        policy = change.policy
        now = _named(policy)
        if change.problems:
            console.note(f"refused; in force is still {now}")
        else:
            console.note(f"in force: {now}" if change.swapped else f"nothing changes; in force: {now}")
    fields = {
        "policy": _described(change.policy),
        "swapped": change.swapped,
        "changes": list(change.changes),
        "problems": list(change.problems),
    }
    return console.finish(Exit.PROGRAM_ERROR if change.problems else Exit.VALUE, fields)


def _named(policy: PolicyView) -> str:
    return f"{policy_name(policy.source)}, version {policy.version[:12]}, number {policy.number}"


def _described(policy: PolicyView) -> dict[str, Any]:
    return {"source": policy.source, "version": policy.version, "number": policy.number}


# ---------------------------------------------------------------- start, stop


def _parse_start(argv: Sequence[str]) -> Namespace:
    summary = "Start a runtime on a Ray cluster that runs, to stay until `rtfs runtime stop`."
    parser = _parser("start", summary, ("rtfs runtime start --policy prod.toml --evaluators 4",))
    parser.add_argument(
        "--policy", metavar="FILE", help="where calls run (default: ./delegation.toml, if there is one)"
    )
    add_evaluators(parser.add_argument)
    parser.add_argument("--state-dir", metavar="DIR", help="where state is kept, in a folder for each runtime")
    return parser.options(argv)


def _start(options: Namespace, console: Console) -> Exit:
    from policies.errors import PolicyFileError

    name = checked_name(options.name)
    address = address_of(options, os.environ)
    ray_side.prepare()
    ray_side.check_address(address)
    from actors.runtime import Runtime

    console.note(f"starting the runtime `{name}` …")
    try:
        with (
            ray_side.quiet(),
            usable(),
            Runtime.start(
                options.policy,
                name=name,
                address=address,
                evaluators=options.evaluators,
                state_dir=options.state_dir,
                state_resource=os.environ.get("RTFS_STATE_RESOURCE") or None,
                detached=True,
            ) as runtime,
        ):
            policy, folder = runtime.policy(), runtime.spec.state_dir
    except PolicyFileError as error:
        return files.refuse(error.problems, console)
    if not console.json:
        console.note(f"the runtime `{name}` runs: policy {policy_name(policy.source)}, state in {folder}")
    return console.finish(Exit.VALUE, {"name": name, "policy": _described(policy), "state_dir": folder})


def _parse_stop(argv: Sequence[str]) -> Namespace:
    summary = (
        "End a runtime. Its tickets stay in its folder; one that is started there later goes on with them."
    )
    return _parser("stop", summary, ("rtfs runtime stop --name trial",)).options(argv)


def _stop(options: Namespace, console: Console) -> Exit:
    served = place.found(options.name, os.environ)
    if served is not None and options.address is None:
        raise UsageError(
            f"process {served.pid} serves the runtime `{options.name}`, and ends it when it ends",
            hint=f"Ctrl-C there, or kill {served.pid}",
        )
    with ray_side.quiet(), usable():
        connected(options).stop()
    if not console.json:
        console.note(f"the runtime `{options.name}` has ended")
    return console.finish(Exit.VALUE, {"name": options.name})


# ---------------------------------------------------------------- what they share


def _parser(action: str, summary: str, examples: Sequence[str]) -> common.Parser:
    parser = common.Parser(f"runtime {action}", summary, [(each, "") for each in examples])
    add_runtime(parser)
    return parser


_ACTIONS: Final = Actions(
    "runtime",
    {
        "status": Action("its parts, how busy they are, its policy", _parse_status, _status),
        "push": Action("put a policy in force", _parse_push, _push),
        "rollback": Action("go back to the policy before", _parse_rollback, _rollback),
        "start": Action("start one on a Ray cluster, to stay", _parse_start, _start),
        "stop": Action("end it", _parse_stop, _stop),
    },
    ("rtfs runtime status", "rtfs runtime push delegation.toml", "rtfs runtime rollback"),
)
parse = _ACTIONS.parse
execute = _ACTIONS.execute
