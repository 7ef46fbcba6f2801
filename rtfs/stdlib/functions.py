"""Functions made of functions."""

from __future__ import annotations

from collections.abc import Callable

from rtfs.stdlib.iteration import not_a
from rtfs.stdlib.registry import builtin, callback
from rtfs.values import Value, Vector, member_key, truthy


def _callable(f: Value, operation: str) -> Value:
    """`f`, known to be something that can be called; with how many arguments is seen when it is called."""
    if not callable(f):
        raise not_a(f, "function", operation)
    return f


def _named(name: str, function: Callable[..., Value]) -> Value:
    """`function` under the name that error texts and call traces show."""
    function.__name__ = name
    return function


@builtin("comp")
def comp(*fs: Value) -> Value:
    """A function that applies the last function to its arguments and each one before to the answer.

    ((comp inc count) [1 2]) => 3
    ((comp) 5) => 5
    """
    if not fs:
        return _named("comp", lambda x: x)
    innermost = _callable(fs[-1], "comp")
    outer = [_callable(f, "comp") for f in reversed(fs[:-1])]

    def composed(*args: Value) -> Value:
        answer = callback(innermost, len(args), "comp")(*args)
        for f in outer:
            answer = callback(f, 1, "comp")(answer)
        return answer

    return _named("comp", composed)


@builtin("partial")
def partial(f: Value, *args: Value) -> Value:
    """A function that calls f with these arguments before its own.

    ((partial + 1 2) 3) => 6
    """
    _callable(f, "partial")

    def applied(*more: Value) -> Value:
        return callback(f, len(args) + len(more), "partial")(*args, *more)

    return _named("partial", applied)


@builtin("complement")
def complement(p: Value) -> Value:
    """A predicate that holds where p does not.

    (filter (complement even?) [1 2 3]) => [1 3]
    """
    _callable(p, "complement")

    def opposite(*args: Value) -> Value:
        return not truthy(callback(p, len(args), "complement")(*args))

    return _named("complement", opposite)


@builtin("constantly")
def constantly(x: Value) -> Value:
    """A function that answers x whatever its arguments.

    (map (constantly 0) [1 2]) => [0 0]
    """
    return _named("constantly", lambda *_: x)


@builtin("juxt")
def juxt(f: Value, *more: Value) -> Value:
    """A function that answers the vector of what each function answers.

    ((juxt first count) [5 6]) => [5 2]
    """
    fs = [_callable(each, "juxt") for each in (f, *more)]

    def beside(*args: Value) -> Value:
        return Vector([callback(each, len(args), "juxt")(*args) for each in fs])

    return _named("juxt", beside)


@builtin("memoize")
def memoize(f: Value) -> Value:
    """A function that calls f once for equal arguments and then answers the same again.

    ((memoize +) 1 2) => 3
    """
    _callable(f, "memoize")
    known: dict[tuple[Value, ...], Value] = {}

    def remembering(*args: Value) -> Value:
        key = tuple([member_key(arg) for arg in args])
        if key not in known:
            known[key] = callback(f, len(args), "memoize")(*args)
        return known[key]

    return _named("memoize", remembering)


@builtin("fnil")
def fnil(f: Value, default: Value, *defaults: Value) -> Value:
    """A function that calls f with defaults in place of first, second, … arguments that are nil.

    ((fnil inc 0) nil) => 1
    ((fnil + 0 10) 1 nil) => 11
    """
    _callable(f, "fnil")
    instead = (default, *defaults)

    def filled(*args: Value) -> Value:
        first = [given if given is not None else other for given, other in zip(args, instead, strict=False)]
        return callback(f, len(args), "fnil")(*first, *args[len(instead) :])

    return _named("fnil", filled)
