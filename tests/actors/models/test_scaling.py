from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.host import HostStats, State
from actors.models.scaling import CALM_S, FULL_S, Scaling


def stats(
    *,
    waiting: int = 0,
    in_flight: int = 0,
    refused: int = 0,
    state: State = "ready",
    max_batch: int = 4,
    concurrency: int = 1,
) -> HostStats:
    return HostStats(
        model="m",
        state=state,
        version="1",
        problems=(),
        waiting=waiting,
        in_flight=in_flight,
        requests=0,
        batches=0,
        mean_batch=0.0,
        refused=refused,
        timed_out=0,
        max_batch=max_batch,
        concurrency=concurrency,
    )


class Probes:
    """Tells a `Scaling` how its replicas are doing, every `FULL_S` seconds."""

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling
        self.now = 100.0

    def __call__(self, *replicas: HostStats | None) -> int:
        self.now += FULL_S
        there = {f"r{number}": each for number, each in enumerate(replicas) if each is not None}
        return self.scaling.decide(there, self.now)

    def counts(self, rounds: Sequence[Sequence[HostStats | None]]) -> list[int]:
        return [self(*each) for each in rounds]


IDLE = stats()
FULL = stats(waiting=5, in_flight=4)
ROUNDS_TO_CALM = int(CALM_S / FULL_S)


def test_a_queue_that_stays_for_two_probes_brings_one_replica_more() -> None:
    probes = Probes(Scaling(1, 3, 1))
    assert probes.counts([[FULL], [FULL]]) == [1, 2]


def test_a_queue_that_goes_away_in_between_brings_none() -> None:
    probes = Probes(Scaling(1, 3, 1))
    assert probes.counts([[FULL], [IDLE], [FULL], [IDLE]]) == [1, 1, 1, 1]


def test_two_probes_in_quick_succession_are_not_enough() -> None:
    scaling = Scaling(1, 3, 1)
    assert [scaling.decide({"r": FULL}, now) for now in (10.0, 10.2, 14.9, 15.0)] == [1, 1, 1, 2]


def test_each_replica_needs_a_queue_of_its_own_on_average() -> None:
    probes = Probes(Scaling(1, 4, 2))
    assert probes.counts([[stats(waiting=8), IDLE]] * 3) == [2, 2, 2]
    assert probes.counts([[stats(waiting=9), IDLE]] * 2) == [2, 3]


def test_large_batches_do_not_have_to_be_full() -> None:
    probes = Probes(Scaling(1, 4, 1))
    assert probes.counts([[stats(waiting=17, max_batch=1024)]] * 2) == [1, 2]


def test_refused_requests_count_at_once() -> None:
    probes = Probes(Scaling(1, 4, 1))
    assert probes.counts([[stats(refused=refused)] for refused in (3, 3, 4, 4)]) == [1, 1, 2, 2]
    assert probes.counts([[stats(refused=5), None], [stats(refused=5), IDLE]]) == [2, 2]
    assert probes(stats(refused=5), stats(refused=1)) == 3


def test_a_replica_that_was_started_anew_has_refused_nothing() -> None:
    probes = Probes(Scaling(1, 4, 1))
    assert probes.counts([[stats(refused=9)], [None], [stats(refused=9)], [stats(refused=1)]]) == [1, 1, 1, 1]


def test_never_more_than_the_most() -> None:
    probes = Probes(Scaling(1, 2, 2))
    assert probes.counts([[FULL, FULL]] * 5) == [2] * 5


@pytest.mark.parametrize("second", [None, stats(state="new", max_batch=0), stats(state="failed", max_batch=0)])
def test_the_next_one_waits_for_the_last_one(second: HostStats | None) -> None:
    probes = Probes(Scaling(1, 4, 2))
    assert probes.counts([[FULL, second]] * 4) == [2] * 4
    assert probes(FULL, stats(waiting=9)) == 3


def test_each_change_is_followed_by_a_new_look() -> None:
    probes = Probes(Scaling(1, 9, 1))
    assert probes.counts([[FULL] * 5] * 6) == [1, 2, 2, 3, 3, 4]


def test_one_less_after_a_calm_time() -> None:
    probes = Probes(Scaling(1, 4, 3))
    counts = probes.counts([[IDLE] * 3] * (ROUNDS_TO_CALM + 1))
    assert counts == [3] * ROUNDS_TO_CALM + [2]
    assert probes.counts([[IDLE] * 2] * (ROUNDS_TO_CALM + 1)) == [2] * ROUNDS_TO_CALM + [1]
    assert probes.counts([[IDLE]] * 3 * ROUNDS_TO_CALM) == [1] * 3 * ROUNDS_TO_CALM


@pytest.mark.parametrize(
    "busy", [stats(waiting=1), stats(in_flight=5), stats(refused=1)], ids=["waiting", "working", "refused"]
)
def test_what_is_busy_is_not_calm(busy: HostStats) -> None:
    probes = Probes(Scaling(1, 2, 2))
    assert probes.counts([[IDLE, IDLE]] * ROUNDS_TO_CALM) == [2] * ROUNDS_TO_CALM
    assert probes(IDLE, busy) == 2
    assert probes.counts([[IDLE, IDLE]] * (ROUNDS_TO_CALM + 1)) == [2] * ROUNDS_TO_CALM + [1]


def test_a_replica_that_never_came_goes_when_it_is_calm() -> None:
    probes = Probes(Scaling(1, 2, 2))
    assert probes.counts([[stats(in_flight=1), None]] * (ROUNDS_TO_CALM + 1))[-1] == 1


ANSWERS = st.none() | st.builds(
    stats,
    waiting=st.integers(0, 40),
    in_flight=st.integers(0, 8),
    refused=st.integers(0, 3),
    state=st.sampled_from(["new", "ready", "failed", "unloaded"]),
    max_batch=st.integers(0, 64),
)


@given(
    st.integers(1, 3),
    st.integers(0, 3),
    st.lists(st.tuples(st.floats(0, 90), st.lists(ANSWERS, max_size=6)), max_size=40),
)
def test_the_count_keeps_its_bounds_and_changes_by_one(
    fewest: int, further: int, rounds: list[tuple[float, list[HostStats | None]]]
) -> None:
    scaling, now = Scaling(fewest, fewest + further, fewest), 0.0
    for later_s, answers in rounds:
        now += later_s
        before = scaling.count
        after = scaling.decide({str(at): each for at, each in enumerate(answers) if each is not None}, now)
        assert after == scaling.count
        assert abs(after - before) <= 1
        assert fewest <= after <= fewest + further
