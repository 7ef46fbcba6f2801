"""The predicates of `[:and T …]` (language.md §5).

Numbers compare by value, so `[:> 1]` holds of 1.5. A value of a kind that a predicate does not speak about
fails it: `[:min-length 1]` of a vector is false, not an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rtfs import errors
from rtfs.types.model import Predicate
from rtfs.values import COLLECTIONS, Keyword, Map, Value, Vector, equal, truthy

type Test = Callable[[Value], bool]
#: a function in scope by name, for custom predicates
type Lookup = Callable[[str], Callable[..., Value] | None]

_NUMBERS: Final = frozenset((int, float))
_COUNTED: Final = COLLECTIONS | {str}
_LOCAL_PART: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-")
_DOMAIN: Final = _LOCAL_PART - frozenset("_%+")


def predicate_test(predicate: Predicate, lookup: Lookup) -> Test:
    """The test that `predicate` makes.

    Raises (when called):
        TypeValidationError: the pattern of `:matches-regex` is malformed, or no function has a custom name.
    """
    make = _TESTS.get(predicate.name)
    return _custom(predicate, lookup) if make is None else make(*predicate.args)


def _is_number(value: Value) -> bool:
    return type(value) in _NUMBERS


def _same(a: Value, b: Value) -> bool:
    """Equal, numbers by value."""
    return a == b if _is_number(a) and _is_number(b) else equal(a, b)


def _size_test(kinds: frozenset[type], least: int, most: int | None) -> Test:
    return lambda v: type(v) in kinds and len(v) >= least and (most is None or len(v) <= most)


_TEXT: Final = frozenset((str,))


def _regex(pattern: str) -> Test:
    def test(value: Value) -> bool:
        if type(value) is not str:
            return False
        from rtfs.stdlib.regex import re_matches

        try:
            return truthy(re_matches(pattern, value))
        except errors.Generic as error:
            raise errors.TypeValidationError(error.message) from None

    return test


def _has_key(key: Keyword) -> Test:
    return lambda v: type(v) is Map and (key in v or key.name in v)


def _required_keys(keys: Vector) -> Test:
    tests = [_has_key(key) for key in keys]
    return lambda v: type(v) is Map and all(test(v) for test in tests)


def _is_url(value: Value) -> bool:
    return type(value) is str and value.startswith(("http://", "https://"))


def _is_email(value: Value) -> bool:
    if type(value) is not str or value.count("@") != 1:
        return False
    local, domain = value.split("@")
    name, _, top = domain.rpartition(".")
    return bool(local and name and len(top) > 1 and top.isascii() and top.isalpha()) and _LOCAL_PART.issuperset(
        local
    ) & _DOMAIN.issuperset(name)


def _custom(predicate: Predicate, lookup: Lookup) -> Test:
    def test(value: Value) -> bool:
        function = lookup(predicate.name)
        if function is None:
            raise _unknown(predicate.name)
        return truthy(function(value, *predicate.args))

    return test


def _unknown(name: str) -> errors.TypeValidationError:
    from rtfs.spell import nearest

    error = errors.TypeValidationError(f"Unknown predicate: {name}")
    found = nearest(name, list(_TESTS))
    error.hint = None if found is None else f"did you mean `[:{found} …]`?"
    return error


_TESTS: Final[Mapping[str, Callable[..., Test]]] = {
    ">": lambda n: lambda v: _is_number(v) and v > n,
    ">=": lambda n: lambda v: _is_number(v) and v >= n,
    "<": lambda n: lambda v: _is_number(v) and v < n,
    "<=": lambda n: lambda v: _is_number(v) and v <= n,
    "=": lambda wanted: lambda v: _same(v, wanted),
    "!=": lambda unwanted: lambda v: not _same(v, unwanted),
    "in-range": lambda low, high: lambda v: _is_number(v) and low <= v <= high,
    "min-length": lambda n: _size_test(_TEXT, n, None),
    "max-length": lambda n: _size_test(_TEXT, 0, n),
    "length": lambda n: _size_test(_TEXT, n, n),
    "matches-regex": _regex,
    "min-count": lambda n: _size_test(_COUNTED, n, None),
    "max-count": lambda n: _size_test(_COUNTED, 0, n),
    "count": lambda n: _size_test(_COUNTED, n, n),
    "non-empty": lambda: _size_test(_COUNTED, 1, None),
    "has-key": _has_key,
    "required-keys": _required_keys,
    "is-url": lambda: _is_url,
    "is-email": lambda: _is_email,
}
