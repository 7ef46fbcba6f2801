"""A slice of the search for programs that show that their calls overlapped."""

from __future__ import annotations

from collections import Counter

import fuzz_grammar
import pytest
from fuzz_outcomes import SMALL
from fuzz_overlap import Target, one_by_one, overlapped, program

#: programs in one test, and tests
SIZE = 60


@pytest.mark.parametrize("part", range(3))
def test_what_is_seen_of_a_program_is_as_one_after_another(part: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(part * SIZE, (part + 1) * SIZE):
        text = program(seed)
        target = Target(seed, share=(0.3, 0.6, 1.0)[seed % 3])
        assert overlapped(text, target) == one_by_one(text), text
        seen["overlapped"] += target.most > 1
        seen["cancelled"] += target.cancelled
    assert seen["overlapped"] > SIZE / 3
    assert seen["cancelled"] > 0


def test_programs_of_all_kinds_give_the_same() -> None:
    for seed in range(150):
        text = fuzz_grammar.program(seed)
        target = Target(seed, share=1.0)
        found, wanted = overlapped(text, target, SMALL), one_by_one(text, SMALL)
        if not {"BudgetExhausted", "StackOverflow"} & {found.value, wanted.value}:
            assert found == wanted, text
