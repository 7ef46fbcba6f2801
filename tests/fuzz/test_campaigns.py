"""A slice of each search for bugs; `scripts/fuzz` runs them for longer."""

from __future__ import annotations

import random

import fuzz_grammar
import pytest
from fuzz_campaigns import CAMPAIGNS, Tally
from fuzz_mutations import noise
from fuzz_outcomes import compared, outcome
from fuzz_shrink import shrunk
from hypothesis import given
from hypothesis import strategies as st

from rtfs.run import Limits
from rtfs.stdlib.table import BUILTINS

#: campaign → inputs in one test, and tests
SLICES = {"differential": (250, 8), "programs": (500, 6), "reader": (2_000, 4)}

CASES = [(name, part) for name, (_, parts) in SLICES.items() for part in range(parts)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "part"), CASES)
def test_finds_nothing(name: str, part: int) -> None:
    tally = Tally()
    size = SLICES[name][0]
    for seed in range(part * size, (part + 1) * size):
        CAMPAIGNS[name](tally, seed)
    assert tally.findings == []
    assert tally.inputs == size


def test_most_generated_programs_come_to_a_value_and_they_reach_most_of_the_language() -> None:
    tally = Tally()
    for seed in range(0, 4_000, 10):  # those whose constructs are counted
        CAMPAIGNS["differential"](tally, seed)
    nodes = [each for each in tally.reached if not each.startswith("(")]
    assert tally.outcomes["value"] > tally.inputs / 2
    assert len(tally.outcomes) > 8
    assert len(nodes) > 30
    assert len(tally.reached) - len(nodes) > len(BUILTINS) / 2


def test_the_same_seed_makes_the_same_program() -> None:
    assert [fuzz_grammar.program(seed) for seed in range(50)] == [
        fuzz_grammar.program(seed) for seed in range(50)
    ]
    assert len({fuzz_grammar.program(seed) for seed in range(50)}) > 40


@given(st.text(max_size=200))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    found = compared(text, limits=Limits(deadline_s=2.0, depth=300))
    assert found.agrees, (found.interpreter, found.python)


@given(st.integers(0, 2**32))
def test_noise_is_a_value_or_an_error(seed: int) -> None:
    found = compared(noise(random.Random(seed)), limits=Limits(deadline_s=2.0, depth=300))
    assert found.agrees, (found.interpreter, found.python)


def test_an_exception_that_is_no_error_of_the_language_counts_as_a_bug() -> None:
    def fail() -> str:
        raise KeyError("oops")

    assert outcome(fail).kind == "bug"
    assert "KeyError" in outcome(fail).text


def test_shrinking_keeps_what_fails() -> None:
    text = '(let [a 1 b [2 (f {:x "needle"})]] (+ a b (g 1 2 3)))'
    small = shrunk(text, lambda each: "needle" in each)
    assert "needle" in small
    assert len(small) < len(text) / 3
