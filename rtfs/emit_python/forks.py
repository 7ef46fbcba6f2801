"""Forks: each part becomes a function, and a helper calls them (`rtfs.overlap.fork`).

Only what stands between the first and the last part that may wait is in a fork; what comes before is evaluated
before it, what comes after when it has been joined. So errors come in the order of the program.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from rtfs import ir
from rtfs.emit_python.emitter import Change, Destination, Emitter
from rtfs.emit_python.facts import Fact
from rtfs.emit_python.functions import emit_part, part_value
from rtfs.passes.forks import Bindings, Items

type Typed = tuple[ast.expr, Fact]


def emit_items(e: Emitter, fork: Items, nodes: Sequence[ir.Node], change: Change | None) -> list[Typed]:
    """As `Emitter.exprs`, for nodes of which some may wait at the same time."""
    first, end = fork.first, fork.last + 1
    before = [(e.spilled(value), fact) for value, fact in e.exprs(nodes[:first], change)]
    facts: dict[int, Fact] = {}
    parts: list[ast.expr] = []
    for index in range(first, end):
        if not _is_there(e, nodes[index], change):
            part, facts[index] = _part(e, index, nodes[index], change)
            parts.append(part)
    names = {index: e.temporary() for index in facts}
    _assign(e, [ast.Name(name, ast.Store(), **e.at) for name in names.values()], e.helper("fork", *parts))
    forked = [
        (e.name(names[index]), facts[index]) if index in names else e.expr(nodes[index])
        for index in range(first, end)
    ]
    later = None if change is None else lambda index, value: change(end + index, value)
    return [*before, *forked, *e.exprs(nodes[end:], later)]


def _is_there(e: Emitter, node: ir.Node, change: Change | None) -> bool:
    """Whether the value of `node` can be had at any time."""
    if isinstance(node, ir.Constant):
        return True
    return isinstance(node, ir.LocalRef) and change is None and e.local(node.local) not in e.mutable


def _part(e: Emitter, index: int, node: ir.Node, change: Change | None) -> Typed:
    target = part_value(e)
    if change is not None:
        target = Destination(lambda value, fact: [ast.Return(change(index, value), **e.at)])
    return emit_part(e, [], lambda: e.into(node, target)), target.fact


def emit_bindings(e: Emitter, bindings: Sequence[ir.Binding], fork: Bindings) -> None:
    """Bind what a fork gives. A part takes the values of the parts that it needs as its arguments."""
    groups: list[list[ir.Binding]] = []
    start = 0
    for size in fork.sizes:
        groups.append(list(bindings[start : start + size]))
        start += size
    facts: dict[int, Fact] = {}
    parts = [
        _binding_part(e, group, [groups[each] for each in needs], facts)
        for group, needs in zip(groups, fork.needs, strict=True)
    ]
    needs = e.tuple_of(e.tuple_of(map(e.python, each)) for each in fork.needs)
    for binding in bindings:
        e.own(binding.local)
    _assign(e, [_target(e, group) for group in groups], e.helper("flow", needs, *parts))
    _know(e, bindings, facts)


def _binding_part(
    e: Emitter, group: list[ir.Binding], needed: list[list[ir.Binding]], facts: dict[int, Fact]
) -> ast.expr:
    from rtfs.emit_python.control import bind

    params = [e.local(each[0].local) if len(each) == 1 else e.temporary() for each in needed]

    def body() -> None:
        for name, each in zip(params, needed, strict=True):
            _know(e, each, facts)
            if len(each) > 1:
                e.block.append(ast.Assign([_target(e, each)], e.name(name), **e.at))
        for binding in group:
            bind(e, binding)
            facts[binding.local.id] = e.fact_of(binding.local)
        values = [e.name(e.local(binding.local)) for binding in group]
        e.block.append(ast.Return(values[0] if len(values) == 1 else e.tuple_of(values), **e.at))

    return emit_part(e, params, body)


def _target(e: Emitter, group: list[ir.Binding]) -> ast.expr:
    names: list[ast.expr] = [ast.Name(e.local(binding.local), ast.Store(), **e.at) for binding in group]
    return names[0] if len(names) == 1 else ast.Tuple(names, ast.Store(), **e.at)


def _know(e: Emitter, bindings: Sequence[ir.Binding], facts: dict[int, Fact]) -> None:
    for binding in bindings:
        if e.local(binding.local) not in e.mutable:
            e.facts[binding.local.id] = facts[binding.local.id]


def _assign(e: Emitter, targets: list[ast.expr], values: ast.expr) -> None:
    e.block.append(ast.Assign([ast.Tuple(targets, ast.Store(), **e.at)], values, **e.at))
