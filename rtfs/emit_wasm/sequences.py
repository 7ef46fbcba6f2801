"""`map`, `filter`, `reduce`, `range`: loops over vectors; only what is kept as a value becomes a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import ValType
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.given import emit_given, infer_given
from rtfs.emit_wasm.kinds import IN_MEMORY, Kind
from rtfs.emit_wasm.operations import require
from rtfs.emit_wasm.ranges import FULL, Range
from rtfs.emit_wasm.refusal import Refused
from rtfs.emit_wasm.sources import constant_step, source_of
from rtfs.emit_wasm.vectors import advance, allocate, set_length, store, vector_of

if TYPE_CHECKING:
    from rtfs.emit_wasm.inference import Inference

_ADDRESS: Final = ValType.I32


@dataclass(frozen=True, slots=True)
class Loop:
    """A builtin over vectors: its inference and its emission, of the whole call."""

    infer: Callable[[Inference, ir.Apply], Kind]
    emit: Callable[[Emitter, ir.Apply], Range]


def _arguments(node: ir.Apply, name: str, least: int, most: int | None) -> None:
    if len(node.args) < least or (most is not None and len(node.args) > most):
        raise Refused(f"`{name}`", f"its wasm form does not take {len(node.args)} arguments")


def _items(i: Inference, nodes: Sequence[ir.Node], name: str) -> list[Kind] | None:
    """The kinds of the items of vectors or strings; None if one of them never comes."""
    kinds = [i.infer(node) for node in nodes]
    if Kind.NEVER in kinds:
        return None
    require(kinds, IN_MEMORY, name)
    return [kind.item for kind in kinds]


def _infer_map(i: Inference, node: ir.Apply) -> Kind:
    _arguments(node, "map", 2, None)
    items = _items(i, node.args[1:], "map")
    return Kind.NEVER if items is None else vector_of([infer_given(i, node.args[0], items)])


def _infer_filter(i: Inference, node: ir.Apply) -> Kind:
    _arguments(node, "filter", 2, 2)
    items = _items(i, node.args[1:], "filter")
    if items is None or infer_given(i, node.args[0], items) is Kind.NEVER:
        return Kind.NEVER
    return vector_of(items)


def _infer_range(i: Inference, node: ir.Apply) -> Kind:
    _arguments(node, "range", 1, 3)
    kinds = [i.infer(arg) for arg in node.args]
    if Kind.NEVER in kinds:
        return Kind.NEVER
    require(kinds, frozenset({Kind.INT}), "range")
    constant_step(node.args)
    return Kind.INTS


def _emit_collected(e: Emitter, node: ir.Apply) -> Range:
    if e.kind(node) is Kind.NEVER:
        e.trap("a function that never gives a value")
        return FULL
    source = source_of(e, node)
    e.get(source.prepare(e))
    made = allocate(e)
    at, count = e.temporary(_ADDRESS), e.temporary(_ADDRESS)
    e.get(made)
    e.set(at)
    e.body.i32(0)
    e.set(count)

    def collect(local: int) -> None:
        e.get(at)
        e.get(local)
        store(e, source.item)
        advance(e, at)
        e.get(count)
        e.body.i32(1)
        e.body.op(op.I32_ADD)
        e.set(count)

    source.run(e, collect)
    set_length(e, made, count)
    e.get(made)
    return FULL


def _infer_reduce(i: Inference, node: ir.Apply) -> Kind:
    _arguments(node, "reduce", 2, 3)
    first = i.infer(node.args[1]) if len(node.args) == 3 else None
    items = _items(i, node.args[-1:], "reduce")
    if items is None or first is Kind.NEVER:
        return Kind.NEVER
    total = items[0] if first is None else first
    return i.join(total, infer_given(i, node.args[0], [total, items[0]]), "`reduce`")


def _emit_reduce(e: Emitter, node: ir.Apply) -> Range:
    kind = e.kind(node)
    if kind is Kind.NEVER:
        e.trap("a function that never gives a value")
        return FULL
    total = e.temporary(kind.held)
    source = source_of(e, node.args[-1])
    begun = None
    if len(node.args) == 3:
        e.value(node.args[1])
        e.set(total)
    else:
        begun = e.temporary(_ADDRESS)
        e.body.i32(0)
        e.set(begun)
    source.prepare(e)

    def fold(local: int) -> None:
        emit_given(e, node.args[0], [(total, kind), (local, source.item)])
        e.set(total)

    def fold_or_begin(local: int) -> None:
        assert begun is not None
        e.get(begun)
        with e.block(op.IF):
            fold(local)
            e.orelse()
            e.get(local)
            e.set(total)
            e.body.i32(1)
            e.set(begun)

    source.run(e, fold if begun is None else fold_or_begin)
    if begun is not None:
        e.get(begun)
        e.body.op(op.I32_EQZ)
        e.trap_if("`reduce` of an empty vector")
    e.get(total)
    return FULL


SEQUENCES: Final = {
    "map": Loop(_infer_map, _emit_collected),
    "filter": Loop(_infer_filter, _emit_collected),
    "remove": Loop(_infer_filter, _emit_collected),
    "range": Loop(_infer_range, _emit_collected),
    "reduce": Loop(_infer_reduce, _emit_reduce),
}
