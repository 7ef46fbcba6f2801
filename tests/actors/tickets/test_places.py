"""Where tickets run: the fewest runs first, and nothing for who is away."""

from __future__ import annotations

from typing import Any

import pytest

from actors.tickets.places import Place, Places, RunnerLost

A: Any = "evaluator a"
B: Any = "evaluator b"


@pytest.fixture
def places() -> Places:
    made = Places(2)
    made.set_runners({"a": A, "b": B})
    return made


def test_the_evaluator_with_the_fewest_runs_is_next(places: Places) -> None:
    taken = [places.take(f"t{number}", "r") for number in range(4)]
    assert [each.name for each in taken] == ["a", "b", "a", "b"]
    assert [each.runner for each in taken] == [A, B, A, B]
    assert places.free() == 0
    places.leave(taken[1])
    assert places.free() == 1
    assert places.take("t4", "r").name == "b"


def test_a_place_is_found_by_its_ticket_until_it_is_left(places: Places) -> None:
    place = places.take("t", "r-1")
    assert places.of("t") is place
    assert (place.ticket_id, place.run_id) == ("t", "r-1")
    places.leave(place)
    assert places.of("t") is None


def test_leaving_an_old_run_leaves_the_new_one_of_the_same_ticket(places: Places) -> None:
    old, new = places.take("t", "r-1"), places.take("t", "r-2")
    places.leave(old)
    assert places.of("t") is new
    assert places.free() == 3


def test_who_is_away_is_given_nothing(places: Places) -> None:
    assert places.lost("a")
    assert not places.lost("a")  # known already
    assert places.free() == 2
    assert [places.take("t", "r").name for _ in range(2)] == ["b", "b"]
    places.lost("b")
    assert places.free() == 0
    with pytest.raises(RunnerLost, match="no evaluator is there"):
        places.take("t", "r")
    places.back("a")
    assert places.free() == 2
    assert places.take("t", "r").name == "a"


def test_runs_on_evaluators_that_are_no_more_take_nobodys_place(places: Places) -> None:
    old: list[Place] = [places.take(f"t{number}", "r") for number in range(4)]
    places.set_runners({"b": B, "c": A})
    assert places.free() == 2
    assert (places.runner("a"), places.runner("c")) == (None, A)
    for each in old:
        places.leave(each)
    assert places.free() == 4
