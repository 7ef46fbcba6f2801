"""A process that is killed at any point: nothing is damaged, nothing that was committed is lost."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.caches.layer import CacheConfig

ROUNDS = 3
CONFIG = CacheConfig(size_entries=100_000)
#: adds for ever, and tells how far that is after each commit
CODE = """
import sys
from pathlib import Path
import numpy as np
from actors.caches.l3.store import SemanticStore
from actors.caches.layer import CacheConfig, Origin

def vector_of(number):
    return np.random.default_rng(number).normal(size=16).astype(np.float32)

store = SemanticStore(Path(sys.argv[1]), dimensions=16, embedder_version="e1", graph_from=64,
                      config=CacheConfig(size_entries=100_000), map_bytes=1 << 18)
number = int(sys.argv[2])
while True:
    for _ in range(40):
        id = store.add(partition=bytes(32), vector=vector_of(number), texts=(f"the text {number}",),
                       key=number.to_bytes(32), origin=Origin(None, "f", "m", "1"))
        store.set_evidence(id, str(number).encode())
        number += 1
    store.flush()
    print(number, flush=True)
    for place in store._shelf.all():
        place._unsaved = 10_000  # so that indexes are saved all the time
        store._shelf.look(place)
"""


def test_kills_lose_nothing(folder: Path, stores: Any, child: Callable[..., subprocess.Popen[str]]) -> None:
    chance, known = random.Random(3), 0
    for _ in range(ROUNDS):
        process = child(CODE, folder, known)
        assert process.stdout is not None
        assert process.stdout.readline()
        time.sleep(chance.uniform(0.01, 0.25))
        process.kill()
        known = max([known, *map(int, process.stdout.read().split())])
        process.wait()
        store = stores.open(folder, config=CONFIG)
        assert not store.began_anew
        assert store.size >= known
        verdict = store.verify()
        assert (verdict.problems, verdict.left_over) == ((), {})
        for number in range(max(0, known - 300), known):
            found = store.search(stores.partition, stores.vector(number), 1, 0.999)
            assert [near.entry.evidence for near in found] == [str(number).encode()]
        assert store._shelf.damaged == 0
        # what was committed and not told is whole too; but the last one's evidence may not have been given yet
        known = store.size - 1
        store.close()
    assert known >= 40 * ROUNDS


def test_what_was_not_committed_is_young(
    folder: Path, stores: Any, child: Callable[..., subprocess.Popen[str]]
) -> None:
    """What is added without a flush is there after 50 ms, and some for the disk."""
    process = child(CODE.replace("store.flush()", "import time; time.sleep(0.5)"), folder, 0)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.kill()
    process.wait()
    assert stores.open(folder).size >= 40
