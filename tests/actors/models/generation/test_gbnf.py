from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.generation.automaton import DEAD, START, Automaton
from actors.models.generation.gbnf import GrammarError, read_grammar, utf8_paths


def accepts(grammar: str, text: str | bytes) -> bool:
    machine = Automaton(read_grammar(grammar))
    state = machine.read(START, text.encode() if isinstance(text, str) else text)
    return state != DEAD and machine.accepts(state)


@pytest.mark.parametrize(
    ("grammar", "whole", "others"),
    [
        ('root ::= "ab"', ["ab"], ["", "a", "abc", "b"]),
        ('root ::= ""', [""], ["a"]),
        ('root ::= "a" | "bc" |', ["a", "bc", ""], ["abc", "b"]),
        ('root ::= "a"*', ["", "a", "aaaa"], ["b", "ab"]),
        ('root ::= "a"+ "b"?', ["a", "aab"], ["", "b", "abb"]),
        ('root ::= "a"{2}', ["aa"], ["a", "aaa"]),
        ('root ::= "a"{2,}', ["aa", "aaaa"], ["a"]),
        ('root ::= "a"{ 1 , 3 } "b"', ["ab", "aaab"], ["b", "aaaab"]),
        ('root ::= ("a" | "b" "c"){0,2}', ["", "a", "abc", "bcbc"], ["b", "aaa"]),
        ("root ::= [a-c0]", ["a", "b", "c", "0"], ["d", "-", ""]),
        ("root ::= [a-]", ["a", "-"], ["b"]),
        (r"root ::= [\]\\\-\x41]", ["]", "\\", "-", "A"], ["x"]),
        ("root ::= [^a-z]", ["A", "é", "日", "🙂"], ["a", "z", ""]),
        ("root ::= [à-ü]+", ["é", "ëë"], ["e", "ß\xff"]),
        ("root ::= [日-本🙂]", ["日", "本", "🙂"], ["é", "🙃"]),
        ("root ::= .", ["a", "é", "🙂", "\n"], ["", "ab"]),
        (r'root ::= "\"\n\t\\é\u00e9\U0001F642"', ['"\n\t\\éé🙂'], []),
        ('root ::= a a\na ::= "x" # one\n\n# none\n', ["xx"], ["x"]),
        ('root ::= ( "a" |\n  "b"\n  # c\n  "c" )', ["a", "bc"], ["b"]),
        ('root ::=\n  "a" |\n  "b"', ["a", "b"], []),
        ('a-1 ::= "x"\nroot ::= a-1 *', ["", "xx"], []),
        ('root ::= "[" (root ("," root)*)? "]"', ["[]", "[[],[[]]]"], ["[", "[,]", "[[]"]),
        ('root ::= "a" root | "b"', ["b", "aaab"], ["a", "ba"]),
    ],
)
def test_what_a_grammar_accepts(grammar: str, whole: list[str], others: list[str]) -> None:
    assert [text for text in whole if not accepts(grammar, text)] == []
    assert [text for text in others if accepts(grammar, text)] == []


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("", "the grammar has no rule `root`"),
        ('roots ::= "a"', "the grammar has no rule `root`"),
        ("root ::= item", "the grammar calls a rule `item` that it does not have"),
        ('root = "a"', "line 1 of the grammar: expected `::=`"),
        ('a ::= "a"\n"b"', "line 2 of the grammar: expected the name of a rule"),
        ('root ::= "a', "line 1 of the grammar: the text ends too early"),
        ("root ::= [a", "line 1 of the grammar: the text ends too early"),
        ('root ::= ("a"', "line 1 of the grammar: expected `)`"),
        ('root ::= "a")', "line 1 of the grammar: expected the end of the line"),
        ("root ::= [z-a]", "line 1 of the grammar: the range from `z` to `a` is empty"),
        (r'root ::= "\q"', "line 1 of the grammar: unknown escape `\\q`"),
        (r'root ::= "\xZZ"', "line 1 of the grammar: `\\xZZ` is no character"),
        ('root ::= "a"{3,2}', "line 1 of the grammar: cannot repeat something `{3,2}` times"),
        ('root ::= "a"{99999}', "line 1 of the grammar: cannot repeat something `{99999}` times"),
        ('root ::= "a"\nroot ::= "b"', "line 2 of the grammar: a second rule `root`"),
        ("root ::= <[42]>", "line 1 of the grammar: expected an item, got `<`"),
        ('root ::= (("a"{9999}){9999}){9999}', None),
        ('root ::= ' + "[a-z]{20000} " * 11, "the grammar is too large, it has more than 200000 nodes"),
    ],
)  # fmt: skip
def test_what_is_no_grammar(grammar: str, message: str | None) -> None:
    if message is None:  # repetitions within repetitions are calls, and stay small
        read_grammar(grammar)
        return
    with pytest.raises(GrammarError) as caught:
        read_grammar(grammar)
    assert str(caught.value) == message


@pytest.mark.parametrize("grammar", ['root ::= root "a" | "b"', 'root ::= x root "c" | "b"\nx ::= "a"?'])
def test_a_rule_that_calls_itself_first_is_refused(grammar: str) -> None:
    with pytest.raises(GrammarError, match="calls itself before it has read anything"):
        Automaton(read_grammar(grammar))


_codes = st.one_of(
    st.integers(0, 0x10FFFF), st.sampled_from([0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000])
)


@given(_codes, _codes, st.lists(_codes, max_size=30))
def test_ranges_of_characters_are_ranges_of_bytes(one: int, other: int, codes: list[int]) -> None:
    low, high = min(one, other), max(one, other)
    paths = utf8_paths(low, high)
    for code in (low, high, low - 1, high + 1, *codes):
        if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            continue
        data = chr(code).encode()
        matches = [
            path
            for path in paths
            if len(path) == len(data) and all(a <= byte <= b for (a, b), byte in zip(path, data, strict=True))
        ]
        assert len(matches) == (low <= code <= high)


def test_a_list_by_recursion_at_the_end_needs_no_memory() -> None:
    for grammar in ('root ::= "a" root | "b"', "root ::= [a-b] rest\nrest ::= [a-b] rest |"):
        machine = Automaton(read_grammar(grammar))
        machine.read(START, b"a" * 1000)
        assert machine.size < 8


def test_depth_is_remembered() -> None:
    grammar = 'root ::= "(" root ")" | "x"'
    assert accepts(grammar, "(" * 300 + "x" + ")" * 300)
    assert not accepts(grammar, "(" * 300 + "x" + ")" * 299)
