"""The scan of any text, for the prompt, the highlighter and the formatter."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.reader.lexer import scan

_PIECES = st.sampled_from(
    ['"', "\\", "#|", "|#", "|", "#", "(", "]", "#{", ";", "\n", ":", "a", "~@", "^", "1", ".", "##"]
)


@given(st.one_of(st.text(), st.lists(_PIECES).map("".join)))
def test_the_pieces_are_the_text(text: str) -> None:
    lexemes = list(scan(text))
    assert "".join(lexeme.text for lexeme in lexemes) == text
    starts = [lexeme.start for lexeme in lexemes]
    assert starts == sorted(set(starts))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" \n,\t", "space"),
        ("; x", "comment"),
        ("#| x | # |#", "comment"),
        ('"a\\"b"', "string"),
        ('#"\\d"', "string"),
        ("-1.5", "number"),
        ("nil", "constant"),
        ("##Inf", "constant"),
        ("2025-01-31T10:20:30Z", "literal"),
        ("resource://a", "literal"),
        (":a/b", "keyword"),
        ("map", "symbol"),
        ("#(", "open"),
        ("#{", "open"),
        ("}", "close"),
        ("~@", "prefix"),
        ("#_", "prefix"),
        ("^", "prefix"),
        (":", "colon"),
        ("1/2", "error"),
        ("#foo", "error"),
        ("x:y", "error"),
        ('"open (', "unfinished"),
        ('#"open (', "unfinished"),
        ("#| open", "unfinished"),
        ("#!/bin/rtfs", "comment"),
        ("\ufeff", "space"),
    ],
)
def test_kind(text: str, kind: str) -> None:
    assert [(lexeme.kind, lexeme.text) for lexeme in scan(text)] == [(kind, text)]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("'x", ["prefix", "symbol"]),
        ("x ::int", ["symbol", "space", "colon", "keyword"]),
        ("x :[", ["symbol", "space", "colon", "open"]),
        ('a"b"', ["symbol", "string"]),
        ("a;b", ["symbol", "comment"]),
        ("(resource://a)", ["open", "literal", "close"]),
        ("1 #!x", ["number", "space", "error"]),
    ],
)
def test_boundaries(text: str, kinds: list[str]) -> None:
    assert [lexeme.kind for lexeme in scan(text)] == kinds


@pytest.mark.parametrize(
    "text",
    [
        '"\\' * 200000,
        "#|" * 200000,
        "a:" + "/" * 400000 + "\x00",
        "a" * 400000 + "\x00",
        "1" * 400000 + ".",
        "#" * 400000,
        "a:b" * 100000,
        ":" + "a:" * 200000,
        "1_" * 200000,
        "2025-" * 80000,
        "|#" * 200000,
    ],
    ids=lambda text: text[:4].replace("\0", "0"),
)
def test_time_is_linear(text: str) -> None:
    start = time.process_time()
    for _ in scan(text):
        pass
    assert time.process_time() - start < 5  # a quadratic pattern takes minutes
