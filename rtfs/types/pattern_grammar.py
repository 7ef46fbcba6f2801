r"""Regular expressions as GBNF, of texts as JSON strings write them (`rtfs.types.grammar`).

    ^[a-z]+(-[0-9]{2})?$    becomes    [a-z]+ ("-" [0-9]{2})?

A pattern matches anywhere in a text unless `^` and `$` say otherwise, so an open end is any characters. What
is read is the part of RE2 that patterns of data use: classes, groups, repetitions, alternatives, `^` and `$` at
the ends. Word boundaries, flags and named classes are not.

A quote, a backslash and control characters of a text are written with a backslash in JSON; classes that have
them get these spellings as further alternatives.
Source: https://github.com/google/re2/wiki/Syntax, RFC 8259 section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, NoReturn

#: repetitions that are written out
MAX_REPEAT: Final = 1000
_MAX_DEPTH: Final = 50
_LAST: Final = 0x10FFFF

type Span = tuple[int, int]

_DIGIT: Final[tuple[Span, ...]] = ((0x30, 0x39),)
_WORD: Final[tuple[Span, ...]] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Final[tuple[Span, ...]] = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_CLASSES: Final = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS: Final = {"n": 0x0A, "t": 0x09, "r": 0x0D, "f": 0x0C, "v": 0x0B, "a": 0x07}
#: how JSON writes characters that may not stand for themselves
_SHORT: Final = {
    0x22: '\\\\\\"',
    0x5C: "\\\\\\\\",
    8: "\\\\b",
    9: "\\\\t",
    10: "\\\\n",
    12: "\\\\f",
    13: "\\\\r",
}
_OTHER_CONTROLS: Final = tuple(code for code in range(0x20) if code not in _SHORT)


class NotSimple(Exception):
    """A pattern with something that has no GBNF here, or that is malformed."""


class _Item(NamedTuple):
    """Something and how often it may stand there; `most` None: without end."""

    node: _Node
    least: int
    most: int | None


type _Sequence = list[_Item]
#: a class, the alternatives of a group, or `^`, `$`
type _Node = tuple[Span, ...] | list[_Sequence] | str


def pattern_expression(pattern: str, char: str, rule: Callable[[str], str]) -> str:
    """What stands between the quotes of a JSON string that `pattern` matches.

    Args:
        char: name of the rule for any character.
        rule: makes a rule of an expression, and answers its name.

    Raises:
        NotSimple: the pattern has no GBNF.
    """
    options = _Reader(pattern).pattern()
    writer = _Writer(rule)
    return writer.alternatives([_searched(each, char, writer) for each in options])


def _searched(sequence: _Sequence, char: str, writer: _Writer) -> str:
    items = list(sequence)
    before, after = [f"{char}*"], [f"{char}*"]
    if items and items[0] == _Item("^", 1, 1):
        items, before = items[1:], []
    if items and items[-1] == _Item("$", 1, 1):
        items, after = items[:-1], []
    inner = [writer.item(each) for each in items]
    return " ".join([*before, *inner, *after]) or '""'


class _Writer:
    def __init__(self, rule: Callable[[str], str]) -> None:
        self._rule = rule

    def alternatives(self, options: list[str]) -> str:
        return options[0] if len(options) == 1 else f"({' | '.join(options)})"

    def item(self, item: _Item) -> str:
        if isinstance(item.node, str):
            raise NotSimple(f"`{item.node}` within the pattern")
        if isinstance(item.node, tuple):
            text = spans_expression(item.node)
        else:
            sequences = [" ".join(map(self.item, each)) or '""' for each in item.node]
            text = self.alternatives(sequences)
        if (item.least, item.most) == (1, 1):
            return text
        return f"{self._rule(text)}{repetition(item.least, item.most)}"


def repetition(least: int, most: int | None) -> str:
    """How GBNF says that something stands there so many times."""
    if most is None:
        return "*" if least == 0 else "+" if least == 1 else f"{{{least},}}"
    if least == most:
        return f"{{{least}}}"
    return "?" if (least, most) == (0, 1) else f"{{{least},{most}}}"


def spans_expression(spans: Iterable[Span]) -> str:
    """One character out of `spans`, as a JSON string writes it. Raises NotSimple if there is none."""
    plain: list[Span] = []
    for low, high in _merged(spans):
        for start, end in ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0xD7FF), (0xE000, _LAST)):
            if max(low, start) <= min(high, end):
                plain.append((max(low, start), min(high, end)))
    has = _membership(spans)
    options = []
    if plain:
        options.append(f"[{''.join(_span_text(*span) for span in plain)}]")
    options += [f'"{text}"' for code, text in _SHORT.items() if has(code)]
    if all(map(has, _OTHER_CONTROLS)):
        options.append('"\\\\u00" ("0" [0-7bB] | "0" [eEfF] | "1" [0-9a-fA-F])')
    else:
        options += [f'"\\\\u{code:04x}"' for code in _OTHER_CONTROLS if has(code)]
    if not options:
        raise NotSimple("a class without characters")
    return options[0] if len(options) == 1 else f"({' | '.join(options)})"


def _membership(spans: Iterable[Span]) -> Callable[[int], bool]:
    known = tuple(spans)
    return lambda code: any(low <= code <= high for low, high in known)


def _span_text(low: int, high: int) -> str:
    return _code_text(low) if low == high else f"{_code_text(low)}-{_code_text(high)}"


def _code_text(code: int) -> str:
    char = chr(code)
    if char.isascii() and char.isalnum():
        return char
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _merged(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _others(spans: Iterable[Span]) -> tuple[Span, ...]:
    found, start = [], 0
    for low, high in _merged(spans):
        if low > start:
            found.append((start, low - 1))
        start = high + 1
    if start <= _LAST:
        found.append((start, _LAST))
    return tuple(found)


class _Reader:
    """Reads a pattern from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def pattern(self) -> list[_Sequence]:
        found = self._alternatives()
        if self._at < len(self._text):
            self._fail()
        return found

    def _fail(self) -> NoReturn:
        raise NotSimple(f"`{self._text[self._at : self._at + 10]}`")

    def _take(self, word: str) -> bool:
        if self._text.startswith(word, self._at):
            self._at += len(word)
            return True
        return False

    def _next(self) -> str:
        if self._at >= len(self._text):
            self._fail()
        self._at += 1
        return self._text[self._at - 1]

    def _alternatives(self) -> list[_Sequence]:
        found = [self._sequence()]
        while self._take("|"):
            found.append(self._sequence())
        return found

    def _sequence(self) -> _Sequence:
        found: _Sequence = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            node = self._node()
            least, most = self._counts()
            if isinstance(node, str) and (least, most) != (1, 1):
                self._fail()
            found.append(_Item(node, least, most))
        return found

    def _counts(self) -> tuple[int, int | None]:
        counts = self._once_counts()
        if self._at < len(self._text) and (self._text[self._at] in "*+?" or self._is_braced()):
            self._fail()
        return counts

    def _once_counts(self) -> tuple[int, int | None]:
        for mark, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(mark):
                self._take("?")
                return counts
        if not self._is_braced():
            return 1, 1
        end = self._text.index("}", self._at)
        least, comma, most = self._text[self._at + 1 : end].partition(",")
        first, last = int(least), int(most) if most else None if comma else int(least)
        if max(first, last or 0) > MAX_REPEAT or (last is not None and last < first):
            self._fail()
        self._at = end + 1
        self._take("?")
        return first, last

    def _is_braced(self) -> bool:
        """Whether `{2}`, `{2,}` or `{2,3}` comes; any other brace is a character."""
        if not self._text.startswith("{", self._at):
            return False
        end = self._text.find("}", self._at, self._at + 12)
        least, _, most = self._text[self._at + 1 : end].partition(",") if end > 0 else ("", "", "")
        return least.isdecimal() and least.isascii() and (not most or (most.isdecimal() and most.isascii()))

    def _node(self) -> _Node:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == ".":
            return _others([(0x0A, 0x0A)])
        if char in "^$":
            return char
        if char == "\\":
            return self._escape()
        if char in "*+?":
            self._at -= 1
            self._fail()
        return ((ord(char), ord(char)),)

    def _group(self) -> _Node:
        if self._text.startswith("?", self._at) and not self._take("?:"):
            self._fail()
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail()
        found = self._alternatives()
        if not self._take(")"):
            self._fail()
        self._depth -= 1
        return found

    def _escape(self) -> _Node:
        char = self._next()
        if char == "A":
            return "^"
        if char == "z":
            return "$"
        return self._escaped(char)

    def _escaped(self, char: str) -> tuple[Span, ...]:
        """What a backslash and `char` stand for."""
        known = _CLASSES.get(char.lower())
        if known is not None:
            return known if char.islower() else _others(known)
        if char in _CONTROLS:
            return ((_CONTROLS[char], _CONTROLS[char]),)
        if char == "x":
            digits = self._text[self._at : self._at + 2]
            if len(digits) != 2 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                self._fail()
            self._at += 2
            return ((int(digits, 16), int(digits, 16)),)
        if char.isalnum() or not char.isascii():
            self._at -= 1
            self._fail()
        return ((ord(char), ord(char)),)

    def _class(self) -> _Node:
        is_negated = self._take("^")
        spans: list[Span] = []
        is_first = True
        while is_first or not self._take("]"):
            if self._text.startswith("[:", self._at):
                self._fail()
            low = self._class_item()
            is_first = False
            is_range = self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at)
            if not is_range:
                spans += low
                continue
            self._at += 1
            high = self._class_item()
            if not (len(low) == len(high) == 1 and low[0][0] == low[0][1] and high[0][0] == high[0][1]):
                self._fail()
            if low[0][0] > high[0][0]:
                self._fail()
            spans.append((low[0][0], high[0][0]))
        return _others(spans) if is_negated else tuple(spans)

    def _class_item(self) -> tuple[Span, ...]:
        char = self._next()
        return self._escaped(self._next()) if char == "\\" else ((ord(char), ord(char)),)
