"""What to say about text that the grammar refuses."""

from __future__ import annotations

from typing import Any, Final

from rtfs.errors import ReadError, Span
from rtfs.reader.literals import shown

#: bracket token → (its text, the text that closes it)
BRACKETS: Final = {
    "lparen": ("(", ")"),
    "lbracket": ("[", "]"),
    "lbrace": ("{", "}"),
    "set_open": ("#{", "}"),
    "fn_open": ("#(", ")"),
}
#: closing token → its text
CLOSERS: Final = {"rparen": ")", "rbracket": "]", "rbrace": "}"}
#: tokens that stand before a form
PREFIXES: Final = ("quote", "quasiquote", "unquote", "splice")
#: closing brackets that a hint spells out
_MOST_CLOSERS: Final = 12
#: action of the parser's table → what a person would write there
_EXPECTED: Final = {"atom": "a form", "rparen": "`)`", "rbracket": "`]`", "rbrace": "`}`"}
#: symbols after which a form must come
_WANTING: Final = frozenset(("metas", "caret", "hint", "at", "discard", "target", *PREFIXES))
_WANTING_TEXTS: Final = {"metas": "metadata", "hint": "metadata"}


def unexpected(token: Any, stack: list[Any], actions: dict[str, int]) -> ReadError:
    """The error for `token` (None: the text ends here) where only `actions` are possible."""
    expected = tuple(text for name, text in _EXPECTED.items() if name in actions)
    opener = next((symbol for symbol in reversed(stack) if symbol.type in BRACKETS), None)
    if stack[-1].type in _WANTING:
        return _missing_form(token, stack, expected)
    if token is None:
        return _unclosed([symbol for symbol in stack if symbol.type in BRACKETS], expected)
    text, span = token.value
    if token.type in CLOSERS:
        return _wrong_closer(text, span, opener, expected)
    return ReadError("UnexpectedRule", f"unexpected {_name(token)}", expected, span=span)


def _missing_form(token: Any, stack: list[Any], expected: tuple[str, ...]) -> ReadError:
    last = stack[-1]
    span = last.value[-1].span if last.type == "metas" else last.value[1]
    if last.type == "target":  # of a `#_`, or what follows a `^`
        after = "`#_…`" if stack[-2].type == "discard" else "metadata"
    else:
        after = _WANTING_TEXTS.get(last.type) or shown(last.value[0])
    return ReadError("MissingToken", f"expected a form after {after}, got {_name(token)}", expected, span=span)


def _name(token: Any) -> str:
    if token is None:
        return "the end of the text"
    if token.type == "colon":
        return "`:`"
    return shown(str(token.value[0]))


def _unclosed(openers: list[Any], expected: tuple[str, ...]) -> ReadError:
    text, span = openers[-1].value
    closers = "".join(BRACKETS[opener.type][1] for opener in reversed(openers[-_MOST_CLOSERS:]))
    error = ReadError("Grammar", f"`{text}` is never closed", expected, span=span)
    if len(openers) <= _MOST_CLOSERS:
        error.hint = f"the text ends inside {_brackets(len(openers))}; add `{closers}`"
    else:
        error.hint = f"the text ends inside {_brackets(len(openers))}; the innermost are closed by `{closers}`"
    return error


def _brackets(count: int) -> str:
    return "1 open bracket" if count == 1 else f"{count} open brackets"


def _wrong_closer(text: str, span: Span, opener: Any, expected: tuple[str, ...]) -> ReadError:
    if opener is None:
        error = ReadError("Grammar", f"`{text}` closes nothing", expected, span=span)
        error.hint = f"remove `{text}`, or open what it closes"
        return error
    opened, place = opener.value
    closer = BRACKETS[opener.type][1]
    error = ReadError("Grammar", f"expected `{closer}`, got `{text}`", expected, span=span)
    error.hint = f"`{opened}` at {place.line}:{place.column} is closed by `{closer}`"
    return error


def unfinished(what: str, closer: str, span: Span) -> ReadError:
    """The error for a string or comment that the text ends in."""
    error = ReadError("Grammar", f"this {what} never ends", (f"`{closer}`",), span=span)
    error.hint = f"the text ends inside the {what}; add `{closer}`"
    return error
