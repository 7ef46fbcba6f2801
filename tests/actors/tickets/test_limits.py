from __future__ import annotations

from typing import Any

import pytest

from actors.tickets.ids import new_ticket_id
from actors.tickets.limits import QueueLimits, pause_s

LIMITS = QueueLimits(backoff_s=2.0, max_backoff_s=30.0)


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 2.0), (2, 4.0), (3, 8.0), (4, 16.0), (5, 30.0), (6, 30.0), (5_000, 30.0)]
)
def test_pauses_double_up_to_a_bound_and_are_spread_over_their_upper_half(
    failures: int, longest: float
) -> None:
    pauses = [pause_s(LIMITS, new_ticket_id(), failures) for _ in range(300)]
    assert all(longest / 2 <= each <= longest for each in pauses)
    assert min(pauses) < longest * 0.6
    assert max(pauses) > longest * 0.9


def test_the_same_history_gives_the_same_pause() -> None:
    ticket_id = new_ticket_id()
    assert pause_s(LIMITS, ticket_id, 1) == pause_s(LIMITS, ticket_id, 1)
    assert pause_s(LIMITS, ticket_id, 1) * 2 != pause_s(LIMITS, ticket_id, 2)


@pytest.mark.parametrize(
    ("dead", "asked_s", "keeps_s"), [(False, None, 10), (True, None, 70), (False, 5, 5), (True, 500, 100)]
)
def test_how_long_tickets_are_kept(dead: bool, asked_s: float | None, keeps_s: float) -> None:
    limits = QueueLimits(keep_s=10, keep_dead_s=70, max_keep_s=100)
    assert limits.keeps_s(dead=dead, asked_s=asked_s) == keeps_s


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"max_queued": 0}, "`max_queued` must be above 0, got 0"),
        ({"default_max_attempts": 0}, "`default_max_attempts`"),
        ({"aging_s": 0.0}, "`aging_s`"),
        ({"keep_s": -1.0}, "`keep_s` must be 0 or more"),
        ({"backoff_s": float("nan")}, "`backoff_s`"),
        ({"tenant_weights": {"acme": 0}}, "weight of tenant `acme`"),
    ],
)
def test_limits_with_which_nothing_could_run_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        QueueLimits(**changes)
    assert text in str(caught.value)
