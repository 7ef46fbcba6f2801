"""The children of an IR node, by its fields, in evaluation order.

`__match_args__` of a node are its fields without the span, which is keyword-only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

from rtfs import ir

_PARTS: Final = (ir.Binding, ir.Arity, ir.Catch, ir.Iterate, ir.LetClause, ir.When, ir.While)


def children(node: Any) -> Iterator[ir.Node]:
    """Every node directly below `node`, through bindings, arities, clauses and tuples."""
    found: list[ir.Node] = []
    _collect(node, found)
    return iter(found)


def _collect(part: object, found: list[ir.Node]) -> None:
    kind = type(part)
    names = _known_fields.get(kind)
    if names is None:
        names = _known_fields[kind] = _inner_fields(kind)
    for name in names:
        _add(getattr(part, name), found)


def _add(value: Any, found: list[ir.Node]) -> None:
    if type(value) is tuple:
        for item in value:
            _add(item, found)
    elif isinstance(value, ir.Node):
        found.append(value)
    elif isinstance(value, _PARTS):
        _collect(value, found)


_INNER: Final = re.compile(r"\b(Node|Clause|" + "|".join(part.__name__ for part in _PARTS) + r")\b")

_known_fields: Final[dict[type, tuple[str, ...]]] = {}


def _inner_fields(kind: Any) -> tuple[str, ...]:
    """The fields of a node or part whose declared type lets them hold nodes."""
    return tuple(each.name for each in fields(kind) if each.name != "span" and _INNER.search(str(each.type)))


def free_locals(node: ir.Node) -> set[int]:
    """Ids of the locals that `node` reads or assigns; those it binds itself too, ids being unique."""
    found: set[int] = set()
    todo = [node]
    while todo:
        node = todo.pop()
        if isinstance(node, ir.LocalRef | ir.LocalDef):
            found.add(node.local.id)
        todo.extend(children(node))
    return found


def locals_of(nodes: tuple[ir.Node, ...]) -> Iterator[ir.Local]:
    """Every local that is bound, read or assigned below `nodes`, some more than once."""
    todo: list[Any] = list(nodes)
    while todo:
        part = todo.pop()
        if isinstance(part, ir.Local):
            yield part
        elif type(part) is tuple:
            todo.extend(part)
        elif isinstance(part, (ir.Node, ir.Param, *_PARTS)):
            todo.extend(getattr(part, name) for name in type(part).__match_args__)
