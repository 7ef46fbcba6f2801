"""What an engine is told about the functions of a unit."""

from __future__ import annotations

from collections.abc import Iterator

from rtfs import ir
from rtfs.delegation import FunctionInfo
from rtfs.ir_walk import children


def functions_of(unit: ir.Unit) -> Iterator[tuple[ir.Lambda, FunctionInfo]]:
    """Every function of `unit`, with what is known about it."""
    todo: list[tuple[ir.Node, str | None]] = [(form, None) for form in reversed(unit.forms)]
    while todo:
        node, module = todo.pop()
        if isinstance(node, ir.ModuleForm):
            module = node.name
        if isinstance(node, ir.Lambda):
            yield node, describe(node, module)
        todo.extend((child, module) for child in reversed(list(children(node))))


def describe(node: ir.Lambda, module: str | None) -> FunctionInfo:
    """The facts about one function. Of several arities the first counts."""
    from rtfs.ir_codec import content_hash
    from rtfs.types.parser import type_text

    arity = node.arities[0]
    params = [*arity.params, *([arity.rest] if arity.rest else [])]
    name = node.name
    if name is None:
        name = f"fn@{node.span.line}:{node.span.column}" if node.span else "fn"
    return FunctionInfo(
        symbol=f"{module}/{name}" if module else name,
        doc=node.doc,
        parameters=tuple(param.local.name for param in params),
        parameter_types=tuple("any" if param.type is None else type_text(param.type) for param in params),
        return_type="any" if arity.returns is None else type_text(arity.returns),
        hint=node.hint,
        metadata=dict(node.metadata),
        ir_hash=content_hash(node),
    )
