"""Whether one glob, or one rule's conditions, take all that another's do.

The answers are sound and not complete: what is said to be covered is, but `?*` is not seen to cover `*?`. And
they are bounded: a `Work` counts steps, and when it is used up nothing more is found.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from policies.file.schema import Rule
from policies.rules.globs import matches

#: steps after which no more is looked for, well above what a policy of 1,000 rules takes
MAX_STEPS: Final = 3_000_000
#: what a comparison of two rules takes besides that of their globs
_STEPS_OF_A_RULE: Final = 20


class Work:
    """Steps that may still be taken."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def take(self, steps: int = 1) -> bool:
        """Take steps; False if there are none left."""
        self.left -= steps
        return self.left > 0

    @property
    def is_used_up(self) -> bool:
        """Whether something may have been overlooked."""
        return self.left <= 0


@lru_cache(maxsize=8192)
def _tokens(glob: str) -> tuple[str, ...]:
    """`*`, `?`, whole classes `[…]`, and other characters, each escaped with a backslash."""
    found: list[str] = []
    place = 0
    while place < len(glob):
        char = glob[place]
        close = glob.find("]", place + 2 + glob.startswith("[!", place)) if char == "[" else -1
        if close > 0:
            found.append(glob[place : close + 1])
            place = close
        elif char == "*":
            if found[-1:] != ["*"]:
                found.append(char)
        else:
            found.append(char if char == "?" else "\\" + char)
        place += 1
    return tuple(found)


def covers(wide: str, narrow: str, work: Work) -> bool:
    """Whether every name that matches the glob `narrow` matches `wide`."""
    if wide in ("*", narrow):
        return True
    a, b = _tokens(wide), _tokens(narrow)
    i = j = 0
    star, resume = -1, 0
    while j < len(b):
        if not work.take():
            return False
        if i < len(a) and a[i] == "*":
            star, resume = i, j
            i += 1
        elif i < len(a) and _takes(a[i], b[j]):
            i, j = i + 1, j + 1
        elif star >= 0:
            resume += 1
            i, j = star + 1, resume
        else:
            return False
    return all(token == "*" for token in a[i:])


def _takes(wide: str, narrow: str) -> bool:
    """Whether one token stands for all that another one does."""
    if narrow == "*":
        return False
    if wide == narrow or wide == "?":
        return True
    return wide[0] == "[" and narrow[0] == "\\" and matches(wide, narrow[1:])


def literal_start(glob: str) -> str:
    """The text that every name begins with that matches `glob`."""
    tokens = _tokens(glob)
    length = next((at for at, token in enumerate(tokens) if token[0] != "\\"), len(tokens))
    return "".join(token[1] for token in tokens[:length])


class Covering[K]:
    """Globs with a key each, in order; finds those that may cover another by how they begin."""

    def __init__(self) -> None:
        self._filed: dict[str, list[tuple[str, K]]] = {}
        self._lengths: set[int] = set()

    def add(self, glob: str, key: K) -> None:
        """File `glob`."""
        start = literal_start(glob)
        self._lengths.add(len(start))
        self._filed.setdefault(start, []).append((glob, key))

    def candidates(self, glob: str, work: Work) -> list[tuple[str, K]]:
        """Those that begin with nothing that `glob` does not begin with, in no order."""
        start = literal_start(glob)
        found: list[tuple[str, K]] = []
        for length in self._lengths:
            if length <= len(start):
                filed = self._filed.get(start[:length], ())
                if not work.take(len(filed)):
                    return []
                found += filed
        return found

    def first(self, glob: str, work: Work) -> tuple[str, K] | None:
        """One that covers `glob`, None if none was found."""
        return next((entry for entry in self.candidates(glob, work) if covers(entry[0], glob, work)), None)


def rule_covers(wide: Rule, narrow: Rule, work: Work) -> bool:
    """Whether every call that meets the conditions of `narrow` meets those of `wide`."""
    return (
        work.take(_STEPS_OF_A_RULE)
        and wide.permissions <= narrow.permissions
        and (not wide.privacy or frozenset() < narrow.privacy <= wide.privacy)
        and wide.arg_types in (None, narrow.arg_types)
        and _bound_covers(wide, narrow)
        and all(key in narrow.when and _values(narrow, key) <= _values(wide, key) for key in wide.when)
        and _globs_cover(wide.symbols, narrow.symbols, work)
        and _globs_cover(wide.namespaces, narrow.namespaces, work)
        and _globs_cover(wide.tenants, narrow.tenants, work)
        and _globs_cover(wide.capabilities, narrow.capabilities, work)
    )


def _bound_covers(wide: Rule, narrow: Rule) -> bool:
    low = not wide.min_size or (narrow.min_size is not None and narrow.min_size >= wide.min_size)
    high = wide.max_size is None or (narrow.max_size is not None and narrow.max_size <= wide.max_size)
    return low and high


def _values(rule: Rule, key: str) -> set[tuple[type, object]]:
    """The wanted values of a fact; `true` and `1` are two."""
    value = rule.when[key]
    return {(type(one), one) for one in (value if isinstance(value, tuple) else (value,))}


def _globs_cover(wide: tuple[str, ...], narrow: tuple[str, ...], work: Work) -> bool:
    if not wide:
        return True
    if not work.take(len(wide) * len(narrow)):
        return False
    return bool(narrow) and all(any(covers(a, b, work) for a in wide) for b in narrow)
