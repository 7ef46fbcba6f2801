"""Texts of many threads embedded together: who comes while others are at work goes along in the next batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from actors.caches.l3.entry import Vectors

#: texts in one batch: they wait for each other
MOST_TOGETHER = 64


class _Asked:
    __slots__ = ("error", "text", "vector")

    def __init__(self, text: str) -> None:
        self.text = text
        self.vector: Vectors | None = None
        self.error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.vector is not None or self.error is not None


class CombinedEmbedding:
    """One text at a time for each who asks, as many at once as ask. Safe to use from many threads.

    Args:
        embed: the vectors of texts, float32, shape (n, dimensions).
    """

    def __init__(self, embed: Callable[[Sequence[str]], Vectors]) -> None:
        self._embed = embed
        self._waiting: list[_Asked] = []
        self._lock = Lock()
        #: held by whoever works for all that wait
        self._working = Lock()

    def embed(self, text: str) -> Vectors:
        """The vector of a text: float32, shape (dimensions,).

        Raises:
            TargetFailed: there is none.
        """
        asked = _Asked(text)
        with self._lock:
            self._waiting.append(asked)
        while not asked.is_done:
            with self._working:
                if not asked.is_done:
                    self._work()
        if asked.error is not None:
            raise asked.error
        assert asked.vector is not None
        return asked.vector

    def _work(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
        try:
            vectors = self._embed([each.text for each in batch])
        except BaseException as error:
            for each in batch:
                each.error = error
            return
        for each, vector in zip(batch, vectors, strict=True):
            each.vector = vector
