"""How a job tells whoever submitted it what came of it: as lines of its log.

The log of a job is one file, into which the job's outputs, Ray and the libraries write. The submitter makes up
a word that nobody else knows; lines that begin with it are the report:

    WORD begin                   what follows is for people who read the log
    WORD part BASE64             once or several times
    WORD end SHA-256             of all parts together

The content is a letter and what it stands for: `R` a reply, `T` the id of a ticket.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Final

from actors.requests import RunReply

#: characters of a line; Ray hands longer ones on in pieces
_LINE: Final = 4_000
#: what Ray's job manager writes into each log
_RAYS: Final = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+\tINFO job_manager\.py:")


class ReportDamaged(Exception):
    """A log holds a report that is not what was written."""


def begin(word: str) -> str:
    """The line before all that the job prints for people."""
    return f"{word} begin"


def lines(word: str, outcome: RunReply | str) -> Iterator[str]:
    """The report of a reply, or of the id of a ticket."""
    data = b"T" + outcome.encode() if isinstance(outcome, str) else b"R" + outcome.encode()
    text = base64.b64encode(data).decode()
    for start in range(0, len(text), _LINE):
        yield f"{word} part {text[start : start + _LINE]}"
    yield f"{word} end {hashlib.sha256(data).hexdigest()}"


def read(word: str, log: str) -> RunReply | str | None:
    """The reply, or the id of a ticket, that a log reports; None: it reports none.

    Raises:
        ReportDamaged: there is a report that cannot be read.
    """
    parts: list[str] = []
    for line in log.splitlines():
        told, _, rest = line.partition(" ")
        kind, _, content = rest.partition(" ")
        if told == word and kind == "part":
            parts.append(content)
        elif told == word and kind == "end":
            return _decoded("".join(parts), content)
    return None


def _decoded(text: str, digest: str) -> RunReply | str:
    from rtfs.errors import StorageError

    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ReportDamaged(f"it is no base64: {error}") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise ReportDamaged("a part of it is missing")
    try:
        return RunReply.decode(data[1:]) if data[:1] == b"R" else data[1:].decode()
    except (StorageError, UnicodeDecodeError) as error:
        raise ReportDamaged(str(error)) from None


class LogView:
    """The lines of a log as they come, without Ray's about the job itself, and none once the report has begun.

    Args:
        word: that of the report.
        show: told each line.
    """

    def __init__(self, word: str, show: Callable[[str], None]) -> None:
        self._word = word
        self._show = show
        self._rest = ""
        self._over = False

    def take(self, piece: str) -> None:
        """The next piece of the log, which need not end where a line does."""
        *whole, self._rest = (self._rest + piece).split("\n")
        for line in whole:
            self._line(line)

    def end(self) -> None:
        """There is no more."""
        if self._rest:
            self._line(self._rest)
            self._rest = ""

    def _line(self, line: str) -> None:
        self._over = self._over or line == begin(self._word)
        if not (self._over or self._word in line or _RAYS.match(line)):
            self._show(line)
