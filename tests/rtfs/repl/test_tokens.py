from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.repl.tokens import indentation, styled, word_before

TEXTS = st.text(alphabet="()[]{}#\"\\;:'`~@^|abc 12.\n-xé\0")


@given(TEXTS)
def test_no_character_is_lost(text: str) -> None:
    assert "".join(piece for _, piece in styled(text)) == text


@given(TEXTS)
def test_any_text_has_an_indentation_within_itself(text: str) -> None:
    assert 0 <= indentation(text) <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "styles"),
    [
        ("(defn f)", ["open", "special", "space", "symbol", "close"]),
        (":k 1 -2.5", ["keyword", "space", "number", "space", "number"]),
        ('"a b" ; c', ["string", "space", "comment"]),
        ("nil true x", ["constant", "space", "constant", "space", "symbol"]),
        ("@let", ["prefix", "context"]),
        ('(str "abc', ["open", "symbol", "space", "unfinished"]),
        ("2025-01-31T10:20:30Z", ["literal"]),
    ],
)
def test_styles(text: str, styles: list[str]) -> None:
    assert [style for style, _ in styled(text)] == styles


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 0),
        ("(f x)", 0),
        ("(defn f [x]", 2),
        ("(let [a 1", 6),
        ("  {:a", 3),
        ("(a\n  (b", 4),
        ("#{1", 2),
        ("#(+ 1", 2),
        ("(a ; (((", 2),
        ('(a "(((" b', 2),
        (")))", 0),
        ('(str "a', 0),
    ],
)
def test_a_new_line_starts_inside_the_innermost_open_bracket(text: str, column: int) -> None:
    assert indentation(text) == column


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("(map inc", "inc"),
        ("(", ""),
        ("(ma", "ma"),
        (":ti", ":ti"),
        ("'fo", "fo"),
        ("a ", ""),
        ("(kv/as", "kv/as"),
    ],
)
def test_word_before(text: str, word: str) -> None:
    assert word_before(text) == word
