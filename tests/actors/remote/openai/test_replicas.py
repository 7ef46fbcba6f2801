"""Which endpoint an attempt goes to."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from actors.remote.endpoints import REST_S
from actors.remote.openai.replicas import Replicas
from policies.errors import NotSent, TargetFailed


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def take(replicas: Replicas, clock: Clock, took_s: float = 0.0, failure: TargetFailed | None = None) -> str:
    try:
        with replicas.one() as url:
            clock.now += took_s
            if failure is not None:
                raise failure
    except TargetFailed:
        pass
    return url


def test_calls_under_way_are_spread():
    replicas = Replicas("abc", Clock())
    with ExitStack() as under_way:
        taken = [under_way.enter_context(replicas.one()) for _ in range(9)]
    assert sorted(taken) == list("aaabbbccc")


def test_the_slow_one_gets_fewer():
    clock = Clock()
    replicas = Replicas("ab", clock)
    slow = take(replicas, clock, 3.0)
    with replicas.one([slow]) as fast:
        clock.now += 1.0
    with ExitStack() as under_way:
        taken = [under_way.enter_context(replicas.one()) for _ in range(8)]
    assert (taken.count(slow), taken.count(fast)) == (2, 6)


@pytest.mark.parametrize(("asked", "rest_s"), [(None, REST_S), (60.0, 60.0), (0.0, 0.0)])
def test_one_that_failed_rests_and_is_tried_again(asked: float | None, rest_s: float):
    clock = Clock()
    replicas = Replicas("ab", clock)
    failed = take(replicas, clock, failure=TargetFailed("overloaded", retry_after_s=asked))
    if rest_s:
        assert failed not in {take(replicas, clock, 0.1) for _ in range(20)}
    assert replicas.has_other([]) is True
    clock.now += rest_s
    with ExitStack() as under_way:  # one trial, no more
        taken = [under_way.enter_context(replicas.one()) for _ in range(6)]
    assert taken.count(failed) == 1


def test_what_is_not_its_fault_says_nothing_about_it():
    clock = Clock()
    replicas = Replicas("ab", clock)
    for failure in (TargetFailed("bad-request"), NotSent("timeout")):
        for _ in range(4):
            take(replicas, clock, failure=failure)
    with ExitStack() as under_way:
        assert {under_way.enter_context(replicas.one()) for _ in range(2)} == {"a", "b"}


def test_when_all_rest_the_one_that_rests_shortest_is_asked():
    clock = Clock()
    replicas = Replicas("ab", clock)
    first = take(replicas, clock, failure=TargetFailed("overloaded", retry_after_s=60.0))
    second = take(replicas, clock, failure=TargetFailed("overloaded", retry_after_s=30.0))
    assert first != second
    assert not replicas.has_other([])
    assert take(replicas, clock) == second


def test_one_that_was_tried_is_not_tried_again_if_there_is_another():
    replicas = Replicas("ab", Clock())
    with replicas.one(["a"]) as url:
        assert url == "b"
    with replicas.one(["a", "b"]) as url:
        assert url in "ab"
    assert not replicas.has_other(["a", "b"])
