"""Globs: each against its meaning, many at once against one after the other."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.rules.globs import GlobSet, is_glob, matches

YES_NO = [
    ("ai-*", ["ai-", "ai-summarise", "ai-x/y.z"], ["ai", "AI-x", "x-ai-"]),
    ("*", ["", "a", "a/b\nc"], []),
    ("*-v?", ["a-v1", "-v2"], ["a-v", "a-v12"]),
    ("m/[a-c]x", ["m/ax", "m/cx"], ["m/dx", "m/x", "m/Ax"]),
    ("m/[!a-c]x", ["m/dx", "m/-x"], ["m/ax", "m/x"]),
    ("[]]", ["]"], ["[", "[]]"]),
    ("a[b", ["a[b"], ["ab"]),
    ("[*]", ["*"], ["a", "[*]"]),
    ("a*b*c", ["abc", "a-b-c", "abbc", "abcbc"], ["acb", "ab", "bc"]),
    ("ab*ba", ["abba", "ab-ba"], ["aba"]),
    ("exact", ["exact"], ["exactly", "Exact", "an exact"]),
    ("über*", ["überall", "über"], ["uberall"]),
]


@pytest.mark.parametrize(("glob", "yes", "no"), YES_NO)
def test_meaning(glob: str, yes: list[str], no: list[str]) -> None:
    globs = GlobSet([glob])
    assert [name for name in yes + no if matches(glob, name)] == yes
    assert [name for name in yes + no if globs.matches(name)] == yes


@pytest.mark.parametrize(
    ("text", "expected"), [("a", False), ("a*", True), ("a?", True), ("[a]", True), ("a]", False)]
)
def test_is_glob(text: str, expected: bool) -> None:
    assert is_glob(text) is expected


NAMES = st.text("ab[]!-/*", max_size=8)
GLOBS = st.lists(st.text("ab*?[]!-/", min_size=1, max_size=8), max_size=12)


@given(GLOBS, st.lists(NAMES, max_size=6))
@example(["a", "ab", "abc*", "ab*", "a*", "abd*"], ["abca", "abc", "ab", "abz", "a", ""])
@example(["*ab*", "?ab?", "*b", "*ab", "*"], ["ab", "xaby", "b", "cab"])
def test_many_are_each(globs: list[str], names: list[str]) -> None:
    many = GlobSet(globs)
    for name in names:
        expected = tuple(at for at, glob in enumerate(globs) if fnmatchcase(name, glob))
        assert many.positions(name) == expected
        assert many.positions(name) == expected  # out of the cache
        assert many.first(name) == (expected[0] if expected else None)


@given(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=8), NAMES)
def test_texts_only_inside(texts: list[str], name: str) -> None:
    """So many of them that places are looked up instead of texts."""
    globs = [f"*{text}*" for text in texts] + [f"*{number:03}-{number}*" for number in range(200)]
    expected = tuple(at for at, glob in enumerate(globs) if fnmatchcase(name, glob))
    assert GlobSet(globs).positions(name) == expected


def test_order_is_that_of_the_file() -> None:
    globs = GlobSet(["*-x", "a-x", "a*", "*", "a-?", "b", "a-*"])
    assert globs.positions("a-x") == (0, 1, 2, 3, 4, 6)


def test_no_globs_match_nothing() -> None:
    assert GlobSet([]).positions("a") == ()
    assert len(GlobSet(["a", "b*"])) == 2


def test_many_stars_take_no_exponential_time() -> None:
    stars, name = "*a" * 60 + "?[b]", "a" * 3000
    assert not matches(stars, name)
    assert not GlobSet([stars]).matches(name)
    assert not matches("*a" * 60 + "b", name)


def test_long_names_and_many_names_are_answered() -> None:
    globs = GlobSet(["a*", "*b"])
    assert globs.positions("a" * 10_000 + "b") == (0, 1)
    assert all(globs.positions(f"a{number}") == (0,) for number in range(9000))


def test_lone_surrogates_are_characters() -> None:
    assert GlobSet(["a?b", "a*"]).positions("a\ud800b") == (0, 1)
