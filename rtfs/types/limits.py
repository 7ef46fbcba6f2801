"""What the predicates of `[:and T …]` ask together: bounds, sizes, patterns, keys.

Each predicate speaks of some kinds of values and fails all others (`rtfs.types.predicates`), so several of them
leave the kinds that all speak of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from rtfs.types import model as types
from rtfs.types.kinds import head
from rtfs.types.model import Predicate, Type
from rtfs.values import Value

type Kind = Literal["number", "text", "items", "map", "other"]
type Number = int | float

KINDS: Final[frozenset[Kind]] = frozenset(("number", "text", "items", "map", "other"))
URL_PATTERN: Final = "^https?://"
EMAIL_PATTERN: Final = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What some predicates ask of a value."""

    kinds: frozenset[Kind] = KINDS
    #: of numbers; None: no bound. Open: the bound itself is outside
    low: Number | None = None
    low_open: bool = False
    high: Number | None = None
    high_open: bool = False
    #: characters of a text, items of a collection, entries of a map
    least: int = 0
    most: int | None = None
    #: each has to match somewhere in the text
    patterns: tuple[str, ...] = ()
    #: that a map must have
    keys: tuple[str, ...] = ()
    equal: tuple[Value, ...] = ()
    unequal: tuple[Value, ...] = ()
    #: predicates of the program's own
    custom: tuple[Predicate, ...] = ()

    @property
    def has_size(self) -> bool:
        """Whether it bounds sizes."""
        return self.least > 0 or self.most is not None

    def allows(self, kind: Kind) -> bool:
        """Whether values of that kind may be left."""
        return kind in self.kinds

    def at_most(self, size: int | None) -> Limits:
        """These, and no more than `size`; None: no bound."""
        if size is None:
            return self
        return replace(self, most=size if self.most is None else min(size, self.most))

    def of_size(self, size: int) -> Limits:
        """These, and exactly that size."""
        return replace(self.at_most(size), least=max(size, self.least))

    def whole_range(self, low: int, high: int) -> tuple[int, int]:
        """The integers from `low` to `high` within the bounds: the first and the last; none if they cross."""
        if self.low is not None:
            low = max(low, math.floor(self.low) + 1 if self.low_open else math.ceil(self.low))
        if self.high is not None:
            high = min(high, math.ceil(self.high) - 1 if self.high_open else math.floor(self.high))
        return low, high

    @property
    def no_number(self) -> bool:
        """Whether the bounds leave no number at all."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    @property
    def no_size(self) -> bool:
        """Whether the bounds leave no size at all."""
        return self.most is not None and self.least > self.most


NO_LIMITS: Final = Limits()


def limits_of(predicates: Iterable[Predicate]) -> Limits:
    """What `predicates` ask together."""
    found = NO_LIMITS
    for predicate in predicates:
        narrow = _NARROW.get(predicate.name)
        if narrow is None:
            found = replace(found, custom=(*found.custom, predicate))
        else:
            found = narrow(found, *predicate.args)
    return found


def flattened(t: types.AndType, aliases: Mapping[str, Type]) -> tuple[tuple[Type, ...], tuple[Predicate, ...]]:
    """The types and the predicates of `t`, those of nested `[:and …]` among them, aliases of such included."""
    found: list[Type] = []
    predicates: list[Predicate] = []
    todo: list[Type | Predicate] = [*reversed(t.items)]
    while todo:
        item = todo.pop()
        if isinstance(item, Predicate):
            predicates.append(item)
            continue
        meant = head(item, aliases)
        if isinstance(meant, types.AndType):
            todo.extend(reversed(meant.items))
        else:
            found.append(item)
    return tuple(found), tuple(predicates)


def with_keys(t: types.MapType, keys: Iterable[str]) -> types.MapType:
    """`t` with these keys required; one that it does not name may hold what its other keys may."""
    wanted = dict.fromkeys(keys)
    if not wanted:
        return t
    entries = [replace(each, optional=False) if each.key in wanted else each for each in t.entries]
    known = {each.key for each in entries}
    other = types.Primitive("any") if t.rest is None else t.rest
    entries += [types.MapEntry(key, other, False) for key in wanted if key not in known]
    return types.MapType(tuple(entries), t.rest)


# ---------------------------------------------------------------- one predicate


def _only(limits: Limits, *kinds: Kind, **changes: Any) -> Limits:
    return replace(limits, kinds=limits.kinds & frozenset(kinds), **changes)


def _low(limits: Limits, bound: Number, is_open: bool) -> Limits:
    if math.isnan(bound):
        return _only(limits)
    known = limits.low
    if bound == -math.inf or (known is not None and (known, limits.low_open) >= (bound, is_open)):
        return _only(limits, "number")
    return _only(limits, "number", low=bound, low_open=is_open)


def _high(limits: Limits, bound: Number, is_open: bool) -> Limits:
    if math.isnan(bound):
        return _only(limits)
    known = limits.high
    if bound == math.inf or (known is not None and (known, not limits.high_open) <= (bound, not is_open)):
        return _only(limits, "number")
    return _only(limits, "number", high=bound, high_open=is_open)


def _size(limits: Limits, least: int, most: int | None, *kinds: Kind) -> Limits:
    known = limits.most
    upper = known if most is None else most if known is None else min(known, most)
    return _only(limits, *kinds, least=max(limits.least, least), most=upper)


def _pattern(limits: Limits, pattern: str) -> Limits:
    return _only(limits, "text", patterns=(*limits.patterns, pattern))


def _keys(limits: Limits, keys: Iterable[Value]) -> Limits:
    return _only(limits, "map", keys=(*limits.keys, *(key.name for key in keys)))


_COUNTED: Final[tuple[Kind, ...]] = ("text", "items", "map")
_NARROW: Final[Mapping[str, Callable[..., Limits]]] = {
    ">": lambda limits, n: _low(limits, n, True),
    ">=": lambda limits, n: _low(limits, n, False),
    "<": lambda limits, n: _high(limits, n, True),
    "<=": lambda limits, n: _high(limits, n, False),
    "in-range": lambda limits, low, high: _high(_low(limits, low, False), high, False),
    "=": lambda limits, value: replace(limits, equal=(*limits.equal, value)),
    "!=": lambda limits, value: replace(limits, unequal=(*limits.unequal, value)),
    "min-length": lambda limits, n: _size(limits, n, None, "text"),
    "max-length": lambda limits, n: _size(limits, 0, n, "text"),
    "length": lambda limits, n: _size(limits, n, n, "text"),
    "matches-regex": _pattern,
    "min-count": lambda limits, n: _size(limits, n, None, *_COUNTED),
    "max-count": lambda limits, n: _size(limits, 0, n, *_COUNTED),
    "count": lambda limits, n: _size(limits, n, n, *_COUNTED),
    "non-empty": lambda limits: _size(limits, 1, None, *_COUNTED),
    "has-key": lambda limits, key: _keys(limits, [key]),
    "required-keys": _keys,
    "is-url": lambda limits: _pattern(limits, URL_PATTERN),
    "is-email": lambda limits: _pattern(limits, EMAIL_PATTERN),
}
