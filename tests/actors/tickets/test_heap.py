from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.tickets.heap import KeyedHeap

NAMES = st.sampled_from("abcdef")
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("discard"), NAMES, st.just(0)),
    st.tuples(st.just("pop"), st.just(""), st.just(0)),
    st.tuples(st.just("pop until"), st.just(""), st.integers(0, 9)),
)


@given(st.lists(STEPS, max_size=200))
def test_it_does_what_a_sorted_list_does(steps: list[tuple[str, str, int]]) -> None:
    heap = KeyedHeap()
    model: dict[str, tuple[int, int]] = {}
    for number, (step, name, key) in enumerate(steps):
        least = min(model, key=lambda each: model[each], default=None)
        if step == "put":
            heap.put(name, key)
            model[name] = (key, number)
        elif step == "discard":
            heap.discard(name)
            model.pop(name, None)
        else:
            until = key if step == "pop until" else None
            if least is not None and until is not None and model[least][0] > until:
                least = None
            assert heap.pop(until) == least
            model.pop(least or "", None)
        assert len(heap) == len(model)
        assert [each in heap for each in "abcdef"] == [each in model for each in "abcdef"]
        first = min(model, key=lambda each: model[each], default=None)
        assert heap.first() == (None if first is None else (model[first][0], first))


def test_what_was_taken_out_takes_no_memory() -> None:
    heap = KeyedHeap()
    heap.put("stays", 0)
    for turn in range(10_000):
        heap.put(f"{turn}", 1 + turn)
        heap.discard(f"{turn}")
        heap.put("moves", turn)
    assert len(heap._heap) < 100
    assert len(heap) == 2
