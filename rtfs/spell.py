"""The nearest known name to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: longer names are never corrected: the comparison is quadratic
_LONGEST: Final = 64


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, or None if none is like it.

    Distance counts inserted, removed, changed and swapped characters; case and a leading colon are cheap.
    At most a third of the name may differ. Ties go to the candidate that sorts first.
    """
    if not 0 < len(name) <= _LONGEST:
        return None
    limit = max(1, len(name) // 3)
    best: tuple[int, str] | None = None
    for candidate in candidates:
        if candidate == name or abs(len(candidate) - len(name)) > limit + 1:
            continue
        distance = _distance(_folded(name), _folded(candidate))
        if (
            distance <= limit
            and _same_enough(name, candidate)
            and (best is None or (distance, candidate) < best)
        ):
            best = (distance, candidate)
    return best[1] if best else None


def _folded(name: str) -> str:
    return name.lower().removeprefix(":").replace("_", "-")


def _same_enough(name: str, candidate: str) -> bool:
    """One or two characters are too few to call another name of that length a typo."""
    return min(len(name), len(candidate)) > 2 or _folded(name) == _folded(candidate)


def _distance(a: str, b: str) -> int:
    """Edits that turn a into b: insert, remove, change one character, or swap two neighbours."""
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
