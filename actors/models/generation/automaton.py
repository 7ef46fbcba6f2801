"""What a grammar allows next, byte by byte: a machine whose states are made when they are first reached.

A state is a set of places, each a node of the grammar with the nodes to return to on a stack. Stacks and
states are numbered, equal ones alike, so a step that was made once is afterwards one look into a table of
(state, class of bytes) → state. Bytes that no rule tells apart are of one class; a grammar has some 20
classes.

A call whose return has nothing left to do leaves no trace on the stack, so that lists written by recursion at
their end come back to the same state.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.models.generation.gbnf import Grammar, GrammarError

#: the state in which nothing is allowed
DEAD: Final = 0
#: the state at the beginning
START: Final = 1
#: places that may be reached without a byte; only a rule that calls itself first has more
_MAX_PLACES: Final = 20_000
_UNKNOWN: Final = -1

type Place = tuple[int, int]


class Automaton:
    """The machine of one grammar. Not safe to use from several threads.

    Raises:
        GrammarError: a rule calls itself before it has read anything.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._is_end = frozenset(last for _, last in grammar.rules.values())
        self._tails = _tails(grammar, self._is_end)
        #: stack → (node to return to, stack below); 0: the empty one
        self._stacks: list[Place] = [(-1, -1)]
        self._stack_numbers: dict[Place, int] = {}
        self._reached: dict[Place, tuple[frozenset[Place], bool]] = {}
        #: byte → class, shape (256,); class → one of its bytes
        self.class_of, self._example_of = _classes(grammar)
        self._states: list[frozenset[Place]] = [frozenset()]
        self._accepts: list[bool] = [False]
        self._state_numbers: dict[tuple[frozenset[Place], bool], int] = {(frozenset(), False): DEAD}
        #: int32, shape (room for states, classes); `_UNKNOWN` where nobody has looked
        self.table: NDArray[np.int32] = np.full((16, len(self._example_of)), _UNKNOWN, np.int32)
        self.table[DEAD] = DEAD
        self._number(*self._closure((grammar.rules["root"][0], 0)))

    @property
    def size(self) -> int:
        """States so far."""
        return len(self._states)

    def accepts(self, state: int) -> bool:
        """Whether what was read to get there is a whole text of the grammar."""
        return self._accepts[state]

    def ends(self, state: int) -> bool:
        """Whether nothing can follow."""
        return not self._states[state]

    def step(self, state: int, byte: int) -> int:
        """The state after a further byte."""
        kind = self.class_of[byte]
        found = int(self.table[state, kind])
        return found if found != _UNKNOWN else self._make_step(state, int(kind))

    def read(self, state: int, text: bytes) -> int:
        """The state after a text."""
        for byte in text:
            state = self.step(state, byte)
            if state == DEAD:
                break
        return state

    def steps(self, states: NDArray[np.int32], kinds: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The states after a further byte each, by the bytes' classes. Shapes (n,)."""
        found = self.table[states, kinds]
        unknown = found == _UNKNOWN
        if unknown.any():
            width = self.table.shape[1]
            missing = np.unique(states[unknown].astype(np.int64) * width + kinds[unknown])
            for pair in missing.tolist():
                self._make_step(pair // width, pair % width)
            found = self.table[states, kinds]
        return found

    def _make_step(self, state: int, kind: int) -> int:
        byte = self._example_of[kind]
        places: set[Place] = set()
        accepts = False
        for node, stack in self._states[state]:
            for low, high, to in self._grammar.nodes[node].bytes:
                if low <= byte <= high:
                    more, is_end = self._closure((to, stack))
                    places |= more
                    accepts |= is_end
        found = self._number(frozenset(places), accepts)
        self.table[state, kind] = found
        return found

    def _number(self, places: frozenset[Place], accepts: bool) -> int:
        known = self._state_numbers.get((places, accepts))
        if known is not None:
            return known
        number = len(self._states)
        self._state_numbers[places, accepts] = number
        self._states.append(places)
        self._accepts.append(accepts)
        if number >= len(self.table):
            more = np.full_like(self.table, _UNKNOWN)
            self.table = np.concatenate([self.table, more])
        return number

    # ------------------------------------------------------------ places

    def _closure(self, start: Place) -> tuple[frozenset[Place], bool]:
        """Places that wait for a byte and can be reached from `start` without one; and the end, if it can."""
        known = self._reached.get(start)
        if known is not None:
            return known
        seen: set[Place] = set()
        todo, found, accepts = [start], set(), False
        while todo:
            place = todo.pop()
            if place in seen:
                continue
            seen.add(place)
            if len(seen) > _MAX_PLACES:
                raise GrammarError("a rule of the grammar calls itself before it has read anything")
            number, stack = place
            node = self._grammar.nodes[number]
            if node.bytes:
                found.add(place)
            todo.extend((to, stack) for to in node.free)
            todo.extend((self._grammar.rules[rule][0], self._pushed(back, stack)) for rule, back in node.calls)
            if number in self._is_end:
                if stack:
                    todo.append(self._stacks[stack])
                else:
                    accepts = True
        result = frozenset(found), accepts
        self._reached[start] = result
        return result

    def _pushed(self, back: int, stack: int) -> int:
        if back in self._tails:
            return stack
        place = back, stack
        number = self._stack_numbers.get(place)
        if number is None:
            number = self._stack_numbers[place] = len(self._stacks)
            self._stacks.append(place)
        return number


def _tails(grammar: Grammar, ends: frozenset[int]) -> frozenset[int]:
    """The nodes from which a rule's end is reached for nothing, and nothing else is."""
    found = set(ends)
    # the node that leads to another is mostly the older one; what this misses costs a place on a stack
    for number in reversed(range(len(grammar.nodes))):
        node = grammar.nodes[number]
        if not node.bytes and not node.calls and node.free and all(to in found for to in node.free):
            found.add(number)
    for number, node in enumerate(grammar.nodes):
        if not node.bytes and not node.calls and node.free and all(to in found for to in node.free):
            found.add(number)
    return frozenset(found)


def _classes(grammar: Grammar) -> tuple[NDArray[np.uint8], list[int]]:
    """Classes of bytes that no edge of the grammar tells apart: byte → class, and class → one of its bytes."""
    cuts = {0}
    for node in grammar.nodes:
        for low, high, _ in node.bytes:
            cuts.add(low)
            cuts.add(high + 1)
    starts = sorted(cut for cut in cuts if cut < 256)
    class_of = (np.searchsorted(starts, np.arange(256), side="right") - 1).astype(np.uint8)
    return class_of, starts
