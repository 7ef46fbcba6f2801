"""`rtfs submit`."""

from __future__ import annotations

import os
import secrets
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cluster.cli import place, ray_side, report
from cluster.cli.connecting import add_name, checked_name
from cluster.cli.programs import Asked, add_program, asked, request_options
from cluster.cli.replies import show_reply, show_ticket
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from cluster.cli.jobs import Ended, JobServer

#: where Ray's job server is unless somebody moved it
DEFAULT_URL: Final = "http://127.0.0.1:8265"
_SUMMARY: Final = "Run a program as a job of a Ray cluster, wait for it, and print its value."
_EXAMPLES: Final = (
    ("rtfs submit examples/hello.rtfs --arg who=Ada", ""),
    ("rtfs submit plan.rtfs --address http://head:8265", "on another cluster"),
    ("rtfs submit plan.rtfs --ticket", "queue it, and print the id of its ticket"),
    ("rtfs submit plan.rtfs --no-wait", "print the id of the job, and end"),
)
#: exit codes of a job that are those of the program
_KNOWN: Final = (Exit.PROGRAM_ERROR, Exit.USAGE, Exit.LIMIT)


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs submit`."""
    parser = common.Parser("submit", _SUMMARY, _EXAMPLES)
    add_program(parser)
    group = parser.add_argument_group("job")
    group.add_argument(
        "--address",
        metavar="URL",
        help="of the cluster's job server (default: RAY_API_SERVER_ADDRESS, else that of an `rtfs serve` here, "
        f"else {DEFAULT_URL})",
    )
    add_name(group.add_argument)
    group.add_argument("--policy", metavar="FILE", help="for a runtime that the job starts, if it finds none")
    group.add_argument(
        "--ticket", action="store_true", help="queue the program, and print the id of its ticket"
    )
    waiting = group.add_mutually_exclusive_group()
    waiting.add_argument(
        "--wait",
        action="store_true",
        default=True,
        dest="wait",
        help="show the job's log, and its end (default)",
    )
    waiting.add_argument(
        "--no-wait", action="store_false", dest="wait", help="print the id of the job, and end"
    )
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Submit the program, and tell what came of it."""
    checked_name(options.name)
    what = asked(options, console)
    request_options(options, what, console)  # what the job would refuse is refused here
    policy = None if options.policy is None else _policy_text(options.policy)
    ray_side.prepare()
    from cluster.cli.jobs import JobServer, pack

    word = f"rtfs-report-{secrets.token_hex(12)}"
    with ray_side.quiet(), _reachable():
        server = JobServer(url_of(options, os.environ))
        with tempfile.TemporaryDirectory(prefix="rtfs-submit-") as folder:
            passed_on = _passed_on(options, _cluster(options, server.url))
            words = [*pack(Path(folder), what, policy), *passed_on, "--report", word]
            job_id = server.submit(Path(folder), words, {"rtfs_program": what.source.name})
        if not options.wait:
            if not console.json:
                console.say(job_id)
            return console.finish(Exit.VALUE, {"job": job_id, "url": server.url})
        console.note(f"job {job_id} on {server.url}")
        ended = _followed(server, job_id, word, console)
    return _tell(ended, job_id, word, what, console)


def url_of(options: Namespace, environ: Mapping[str, str]) -> str:
    """The address of the job server that the options and the environment name."""
    named: str | None = options.address or environ.get("RAY_API_SERVER_ADDRESS")
    if named:
        return named if "://" in named else f"http://{named}"
    if "://" in environ.get("RAY_ADDRESS", ""):
        return environ["RAY_ADDRESS"]
    served = place.found(options.name, environ)
    if served is not None and not served.jobs:
        raise UsageError(
            f"the `rtfs serve` that holds the runtime `{options.name}` has no job server",
            hint="start it without --no-jobs, or send the program by HTTP: "
            f"curl {served.url}/v1/evaluate -d '{{\"source\": …}}'",
        )
    return DEFAULT_URL if served is None else served.jobs


def _cluster(options: Namespace, url: str) -> str | None:
    """The address of the cluster, if an `rtfs serve` here has noted it.

    Ray tells a job of some cluster on its machine, which is the wrong one if there are several.
    """
    served = place.found(options.name, os.environ)
    return served.address if served is not None and served.jobs == url else None


def _passed_on(options: Namespace, address: str | None) -> list[str]:
    """Options of the job: those of the submission, and where its cluster is."""
    words: list[str] = ["--name", options.name]
    if address is not None:
        words += ["--address", address]
    for option in ("tenant", "context", "deadline", "memory", "depth"):
        value = getattr(options, option)
        if value is not None:
            words.append(f"--{option}={value}")
    words += [f"--allow={each}" for each in options.allow]
    words += [f"--{name}" for name in ("no-cache", "no-store") if getattr(options, name.replace("-", "_"))]
    if options.max_age is not None:
        words.append(f"--max-age={options.max_age}")
    return [*words, "--ticket"] if options.ticket else words


def _policy_text(path: str) -> str:
    """The text of a policy. Raises UsageError: it cannot be read, or is none."""
    from policies.errors import PolicyFileError
    from policies.file.load import load_policy, read_policy_text

    try:
        text = read_policy_text(path)
        load_policy(text, source=path)  # variables that hold secrets are those of the cluster
    except PolicyFileError as error:
        raise UsageError(str(error.problems[0]), hint=f"rtfs policy check {path} shows all problems") from None
    return text


@contextmanager
def _reachable() -> Iterator[None]:
    """What Ray's client raises as a usage error."""
    try:
        yield
    except (ConnectionError, RuntimeError) as error:
        text = str(error).strip()
        hint = None
        if "Unauthorized" in text or "401" in text or "403" in text:
            hint = "bring the cluster's ~/.ray/auth_token here; RAY_AUTH_MODE=token has it used"
        raise UsageError(
            f"the job server refused: {text.splitlines()[0] if text else error!r}", hint=hint
        ) from error


def _followed(server: JobServer, job_id: str, word: str, console: Console) -> Ended:
    view = report.LogView(word, console.note)
    try:
        ended = server.follow(job_id, view.take)
    except KeyboardInterrupt:
        console.note(f"\nthe job goes on; `ray job stop --address {server.url} {job_id}` ends it")
        raise
    view.end()
    return ended


def _tell(ended: Ended, job_id: str, word: str, what: Asked, console: Console) -> Exit:
    more: dict[str, Any] = {"job": job_id}
    try:
        outcome = report.read(word, ended.log)
    except report.ReportDamaged as damaged:
        return _failed(f"what the job reports cannot be read: {damaged}", Exit.PROGRAM_ERROR, more, console)
    if isinstance(outcome, str):
        return show_ticket(outcome, console, more)
    if outcome is not None:
        return show_reply(outcome, what.source, console, more)
    code = next((each for each in _KNOWN if each == ended.exit_code), Exit.PROGRAM_ERROR)
    return _failed(_why(ended), code, more, console)


def _why(ended: Ended) -> str:
    """How a job ended that reports nothing. What Ray says of one with an exit code repeats its log."""
    if ended.status == "STOPPED":
        return "the job was stopped"
    if ended.exit_code is not None:
        return f"the job ended with exit code {ended.exit_code}"
    return f"the job failed: {ended.message.strip() or 'Ray does not say why'}"


def _failed(message: str, code: Exit, more: dict[str, Any], console: Console) -> Exit:
    if not console.json:
        console.note(f"rtfs submit: {message}")
    return console.finish(
        code, {**more, "error": {"category": "Job", "code": "job-failed", "message": message}}
    )
