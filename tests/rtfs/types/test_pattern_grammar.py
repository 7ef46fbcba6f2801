"""Patterns as grammars: a string is in the grammar exactly where the pattern matches it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfs.json_text import serialize
from rtfs.stdlib.regex import compiled
from rtfs.types.grammar import grammar
from rtfs.types.model import AndType, Predicate, Primitive
from rtfs.types.pattern_grammar import NotSimple, pattern_expression

pytest.importorskip("numpy")

from grammar_texts import GrammarTexts

atoms = st.sampled_from(r'a b - \. [ab] [^a] [a-c1] . \d \w \s \S " \\ \n ä ["\\]'.split())
counts = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "+?"])
pieces = st.recursive(
    st.builds(lambda atom, count: atom + count, atoms, counts),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.builds(lambda a, b, count: f"({a}|{b}){count}", inner, inner, counts),
        st.builds(lambda a, count: f"(?:{a}){count}", inner, counts),
    ),
    max_leaves=4,
)
patterns = st.tuples(st.sampled_from(["", "^"]), pieces, st.sampled_from(["", "$"])).map("".join)
strings = st.text('ab-.1c"\\ \nä\t', max_size=5)


@given(patterns, st.lists(strings, min_size=4, max_size=10))
@settings(max_examples=200, deadline=None)
def test_grammar_and_pattern_agree(pattern: str, some: list[str]) -> None:
    made = grammar(AndType((Primitive("string"), Predicate("matches-regex", (pattern,)))))
    if made.partly:
        return  # `{2}{2}` and the like
    texts = GrammarTexts(made.text)
    for text in some:
        assert texts.accepts(serialize(text)) is compiled(pattern).is_in(text), text


@pytest.mark.parametrize(
    "pattern",
    r"( a) [ a** \bx (?i)a (?P<n>a) a{3,2} a{1001} [[:alpha:]] \pL a^b a$b \ [b-a] *".split(),
)
def test_what_has_no_grammar_is_refused(pattern: str) -> None:
    with pytest.raises(NotSimple):
        pattern_expression(pattern, "char", lambda body: body)


def test_a_brace_that_counts_nothing_is_a_character() -> None:
    made = grammar(AndType((Primitive("string"), Predicate("matches-regex", ("^{a}$",)))))
    assert GrammarTexts(made.text).accepts('"{a}"')
