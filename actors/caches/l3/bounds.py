"""How often something goes wrong at most, by what was seen of it."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import Final

#: halvings of the interval in which the bound is looked for: it is found to a billionth
_HALVINGS: Final = 30
#: so many wrong ones are enough for an interval that is computed at once
_MANY: Final = 30


@lru_cache(16_384)
def upper_bound(wrong: int, total: int, doubt: float) -> float:
    """The share that goes wrong is at most this, but for a chance of `doubt`.

    The upper end of the one-sided interval of Clopper and Pearson (The use of confidence or fiducial limits
    illustrated in the case of the binomial, Biometrika 26, 1934): the share under which so few would be seen
    with that chance.
    """
    if wrong >= total:
        return 1.0
    if wrong > _MANY:
        return _wilson(wrong, total, doubt, 1)
    low, high = wrong / total, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(wrong, total, middle) > doubt:
            low = middle
        else:
            high = middle
    return high


@lru_cache(16_384)
def lower_bound(wrong: int, total: int, doubt: float) -> float:
    """The share that goes wrong is at least this, but for a chance of `doubt`. As `upper_bound`."""
    if wrong <= 0:
        return 0.0
    if wrong > _MANY:
        return _wilson(wrong, total, doubt, -1)
    low, high = 0.0, wrong / total
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if 1.0 - _at_most(wrong - 1, total, middle) > doubt:
            high = middle
        else:
            low = middle
    return low


def _wilson(wrong: int, total: int, doubt: float, side: int) -> float:
    """An end of Wilson's interval (Probable inference, the law of succession, …, JASA 22, 1927)."""
    z, share = NormalDist().inv_cdf(1.0 - doubt), wrong / total
    middle = share + z * z / (2 * total)
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return min(1.0, max(0.0, (middle + side * half) / (1 + z * z / total)))


def _at_most(wrong: int, total: int, share: float) -> float:
    """The chance to see at most `wrong` of `total` go wrong if each does by `share`."""
    if share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 0.0
    found = 0.0
    for each in range(wrong + 1):
        choices = lgamma(total + 1) - lgamma(each + 1) - lgamma(total - each + 1)
        found += exp(choices + each * log(share) + (total - each) * log1p(-share))
    return min(found, 1.0)
