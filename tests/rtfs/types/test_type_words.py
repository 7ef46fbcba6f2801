"""Types in plain English."""

from __future__ import annotations

import pytest

from rtfs.types.parser import parse_type_text
from rtfs.types.type_words import type_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("int", "a whole number"),
        ("[:and int [:in-range 1 6]]", "a whole number from 1 to 6"),
        ("[:and float [:> 0] [:<= 1]]", "a number above 0 and at most 1"),
        ("[:and string [:max-length 280]]", "a text of at most 280 characters"),
        ("[:and string [:length 2]]", "a text of exactly 2 characters"),
        ('[:and string [:matches-regex "^a"]]', "a text matching the regular expression `^a`"),
        ("[:enum :glad :cross]", 'one of ":glad", ":cross"'),
        ("[:val nil]", "exactly null"),
        ("string?", "a text, or null"),
        ("[:union int bool]", "a whole number, or true or false"),
        ("[:vector int]", "a list, each a whole number"),
        ("[:and [:vector int] [:min-count 1] [:max-count 3]]", "a list of 1 to 3 items, each a whole number"),
        ("[:set string]", "a list of which no two are the same, each a text"),
        ("[:tuple int string]", "a list of exactly 2: 1. a whole number; 2. a text"),
        ("[:array float [2]]", "a list of exactly 2 items, each a number"),
        ("[:map]", "an object without keys"),
        ("[:map [:a int]]", "an object with the key `a`: a whole number"),
        (
            "[:map [:a int] [:b nil ?]]",
            "an object with the keys `a`: a whole number; `b` (may be left out): null",
        ),
        (
            "[:map-of keyword nil]",
            "an object whose keys are each a name without colon, and each value null",
        ),
        ("[:and int [:even?]]", "a whole number with `even?` true of it"),
    ],
)
def test_words(text: str, words: str) -> None:
    assert type_words(parse_type_text(text)) == words


def test_names_are_told_once() -> None:
    aliases = {"Tree": parse_type_text("[:union int [:vector Tree]]")}
    assert type_words(parse_type_text("[:vector Tree]"), aliases) == (
        "a list, each a `Tree`\n`Tree` is a whole number, or a list, each a `Tree`"
    )


def test_what_nests_deep_is_told_as_it_is_written() -> None:
    text = "[:vector " * 8 + "int" + "]" * 8
    assert type_words(parse_type_text(text)).endswith("`[:vector [:vector int]]`")
