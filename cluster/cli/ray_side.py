"""What commands do before and while they use Ray: its token, its noise, its addresses.

Ray looks for its token only if `RAY_AUTH_MODE` says so, and reads that when it is imported. Commands here say
so if there is a token; a cluster that asks for none takes no notice of one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rtfs.cli.console import UsageError

AUTH_MODE: Final = "RAY_AUTH_MODE"
#: a machine that is there answers sooner
_ANSWER_S: Final = 3.0


def prepare(environ: MutableMapping[str, str] | None = None) -> None:
    """Import Ray as commands use it. To be called before anything else that imports it.

    Raises:
        UsageError: Ray is not installed.
    """
    environ = os.environ if environ is None else environ
    if find_spec("ray") is None or find_spec("lmdb") is None:
        raise UsageError("this command needs Ray, which is not installed", hint="pip install 'rtfs[ray]'")
    if AUTH_MODE not in environ and token_file(environ) is not None:
        environ[AUTH_MODE] = "token"
    import ray  # noqa: F401 - it sets up logs, whose levels are set next

    family = logging.getLogger("ray")
    family.setLevel(logging.ERROR)
    for handler in family.handlers:  # modules of Ray set levels of their own; others' handlers are not ours
        if type(handler).__module__.startswith("ray."):
            handler.setLevel(logging.ERROR)


def token_file(environ: Mapping[str, str]) -> str | None:
    """Where Ray's token is: a file, or the variable that holds it; None: there is none."""
    if environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    named = environ.get("RAY_AUTH_TOKEN_PATH")
    file = Path(named) if named else Path.home() / ".ray" / "auth_token"
    return str(file) if file.is_file() else None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Ray prints messages of its own to stdout, which is for results: here they go to stderr."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """What Ray says about processes that we end ourselves tells nobody anything."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def check_address(address: str) -> None:
    """Whether somebody listens at the address of a cluster. Ray itself would try for half a minute.

    Raises:
        UsageError: it is no address, or nobody listens.
    """
    if address in ("auto", "local"):
        return
    if "://" in address:
        raise UsageError(
            f"expected HOST:PORT of a Ray cluster, got the URL `{address}`",
            hint="`ray status` and `rtfs serve` say which it is; jobs alone take a URL: rtfs submit",
        )
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise UsageError(f"expected HOST:PORT of a Ray cluster, or auto, got `{address}`")
    why = unreachable(host.strip("[]"), int(port))
    if why:
        raise UsageError(
            f"no Ray cluster answers at {address}: {why}",
            hint="`ray start --head` starts one; so does rtfs serve",
        )


def check_url(url: str, what: str, hint: str) -> None:
    """Whether somebody listens at an HTTP address.

    Raises:
        UsageError: it is none, or nobody listens.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"expected the URL of {what}, such as http://127.0.0.1:8265, got `{url}`")
    why = unreachable(parts.hostname, port or (443 if parts.scheme == "https" else 80))
    if why:
        raise UsageError(f"there is no {what} at {url}: {why}", hint=hint)


def unreachable(host: str, port: int) -> str:
    """Why nobody can be reached there; empty: somebody can."""
    try:
        socket.create_connection((host, port), _ANSWER_S).close()
    except TimeoutError:
        return "no answer"
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no machine can have
        return (getattr(error, "strerror", None) or str(error)).lower()
    return ""
