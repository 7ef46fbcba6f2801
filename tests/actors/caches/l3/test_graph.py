from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actors.caches.l3.entry import Vectors
from actors.caches.l3.graph import Graph


def unit(count: int) -> Vectors:
    made = np.random.default_rng(2).normal(size=(count, 8))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def graph() -> Graph:
    made = Graph(8, 100)
    made.add(range(300), unit(300))  # more than there was room for
    return made


def test_the_nearest_come_first_with_their_cosines(graph: Graph) -> None:
    vectors = unit(300)
    numbers, similarities = graph.search(vectors[7], 5)
    exact = vectors @ vectors[7]
    assert numbers == np.argsort(-exact)[:5].tolist()
    assert np.allclose(similarities, exact[numbers], atol=1e-6)


def test_what_is_removed_is_not_found_and_the_rest_is(graph: Graph) -> None:
    assert all(graph.discard(number) for number in range(295))
    assert not graph.discard(3)
    assert not graph.discard(999)
    assert len(graph) == 5
    assert sorted(graph.search(unit(300)[7], 10)[0]) == [295, 296, 297, 298, 299]
    for number in range(295, 300):
        graph.discard(number)
    assert graph.search(unit(300)[7], 10) == ([], [])


def test_it_is_the_same_after_it_was_saved(graph: Graph, tmp_path: Path) -> None:
    graph.discard(5)
    graph.save(tmp_path / "graph")
    again = Graph.load(tmp_path / "graph", 8)
    again.keep_only(set(range(300)) - {5, 6})
    assert len(again) == 298
    assert again.dead == 2
    assert set(again.search(unit(300)[5], 300)[0]).isdisjoint({5, 6})
    assert np.array_equal(again.vectors([9, 7]), unit(300)[[9, 7]])
    again.add([1000], unit(301)[300:])
    assert again.search(unit(301)[300], 1)[0] == [1000]


def test_files_that_are_none(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        Graph.load(tmp_path / "none", 8)
    graph.save(tmp_path / "graph")
    data = (tmp_path / "graph").read_bytes()
    (tmp_path / "graph").write_bytes(data[:-10])
    with pytest.raises(RuntimeError):
        Graph.load(tmp_path / "graph", 8)
    with pytest.raises(OSError, match="none"):
        graph.save(tmp_path / "none" / "graph")


def test_a_file_that_is_too_short_is_noticed_when_it_is_written(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def save_index(self, path: str) -> None:
            Path(path).write_bytes(b"a part of it")

        def index_file_size(self) -> int:
            return 1000

    monkeypatch.setattr(graph, "_index", Full())
    with pytest.raises(OSError, match="expected 1000 bytes"):
        graph.save(tmp_path / "graph")
