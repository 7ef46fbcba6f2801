"""Destructuring (language.md §4): a pattern and a local with its value → bindings.

`Let` and primitives do the work: `destructure-vector` checks the shape, `item` takes a part. A part that is
itself a pattern gets a local that no name reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rtfs import ir
from rtfs.analyze.core import node, primitive
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import (
    AMPERSAND,
    Item,
    describe,
    entries_of,
    invalid,
    is_symbol,
    items_of,
    split_metadata,
)
from rtfs.errors import Span
from rtfs.forms import MetaForm
from rtfs.ir import Local
from rtfs.types.model import Type
from rtfs.values import MAP_KEY_TYPES, Keyword, Map, Symbol, Value, Vector


def is_pattern(form: Value) -> bool:
    """Whether `form` can stand for what is bound."""
    return type(form) in (Symbol, Vector, Map) and form is not AMPERSAND


def name_of(item: Item) -> str | None:
    """The name that a plain pattern binds; None for `_` and for patterns with parts."""
    form = item.form
    return form.name if type(form) is Symbol and form.name != "_" else None


def symbols_in(item: Item) -> set[str]:
    """The names in a pattern: all that it binds, and those in its defaults."""
    found = set()
    todo = [item.form]
    while todo:
        form = todo.pop()
        kind = type(form)
        if kind is Symbol:
            found.add(form.name)
        elif kind is Vector:
            todo.extend(form.to_list())
        elif kind is Map:
            todo.extend(form.keys())
            todo.extend(form.values())
        elif kind is MetaForm:
            todo.append(form.form)
    return found


def bind_value(
    item: Item, value: ir.Node, scope: Scope, type_: Type | None = None, hidden: str = "value"
) -> list[ir.Binding]:
    """Bind pattern `item` to `value`, of type `type_` as a whole."""
    _, item = split_metadata(item)
    name = name_of(item)
    if name is not None:
        return [ir.Binding(scope.bind(name), value, type_)]
    local = scope.new_local("_" if is_symbol(item.form, "_") else hidden)
    return [ir.Binding(local, value, type_), *bind_parts(item, local, scope)]


def bind_parts(item: Item, local: Local, scope: Scope) -> list[ir.Binding]:
    """Bind the parts of pattern `item` to the parts of the value of `local`."""
    _, item = split_metadata(item)
    form = item.form
    if type(form) is Vector:
        return _bind_vector(item, local, scope)
    if type(form) is Map:
        return _bind_map(item, local, scope)
    if type(form) is not Symbol or form is AMPERSAND:
        raise invalid(f"a name or a pattern belongs here, got {describe(form)}", item.span)
    name = name_of(item)
    return [] if name is None else [ir.Binding(scope.bind(name), ir.LocalRef(local, span=item.span))]


# ---------------------------------------------------------------- vectors


@dataclass(slots=True)
class VectorPattern:
    """`[items… & rest :as whole]`."""

    items: list[Item]
    rest: Item | None = None
    #: whether there is a `&`, with or without a name
    is_open: bool = False
    whole: Item | None = None


def split_vector(parts: Sequence[Item]) -> VectorPattern:
    """The parts of a vector pattern, of `let` or of `match`."""
    found = VectorPattern([])
    index = 0
    while index < len(parts):
        form = parts[index].form
        if form is AMPERSAND and not found.is_open:
            found.is_open = True
            if index + 1 < len(parts) and is_pattern(parts[index + 1].form):
                index += 1
                found.rest = parts[index]
        elif form is Keyword.of("as") and index == len(parts) - 2:
            found.whole = _symbol(parts[index + 1], "`:as`")
            index += 1
        elif found.is_open:
            raise invalid("after `& rest` only `:as name` may follow", parts[index].span)
        else:
            found.items.append(parts[index])
        index += 1
    return found


def _symbol(item: Item, after: str) -> Item:
    if type(item.form) is not Symbol:
        raise invalid(f"a name belongs after {after}, got {describe(item.form)}", item.span)
    return item


def _bind_vector(item: Item, local: Local, scope: Scope) -> list[ir.Binding]:
    pattern = split_vector(items_of(item.form, item.span))
    if pattern.is_open and pattern.rest is None:
        raise invalid("a name belongs after `&`", item.span)
    span = item.span
    check = "destructure-vector-rest" if pattern.is_open else "destructure-vector"
    count = ir.Constant(len(pattern.items), span=span)
    checked = scope.new_local("vector")
    made = [ir.Binding(checked, primitive(check, ir.LocalRef(local, span=span), count, span=span))]
    for index, part in enumerate(pattern.items):
        if not is_symbol(part.form, "_"):
            made += bind_value(part, take("item", checked, index, part.span), scope)
    if pattern.rest is not None:
        rest = take("items-from", checked, len(pattern.items), pattern.rest.span)
        made += bind_value(pattern.rest, rest, scope)
    if pattern.whole is not None:
        made += bind_parts(pattern.whole, local, scope)
    return made


def take(operation: str, local: Local, key: Value, span: Span) -> ir.Node:
    """A primitive on a local and a constant."""
    return primitive(operation, ir.LocalRef(local, span=span), ir.Constant(key, span=span), span=span)


# ---------------------------------------------------------------- maps


@dataclass(slots=True)
class MapPattern:
    """`{entries… & rest :as whole :or defaults}`."""

    #: key and the pattern of its value
    entries: list[tuple[Value, Item]] = field(default_factory=list)
    rest: Item | None = None
    whole: Item | None = None
    defaults: dict[str, Item] = field(default_factory=dict)


def _bind_map(item: Item, local: Local, scope: Scope) -> list[ir.Binding]:
    pattern = _split_map(item)
    span = item.span
    checked = scope.new_local("map")
    made = [ir.Binding(checked, primitive("destructure-map", ir.LocalRef(local, span=span), span=span))]
    for key, part in pattern.entries:
        made += bind_value(part, _map_value(key, part, checked, pattern, scope), scope)
    if pattern.rest is not None:
        keys = [key for key, _ in pattern.entries]
        made += bind_value(pattern.rest, map_without(checked, keys, pattern.rest.span), scope)
    if pattern.whole is not None:
        made += bind_parts(pattern.whole, local, scope)
    if pattern.defaults:
        name, value = next(iter(pattern.defaults.items()))
        raise invalid(f"`:or` has a default for `{name}`, which the pattern does not bind", value.span)
    return made


def map_without(local: Local, keys: Sequence[Value], span: Span) -> ir.Node:
    """The map without the keys that a pattern mentions."""
    mentioned = [ir.Constant(key, span=span) for key in keys]
    return primitive("map-without", ir.LocalRef(local, span=span), *mentioned, span=span)


def _map_value(key: Value, part: Item, local: Local, pattern: MapPattern, scope: Scope) -> ir.Node:
    found = take("map-get", local, key, part.span)
    name = name_of(split_metadata(part)[1])
    default = None if name is None else pattern.defaults.pop(name, None)
    if default is None:
        return found
    has = take("has-key", local, key, part.span)
    return ir.If(has, found, node(default, scope), span=part.span)


def _split_map(item: Item) -> MapPattern:
    pattern = MapPattern()
    for key, value in entries_of(item.form, item.span):
        form = key.form
        option = form.name if type(form) is Keyword else ""
        if option in ("keys", "strs") and type(value.form) is Vector:
            pattern.entries += [_keyed(option, part) for part in items_of(value.form, value.span)]
        elif option == "or" and type(value.form) is Map:
            pattern.defaults.update(_defaults(value))
        elif option == "as":
            pattern.whole = _symbol(value, "`:as`")
        elif form is AMPERSAND:
            pattern.rest = value
        elif type(form) in MAP_KEY_TYPES:
            pattern.entries.append((form, value))
        else:
            pattern.entries.append((_literal_key(value), key))
    return pattern


def _keyed(option: str, item: Item) -> tuple[Value, Item]:
    """`a` of `:keys [a]`: its key, and the name it binds, which has no namespace."""
    form = item.form
    if type(form) is not Symbol and type(form) is not Keyword:
        raise invalid(f"`:{option}` lists names, got {describe(form)}", item.span)
    key = Keyword.of(form.name) if option == "keys" else form.name
    return key, Item(Symbol.of(form.name.rpartition("/")[2] or form.name), item.span)


def _defaults(item: Item) -> dict[str, Item]:
    found = {}
    for key, value in entries_of(item.form, item.span):
        if type(key.form) is not Symbol and type(key.form) is not Keyword:
            raise invalid(f"`:or` gives names their defaults, got {describe(key.form)}", key.span)
        found[key.form.name] = value
    return found


def _literal_key(item: Item) -> Value:
    if type(item.form) not in MAP_KEY_TYPES:
        raise invalid(
            f"a map pattern takes a keyword, string or integer as key, got {describe(item.form)}", item.span
        )
    return item.form
