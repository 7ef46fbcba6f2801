"""When another try is worth it, and how long before it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.remote.openai.retrying import FIRST_S, MOST_S, PASSING, pause_s
from policies.errors import TargetFailed
from policies.running.health import CAUSES

FRACTIONS = st.floats(0, 1, exclude_max=True)


@given(cause=st.sampled_from(sorted(PASSING)), retry=st.integers(0, 2000), drawn=FRACTIONS)
def test_a_pause_is_drawn_under_a_bound_that_doubles(cause: str, retry: int, drawn: float):
    pause = pause_s(TargetFailed(cause), retry, 1e9, lambda: drawn)
    assert pause is not None
    assert pause == drawn * min(MOST_S, FIRST_S * 2.0 ** min(retry, 10))


@given(left=st.floats(0, 20), drawn=FRACTIONS, asked=st.none() | st.floats(0, 20), retry=st.integers(0, 8))
def test_a_pause_always_fits_into_the_time(left: float, drawn: float, asked: float | None, retry: int):
    pause = pause_s(TargetFailed("rate-limited", retry_after_s=asked), retry, left, lambda: drawn)
    assert pause is None or (asked or 0.0) <= pause < left


def test_what_does_not_pass_is_not_tried_again():
    assert CAUSES >= PASSING
    for cause in CAUSES - PASSING:
        assert pause_s(TargetFailed(cause), 0, 100.0, lambda: 0.0) is None
