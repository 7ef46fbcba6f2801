"""The index of a partition: whatever is moved and built meanwhile, it has what was added and not removed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from actors.caches.l3.entry import Vectors
from actors.caches.l3.partition import Partition

VECTORS: Vectors = np.random.default_rng(3).normal(size=(600, 8)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)


def added(partition: Partition, numbers: range) -> Partition:
    for number in numbers:
        partition.add(number, VECTORS[number])
    return partition


def source(numbers: range) -> Iterator[tuple[list[int], Vectors]]:
    for start in range(numbers.start, numbers.stop, 50):
        some = list(range(start, min(start + 50, numbers.stop)))
        yield some, VECTORS[some]


def found(partition: Partition, number: int, k: int = 5) -> list[int]:
    return partition.search(VECTORS[number], k)[0]


def expected(numbers: set[int], number: int, k: int = 5) -> list[int]:
    order = np.argsort(-(VECTORS @ VECTORS[number])).tolist()
    return [each for each in order if each in numbers][:k]


@pytest.fixture
def many() -> Partition:
    partition = added(Partition(b"p", 8, 64), range(200))
    assert partition.build(lambda: source(range(200)), lambda: True)
    return partition


def test_few_are_in_no_graph() -> None:
    partition = added(Partition(b"p", 8, 64), range(63))
    assert partition.task is None
    assert found(partition, 70) == expected(set(range(63)), 70)
    added(partition, range(63, 64))
    assert partition.task == "build"


def test_many_are_in_a_graph(many: Partition) -> None:
    assert many.graph is not None
    assert (many.waiting, len(many), many.task) == (0, 200, "save")
    assert found(many, 300) == expected(set(range(200)), 300)


def test_what_comes_later_is_found_at_once_and_moved(many: Partition) -> None:
    added(many, range(200, 220))
    many.saved()
    assert (many.waiting, many.task) == (20, "move")
    for number in (210, 500):
        assert found(many, number) == expected(set(range(220)), number)
    many.discard(211)
    many.move(lambda: True)
    assert (many.waiting, many.task) == (0, None)
    assert many.is_unsaved
    assert found(many, 211) == expected(set(range(220)) - {211}, 211)


def test_what_changes_while_a_graph_is_built_is_not_lost() -> None:
    partition = added(Partition(b"p", 8, 64), range(200))

    def changing() -> Iterator[tuple[list[int], Vectors]]:
        for some in source(range(200)):
            yield some
            partition.discard(some[0][3])  # taken already
        added(partition, range(200, 210))
        partition.discard(205)

    assert partition.build(changing, lambda: True)
    alive = set(range(210)) - {3, 53, 103, 153, 205}
    assert len(partition) == len(alive)
    assert partition.waiting == 9
    for number in (3, 53, 205, 207):
        assert found(partition, number) == expected(alive, number)


def test_a_graph_that_is_given_up_changes_nothing() -> None:
    partition = added(Partition(b"p", 8, 64), range(200))
    assert not partition.build(lambda: source(range(200)), lambda: False)
    assert (partition.graph, partition.waiting) == (None, 200)


def test_many_dead_ones_have_it_built_anew() -> None:
    partition = added(Partition(b"p", 8, 64), range(600))
    assert partition.build(lambda: source(range(600)), lambda: True)
    for number in range(300):
        partition.discard(number)
    assert partition.task == "build"
    assert partition.build(lambda: source(range(300, 600)), lambda: True)
    assert partition.graph is not None
    assert partition.graph.dead == 0
    assert found(partition, 1) == expected(set(range(300, 600)), 1)


def test_few_that_are_left_go_back(many: Partition) -> None:
    for number in range(190):
        many.discard(number)
    assert many.build(lambda: source(range(190, 200)), lambda: True)
    assert (many.graph, many.waiting) == (None, 10)
    assert found(many, 1) == expected(set(range(190, 200)), 1)


def test_what_gets_into_no_graph_is_not_tried_for_ever() -> None:
    partition = added(Partition(b"p", 8, 64), range(64))
    assert partition.build(lambda: iter(()), lambda: True)  # as if all rows were damaged
    assert (partition.graph, partition.task, partition.waiting) == (None, None, 64)
