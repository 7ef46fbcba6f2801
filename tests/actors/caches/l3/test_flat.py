from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.caches.l3.entry import Vectors
from actors.caches.l3.flat import Flat, merged


def vectors_of(count: int) -> Vectors:
    return np.random.default_rng(1).normal(size=(count, 4)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=60), st.integers(0, 35))
def test_it_is_as_a_dict_of_vectors(work: list[tuple[bool, int]], k: int) -> None:
    vectors, flat, model = vectors_of(31), Flat(4), dict[int, Vectors]()
    for is_added, number in work:
        if is_added:
            flat.add((number,), vectors[number][np.newaxis])
            model[number] = vectors[number]
        else:
            assert flat.discard(number) == (model.pop(number, None) is not None)
    assert len(flat) == len(model)
    assert sorted(flat.numbers()) == sorted(model)
    numbers, similarities = flat.search(vectors[0], k)
    expected = sorted(((float(v @ vectors[0]), n) for n, v in model.items()), reverse=True)[:k]
    assert numbers == [number for _, number in expected]
    assert np.allclose(similarities, [similarity for similarity, _ in expected], atol=1e-5)


def test_what_is_there_stays_as_it_is() -> None:
    flat = Flat(4)
    flat.add([1, 2], vectors_of(2))
    flat.add([2, 3], vectors_of(5)[3:])
    assert np.array_equal(flat.vectors([2, 1]), vectors_of(2)[::-1])
    assert flat.first(2)[0] == [1, 2]
    assert 3 in flat


def test_of_equals_the_newest_comes_first() -> None:
    flat = Flat(4)
    flat.add([1, 3, 2], np.ones((3, 4), np.float32))
    assert flat.search(np.ones(4, np.float32), 3)[0] == [3, 2, 1]


def test_two_results_are_merged() -> None:
    assert merged(([1, 2], [0.9, 0.5]), ([3, 4], [0.7, 0.1]), 3) == ([1, 3, 2], [0.9, 0.7, 0.5])
    assert merged(([], []), ([3], [0.7]), 3) == ([3], [0.7])
