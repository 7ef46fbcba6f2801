"""Texts of values, and that what is printed reads back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs import errors
from rtfs.forms import MetaForm
from rtfs.host import PureHost
from rtfs.printer import pr_str, pretty, to_str
from rtfs.reader import read
from rtfs.reader.literals import is_keyword, is_symbol
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext
from rtfs.values import (
    ErrorValue,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Ticket,
    Timestamp,
    Uuid,
    Value,
    Vector,
    equal,
)

K = Keyword.of
S = Symbol.of
STAMP = "2025-01-31T10:20:30Z"


@pytest.mark.parametrize(
    ("value", "readable", "shown"),
    [
        (None, "nil", "nil"),
        (True, "true", "true"),
        (42, "42", "42"),
        (4.0, "4.0", "4"),
        (-0.0, "-0.0", "-0"),
        (0.1, "0.1", "0.1"),
        (1e22, "1.0e+22", "1" + "0" * 22),
        (1.5e-7, "1.5e-07", "0.00000015"),
        (-1.25e17, "-1.25e+17", "-125000000000000000"),
        (math.inf, "##Inf", "inf"),
        (-math.inf, "##-Inf", "-inf"),
        (math.nan, "##NaN", "NaN"),
        ("a", '"a"', "a"),
        ('q"\\\n\t\r', r'"q\"\\\n\t\r"', 'q"\\\n\t\r'),
        (K("a/b"), ":a/b", ":a/b"),
        (S("x"), "x", "x"),
        (Timestamp(STAMP), STAMP, STAMP),
        (ResourceHandle("resource://a"), "resource://a", "resource://a"),
        (Vector.of(1, 2.0, "s\n"), r'[1 2.0 "s\n"]', r'[1 2 "s\n"]'),
        (Vector.of(Timestamp(STAMP)), f"[{STAMP}]", f'[#timestamp("{STAMP}")]'),
        (Vector.of(Uuid("u")), "[u]", '[#uuid("u")]'),
        (Vector.of(ResourceHandle("resource://a")), "[resource://a]", '[#resource-handle("resource://a")]'),
        (List.of(1, List()), "(1 ())", "(1 ())"),
        (Map({K("a"): 1, "b": Map({})}), '{:a 1 "b" {}}', '{:a 1 "b" {}}'),
        (Set.of(1, 2), "#{1 2}", "#{1 2}"),
        (lambda: None, "#<function>", "#<function>"),
        (ErrorValue(errors.DivisionByZero()), "#<error: Division by zero>", "#<error: Division by zero>"),
        (Ticket("t-1"), '#ticket("t-1")', '#ticket("t-1")'),
    ],
)
def test_text(value: Value, readable: str, shown: str) -> None:
    assert pr_str(value) == readable
    assert to_str(value) == shown


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_shown_floats_have_no_exponent_and_lose_nothing(number: float) -> None:
    text = to_str(number)
    assert "e" not in text
    assert float(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "[x : int]",
        "[x : [:vector :int] y]",
        "(quote x)",
        "(quasiquote (a (unquote b) (unquote-splicing c)))",
        "^{:a true :b 2} (fn [x] x)",
        '^:delegation :remote "gpt" f',
        '^:delegation :local-model "a\\"b" ^{:doc "d"} f',
        "^:delegation :local [f]",
        '^:delegation {:target "acme"} f',
        "(fn ^{:a true} [x] x)",
        "{name :name & rest}",
    ],
)
def test_forms_print_as_source(text: str) -> None:
    form = read(text).forms[0]
    assert pr_str(form) == text
    if type(form) is MetaForm:
        again = read(pr_str(form)).forms[0]
        assert (again.entries, again.hint, again.form) == (form.entries, form.hint, form.form)


# ---------------------------------------------------------------- read ∘ print

_NAMES = st.text(st.sampled_from("abzABZ019_$+-*/=<>!?%.@#éλ&:"), min_size=1, max_size=8)
_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.text(st.sampled_from('"\\\n\t\r\0;#|{}\ud800')),
    _NAMES.filter(is_keyword).map(K),
    # a list that begins with `.m` is read as a call of m
    _NAMES.filter(lambda name: is_symbol(name) and name[0] != ".").map(S),
    st.uuids().map(lambda uuid: Uuid(str(uuid))),
    st.just(Timestamp("2025-01-31T10:20:30_123Z")),
    st.just(ResourceHandle("resource://host/p?q=1")),
)
_KEYS = st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), _NAMES.filter(is_keyword).map(K))


def _collections(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    lists = st.lists(values, max_size=6)
    return st.one_of(
        lists.map(Vector), lists.map(List), lists.map(Set), st.dictionaries(_KEYS, values, max_size=6).map(Map)
    )


values = st.recursive(_ATOMS, _collections, max_leaves=30)


@given(values)
def test_reading_what_was_printed(value: Value) -> None:
    assert equal(read(pr_str(value)).forms[0], value)


@given(values, st.integers(1, 120))
def test_pretty_text_reads_the_same(value: Value, width: int) -> None:
    assert equal(read(pretty(value, width)).forms[0], value)


# ---------------------------------------------------------------- pretty


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("[1 2 3]", 7, ["[1 2 3]"]),
        ("[100 200 300 400]", 13, ["[100 200 300", " 400]"]),
        ("[[1 2 3 4] [5 6]]", 14, ["[[1 2 3 4]", " [5 6]]"]),
        ("{:a 1 :b {:c 22}}", 14, ["{:a 1", " :b {:c 22}}"]),
        ("#{[1] [2 3 4 5]}", 14, ["#{[1]", "  [2 3 4 5]}"]),
        ("[[[[1 2 3 4 5 6 7 8 9]]]]", 9, ["[[[[1 2 3 4 5 6 7 8 9]]]]"]),
    ],
)
def test_pretty(text: str, width: int, lines: list[str]) -> None:
    assert pretty(read(text).forms[0], width).split("\n") == lines


# ---------------------------------------------------------------- size and depth


def nested(depth: int) -> Value:
    value = Vector([])
    for _ in range(depth):
        value = Vector([value])
    return value


@pytest.mark.parametrize("show", [pr_str, to_str, pretty])
def test_deep_values_print(show: object) -> None:
    assert callable(show)
    assert len(show(nested(100_000))) == 200_002


@pytest.mark.parametrize("show", [pr_str, to_str, pretty])
def test_shared_parts_cannot_exceed_the_limit(show: object) -> None:
    assert callable(show)
    value = Vector([1])
    for _ in range(60):
        value = Vector([value, value])
    run = Run(host=PureHost(), context=RuntimeContext.pure(), limits=Limits(allocation_bytes=1 << 20))
    with running(run), pytest.raises(errors.BudgetExhausted) as caught:
        show(value)
    assert caught.value.dimension == "allocation"
