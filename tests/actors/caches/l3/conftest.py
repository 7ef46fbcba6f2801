"""Stores of earlier calls for the tests of L3, with vectors by number."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.caches.l3.entry import Vectors
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import CacheConfig, Origin

ROOT = Path(__file__).resolve().parents[4]
DIMENSIONS = 16
PARTITION = bytes(32)


def vector_of(number: int) -> Vectors:
    """The same for the same number, of length 1."""
    made = np.random.default_rng(number).normal(size=DIMENSIONS)
    return (made / np.linalg.norm(made)).astype(np.float32)


def text_of(number: int) -> str:
    return f"the text with the number {number}"


class Stores:
    """Opens stores, and adds calls by number."""

    partition = PARTITION
    vector = staticmethod(vector_of)
    text = staticmethod(text_of)

    def __init__(self) -> None:
        self.opened: list[SemanticStore] = []

    def open(self, folder: Path, **changes: Any) -> SemanticStore:
        options: dict[str, Any] = {
            "dimensions": DIMENSIONS,
            "embedder_version": "e1",
            "config": CacheConfig(size_entries=10_000),
            "graph_from": 64,
            "seed": 1,
        }
        store = SemanticStore(folder, **(options | changes))
        self.opened.append(store)
        return store

    def add(self, store: SemanticStore, number: int, *, model: str = "m", **changes: Any) -> bytes | None:
        options: dict[str, Any] = {
            "partition": PARTITION,
            "vector": vector_of(number),
            "texts": (text_of(number),),
            "key": number.to_bytes(32),
            "origin": Origin(None, "f", model, "1"),
        }
        return store.add(**(options | changes))

    def nearest(self, store: SemanticStore, number: int, partition: bytes = PARTITION) -> str | None:
        """The text of the entry that is as near as can be, if there is one."""
        found = store.search(partition, vector_of(number), 1, 0.999)
        return found[0].entry.texts[0] if found else None


@pytest.fixture
def stores() -> Iterator[Stores]:
    made = Stores()
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def store(folder: Path, stores: Stores) -> SemanticStore:
    return stores.open(folder)


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
