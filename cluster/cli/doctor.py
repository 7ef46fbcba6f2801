"""`rtfs doctor`."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from cluster.cli import ray_side
from cluster.cli.checks import CHECKS, Finding, Subject
from cluster.cli.connecting import add_runtime, checked_name
from cluster.cli.serve import DEFAULT_PORT, add_port
from cluster.cli.tokens import add_tokens
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

_SUMMARY: Final = "Say what is in the way of `rtfs serve` on this machine. Exit code 1 if something fails."
_EXAMPLES: Final = (
    ("rtfs doctor", ""),
    ("rtfs doctor --policy prod.toml --port 80", "for the options that `rtfs serve` will get"),
    ("rtfs doctor --start", "start Ray for a moment as well"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs doctor`."""
    parser = common.Parser("doctor", _SUMMARY, _EXAMPLES)
    parser.add_argument(
        "--policy", metavar="FILE", help="a policy (default: ./delegation.toml, if there is one)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="HOST", help="address to listen on (default: %(default)s)"
    )
    add_port(parser.add_argument, DEFAULT_PORT)
    parser.add_argument("--state-dir", metavar="DIR", help="where state is kept")
    parser.add_argument(
        "--start", action="store_true", help="start Ray as well, and end it again; takes 5 to 20 s"
    )
    add_tokens(parser)
    add_runtime(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Look at everything, and say what is found."""
    found = []
    for finding in _findings(options, console):
        found.append(finding)
        if not console.json:
            console.show_text(f"{finding.level:5} {finding.check:10} {finding.message}")
            if finding.advice and finding.level != "ok":
                console.show_text(f"{'':16} → {finding.advice}")
    failed = [each for each in found if each.level == "fail"]
    warned = sum(each.level == "warn" for each in found)
    if not console.json:
        console.note(f"{len(failed)} failed, {warned} to be looked at, {len(found)} in all")
    code = Exit.PROGRAM_ERROR if failed else Exit.VALUE
    return console.finish(code, {"checks": [asdict(each) for each in found]})


def _findings(options: Namespace, console: Console) -> Iterator[Finding]:
    what = Subject(
        environ=os.environ,
        policy=options.policy,
        address=options.address,
        name=checked_name(options.name),
        host=options.host,
        port=options.port,
        state_dir=options.state_dir,
        tokens=options.tokens,
    )
    for check in CHECKS:
        yield from check(what)
    if options.start:
        console.note("starting Ray …")
        yield _started()


def _started() -> Finding:
    """Whether Ray starts on this machine."""
    began = time.monotonic()
    try:
        ray_side.prepare()
        import ray

        with ray_side.silent():
            try:
                ray.init(address="local", include_dashboard=False, log_to_driver=False, configure_logging=False)
            finally:
                ray.shutdown()
    except UsageError as error:
        return Finding(level="fail", check="ray start", message=str(error), advice=error.hint or "")
    except Exception as error:  # Ray raises whatever it meets, bare exceptions among them
        return Finding(
            level="fail",
            check="ray start",
            message=f"Ray does not start: {str(error).strip() or type(error).__name__}",
            advice="/tmp/ray/session_latest/logs holds what its processes say",
        )
    return Finding(
        level="ok", check="ray start", message=f"Ray started and ended in {time.monotonic() - began:.1f} s"
    )
