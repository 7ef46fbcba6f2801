"""`match`: patterns become tests and bindings.

A clause is `(if (and test (let [bindings] guard)) (let [bindings] body) next)`. The bindings of a guarded
clause are made twice, which costs little and keeps the next clause from being written twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtfs import ir
from rtfs.analyze.annotations import take_type
from rtfs.analyze.core import Call, constant, count_args, frame_body, node, primitive, special
from rtfs.analyze.patterns import map_without, split_vector, take
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import (
    AMPERSAND,
    QUOTE,
    Item,
    datum,
    describe,
    entries_of,
    invalid,
    is_symbol,
    items_of,
    split_metadata,
)
from rtfs.errors import Span
from rtfs.ir import Local
from rtfs.types.model import Type
from rtfs.values import MAP_KEY_TYPES, Keyword, List, Map, Set, Symbol, Value, Vector


@dataclass(frozen=True, slots=True)
class Anything:
    """`_`, and a name: `name` is bound to the value."""

    span: Span
    name: str | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that must be equal."""

    span: Span
    value: Value


@dataclass(frozen=True, slots=True)
class OfType:
    """A type that the value must belong to."""

    span: Span
    type: Type


@dataclass(frozen=True, slots=True)
class SequencePattern:
    """`[p… & rest]`."""

    span: Span
    items: tuple[Pattern, ...]
    is_open: bool
    rest: Pattern | None


@dataclass(frozen=True, slots=True)
class MapPattern:
    """`{k p… & rest}`."""

    span: Span
    entries: tuple[tuple[Value, Pattern], ...]
    is_open: bool
    rest: Pattern | None


@dataclass(frozen=True, slots=True)
class Whole:
    """`(:as name p)`."""

    span: Span
    name: str
    pattern: Pattern


type Pattern = Anything | Literal | OfType | SequencePattern | MapPattern | Whole


@dataclass(frozen=True, slots=True)
class Clause:
    """`pattern (when guard)? body`."""

    pattern: Pattern
    guard: Item | None
    body: Item


@special("match")
def match(call: Call, scope: Scope) -> ir.Node:
    """`(match e pattern (when guard)? body …)`."""
    count_args(call, 3, None, "(match value pattern result …)")
    span = call.span
    value = scope.new_local("value")
    subject = ir.Binding(value, node(call.args[0], scope))
    made = [(clause, _clause(clause, value, scope, call.tail)) for clause in _split(call, scope)]
    result: ir.Node = primitive("no-match", ir.LocalRef(value, span=span), span=span)
    for clause, (test, body) in reversed(made):
        result = body if test is None else ir.If(test, body, result, span=clause.body.span)
    return ir.Let((subject,), result, span=span)


def _split(call: Call, scope: Scope) -> list[Clause]:
    items = call.args[1:]
    clauses = []
    index = 0
    while index < len(items):
        pattern, index = _take_pattern(items, index, scope)
        guard = None
        if index + 1 < len(items) and is_symbol(items[index].form, "when"):
            guard = items[index + 1]
            index += 2
        if index == len(items):
            raise invalid("the last pattern of `match` has no result", items[-1].span)
        clauses.append(Clause(pattern, guard, items[index]))
        index += 1
    return clauses


def _clause(clause: Clause, value: Local, scope: Scope, tail: bool) -> tuple[ir.Node | None, ir.Node]:
    """The test, None if it always holds, and what the clause gives."""
    test = _test(clause.pattern, value, scope)
    if clause.guard is not None:
        inner = scope.child()
        bindings = _bindings(clause.pattern, value, inner)
        guard = _let(bindings, frame_body([clause.guard], inner, clause.guard.span), clause.guard.span)
        test = guard if test is None else ir.And((test, guard), span=clause.guard.span)
    inner = scope.child()
    bindings = _bindings(clause.pattern, value, inner)
    return test, _let(bindings, frame_body([clause.body], inner, clause.body.span, tail), clause.body.span)


def _let(bindings: list[ir.Binding], body: ir.Node, span: Span) -> ir.Node:
    return ir.Let(tuple(bindings), body, span=span) if bindings else body


# ---------------------------------------------------------------- reading patterns


def _take_pattern(items: Sequence[Item], index: int, scope: Scope) -> tuple[Pattern, int]:
    """The pattern at `index`; a bracketed type may be followed by `?`."""
    from rtfs.types.parser import optional

    found = _pattern(items[index], scope)
    index += 1
    if isinstance(found, OfType) and index < len(items) and is_symbol(items[index].form, "?"):
        return OfType(found.span, optional(found.type)), index + 1
    return found, index


def _pattern(item: Item, scope: Scope) -> Pattern:
    _, item = split_metadata(item)
    form, span = item
    kind = type(form)
    if kind is Symbol and form is not AMPERSAND:
        return Anything(span, None if form.name == "_" else form.name)
    if kind is Vector:
        return _vector_pattern(item, scope)
    if kind is Map:
        return _map_pattern(item, scope)
    if kind is List and form:
        return _list_pattern(item, scope)
    if kind in (List, Set, Symbol):
        raise invalid(f"{describe(form)} is no pattern", span)
    return Literal(span, datum(form))


def _vector_pattern(item: Item, scope: Scope) -> Pattern:
    from rtfs.types.parser import looks_like_type, parse_type

    form, span = item
    if looks_like_type(form, scope.analysis.environment.types):
        return OfType(span, parse_type(form, where=span))
    parts = split_vector(items_of(form, span))
    rest = None if parts.rest is None else _pattern(parts.rest, scope)
    made = SequencePattern(span, tuple([_pattern(part, scope) for part in parts.items]), parts.is_open, rest)
    return made if parts.whole is None else Whole(parts.whole.span, parts.whole.form.name, made)


def _map_pattern(item: Item, scope: Scope) -> Pattern:
    entries: list[tuple[Value, Pattern]] = []
    whole: Item | None = None
    rest: Pattern | None = None
    is_open = False
    for key, value in entries_of(item.form, item.span):
        if key.form is AMPERSAND:
            rest, is_open = _pattern(value, scope), True
        elif key.form is Keyword.of("as") and type(value.form) is Symbol:
            whole = value
        elif type(key.form) in MAP_KEY_TYPES:
            entries.append((key.form, _pattern(value, scope)))
        else:
            raise invalid(
                f"a map pattern takes keywords, strings and integers as keys, got {describe(key.form)}",
                key.span,
            )
    made = MapPattern(item.span, tuple(entries), is_open, rest)
    return made if whole is None else Whole(whole.span, whole.form.name, made)


def _list_pattern(item: Item, scope: Scope) -> Pattern:
    parts = items_of(item.form, item.span)
    head = parts[0].form
    if head is QUOTE and len(parts) == 2:
        return Literal(item.span, datum(parts[1].form))
    if head is Keyword.of("as") and len(parts) == 3 and type(parts[1].form) is Symbol:
        return Whole(parts[1].span, parts[1].form.name, _pattern(parts[2], scope))
    if head is Keyword.of("type") and len(parts) >= 2:
        found, after = take_type(parts, 1)
        if after == len(parts):
            return OfType(item.span, found)
    raise invalid(
        f"{describe(item.form)} is no pattern; `(:as name pattern)`, `(:type T)` and `'symbol` are", item.span
    )


# ---------------------------------------------------------------- tests


def _test(pattern: Pattern, value: Local, scope: Scope) -> ir.Node | None:
    """Whether the value of `value` matches; None if anything does."""
    span = pattern.span
    match pattern:
        case Anything():
            return None
        case Literal(value=wanted):
            return take("equal", value, wanted, span)
        case OfType(type=type_):
            return ir.IsType(ir.LocalRef(value, span=span), type_, span=span)
        case Whole(pattern=inner):
            return _test(inner, value, scope)
        case SequencePattern():
            shape = "is-sequence-from" if pattern.is_open else "is-sequence-of"
            tests = [take(shape, value, len(pattern.items), span)]
        case MapPattern():
            shape = "is-map-having" if pattern.is_open else "is-map-with"
            keys = [constant(key, span) for key, _ in pattern.entries]
            tests = [primitive(shape, ir.LocalRef(value, span=span), *keys, span=span)]
    for part, part_value in _parts(pattern, value):
        tests += _test_part(part, part_value, scope)
    return tests[0] if len(tests) == 1 else ir.And(tuple(tests), span=span)


def _parts(pattern: SequencePattern | MapPattern, value: Local) -> list[tuple[Pattern, ir.Node]]:
    """The patterns in a pattern, each with the part of the value that it is for."""
    rest = pattern.rest
    if isinstance(pattern, SequencePattern):
        made: list[tuple[Pattern, ir.Node]] = [
            (part, take("item", value, i, part.span)) for i, part in enumerate(pattern.items)
        ]
        if rest is not None:
            made.append((rest, take("items-from", value, len(pattern.items), rest.span)))
        return made
    made = [(part, take("map-get", value, key, part.span)) for key, part in pattern.entries]
    if rest is not None:
        made.append((rest, map_without(value, [key for key, _ in pattern.entries], rest.span)))
    return made


def _test_part(part: Pattern, value: ir.Node, scope: Scope) -> list[ir.Node]:
    local = scope.new_local("part")
    test = _test(part, local, scope)
    return [] if test is None else [ir.Let((ir.Binding(local, value),), test, span=part.span)]


# ---------------------------------------------------------------- bindings


def _bindings(pattern: Pattern, value: Local, scope: Scope) -> list[ir.Binding]:
    """What the pattern binds, if the value of `value` matches."""
    span = pattern.span
    match pattern:
        case Anything(name=name) if name is not None:
            return [ir.Binding(scope.bind(name), ir.LocalRef(value, span=span))]
        case Whole(name=name, pattern=inner):
            whole = ir.Binding(scope.bind(name), ir.LocalRef(value, span=span))
            return [whole, *_bindings(inner, value, scope)]
        case SequencePattern() | MapPattern():
            made: list[ir.Binding] = []
            for part, part_value in _parts(pattern, value):
                made += _bind_part(part, part_value, scope)
            return made
        case _:
            return []


def _bind_part(part: Pattern, value: ir.Node, scope: Scope) -> list[ir.Binding]:
    if isinstance(part, Anything):
        return [] if part.name is None else [ir.Binding(scope.bind(part.name), value)]
    if isinstance(part, Literal | OfType):
        return []
    local = scope.new_local("part")
    inner = _bindings(part, local, scope)
    return [ir.Binding(local, value), *inner] if inner else []
