"""From options to the address of a cluster."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import pytest

from cluster.cli import connecting, place
from rtfs.cli.console import UsageError

SERVED = place.Place(
    pid=os.getpid(), address="10.0.0.3:6379", url="http://127.0.0.1:8700", jobs="", state_dir="/nowhere"
)


def options(address: str | None = None, name: str = "default") -> Namespace:
    return Namespace(address=address, name=name)


def test_what_is_named_comes_before_what_is_found(tmp_path: Path) -> None:
    environ = {"RTFS_STATE_DIR": str(tmp_path)}
    assert connecting.address_of(options(), environ) == "auto"
    place.note("default", environ, SERVED)
    assert connecting.address_of(options(), environ) == "10.0.0.3:6379"
    assert connecting.address_of(options(name="other"), environ) == "auto"
    environ["RAY_ADDRESS"] = "10.0.0.2:6379"
    assert connecting.address_of(options(), environ) == "10.0.0.2:6379"
    assert connecting.address_of(options("10.0.0.1:6379"), environ) == "10.0.0.1:6379"


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "-x"])
def test_a_name_that_cannot_be(name: str) -> None:
    with pytest.raises(UsageError, match="expected a runtime's name"):
        connecting.checked_name(name)


def test_what_ray_raises_is_told_as_misuse() -> None:
    from ray.exceptions import AuthenticationError, RayActorError

    refused = ConnectionError("Ray could not be started")
    refused.__cause__ = AuthenticationError("Unauthorized")
    for error, message in [
        (refused, "asks for its token"),
        (AuthenticationError("Unauthorized"), "asks for its token"),
        (ConnectionError("it has gone"), "it has gone"),
        (TimeoutError("not up after 3 s"), "not up after 3 s"),
        (RayActorError(), "actor"),
    ]:
        with pytest.raises(UsageError, match=message), connecting.usable():
            raise error
    with pytest.raises(KeyError), connecting.usable():  # a bug stays one
        raise KeyError("x")
