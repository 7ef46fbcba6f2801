"""The line of every key of a TOML text, and a guard in front of the parser.

`tomllib` tells no lines, takes quadratic time for a key of thousands of dotted parts, and recurses into nested
arrays. `scan` reads a text once, in linear time and without recursion, whether it is TOML or not: it notes
where each key stands, and stops with a `Refusal` at what would cost the parser more than it is worth.

Of a valid text the answer is exact. Of an invalid one it holds up to the first error, which is the parser's to
report; whatever is noted behind it is of no use and does no harm.

How a text is read: it is cut into tokens (newline, string, punctuation, bare word), with comments and blanks
left out. A token that opens a string never fails to match: a string that is not closed reaches to the end of
its line, one of several lines to the end of the text, so that nothing is read twice.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

#: a key from the root of the file: names, and indices from 0 into arrays
type KeyPath = tuple[str | int, ...]

#: parts of one dotted key; the schema needs five
MAX_PARTS: Final = 16
#: arrays and inline tables within each other; the schema needs three
MAX_DEPTH: Final = 16
#: characters of a number, a date or a bare key
MAX_WORD: Final = 500

_TOKEN: Final = re.compile(
    r"""
    [ \t]*+ (?: \#[^\n]*+ )?+
    (?: (?P<newline> \n )
      | (?P<string> \"{3} (?: [^"\\]++ | \\(?s:.)?+ | "(?!"") )*+ (?: "{3,5} | \Z )
                  | '{3} (?s:.)*? (?: '{3,5} | \Z )
                  | " (?: [^"\\\n]++ | \\[^\n]?+ )*+ "?+
                  | ' [^'\n]*+ '?+ )
      | (?P<punctuation> [][{},=.] )
      | (?P<word> [^][{},=."'\#\ \t\n]++ )
      | \Z )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a text is not given to the parser."""

    message: str
    line: int


@dataclass(slots=True, kw_only=True)
class Scan:
    """What `scan` found."""

    #: lines from 1, of keys and tables that are written down, and of the elements of arrays
    lines: dict[KeyPath, int] = field(default_factory=dict)
    #: of tables that only the name of another mentions: of `a` and `a.b` in `[a.b.c]`
    implied: dict[KeyPath, int] = field(default_factory=dict)
    #: the first key or table that is written a second time, with both lines
    again: tuple[KeyPath, int, int] | None = None
    refusal: Refusal | None = None

    def line(self, path: KeyPath) -> int | None:
        """The line of `path`, or of the nearest table around it that has one."""
        for length in range(len(path), 0, -1):
            found = self.lines.get(path[:length]) or self.implied.get(path[:length])
            if found:
                return found
        return None


def scan(text: str) -> Scan:
    """The lines of all keys of `text`."""
    scanner = _Scanner()
    try:
        for kind, token in _tokens(text.replace("\r\n", "\n")):
            scanner.take(kind, token)
    except _RefusedError as refused:
        scanner.found.refusal = Refusal(message=str(refused), line=scanner.line)
    return scanner.found


class _RefusedError(Exception):
    """Ends a scan."""


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text):
        if kind := match.lastgroup:
            yield kind, match[kind]


@dataclass(slots=True)
class _Frame:
    """An array or an inline table that is not closed yet."""

    path: KeyPath
    #: of the next element, None in a table
    index: int | None
    #: an array whose next element has not begun; a table whose next key has not ended
    before: bool = True


class _Scanner:
    """Takes tokens one by one. `key` gathers the parts of a key, until its end says what it was."""

    def __init__(self) -> None:
        self.found = Scan()
        self.line = 1
        self._table: KeyPath = ()
        self._lengths: dict[KeyPath, int] = {}  # of arrays of tables
        self._stack: list[_Frame] = []
        self._key: list[str] = []
        self._key_line = 1
        self._brackets = 0  # open ones of a table's header
        self._in_value = False
        self._value: KeyPath = ()

    def take(self, kind: str, token: str) -> None:
        """Go on by one token."""
        if kind == "newline":
            self._newline()
        elif kind == "punctuation":
            self._punctuation(token)
        else:
            if kind == "word" and len(token) > MAX_WORD:
                raise _RefusedError(f"expected a word of at most {MAX_WORD} characters, got {len(token)}")
            self._begin_value() if self._wants_value() else self._part(kind, token)
            self.line += token.count("\n")

    def _newline(self) -> None:
        self.line += 1
        if not self._stack:
            self._in_value = False
            self._brackets = 0
            self._key.clear()

    def _wants_value(self) -> bool:
        return self._in_value if not self._stack or self._stack[-1].index is None else True

    def _part(self, kind: str, token: str) -> None:
        if not self._key:
            self._key_line = self.line
        if len(self._key) == MAX_PARTS:
            raise _RefusedError(f"expected a key of at most {MAX_PARTS} parts")
        self._key.append(_unquoted(token) if kind == "string" else token)

    def _punctuation(self, token: str) -> None:
        if token == ".":
            return
        if token == "=":
            self._assign()
        elif token == ",":
            self._next()
        elif token in "[{":
            self._open(token)
        else:
            self._close(token)

    def _assign(self) -> None:
        """`key =`: the key is whole, its value follows."""
        if self._wants_value() or not self._key:
            return
        base = self._stack[-1].path if self._stack else self._table
        for part in self._key[:-1]:
            base = (*base, part)
            self.found.implied.setdefault(base, self._key_line)
        self._value = (*base, self._key[-1])
        self._write(self._value, self._key_line)
        self._key.clear()
        self._in_value = True

    def _write(self, path: KeyPath, line: int) -> None:
        first = self.found.lines.setdefault(path, line)
        if first != line and self.found.again is None:
            self.found.again = (path, first, line)

    def _begin_value(self) -> None:
        """A value begins: in an array it is an element, with a line of its own."""
        if self._stack and (frame := self._stack[-1]).index is not None and frame.before:
            frame.before = False
            self._value = (*frame.path, frame.index)
            self._write(self._value, self.line)

    def _next(self) -> None:
        if self._stack:
            frame = self._stack[-1]
            frame.before = True
            if frame.index is not None:
                frame.index += 1
            self._in_value = False
            self._key.clear()

    def _open(self, token: str) -> None:
        if not self._wants_value():
            self._brackets += token == "["
            return
        if len(self._stack) == MAX_DEPTH:
            raise _RefusedError(f"expected arrays and inline tables at most {MAX_DEPTH} deep")
        self._begin_value()
        self._stack.append(_Frame(self._value, 0 if token == "[" else None))
        self._in_value = False

    def _close(self, token: str) -> None:
        if self._stack:
            self._stack.pop()
            self._in_value = True
            self._key.clear()
        elif token == "]" and self._key:
            self._header()

    def _header(self) -> None:
        """`[key]` or `[[key]]`: the table that the keys below belong to."""
        path: KeyPath = ()
        for part in self._key[:-1]:
            path = (*path, part)
            self.found.implied.setdefault(path, self._key_line)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        path = (*path, self._key[-1])
        if self._brackets > 1:
            self.found.implied.setdefault(path, self._key_line)
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
        self._write(path, self._key_line)
        self._table = path
        self._key.clear()


def _unquoted(token: str) -> str:
    """The text of a quoted key; of one that is no valid string, the token as it stands."""
    if "\\" not in token:
        return token[1:-1]
    try:
        value = tomllib.loads(f"key = {token}")["key"]
    except tomllib.TOMLDecodeError:
        return token
    return str(value)


def dotted(path: KeyPath) -> str:
    """`path` as one would write it: quoted where need be."""
    return ".".join(_written(part) for part in path)


#: characters of a name that are shown
_LONGEST: Final = 100
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def _written(part: str | int) -> str:
    text = str(part)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    if _BARE.fullmatch(text):
        return text
    escaped = "".join(_escaped(char) for char in text)
    return f'"{escaped}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else f"\\u{ord(char):04x}"


def flattened(lines: Mapping[KeyPath, int], below: str) -> dict[str, int]:
    """Lines by the parts' texts joined with dots, for the keys below the table `below` and without its name."""
    return {".".join(map(str, path[1:])): line for path, line in lines.items() if path[0] == below and path[1:]}
