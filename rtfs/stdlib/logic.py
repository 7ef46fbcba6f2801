"""`not`, `and` and `or` as functions, and the order of all values.

In call position `and` and `or` are special forms, which stop early; as values they have all their arguments.
"""

from __future__ import annotations

from rtfs.ordering import compare
from rtfs.stdlib.registry import builtin
from rtfs.values import Value


@builtin("not")
def not_(x: Value) -> Value:
    """True for false and nil, false for every other value.

    (not nil) => true
    (not 0) => false
    """
    return x is None or x is False


@builtin("and")
def and_(*values: Value) -> Value:
    """The first value that is false or nil, else the last one; true without any.

    (apply and [1 nil 3]) => nil
    (apply and [1 2]) => 2
    (apply and []) => true
    """
    last: Value = True
    for last in values:
        if last is None or last is False:
            return last
    return last


@builtin("or")
def or_(*values: Value) -> Value:
    """The first value that is neither false nor nil, else the last one; false without any.

    (apply or [nil 2 3]) => 2
    (apply or [false nil]) => nil
    (apply or []) => false
    """
    last: Value = False
    for last in values:
        if last is not None and last is not False:
            return last
    return last


@builtin("compare")
def compare_values(x: Value, y: Value) -> Value:
    """-1, 0 or 1: where x stands to y in the order that `sort` uses. Any two values can be compared.

    (compare 1 2) => -1
    (compare "b" "a") => 1
    (compare nil 1) => -1
    """
    sign = compare(x, y)
    return (sign > 0) - (sign < 0)
