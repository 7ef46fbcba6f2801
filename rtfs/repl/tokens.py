"""Text somebody is in the middle of typing: what to colour, where a new line begins, what is still open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rtfs.reader.lexer import scan
from rtfs.repl.special import SPECIAL_FORMS

_NAME_AT_END: Final = re.compile(r"[^\s,()\[\]{}\";'`~^@#]+\Z")


def styled(text: str) -> Iterator[tuple[str, str]]:
    """`text` in pieces, each with its style: the kind of the token, or `special` and `context` for some."""
    after_at = False
    for kind, piece, _ in scan(text):
        if after_at and kind == "symbol":
            yield "context", piece
        elif kind == "symbol" and piece in SPECIAL_FORMS:
            yield "special", piece
        else:
            yield kind, piece
        after_at = kind == "prefix" and piece == "@"


def indentation(text: str) -> int:
    """The column at which a new line after `text` begins.

    Inside a list it is two past the bracket, inside other brackets right after it. Inside a string it is 0:
    blanks would become part of it.
    """
    open_columns: list[int] = []
    kind = "space"
    for kind, piece, start in scan(text):
        if kind == "open":
            column = start - (text.rfind("\n", 0, start) + 1)
            open_columns.append(column + (2 if piece == "(" else len(piece)))
        elif kind == "close" and open_columns:
            open_columns.pop()
    return open_columns[-1] if open_columns and kind != "unfinished" else 0


def word_before(text: str) -> str:
    """The name that `text` ends in, empty if it ends in something else."""
    found = _NAME_AT_END.search(text)
    return found.group() if found else ""
