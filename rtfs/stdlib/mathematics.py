"""Functions of numbers beyond the operators: roots, powers, rounding, parity, extremes."""

from __future__ import annotations

import math
from typing import Final

from rtfs.errors import IntegerOverflow, InvalidArgument
from rtfs.run import STOP_REQUESTS, poll
from rtfs.stdlib.arithmetic import in_64_bits, number
from rtfs.stdlib.iteration import integer
from rtfs.stdlib.registry import builtin
from rtfs.values import Value

#: the largest n whose factorial fits 64 bits
_LARGEST_FACTORIAL: Final = 20


@builtin("max")
def maximum(x: Value, *more: Value) -> Value:
    """The largest number, as it was given; the first of equal ones. NaN if any is NaN.

    (max 1 3 2) => 3
    (max 1 1.0) => 1
    (max 1 "2") => !TypeError
    """
    best = number(x, "max")
    for y in more:
        if STOP_REQUESTS:
            poll()
        if number(y, "max") > best or y != y:
            best = y
    return best


@builtin("min")
def minimum(x: Value, *more: Value) -> Value:
    """The smallest number, as it was given; the first of equal ones. NaN if any is NaN.

    (min 3 1 2) => 1
    (min 0.5 1) => 0.5
    """
    best = number(x, "min")
    for y in more:
        if STOP_REQUESTS:
            poll()
        if number(y, "min") < best or y != y:
            best = y
    return best


@builtin("sqrt")
def sqrt(x: Value) -> Value:
    """Square root, always a float.

    (sqrt 16) => 4.0
    (sqrt -1) => !InvalidArgument
    """
    if number(x, "sqrt") < 0:
        raise InvalidArgument("sqrt needs a number that is not negative")
    return math.sqrt(x)


@builtin("pow")
def power(base: Value, exponent: Value) -> Value:
    """`base` to the power of `exponent`: an integer if both are and the exponent is not negative, else a float.

    (pow 2 10) => 1024
    (pow 2 -1) => 0.5
    (pow 9 0.5) => 3.0
    (pow 2 64) => !IntegerOverflow
    """
    number(base, "pow")
    number(exponent, "pow")
    if type(base) is int and type(exponent) is int and exponent >= 0:
        if abs(base) > 1 and exponent > 63:  # known to overflow, and could be huge
            raise IntegerOverflow("pow")
        return in_64_bits(base**exponent, "pow")
    return _float_power(float(base), float(exponent))


def _float_power(base: float, exponent: float) -> float:
    """IEEE power, where Python's `math.pow` raises for what IEEE calls NaN and infinity."""
    try:
        return math.pow(base, exponent)
    except ValueError:
        if base != 0:
            return math.nan  # a fractional power of a negative number
    except OverflowError:
        pass
    odd = exponent % 2 == 1
    return -math.inf if odd and math.copysign(1, base) < 0 else math.inf


@builtin("factorial")
def factorial(n: Value) -> Value:
    """Product of the integers from 1 to n.

    (factorial 5) => 120
    (factorial -1) => !InvalidArgument
    (factorial 21) => !IntegerOverflow
    """
    if integer(n, "factorial") < 0:
        raise InvalidArgument(f"factorial needs an integer that is not negative, got {n}")
    if n > _LARGEST_FACTORIAL:
        raise IntegerOverflow("factorial")
    return math.factorial(n)


def _parity(x: Value, operation: str) -> int | None:
    """0 or 1, the remainder of x cut off to an integer, by 2; None for infinities and NaN."""
    if type(x) is int:
        return x & 1
    return math.trunc(x) & 1 if math.isfinite(number(x, operation)) else None


@builtin("even?")
def is_even(x: Value) -> Value:
    """Whether a number, cut off to an integer, is even. Infinities and NaN are neither even nor odd.

    (even? 4) => true
    (even? -3) => false
    """
    return _parity(x, "even?") == 0


@builtin("odd?")
def is_odd(x: Value) -> Value:
    """Whether a number, cut off to an integer, is odd. Infinities and NaN are neither even nor odd.

    (odd? -3) => true
    (odd? 3.9) => true
    """
    return _parity(x, "odd?") == 1


@builtin("zero?")
def is_zero(x: Value) -> Value:
    """Whether a number is zero.

    (zero? 0.0) => true
    (zero? 1) => false
    """
    return number(x, "zero?") == 0


@builtin("pos?")
def is_positive(x: Value) -> Value:
    """Whether a number is greater than zero.

    (pos? 0.1) => true
    (pos? 0) => false
    """
    return number(x, "pos?") > 0


@builtin("neg?")
def is_negative(x: Value) -> Value:
    """Whether a number is less than zero.

    (neg? -1) => true
    (neg? 0) => false
    """
    return number(x, "neg?") < 0


def _finite(x: Value, operation: str) -> Value:
    """`x`, known to have an integer next to it."""
    if math.isfinite(number(x, operation)):
        return x
    raise InvalidArgument(f"{operation} needs a finite number")


@builtin("floor")
def floor(x: Value) -> Value:
    """The largest integer that is not greater than x.

    (floor 2.7) => 2
    (floor -2.5) => -3
    (floor ##Inf) => !InvalidArgument
    """
    return in_64_bits(math.floor(_finite(x, "floor")), "floor")


@builtin("ceil")
def ceil(x: Value) -> Value:
    """The smallest integer that is not less than x.

    (ceil 2.1) => 3
    (ceil 1.0e300) => !IntegerOverflow
    """
    return in_64_bits(math.ceil(_finite(x, "ceil")), "ceil")


@builtin("round")
def round_half_up(x: Value) -> Value:
    """The integer nearest to x; halfway between two, the greater.

    (round 2.5) => 3
    (round -2.5) => -2
    (round 2.4) => 2
    """
    below = math.floor(_finite(x, "round"))
    return in_64_bits(below + 1 if x - below >= 0.5 else below, "round")
