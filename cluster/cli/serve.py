"""`rtfs serve`."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cluster.cli import place, ray_side
from cluster.cli.connecting import add_name, checked_name, policy_name
from cluster.cli.tokens import add_tokens, tokens_file
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError

if TYPE_CHECKING:
    from cluster.cli.serving import Served, Wish

DEFAULT_PORT: Final = 8700
_SUMMARY: Final = "Start a runtime with an HTTP endpoint on this machine, until Ctrl-C."
_EXAMPLES: Final = (
    ("rtfs serve", "with ./delegation.toml, if there is one"),
    ("rtfs serve --policy prod.toml --evaluators 4", ""),
    ("rtfs serve --address auto", "on the Ray cluster that runs here"),
    ("rtfs serve --host 0.0.0.0", "for other machines; needs a token, rtfs tokens create"),
)
_BODY: Final = '{"source": "(+ a 1)", "args": {"a": 41}}'


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs serve`."""
    parser = common.Parser("serve", _SUMMARY, _EXAMPLES)
    add = parser.add_argument
    add("--host", default="127.0.0.1", metavar="HOST", help="address to listen on (default: %(default)s)")
    add_port(add, DEFAULT_PORT)
    add("--policy", metavar="FILE", help="where calls run (default: ./delegation.toml, if there is one)")
    add("--address", metavar="HOST:PORT", help="a Ray cluster, or `auto` (default: starts Ray on this machine)")
    add_name(add)
    add_evaluators(add)
    add("--state-dir", metavar="DIR", help="where state is kept, in a folder for each runtime")
    add("--no-jobs", action="store_true", help="without Ray's dashboard and job server: no `rtfs submit`")
    add_tokens(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Serve until Ctrl-C or SIGTERM."""
    from policies.cli.files import refuse
    from policies.errors import PolicyFileError

    began = time.monotonic()
    try:
        wish = _wish(options)
    except PolicyFileError as error:
        return refuse(error.problems, console)
    with ray_side.quiet():
        from cluster.cli.serving import bounded_end, end_when_told, served

        end_when_told()
        with ExitStack() as ending:
            try:
                with served(wish, console.note) as what, _noted(options.name, what):
                    _announce(what, wish, time.monotonic() - began, console)
                    _until_told(console)
                    ending.enter_context(bounded_end(console.note))
            except PolicyFileError as error:
                return refuse(error.problems, console)
    console.note("ended")
    return Exit.VALUE


def _wish(options: Namespace) -> Wish:
    """What is asked for, as far as it can be checked before anything is started.

    Raises:
        UsageError, PolicyFileError.
    """
    checked_name(options.name)
    _check_policy(options)
    tokens = tokens_file(options.tokens, os.environ)
    _check_host(options.host, tokens)
    _check_free(options)
    ray_side.prepare()
    if options.address is not None:
        ray_side.check_address(options.address)
    from cluster.cli.serving import Wish, free_port

    return Wish(
        host=options.host,
        port=free_port(options.host, options.port),
        address=options.address,
        name=options.name,
        policy=options.policy,
        evaluators=options.evaluators,
        state_dir=options.state_dir,
        tokens=tokens,
        jobs=not options.no_jobs,
    )


def _check_policy(options: Namespace) -> None:
    """The policy can be used, if it will be: a runtime that is there has one."""
    from policies.cli import files

    if options.policy == "-":
        raise UsageError("the policy of a runtime has to be a file: what it names lies beside it")
    if options.policy is not None or (options.address is None and os.path.exists(files.DEFAULT)):
        files.policy_in(options.policy or files.DEFAULT)


def _check_host(host: str, tokens: Path) -> None:
    from actors.access.errors import TokenStoreError
    from actors.access.gate import AddressNeedsTokens, Gate
    from actors.access.store import TokenStore

    try:
        Gate(TokenStore(tokens)).check_address(host)
    except AddressNeedsTokens as error:
        raise UsageError(str(error), hint=f"rtfs tokens create NAME --tenant NAME --tokens {tokens}") from None
    except TokenStoreError as error:
        raise UsageError(str(error)) from None


def _check_free(options: Namespace) -> None:
    """Two of the same name on this machine would write to the same tickets."""
    other = place.found(options.name, os.environ)
    if other is not None:
        raise UsageError(
            f"process {other.pid} serves the runtime `{options.name}` already, at {other.url}",
            hint="--name gives another runtime another name",
        )


# ---------------------------------------------------------------- what is told


@contextmanager
def _noted(name: str, what: Served) -> Iterator[None]:
    """Have other shells find the runtime meanwhile."""
    mine = os.getpid()
    where = place.Place(pid=mine, address=what.address, url=what.url, jobs=what.jobs, state_dir=what.state_dir)
    place.note(name, os.environ, where)
    try:
        yield
    finally:
        place.forget(name, os.environ, mine)


def _has_tokens(wish: Wish) -> bool:
    from actors.access.store import TokenStore

    return TokenStore(wish.tokens).is_configured()


def _announce(what: Served, wish: Wish, took_s: float, console: Console) -> None:
    needs_token = _has_tokens(wish)
    fields = {
        "url": what.url,
        "name": wish.name,
        "pid": os.getpid(),
        "address": what.address,
        "jobs": what.jobs or None,
        "state_dir": what.state_dir,
        "policy": {"source": what.policy, "version": what.version},
        "tokens_file": str(wish.tokens),
        "needs_token": needs_token,
    }
    if not console.json:
        console.note(f"ready after {took_s:.1f} s")
        for line in _lines(what, wish, needs_token):
            console.say(line)
    console.finish(Exit.VALUE, fields)


def _lines(what: Served, wish: Wish, needs_token: bool) -> Iterator[str]:
    token = ["-H", "authorization: Bearer $RTFS_TOKEN"] if needs_token else []
    header = f' \\\n    {token[0]} "{token[1]}"' if token else ""
    create = "rtfs tokens create NAME --tenant NAME"
    if needs_token:
        tokens = f"needed; in {wish.tokens}, made by `{create}`"
    else:
        tokens = f"none, so only this machine is answered; `{create}` makes one"
    named = "" if wish.name == "default" else f" --name {wish.name}"
    yield f"RTFS is served at {what.url} until Ctrl-C; {what.url}/docs describes it."
    yield ""
    yield f"  curl -s {what.url}/v1/evaluate{header} \\"
    yield f"    -H 'content-type: application/json' -d {shlex.quote(_BODY)}"
    yield ""
    yield f"  tokens   {tokens}"
    yield f"  policy   {policy_name(what.policy)}, version {what.version[:12]}"
    yield f"  state    {what.state_dir}"
    yield f"  tickets  rtfs tickets list{named}"
    if what.jobs:
        yield f"  jobs     rtfs submit FILE{named}; dashboard at {what.jobs}"
    yield f"  Ray      {what.address}"


def _until_told(console: Console) -> None:
    try:
        while True:
            time.sleep(3_600)
    except KeyboardInterrupt:
        console.note("\nending …")


# ---------------------------------------------------------------- options


def add_port(add: Callable[..., object], default: int) -> None:
    """The option `--port`."""
    text = "port to listen on; 0: one that is free (default: %(default)s)"
    add("--port", type=_port, default=default, metavar="PORT", help=text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) < 65_536):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got `{text[:40]}`")
    return int(text)


def add_evaluators(add: Callable[..., object]) -> None:
    """The option `--evaluators`."""
    text = "processes that run programs, beside the one that answers HTTP (default: %(default)s)"
    add("--evaluators", type=_evaluators, default=2, metavar="N", help=text)


def _evaluators(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= 1_000):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 1000, got `{text[:40]}`")
    return int(text)
