"""In which scope the local of a `def` inside a frame lives.

The IR does not declare such locals. Scopes are calls, turns of loops and of `for`, and top-level forms; the
local lives in the innermost one that holds all its uses. So a name defined and used within a loop turn is fresh
in each turn, and one that is used after the loop outlives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rtfs import ir
from rtfs.ir_walk import children

#: the scope of a top-level form
TOP = 0


class _Path(NamedTuple):
    """The scopes around a node, innermost first."""

    scope: int
    depth: int
    parent: _Path | None


def homes(forms: Iterable[ir.Node]) -> dict[int, int]:
    """Scope (`scope_of` its node, or `TOP`) of each local that has a `LocalDef`, by id of the local."""
    todo: list[tuple[ir.Node, _Path]] = [(form, _Path(TOP, 0, None)) for form in forms]
    defined: set[int] = set()
    common: dict[int, _Path] = {}
    while todo:
        node, path = todo.pop()
        if isinstance(node, ir.LocalDef):
            defined.add(node.local.id)
        if isinstance(node, ir.LocalRef | ir.LocalDef):
            known = common.get(node.local.id)
            common[node.local.id] = path if known is None else _shared(known, path)
        todo.extend(_below(node, path))
    return {local: common[local].scope for local in defined}


def scope_of(node: ir.Arity | ir.Loop | ir.For) -> int:
    """The name of the scope that `node` opens."""
    return id(node)


def _below(node: ir.Node, path: _Path) -> Iterator[tuple[ir.Node, _Path]]:
    match node:
        case ir.Lambda(arities=arities):
            for arity in arities:
                yield arity.body, _Path(scope_of(arity), path.depth + 1, path)
        case ir.Loop(bindings=bindings, body=body):
            for binding in bindings:
                yield binding.value, path
            yield body, _Path(scope_of(node), path.depth + 1, path)
        case ir.For():
            inner = _Path(scope_of(node), path.depth + 1, path)
            for index, child in enumerate(children(node)):
                # the first child is the first collection, evaluated before there is any turn
                yield child, inner if index else path
        case _:
            for child in children(node):
                yield child, path


def _shared(a: _Path, b: _Path) -> _Path:
    """The innermost scope around both."""
    while a is not b:
        if a.depth >= b.depth and a.parent is not None:
            a = a.parent
        elif b.parent is not None:
            b = b.parent
        else:
            break
    return a
