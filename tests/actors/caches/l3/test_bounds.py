from __future__ import annotations

from random import Random

import pytest

from actors.caches.l3.bounds import lower_bound, upper_bound

#: wrong, total, and the one-sided bounds at 95 %, from tables of the Clopper-Pearson interval
KNOWN = [(0, 59, 0.0, 0.04952), (0, 299, 0.0, 0.00997), (1, 10, 0.00512, 0.39416), (5, 10, 0.22244, 0.77756)]


@pytest.mark.parametrize(("wrong", "total", "low", "high"), KNOWN)
def test_known_bounds(wrong: int, total: int, low: float, high: float) -> None:
    assert upper_bound(wrong, total, 0.05) == pytest.approx(high, abs=1e-4)
    assert lower_bound(wrong, total, 0.05) == pytest.approx(low, abs=1e-4)


def test_nothing_seen_says_nothing() -> None:
    assert upper_bound(0, 0, 0.05) == 1.0
    assert lower_bound(0, 0, 0.05) == 0.0
    assert upper_bound(7, 7, 0.05) == 1.0


def test_the_bound_holds_as_often_as_it_says() -> None:
    random, share = Random(1), 0.03
    drawn = [sum(random.random() < share for _ in range(200)) for _ in range(4_000)]
    missed = sum(upper_bound(wrong, 200, 0.05) < share for wrong in drawn)
    assert missed / len(drawn) <= 0.06
    missed = sum(lower_bound(wrong, 200, 0.05) > share for wrong in drawn)
    assert missed / len(drawn) <= 0.06
