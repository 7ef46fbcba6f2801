"""From text to forms: `read`. The grammar is in `rtfs.reader.parser`, which the first call imports."""

from __future__ import annotations

from typing import Final

from rtfs.errors import ReadError
from rtfs.forms import Program
from rtfs.reader.lexer import scan

_CLOSERS: Final = {"(": ")", "#(": ")", "[": "]", "{": "}", "#{": "}"}
#: kinds that end no form and begin none
_LAYOUT: Final = frozenset(("space", "comment"))


def read(text: str, source: str = "<string>") -> Program:
    """All top-level forms of `text`, with their places. `source` names it in errors.

    Raises:
        ReadError: the text is not RTFS.
    """
    from rtfs.reader.parser import parse

    try:
        return parse(text, source)
    except ReadError as error:
        error.source = source
        raise


def is_complete(text: str) -> bool:
    """Whether more lines cannot mend `text`: no bracket, string, comment or prefix is left open.

    A text with a bracket too many or the wrong one is complete, too: it will be an error.
    """
    open_brackets: list[str] = []
    dangling = False
    for kind, piece, _ in scan(text):
        if kind == "unfinished":
            return False
        if kind in _LAYOUT:
            continue
        dangling = kind == "prefix"
        if kind == "open":
            open_brackets.append(_CLOSERS[piece])
        elif kind == "close" and (not open_brackets or open_brackets.pop() != piece):
            return True
    return not open_brackets and not dangling
