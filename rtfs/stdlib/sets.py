"""Sets. `set` and `conj` make them, `contains?` asks them."""

from __future__ import annotations

from rtfs.stdlib.iteration import not_a, slices
from rtfs.stdlib.registry import builtin
from rtfs.values import EMPTY_SET, Set, Value


def _set(value: Value, operation: str) -> Set:
    if type(value) is not Set:
        raise not_a(value, "set", operation)
    return value


@builtin("disj")
def disj(s: Value, *members: Value) -> Value:
    """The set without these members.

    (disj #{1 2 3} 2 5) => #{1 3}
    """
    made = _set(s, "disj")
    for part in slices(list(members)):
        for member in part:
            made = made.disj(member)
    return made


@builtin("union")
def union(*sets: Value) -> Value:
    """The set of what is in any of the sets.

    (union #{1 2} #{2 3}) => #{1 2 3}
    (union) => #{}
    """
    made = EMPTY_SET
    for part in slices(list(sets)):
        for s in part:
            made = made.conj_all(_set(s, "union")) if made else _set(s, "union")
    return made


@builtin("intersection")
def intersection(s: Value, *sets: Value) -> Value:
    """The set of what is in every one of the sets.

    (intersection #{1 2 3} #{2 3 4}) => #{2 3}
    """
    made = _set(s, "intersection")
    for other in sets:
        known = _set(other, "intersection")
        made = Set([member for part in slices(made.to_list()) for member in part if member in known])
    return made


@builtin("difference")
def difference(s: Value, *sets: Value) -> Value:
    """The set of what is in the first set and in none of the others.

    (difference #{1 2 3} #{2} #{3}) => #{1}
    """
    made = _set(s, "difference")
    for other in sets:
        known = _set(other, "difference")
        made = Set([member for part in slices(made.to_list()) for member in part if member not in known])
    return made
