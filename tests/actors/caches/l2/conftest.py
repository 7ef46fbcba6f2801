"""Stores and processes for the tests of L2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig

ROOT = Path(__file__).resolve().parents[4]
CONFIG = CacheConfig(size_bytes=1 << 26)


@pytest.fixture
def store(folder: Path) -> Iterator[L2Store]:
    with L2Store(folder, CONFIG) as opened:
        yield opened


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python processes that run some code; they end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *args: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
