"""From the options `--address` and `--name` to a runtime.

The cluster is the one that is named: by `--address`, by `RAY_ADDRESS`, by an `rtfs serve` on this machine that
holds a runtime of that name; else whichever Ray finds here.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.names import DEFAULT_RUNTIME, namespace
from cluster.cli import place, ray_side
from policies.cli.files import BUILT_IN
from rtfs.cli import options as common
from rtfs.cli.console import UsageError

if TYPE_CHECKING:
    from actors.runtime import Runtime


_TOKEN: Final = "bring its ~/.ray/auth_token here, or set RAY_AUTH_TOKEN; RAY_AUTH_MODE=token has it used"


class NoRuntime(UsageError):
    """There is no runtime of that name, or no cluster where nobody said that there is one."""


def add_runtime(parser: common.Parser) -> None:
    """The options `--address` and `--name`."""
    group = parser.add_argument_group("runtime")
    group.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of the Ray cluster (default: RAY_ADDRESS, else that of `rtfs serve` here, else what Ray finds)",
    )
    add_name(group.add_argument)


def add_name(add: Callable[..., object]) -> None:
    """The option `--name`."""
    add("--name", default=DEFAULT_RUNTIME, metavar="NAME", help="the runtime (default: %(default)s)")


def checked_name(name: str) -> str:
    """The name of a runtime. Raises UsageError."""
    try:
        namespace(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return name


def policy_name(source: str) -> str:
    """How messages call the policy from `source`."""
    return "built in" if Path(source).name == BUILT_IN else source


def address_of(options: Namespace, environ: Mapping[str, str]) -> str:
    """The address of the cluster that the options and the environment name; `auto`: none."""
    named: str | None = options.address or environ.get("RAY_ADDRESS")
    if named:
        return named
    served = place.found(options.name, environ)
    return "auto" if served is None else served.address


def connected(options: Namespace) -> Runtime:
    """The runtime that the options name.

    Raises:
        NoRuntime: there is none, or no cluster, and nobody said where there is one.
        UsageError: the cluster that was named cannot be used.
    """
    name = checked_name(options.name)
    address = address_of(options, os.environ)
    ray_side.prepare()
    if address == "local":  # a Ray that is started by whoever asks
        raise NoRuntime(f"no runtime `{name}` runs on a Ray of our own", hint="--address names another")
    ray_side.check_address(address)
    from actors.ray_service import RuntimeGone
    from actors.runtime import Runtime

    try:
        with translated():
            return Runtime.connect(address, name=name)
    except RuntimeGone:
        raise NoRuntime(
            f"no runtime `{name}` runs on this Ray cluster",
            hint="`rtfs serve` starts one with HTTP, `rtfs runtime start` one without",
        ) from None
    except ConnectionError as error:
        if address != "auto":
            raise UsageError(
                f"the Ray cluster at {address} cannot be used: {error}",
                hint=f"if it asks for a token: {_TOKEN}",
            ) from None
        raise NoRuntime(
            "no Ray cluster runs on this machine",
            hint="`rtfs serve` starts one; --address HOST:PORT names one elsewhere",
        ) from None


@contextmanager
def translated() -> Iterator[None]:
    """What Ray raises as a usage error, except for what tells that there is no cluster or no runtime.

    Raises:
        UsageError, ConnectionError.
    """
    ray_side.prepare()
    from ray.exceptions import AuthenticationError, RayError

    refused = "the Ray cluster asks for its token, and did not get the right one"
    try:
        yield
    except AuthenticationError:
        raise UsageError(refused, hint=_TOKEN) from None
    except ConnectionError as error:
        if isinstance(error.__cause__, AuthenticationError):
            raise UsageError(refused, hint=_TOKEN) from None
        raise
    except (TimeoutError, RayError) as error:
        raise UsageError(str(error)) from error


@contextmanager
def usable() -> Iterator[None]:
    """What Ray raises while a runtime is used, as a usage error."""
    try:
        with translated():
            yield
    except ConnectionError as error:
        raise UsageError(str(error)) from error
