"""The operators: `+ - * /`, remainders, and comparison of numbers and strings.

Integers are exact and 64 bits wide; a result that does not fit is IntegerOverflow. A boolean is no number.

Each operator exists twice: as the builtin, and as a function of exactly two arguments (`add2`, `lt2`, …) with
the same results and errors. Generated code calls the second where its own quick test for two integers fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from rtfs.errors import DivisionByZero, IntegerOverflow, TypeMismatch
from rtfs.run import STOP_REQUESTS, poll
from rtfs.stdlib.iteration import MISSING, not_a
from rtfs.stdlib.registry import builtin
from rtfs.values import INT_MAX, INT_MIN, Value, equal, type_name

NUMBERS: Final = frozenset((int, float))

#: types whose Python equality is RTFS's, given that both values have the same type
_SCALARS: Final = frozenset((int, str, float, bool, type(None)))


def number(x: Value, operation: str) -> Value:
    """`x`, known to be a number.

    Raises:
        TypeMismatch: it is none.
    """
    if type(x) in NUMBERS:
        return x
    raise not_a(x, "number", operation)


def in_64_bits(x: int, operation: str) -> int:
    """`x`, known to fit.

    Raises:
        IntegerOverflow: it does not.
    """
    if INT_MIN <= x <= INT_MAX:
        return x
    raise IntegerOverflow(operation)


def _fold(step: Callable[[Value, Value], Value], x: Value, y: Value, more: tuple[Value, ...]) -> Value:
    """`step` over all operands from the left."""
    result = step(x, y)
    for operand in more:
        if STOP_REQUESTS:
            poll()
        result = step(result, operand)
    return result


# ---------------------------------------------------------------- two operands


def add2(x: Value, y: Value) -> Value:
    """`(+ x y)`."""
    if type(x) is int and type(y) is int:
        total = x + y
        if INT_MIN <= total <= INT_MAX:
            return total
        raise IntegerOverflow("+")
    return number(x, "+") + number(y, "+")


def sub2(x: Value, y: Value) -> Value:
    """`(- x y)`."""
    if type(x) is int and type(y) is int:
        difference = x - y
        if INT_MIN <= difference <= INT_MAX:
            return difference
        raise IntegerOverflow("-")
    return number(x, "-") - number(y, "-")


def mul2(x: Value, y: Value) -> Value:
    """`(* x y)`."""
    if type(x) is int and type(y) is int:
        product = x * y
        if INT_MIN <= product <= INT_MAX:
            return product
        raise IntegerOverflow("*")
    return number(x, "*") * number(y, "*")


def div2(x: Value, y: Value) -> Value:
    """`(/ x y)`: an integer if the quotient is integral and fits, otherwise a float."""
    number(x, "/")
    if number(y, "/") == 0:
        raise DivisionByZero()
    if type(x) is int and type(y) is int:
        whole, rest = divmod(x, y)
        return x / y if rest else in_64_bits(whole, "/")
    quotient = x / y
    if quotient.is_integer() and INT_MIN <= quotient <= INT_MAX:
        return int(quotient)
    return quotient


def _comparable(x: Value, y: Value, operation: str) -> None:
    if type(x) in NUMBERS and type(y) in NUMBERS:
        return
    if type(x) is str and type(y) is str:
        return
    raise TypeMismatch("comparable types", f"{type_name(x)} and {type_name(y)}", operation)


def lt2(x: Value, y: Value) -> Value:
    """`(< x y)`."""
    if type(x) is not int or type(y) is not int:
        _comparable(x, y, "<")
    return x < y


def gt2(x: Value, y: Value) -> Value:
    """`(> x y)`."""
    if type(x) is not int or type(y) is not int:
        _comparable(x, y, ">")
    return x > y


def le2(x: Value, y: Value) -> Value:
    """`(<= x y)`."""
    if type(x) is not int or type(y) is not int:
        _comparable(x, y, "<=")
    return x <= y


def ge2(x: Value, y: Value) -> Value:
    """`(>= x y)`."""
    if type(x) is not int or type(y) is not int:
        _comparable(x, y, ">=")
    return x >= y


def eq2(x: Value, y: Value) -> Value:
    """`(= x y)`."""
    kind = type(x)
    if kind in _SCALARS:
        return kind is type(y) and x == y
    return equal(x, y)


# ---------------------------------------------------------------- builtins


@builtin("+")
def add(x: Value, y: Value = MISSING, *more: Value) -> Value:
    """Add numbers. The sum is a float if any of them is.

    (+ 1 2 3) => 6
    (+ 1 2.5) => 3.5
    (+ 9223372036854775807 1) => !IntegerOverflow
    (+ 1 true) => !TypeError
    """
    if not more and type(x) is int and type(y) is int:
        total = x + y
        if INT_MIN <= total <= INT_MAX:
            return total
        raise IntegerOverflow("+")
    return number(x, "+") if y is MISSING else _fold(add2, x, y, more)


@builtin("-")
def subtract(x: Value, y: Value = MISSING, *more: Value) -> Value:
    """Subtract the other numbers from the first; with one number, negate it.

    (- 10 1 2) => 7
    (- 5) => -5
    """
    if not more and type(x) is int and type(y) is int:
        difference = x - y
        if INT_MIN <= difference <= INT_MAX:
            return difference
        raise IntegerOverflow("-")
    if y is not MISSING:
        return _fold(sub2, x, y, more)
    return in_64_bits(-x, "-") if type(x) is int else -number(x, "-")


@builtin("*")
def multiply(x: Value, y: Value = MISSING, *more: Value) -> Value:
    """Multiply numbers. The product is a float if any of them is.

    (* 2 3 4) => 24
    (* 2 0.5) => 1.0
    """
    if not more and type(x) is int and type(y) is int:
        product = x * y
        if INT_MIN <= product <= INT_MAX:
            return product
        raise IntegerOverflow("*")
    return number(x, "*") if y is MISSING else _fold(mul2, x, y, more)


@builtin("/")
def divide(x: Value, y: Value = MISSING, *more: Value) -> Value:
    """Divide the first number by the others in turn. An integral quotient is an integer, any other a float.

    With one number, that number.

    (/ 10 2) => 5
    (/ 5 2) => 2.5
    (/ 6.0 2) => 3
    (/ 1 0) => !DivisionByZero
    """
    return number(x, "/") if y is MISSING else _fold(div2, x, y, more)


@builtin("mod", "rem")
def mod(x: Value, y: Value) -> Value:
    """Remainder of x divided by y. It has the sign of x.

    (mod 7 3) => 1
    (mod -7 3) => -1
    (mod 5.5 2) => 1.5
    (mod 1 0) => !DivisionByZero
    """
    number(x, "mod")
    if number(y, "mod") == 0:
        raise DivisionByZero()
    if type(x) is int and type(y) is int:
        rest = abs(x) % abs(y)
        return -rest if x < 0 else rest
    if math.isinf(x):
        return math.nan
    return math.fmod(x, y)


@builtin("quot")
def quot(x: Value, y: Value) -> Value:
    """Quotient of x and y, cut off towards zero. A float if x or y is.

    (quot 7 2) => 3
    (quot -7 2) => -3
    (quot 7.5 2) => 3.0
    """
    number(x, "quot")
    if number(y, "quot") == 0:
        raise DivisionByZero()
    if type(x) is int and type(y) is int:
        whole = abs(x) // abs(y)
        return in_64_bits(whole if (x < 0) == (y < 0) else -whole, "quot")
    quotient = x / y
    return float(math.trunc(quotient)) if math.isfinite(quotient) else quotient


@builtin("inc")
def inc(x: Value) -> Value:
    """Add one.

    (inc 41) => 42
    (inc "a") => !TypeError
    """
    return in_64_bits(x + 1, "inc") if type(x) is int else number(x, "inc") + 1


@builtin("dec")
def dec(x: Value) -> Value:
    """Subtract one.

    (dec 43) => 42
    (dec 0.5) => -0.5
    """
    return in_64_bits(x - 1, "dec") if type(x) is int else number(x, "dec") - 1


@builtin("abs")
def absolute(x: Value) -> Value:
    """The number without its sign.

    (abs -3) => 3
    (abs -2.5) => 2.5
    """
    return in_64_bits(abs(x), "abs") if type(x) is int else abs(number(x, "abs"))


def _chain(test: Callable[[Value, Value], Value], x: Value, y: Value, more: tuple[Value, ...]) -> bool:
    """Whether `test` holds between all neighbours; stops at the first that fail."""
    if not test(x, y):
        return False
    for z in more:
        if STOP_REQUESTS:
            poll()
        if not test(y, z):
            return False
        y = z
    return True


@builtin("<")
def less(x: Value, y: Value, *more: Value) -> Value:
    """Whether each value is less than the next. Compares two numbers or two strings.

    (< 1 2) => true
    (< 1 2 2) => false
    (< "a" "b") => true
    (< 1 "b") => !TypeError
    """
    return _chain(lt2, x, y, more) if more else lt2(x, y)


@builtin(">")
def greater(x: Value, y: Value, *more: Value) -> Value:
    """Whether each value is greater than the next. Compares two numbers or two strings.

    (> 2 1.5) => true
    (> 3 2 2) => false
    """
    return _chain(gt2, x, y, more) if more else gt2(x, y)


@builtin("<=")
def less_or_equal(x: Value, y: Value, *more: Value) -> Value:
    """Whether each value is less than the next or the same. Compares two numbers or two strings.

    (<= 1 1.0) => true
    (<= 1 2 2) => true
    """
    return _chain(le2, x, y, more) if more else le2(x, y)


@builtin(">=")
def greater_or_equal(x: Value, y: Value, *more: Value) -> Value:
    """Whether each value is greater than the next or the same. Compares two numbers or two strings.

    (>= 2 2) => true
    (>= "a" "b") => false
    """
    return _chain(ge2, x, y, more) if more else ge2(x, y)


@builtin("=")
def equals(x: Value, y: Value = MISSING, *more: Value) -> Value:
    """Whether all values equal the first. Values of different types never do, not even `1` and `1.0`.

    (= 1 1 1) => true
    (= 1 1.0) => false
    (= [1 {:a 2}] [1 {:a 2}]) => true
    """
    if not more:
        kind = type(x)
        if kind in _SCALARS and y is not MISSING:
            return kind is type(y) and x == y
        return y is MISSING or equal(x, y)
    for other in (y, *more):
        if STOP_REQUESTS:
            poll()
        if not eq2(x, other):
            return False
    return True


@builtin("not=", "!=")
def not_equal(x: Value, y: Value) -> Value:
    """Whether two values differ.

    (not= 1 2) => true
    (!= "a" "a") => false
    """
    return not eq2(x, y)
