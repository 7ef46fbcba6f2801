"""A policy's text as plain data, with the line of every key; what is wrong with it, in words of our own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any, Final

from policies.errors import PolicyFileError, PolicyProblem
from policies.file.toml_lines import Scan, dotted, scan

#: bytes; larger texts are not looked at
MAX_BYTES: Final = 1024 * 1024

_PLACE: Final = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")

#: what the parser's messages begin with → ours
_SYNTAX: Final[tuple[tuple[str, str], ...]] = (
    ("Invalid statement", "expected a key, a `[table]` or a comment"),
    ("Expected newline or end of document", "expected the end of the line after the value or the table's name"),
    ("Expected '=' after a key", "expected `=` after the key"),
    ("Expected ']' at the end", "expected `]` after the table's name"),
    ("Expected ']]' at the end", "expected `]]` after the table's name"),
    ("Expected \"'", "expected the end of a string, `'`"),
    (
        "Invalid initial character for a key part",
        "expected a name: letters, digits, `-`, `_`, or a quoted text",
    ),
    ("Invalid value", "expected a value: a quoted text, a number, `true`, `false`, `[…]` or `{…}`"),
    ("Invalid date or datetime", "expected a date that exists"),
    ("Invalid hex value", "expected the hexadecimal digits of a character after `\\u` or `\\U`"),
    ("Escaped character is not", "expected the number of a character after `\\u` or `\\U`"),
    ("Unescaped '\\' in a string", r"expected one of `\b \t \n \f \r \" \\ \uXXXX` after a backslash"),
    ("Unterminated string", 'expected the end of a string, `"`'),
    ("Unclosed array", "expected `,` or `]` in an array"),
    ("Unclosed inline table", "expected `,` or `}` in an inline table, all on one line"),
    ("Illegal character '\\n'", 'expected the end of a string, `"`, before the end of the line'),
    ("Found invalid character '\\n'", "expected the end of a string, `'`, before the end of the line"),
    ("Illegal character", "control characters cannot stand in a text"),
    ("Found invalid character", "control characters cannot stand in a text or a comment"),
    ("Cannot declare", "the table was declared before"),
    ("Cannot redefine namespace", "the table was declared before"),
    ("Cannot mutate immutable namespace", "what was written as a value, `{…}` or `[…]`, cannot be added to"),
    ("Duplicate inline table key", "the key is set twice"),
    ("Cannot overwrite a value", "the key is set twice"),
)
#: of these the key is known to be written twice, so that both lines can be told
_TWICE: Final = ("Cannot declare", "Cannot redefine", "Cannot overwrite")


def parse(text: str, source: str) -> tuple[dict[str, Any], Scan]:
    """The data of `text`, and where its keys stand.

    Raises:
        PolicyFileError: it is no TOML, or too large or too deep to be read.
    """

    def refuse(code: str, message: str, line: int | None, hint: str | None = None) -> PolicyFileError:
        return PolicyFileError(
            (PolicyProblem(code=code, message=message, source=source, line=line, hint=hint),)
        )

    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    check_size(text, refuse)
    found = scan(text)
    if found.refusal:
        raise refuse("too-deep", found.refusal.message, found.refusal.line)
    try:
        return tomllib.loads(text), found
    except RecursionError:  # the caller's own stack is nearly used up
        raise refuse("too-deep", "arrays and tables are nested too deeply to be read here", None) from None
    except ValueError as error:
        raise _syntax_error(str(error), text, found, refuse) from None


def check_size(text: str, refuse: Callable[[str, str, int | None], PolicyFileError]) -> None:
    """Refuse a text that is too long, or that is none."""
    if len(text) > MAX_BYTES:
        raise refuse("too-large", f"expected at most {MAX_BYTES} bytes, got {len(text)} characters", None)
    try:
        nbytes = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        code = ord(text[error.start])
        raise refuse("no-text", f"expected text, got half a character, U+{code:04X}", line) from None
    if nbytes > MAX_BYTES:
        raise refuse("too-large", f"expected at most {MAX_BYTES} bytes, got {nbytes}", None)


def _syntax_error(
    said: str, text: str, found: Scan, refuse: Callable[[str, str, int | None, str | None], PolicyFileError]
) -> PolicyFileError:
    match = _PLACE.fullmatch(said)
    what = match[1] if match else said
    line = int(match[2]) if match and match[2] else text.count("\n") + 1
    if found.again and what.startswith(_TWICE):
        path, first, second = found.again
        if second <= line:
            return refuse(
                "duplicate-key", f"`{dotted(path)}` is set twice, first in line {first}", second, None
            )
    ours = next((ours for start, ours in _SYNTAX if what.startswith(start)), "expected TOML")
    where = f" (column {match[3]})" if match and match[3] else " (end of the text)" if match else ""
    return refuse("syntax", ours + where, line, _hint(text, line))


def _hint(text: str, line: int) -> str | None:
    """What people get wrong most: a text without quotes."""
    rows = text.split("\n", line)
    row = rows[line - 1] if line <= len(rows) else ""
    if len(row) <= 200 and re.fullmatch(r"\s*[\w.\"'*-]+\s*=\s*[A-Za-z./][\w./:*-]*\s*(#.*)?", row):
        return "a text stands in quotes"
    return None
