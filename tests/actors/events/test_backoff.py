"""Waits between tries."""

from __future__ import annotations

from actors.events.backoff import Backoff


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(first_s=1.0, most_s=5.0, jitter=0.0)
    assert [backoff.wait_s(tries) for tries in (1, 2, 3, 4, 5, 10_000)] == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_waits_differ_within_bounds() -> None:
    backoff = Backoff(first_s=1.0, most_s=8.0, jitter=0.5)
    waits = {backoff.wait_s(3) for _ in range(50)}
    assert len(waits) > 1
    assert all(2.0 <= wait <= 4.0 for wait in waits)
