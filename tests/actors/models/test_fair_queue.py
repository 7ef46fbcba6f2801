from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.models.fair_queue import FairQueue


def filled(*items: tuple[str, int]) -> FairQueue[tuple[str, int]]:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for item in items:
        queue.put(item[0], item)
    return queue


def test_owners_take_turns() -> None:
    queue = filled(*[("a", n) for n in range(5)], ("b", 0), ("b", 1), ("c", 0))
    assert queue.take(4) == [("a", 0), ("b", 0), ("c", 0), ("a", 1)]
    assert queue.take(2) == [("b", 1), ("a", 2)]
    assert len(queue) == 2


def test_turns_go_on_from_batch_to_batch() -> None:
    queue = filled(*[(owner, n) for n in range(3) for owner in "abc"])
    assert [queue.take(1)[0][0] for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


def test_a_new_owner_waits_for_one_round_at_most() -> None:
    queue = filled(*[("a", n) for n in range(100)], *[("b", n) for n in range(100)])
    queue.take(10)
    queue.put("c", ("c", 0))
    assert ("c", 0) in queue.take(3)


OWNERS = st.sampled_from("abcd")


@given(st.lists(OWNERS, max_size=30), st.lists(st.integers(1, 7), max_size=12), st.sets(OWNERS, max_size=2))
def test_nothing_is_lost_and_each_owner_keeps_its_order(
    owners: list[str], sizes: list[int], unwanted: set[str]
) -> None:
    items = [(owner, number) for number, owner in enumerate(owners)]
    queue = filled(*items)
    removed = queue.remove(lambda item: item[0] in unwanted)
    assert removed == sorted(removed, key=lambda item: owners.index(item[0]))
    taken: list[tuple[str, int]] = []
    for size in sizes:
        batch = queue.take(size)
        # nobody has two more in a batch than another who is still waiting
        counts = {owner: sum(item[0] == owner for item in batch) for owner in set(owners) - unwanted}
        left = {item[0] for item in items if item not in [*taken, *batch, *removed]}
        assert all(counts[waiting] >= max(counts.values()) - 1 for waiting in left)
        taken += batch
    assert len(queue) == len(items) - len(taken) - len(removed)
    taken += queue.take(100)
    assert sorted([*taken, *removed]) == sorted(items)
    for owner in set(owners) - unwanted:
        assert [item for item in taken if item[0] == owner] == [item for item in items if item[0] == owner]
