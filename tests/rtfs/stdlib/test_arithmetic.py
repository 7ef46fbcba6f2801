import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.errors import DivisionByZero, IntegerOverflow, RtfsError, TypeMismatch
from rtfs.stdlib import arithmetic
from rtfs.stdlib.registry import arity_error
from rtfs.stdlib.table import BUILTINS
from rtfs.values import INT_MAX, INT_MIN, Keyword, List, Map, Set, Vector

INF, NAN = math.inf, math.nan

TWO_ARGUMENTS = {
    "+": arithmetic.add2,
    "-": arithmetic.sub2,
    "*": arithmetic.mul2,
    "/": arithmetic.div2,
    "<": arithmetic.lt2,
    ">": arithmetic.gt2,
    "<=": arithmetic.le2,
    ">=": arithmetic.ge2,
    "=": arithmetic.eq2,
}

SAMPLES = [
    0,
    1,
    -1,
    7,
    INT_MAX,
    INT_MIN,
    0.0,
    -0.0,
    2.5,
    INF,
    -INF,
    NAN,
    True,
    None,
    "a",
    "b",
    Keyword.of("k"),
    Vector([1]),
]


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("+", (1,), "1"),
        ("+", (1, 2, 3), "6"),
        ("+", (1, 2, 0.5), "3.5"),
        ("+", (INT_MAX, 1), "!IntegerOverflow"),
        ("+", (INT_MAX, 1, 0.5), "!IntegerOverflow"),
        ("+", (1e308, 1e308), "##Inf"),
        ("+", (True,), "!TypeError"),
        ("+", (1, True), "!TypeError"),
        ("+", (1, 2, "3"), "!TypeError"),
        ("+", ("a", "b"), "!TypeError"),
        ("-", (5,), "-5"),
        ("-", (INT_MIN,), "!IntegerOverflow"),
        ("-", (INT_MIN, 1), "!IntegerOverflow"),
        ("-", (9007199254740993, 1), "9007199254740992"),
        ("-", (10, 1, 2), "7"),
        ("-", (None,), "!TypeError"),
        ("*", (INT_MAX, 2), "!IntegerOverflow"),
        ("*", (INT_MIN, -1), "!IntegerOverflow"),
        ("*", ("a", 3), "!TypeError"),
        ("*", (2, 3, 0.5), "3.0"),
        ("/", (3,), "3"),
        ("/", (5, 2), "2.5"),
        ("/", (6.0, 2), "3"),
        ("/", (10, 2, 2), "2.5"),
        ("/", (9007199254740993, 1), "9007199254740993"),
        ("/", (INT_MIN, -1), "!IntegerOverflow"),
        ("/", (1e300, 2), "5.0e+299"),
        ("/", (1, 0), "!DivisionByZero"),
        ("/", (1.0, 0.0), "!DivisionByZero"),
        ("/", (1, -0.0), "!DivisionByZero"),
        ("/", (INF, 2), "##Inf"),
        ("/", (INF, INF), "##NaN"),
        ("/", (0, "a"), "!TypeError"),
        ("mod", (-7, 3), "-1"),
        ("mod", (7, -3), "1"),
        ("mod", (INT_MIN, -1), "0"),
        ("mod", (5.5, 2), "1.5"),
        ("mod", (5, INF), "5.0"),
        ("mod", (INF, 2), "##NaN"),
        ("mod", (NAN, 2), "##NaN"),
        ("mod", (1, 0.0), "!DivisionByZero"),
        ("rem", (-7, 3), "-1"),
        ("quot", (-7, 2), "-3"),
        ("quot", (INT_MIN, -1), "!IntegerOverflow"),
        ("quot", (INF, 2), "##Inf"),
        ("quot", (-7.5, 2), "-3.0"),
        ("quot", (1, 0), "!DivisionByZero"),
        ("inc", (INT_MAX,), "!IntegerOverflow"),
        ("inc", (0.5,), "1.5"),
        ("inc", (False,), "!TypeError"),
        ("dec", (INT_MIN,), "!IntegerOverflow"),
        ("abs", (INT_MIN,), "!IntegerOverflow"),
        ("abs", (-2.5,), "2.5"),
        ("abs", ("1",), "!TypeError"),
        ("<", (1, 1.5), "true"),
        ("<", (9007199254740992.0, 9007199254740993), "true"),
        ("<", ("a", "b", "c"), "true"),
        ("<", (1, 2, 2), "false"),
        ("<", (2, 1, "a"), "false"),
        ("<", (1, 2, "a"), "!TypeError"),
        ("<", (True, 2), "!TypeError"),
        ("<", (Keyword.of("a"), Keyword.of("b")), "!TypeError"),
        (">", (3, 2, 1), "true"),
        ("<=", (1, 1, 2), "true"),
        (">=", (2, 2, 3), "false"),
        (">=", (NAN, NAN), "false"),
        ("=", (1,), "true"),
        ("=", (1, 1.0), "false"),
        ("=", (1, True), "false"),
        ("=", (0.0, -0.0), "true"),
        ("=", (NAN, NAN), "false"),
        ("=", (1, 1, 2), "false"),
        ("=", (Vector([1]), List([1])), "false"),
        ("=", (Map({"a": Set([1.0])}), Map({"a": Set([1.0])})), "true"),
        ("=", (Keyword.of("a"), "a"), "false"),
        ("not=", (1, 2), "true"),
        ("!=", (1, 1), "false"),
    ],
)
def test_result(outcome, name, args, expected):
    assert outcome(name, *args) == expected


@pytest.mark.parametrize("name", TWO_ARGUMENTS)
def test_function_of_two_arguments_does_what_the_builtin_does(outcome, name):
    for x, y in itertools.product(SAMPLES, repeat=2):
        ours = _result(TWO_ARGUMENTS[name], x, y)
        builtin = _result(BUILTINS[name].function, x, y)
        assert ours == builtin, (name, x, y)


def _result(function, x, y):
    try:
        value = function(x, y)
    except RtfsError as error:
        return type(error), str(error)
    return type(value), repr(value)


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("+", (1, "a"), "Type error in +: expected number, got string"),
        ("-", (None, 1), "Type error in -: expected number, got nil"),
        ("*", (1, True), "Type error in *: expected number, got boolean"),
        ("<", (1, "a"), "Type error in <: expected comparable types, got integer and string"),
        ("*", (INT_MAX, INT_MAX), "Integer overflow in *"),
        ("quot", (INT_MIN, -1), "Integer overflow in quot"),
    ],
)
def test_error_text(name, args, text):
    with pytest.raises((TypeMismatch, IntegerOverflow)) as caught:
        BUILTINS[name].function(*args)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("+", 0, "Arity mismatch in +: expected at least 1, got 0"),
        ("<", 1, "Arity mismatch in <: expected at least 2, got 1"),
        ("not=", 3, "Arity mismatch in not=: expected 2, got 3"),
        ("mod", 1, "Arity mismatch in mod: expected 2, got 1"),
    ],
)
def test_argument_counts(name, given, text):
    function = BUILTINS[name].function
    with pytest.raises(TypeError):
        function(*[1] * given)
    assert str(arity_error(function, given)) == text


integers = st.integers(INT_MIN, INT_MAX) | st.integers(-5, 5)


@given(integers, integers)
def test_integers_are_exact_or_overflow(x, y):
    exact = {"+": x + y, "-": x - y, "*": x * y}
    for name, wanted in exact.items():
        if INT_MIN <= wanted <= INT_MAX:
            assert TWO_ARGUMENTS[name](x, y) == wanted
        else:
            with pytest.raises(IntegerOverflow):
                TWO_ARGUMENTS[name](x, y)


@given(integers, integers)
def test_quotient_and_remainder_make_up_the_dividend(x, y):
    quot, mod = BUILTINS["quot"].function, BUILTINS["mod"].function
    if y == 0:
        with pytest.raises(DivisionByZero):
            mod(x, y)
    elif (x, y) != (INT_MIN, -1):
        rest = mod(x, y)
        assert quot(x, y) * y + rest == x
        assert rest == 0 or (rest < 0) == (x < 0)


@given(st.floats() | integers, st.floats() | integers)
def test_division_gives_a_value_or_an_rtfs_error(x, y):
    try:
        quotient = arithmetic.div2(x, y)
    except (DivisionByZero, IntegerOverflow):
        return
    if type(x) is int and type(y) is int:
        # rounding may make a double integral that stands for a quotient with a fraction
        assert type(quotient) is (float if x % y else int)
    elif type(quotient) is float:
        assert not quotient.is_integer() or not INT_MIN <= quotient <= INT_MAX
