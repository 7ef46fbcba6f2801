"""Programs run on both backends; their outcome as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rtfs.analyze import MappingModules
from rtfs.errors import RtfsError
from rtfs.printer import pr_str
from rtfs.program import compile
from rtfs.security import RuntimeContext

type Outcome = Callable[..., str]


@pytest.fixture(params=["interpreter", "python"])
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """`outcome(text, modules={}, args={})`: the printed value, or `!Category: message`."""

    def run(text: str, modules: Mapping[str, str] | None = None, args: Mapping[str, Any] | None = None) -> str:
        try:
            program = compile(text, modules=MappingModules(modules or {}))
            linked = program.link(context=RuntimeContext.full(), backend=request.param)
            return pr_str(linked.run(args=args))
        except RtfsError as error:
            return f"!{error.category}: {getattr(error, 'message', error.text())}"

    return run
