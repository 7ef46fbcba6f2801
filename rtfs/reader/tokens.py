"""The reader's lexer, on SLY: tokens that carry their value and their span."""

# ruff: noqa: D102 - the pattern above each method says what it is for

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, Final

from sly.lex import Lexer as SlyLexer

from rtfs.delegation import DelegationHint
from rtfs.errors import ReadError, Span
from rtfs.forms import COLON
from rtfs.reader import lexer as text_patterns
from rtfs.reader.literals import ESCAPES, read_atom, shown
from rtfs.reader.metadata import malformed_hint
from rtfs.reader.parse_errors import BRACKETS, CLOSERS, PREFIXES, unfinished
from rtfs.values import ResourceHandle, Value

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_HINT = re.compile(
    rf"{text_patterns.GAP}(?:(?P<map>(?=\{{))"
    rf"|:local(?=[{text_patterns.WHITESPACE}()\[\]{{}}\";]|\Z)"
    rf"|:(?P<kind>local-model|remote){text_patterns.GAP}(?P<id>{text_patterns.STRING}))"
)

#: SLY reads a bare upper-case name in a class body as a token, so this one has an underscore
_TOKENS: Final = frozenset(
    ("atom", "colon", "hint", "hint_map", "caret", "at", "discard", *BRACKETS, *CLOSERS, *PREFIXES)
)


_BRACKET_TYPES: Final = {
    "(": "lparen",
    "[": "lbracket",
    "{": "lbrace",
    **{text: name for name, text in CLOSERS.items()},
}
_PREFIX_TYPES: Final = {
    "'": "quote",
    "`": "quasiquote",
    "~": "unquote",
    "~@": "splice",
    "@": "at",
    "#_": "discard",
}


def token(pattern: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a lexer rule in the way SLY finds them."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        setattr(function, "pattern", pattern)  # noqa: B010 - functions have no such attribute for mypy
        return function

    return declare


class Lexer(SlyLexer):  # type: ignore[misc]
    """Tokens for the parser; the value of each is a `Placed`."""

    tokens = _TOKENS
    ignore = text_patterns.WHITESPACE

    def __init__(self, source_text: str, check_depth: Callable[[Span], None]) -> None:
        starts = [0, *(found.end() for found in re.finditer("\n", source_text))]
        #: offsets of line starts, and one that no offset reaches
        self._starts = [*starts, len(source_text) + 2]
        self._line = 1
        self._check_depth = check_depth
        self._known: dict[str, Value] = {}

    def place(self, start: int, end: int) -> Span:
        """The span of text[start:end]. Starts never decrease from call to call."""
        starts, line = self._starts, self._line
        while starts[line] <= start:
            line += 1
        self._line = line
        column = start - starts[line - 1] + 1
        if end < starts[line]:
            return Span(line, column, line, column + end - start)
        end_line = bisect_right(starts, end)
        return Span(line, column, end_line, end - starts[end_line - 1] + 1)

    @token(text_patterns.COLON)
    def colon(self, t: Any) -> Any:
        t.value = (COLON, self.place(t.index, t.end))
        return t

    @token(text_patterns.HANDLE)
    def handle(self, t: Any) -> Any:
        t.type = "atom"
        t.value = (ResourceHandle(t.value), self.place(t.index, t.end))
        return t

    @token(text_patterns.ATOM)
    def atom(self, t: Any) -> Any:
        text = t.value
        span = self.place(t.index, t.end)
        known = self._known
        if text in known:
            t.value = (known[text], span)
            return t
        try:
            value = known[text] = read_atom(text).value
        except ReadError as error:
            error.span = span
            raise
        t.value = (value, span)
        return t

    @token(r"[()\[\]{}]")
    def bracket(self, t: Any) -> Any:
        t.type = _BRACKET_TYPES[t.value]
        t.value = (t.value, self.place(t.index, t.end))
        return t

    @token(text_patterns.STRING)
    def string(self, t: Any) -> Any:
        t.type = "atom"
        body = t.value[1:-1]
        if "\\" in body:
            body = self._unescape(body, t.index + 1)
        t.value = (body, self.place(t.index, t.end))
        return t

    @token(text_patterns.COMMENT)
    def ignore_comment(self, t: Any) -> None:
        pass

    @token(r"\#[{(]")
    def hash_bracket(self, t: Any) -> Any:
        t.type = "set_open" if t.value == "#{" else "fn_open"
        t.value = (t.value, self.place(t.index, t.end))
        return t

    @token(r"~@|[~'`@]|\#_")
    def prefix(self, t: Any) -> Any:
        t.type = _PREFIX_TYPES[t.value]
        t.value = (t.value, self.place(t.index, t.end))
        self._check_depth(t.value[1])
        return t

    @token(rf"\^{text_patterns.GAP}:delegation(?=[{text_patterns.WHITESPACE}()\[\]{{}}\";]|\Z)")
    def hint(self, t: Any) -> Any:
        span = self.place(t.index, t.end)
        found = _HINT.match(self.text, t.end)
        if found is None:
            raise malformed_hint(span)
        self.index = t.end = found.end()
        span = self.place(t.index, t.end)
        if found["map"] is not None:
            t.type = "hint_map"
            t.value = (None, span)
            return t
        t.value = (self._literal_hint(found, span), span)
        return t

    def _literal_hint(self, found: re.Match[str], span: Span) -> DelegationHint:
        if found["kind"] is None:
            return DelegationHint("local")
        id = self._unescape(found["id"][1:-1], found.start("id") + 1)
        if not id:
            raise malformed_hint(span)
        return DelegationHint("remote" if found["kind"] == "remote" else "local-model", id)

    @token(r"\^")
    def caret(self, t: Any) -> Any:
        t.value = ("^", self.place(t.index, t.end))
        self._check_depth(t.value[1])
        return t

    @token(text_patterns.RAW_STRING)
    def raw_string(self, t: Any) -> Any:
        t.type = "atom"
        t.value = (t.value[2:-1], self.place(t.index, t.end))
        return t

    @token(text_patterns.BLOCK_COMMENT)
    def ignore_block(self, t: Any) -> None:
        pass

    def error(self, t: Any) -> None:
        """Text that begins no token: an open string or comment, or an unknown `#…`."""
        start = self.index
        if t.value[0] == '"' or t.value[:2] == '#"':
            span = self.place(start, start + 1)
            raise unfinished("string", '"', span)
        if t.value[:2] == "#|":
            raise unfinished("comment", "|#", self.place(start, start + 2))
        found = re.match(text_patterns.HASH, t.value)
        text = found[0] if found else t.value[0]
        error = ReadError(
            "UnsupportedRule",
            f"unknown reader form {shown(text)}",
            ("#{…}", "#(…)", '#"…"', "#_form", "#|…|#", "##Inf"),
            span=self.place(start, start + len(text)),
        )
        raise error

    def _unescape(self, body: str, offset: int) -> str:
        for found in _ESCAPE.finditer(body):
            if found[1] not in ESCAPES:
                start = offset + found.start()
                raise ReadError(
                    "InvalidEscapeSequence",
                    f"unknown escape {shown(found[0])} in a string",
                    ("\\n", "\\t", "\\r", "\\\\", '\\"'),
                    span=self.place(start, start + 2),
                )
        return _ESCAPE.sub(lambda found: ESCAPES[found[1]], body)


def tokenize(text: str, check_depth: Callable[[Span], None]) -> Iterator[Any]:
    """SLY tokens of `text`. `check_depth` is called at each prefix, which may nest without brackets.

    Raises:
        ReadError: at the first piece of text that is no token.
    """
    start = 1 if text[:1] == text_patterns.BYTE_ORDER_MARK else 0
    shebang = re.compile(text_patterns.SHEBANG).match(text, start)
    if shebang:
        start = shebang.end()
    tokens: Iterator[Any] = Lexer(text, check_depth).tokenize(text, index=start)
    return tokens
