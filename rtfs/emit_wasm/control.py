"""Constants, names, choice, sequence and loops."""

from __future__ import annotations

from collections.abc import Callable

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import EMPTY
from rtfs.emit_wasm.comparison import emit_equal, known_behind
from rtfs.emit_wasm.emitter import Emitter, emits, emits_test
from rtfs.emit_wasm.kinds import Kind, belongs
from rtfs.emit_wasm.ownership import Ownership, is_fresh
from rtfs.emit_wasm.ranges import FULL, Range, either
from rtfs.emit_wasm.vectors import copied, emit_constant_vector
from rtfs.values import Value


@emits(ir.Constant)
def _constant(e: Emitter, node: ir.Constant, tail: bool) -> Range:
    return emit_constant(e, node.value)


def emit_constant(e: Emitter, value: Value) -> Range:
    """Push a constant."""
    kind = type(value)
    if kind is int:
        e.body.i64(value)
        return value, value
    if kind is float:
        e.body.f64(value)
    elif kind is bool or value is None:
        e.body.i32(1 if value else 0)
    elif kind is str:
        e.body.i32(e.library.texts.held(value))
    else:
        emit_constant_vector(e, value)
    return FULL


@emits(ir.LocalRef)
def _local_ref(e: Emitter, node: ir.LocalRef, tail: bool) -> Range:
    e.get(e.variables[node.local.id])
    return e.range_of(node.local)


# ---------------------------------------------------------------- choice


@emits(ir.If)
def _if(e: Emitter, node: ir.If, tail: bool) -> Range:
    kind = e.kind(node)
    e.test(node.test)
    before = e.ranges
    with e.block(op.IF, EMPTY if kind is Kind.NEVER else kind.held):
        e.ranges = known_behind(e, node.test, True)
        then = e.value(node.then, tail)
        e.ranges = before
        e.orelse()
        e.ranges = known_behind(e, node.test, False)
        other = e.value(node.otherwise, tail)
        e.ranges = before
    if kind is Kind.NEVER:
        e.body.op(op.UNREACHABLE)
    if e.kind(node.then) is Kind.NEVER:
        return other
    return then if e.kind(node.otherwise) is Kind.NEVER else either(then, other)


@emits_test(ir.If)
def _if_test(e: Emitter, node: ir.If) -> None:
    e.test(node.test)
    before = e.ranges
    with e.block(op.IF, Kind.BOOL.held):
        e.ranges = known_behind(e, node.test, True)
        e.test(node.then)
        e.orelse()
        e.ranges = before
        e.ranges = known_behind(e, node.test, False)
        e.test(node.otherwise)
        e.ranges = before


@emits(ir.And, ir.Or)
def _junction(e: Emitter, node: ir.And | ir.Or, tail: bool) -> Range:
    kind = e.kind(node)
    if kind is Kind.BOOL:
        _short_circuit(e, node.items, isinstance(node, ir.And), lambda item: e.value(item, tail))
        return FULL
    # all items are of one kind, so all are true, or all nil: the first one decides, or the last
    if isinstance(node, ir.Or) == (kind is not Kind.NIL):
        return e.value(node.items[0], tail and len(node.items) == 1)
    for item in node.items[:-1]:
        e.value(item)
        if e.kind(item) is Kind.NEVER:
            return FULL
        e.body.op(op.DROP)
    return e.value(node.items[-1], tail)


@emits_test(ir.And, ir.Or)
def _junction_test(e: Emitter, node: ir.And | ir.Or) -> None:
    _short_circuit(e, node.items, isinstance(node, ir.And), e.test)


def _short_circuit(
    e: Emitter, items: tuple[ir.Node, ...], conjunction: bool, last: Callable[[ir.Node], object]
) -> None:
    """Nested `if`s: each item is looked at only if those before it have not decided."""
    if len(items) == 1:
        last(items[0])
        return
    before = e.ranges
    e.test(items[0])
    with e.block(op.IF, Kind.BOOL.held):
        e.ranges = known_behind(e, items[0], conjunction)
        if not conjunction:
            e.body.i32(1)
            e.orelse()
        _short_circuit(e, items[1:], conjunction, last)
        if conjunction:
            e.orelse()
            e.body.i32(0)
    e.ranges = before


# ---------------------------------------------------------------- sequence


@emits(ir.Do)
def _do(e: Emitter, node: ir.Do, tail: bool) -> Range:
    for item in node.items[:-1]:
        e.value(item)
        if e.kind(item) is Kind.NEVER:
            return FULL
        e.body.op(op.DROP)
    return e.value(node.items[-1], tail)


@emits(ir.Let)
def _let(e: Emitter, node: ir.Let, tail: bool) -> Range:
    return e.value(node.body, tail) if _bind(e, node.bindings) else FULL


@emits_test(ir.Let)
def _let_test(e: Emitter, node: ir.Let) -> None:
    if _bind(e, node.bindings):
        e.test(node.body)


def _bind(e: Emitter, bindings: tuple[ir.Binding, ...]) -> bool:
    """Whether all values come."""
    for binding in bindings:
        if binding.local.id in e.names.locals:
            continue
        known = e.value(binding.value)
        kind = e.kind(binding.value)
        if kind is Kind.NEVER:
            return False
        e.set(e.variable(binding.local, kind))
        e.ranges = {**e.ranges, binding.local.id: known}
    return True


# ---------------------------------------------------------------- loops


@emits(ir.Loop)
def _loop(e: Emitter, node: ir.Loop, tail: bool) -> Range:
    if not _bind(e, node.bindings):
        return FULL
    _own(e, node)
    kind = e.kind(node)
    ids = {binding.local.id for binding in node.bindings}
    e.ranges = {key: known for key, known in e.ranges.items() if key not in ids}
    with e.block(op.LOOP, EMPTY if kind is Kind.NEVER else kind.held) as label:
        e.loops[node.label] = label, [e.variables[binding.local.id] for binding in node.bindings]
        e.value(node.body, tail)
    if kind is Kind.NEVER:
        e.body.op(op.UNREACHABLE)
    return FULL


def _own(e: Emitter, node: ir.Loop) -> None:
    """Let `assoc` change the loop's vectors in place where nobody can see it."""
    for index, binding in enumerate(node.bindings):
        if e.kind(binding.value) not in (Kind.INTS, Kind.FLOATS):
            continue
        found = Ownership(node, index)
        if not found.holds or not found.in_place:
            continue
        e.in_place |= found.in_place
        e.taken_over |= found.taken_over
        if id(binding) not in e.taken_over and not is_fresh(binding.value):
            variable = e.variables[binding.local.id]
            e.get(copied(e, variable))
            e.set(variable)


@emits(ir.Recur)
def _recur(e: Emitter, node: ir.Recur, tail: bool) -> Range:
    if not e.lost(node.args):
        for arg in node.args:
            e.value(arg)
        start_again(e, node.label)
    return FULL


def start_again(e: Emitter, loop: int) -> None:
    """Assign the values on the stack to the variables of a loop and begin its next turn."""
    label, variables = e.loops[loop]
    for variable in reversed(variables):
        e.set(variable)
    e.branch(label)


# ---------------------------------------------------------------- primitives, checks


@emits(ir.Primitive)
def _primitive(e: Emitter, node: ir.Primitive, tail: bool) -> Range:
    if e.lost(node.args):
        return FULL
    if node.name == "no-match":
        e.trap("no clause matches")
        return FULL
    if node.name == "check-integer":
        return e.value(node.args[0])
    emit_equal(e, *node.args)
    return FULL


@emits(ir.Cast)
def _cast(e: Emitter, node: ir.Cast, tail: bool) -> Range:
    return e.value(node.value)


@emits(ir.IsType)
def _is_type(e: Emitter, node: ir.IsType, tail: bool) -> Range:
    e.value(node.value)
    if e.kind(node.value) is not Kind.NEVER:
        e.body.op(op.DROP)
        e.body.i32(1 if belongs(e.kind(node.value), node.type) else 0)
    return FULL
