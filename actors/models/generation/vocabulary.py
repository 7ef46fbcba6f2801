"""Which tokens may come next: those whose bytes a grammar allows in the state that it is in.

The tokens' texts form a tree. Its nodes are kept level by level, so a whole level takes its step through the
automaton at once, and all tokens of a vocabulary are judged in some ten such steps; what was found for a
state is kept. 32 000 tokens take about half a millisecond, once for each state.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.models.generation.automaton import DEAD, START, Automaton
from actors.models.generation.gbnf import read_grammar

#: bytes of lists of tokens that are kept
_KEPT_BYTES: Final = 64 << 20
_KEPT_GRAMMARS: Final = 64
#: states after which a grammar begins anew; of a type with depth there is no end of them
_MOST_STATES: Final = 20_000
#: where more than this share of the tokens is allowed, a row over all of them is faster than a list of some
_DENSE: Final = 1 / 8


@dataclass(frozen=True, slots=True)
class Allowed:
    """The tokens that may come next: one of the two."""

    #: int32, in order, shape (n,)
    tokens: NDArray[np.int32] | None
    #: what is added to the logits: 0, or minus infinity; float32, shape (tokens of the vocabulary,)
    bias: NDArray[np.float32] | None
    count: int

    @property
    def nbytes(self) -> int:
        """What it takes."""
        return sum(each.nbytes for each in (self.tokens, self.bias) if each is not None)


@dataclass(frozen=True, slots=True)
class _Level:
    """The nodes of a tree at one depth."""

    #: of each node, its place in the level above; int32
    parents: NDArray[np.int32]
    #: of each node, the last byte of its text; uint8
    bytes: NDArray[np.uint8]


class Vocabulary:
    """The tokens of a model.

    Args:
        texts: of the tokens by number; an empty one cannot be part of an answer.
        ends: the tokens that end an answer.
    """

    def __init__(self, texts: Sequence[bytes], ends: frozenset[int]) -> None:
        self.texts = tuple(texts)
        self.ends = ends
        #: where whoever has the turn calculates with logits, float32, shape (2, tokens)
        self.room = np.empty((2, len(self.texts)), np.float32)
        self._end_tokens = np.array(sorted(ends), np.int32)
        self._levels, self._node_of, self._tokens = _tree(self.texts, ends)
        self._grammars: OrderedDict[str, Constraint] = OrderedDict()
        self._kept: OrderedDict[tuple[int, int], Allowed] = OrderedDict()
        self._kept_bytes = 0
        self._number = 0

    def constraint(self, grammar: str) -> Constraint:
        """The constraint that a grammar is.

        Raises:
            GrammarError: it cannot be used.
        """
        found = self._grammars.get(grammar)
        if found is None or found.automaton.size > _MOST_STATES:
            self._number += 1
            found = Constraint(self, self._number, Automaton(read_grammar(grammar)))
            self._grammars[grammar] = found
            if len(self._grammars) > _KEPT_GRAMMARS:
                self._grammars.popitem(last=False)
        self._grammars.move_to_end(grammar)
        return found

    def allowed(self, constraint: Constraint, state: int) -> Allowed:
        """The tokens that may come next. What was found is kept, the latest up to a bound."""
        key = constraint.number, state
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._find(constraint, state)
            self._kept_bytes += found.nbytes
            while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
                self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        else:
            self._kept.move_to_end(key)
        return found

    def _find(self, constraint: Constraint, state: int) -> Allowed:
        automaton = constraint.automaton
        states = np.array([state], np.int32)
        found = [states]
        for level, kinds in zip(self._levels, constraint.kinds, strict=True):
            states = automaton.steps(states[level.parents], kinds)
            found.append(states)
        tokens = self._tokens[np.concatenate(found)[self._node_of] != DEAD]
        if automaton.accepts(state):
            tokens = np.concatenate([tokens, self._end_tokens])
        if len(tokens) <= len(self.texts) * _DENSE:
            return Allowed(np.sort(tokens), None, len(tokens))
        bias = np.full(len(self.texts), -np.inf, np.float32)
        bias[tokens] = 0.0
        return Allowed(None, bias, len(tokens))

    def kinds(self, automaton: Automaton) -> tuple[NDArray[np.uint8], ...]:
        """The classes of the nodes' bytes, for each level."""
        return tuple(automaton.class_of[level.bytes] for level in self._levels)


class Constraint:
    """A grammar over the tokens of a vocabulary. An answer is at one of its states, at first `START`."""

    start: Final = START

    def __init__(self, vocabulary: Vocabulary, number: int, automaton: Automaton) -> None:
        self.number = number
        self.automaton = automaton
        self.kinds = vocabulary.kinds(automaton)
        self._vocabulary = vocabulary

    def allowed(self, state: int) -> Allowed:
        """The tokens that may come next."""
        return self._vocabulary.allowed(self, state)

    def after(self, state: int, token: int) -> int:
        """The state after a token that is allowed."""
        return self.automaton.read(state, self._vocabulary.texts[token])

    def is_over(self, state: int) -> bool:
        """Whether the answer is whole and nothing can follow."""
        return self.automaton.ends(state) and self.automaton.accepts(state)


def _tree(
    texts: Sequence[bytes], ends: frozenset[int]
) -> tuple[tuple[_Level, ...], NDArray[np.int64], NDArray[np.int32]]:
    """The tree of the texts: its levels below the root, and the place of each token that has a text, and that
    token.

    Places count through all levels, and the root is place 0.
    """
    tokens = np.array([at for at, text in enumerate(texts) if text and at not in ends], np.int32)
    lengths = np.array([len(texts[token]) for token in tokens], np.int64)
    starts = np.cumsum(lengths) - lengths
    flat = np.frombuffer(b"".join(texts[token] for token in tokens), np.uint8)
    #: of each token, the place of its beginning in the current level
    place = np.zeros(len(tokens), np.int64)
    node_of = np.zeros(len(tokens), np.int64)
    levels: list[_Level] = []
    first = 1
    for depth in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > depth)
        keys = place[longer] * 256 + flat[starts[longer] + depth]
        nodes, inverse = np.unique(keys, return_inverse=True)
        place[longer] = inverse
        node_of[longer] = first + inverse
        levels.append(_Level((nodes // 256).astype(np.int32), (nodes % 256).astype(np.uint8)))
        first += len(nodes)
    return tuple(levels), node_of, tokens
