"""Object forms: `(capability "n" :k v …)`, `(plan …)`, `(resource …)` are maps with string keys."""

from __future__ import annotations

from rtfs import ir
from rtfs.analyze.core import Call, constant, node, special
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import Item, describe, invalid, is_symbol, items_of
from rtfs.values import Keyword, List, Symbol, Value


@special("capability", "plan", "resource", shadowable=True)
def object_(call: Call, scope: Scope) -> ir.Node | None:
    """The map of the object: `"type"`, `"name"`, then its properties in order. Values are evaluated."""
    properties = list(call.args)
    entries = [_entry("type", constant(call.head, call.span), call)]
    first: Value = properties[0].form if properties else None
    if type(first) in (str, Symbol):
        name: Value = first if type(first) is str else first.name
        entries.append(_entry("name", constant(name, properties.pop(0).span), call))
    elif not (call.head == "plan" and first is Keyword.of("name")):
        return None
    index = 0
    while index < len(properties):
        key, value, index = _property(properties, index, call)
        entries.append(_entry(key, node(value, scope), call))
    return ir.MapOf(tuple(entries), span=call.span)


def _entry(key: str, value: ir.Node, call: Call) -> tuple[ir.Node, ir.Node]:
    return constant(key, call.span), value


def _property(items: list[Item], index: int, call: Call) -> tuple[str, Item, int]:
    """Name and value of the property at `index`, and the index after it."""
    item = items[index]
    if type(item.form) is List and item.form and is_symbol(item.form[0], "property"):
        parts = items_of(item.form, item.span)
        if len(parts) == 3 and type(parts[1].form) is Keyword:
            return parts[1].form.name, parts[2], index + 1
    elif type(item.form) is Keyword and index + 1 < len(items):
        return item.form.name, items[index + 1], index + 2
    shape = f"`({call.head} name :key value …)`"
    raise invalid(f"a property of {shape} is a keyword and a value, got {describe(item.form)}", item.span)
