"""From the items between two brackets to a form that knows its place."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from rtfs.delegation import DelegationHint
from rtfs.errors import ReadError, Span
from rtfs.forms import COLON, MetaForm, SourceInfo
from rtfs.reader.metadata import Entries
from rtfs.values import Keyword, List, Map, Set, Symbol, Value, Vector, member_key, type_name

#: most arguments that `#(…)` takes by number
MAX_PLACEHOLDER: Final = 20

_UNQUOTE: Final = Symbol.of("unquote")
_FN: Final = Symbol.of("fn")
_AMPERSAND: Final = Symbol.of("&")
_REST: Final = Symbol.of("%&")
_RESOURCE_REF: Final = Symbol.of("resource:ref")
_GET: Final = Symbol.of("get")
_PLACEHOLDER = re.compile(r"%([1-9][0-9]*)?")

type Placed = tuple[Any, Span]


class Items:
    """The forms read so far inside one pair of brackets, and their spans."""

    __slots__ = ("spans", "values")

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.spans: list[Span] = []

    def refuse_colons(self, where: str) -> None:
        """The annotation colon stands in lists and vectors only."""
        for value, span in zip(self.values, self.spans, strict=True):
            if value is COLON:
                raise ReadError("UnexpectedRule", f"unexpected `:` {where}", ("a form",), span=span)


class Meta(NamedTuple):
    """One `^…` in front of a form."""

    entries: Entries
    hint: DelegationHint | None
    span: Span


class Shorthand:
    """What is known about the `#(…)` being read: its highest `%n`, and whether it has `%&`."""

    __slots__ = ("highest", "rest")

    def __init__(self) -> None:
        self.highest = 0
        self.rest = False

    def resolve(self, symbol: Symbol, span: Span) -> Symbol:
        """`symbol`, or what it stands for if it is a placeholder."""
        if symbol is _REST:
            self.rest = True
            return symbol
        found = _PLACEHOLDER.fullmatch(symbol.name)
        if found is None:
            return symbol
        digits = found[1] or "1"
        if len(digits) > 2 or int(digits) > MAX_PLACEHOLDER:
            raise ReadError("CustomError", f"`#(…)` takes at most {MAX_PLACEHOLDER} arguments", (), span=span)
        self.highest = max(self.highest, int(digits))
        return Symbol.of(f"%{digits}")

    def parameters(self) -> list[Value]:
        """What stands in the parameter vector."""
        named: list[Value] = [Symbol.of(f"%{n}") for n in range(1, self.highest + 1)]
        return [*named, _AMPERSAND, _REST] if self.rest else named


def span_between(first: Span, last: Span) -> Span:
    """From the start of `first` to the end of `last`."""
    return Span(first.line, first.column, last.end_line, last.end_column)


def _list(values: list[Value], span: Span, spans: tuple[Span, ...]) -> List:
    made = List(values)
    made.source_info = SourceInfo(span, spans)
    return made


def _vector(values: list[Value], span: Span, spans: tuple[Span, ...]) -> Vector:
    made = Vector(values)
    made.source_info = SourceInfo(span, spans)
    return made


def make_list(items: Items, span: Span) -> Placed:
    """`(…)`; `(.m obj a)` becomes `(m obj a)`."""
    values = items.values
    if values and type(values[0]) is Symbol and values[0].name[0] == ".":
        method = values[0].name
        if len(values) == 1:
            raise ReadError("MissingToken", f"`({method} …)` has no object", ("a form",), span=span)
        values[0] = Symbol.of(method[1:])
    return _list(values, span, tuple(items.spans)), span


def make_vector(items: Items, span: Span) -> Placed:
    """`[…]`."""
    return _vector(items.values, span, tuple(items.spans)), span


def make_map(items: Items, span: Span) -> Placed:
    """`{k v …}`; of equal keys the last one's value counts, in the first one's place."""
    values, spans = items.values, items.spans
    items.refuse_colons("in a map")
    if len(values) % 2:
        error = ReadError(
            "MissingToken",
            f"a map has an even number of forms, got {len(values)}",
            ("a value",),
            span=spans[-1],
        )
        error.hint = "the last key has no value"
        raise error
    table: dict[Value, Value] = {}
    places: dict[Value, tuple[Span, Span]] = {}
    for i in range(0, len(values), 2):
        key = values[i]
        if not _may_be_key(key):
            raise _bad_key(key, spans[i])
        table[key] = values[i + 1]
        places[key] = (spans[i], spans[i + 1])
    made = Map(table)
    made.source_info = SourceInfo(span, tuple(each for pair in places.values() for each in pair))
    return made, span


def _may_be_key(key: Value) -> bool:
    """Symbols are keys of map *patterns* (`{name :name & rest}`); `~x` of templates."""
    kind = type(key)
    if kind is Keyword or kind is str or kind is int or kind is Symbol:
        return True
    return kind is List and len(key) == 2 and key[0] is _UNQUOTE


def _bad_key(key: Value, span: Span) -> ReadError:
    what = "metadata" if type(key) is MetaForm else type_name(key)
    error = ReadError(
        "UnexpectedRule", f"{what} cannot be a map key", ("a keyword", "a string", "an integer"), span=span
    )
    error.hint = "for a computed key write `(hash-map key value …)`"
    return error


def make_set(items: Items, span: Span) -> Placed:
    """`#{…}`; of equal members the last one counts, in the first one's place."""
    items.refuse_colons("in a set")
    try:
        made = Set(items.values)
        places = {member_key(value): place for value, place in zip(items.values, items.spans, strict=True)}
    except RecursionError:
        raise ReadError("CustomError", "a set member nests too deeply", (), span=span) from None
    made.source_info = SourceInfo(span, tuple(places.values()))
    return made, span


def make_shorthand(shorthand: Shorthand, items: Items, opener: Span, span: Span) -> Placed:
    """`#(body…)` as `(fn [%1 …] (body…))`."""
    body, _ = make_list(items, span)
    parameters = shorthand.parameters()
    vector = _vector(parameters, opener, (opener,) * len(parameters))
    return _list([_FN, vector, body], span, (opener, opener, span)), span


def make_prefixed(head: Symbol, value: Value, prefix: Span, value_span: Span) -> Placed:
    """`'x` as `(quote x)`, and so on."""
    span = span_between(prefix, value_span)
    return _list([head, value], span, (prefix, value_span)), span


def make_context_ref(value: Value, prefix: Span, value_span: Span) -> Placed:
    """`@name` as `(resource:ref "name")`, `@:key` as `(get :key)`."""
    if type(value) is Symbol:
        return make_prefixed(_RESOURCE_REF, value.name, prefix, value_span)
    if type(value) is Keyword:
        return make_prefixed(_GET, value, prefix, value_span)
    error = ReadError(
        "UnsupportedRule",
        f"`@` stands before a name or a keyword, got {type_name(value)}",
        ("@name", "@:key"),
        span=span_between(prefix, value_span),
    )
    error.hint = "there is no deref; state lives in the host, see `(call :ccos.state.kv.get …)`"
    raise error


def make_meta_form(metas: list[Meta], form: Value, form_span: Span) -> Placed:
    """`^… ^… form`; of equal keys the last counts, and at most one may be a delegation hint."""
    hints = [meta for meta in metas if meta.hint is not None]
    if len(hints) > 1:
        raise ReadError(
            "CustomError", "two delegation hints before one form", ("one hint",), span=hints[1].span
        )
    entries = tuple({key: value for meta in metas for key, value in meta.entries}.items())
    span = span_between(metas[0].span, form_span)
    return MetaForm(entries, hints[0].hint if hints else None, form, span, form_span), span
