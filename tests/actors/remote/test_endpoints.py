"""Turns of endpoints, and the rest of those that failed."""

from __future__ import annotations

from actors.remote.endpoints import REST_S, Endpoints


class Time:
    now = 100.0


def test_calls_go_round():
    endpoints = Endpoints(("a", "b", "c", "a"), lambda: 0.0)
    assert [endpoints.in_turn() for _ in range(4)] == [
        ("a", "b", "c"),
        ("b", "c", "a"),
        ("c", "a", "b"),
        ("a", "b", "c"),
    ]


def test_one_that_failed_comes_last_for_a_while():
    time = Time()
    endpoints = Endpoints("abc", lambda: time.now)
    endpoints.failed("a")
    assert endpoints.in_turn() == ("b", "c", "a")
    time.now += REST_S
    assert endpoints.in_turn() == ("b", "c", "a")  # its turn
    assert endpoints.in_turn() == ("c", "a", "b")


def test_one_that_answers_is_well_again():
    endpoints = Endpoints("ab", lambda: 0.0)
    endpoints.failed("a")
    endpoints.answered("a")
    assert endpoints.in_turn() == ("a", "b")


def test_when_all_failed_the_one_that_failed_longest_ago_comes_first():
    time = Time()
    endpoints = Endpoints("abc", lambda: time.now)
    for each in "bca":
        endpoints.failed(each)
        time.now += 0.5
    assert endpoints.in_turn() == ("b", "c", "a")
    assert endpoints.in_turn() == ("b", "c", "a")
