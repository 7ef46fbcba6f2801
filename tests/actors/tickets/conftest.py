"""Stores and boards for the tests of tickets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.tickets.store import TicketStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tickets"


@pytest.fixture
def store(folder: Path) -> Iterator[TicketStore]:
    with TicketStore(folder) as opened:
        yield opened
