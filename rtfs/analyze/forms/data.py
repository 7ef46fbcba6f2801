"""Forms as data: `quote`, `quasiquote`, `macroexpand`.

A template becomes the nodes that build it: what has no unquote in it is one constant, a list with splices is
`concat-list` of its pieces. Depth counts templates inside templates: only at depth 1 is `~` evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtfs import ir
from rtfs.analyze.core import Call, constant, count_args, node, primitive, special
from rtfs.analyze.expand import expand, expansion_error
from rtfs.analyze.forms.control import threaded_form
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import (
    META_SYMBOL,
    QUOTE,
    Item,
    datum,
    entries_of,
    invalid,
    items_of,
    metadata_as_data,
)
from rtfs.errors import Span
from rtfs.forms import MetaForm
from rtfs.values import List, Map, Set, Symbol, Vector

_UNQUOTE: Final = Symbol.of("unquote")
_SPLICE: Final = Symbol.of("unquote-splicing")
_QUASIQUOTE: Final = Symbol.of("quasiquote")


@special("quote", shadowable=True)
def quote(call: Call, scope: Scope) -> ir.Node:
    """`(quote x)`."""
    count_args(call, 1, 1, "(quote form)")
    return constant(datum(call.args[0].form), call.span)


@special("quasiquote")
def quasiquote(call: Call, scope: Scope) -> ir.Node:
    """A template."""
    count_args(call, 1, 1, "(quasiquote form)")
    return _Template(scope).make(call.args[0], 1)


@special("unquote", "unquote-splicing")
def unquote(call: Call, scope: Scope) -> ir.Node:
    """`~x` and `~@x` mean nothing outside a template."""
    mark = "~" if call.head == "unquote" else "~@"
    raise invalid(f"`{mark}` belongs inside a template `` `(…) ``", call.span)


class _Template:
    """One template: the scope of its unquoted forms, and its generated symbols."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.symbols: dict[str, Symbol] = {}

    def make(self, item: Item, depth: int) -> ir.Node:
        """The node that builds `item`."""
        form, span = item
        kind = type(form)
        if kind is Symbol:
            return constant(self._symbol(form), span)
        if kind is List:
            return self._list(item, depth)
        if kind is Vector:
            return self._row(self._pieces(items_of(form, span), depth), "vector", span)
        if kind is Map:
            return self._map(item, depth)
        if kind is Set:
            return self._set(item, depth)
        if kind is MetaForm:
            return self._metadata(form, depth)
        return constant(datum(form), span)

    def _symbol(self, symbol: Symbol) -> Symbol:
        """`x#` as a symbol that no text can contain, one for the whole template."""
        name = symbol.name
        if not name.endswith("#") or len(name) == 1:
            return symbol
        if name not in self.symbols:
            number = self.scope.analysis.environment.modules.fresh_number()
            self.symbols[name] = Symbol.of(f"{name}{number}")
        return self.symbols[name]

    def _list(self, item: Item, depth: int) -> ir.Node:
        form, span = item
        head = form[0] if form else None
        if len(form) == 2 and head in (_UNQUOTE, _SPLICE, _QUASIQUOTE):
            part = items_of(form, span)[1]
            if head is _QUASIQUOTE:
                return self._nested(_QUASIQUOTE, part, depth + 1, span)
            if depth > 1:
                return self._nested(head, part, depth - 1, span)
            if head is _SPLICE:
                raise expansion_error("`~@` belongs inside a list or vector", span)
            return node(part, self.scope)
        return self._row(self._pieces(items_of(form, span), depth), "list", span)

    def _nested(self, head: Symbol, part: Item, depth: int, span: Span) -> ir.Node:
        return self._row([(constant(head, span), False), (self.make(part, depth), False)], "list", span)

    def _pieces(self, items: Sequence[Item], depth: int) -> list[tuple[ir.Node, bool]]:
        """Nodes for the items, and whether each is spliced."""
        return [self._piece(item, depth) for item in items]

    def _piece(self, item: Item, depth: int) -> tuple[ir.Node, bool]:
        form = item.form
        if depth == 1 and type(form) is List and len(form) == 2 and form[0] is _SPLICE:
            return node(items_of(form, item.span)[1], self.scope), True
        return self.make(item, depth), False

    def _row(self, pieces: Sequence[tuple[ir.Node, bool]], kind: str, span: Span) -> ir.Node:
        """A list or vector of the pieces."""
        made = [piece for piece, _ in pieces]
        if not any(spliced for _, spliced in pieces):
            values = [piece.value for piece in made if type(piece) is ir.Constant]
            if len(values) == len(made):
                return constant(List(values) if kind == "list" else Vector(values), span)
            return (ir.ListOf if kind == "list" else ir.VectorOf)(tuple(made), span=span)
        segments: list[ir.Node] = []
        run: list[ir.Node] = []
        for piece, spliced in pieces:
            if not spliced:
                run.append(piece)
                continue
            if run:
                segments.append(ir.VectorOf(tuple(run), span=span))
                run = []
            segments.append(piece)
        if run:
            segments.append(ir.VectorOf(tuple(run), span=span))
        return primitive(f"concat-{kind}", *segments, span=span)

    def _set(self, item: Item, depth: int) -> ir.Node:
        made = [self.make(part, depth) for part in items_of(item.form, item.span)]
        values = [each.value for each in made if type(each) is ir.Constant]
        if len(values) == len(made):
            return constant(Set(values), item.span)
        return ir.SetOf(tuple(made), span=item.span)

    def _map(self, item: Item, depth: int) -> ir.Node:
        made: list[ir.Node] = []
        for key, value in entries_of(item.form, item.span):
            made += (self.make(key, depth), self.make(value, depth))
        values = [each.value for each in made if type(each) is ir.Constant]
        if len(values) == len(made):
            return constant(Map(dict(zip(values[::2], values[1::2], strict=True))), item.span)
        return primitive("form-map", *made, span=item.span)

    def _metadata(self, form: MetaForm, depth: int) -> ir.Node:
        """Metadata as the list that `split_metadata` understands."""
        hint, entries = metadata_as_data(form)
        made = self._row(
            [(self.make(Item(each, form.span), depth), False) for each in entries], "list", form.span
        )
        inner = self.make(Item(form.form, form.form_span), depth)
        parts = [constant(META_SYMBOL, form.span), constant(hint, form.span), made, inner]
        return self._row([(part, False) for part in parts], "list", form.span)


@special("macroexpand", shadowable=True)
def macroexpand(call: Call, scope: Scope) -> ir.Node:
    """`(macroexpand '(m …))`: what a macro call stands for."""
    count_args(call, 1, 1, "(macroexpand 'form)")
    quoted = call.args[0]
    form = quoted.form
    if type(form) is not List or len(form) != 2 or form[0] is not QUOTE:
        raise invalid("`macroexpand` takes a quoted form: `(macroexpand '(name …))`", quoted.span)
    return constant(datum(_expansion(items_of(form, quoted.span)[1], scope).form), call.span)


def _expansion(item: Item, scope: Scope) -> Item:
    form = item.form
    if type(form) is not List or not form or type(form[0]) is not Symbol or scope.find(form[0].name):
        return item
    name = form[0].name
    macro = scope.analysis.environment.macros.get(name)
    if macro is not None:
        return Item(expand(macro, item, scope), item.span)
    if name in ("->", "->>") and len(form) > 1:
        return Item(threaded_form(name, items_of(form, item.span)[1:]), item.span)
    return item
