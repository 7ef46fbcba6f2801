import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.stdlib.table import BUILTINS
from rtfs.values import INT_MAX, INT_MIN, Keyword, List, Map, Set, Symbol, Vector

A, NS = Keyword.of("a"), Keyword.of("user/id")


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("parse-int", ("\t+42\n",), "42"),
        ("parse-int", ("-007",), "-7"),
        ("parse-int", (str(INT_MIN),), str(INT_MIN)),
        ("parse-int", (str(INT_MAX + 1),), "nil"),
        ("parse-int", ("9" * 100_000,), "nil"),
        ("parse-int", ("0" * 100_000 + "1",), "1"),
        ("parse-int", ("",), "nil"),
        ("parse-int", ("-",), "nil"),
        ("parse-int", ("1_000",), "nil"),
        ("parse-int", ("٣",), "nil"),
        ("parse-int", ("²",), "nil"),
        ("parse-int", ("1.5",), "nil"),
        ("parse-int", ("0x10",), "nil"),
        ("parse-int", (-3.9,), "-3"),
        ("parse-int", (math.inf,), "nil"),
        ("parse-int", (math.nan,), "nil"),
        ("parse-int", (1e300,), "nil"),
        ("parse-int", (True,), "nil"),
        ("parse-int", (None,), "nil"),
        ("parse-int", (Vector([]),), "nil"),
        ("parse-float", (" -2.5e3 ",), "-2500.0"),
        ("parse-float", ("7",), "7.0"),
        ("parse-float", ("inf",), "##Inf"),
        ("parse-float", ("-Infinity",), "##-Inf"),
        ("parse-float", ("NaN",), "##NaN"),
        ("parse-float", ("1_0.5",), "nil"),
        ("parse-float", ("٣.5",), "nil"),
        ("parse-float", ("0x1p3",), "nil"),
        ("parse-float", ("e",), "nil"),
        ("parse-float", ("",), "nil"),
        ("parse-float", ("1" * 100_000,), "##Inf"),
        ("parse-float", (False,), "nil"),
        ("int", ("x",), "0"),
        ("int", (None,), "0"),
        ("int", (math.nan,), "0"),
        ("int", (False,), "0"),
        ("int", (2.9,), "2"),
        ("float", (None,), "0.0"),
        ("float", (True,), "1.0"),
        ("float", (math.nan,), "##NaN"),
        ("keyword", ("a",), ":a"),
        ("keyword", (A,), ":a"),
        ("keyword", (Symbol.of("s"),), ":s"),
        ("keyword", ("user", "id"), ":user/id"),
        ("keyword", (None,), "nil"),
        ("keyword", (1,), "!TypeError"),
        ("symbol", ("a",), "a"),
        ("symbol", (A,), "a"),
        ("symbol", ("m", "f"), "m/f"),
        ("symbol", (None,), "!TypeError"),
        ("name", (NS,), '"id"'),
        ("name", (Symbol.of("/"),), '"/"'),
        ("name", ("a/b",), '"a/b"'),
        ("name", (1,), "!TypeError"),
        ("namespace", (NS,), '"user"'),
        ("namespace", (A,), "nil"),
        ("namespace", (Symbol.of("/"),), "nil"),
        ("namespace", ("a/b",), "!TypeError"),
        ("vec", (List([1, 2]),), "[1 2]"),
        ("vec", (Set([1]),), "[1]"),
        ("vec", ("ab",), '["a" "b"]'),
        ("vec", (Map({A: 1}),), "[[:a 1]]"),
        ("vec", (None,), "[]"),
        ("vec", (1,), "!TypeError"),
        ("list", (), "()"),
        ("list", (1, None), "(1 nil)"),
        ("set", (Vector([1, 1.0, 1]),), "#{1 1.0}"),
        ("set", (None,), "#{}"),
        ("set", (A,), "!TypeError"),
        ("pr-str", (), '""'),
        ("pr-str", ("a\n", A, 1.0), r'"\"a\\n\" :a 1.0"'),
    ],
)
def test_result(outcome, name, args, expected):
    assert outcome(name, *args) == expected


@given(
    st.text(alphabet="+-0123456789.eE_ infatyNx", max_size=24) | st.integers().map(str) | st.floats().map(repr)
)
def test_parsing_any_text_gives_a_number_or_nil(text):
    as_int = BUILTINS["parse-int"].function(text)
    as_float = BUILTINS["parse-float"].function(text)
    assert as_int is None or (type(as_int) is int and INT_MIN <= as_int <= INT_MAX)
    assert as_float is None or type(as_float) is float
    assert as_int is None or as_float == float(as_int)


@given(st.integers(INT_MIN, INT_MAX), st.floats(allow_nan=False))
def test_numbers_survive_text(whole, real):
    assert BUILTINS["parse-int"].function(BUILTINS["str"].function(whole)) == whole
    assert BUILTINS["parse-float"].function(BUILTINS["str"].function(real)) == real


@given(st.text(alphabet="ab/.", min_size=1))
def test_name_and_namespace_make_up_the_keyword(text):
    keyword = Keyword.of(text)
    name, namespace = BUILTINS["name"].function(keyword), BUILTINS["namespace"].function(keyword)
    assert text == (name if namespace is None else f"{namespace}/{name}")
