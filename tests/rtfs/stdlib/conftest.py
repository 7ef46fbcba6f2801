from collections.abc import Callable, Iterator

import pytest

import rtfs
from rtfs.errors import RtfsError
from rtfs.host import DictHost
from rtfs.printer import pr_str
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext
from rtfs.stdlib.table import BUILTINS


@pytest.fixture
def outcome() -> Callable[..., str]:
    """Calls a builtin by its name. Gives the printed value, or `!` and the error's category."""

    def call(name: str, *args: object) -> str:
        try:
            return pr_str(BUILTINS[name].function(*args))
        except RtfsError as error:
            return f"!{error.category}"

    return call


@pytest.fixture
def run() -> Iterator[Run]:
    """A run with a host that offers nothing."""
    with running(Run(DictHost({}), RuntimeContext.full(), Limits())) as made:
        yield made


@pytest.fixture
def small_run() -> Iterator[Run]:
    """A run that may make results of at most one megabyte."""
    with running(Run(DictHost({}), RuntimeContext.full(), Limits(allocation_bytes=1 << 20))) as made:
        yield made


@pytest.fixture
def shown() -> Callable[[str], str]:
    """Evaluates a program. Gives the printed value, or `!` and the error's category."""

    def show(source: str) -> str:
        try:
            return pr_str(rtfs.evaluate(source))
        except RtfsError as error:
            return f"!{error.category}"

    return show
