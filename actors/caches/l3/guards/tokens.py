"""Texts in pieces: words, numbers, and what is taken as it is written. One pass, and no run is read often."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

#: typographic characters that are written for others; nothing else is changed, or 10² were 102
_PLAIN: Final = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "−": "-", "‐": "-", "‑": "-", "–": "-", "—": "-", "\xad": "", "…": "."}
)

_LETTER: Final = r"[^\W\d_]"
_PATTERN: Final = re.compile(
    rf"""\s*(?:
      (?P<plain>{_LETTER}+(?=[,.!?;]?(?:\s|$)))
    | (?P<code>```.{{0,3000}}?```|`[^`\n]{{1,400}}`)
    | (?P<link>(?:https?|ftp|file|ssh|s3)://[^\s<>"]+|www\.[^\s<>"]+
        |[\w.+%-]{{1,64}}@[\w-]{{1,64}}(?:\.[\w-]{{1,32}}){{1,4}}
        |(?<![\w/])(?:~|\.{{1,2}})?/[\w.@~%+*-]+(?:/[\w.@~%+*-]*)*
        |(?<!\w)[A-Za-z]:\\[^\s"]*|\\\\[\w.$-]+\\[^\s"]*)
    | (?P<quote>"[^"\n]{{0,400}}"|“[^”“\n]{{0,400}}[”“]
        |„[^“”\n]{{0,400}}[“”]|«[^»\n]{{0,400}}»|»[^«\n]{{0,400}}«
        |(?<!\w)'[^'\n]{{1,200}}'(?!\w))
    | (?P<iso>\d{{4}}-\d{{2}}-\d{{2}}(?![\w-]))
    | (?P<dots>\d{{1,2}}\.\d{{1,2}}\.\d{{4}}(?!\w|\.\d))
    | (?P<slashes>\d{{1,4}}/\d{{1,2}}/\d{{1,4}}(?!\w))
    | (?P<time>\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?![\w:]))
    | (?P<ordinal>\d+(?:st|nd|rd|th)(?!\w))
    | (?P<grouped>\d{{1,3}}(?:\.\d{{3}}){{2,}}(?![\w.]))
    | (?P<id>[vV]?\d+(?:\.\w+){{2,}}(?:[-+][\w.]*\w)?
        |[A-Za-z](?:\+\+|\#)(?!\w)|[.@\#]{_LETTER}\w*(?:[-.]\w+)*)
    | (?P<number>(?:(?<![\w)\]%])[-+])?\d+(?:[.,'\u00a0\u202f]\d+)*(?![\w-]|[.]\w))
    | (?P<attached>\d+(?:[.,]\d+)*[A-Za-zµ°]{{1,4}}(?![\w-]))
    | (?P<dotted>(?:{_LETTER}\.){{2,}}(?!\w))
    | (?P<file>\w+(?:[-.]\w+)*\.[A-Za-z]\w{{0,5}}(?![\w.]*\w))
    | (?P<word>{_LETTER}+(?:['-]{_LETTER}+)*(?!\w|-\w)|°[CF](?!\w))
    | (?P<mixed>\w+(?:[-_.:]\w+)*)
    | (?P<symbol>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
#: pieces that differ only in how they are found
_SAME_KIND: Final = {"plain": "word", "grouped": "number"}
_ENDS: Final = frozenset(".!?;")
#: dropped where they stand between words
_SILENT: Final = frozenset(":\"'")


class Token(NamedTuple):
    """A piece of a text."""

    kind: str
    #: as written
    text: str
    #: in lower case
    lower: str
    #: whether a sentence begins with it
    is_first: bool
    #: whether a comma stands before it
    after_comma: bool


def scan(text: str) -> Iterator[Token]:
    """The pieces of a text. Ends of sentences are of kind `end`; commas are a property of what follows."""
    is_first, after_comma, before = True, False, ""
    for match in _PATTERN.finditer(text.translate(_PLAIN).strip()):
        kind = match.lastgroup or "symbol"
        piece = match[kind]
        kind = _SAME_KIND.get(kind, kind)
        if kind == "symbol":
            if piece == ",":
                after_comma = True
                continue
            if piece in _ENDS and not (piece == "!" and before == "number" and match[0] == "!"):
                kind = "end"  # 5! is a factorial
            elif piece in _SILENT and before not in ("number", "symbol"):
                continue
        elif kind == "dotted":
            kind, piece = "word", piece.replace(".", "")
        yield Token(kind, piece, piece.lower(), is_first, after_comma)
        is_first, after_comma, before = kind == "end", False, kind
