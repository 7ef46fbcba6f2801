from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.file.covering import Covering, Work, covers, literal_start, rule_covers
from policies.file.schema import Rule
from policies.rules.globs import matches

COVERED = [
    ("*", "a", True),
    ("*", "*", True),
    ("*", "", True),
    ("a*", "ab*", True),
    ("a*", "a", True),
    ("ab*", "a*", False),
    ("*a*", "xay", True),
    ("*a*", "*b*", False),
    ("*a*b*", "*a*c*b*", True),
    ("a?c", "abc", True),
    ("a?c", "a*c", False),
    ("a*c", "a?c", True),
    ("?*", "?", True),
    ("?", "", False),
    ("[ab]x", "ax", True),
    ("[ab]x", "cx", False),
    ("[!ab]x", "cx", True),
    ("[ab]x", "[ab]x", True),
    ("?x", "[ab]x", True),
    ("[ab]x", "?x", False),
    ("**", "*", True),
    ("*", "**", True),
    ("a", "b", False),
    ("[", "[", True),
    ("a[", "a[b", False),
    ("*-*", "ai-*", True),
]


@pytest.mark.parametrize(("wide", "narrow", "answer"), COVERED)
def test_globs(wide: str, narrow: str, answer: bool) -> None:
    assert covers(wide, narrow, Work()) is answer


NAMES = ["".join(chars) for length in range(5) for chars in product("ab[", repeat=length)]
GLOBS = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "[", "]"]), max_size=5).map("".join)


@settings(max_examples=400)
@given(GLOBS, GLOBS)
def test_what_is_covered_is(wide: str, narrow: str) -> None:
    if covers(wide, narrow, Work()):
        assert [name for name in NAMES if matches(narrow, name) and not matches(wide, name)] == []


@given(st.lists(GLOBS, max_size=6), GLOBS)
def test_the_index_finds_what_a_search_finds(globs: list[str], narrow: str) -> None:
    index: Covering[int] = Covering()
    for place, glob in enumerate(globs):
        index.add(glob, place)
    found = index.first(narrow, Work())
    assert (found is not None) is any(covers(glob, narrow, Work()) for glob in globs)
    assert found is None or (covers(found[0], narrow, Work()) and globs[found[1]] == found[0])


def test_work_is_bounded() -> None:
    work = Work(100)
    assert not covers("*a" * 100, "*a" * 150, work)
    assert work.is_used_up
    assert not covers("a*", "ab", work)


@pytest.mark.parametrize(
    ("glob", "start"), [("", ""), ("abc", "abc"), ("ab*c", "ab"), ("[a]b", ""), ("a[b", "a[b")]
)
def test_literal_start(glob: str, start: str) -> None:
    assert literal_start(glob) == start


RULES = [
    (Rule(), Rule(), True),
    (Rule(), Rule(symbols=("a",), tenants=("t",), when={"hour": 1}, max_size=3), True),
    (Rule(symbols=("a*",)), Rule(), False),
    (Rule(symbols=("a*", "b*")), Rule(symbols=("ax", "bx")), True),
    (Rule(symbols=("a*",)), Rule(symbols=("ax", "bx")), False),
    (Rule(namespaces=("a*",)), Rule(namespaces=("ab",)), True),
    (Rule(namespaces=("a*",)), Rule(symbols=("ab",)), False),
    (Rule(tenants=("a",)), Rule(tenants=("b",)), False),
    (Rule(capabilities=("crm.*",)), Rule(capabilities=("crm.read",)), True),
    (Rule(permissions=frozenset("a")), Rule(permissions=frozenset("ab")), True),
    (Rule(permissions=frozenset("ab")), Rule(permissions=frozenset("a")), False),
    (Rule(privacy=frozenset("ab")), Rule(privacy=frozenset("a")), True),
    (Rule(privacy=frozenset("a")), Rule(privacy=frozenset("ab")), False),
    (Rule(privacy=frozenset("a")), Rule(), False),
    (Rule(arg_types=("string",)), Rule(arg_types=("string",)), True),
    (Rule(arg_types=("string",)), Rule(), False),
    (Rule(min_size=3), Rule(min_size=4), True),
    (Rule(min_size=3), Rule(min_size=2), False),
    (Rule(min_size=3), Rule(max_size=5), False),
    (Rule(min_size=0), Rule(), True),
    (Rule(max_size=3), Rule(max_size=3), True),
    (Rule(max_size=3), Rule(max_size=4), False),
    (Rule(max_size=3), Rule(), False),
    (Rule(when={"hour": (1, 2)}), Rule(when={"hour": 1, "x": "y"}), True),
    (Rule(when={"hour": 1}), Rule(when={"hour": (1, 2)}), False),
    (Rule(when={"hour": 1}), Rule(), False),
    (Rule(when={"on": 1}), Rule(when={"on": True}), False),
]


@pytest.mark.parametrize(("wide", "narrow", "answer"), RULES)
def test_rules(wide: Rule, narrow: Rule, answer: bool) -> None:
    assert rule_covers(wide, narrow, Work()) is answer
