"""`loop` and `recur`."""

from __future__ import annotations

from collections.abc import Sequence

from rtfs import errors, ir
from rtfs.analyze.core import Call, body, node, nodes, special
from rtfs.analyze.forms.bindings import Pair, binding_vector, body_of, hoist_definitions, split_pairs
from rtfs.analyze.patterns import bind_parts, bind_value, name_of
from rtfs.analyze.scope import RecurTarget, Scope
from rtfs.analyze.syntax import Item, invalid, split_metadata


@special("loop", shadowable=True)
def loop(call: Call, scope: Scope) -> ir.Node:
    """`(loop [pattern expr …] body+)`.

    Patterns with parts are taken apart twice: before the loop, for the initialisers after them, and in it.
    """
    pairs = split_pairs(binding_vector(call), "loop")
    body_items = body_of(call)
    label = scope.analysis.shared.next_id()
    outer = scope.child()
    if all(name_of(split_metadata(pair.pattern)[1]) is not None for pair in pairs):
        hoist_definitions(pairs, body_items, outer)
        bindings = []
        for pair in pairs:
            bindings += bind_value(pair.pattern, node(pair.value, outer), outer, pair.type)
        return _loop(label, bindings, [], body_items, outer, call)
    first, starts = _first_turn(pairs, outer)
    inner = outer.child()
    bindings, parts = [], []
    for pair, start in zip(pairs, starts, strict=True):
        local = inner.new_local(name_of(pair.pattern) or "value")
        bindings.append(ir.Binding(local, start, pair.type))
        parts += bind_parts(pair.pattern, local, inner)
    hoist_definitions(pairs, body_items, inner)
    made = _loop(label, bindings, parts, body_items, inner, call)
    return ir.Let(tuple(first), made, span=call.span)


def _first_turn(pairs: Sequence[Pair], scope: Scope) -> tuple[list[ir.Binding], list[ir.Node]]:
    """Bindings of the initial values and their parts, and references to those values."""
    bindings: list[ir.Binding] = []
    starts: list[ir.Node] = []
    for pair in pairs:
        local = scope.new_local(name_of(pair.pattern) or "value")
        bindings.append(ir.Binding(local, node(pair.value, scope), pair.type))
        bindings += bind_parts(pair.pattern, local, scope)
        starts.append(ir.LocalRef(local, span=pair.value.span))
    return bindings, starts


def _loop(
    label: int,
    bindings: Sequence[ir.Binding],
    parts: Sequence[ir.Binding],
    body_items: Sequence[Item],
    scope: Scope,
    call: Call,
) -> ir.Node:
    scope.recur = RecurTarget(label, len(bindings), "loop")
    inner = body(body_items, scope, call.span, tail=True)
    if parts:
        inner = ir.Let(tuple(parts), inner, span=call.span)
    return ir.Loop(label, tuple(bindings), inner, span=call.span)


@special("recur", shadowable=True)
def recur(call: Call, scope: Scope) -> ir.Node:
    """`(recur e*)`, in tail position of the nearest loop or function."""
    target = scope.recur
    if target is None:
        raise invalid("`recur` stands in no `loop` or function", call.span)
    if not call.tail:
        raise invalid("`recur` must be in tail position, and not across `try`", call.span)
    if len(call.args) != target.count:
        raise errors.ArityMismatch(f"recur to {target.what}", str(target.count), len(call.args), span=call.span)
    return ir.Recur(target.label, nodes(call.args, scope), span=call.span)
