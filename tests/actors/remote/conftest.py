"""Servers and callers for the tests of what goes over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from scripted_server import Behaviour, ScriptedServer

from actors.remote.http import HttpCaller


@pytest.fixture
def server() -> Iterator[Callable[[Behaviour], ScriptedServer]]:
    """Starts servers; they are stopped after the test."""
    made: list[ScriptedServer] = []

    def start(behaviour: Behaviour) -> ScriptedServer:
        made.append(ScriptedServer(behaviour))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.fixture
def caller() -> Iterator[HttpCaller]:
    made = HttpCaller()
    yield made
    made.close()
