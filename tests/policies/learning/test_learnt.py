"""How what is known of a target moves with its outcomes."""

from __future__ import annotations

from random import Random

import pytest

from policies.errors import PolicyError
from policies.learning.choosing import Estimate, estimate
from policies.learning.learnt import MAX_KINDS, Feedback, LearntState, change

HALF_LIFE = 100.0


def answer(quality: float | None = 0.9, *, target: str = "remote-a", cost_usd: float = 0.01) -> Feedback:
    return Feedback(
        fn_symbol="f", target=target, success=True, cost_usd=cost_usd, latency_ms=100.0, quality=quality
    )


def failure(target: str = "remote-a") -> Feedback:
    return Feedback(fn_symbol="f", target=target, success=False)


def after(*outcomes: Feedback, kind: str = "sort", begin: LearntState | None = None) -> LearntState:
    state = begin or LearntState()
    for outcome in outcomes:
        state = state.after(kind, outcome, HALF_LIFE, explored=False)
    return state


def known(state: LearntState, kind: str = "sort", target: str = "remote-a") -> Estimate:
    return estimate(state, state.kinds[kind], target, HALF_LIFE)


# what is said of an answer, and the quality that counts
WORTHS = [
    ({"quality": 0.3, "confidence": 0.9}, 0.3),
    ({"confidence": 0.9}, 0.9),
    ({}, 1.0),
    ({"quality": 7.0}, 1.0),
]


@pytest.mark.parametrize(("said", "worth"), WORTHS)
def test_what_an_answer_is_worth(said: dict[str, float], worth: float) -> None:
    assert Feedback(fn_symbol="f", target="remote-a", success=True, **said).worth == worth  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["cost_usd", "latency_ms", "quality", "confidence"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_figures_that_are_none_are_refused(field: str, value: float) -> None:
    with pytest.raises(PolicyError, match=f"expected `{field}` of an outcome"):
        Feedback(fn_symbol="f", target="remote-a", success=True, **{field: value})  # type: ignore[arg-type]


def test_means_and_their_errors() -> None:
    few, many = after(*[answer(0.8), answer(1.0)] * 5), after(*[answer(0.8), answer(1.0)] * 40)
    assert known(few).quality == pytest.approx(0.9, abs=0.01)
    assert known(many).quality == pytest.approx(0.9, abs=0.01)
    assert known(many).error < known(few).error
    assert known(many).cost_usd == pytest.approx(0.01)
    assert known(many).latency_ms == pytest.approx(100.0)


def test_a_state_is_never_changed() -> None:
    state = after(answer(0.5))
    before = known(state)
    after(answer(1.0), begin=state)
    assert known(state) == before
    assert state.seen == 1


def noisy(mean: float, count: int, seed: int) -> tuple[float, ...]:
    chance = Random(seed)
    return tuple(sum(chance.random() < mean for _ in range(5)) / 5 for _ in range(count))


def test_a_steady_target_shows_no_change() -> None:
    alarms = sum(bool(change(noisy(0.9, 32, seed), 0.9, 0.018, 200.0)) for seed in range(500))
    assert alarms <= 2


@pytest.mark.parametrize("now", [0.1, 0.3, 0.4])
def test_a_sudden_change_is_found_and_what_was_before_it_left_out(now: float) -> None:
    was = 0.8
    found = [
        change(noisy(was, 12, seed) + noisy(now, 20, seed + 1000), was, 0.032, 200.0) for seed in range(50)
    ]
    assert sum(0 < length <= 26 for length in found) >= 45


def test_one_bad_answer_is_no_change() -> None:
    assert change((*[0.95] * 20, 0.0), 0.95, 0.001, 100.0) == 0


def test_a_mean_begins_anew_after_a_change() -> None:
    state = after(*map(answer, noisy(0.9, 200, 1)), *map(answer, noisy(0.4, 24, 2)))
    assert known(state).quality == pytest.approx(0.4, abs=0.12)
    assert state.levels["remote-a"].moved_at > 200


def test_failures_of_a_target_count_in_every_kind_of_task_and_are_forgiven() -> None:
    state = after(*[answer()] * 50, kind="sort")
    state = after(*[answer()] * 50, kind="sum", begin=state)
    failed = after(*[failure()] * 30, kind="sum", begin=state)
    assert known(failed, "sort").quality < 0.8
    assert known(failed, "sum").quality < 0.75
    later = after(*[answer(target="remote-b")] * 2000, kind="sort", begin=failed)
    assert known(later, "sort").quality > 0.88


def test_a_kind_of_task_that_a_target_fails_at_does_not_condemn_it_for_others() -> None:
    state = after(*[answer()] * 300, kind="sort")
    state = after(answer(), *[failure()] * 8, kind="sum", begin=state)
    assert known(state, "sum").quality < 0.2
    assert known(state, "sort").quality > 0.8


def test_what_failures_cost_says_nothing_of_answers() -> None:
    state = after(failure(), failure(), *[answer(cost_usd=0.5)] * 3, failure())
    assert known(state).cost_usd == pytest.approx(0.5)


def test_kinds_are_bounded() -> None:
    state = LearntState()
    for number in range(MAX_KINDS + 5):
        state = state.after(f"k{number}", answer(), HALF_LIFE, explored=False)
    assert len(state.kinds) == MAX_KINDS
    assert "k0" not in state.kinds
    assert f"k{MAX_KINDS + 4}" in state.kinds
