from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.caches.l3.evidence import MOST_OUTCOMES, Outcome, read_evidence, with_outcome

OUTCOMES = st.builds(Outcome, st.floats(-1.0, 1.0, width=32), st.booleans())


@given(st.lists(OUTCOMES, max_size=MOST_OUTCOMES + 5))
def test_the_latest_outcomes_read_back(outcomes: list[Outcome]) -> None:
    data = b""
    for each in outcomes:
        data = with_outcome(data, each)
    found = read_evidence(data)
    wanted = outcomes[-MOST_OUTCOMES:]
    assert [each.correct for each in found] == [each.correct for each in wanted]
    assert [each.similarity for each in found] == pytest.approx(
        [max(0.0, each.similarity) for each in wanted], abs=1e-5
    )


@given(st.binary(max_size=200))
def test_bytes_that_are_none_are_no_evidence(data: bytes) -> None:
    for each in read_evidence(data):
        assert 0.0 < each.similarity <= 1.0


@pytest.mark.parametrize(
    "data", [b"", b"1abc", b"2\x3f\x80\0\0", b"1\x7f\xc0\0\0", b"1\x40\0\0\0", b"1" + b"\0" * 4]
)
def test_what_is_damaged_is_nothing(data: bytes) -> None:
    assert read_evidence(data) == ()
    assert len(read_evidence(with_outcome(data, Outcome(0.9, True)))) == 1
