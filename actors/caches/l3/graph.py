"""Vectors in a graph of small worlds (HNSW), searched approximately by hnswlib.

Yu. A. Malkov, D. A. Yashunin: Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs, arXiv 1603.09320. `links` is their M, `breadth` their efConstruction, `effort`
their ef. With the values below the nearest of 100 000 vectors like those of sentences is found in at least 99 %
of searches: `benchmarks/semantic_search.py`.

A vector that is removed stays as a dead end that no search gives; a graph with many of them is built anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import hnswlib
import numpy as np

from actors.caches.l3.entry import Vectors
from actors.caches.l3.flat import Found

LINKS: Final = 16
BREADTH: Final = 200
EFFORT: Final = 128
#: room in a graph beyond what it has
_MORE_ROOM: Final = 1.5
_FIRST_ROOM: Final = 64
_SEED: Final = 1


class Graph:
    """Vectors by number. Many threads may search at once, if none adds or removes meanwhile.

    Args:
        dimensions: of a vector.
        room: for so many vectors at first.
    """

    def __init__(self, dimensions: int, room: int = _FIRST_ROOM) -> None:
        self._index: Any = hnswlib.Index(space="ip", dim=dimensions)
        self._index.init_index(
            max_elements=max(room, _FIRST_ROOM), M=LINKS, ef_construction=BREADTH, random_seed=_SEED
        )
        self._begin()

    def _begin(self) -> None:
        self._index.set_ef(EFFORT)
        self._index.set_num_threads(1)
        self.dead = 0

    @classmethod
    def load(cls, path: Path, dimensions: int) -> Graph:
        """What `save` wrote; it is believed.

        Raises:
            OSError: there is no such file.
            RuntimeError: it is none of hnswlib's.
        """
        made = cls.__new__(cls)
        made._index = hnswlib.Index(space="ip", dim=dimensions)
        made._index.load_index(str(path), max_elements=0)
        made._begin()
        return made

    def save(self, path: Path) -> None:
        """Write it to a file.

        Raises:
            OSError: there is no room for all of it, or the disk failed.
        """
        try:
            self._index.save_index(str(path))
        except RuntimeError as error:
            raise OSError(str(error)) from error
        expected, found = self._index.index_file_size(), path.stat().st_size
        if found != expected:  # hnswlib does not say that the disk is full
            raise OSError(f"expected {expected} bytes in `{path}`, got {found}")

    def __len__(self) -> int:
        """How many there are, without those that are removed."""
        return int(self._index.element_count) - self.dead

    @property
    def nbytes(self) -> int:
        """Memory that it takes, about."""
        per_vector: int = 4 * self._index.dim + 4 * (2 * LINKS + 4) + 100
        return int(self._index.max_elements) * per_vector

    def labels(self) -> list[int]:
        """Numbers of all vectors, those that are removed included."""
        found: list[int] = self._index.get_ids_list()
        return found

    def vectors(self, numbers: Sequence[int]) -> Vectors:
        """Vectors by number, shape (n, dimensions). Raises RuntimeError: one of them is not there."""
        return np.asarray(self._index.get_items(list(numbers)), np.float32)

    def add(self, numbers: Sequence[int], vectors: Vectors) -> None:
        """Add vectors that are not there, shape (n, dimensions)."""
        index = self._index
        needed = index.element_count + len(numbers)
        if needed > index.max_elements:
            index.resize_index(max(needed, int(_MORE_ROOM * index.max_elements)))
        index.add_items(vectors, np.asarray(numbers, np.int64), num_threads=1)

    def discard(self, number: int) -> bool:
        """Remove a vector; whether it was there."""
        try:
            self._index.mark_deleted(number)
        except RuntimeError:  # there is none, or it is removed already
            return False
        self.dead += 1
        return True

    def keep_only(self, alive: set[int]) -> None:
        """Remove all others; after `load`, which does not know how many are removed."""
        labels = self.labels()
        for number in labels:
            if number not in alive:
                self.discard(number)
        self.dead = len(labels) - len(alive.intersection(labels))

    def search(self, vector: Vectors, k: int) -> Found:
        """About the `k` nearest, best first; fewer if there are fewer, or no more are found."""
        wanted = k
        while wanted > 0:
            try:
                labels, distances = self._index.knn_query(vector, wanted, 1)
            except RuntimeError:  # there are fewer, or fewer are found, than are wanted
                alive = len(self)
                wanted = alive if alive < wanted else wanted // 2
                continue
            return labels[0].tolist(), [1.0 - distance for distance in distances[0].tolist()]
        return [], []
