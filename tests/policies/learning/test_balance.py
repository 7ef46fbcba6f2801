"""Which replica takes a call."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import PolicyError
from policies.learning.balance import Replica, least_loaded, one_of_two

REPLICAS = st.lists(
    st.builds(
        Replica,
        name=st.sampled_from("abcdefgh"),
        in_flight=st.integers(0, 5),
        capacity=st.none() | st.integers(0, 5),
        circuit=st.sampled_from(["closed", "open", "half-open"]),
        latency_ms=st.none() | st.floats(0, 1e4),
    ),
    max_size=8,
    unique_by=lambda replica: replica.name,
)


def replica(name: str, in_flight: int = 0, **more: object) -> Replica:
    return Replica(name=name, in_flight=in_flight, **more)  # type: ignore[arg-type]


# replicas → the name of the one that takes the next call
LEAST = [
    ([], None),
    ([replica("a", 3), replica("b", 1), replica("c", 2)], "b"),
    ([replica("a", 2, capacity=8), replica("b", 1, capacity=2)], "a"),  # a quarter, not a half
    ([replica("a", 2, capacity=2), replica("b", 9)], "b"),  # full
    ([replica("a", capacity=0)], None),
    ([replica("a", circuit="open"), replica("b", 9)], "b"),
    ([replica("a", circuit="open")], None),
    ([replica("a", circuit="half-open"), replica("b", 9)], "a"),  # one trial
    ([replica("a", 1, circuit="half-open"), replica("b", 9)], "b"),
    ([replica("a", 1, latency_ms=100), replica("b", 0, latency_ms=500)], "a"),  # done sooner all the same
    ([replica("a", 1, latency_ms=100), replica("b", 0)], "b"),  # not measured: it gets its chance
]


@pytest.mark.parametrize(("replicas", "name"), LEAST)
def test_least_loaded(replicas: list[Replica], name: str | None) -> None:
    chosen = least_loaded(replicas, "call 1")
    assert (chosen and chosen.name) == name


def test_equals_share_the_calls() -> None:
    replicas = [replica(name) for name in "abcd"]
    taken = Counter(chosen.name for key in range(400) if (chosen := least_loaded(replicas, str(key))))
    assert set(taken) == set("abcd")
    assert min(taken.values()) > 50


@given(REPLICAS, st.text(max_size=5), st.integers(0, 3))
def test_both_choose_only_what_is_usable_and_always_the_same(
    replicas: list[Replica], key: str, seed: int
) -> None:
    usable = [each for each in replicas if each.is_usable]
    for chosen in (least_loaded(replicas, key), one_of_two(replicas, key, seed)):
        assert (chosen is None) == (not usable)
        assert chosen is None or chosen in usable
    assert least_loaded(replicas, key) == least_loaded(reversed(replicas), key)
    assert one_of_two(replicas, key, seed) == one_of_two(replicas, key, seed)


@given(REPLICAS.filter(lambda replicas: sum(each.is_usable for each in replicas) > 1), st.text(max_size=5))
def test_of_two_the_most_loaded_is_never_taken_if_it_is_the_only_one(replicas: list[Replica], key: str) -> None:
    plain = [replace(each, latency_ms=None) for each in replicas if each.is_usable]
    waits = sorted(each.wait(1.0) for each in plain)
    chosen = one_of_two(plain, key)
    assert chosen is not None
    assert chosen.wait(1.0) < waits[-1] or waits[-1] == waits[-2]


def test_two_choices_keep_queues_even() -> None:
    """A thousand calls, none of which ends: with two choices no queue is much longer than the mean."""
    longest = {}
    for name, choices in (("two", 2), ("one", 1)):
        queues = dict.fromkeys([f"r{number}" for number in range(20)], 0)
        for key in range(1000):
            replicas = [replica(each, calls if choices == 2 else 0) for each, calls in queues.items()]
            chosen = one_of_two(replicas, str(key))
            assert chosen is not None
            queues[chosen.name] += 1
        longest[name] = max(queues.values())
    assert longest["two"] <= 54
    assert longest["one"] > longest["two"]


def test_another_seed_draws_others() -> None:
    replicas = [replica(f"r{number}") for number in range(50)]
    keys = [str(key) for key in range(50)]
    assert [one_of_two(replicas, key, 1) for key in keys] != [one_of_two(replicas, key, 2) for key in keys]


@pytest.mark.parametrize("wrong", [{"in_flight": -1}, {"capacity": -1}])
def test_negative_loads_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(PolicyError, match="expected calls under way and capacity of `a` to be 0 or more"):
        replica("a", **wrong)
