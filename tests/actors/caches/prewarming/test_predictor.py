"""What is predicted: what comes often, what follows what, and how much of it is remembered."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.caches.prewarming.predictor import MOST_STREAMS, MOST_SUCCESSORS, Predictor

A, B, C, D = (bytes([letter]) for letter in b"abcd")


def probabilities(predictor: Predictor, run: str, now: float = 0.0) -> dict[bytes, float]:
    return {each.call: each.probability for each in predictor.next_calls(now, run=run)}


def learn(predictor: Predictor, *workflow: bytes, times: int = 1, tenant: str = "t", now: float = 0.0) -> None:
    for _ in range(times):
        run = f"run {next(_runs)}"
        for call in workflow:
            predictor.observe(call, now, run=run, tenant=tenant)


_runs = count()


def test_nothing_is_predicted_of_what_was_never_seen() -> None:
    predictor = Predictor()
    assert predictor.next_calls(0.0, run="1") == []
    predictor.observe(A, 0.0, run="1")
    assert predictor.next_calls(0.0, run="1") == []


def test_what_followed_is_expected_to_follow() -> None:
    predictor = Predictor()
    learn(predictor, A, B, C, times=5)
    predictor.observe(A, 0.0, run="now", tenant="other")
    found = probabilities(predictor, "now")
    assert max(found, key=found.__getitem__) == B
    assert found[B] > 0.8


def test_a_longer_context_decides_where_the_shorter_cannot() -> None:
    first, second = Predictor(order=1, horizon_s=0.0), Predictor(order=2, horizon_s=0.0)
    for predictor in (first, second):
        for _ in range(6):
            learn(predictor, A, B, C)
            learn(predictor, D, B, D)
        predictor.observe(A, 0.0, run="now", tenant="other")
        predictor.observe(B, 0.0, run="now", tenant="other")
    assert probabilities(first, "now")[C] == pytest.approx(probabilities(first, "now")[D], abs=0.2)
    assert probabilities(second, "now")[C] > 2 * probabilities(second, "now")[D]


def test_what_follows_in_the_next_run_of_a_tenant_is_seen() -> None:
    predictor = Predictor()
    for _ in range(4):
        for call in (A, B):
            learn(predictor, call)
    predictor.observe(A, 0.0, run="now", tenant="t")
    found = probabilities(predictor, "now")
    assert found[B] > 0.6
    assert found[B] == max(found.values())


def test_tenants_do_not_follow_each_other() -> None:
    predictor = Predictor(horizon_s=0.0)
    for _ in range(4):
        learn(predictor, A, tenant="one")
        learn(predictor, B, tenant="two")
    predictor.observe(A, 0.0, run="now", tenant="one")
    assert B not in probabilities(predictor, "now")


def test_a_steady_rate_is_found() -> None:
    predictor = Predictor(order=0, half_life_s=100.0, horizon_s=10.0)
    for second in range(0, 1000, 10):
        predictor.observe(A, float(second), run="1")
    # one call in ten seconds: with probability 1 - 1/e one comes within the horizon
    assert probabilities(predictor, "1", 1000.0)[A] == pytest.approx(0.632, abs=0.05)


def test_what_came_often_once_is_not_expected_for_ever() -> None:
    predictor = Predictor(order=0, half_life_s=100.0, horizon_s=60.0)
    for second in range(100):
        predictor.observe(A, float(second), run="1")
    early, later = (probabilities(predictor, "1", now).get(A, 0.0) for now in (100.0, 700.0))
    assert early > 0.9
    assert later < 0.1


def test_counts_follow_a_change() -> None:
    predictor = Predictor(order=1)
    learn(predictor, A, B, times=200)
    learn(predictor, A, C, times=60)
    predictor.observe(A, 0.0, run="now", tenant="other")
    found = probabilities(predictor, "now", 1e9)  # long after: what is frequent says nothing
    assert found[C] > found[B]


CALLS = st.lists(st.tuples(st.sampled_from([A, B, C, D]), st.integers(0, 2), st.floats(0, 50)), max_size=60)


@given(CALLS, st.integers(0, 2))
def test_probabilities_are_probabilities_and_in_order(
    calls: list[tuple[bytes, int, float]], order: int
) -> None:
    predictor, now = Predictor(order=order), 0.0
    for call, run, wait_s in calls:
        now += wait_s
        predictor.observe(call, now, run=str(run))
        predictions = predictor.next_calls(now, run=str(run))
        chances = [each.probability for each in predictions]
        assert all(0.0 < chance <= 1.0 for chance in chances)
        assert chances == sorted(chances, reverse=True)
        assert len({each.call for each in predictions}) == len(predictions)


@given(CALLS)
def test_what_may_follow_next_is_no_more_than_one_thing(calls: list[tuple[bytes, int, float]]) -> None:
    predictor = Predictor(horizon_s=0.0)  # no word about what comes often
    for call, run, _ in calls:
        predictor.observe(call, 0.0, run=str(run))
        assert sum(each.probability for each in predictor.next_calls(0.0, run=str(run))) <= 1.0 + 1e-9


@given(CALLS)
def test_equal_calls_lead_to_equal_predictions(calls: list[tuple[bytes, int, float]]) -> None:
    one, other = Predictor(), Predictor()
    for call, run, wait_s in calls:
        for predictor in (one, other):
            predictor.observe(call, wait_s, run=str(run))
        assert one.next_calls(60.0, run=str(run)) == other.next_calls(60.0, run=str(run))


def test_what_comes_often_is_looked_for_now_and_then() -> None:
    predictor = Predictor(order=0, horizon_s=60.0)
    for second in range(100):
        predictor.observe(A, float(second), run="1")
    told = [bool(predictor.next_calls(100.0 + tenth / 10, run="1")) for tenth in range(21)]
    assert [tenth for tenth, is_told in enumerate(told) if is_told] == [0, 10, 20]


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_memory_is_bounded(seed: int) -> None:
    chance, predictor = Random(seed), Predictor(most_calls=50)
    forgotten: set[bytes] = set()
    for step in range(3000):
        call = chance.randrange(500).to_bytes(2)
        forgotten -= {call}
        forgotten |= set(predictor.observe(call, float(step), run=str(chance.randrange(3000))))
    assert len(predictor) == 50
    assert len(predictor._after) <= 200
    assert len(predictor._streams) <= MOST_STREAMS
    assert all(len(after.counts) <= MOST_SUCCESSORS for after in predictor._after.values())
    assert not forgotten & predictor._often.keys()
