from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.models.generation.automaton import DEAD
from actors.models.generation.runtime import llama
from actors.models.generation.session import Session, SessionSettings
from actors.models.generation.vocabulary import Allowed, Constraint, Vocabulary

JSON = r"""
root ::= value
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (pair ("," pair)*)? "}"
pair ::= string ":" value
array ::= "[" (value ("," value)*)? "]"
string ::= "\"" ([^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\""
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?
"""
LABELS = 'root ::= "\\":spam\\"" | "\\":ham\\"" | "\\":spa\\""'
SHORT = 'root ::= "\\"" [a-zé日]{1,5} "\\""'


@pytest.fixture(scope="module")
def session(tiny_path: Path) -> Iterator[Session]:
    found = Session(SessionSettings(path=str(tiny_path), n_ctx=256, parallel=1, n_threads=1, gpu_layers=0))
    yield found
    found.close()


@pytest.fixture(scope="module")
def vocabulary(session: Session) -> Vocabulary:
    return Vocabulary(session.texts(), session.ends)


def tokens_of(allowed: Allowed) -> set[int]:
    if allowed.tokens is not None:
        return set(allowed.tokens.tolist())
    assert allowed.bias is not None
    return set(np.flatnonzero(allowed.bias == 0).tolist())


def by_llama(session: Session, grammar: str, said: list[int]) -> set[int]:
    """What llama.cpp's own grammar allows after these tokens."""
    lib = llama()
    sampler = lib.llama_sampler_init_grammar(session._vocab, grammar.encode(), b"root")
    assert sampler
    try:
        for token in said:
            lib.llama_sampler_accept(sampler, token)
        rows: Any = (lib.llama_token_data * session.n_vocab)(
            *(lib.llama_token_data(token, 1.0, 0.0) for token in range(session.n_vocab))
        )
        array = lib.llama_token_data_array(rows, session.n_vocab, -1, False)
        lib.llama_sampler_apply(sampler, ctypes.byref(array))
        return {rows[at].id for at in range(session.n_vocab) if rows[at].logit > -np.inf}
    finally:
        lib.llama_sampler_free(sampler)


def walk(constraint: Constraint, choices: list[int], ends: frozenset[int]) -> Iterator[tuple[list[int], int]]:
    """States on a way through a grammar, with the tokens said to get there."""
    said: list[int] = []
    state = constraint.start
    yield said, state
    for choice in choices:
        allowed = sorted(tokens_of(constraint.allowed(state)) - ends)
        if not allowed:
            return
        said.append(allowed[choice % len(allowed)])
        state = constraint.after(state, said[-1])
        yield said, state


@settings(max_examples=25)
@given(grammar=st.sampled_from([JSON, LABELS, SHORT]), choices=st.lists(st.integers(0, 10_000), max_size=12))
def test_allows_what_llama_allows(
    session: Session, vocabulary: Vocabulary, grammar: str, choices: list[int]
) -> None:
    constraint = vocabulary.constraint(grammar)
    for said, state in walk(constraint, choices, vocabulary.ends):
        ours, theirs = tokens_of(constraint.allowed(state)), by_llama(session, grammar, said)
        # llama.cpp lets bytes pass that are no UTF-8, and takes `<s>` for a text
        odd = {token for token in theirs - ours if _is_odd(vocabulary.texts[token])}
        assert theirs - odd == ours


def _is_odd(text: bytes) -> bool:
    try:
        return not text.decode()
    except UnicodeDecodeError:
        return True


@settings(max_examples=25)
@given(grammar=st.sampled_from([JSON, LABELS, SHORT]), choices=st.lists(st.integers(0, 10_000), max_size=12))
def test_allows_just_the_tokens_whose_bytes_go_on(
    vocabulary: Vocabulary, grammar: str, choices: list[int]
) -> None:
    constraint = vocabulary.constraint(grammar)
    machine = constraint.automaton
    for _, state in walk(constraint, choices, vocabulary.ends):
        expected = {
            token
            for token, text in enumerate(vocabulary.texts)
            if text and token not in vocabulary.ends and machine.read(state, text) != DEAD
        }
        if machine.accepts(state):
            expected |= vocabulary.ends
        allowed = constraint.allowed(state)
        assert tokens_of(allowed) == expected
        assert allowed.count == len(expected)


def test_tokens_without_a_text_are_never_allowed(vocabulary: Vocabulary) -> None:
    assert vocabulary.texts[3] == b""  # <|im_start|>
    allowed = vocabulary.constraint('root ::= [^"]*').allowed(Constraint.start)
    assert 3 not in tokens_of(allowed)
    assert vocabulary.ends <= tokens_of(allowed)


def test_the_same_grammar_is_read_once(vocabulary: Vocabulary) -> None:
    one = vocabulary.constraint(LABELS)
    assert vocabulary.constraint(LABELS) is one
    assert one.allowed(one.start) is one.allowed(one.start)


def test_what_is_kept_is_bounded(vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.models.generation.vocabulary._KEPT_BYTES", 10_000)
    monkeypatch.setattr("actors.models.generation.vocabulary._KEPT_GRAMMARS", 3)
    small = Vocabulary(vocabulary.texts, vocabulary.ends)
    for number in range(20):
        constraint = small.constraint(f'root ::= "{number}" [^"]*')
        state = constraint.automaton.read(constraint.start, str(number).encode())
        constraint.allowed(constraint.start)
        constraint.allowed(state)
    assert len(small._grammars) == 3
    assert small._kept_bytes == sum(each.nbytes for each in small._kept.values()) <= 10_000


def test_an_automaton_that_has_grown_too_large_is_made_anew(
    vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.models.generation.vocabulary._MOST_STATES", 50)
    grammar = 'root ::= "(" root ")" | "x"'
    one = vocabulary.constraint(grammar)
    one.automaton.read(one.start, b"(" * 100)
    other = vocabulary.constraint(grammar)
    assert other is not one
    assert other.automaton.size < 50


def test_a_vocabulary_without_texts() -> None:
    empty = Vocabulary([b"", b""], frozenset({1}))
    assert tokens_of(empty.constraint('root ::= "a"?').allowed(Constraint.start)) == {1}
    assert empty.constraint('root ::= "a"').allowed(Constraint.start).count == 0
