"""A node with its children replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from rtfs import ir

#: records between a node and its children
_PARTS: Final = frozenset((ir.Binding, ir.Arity, ir.Catch, ir.Iterate, ir.LetClause, ir.When, ir.While))
#: fields that hold no nodes; looking into them would only take time
_PLAIN: Final = frozenset(
    """span value_span local locals name names label type returns params rest doc hint metadata may_delegate
    self_local collect params_local kind selector also exports defines docstring fields module or_nil""".split()
)


#: the fields of a node or part that may hold nodes, by its kind; filled as kinds are met
_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    ir.Step: ("name", "options", "params", "body"),
    ir.Constant: (),
}


def _names(kind: type[Any]) -> tuple[str, ...]:
    found = _FIELDS.get(kind)
    if found is None:
        found = _FIELDS[kind] = tuple([each.name for each in fields(kind) if each.name not in _PLAIN])
    return found


def rebuild(node: Any, change: Callable[[ir.Node], ir.Node]) -> Any:
    """A node of the same kind as `node`, with `change` applied to each child; itself if no child changed.

    Plain Python calls only, so that deep programs cost recursion depth and no C stack.
    """
    kind = type(node)
    changed: dict[str, Any] = {}
    for name in _names(kind):
        before = getattr(node, name)
        after = _changed(before, change)
        if after is not before:
            changed[name] = after
    if not changed:
        return node
    values = {field.name: getattr(node, field.name) for field in fields(kind)}
    return kind(**{**values, **changed})


def _changed(value: Any, change: Callable[[ir.Node], ir.Node]) -> Any:
    if isinstance(value, ir.Node):
        return change(value)
    if type(value) in _PARTS:
        return rebuild(value, change)
    if type(value) is not tuple:
        return value
    made = tuple([_changed(item, change) for item in value])
    for before, after in zip(value, made, strict=True):
        if before is not after:
            return made
    return value
