"""Looking at vectors and strings: their size, and items by place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.kinds import IN_MEMORY, Kind
from rtfs.emit_wasm.operations import Typing, operation, require
from rtfs.emit_wasm.ranges import FULL, Range
from rtfs.emit_wasm.strings import emit_length, outside_text, text_at, text_length
from rtfs.emit_wasm.texts import EMPTY
from rtfs.emit_wasm.vectors import (
    MOST_ITEMS,
    OUTSIDE,
    bytes_of,
    item_address,
    length,
    load,
    outside,
)

_VECTORS: Final = frozenset({Kind.INTS, Kind.FLOATS})


def _looking(name: str, result: Kind | None = None, allowed: frozenset[Kind] = IN_MEMORY) -> Typing:
    """Of a vector or string, an index, and what is given if there is no such item."""

    def kind(kinds: Sequence[Kind]) -> Kind:
        require(kinds[:1], allowed, name)
        require(kinds[1:2], frozenset({Kind.INT}), name)
        require(kinds[2:], frozenset({kinds[0].item}), name)
        return result or kinds[0].item

    return kind


def _is_text(e: Emitter, args: Sequence[ir.Node]) -> bool:
    return e.kind(args[0]) is Kind.STRING


@operation("count", "length", least=1, kind=_looking("count", Kind.INT))
def _count(e: Emitter, args: Sequence[ir.Node]) -> Range:
    if _is_text(e, args):
        return emit_length(e, args)
    e.value(args[0])
    e.body.memory(op.I32_LOAD, 2, 0)
    e.body.op(op.I64_EXTEND_I32_U)
    return 0, MOST_ITEMS


@operation("empty?", least=1, kind=_looking("empty?", Kind.BOOL))
def _empty(e: Emitter, args: Sequence[ir.Node]) -> Range:
    e.value(args[0])
    if _is_text(e, args):
        e.body.i32(EMPTY)
        e.body.op(op.I32_EQ)
        return FULL
    e.body.memory(op.I32_LOAD, 2, 0)
    e.body.op(op.I32_EQZ)
    return FULL


@operation("nth", least=2, most=3, kind=_looking("nth"))
def _nth(e: Emitter, args: Sequence[ir.Node]) -> Range:
    """Beyond the bounds the default, or Python decides."""
    coll, _ = e.operand(args[0])
    index, _ = e.operand(args[1])
    default = e.operand(args[2])[0] if len(args) > 2 else None
    text = _is_text(e, args)
    if text:
        outside_text(e, coll, index)
    else:
        outside(e, coll, index)
    item = e.kind(args[0]).item
    if default is None:
        e.trap_if(OUTSIDE)
        _push_item(e, item, coll, index)
        return FULL
    with e.block(op.IF, item.held):
        e.get(default)
        e.orelse()
        _push_item(e, item, coll, index)
    return FULL


#: strings have no keys
operation("get", least=2, most=3, kind=_looking("get", allowed=_VECTORS))(_nth)


def _push_item(e: Emitter, item: Kind, coll: int, index: int) -> None:
    if item is Kind.STRING:
        text_at(e, coll, index)
    else:
        item_address(e, coll, index)
        load(e, item)


@operation("first", least=1, kind=_looking("first"))
def _first(e: Emitter, args: Sequence[ir.Node]) -> Range:
    coll, _ = e.operand(args[0])
    if _is_text(e, args):
        _trap_if_empty(e, coll)
        _push_character(e, coll, 0)
        return FULL
    length(e, coll)
    e.body.op(op.I32_EQZ)
    e.trap_if("the first item of an empty vector")
    e.get(coll)
    load(e, e.kind(args[0]).item)
    return FULL


def _trap_if_empty(e: Emitter, text: int) -> None:
    e.get(text)
    e.body.i32(EMPTY)
    e.body.op(op.I32_EQ)
    e.trap_if("the first character of an empty string")


def _push_character(e: Emitter, text: int, index: int) -> None:
    e.body.i64(index)
    text_at(e, text, e.kept(Kind.INT))


@operation("last", least=1, kind=_looking("last"))
def _last(e: Emitter, args: Sequence[ir.Node]) -> Range:
    coll, _ = e.operand(args[0])
    if _is_text(e, args):
        return _last_character(e, coll)
    length(e, coll)
    e.body.op(op.I32_EQZ)
    e.trap_if("the last item of an empty vector")
    e.get(coll)
    length(e, coll)
    bytes_of(e)
    e.body.op(op.I32_ADD)
    load(e, e.kind(args[0]).item, 0)
    return FULL


def _last_character(e: Emitter, text: int) -> Range:
    """Of the empty string itself."""
    e.get(text)
    e.body.i32(EMPTY)
    e.body.op(op.I32_EQ)
    with e.block(op.IF, Kind.STRING.held):
        e.get(text)
        e.orelse()
        text_length(e, text)
        e.body.op(op.I64_EXTEND_I32_U)
        e.body.i64(1)
        e.body.op(op.I64_SUB)
        text_at(e, text, e.kept(Kind.INT))
    return FULL
