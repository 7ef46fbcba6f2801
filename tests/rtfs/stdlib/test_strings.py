import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.errors import BudgetExhausted, IndexOutOfBounds
from rtfs.stdlib.table import BUILTINS
from rtfs.values import Keyword, List, Map, Set, Vector

A = Keyword.of("a")


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("str", (), '""'),
        ("str", (None,), '"nil"'),
        ("str", (4.0, None, A, Vector(["b"])), r'"4nil:a[\"b\"]"'),
        ("str", ("é", 1), '"é1"'),
        ("string-length", ("a😀",), "2"),
        ("string-length", (None,), "!TypeError"),
        ("string-length", (Vector([]),), "!TypeError"),
        ("substring", ("hello", 0), '"hello"'),
        ("substring", ("hello", 5), '""'),
        ("substring", ("a😀b", 1, 2), '"😀"'),
        ("substring", ("hello", -1), "!IndexOutOfBounds"),
        ("substring", ("hello", 6), "!IndexOutOfBounds"),
        ("substring", ("hello", 0, 6), "!IndexOutOfBounds"),
        ("substring", ("hello", 3, 2), "!IndexOutOfBounds"),
        ("substring", ("hello", 1.0), "!TypeError"),
        ("substring", (A, 1), "!TypeError"),
        ("string-contains", ("abc", ""), "true"),
        ("string-contains?", ("abc", "d"), "false"),
        ("string-contains", (None, "a"), "!TypeError"),
        ("string-contains", ("a", A), "!TypeError"),
        ("starts-with?", (None, "a"), "false"),
        ("starts-with?", ("abc", "ab"), "true"),
        ("starts-with?", ("abc", None), "!TypeError"),
        ("ends-with?", ("abc", "bc"), "true"),
        ("ends-with?", (1, "bc"), "!TypeError"),
        ("split", ("a,b,,c,", ","), '["a" "b" "" "c" ""]'),
        ("split", ("a--b", "--"), '["a" "b"]'),
        ("split", ("", ","), '[""]'),
        ("split", (None, ","), '[""]'),
        ("split", ("a😀", ""), '["a" "😀"]'),
        ("split", ("", ""), "[]"),
        ("split", ("a", None), "!TypeError"),
        ("split", (1, ","), "!TypeError"),
        ("join", (", ", Vector([1, A, "b", None, 2.0])), '"1, :a, b, nil, 2"'),
        ("string-join", ("", List(["a", "b"])), '"ab"'),
        ("join", ("-", Set([1, 2])), '"1-2"'),
        ("join", ("-", "abc"), '"a-b-c"'),
        ("join", (" ", Map({A: 1})), '"[:a 1]"'),
        ("join", (",", None), "!TypeError"),
        ("join", (None, Vector([])), "!TypeError"),
        ("upper", ("straße",), '"STRASSE"'),
        ("string-lower", ("ÀB",), '"àb"'),
        ("trim", (" \t\n a b \r",), '"a b"'),
        ("string-upper", (None,), "!TypeError"),
        ("string-replace", ("aaa", "a", "bb"), '"bbbbbb"'),
        ("string-replace", ("abc", "", "-"), '"-a-b-c-"'),
        ("string-replace", ("a.c", ".", r"\1"), r'"a\\1c"'),
        ("string-replace", ("abc", A, "-"), "!TypeError"),
    ],
)
def test_result(outcome, name, args, expected):
    assert outcome(name, *args) == expected


@pytest.mark.parametrize(
    ("args", "index", "length"),
    [(("hello", 9), 9, 5), (("hello", 0, 9), 9, 5), (("hello", -1, 3), -1, 3), (("hello", 3, 2), 3, 2)],
)
def test_substring_says_which_index_is_wrong(args, index, length):
    with pytest.raises(IndexOutOfBounds) as caught:
        BUILTINS["substring"].function(*args)
    assert (caught.value.index, caught.value.length) == (index, length)


@given(st.text(alphabet="ab,😀\ud800\0"), st.text(alphabet="ab,", min_size=1, max_size=2))
def test_join_undoes_split(text, separator):
    split, join = BUILTINS["split"].function, BUILTINS["join"].function
    assert join(separator, split(text, separator)) == text
    assert join("", split(text, "")) == text


MEGABYTE = "x" * (1 << 20)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("str", (MEGABYTE, MEGABYTE)),
        ("join", ("", Vector([MEGABYTE] * 1000))),
        ("join", (MEGABYTE, Vector([1, 2, 3]))),
        ("split", (MEGABYTE, "x")),
        ("split", (MEGABYTE, "")),
        ("string-replace", (MEGABYTE, "x", MEGABYTE)),
        ("string-replace", (MEGABYTE, "", "yy")),
        ("pr-str", (MEGABYTE, MEGABYTE)),
    ],
)
@pytest.mark.usefixtures("small_run")
def test_large_results_are_refused_before_they_are_made(name, args):
    with pytest.raises(BudgetExhausted, match="allocation"):
        BUILTINS[name].function(*args)


@pytest.mark.usefixtures("small_run")
def test_text_of_shared_structure_is_refused():
    value = Vector(["x" * 1000])
    for _ in range(60):
        value = Vector([value, value])
    for name, args in [("str", (value,)), ("str", ("", value)), ("join", ("", Vector([value])))]:
        with pytest.raises(BudgetExhausted, match="allocation"):
            BUILTINS[name].function(*args)
