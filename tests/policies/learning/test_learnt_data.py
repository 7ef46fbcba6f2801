"""What was learnt, as data and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import PolicyError
from policies.file.schema import Learning, Weights
from policies.learning.choosing import decided
from policies.learning.learnt import Feedback, LearntState
from policies.learning.learnt_data import from_data, to_data

OUTCOMES = st.lists(
    st.tuples(
        st.sampled_from(["sort", "sum"]),
        st.builds(
            Feedback,
            fn_symbol=st.just("f"),
            target=st.sampled_from(["remote-a", "local-b"]),
            success=st.booleans(),
            cost_usd=st.floats(0, 10),
            latency_ms=st.floats(0, 1e5),
            quality=st.none() | st.floats(0, 1),
        ),
    ),
    max_size=40,
)


def learnt(outcomes: list[tuple[str, Feedback]]) -> LearntState:
    state = LearntState()
    for kind, feedback in outcomes:
        state = state.after(kind, feedback, 50.0, explored=False)
    return decided(state, ["sort", "sum"], Learning(enabled=True, exploration=0.1, min_outcomes=3), Weights())


@given(OUTCOMES)
def test_round_trip(outcomes: list[tuple[str, Feedback]]) -> None:
    state = learnt(outcomes)
    data = to_data(state)
    again = from_data(json.loads(json.dumps(data)))
    assert again == state
    assert to_data(again) == data


def sample() -> dict[str, Any]:
    made = Feedback(fn_symbol="f", target="remote-a", success=True, cost_usd=0.1, latency_ms=5, quality=0.5)
    data: dict[str, Any] = json.loads(json.dumps(to_data(learnt([("sort", made)] * 5))))
    return data


# place, what stands there instead, what the error says
WRONG = [
    ("format", 2, "in format 1, got `2`"),
    ("version", -1, "whole number of 0 or more at `version`"),
    ("seen", 1.5, "whole number of 0 or more at `seen`"),
    ("seen", True, "whole number of 0 or more at `seen`"),
    ("kinds", [], "map from names at `kinds`"),
    ("kinds.sort.choice", 3, "a target's name or nothing at `kinds.sort.choice`"),
    ("kinds.sort.share", 2, "from 0 to 1 at `kinds.sort.share`"),
    ("kinds.sort.arms.remote-a.answers", 7, "from 0 to 1 at `kinds.sort.arms.remote-a.answers`"),
    ("kinds.sort.arms.remote-a.weight", float("nan"), "0 or more at `kinds.sort.arms.remote-a.weight`"),
    ("kinds.sort.arms.remote-a.recent", [0.0] * 99, "at most 32 qualities in a list"),
    ("kinds.sort.arms.remote-a", {"seen": 1}, "got `seen`"),
    ("levels.remote-a.price", 0, "price and pace above 0 at `levels.remote-a`"),
    ("levels.remote-a.moved_at", -2, "at `levels.remote-a.moved_at`"),
]


@pytest.mark.parametrize(("place", "value", "message"), WRONG)
def test_wrong_data_names_the_place(place: str, value: object, message: str) -> None:
    data = sample()
    *path, last = place.split(".")
    table = data
    for key in path:
        table = table[key]
    assert last in table
    table[last] = value
    with pytest.raises(PolicyError) as caught:
        from_data(data)
    assert message in str(caught.value)


@pytest.mark.parametrize("data", [None, [], "x", {}, {"format": 1}, {1: 2}])
def test_what_is_no_state_is_refused(data: object) -> None:
    with pytest.raises(PolicyError, match="expected"):
        from_data(data)
