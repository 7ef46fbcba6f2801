"""`race`: the first value."""

from __future__ import annotations

import pytest
from overlap_target import Target, first, last

from rtfs.errors import BudgetExhausted
from rtfs.overlap import overlapping
from rtfs.overlap.current import before_effect
from rtfs.overlap.fork import all_of
from rtfs.overlap.race import first_of


def fails(target: Target, text: str) -> None:
    target._wait(text)
    raise ValueError(text)


def test_the_first_value_wins_and_the_others_are_cancelled() -> None:
    target = Target(answer=last)
    texts = ["a", "b", "c"]
    pieces = [lambda text=text: target._wait(text) or text for text in texts]  # type: ignore[misc]
    assert overlapping(lambda: first_of(*pieces)) == "c"
    assert target.log == ["> a", "> b", "> c", "< c", "x a", "x b"]


def test_a_value_that_is_there_at_once_keeps_others_from_beginning() -> None:
    begun: list[int] = []
    assert overlapping(lambda: first_of(lambda: 1, lambda: begun.append(1))) == 1
    assert begun == []


def test_an_error_loses_to_a_later_value() -> None:
    target = Target(answer=first)
    assert overlapping(lambda: first_of(lambda: fails(target, "a"), lambda: target._wait("b") or 2)) == 2


def test_if_all_fail_the_error_is_that_of_the_first() -> None:
    target = Target(answer=last)
    with pytest.raises(ValueError, match="a"):
        overlapping(lambda: first_of(lambda: fails(target, "a"), lambda: fails(target, "b")))


def test_an_exhausted_limit_ends_it() -> None:
    target = Target(answer=last)

    def exhausted() -> None:
        target._wait("b")
        raise BudgetExhausted("delegations", "3")

    with pytest.raises(BudgetExhausted, match="delegations"):
        overlapping(lambda: first_of(lambda: target._wait("a"), exhausted))
    assert target.log[-1] == "x a"


def test_without_a_hub_it_is_the_first() -> None:
    assert first_of(lambda: 1, lambda: 1 // 0) == 1


def test_effects_wait_for_what_is_before_the_race_and_not_for_each_other() -> None:
    target = Target(answer=last)
    seen: list[str] = []

    def effect(text: str) -> str:
        before_effect()
        seen.append(text)
        return text

    def entry() -> object:
        return all_of(
            lambda: effect(target._wait("a") or "a"),
            lambda: first_of(
                lambda: effect(target._wait("b") or "b"), lambda: effect(target._wait("c") or "c")
            ),
        )

    assert overlapping(entry) == ["a", "c"]
    assert seen == ["a", "c"]


def test_a_cancelled_race_cancels_its_pieces() -> None:
    target = Target(answer=lambda calls: [call for call in calls if call.text == "a"])
    with pytest.raises(ValueError, match="a"):
        overlapping(
            lambda: all_of(
                lambda: fails(target, "a"),
                lambda: first_of(lambda: target._wait("b"), lambda: target._wait("c")),
            )
        )
    assert sorted(target.log) == sorted(["> a", "> b", "> c", "< a", "x b", "x c"])
