"""Forks: order, errors, effects, windows, depth. Targets answer when everything waits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar

import pytest
from overlap_target import Call, Target, everything, first, last, never

from rtfs.errors import BudgetExhausted
from rtfs.overlap import overlapping, wait, when_idle
from rtfs.overlap.current import alone, before_effect
from rtfs.overlap.fork import MOST_PARTS, WINDOW, all_of, each, flow


class Calls:
    """Work that waits for a target."""

    def __init__(self, answer: Callable[[list[Call]], object] = everything) -> None:
        self.target = Target(answer=answer)  # type: ignore[arg-type]
        self.effects: list[object] = []

    def slow[T](self, value: T) -> T:
        self.target._wait(str(value))
        return value

    def fails(self, value: object) -> None:
        self.slow(value)
        raise ValueError(value)

    def effect(self, value: object) -> None:
        before_effect()
        self.effects.append(value)

    @property
    def log(self) -> str:
        return " ".join(line.replace(" ", "") for line in self.target.log)


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_values_come_in_order_whoever_is_first() -> None:
    for answer in (everything, first, last):
        calls = Calls(answer)
        assert overlapping(lambda: each(calls.slow, "abc")) == ["a", "b", "c"]  # noqa: B023
        assert calls.target.most == 3


def test_parts_begin_in_the_order_of_the_program_from_the_inside_out(calls: Calls) -> None:
    def entry() -> object:
        return all_of(
            lambda: all_of(lambda: calls.slow("a"), lambda: calls.slow("b")),
            lambda: all_of(
                lambda: all_of(lambda: calls.slow("c"), lambda: calls.slow("d")), lambda: calls.slow("e")
            ),
            lambda: calls.slow("f"),
        )

    assert overlapping(entry) == [["a", "b"], [["c", "d"], "e"], "f"]
    assert calls.target.begun() == list("abcdef")
    assert calls.target.most == 6


def test_a_piece_that_does_not_wait_ends_before_the_next_begins(calls: Calls) -> None:
    order: list[int] = []
    overlapping(lambda: each(order.append, range(5)))
    assert order == list(range(5))


def test_no_part_is_made_for_pieces_that_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    from rtfs.overlap import fork

    monkeypatch.setattr(fork, "Part", None)
    assert overlapping(lambda: each(lambda x: x + 1, range(1000))) == list(range(1, 1001))


def test_without_a_hub_pieces_run_one_after_another(calls: Calls) -> None:
    assert all_of(lambda: 1, lambda: 2) == [1, 2]
    assert flow(((), (0,)), lambda: 1, lambda x: x + 1) == [1, 2]
    assert each(str, [1, 2]) == ["1", "2"]


def test_a_piece_begins_when_what_it_needs_is_there_not_when_all_is() -> None:
    calls = Calls(lambda waiting: [each for each in waiting if each.text != "a"] or list(waiting))

    def entry() -> object:
        return flow(
            ((), (), (1,), (2,), (0, 3)),
            lambda: calls.slow("a"),
            lambda: calls.slow("b"),
            lambda b: calls.slow(b + "c"),
            lambda c: calls.slow(c + "d"),
            lambda a, d: a + d,
        )

    assert overlapping(entry) == ["a", "b", "bc", "bcd", "abcd"]
    assert calls.log == ">a >b <b >bc <bc >bcd <bcd <a"


def test_the_first_error_in_order_counts_and_what_is_behind_it_is_cancelled() -> None:
    calls = Calls(lambda waiting: [each for each in waiting if each.text == "b"] or list(waiting))
    with pytest.raises(ValueError, match="b"):
        overlapping(
            lambda: all_of(
                lambda: calls.slow("a"),
                lambda: calls.fails("b"),
                lambda: calls.slow("c"),
                lambda: calls.slow("d"),
            )
        )
    assert calls.log == ">a >b >c >d <b xc xd <a"


def test_what_stands_before_an_error_goes_on_since_its_own_would_win() -> None:
    calls = Calls(last)
    with pytest.raises(ValueError, match="a"):
        overlapping(lambda: all_of(lambda: calls.fails("a"), lambda: calls.fails("b")))
    assert calls.log == ">a >b <b <a"


def test_cancelled_forks_cancel_what_is_in_them() -> None:
    calls = Calls(lambda waiting: [each for each in waiting if each.text == "b"])
    with pytest.raises(ValueError, match="b"):
        overlapping(
            lambda: all_of(
                lambda: calls.fails("b"),
                lambda: all_of(lambda: calls.slow("c"), lambda: each(calls.slow, "de")),
            )
        )
    assert sorted(calls.log.split()) == sorted(">b >c >d >e <b xc xd xe".split())


def test_an_error_before_others_began_keeps_them_from_beginning() -> None:
    begun: list[int] = []
    with pytest.raises(ZeroDivisionError):
        overlapping(lambda: all_of(lambda: 1 // 0, lambda: begun.append(1)))
    assert begun == []


def test_effects_come_in_order() -> None:
    for answer in (everything, first, last):
        calls = Calls(answer)

        def piece(value: int) -> None:
            calls.effect(calls.slow(value))  # noqa: B023
            calls.effect(calls.slow(-value))  # noqa: B023

        overlapping(lambda: each(piece, range(1, 20)))  # noqa: B023
        assert calls.effects == [each for value in range(1, 20) for each in (value, -value)]
        assert calls.target.most > 10


def test_an_effect_waits_for_what_is_before_the_forks_around_it() -> None:
    calls = Calls(last)

    def entry() -> None:
        all_of(
            lambda: calls.effect(calls.slow("a")),
            lambda: all_of(lambda: calls.effect("b"), lambda: calls.effect(calls.slow("c"))),
            lambda: calls.effect("d"),
        )

    overlapping(entry)
    assert calls.effects == ["a", "b", "c", "d"]
    assert calls.log.startswith(">a >c")


def test_an_effect_behind_an_error_does_not_happen() -> None:
    calls = Calls(last)
    with pytest.raises(ValueError, match="a"):
        overlapping(lambda: all_of(lambda: calls.fails("a"), lambda: calls.effect(calls.slow("b"))))
    assert calls.effects == []


def test_only_so_many_wait_at_a_time_in_order(calls: Calls) -> None:
    assert overlapping(lambda: each(calls.slow, range(5_000))) == list(range(5_000))
    assert calls.target.begun() == list(map(str, range(5_000)))
    assert WINDOW <= calls.target.most <= WINDOW + 1


def test_forks_in_forks_make_no_more_parts_than_a_hub_may_have(calls: Calls) -> None:
    found = overlapping(lambda: each(lambda i: each(calls.slow, range(20)), range(500)))
    assert found == [list(range(20))] * 500
    assert calls.target.most <= MOST_PARTS


def test_a_chain_of_forks_overlaps_and_ends_where_calls_would(calls: Calls) -> None:
    def first(n: int) -> int:
        return 0 if n == 0 else sum(all_of(lambda: calls.slow(1), lambda: first(n - 1)))

    def last(n: int) -> int:
        return 0 if n == 0 else sum(all_of(lambda: last(n - 1), lambda: calls.slow(1)))

    def endless() -> object:
        return all_of(lambda: calls.slow(1), endless)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(3_000)
    try:
        assert overlapping(lambda: first(200)) == 200
        assert overlapping(lambda: last(200)) == 200
        assert calls.target.most == 200
        with pytest.raises(RecursionError):
            overlapping(endless)
    finally:
        sys.setrecursionlimit(limit)


def test_each_part_has_a_context_of_its_own_made_where_the_fork_is(calls: Calls) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")

    def piece(value: str) -> str:
        before = variable.get()
        variable.set(value)
        calls.slow(value)
        assert variable.get() == value
        return before

    def entry() -> list[str]:
        variable.set("fork")
        return each(piece, "abc")

    assert overlapping(entry) == ["fork"] * 3


def test_an_error_keeps_what_was_being_handled_around_the_fork(calls: Calls) -> None:
    def entry() -> object:
        try:
            raise KeyError("outer")
        except KeyError:
            return all_of(lambda: calls.slow(1), lambda: calls.fails(2))

    with pytest.raises(ValueError, match="2") as caught:
        overlapping(entry)
    assert isinstance(caught.value.__context__, KeyError)
    assert caught.value.__context__.__context__ is None


def test_an_error_keeps_its_own_context_and_traceback(calls: Calls) -> None:
    def fails() -> None:
        try:
            calls.fails("inner")
        except ValueError:
            raise TypeError("outer")  # noqa: B904

    with pytest.raises(TypeError) as caught:
        overlapping(lambda: all_of(lambda: calls.slow(1), fails))
    assert isinstance(caught.value.__context__, ValueError)
    assert caught.traceback[-1].name == "fails"


def test_alone_nothing_else_goes_on() -> None:
    order: list[str] = []

    def inside() -> None:
        with alone():
            when_idle(lambda: order.append("sent"))
            wait(lambda wake: when_idle(wake))
            order.append("inside")
            assert all_of(lambda: 1, lambda: 2) == [1, 2]

    overlapping(lambda: all_of(inside, lambda: order.append("next")))
    assert order == ["sent", "inside", "next"]


def test_a_part_that_was_cancelled_cannot_wait_again() -> None:
    calls = Calls(lambda waiting: [each for each in waiting if each.text == "a"])
    seen: list[str] = []

    def stubborn() -> None:
        for _ in range(2):
            try:
                calls.slow("b")
            except BudgetExhausted as error:
                seen.append(error.policy)

    with pytest.raises(ValueError, match="a"):
        overlapping(lambda: all_of(lambda: calls.fails("a"), stubborn))
    assert seen == ["something before it has failed"] * 2


def test_what_nobody_answers_is_cancelled_at_the_end_of_the_hub() -> None:
    calls = Calls(never)

    def entry() -> None:
        from rtfs.overlap.current import current_part
        from rtfs.overlap.part import Part

        part = current_part()
        assert part is not None
        part.hub.run_first(Part(part.hub, lambda _: calls.slow("a")), part)

    overlapping(entry)
    assert calls.log == ">a xa"
