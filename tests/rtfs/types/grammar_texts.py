"""Texts of a grammar at random, by a walk over the machine that generation under a grammar uses."""

from __future__ import annotations

import random
from collections import deque

from actors.models.generation.automaton import DEAD, START, Automaton
from actors.models.generation.gbnf import read_grammar

#: bytes after which a text is brought to an end
_LONG = 60
#: bytes that a walk prefers: those that end something, and what people write
_LIKELY = b'"]},:0123456789.-abcdefghijklmnopqrstuvwxyz[{ntfu\\'


class GrammarTexts:
    """The texts of one grammar."""

    def __init__(self, grammar: str) -> None:
        self._machine = Automaton(read_grammar(grammar))
        self._endings: dict[int, bytes] = {}

    def accepts(self, text: str) -> bool:
        """Whether `text` is a whole text."""
        state = self._machine.read(START, text.encode())
        return state != DEAD and self._machine.accepts(state)

    def one(self, rng: random.Random) -> str:
        """A text."""
        state, made = START, bytearray()
        while not (self._machine.accepts(state) and (self._machine.ends(state) or rng.random() < 0.3)):
            if len(made) > _LONG and self._is_between_characters(made):
                made += self._ending(state)
                break
            byte = rng.choice(_LIKELY) if rng.random() < 0.9 else rng.randrange(256)
            for step in range(256):
                following = self._machine.step(state, (byte + step * 37) % 256)
                if following != DEAD:
                    made.append((byte + step * 37) % 256)
                    state = following
                    break
        return made.decode()

    def _is_between_characters(self, made: bytearray) -> bool:
        try:
            made.decode()
        except UnicodeDecodeError:
            return False
        return True

    def _ending(self, start: int) -> bytes:
        """The shortest way to the end."""
        known = self._endings.get(start)
        if known is None:
            known = self._endings[start] = self._search(start)
        return known

    def _search(self, start: int) -> bytes:
        seen = {start}
        todo = deque([(start, b"")])
        while todo:
            state, path = todo.popleft()
            if self._machine.accepts(state):
                return path
            for byte in range(128):
                following = self._machine.step(state, byte)
                if following != DEAD and following not in seen:
                    seen.add(following)
                    todo.append((following, path + bytes([byte])))
        raise AssertionError("a text of the grammar that never ends")
