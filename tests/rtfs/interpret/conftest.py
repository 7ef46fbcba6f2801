"""Running hand-made IR in the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rtfs import ir
from rtfs.host import PureHost
from rtfs.interpret import run_unit
from rtfs.namespace import Modules
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext
from rtfs.values import Value


def unit_of(*forms: ir.Node, source: str = "test") -> ir.Unit:
    return ir.Unit(source, forms, (), frozenset())


@pytest.fixture
def run() -> Callable[..., Value]:
    """Run top-level nodes, one unit, in a fresh program; `files` are the units of module files."""

    def run(
        *forms: ir.Node,
        limits: Limits | None = None,
        files: dict[str, ir.Unit] | None = None,
        bind: Any = None,
    ) -> Value:
        modules = Modules((files or {}).get, run_unit, bind)
        state = Run(PureHost(), RuntimeContext.full(), limits or Limits())
        with running(state):
            return run_unit(unit_of(*forms), modules.frame(), modules)

    return run
