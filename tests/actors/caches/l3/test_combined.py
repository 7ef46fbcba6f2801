from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from actors.caches.l3.combined import MOST_TOGETHER, CombinedEmbedding
from actors.caches.l3.entry import Vectors
from policies.errors import TargetFailed


class Embedder:
    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_go_on = Event()
        self.has_begun = Event()

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(len(texts))
        self.has_begun.set()
        self.may_go_on.wait(10)
        if "bad" in texts:
            raise TargetFailed("crashed", "bad")
        return np.array([[float(text)] for text in texts], np.float32)


def test_who_comes_meanwhile_goes_along() -> None:
    embedder = Embedder()
    combined = CombinedEmbedding(embedder.embed)
    with ThreadPoolExecutor(100) as pool:
        first = pool.submit(combined.embed, "0")
        assert embedder.has_begun.wait(10)
        others = [pool.submit(combined.embed, str(number)) for number in range(1, 80)]
        while len(combined._waiting) < 79:
            pass
        embedder.may_go_on.set()
        assert [float(each.result(10)[0]) for each in (first, *others)] == [float(n) for n in range(80)]
    assert embedder.batches == [1, MOST_TOGETHER, 79 - MOST_TOGETHER]


def test_a_failure_is_told_to_all_of_its_batch_and_no_other() -> None:
    embedder = Embedder()
    embedder.may_go_on.set()
    combined = CombinedEmbedding(embedder.embed)
    with pytest.raises(TargetFailed, match="bad"):
        combined.embed("bad")
    assert combined.embed("3").tolist() == [3.0]
