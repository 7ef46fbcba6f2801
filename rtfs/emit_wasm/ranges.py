"""Bounds of integers, so that sums which cannot overflow are not checked.

A range holds if the value is an integer. What a test tells about a variable holds in the branch behind it.
"""

from __future__ import annotations

from rtfs.values import INT_MAX, INT_MIN

type Range = tuple[int, int]

FULL: Range = (INT_MIN, INT_MAX)


def fits(found: Range) -> bool:
    """Whether no value in it is outside of 64 bits."""
    return found[0] >= INT_MIN and found[1] <= INT_MAX


def cut(found: Range) -> Range:
    """What is left of it after the check for overflow."""
    return max(found[0], INT_MIN), min(found[1], INT_MAX)


def sum_of(a: Range, b: Range) -> Range:
    """The range of `a + b`."""
    return a[0] + b[0], a[1] + b[1]


def difference_of(a: Range, b: Range) -> Range:
    """The range of `a - b`."""
    return a[0] - b[1], a[1] - b[0]


def product_of(a: Range, b: Range) -> Range:
    """The range of `a * b`."""
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def either(a: Range, b: Range) -> Range:
    """The range of a value that is in one of them."""
    return min(a[0], b[0]), max(a[1], b[1])


def both(a: Range, b: Range) -> Range:
    """The range of a value that is in both of them; where there is none, what `a` says."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, high) if low <= high else a
