"""A console whose streams are at hand."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import pytest

from rtfs.cli.console import Console, Output


class Said(NamedTuple):
    console: Console
    out: io.StringIO
    err: io.StringIO


@pytest.fixture
def console() -> Callable[..., Said]:
    """Makes a console; `json` as for the option."""

    def made(json: bool = False) -> Said:
        out, err = io.StringIO(), io.StringIO()
        return Said(Console(Output(out), Output(err), "submit", json), out, err)

    return made
