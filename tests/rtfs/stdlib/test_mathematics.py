import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.errors import IntegerOverflow
from rtfs.stdlib.table import BUILTINS
from rtfs.values import INT_MAX, INT_MIN

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("max", (1, 3, 2), "3"),
        ("max", (1, 1.0), "1"),
        ("max", (1.0, 1), "1.0"),
        ("max", (1, NAN, 2), "##NaN"),
        ("max", ("a",), "!TypeError"),
        ("max", (1, "a"), "!TypeError"),
        ("min", (3, 1.5), "1.5"),
        ("min", (NAN, 1), "##NaN"),
        ("min", (1, True), "!TypeError"),
        ("sqrt", (2,), "1.4142135623730951"),
        ("sqrt", (INF,), "##Inf"),
        ("sqrt", (NAN,), "##NaN"),
        ("sqrt", (-0.5,), "!InvalidArgument"),
        ("sqrt", ("4",), "!TypeError"),
        ("pow", (2, 62), "4611686018427387904"),
        ("pow", (-2, 63), str(INT_MIN)),
        ("pow", (2, 63), "!IntegerOverflow"),
        ("pow", (3, 10**18), "!IntegerOverflow"),
        ("pow", (-1, INT_MAX), "-1"),
        ("pow", (0, 0), "1"),
        ("pow", (0, INT_MAX), "0"),
        ("pow", (2, -1), "0.5"),
        ("pow", (2.0, 3), "8.0"),
        ("pow", (0, -1), "##Inf"),
        ("pow", (-0.0, -1), "##-Inf"),
        ("pow", (-8, 0.5), "##NaN"),
        ("pow", (-10.0, 309), "##-Inf"),
        ("pow", (-10.0, 310), "##Inf"),
        ("pow", (True, 2), "!TypeError"),
        ("factorial", (20,), "2432902008176640000"),
        ("factorial", (0,), "1"),
        ("factorial", (21,), "!IntegerOverflow"),
        ("factorial", (INT_MAX,), "!IntegerOverflow"),
        ("factorial", (-1,), "!InvalidArgument"),
        ("factorial", (2.0,), "!TypeError"),
        ("even?", (-3,), "false"),
        ("odd?", (-3,), "true"),
        ("odd?", (-3.9,), "true"),
        ("even?", (1e300,), "true"),
        ("even?", (INF,), "false"),
        ("odd?", (NAN,), "false"),
        ("odd?", (True,), "!TypeError"),
        ("zero?", (-0.0,), "true"),
        ("pos?", (INF,), "true"),
        ("neg?", (NAN,), "false"),
        ("neg?", (None,), "!TypeError"),
        ("floor", (-2.5,), "-3"),
        ("floor", (7,), "7"),
        ("floor", (1e19,), "!IntegerOverflow"),
        ("floor", (NAN,), "!InvalidArgument"),
        ("ceil", (-2.5,), "-2"),
        ("ceil", (INF,), "!InvalidArgument"),
        ("ceil", ("1",), "!TypeError"),
        ("round", (0.49999999999999994,), "0"),
        ("round", (0.5,), "1"),
        ("round", (-0.5,), "0"),
        ("round", (-1.5,), "-1"),
        ("round", (INT_MAX,), str(INT_MAX)),
        ("round", (4503599627370497.0,), "4503599627370497"),
    ],
)
def test_result(outcome, name, args, expected):
    assert outcome(name, *args) == expected


numbers = st.floats() | st.integers(INT_MIN, INT_MAX)


@given(numbers, numbers)
def test_pow_gives_a_number_unless_it_overflows(x, y):
    with contextlib.suppress(IntegerOverflow):
        assert type(BUILTINS["pow"].function(x, y)) in (int, float)


@given(st.floats(-1e15, 1e15))
def test_rounding_agrees(x):
    floor, ceil, round_ = (BUILTINS[name].function(x) for name in ("floor", "ceil", "round"))
    assert floor <= x <= ceil
    assert ceil - floor in (0, 1)
    assert round_ == (floor if x - floor < 0.5 else ceil)
