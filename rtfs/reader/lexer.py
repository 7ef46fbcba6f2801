"""The tokens of RTFS text: their patterns, and a scan of any text, broken or not.

`scan` keeps everything, blanks and comments too, so that the pieces joined are the text: the prompt, the
formatter and the highlighter work on it. The reader's own lexer, on SLY, is in `rtfs.reader.parser` and shares
these patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from rtfs.errors import ReadError
from rtfs.reader.literals import read_atom

type Kind = Literal[
    "space",
    "comment",
    "string",
    "number",
    "constant",
    "literal",
    "keyword",
    "symbol",
    "open",
    "close",
    "prefix",
    "colon",
    "error",
    "unfinished",
]

WHITESPACE: Final = " \t\r\n,"
_ENDS = r" \t\r\n,()\[\]{}\";"

COMMENT: Final = r";[^\n]*"
BLOCK_COMMENT: Final = r"\#\|[^|]*+(?:\|(?!\#)[^|]*+)*+\|\#"
STRING: Final = r'"[^"\\]*+(?:\\(?s:.)[^"\\]*+)*+"'
#: `#"…"`: a string whose backslashes are kept
RAW_STRING: Final = rf"\#{STRING}"
#: a `:` that no name follows
COLON: Final = rf":(?=[{_ENDS}:]|\Z)"
HANDLE: Final = r'resource://[^ \t\r\n,)\]}"]+'
ATOM: Final = rf"(?:[^{_ENDS}'`~@^\#]|\#\#)[^{_ENDS}]*+"
#: `#` and a name, or nothing: what looks like a reader form and is none
HASH: Final = rf"\#[^{_ENDS}]*+"
#: blanks and comments between two tokens
GAP: Final = rf"(?:[ \t\r\n,]|{COMMENT}|{BLOCK_COMMENT})*+"
#: allowed at the very start of a text only
BYTE_ORDER_MARK: Final = "\ufeff"
SHEBANG: Final = r"\#![^\n]*"

_SCAN = re.compile(
    "|".join(
        rf"(?P<{name}>{pattern})"
        for name, pattern in (
            ("space", r"[ \t\r\n,]+"),
            ("colon", COLON),
            ("handle", HANDLE),
            ("atom", ATOM),
            ("open", r"\#?[({]|\["),
            ("close", r"[)\]}]"),
            ("string", rf"{STRING}|{RAW_STRING}"),
            ("comment", rf"{COMMENT}|{BLOCK_COMMENT}"),
            ("prefix", r"['`^@]|~@?|\#_"),
            ("unfinished", r'\#?"(?s:.)*|\#\|(?s:.)*'),
            ("error", HASH),
        )
    )
)
#: pattern → kind, where the text does not matter
_KINDS: Final[dict[str, Kind]] = {
    "space": "space",
    "colon": "colon",
    "handle": "literal",
    "open": "open",
    "close": "close",
    "string": "string",
    "comment": "comment",
    "prefix": "prefix",
    "unfinished": "unfinished",
    "error": "error",
}
_SHEBANG = re.compile(SHEBANG)


class Lexeme(NamedTuple):
    """A piece of text. `unfinished`: a string or block comment that never ends; `error`: no token."""

    kind: Kind
    text: str
    start: int


def scan(text: str) -> Iterator[Lexeme]:
    """All pieces of `text` in order; joined they are `text`. Never fails."""
    index = 0
    if text[:1] == BYTE_ORDER_MARK:
        yield Lexeme("space", BYTE_ORDER_MARK, 0)
        index = 1
    shebang = _SHEBANG.match(text, index)
    if shebang:
        yield Lexeme("comment", shebang[0], index)
        index = shebang.end()
    for found in _SCAN.finditer(text, index):
        name = found.lastgroup
        assert name is not None
        piece = found[0]
        kind = _atom_kind(piece) if name == "atom" else _KINDS[name]
        yield Lexeme(kind, piece, found.start())


def _atom_kind(text: str) -> Kind:
    try:
        return read_atom(text).kind
    except ReadError:
        return "error"
