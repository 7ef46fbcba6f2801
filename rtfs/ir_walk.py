"""The children of an IR node, by its fields, in evaluation order.

`__match_args__` of a node are its fields without the span, which is keyword-only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rtfs import ir

_PARTS: Final = (ir.Binding, ir.Arity, ir.Catch, ir.Iterate, ir.LetClause, ir.When, ir.While)


def children(node: Any) -> Iterator[ir.Node]:
    """Every node directly below `node`, through bindings, arities, clauses and tuples."""
    for name in type(node).__match_args__:
        yield from _nodes(getattr(node, name))


def _nodes(value: Any) -> Iterator[ir.Node]:
    if isinstance(value, ir.Node):
        yield value
    elif isinstance(value, _PARTS):
        yield from children(value)
    elif type(value) is tuple:
        for item in value:
            yield from _nodes(item)


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
