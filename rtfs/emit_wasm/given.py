"""The functions that `map` and its like are given: what they give, and their calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtfs import ir
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.names import below
from rtfs.emit_wasm.operations import OPERATIONS
from rtfs.emit_wasm.refusal import Refused

if TYPE_CHECKING:
    from rtfs.emit_wasm.inference import Inference


def _is_inline(node: ir.Node, count: int) -> bool:
    """Whether a function that stands where it is called becomes a part of its caller."""
    return (
        isinstance(node, ir.Lambda)
        and node.self_local is None
        and node.hint is None
        and len(node.arities) == 1
        and node.arities[0].rest is None
        and len(node.arities[0].params) == count
        and not _recurs(node.arities[0])
    )


def _recurs(arity: ir.Arity) -> bool:
    return any(isinstance(each, ir.Recur) and each.label == arity.label for each in below(arity.body))


def infer_given(i: Inference, fn: ir.Node, kinds: Sequence[Kind]) -> Kind:
    """What the function `fn` gives for arguments of these kinds."""
    if isinstance(fn, ir.BuiltinRef):
        found = OPERATIONS.get(fn.name)
        if found is None:
            raise Refused(f"`{fn.name}`", "this builtin has no wasm form", fn.span)
        if len(kinds) < found.least or (found.most is not None and len(kinds) > found.most):
            raise Refused(f"`{fn.name}`", f"it does not take {len(kinds)} arguments", fn.span)
        return found.kind(kinds)
    if not _is_inline(fn, len(kinds)):
        return i.call(fn, fn, kinds)
    assert isinstance(fn, ir.Lambda)
    arity = fn.arities[0]
    for param, kind in zip(arity.params, kinds, strict=True):
        i.check(kind, param.type, f"parameter `{param.local.name}`")
        i.locals[param.local.id] = kind
    result = i.infer(arity.body)
    i.check(result, arity.returns, "the result")
    return result


def emit_given(e: Emitter, fn: ir.Node, arguments: Sequence[tuple[int, Kind]]) -> None:
    """Push what the function `fn` gives for the values in these locals."""
    if isinstance(fn, ir.BuiltinRef):
        OPERATIONS[fn.name].emit(e, [e.stand_in(*argument) for argument in arguments])
    elif _is_inline(fn, len(arguments)):
        assert isinstance(fn, ir.Lambda)
        for param, (local, _) in zip(fn.arities[0].params, arguments, strict=True):
            e.variables[param.local.id] = local
        e.value(fn.arities[0].body)
    else:
        from rtfs.emit_wasm.calls import enter

        for local, _ in arguments:
            e.get(local)
        enter(e, e.instance.calls[id(fn)])


def given_kind(e: Emitter, fn: ir.Node, kinds: Sequence[Kind]) -> Kind:
    """The kind of what the function `fn` gives for arguments of these kinds."""
    if isinstance(fn, ir.BuiltinRef):
        return OPERATIONS[fn.name].kind(kinds)
    if _is_inline(fn, len(kinds)):
        assert isinstance(fn, ir.Lambda)
        return e.kind(fn.arities[0].body)
    return e.instances[e.instance.calls[id(fn)]].result
