"""The grammar of RTFS, an LALR parser on SLY.

Imported by the first `read`, because building the tables takes some milliseconds. It does not recurse, so the
depth of a text is bounded by `MAX_NESTING` alone.
"""

# ruff: noqa: D102 - the production above each method says what it is for

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sly.yacc import Parser as SlyParser

from rtfs.errors import ReadError, Span
from rtfs.forms import Program
from rtfs.reader.form_builder import (
    Items,
    Meta,
    Shorthand,
    make_context_ref,
    make_list,
    make_map,
    make_meta_form,
    make_prefixed,
    make_set,
    make_shorthand,
    make_vector,
    span_between,
)
from rtfs.reader.metadata import hint_of, read_metadata
from rtfs.reader.parse_errors import unexpected
from rtfs.reader.tokens import Lexer, tokenize
from rtfs.run import STOP_REQUESTS, poll
from rtfs.values import Map, Symbol

#: how deep brackets may nest
MAX_NESTING: Final = 200_000
#: symbols on the parser's stack per level of nesting: the bracket and its items
_STACK_PER_LEVEL: Final = 2

#: a value and where it stands: what every token and every form carries through the parser
type Placed = tuple[Any, Span]

#: prefix → head of the list it makes
_PREFIX_HEADS: Final = {
    "'": Symbol.of("quote"),
    "`": Symbol.of("quasiquote"),
    "~": Symbol.of("unquote"),
    "~@": Symbol.of("unquote-splicing"),
}


def rule(*productions: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare grammar productions in the way SLY finds them."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        setattr(function, "rules", list(productions))  # noqa: B010
        return function

    return declare


class Parser(SlyParser):  # type: ignore[misc]
    """Tokens to forms. One parser per text: it remembers whether it stands inside `#(…)`."""

    tokens = Lexer.tokens
    start = "program"
    track_positions = False

    def __init__(self) -> None:
        self._shorthand: Shorthand | None = None
        self.symstack: list[Any] = []

    def check_depth(self, span: Span) -> None:
        """Refuse a text that nests deeper than `MAX_NESTING`."""
        if STOP_REQUESTS:
            poll()
        if len(self.symstack) > MAX_NESTING * _STACK_PER_LEVEL:
            message = f"forms nest deeper than {MAX_NESTING} levels"
            raise ReadError("CustomError", message, (), span=span)

    def _atom(self, placed: Placed) -> Placed:
        shorthand = self._shorthand
        if shorthand is not None and type(placed[0]) is Symbol:
            return shorthand.resolve(*placed), placed[1]
        return placed

    # ------------------------------------------------------------ items

    @rule("program : items")
    def program(self, p: Any) -> Items:
        items: Items = p[0]
        items.refuse_colons("at the top level")
        return items

    @rule("items :")
    def no_items(self, p: Any) -> Items:
        stack = self.symstack
        if len(stack) > _STACK_PER_LEVEL:
            opener = stack[-2] if stack[-1].value is None else stack[-1]
            self.check_depth(opener.value[1])
        return Items()

    @rule("items : items atom")
    def items_atom(self, p: Any) -> Items:
        if STOP_REQUESTS:
            poll()
        items: Items = p[0]
        value, span = p[1]
        if self._shorthand is not None and type(value) is Symbol:
            value = self._shorthand.resolve(value, span)
        items.values.append(value)
        items.spans.append(span)
        return items

    @rule("items : items collection", "items : items meta", "items : items colon")
    def items_form(self, p: Any) -> Items:
        items: Items = p[0]
        value, span = p[1]
        items.values.append(value)
        items.spans.append(span)
        return items

    @rule("items : items discard target")
    def items_discard(self, p: Any) -> Items:
        items: Items = p[0]
        return items

    # ------------------------------------------------------------ one form after a prefix

    @rule("target : atom", "plain : atom")
    def bare_atom(self, p: Any) -> Placed:
        return self._atom(p[0])

    @rule("target : collection", "target : meta", "plain : collection")
    def bare_form(self, p: Any) -> Placed:
        placed: Placed = p[0]
        return placed

    @rule("target : discard target target")
    def target_after_discard(self, p: Any) -> Placed:
        placed: Placed = p[2]
        return placed

    # ------------------------------------------------------------ collections

    @rule("collection : lparen items rparen")
    def list_form(self, p: Any) -> Placed:
        return make_list(p[1], span_between(p[0][1], p[2][1]))

    @rule("collection : lbracket items rbracket")
    def vector_form(self, p: Any) -> Placed:
        return make_vector(p[1], span_between(p[0][1], p[2][1]))

    @rule("collection : lbrace items rbrace")
    def map_form(self, p: Any) -> Placed:
        return make_map(p[1], span_between(p[0][1], p[2][1]))

    @rule("collection : set_open items rbrace")
    def set_form(self, p: Any) -> Placed:
        return make_set(p[1], span_between(p[0][1], p[2][1]))

    @rule("collection : fn_open shorthand items rparen")
    def shorthand_form(self, p: Any) -> Placed:
        shorthand, self._shorthand = self._shorthand, None
        assert shorthand is not None
        return make_shorthand(shorthand, p[2], p[0][1], span_between(p[0][1], p[3][1]))

    @rule("shorthand :")
    def enter_shorthand(self, p: Any) -> None:
        if self._shorthand is not None:
            raise ReadError(
                "CustomError", "`#(…)` inside `#(…)`", ("(fn […] …)",), span=self.symstack[-1].value[1]
            )
        self._shorthand = Shorthand()

    @rule(
        "collection : quote target",
        "collection : quasiquote target",
        "collection : unquote target",
        "collection : splice target",
    )
    def prefixed_form(self, p: Any) -> Placed:
        (text, span), (value, value_span) = p[0], p[1]
        return make_prefixed(_PREFIX_HEADS[text], value, span, value_span)

    @rule("collection : at target")
    def context_ref(self, p: Any) -> Placed:
        (_, span), (value, value_span) = p[0], p[1]
        return make_context_ref(value, span, value_span)

    # ------------------------------------------------------------ metadata

    @rule("meta : metas plain")
    def meta_form(self, p: Any) -> Placed:
        value, span = p[1]
        return make_meta_form(p[0], value, span)

    @rule("metas : meta_head")
    def first_meta(self, p: Any) -> list[Meta]:
        return [p[0]]

    @rule("metas : metas meta_head")
    def next_meta(self, p: Any) -> list[Meta]:
        metas: list[Meta] = p[0]
        metas.append(p[1])
        return metas

    @rule("metas : metas discard target")
    def discard_after_meta(self, p: Any) -> list[Meta]:
        metas: list[Meta] = p[0]
        return metas

    @rule("meta_head : caret target")
    def general_meta(self, p: Any) -> Meta:
        value, span = p[1]
        return Meta(*read_metadata(value, span), span_between(p[0][1], span))

    @rule("meta_head : hint")
    def delegation_meta(self, p: Any) -> Meta:
        hint, span = p[0]
        return Meta((), hint, span)

    @rule("meta_head : hint_map collection")
    def delegation_map_meta(self, p: Any) -> Meta:
        value, span = p[1]
        assert type(value) is Map
        return Meta((), hint_of(value, span), span_between(p[0][1], span))

    # ------------------------------------------------------------ errors

    def error(self, token: Any) -> None:
        """No production goes on with `token` (None: the text ends here)."""
        raise unexpected(token, self.symstack, self._lrtable.lr_action[self.state])


def parse(text: str, source: str) -> Program:
    """All forms of `text`.

    Raises:
        ReadError: its `source` is not filled in.
    """
    parser = Parser()
    items = parser.parse(tokenize(text, parser.check_depth))
    return Program(source, tuple(items.values), tuple(items.spans))
