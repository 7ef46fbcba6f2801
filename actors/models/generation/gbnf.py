"""Grammars in GBNF, the notation of llama.cpp, as a network of bytes.

    root ::= "[" item ("," item)* "]"
    item ::= [0-9]{1,3} | "\\"" [^"\\\\]* "\\""

Each rule is a small net of nodes. A node may be left by a byte out of a range, by a call of another rule, which
returns to a further node, or for free. Characters become the bytes of their UTF-8, so that what is matched
later are bytes, and tokens may begin and end within a character.

Read is what llama.cpp reads but for tokens by name, `<[42]>`. As there, text below a rule's name that begins
no rule belongs to the rule as long as brackets are open or a `|` stands before it.
Source: `grammars/README.md` and `src/llama-grammar.cpp` of llama.cpp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from actors.models.errors import ModelError

#: nodes that a grammar may have; about as many kilobytes
MAX_NODES: Final = 200_000
#: repetitions that may be written out
_MAX_REPEAT: Final = 20_000
_LAST_CODE: Final = 0x10FFFF
_SURROGATES: Final = (0xD800, 0xDFFF)
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_BLANK: Final = re.compile(r"(?:[ \t]|#[^\n]*)*")
_BLANK_LINES: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_COUNTS: Final = re.compile(r"\{\s*(\d{1,9})\s*(,?)\s*(\d{1,9})?\s*\}")
_HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}
_ESCAPES: Final = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", '"': '"', "[": "[", "]": "]", "-": "-"}

type Span = tuple[int, int]


class GrammarError(ModelError):
    """A grammar that cannot be used. The text says where and why."""


@dataclass(slots=True)
class Node:
    """A place in a rule."""

    #: first and last byte, and where they lead
    bytes: list[tuple[int, int, int]] = field(default_factory=list)
    #: name of a rule, and where it goes on after that
    calls: list[tuple[str, int]] = field(default_factory=list)
    #: where one may be as well
    free: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar as a network."""

    nodes: tuple[Node, ...]
    #: name of a rule → its first and its last node
    rules: dict[str, tuple[int, int]]


def read_grammar(text: str) -> Grammar:
    """The grammar that `text` describes.

    Raises:
        GrammarError: it is none, calls a rule that it does not have, has no `root`, or is too large.
    """
    grammar = _Reader(text).grammar()
    for node in grammar.nodes:
        for name, _ in node.calls:
            if name not in grammar.rules:
                raise GrammarError(f"the grammar calls a rule `{name}` that it does not have")
    if "root" not in grammar.rules:
        raise GrammarError("the grammar has no rule `root`")
    return grammar


class _Reader:
    """Reads a grammar from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._nodes: list[Node] = []
        self._rules: dict[str, tuple[int, int]] = {}

    def grammar(self) -> Grammar:
        self._skip(_BLANK_LINES)
        while self._at < len(self._text):
            self._rule()
            self._skip(_BLANK_LINES)
        return Grammar(tuple(self._nodes), self._rules)

    def _rule(self) -> None:
        name = self._match(_NAME)
        if name is None:
            raise self._wrong("expected the name of a rule")
        self._skip(_BLANK)
        if not self._take("::="):
            raise self._wrong("expected `::=`")
        if name in self._rules:
            raise self._wrong(f"a second rule `{name}`")
        self._skip(_BLANK_LINES)
        self._rules[name] = self._alternatives(_BLANK)
        if self._at < len(self._text) and self._text[self._at] not in "\r\n":
            raise self._wrong("expected the end of the line")

    def _alternatives(self, blank: re.Pattern[str]) -> tuple[int, int]:
        first, last = self._node(), self._node()
        while True:
            start, end = self._sequence(blank)
            self._nodes[first].free.append(start)
            self._nodes[end].free.append(last)
            if not self._take("|"):
                return first, last
            self._skip(_BLANK_LINES)

    def _sequence(self, blank: re.Pattern[str]) -> tuple[int, int]:
        first = last = self._node()
        while self._at < len(self._text) and self._text[self._at] not in "\r\n|)":
            name = self._item_name()
            self._skip(blank)
            last = self._repeated(last, name)
            self._skip(blank)
        return first, last

    # ------------------------------------------------------------ items

    def _item_name(self) -> str:
        """Read one item; what it is becomes a rule, so that it can be repeated. Answers the rule's name."""
        char = self._text[self._at]
        if char == '"':
            return self._own_rule(*self._literal())
        if char == "[":
            return self._own_rule(*self._class())
        if char == ".":
            self._at += 1
            return self._own_rule(*self._spans([(0, _LAST_CODE)]))
        if char == "(":
            self._at += 1
            self._skip(_BLANK_LINES)
            ends = self._alternatives(_BLANK_LINES)
            if not self._take(")"):
                raise self._wrong("expected `)`")
            return self._own_rule(*ends)
        name = self._match(_NAME)
        if name is None:
            raise self._wrong(f"expected an item, got `{char}`")
        return name

    def _repeated(self, start: int, name: str) -> int:
        """Put the rule `name` behind the node `start`, as often as is said next. Answers the last node."""
        least, most = self._counts()
        end = start
        for _ in range(least):
            end = self._call(end, name)
        if most is None:
            loop = self._node()
            self._nodes[end].free.append(loop)
            self._nodes[loop].calls.append((name, loop))
            return loop
        last = self._node()
        for _ in range(most - least):
            self._nodes[end].free.append(last)
            end = self._call(end, name)
        self._nodes[end].free.append(last)
        return last

    def _counts(self) -> tuple[int, int | None]:
        if self._take("*"):
            return 0, None
        if self._take("+"):
            return 1, None
        if self._take("?"):
            return 0, 1
        found = _COUNTS.match(self._text, self._at)
        if found is None:
            return 1, 1
        least = int(found[1])
        most = least if not found[2] else (None if found[3] is None else int(found[3]))
        if max(least, most or 0) > _MAX_REPEAT or (most is not None and most < least):
            raise self._wrong(f"cannot repeat something `{found[0]}` times")
        self._at = found.end()
        return least, most

    def _literal(self) -> tuple[int, int]:
        self._at += 1
        first = last = self._node()
        while not self._take('"'):
            for byte in self._char().encode("utf-8", "surrogatepass"):
                following = self._node()
                self._nodes[last].bytes.append((byte, byte, following))
                last = following
        return first, last

    def _class(self) -> tuple[int, int]:
        self._at += 1
        is_negated = self._take("^")
        spans: list[Span] = []
        while not self._take("]"):
            low = high = ord(self._char())
            if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at):
                self._at += 1
                high = ord(self._char())
            if high < low:
                raise self._wrong(f"the range from `{chr(low)}` to `{chr(high)}` is empty")
            spans.append((low, high))
        return self._spans(_others(spans) if is_negated else spans)

    def _char(self) -> str:
        if self._at >= len(self._text):
            raise self._wrong("the text ends too early")
        char = self._text[self._at]
        self._at += 1
        if char != "\\":
            return char
        kind = self._text[self._at : self._at + 1]
        self._at += 1
        if kind in _HEX_DIGITS:
            digits = self._text[self._at : self._at + _HEX_DIGITS[kind]]
            self._at += len(digits)
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise self._wrong(f"`\\{kind}{digits}` is no character") from None
        if kind not in _ESCAPES:
            raise self._wrong(f"unknown escape `\\{kind}`")
        return _ESCAPES[kind]

    # ------------------------------------------------------------ the net

    def _node(self) -> int:
        if len(self._nodes) >= MAX_NODES:
            raise GrammarError(f"the grammar is too large, it has more than {MAX_NODES} nodes")
        self._nodes.append(Node())
        return len(self._nodes) - 1

    def _call(self, start: int, name: str) -> int:
        end = self._node()
        self._nodes[start].calls.append((name, end))
        return end

    def _own_rule(self, first: int, last: int) -> str:
        # a name that cannot be written
        name = f"_{len(self._rules)}"
        self._rules[name] = first, last
        return name

    def _spans(self, spans: list[Span]) -> tuple[int, int]:
        """One character out of these spans."""
        first, last = self._node(), self._node()
        for low, high in spans:
            for path in utf8_paths(low, high):
                at = first
                for low_byte, high_byte in path[:-1]:
                    following = self._node()
                    self._nodes[at].bytes.append((low_byte, high_byte, following))
                    at = following
                self._nodes[at].bytes.append((*path[-1], last))
        return first, last

    # ------------------------------------------------------------ the text

    def _skip(self, blank: re.Pattern[str]) -> None:
        found = blank.match(self._text, self._at)
        if found is not None:
            self._at = found.end()

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _take(self, word: str) -> bool:
        if self._text.startswith(word, self._at):
            self._at += len(word)
            return True
        return False

    def _wrong(self, why: str) -> GrammarError:
        line = self._text.count("\n", 0, self._at) + 1
        return GrammarError(f"line {line} of the grammar: {why}")


def _others(spans: list[Span]) -> list[Span]:
    """The characters that are in none of the spans."""
    found, start = [], 0
    for low, high in sorted(spans):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _LAST_CODE:
        found.append((start, _LAST_CODE))
    return found


def utf8_paths(low: int, high: int) -> list[list[Span]]:
    """The UTF-8 of the characters from `low` to `high`: ranges of first bytes, second bytes, and so on.

    Surrogates are left out, as UTF-8 has none. Source: Russ Cox, "Regular Expression Matching in the Wild",
    2010, "Step 4".
    """
    paths: list[list[Span]] = []
    for start, end in ((low, min(high, _SURROGATES[0] - 1)), (max(low, _SURROGATES[1] + 1), high)):
        for first, last in ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, _LAST_CODE)):
            if max(start, first) <= min(end, last):
                _split(max(start, first), min(end, last), paths)
    return paths


def _split(low: int, high: int, paths: list[list[Span]]) -> None:
    """Add the paths of characters whose UTF-8 is equally long."""
    for count in (1, 2, 3):  # low bits that the last bytes hold
        mask = (1 << (6 * count)) - 1
        if high > 0x7F and (low & ~mask) != (high & ~mask):
            if low & mask:
                _split(low, low | mask, paths)
                _split((low | mask) + 1, high, paths)
                return
            if high & mask != mask:
                _split(low, (high & ~mask) - 1, paths)
                _split(high & ~mask, high, paths)
                return
    paths.append(list(zip(chr(low).encode(), chr(high).encode(), strict=True)))
