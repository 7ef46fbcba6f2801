"""Ranges of numbers as digits: every number in the range, and no other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfs.types.number_grammar import any_float, decimals, whole
from rtfs.values import INT_MAX, INT_MIN

pytest.importorskip("numpy")

from grammar_texts import GrammarTexts


def texts(expression: str | None) -> GrammarTexts | None:
    return None if expression is None else GrammarTexts(f"root ::= {expression}\n")


@given(st.integers(-1300, 1300), st.integers(0, 1500))
@settings(max_examples=60, deadline=None)
def test_small_ranges_are_exact(low: int, size: int) -> None:
    found = texts(whole(low, low + size))
    assert found is not None
    for number in (*range(low - 12, low + 12), *range(low + size - 12, low + size + 12), -1, 0, 1):
        assert found.accepts(str(number)) is (low <= number <= low + size), number
    assert not any(found.accepts(text) for text in ("", "-", "-0", "00", "01", "1.0", "+1", " 1"))


@given(st.integers(INT_MIN, INT_MAX), st.integers(INT_MIN, INT_MAX), st.integers(INT_MIN, INT_MAX))
@settings(max_examples=100, deadline=None)
def test_large_ranges_are_exact(one: int, other: int, number: int) -> None:
    low, high = min(one, other), max(one, other)
    found = texts(whole(low, high))
    assert found is not None
    for each in (number, low, high, low - 1, high + 1):
        assert found.accepts(str(each)) is (low <= each <= high), each


def test_an_empty_range_has_none() -> None:
    assert whole(3, 2) is None
    assert whole(0, -1) is None
    assert decimals(1.0, True, 1.0, False) is None
    assert decimals(2, False, 1, False) is None


bounds = st.none() | st.integers(-300, 300) | st.decimals(-20, 20, places=3).map(float)
numbers = st.one_of(
    st.integers(-400, 400).map(str),
    st.decimals(-21, 21, places=4).map(lambda found: format(found, "f")),
    st.decimals(-2, 2, places=1).map(lambda found: format(found, "f")),
)


@given(bounds, bounds, st.booleans(), st.booleans(), st.lists(numbers, min_size=5, max_size=12))
@settings(max_examples=250, deadline=None)
def test_decimals_are_those_within_the_bounds(
    low: float | None, high: float | None, low_open: bool, high_open: bool, some: list[str]
) -> None:
    found = texts(decimals(low, low_open and low is not None, high, high_open and high is not None))
    edges = [repr(edge) for edge in (low, high) if edge is not None]
    for text in (*some, *edges, "0", "0.0"):
        if text.startswith("-") and float(text) == 0:
            continue  # not written with a sign
        number = Decimal(text)
        above = low is None or (number > Decimal(repr(low)) if low_open else number >= Decimal(repr(low)))
        below = high is None or (number < Decimal(repr(high)) if high_open else number <= Decimal(repr(high)))
        if text.startswith("-0") and "." not in text:
            continue
        accepted = found is not None and found.accepts(text)
        is_shortest = "." not in text or not text.endswith("0")
        assert accepted is (above and below) or (not accepted and not is_shortest), text


_ANY = GrammarTexts(f"root ::= {any_float('int')}\nint ::= {whole(INT_MIN, INT_MAX)}\n")
_LARGEST = "1.7976931348623157e+308"


@pytest.mark.parametrize(
    "number", ["0", "-0.0", "5e-324", _LARGEST, "1e+16", "-1.5e-07", "0.1", str(INT_MAX), str(INT_MIN), "1E5"]
)
def test_every_float_is_a_number(number: str) -> None:
    assert _ANY.accepts(number)


@pytest.mark.parametrize(
    "number",
    ["1e309", "9e308", "1.7976931348623158e+308", "01", "1.", ".5", "+1", "1e", "NaN", "Infinity", str(2**63)],
)
def test_what_no_float_holds_is_none(number: str) -> None:
    assert not _ANY.accepts(number)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=300, deadline=None)
def test_floats_are_written_as_numbers(number: float) -> None:
    assert _ANY.accepts(repr(number))
