"""The canonical layout: cases, and that it is stable and keeps the meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.errors import ReadError
from rtfs.fmt import format_source
from rtfs.printer import pr_str
from rtfs.reader import read
from rtfs.reader.lexer import scan

_LONG = "argument-with-a-long-name"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("  \n ", []),
        ("1", ["1"]),
        ("( f   1,2 )", ["(f 1 2)"]),
        ("(a)(b)", ["(a)", "(b)"]),
        ("(a)\n\n\n\n(b)", ["(a)", "", "(b)"]),
        ("(defn f [x]\n(g x)\n\n\n   (h x))", ["(defn f [x]", "  (g x)", "", "  (h x))"]),
        ('(defn f\n"doc"\n[x] (g\nx))', ["(defn f", '  "doc"', "  [x]", "  (g", "    x))"]),
        ("(defn f [x : int] : int\nx)", ["(defn f [x : int] : int", "  x)"]),
        ("(defn f ([a] 1)\n([a b] 2))", ["(defn f", "  ([a] 1)", "  ([a b] 2))"]),
        ("(let [a 1\nb 2] a\nb)", ["(let [a 1", "      b 2]", "  a", "  b)"]),
        ("(let [a : int 1\nb 2] a)", ["(let [a : int 1", "      b 2]", "  a)"]),
        ("(let\n[a 1]\na)", ["(let [a 1]", "  a)"]),
        ("(f a\nb)", ["(f a", "   b)"]),
        ("(f\na b\nc)", ["(f", "  a b", "  c)"]),
        ("{:a 1\n:b 2, :c 3}", ["{:a 1", " :b 2 :c 3}"]),
        ("{:a 1 :b 2\n:c 3}", ["{:a 1 :b 2", " :c 3}"]),
        ("[1 2\n3 4]", ["[1 2", " 3 4]"]),
        ("(cond a 1\nb 2)", ["(cond", "  a 1", "  b 2)"]),
        ("(match x [:ok n] when (> n 3) n\n_ 0)", ["(match x", "  [:ok n] when (> n 3) n", "  _ 0)"]),
        ("(def x (let [a 1]\na))", ["(def x (let [a 1]", "         a))"]),
        ("(f 1 ; one\n2)", ["(f 1 ; one", "   2)"]),
        ("(f 1\n; own\n2 ; last\n)", ["(f 1", "   ; own", "   2 ; last", " )"]),
        ("; a\n\n; b\nx ; c", ["; a", "", "; b", "x ; c"]),
        ("#!/usr/bin/env rtfs\nx", ["#!/usr/bin/env rtfs", "x"]),
        ("#| a\nb |# x", ["#| a", "b |#", "x"]),
        ("[1 #_ 2 3]", ["[1 #_2 3]"]),
        ("' x `( ~ a ~@ b) ~ @c", ["'x", "`(~a ~@b)", "~ @c"]),
        ("' ; why\n x", ["; why", "'x"]),
        ("^:a   ^{:b 1} x", ["^:a ^{:b 1} x"]),
        ("^:a\n(f)", ["^:a", "(f)"]),
        ('^:delegation   :remote "r"  (f)', ['^:delegation :remote "r" (f)']),
        ("^:delegation {:target \"r\"} (f)", ['^:delegation {:target "r"} (f)']),
        ('(f "a\nb" c)', ['(f "a', 'b" c)']),
        ("1.50 007 +5", ["1.50", "007", "+5"]),
        (
            f"(function-name {_LONG} ({_LONG} 1) ({_LONG} 2) ({_LONG} 3))",
            [
                f"(function-name {_LONG}",
                f"               ({_LONG} 1)",
                f"               ({_LONG} 2)",
                f"               ({_LONG} 3))",
            ],
        ),
        (
            f"(when condition (first-{_LONG} 1) (second-{_LONG} 2) (third-{_LONG} 3))",
            ["(when condition", f"  (first-{_LONG} 1)", f"  (second-{_LONG} 2)", f"  (third-{_LONG} 3))"],
        ),
    ],
)  # fmt: skip
def test_layout(text: str, lines: list[str]) -> None:
    formatted = format_source(text)
    assert formatted == "".join(f"{line}\n" for line in lines)
    assert format_source(formatted) == formatted


def test_text_that_is_not_rtfs_is_refused() -> None:
    with pytest.raises(ReadError, match="never closed"):
        format_source("(a")


def test_too_deep_to_lay_out_is_refused() -> None:
    with pytest.raises(ReadError, match="too deep to lay out"):
        format_source("[" * 1000 + "]" * 1000)


_HEADS = (
    "f let defn fn if cond case match do def -> for try catch map loop some-quite-long-function-name".split()
)
_ATOMS = [
    *_HEADS,
    "x",
    ":k",
    "42",
    "1.50",
    '"s"',
    '"two\nlines"',
    "nil",
    "2025-01-31T10:20:30Z",
    "when",
    "a" * 45,
]
_GAPS = st.sampled_from(
    [" ", " ", " ", "\n", "\n\n\n", ", ", " ; note\n", "\n; own line\n", " #| block |# ", "\n  "]
)
_PREFIXES = st.sampled_from(
    ["'", "`", "~", "~@", "#_ 1 ", "^:a ", "^{:a 1}\n", '^:delegation :remote "r" ', "' ; c\n"]
)


def _collection(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    spaced = st.lists(st.tuples(items, _GAPS), max_size=6)
    body = spaced.map(lambda parts: "".join(item + gap for item, gap in parts))
    pairs = st.lists(st.tuples(st.integers(0, 9), _GAPS, items, _GAPS), max_size=4)
    entries = pairs.map(lambda parts: "".join(f"{k}{g}{v}{h}" for k, g, v, h in parts))
    return st.one_of(
        st.tuples(st.sampled_from(_HEADS), _GAPS, body).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        body.map(lambda text: f"({text})"),
        body.map(lambda text: f"[{text}]"),
        body.map(lambda text: f"#{{{text}}}"),
        entries.map(lambda text: f"{{{text}}}"),
        st.tuples(st.sampled_from("'`~"), items).map("".join),
        st.tuples(_PREFIXES, items).map("".join),
    )


_SOURCES = st.lists(
    st.tuples(st.recursive(st.sampled_from(_ATOMS), _collection, max_leaves=25), _GAPS).map("".join), max_size=4
).map("".join)


def _readable(text: str) -> bool:
    try:
        read(text)
    except ReadError:
        return False
    return True


def _comments(text: str) -> list[str]:
    return sorted(piece.rstrip() for kind, piece, _ in scan(text) if kind == "comment")


@given(_SOURCES.filter(_readable))
def test_formatting_is_stable_and_keeps_forms_and_comments(text: str) -> None:
    formatted = format_source(text)
    assert [pr_str(form) for form in read(formatted).forms] == [pr_str(form) for form in read(text).forms]
    assert _comments(formatted) == _comments(text)
    assert format_source(formatted) == formatted
