"""What must hold of a unit beyond the kinds of its fields, so that a backend may trust one it did not make.

The analyzer makes only such units; this is for units out of a file. `recur` stands in a tail position of its
target and matches it, locals and labels are bound once in a top-level form, primitives exist, and nothing is
empty that must not be. A local that is bound nowhere is an error when it is read, not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rtfs import errors, ir
from rtfs.ir_codec.schema import RECORD_OPS, field_names
from rtfs.ir_walk import children
from rtfs.stdlib.registry import arity

#: labels that a `recur` may name here, and how many values each takes
type _Targets = Mapping[int, int]

_NONE: Final[_Targets] = {}
_NOT_EMPTY: Final[dict[type, str]] = {
    ir.Do: "items",
    ir.And: "items",
    ir.Or: "items",
    ir.Race: "items",
    ir.For: "clauses",
    ir.Lambda: "arities",
}
#: the nodes that bind locals
_BINDERS: Final = frozenset((ir.Let, ir.Loop, ir.For, ir.Lambda, ir.Try, ir.Step))


def verify(unit: ir.Unit) -> None:
    """Check a whole unit.

    Raises:
        StorageError: it is not well-formed.
    """
    if not unit.stable <= set(unit.defines):
        raise _malformed("a stable name is not defined")
    for form in unit.forms:
        _verify_form(form)


def _verify_form(form: ir.Node) -> None:
    locals_: set[int] = set()
    labels: set[int] = set()
    todo: list[tuple[ir.Node, _Targets]] = [(form, _NONE)]
    while todo:
        node, targets = todo.pop()
        _check_node(node, targets)
        for label in _labels(node):
            _add_new(labels, label, "label")
        if type(node) in _BINDERS:
            for local in _bound(node):
                _add_new(locals_, local.id, "local")
        todo.extend(_below(node, targets))


def _malformed(what: str) -> errors.StorageError:
    return errors.StorageError(f"malformed RTFS IR: {what}")


def _add_new(known: set[int], number: int, what: str) -> None:
    if number in known:
        raise _malformed(f"{what} {number} is bound twice")
    known.add(number)


def _check_node(node: ir.Node, targets: _Targets) -> None:
    empty = _NOT_EMPTY.get(type(node))
    if empty is not None and not getattr(node, empty):
        raise _malformed(f"{type(node).__name__}.{empty} is empty")
    match node:
        case ir.Recur(label=label, args=args) if targets.get(label) != len(args):
            raise _malformed(f"recur to {label} with {len(args)} values")
        case ir.For(clauses=clauses) if type(clauses[0]) is not ir.Iterate:
            raise _malformed("the first clause of `for` goes over nothing")
        case ir.Lambda(arities=arities):
            _check_arities(arities)
        case ir.Primitive(name=name, args=args):
            _check_primitive(name, len(args))
        case _:
            pass


def _check_arities(arities: tuple[ir.Arity, ...]) -> None:
    """Exact ones by number of parameters, then at most one with a rest."""
    counts = [len(each.params) for each in arities if each.rest is None]
    if counts != sorted(set(counts)):
        raise _malformed("the parameter lists of a function are out of order")
    if any(each.rest is not None for each in arities[:-1]):
        raise _malformed("a rest parameter before the last parameter list")


def _check_primitive(name: str, given: int) -> None:
    from rtfs.primitives import TABLE

    function = TABLE.get(name)
    if function is None:
        raise _malformed(f"unknown primitive {name}")
    least, most = arity(function)
    if given < least or (most is not None and given > most):
        raise _malformed(f"primitive {name} with {given} arguments")


def _labels(node: ir.Node) -> Iterator[int]:
    match node:
        case ir.Loop(label=label):
            yield label
        case ir.Lambda(arities=arities):
            for each in arities:
                yield each.label
        case _:
            pass


def _bound(item: Any) -> Iterator[ir.Local]:
    """The locals that a node binds itself, through its bindings, clauses and parameter lists."""
    for name in field_names(type(item)):
        field = getattr(item, name)
        for part in field if type(field) is tuple else (field,):
            if type(part) is ir.Local:
                yield part
            elif type(part) in RECORD_OPS and not isinstance(part, ir.Node):
                yield from _bound(part)


def _below(node: ir.Node, targets: _Targets) -> Iterator[tuple[ir.Node, _Targets]]:
    """The children, each with what a `recur` in it may name."""
    match node:
        case ir.If(test=test, then=then, otherwise=otherwise):
            yield from ((test, _NONE), (then, targets), (otherwise, targets))
        case ir.Do(items=items) | ir.And(items=items) | ir.Or(items=items):
            yield from [(item, _NONE) for item in items[:-1]]
            yield items[-1], targets
        case ir.Let(bindings=bindings, body=body):
            yield from [(binding.value, _NONE) for binding in bindings]
            yield body, targets
        case ir.Loop(bindings=bindings, body=body):
            yield from [(binding.value, _NONE) for binding in bindings]
            yield body, {**targets, node.label: len(bindings)}
        case ir.Lambda(arities=arities):
            for each in arities:
                yield each.body, {each.label: len(each.params) + (each.rest is not None)}
        case _:
            yield from [(child, _NONE) for child in children(node)]
