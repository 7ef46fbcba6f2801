"""Privacy labels in metadata: `^{:privacy :confidential}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rtfs.printer import pr_str
from rtfs.values import Keyword, List, Set, Symbol, Value, Vector

PRIVACY: Final = "privacy"
_COLLECTIONS: Final = frozenset((Vector, List, Set))


def labels_in(metadata: Iterable[tuple[str, Value]]) -> frozenset[str]:
    """The labels that metadata gives: a keyword, symbol or string, or any of these in collections.

    Whatever else stands there is the label of its text. No policy knows that one, so it allows as little as the
    policy allows unknown labels; an annotation that was meant to restrict is not lost.
    """
    found: set[str] = set()
    todo = [value for name, value in metadata if name == PRIVACY]
    while todo:
        value = todo.pop()
        kind = type(value)
        if kind in _COLLECTIONS:
            todo += value.to_list()
        elif kind is Keyword or kind is Symbol:
            found.add(value.name)
        else:
            found.add(value if kind is str else pr_str(value))
    return frozenset(found)
