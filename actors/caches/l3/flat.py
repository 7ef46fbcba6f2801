"""Vectors in one matrix, searched exactly: the product of the matrix and a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.caches.l3.entry import Vectors

#: numbers of entries, best first, and their similarities
type Found = tuple[list[int], list[float]]

_FIRST_ROOM: Final = 16


class Flat:
    """Vectors by number. For one thread at a time, or many that search.

    Args:
        dimensions: of a vector.
    """

    def __init__(self, dimensions: int) -> None:
        self._matrix: Vectors = np.empty((0, dimensions), np.float32)
        self._numbers: NDArray[np.int64] = np.empty(0, np.int64)
        #: number → row
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, number: int) -> bool:
        return number in self._rows

    @property
    def nbytes(self) -> int:
        """Memory that it takes, about."""
        return self._matrix.nbytes + 100 * len(self._numbers)

    def add(self, numbers: Sequence[int], vectors: Vectors) -> None:
        """Add vectors, float32, shape (n, dimensions); those that are there already are left out."""
        fresh = [at for at, number in enumerate(numbers) if number not in self._rows]
        start = len(self._rows)
        self._make_room(start + len(fresh))
        for row, at in enumerate(fresh, start):
            self._matrix[row] = vectors[at]
            self._numbers[row] = numbers[at]
            self._rows[numbers[at]] = row

    def discard(self, number: int) -> bool:
        """Remove a vector; whether it was there. The last one takes its place."""
        row = self._rows.pop(number, None)
        if row is None:
            return False
        last = len(self._rows)
        if row != last:
            self._matrix[row] = self._matrix[last]
            moved = int(self._numbers[last])
            self._numbers[row] = moved
            self._rows[moved] = row
        return True

    def first(self, most: int) -> tuple[list[int], Vectors]:
        """Copies of at most `most` of them."""
        count = min(most, len(self._rows))
        return self._numbers[:count].tolist(), self._matrix[:count].copy()

    def vectors(self, numbers: Sequence[int]) -> Vectors:
        """Copies of vectors that are there, shape (n, dimensions)."""
        found: Vectors = self._matrix[[self._rows[number] for number in numbers]]
        return found

    def numbers(self) -> list[int]:
        """Of all vectors."""
        return list(self._rows)

    def search(self, vector: Vectors, k: int) -> Found:
        """The `k` nearest, or all if there are fewer; of equals those with higher numbers first."""
        count = len(self._rows)
        if not count or k < 1:
            return [], []
        similarities = self._matrix[:count] @ vector
        numbers = self._numbers[:count]
        if k < count:
            best = np.argpartition(similarities, count - k)[count - k :]
            numbers, similarities = numbers[best], similarities[best]
        order = np.lexsort((-numbers, -similarities))
        return numbers[order].tolist(), similarities[order].tolist()

    def _make_room(self, count: int) -> None:
        room = len(self._numbers)
        if count <= room:
            return
        room = max(count, 2 * room, _FIRST_ROOM)
        matrix = np.empty((room, self._matrix.shape[1]), np.float32)
        matrix[: len(self._rows)] = self._matrix[: len(self._rows)]
        numbers = np.empty(room, np.int64)
        numbers[: len(self._rows)] = self._numbers[: len(self._rows)]
        self._matrix, self._numbers = matrix, numbers


def merged(one: Found, other: Found, k: int) -> Found:
    """The `k` best of both."""
    pairs = sorted(zip(one[1] + other[1], one[0] + other[0], strict=True), reverse=True)[:k]
    return [number for _, number in pairs], [similarity for similarity, _ in pairs]
