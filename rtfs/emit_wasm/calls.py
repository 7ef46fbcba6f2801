"""Calls: of builtins by their table, of functions of the program directly, in tail position without a frame."""

from __future__ import annotations

from collections.abc import Sequence

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.control import start_again
from rtfs.emit_wasm.emitter import Emitter, emits
from rtfs.emit_wasm.instances import Instance, Key
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.operations import OPERATIONS
from rtfs.emit_wasm.ranges import FULL, Range
from rtfs.emit_wasm.sequences import SEQUENCES


@emits(ir.Apply)
def _apply(e: Emitter, node: ir.Apply, tail: bool) -> Range:
    if isinstance(node.fn, ir.BuiltinRef):
        sequence = SEQUENCES.get(node.fn.name)
        if sequence is not None:
            found: Range = sequence.emit(e, node)
            return found
        return FULL if e.lost(node.args) else OPERATIONS[node.fn.name].emit(e, node.args)
    if e.lost(node.args):
        return FULL
    for arg in node.args:
        e.value(arg)
    key = e.instance.calls[id(node)]
    if tail and is_self_call(e.instance, key):
        start_again(e, e.instance.arity.label)
    else:
        enter(e, key, tail)
    return FULL


def enter(e: Emitter, key: Key, tail: bool = False) -> None:
    """Call an instance with the arguments on the stack, and the variables that it takes from outside."""
    callee = e.instances[key]
    for local in callee.captured:
        e.get(e.variables[local.id])
    e.may_trap("in a function that it calls")
    tail = tail and callee.result is e.instance.result
    e.body.indexed(op.RETURN_CALL if tail else op.CALL, e.numbers[key])
    if callee.result is Kind.NEVER:
        e.body.op(op.UNREACHABLE)


def is_self_call(instance: Instance, key: Key) -> bool:
    """Whether an instance calls itself; the variables from outside are the same then."""
    return key == instance.key


def loops(instance: Instance) -> bool:
    """Whether the body of a function may begin again, by `recur` or by a tail call of itself."""
    todo: list[ir.Node] = [instance.arity.body]
    while todo:
        node = todo.pop()
        match node:
            case ir.Recur(label=label) if label == instance.arity.label:
                return True
            case ir.Apply() if instance.calls.get(id(node)) == instance.key:
                return True
            case _:
                todo.extend(_tails(node))
    return False


def _tails(node: ir.Node) -> Sequence[ir.Node]:
    match node:
        case ir.If(then=then, otherwise=otherwise):
            return then, otherwise
        case ir.Do(items=items) | ir.And(items=items) | ir.Or(items=items):
            return items[-1:]
        case ir.Let(body=body) | ir.Loop(body=body):
            return (body,)
        case _:
            return ()
