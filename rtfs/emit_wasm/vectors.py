"""Vectors of numbers in linear memory.

A vector is the address of its length, an i32, with 8 bytes for each item from the next multiple of 8 on.
Nothing is freed: what lies behind the vectors and strings that a call was given is free again at the next call.
The address at which free memory begins stands at address 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.binary import ValType
from rtfs.emit_wasm.emitter import Emitter, emits
from rtfs.emit_wasm.kinds import VECTORS, Kind
from rtfs.emit_wasm.operations import operation, require
from rtfs.emit_wasm.ranges import FULL, Range
from rtfs.emit_wasm.refusal import Refused
from rtfs.values import Value

#: a constant vector with more items is noted as one that is made anew each time
_FEW: Final = 16
#: how far behind its address a vector's items begin, bytes
ITEMS: Final = 8
#: items of one vector
MOST_ITEMS: Final = 1 << 27
_ADDRESS: Final = ValType.I32
_VECTORS: Final = frozenset({Kind.INTS, Kind.FLOATS})
OUTSIDE: Final = "an index out of bounds"


# ---------------------------------------------------------------- memory


def allocate(e: Emitter) -> int:
    """Make a vector of as many items as the i32 on the stack says; the local of its address."""
    e.call_library("allocate")
    local = e.temporary(_ADDRESS)
    e.set(local)
    return local


def load(e: Emitter, item: Kind, offset: int = ITEMS) -> None:
    """Push the item at `offset` from the address on the stack."""
    e.body.memory(op.I64_LOAD if item is Kind.INT else op.F64_LOAD, 3, offset)


def store(e: Emitter, item: Kind, offset: int = ITEMS) -> None:
    """Put the item on the stack at `offset` from the address below it."""
    e.body.memory(op.I64_STORE if item is Kind.INT else op.F64_STORE, 3, offset)


def length(e: Emitter, vector: int) -> None:
    """Push the length of a vector, an i32."""
    e.get(vector)
    e.body.memory(op.I32_LOAD, 2, 0)


def set_length(e: Emitter, vector: int, count: int) -> None:
    """Give a vector another length: that in a local."""
    e.get(vector)
    e.get(count)
    e.body.memory(op.I32_STORE, 2, 0)


def bytes_of(e: Emitter) -> None:
    """Of a number of items on the stack make their size."""
    e.body.i32(3)
    e.body.op(op.I32_SHL)


def emit_constant_vector(e: Emitter, value: Value) -> None:
    """Push a constant vector."""
    _filled(e, [ir.Constant(item) for item in value])


def _filled(e: Emitter, items: Sequence[ir.Node]) -> None:
    """Push a vector of these items, which are evaluated in order."""
    from rtfs.emit_wasm.control import emit_constant

    item = Kind.INT
    locals_ = []
    if len(items) > _FEW and all(isinstance(node, ir.Constant) for node in items):
        e.copies = True  # Python has it once and for all
    for node in items:
        if isinstance(node, ir.Constant):
            item = Kind.INT if type(node.value) is int else Kind.FLOAT
            locals_.append(-1)
        else:
            item = e.kind(node)
            locals_.append(e.operand(node)[0])
    e.body.i32(len(items))
    made = allocate(e)
    for index, (node, local) in enumerate(zip(items, locals_, strict=True)):
        e.get(made)
        if isinstance(node, ir.Constant):
            emit_constant(e, node.value)
        else:
            e.get(local)
        store(e, item, ITEMS + 8 * index)
    e.get(made)


@emits(ir.VectorOf)
def _vector_of(e: Emitter, node: ir.VectorOf, tail: bool) -> Range:
    if not e.lost(node.items):
        _filled(e, node.items)
    return FULL


def _of_items(kinds: Sequence[Kind]) -> Kind:
    return vector_of(kinds)


@operation("vector", least=1, most=None, kind=_of_items)
def _vector(e: Emitter, args: Sequence[ir.Node]) -> Range:
    _filled(e, args)
    return FULL


def vector_of(kinds: Sequence[Kind]) -> Kind:
    """The kind of a vector of items of these kinds.

    Raises:
        Refused: they are not all ints, or all floats.
    """
    found = set(kinds) - {Kind.NEVER}
    if not kinds:
        raise Refused("an empty vector", "whether it is one of ints or of floats is not known")
    if not found:
        return Kind.NEVER
    kind = found.pop()
    if found or kind not in VECTORS:
        told = " or ".join(sorted(each.value for each in {kind, *found}))
        raise Refused("a vector", f"its items must be all ints or all floats, they are {told}")
    return VECTORS[kind]


# ---------------------------------------------------------------- changing vectors


def outside(e: Emitter, vector: int, index: int) -> None:
    """Push whether an index is out of bounds; negative ones are very large here."""
    e.get(index)
    length(e, vector)
    e.body.op(op.I64_EXTEND_I32_U, op.I64_GE_U)


def item_address(e: Emitter, vector: int, index: int) -> None:
    """Push an address; the item is `ITEMS` behind it."""
    e.get(vector)
    e.get(index)
    e.body.op(op.I32_WRAP_I64)
    bytes_of(e)
    e.body.op(op.I32_ADD)


def _put(kinds: Sequence[Kind]) -> Kind:
    require(kinds[:1], _VECTORS, "assoc")
    require(kinds[1:2], frozenset({Kind.INT}), "assoc")
    require(kinds[2:], frozenset({kinds[0].item}), "assoc")
    return kinds[0]


@operation("assoc", least=3, kind=_put)
def _assoc(e: Emitter, args: Sequence[ir.Node]) -> Range:
    """A copy with one item replaced; in place where nothing else can see the vector."""
    item = e.kind(args[0]).item
    vector, _ = e.operand(args[0])
    index, _ = e.operand(args[1])
    value, _ = e.operand(args[2])
    outside(e, vector, index)
    e.trap_if(OUTSIDE)
    made = vector if id(args) in e.in_place else copied(e, vector)
    item_address(e, made, index)
    e.get(value)
    store(e, item)
    e.get(made)
    return FULL


def copied(e: Emitter, vector: int) -> int:
    """The local of a copy of a vector."""
    e.copies = True
    length(e, vector)
    made = allocate(e)
    e.get(made)
    e.get(vector)
    length(e, vector)
    bytes_of(e)
    e.body.i32(ITEMS)
    e.body.op(op.I32_ADD)
    e.body.op(*op.MEMORY_COPY)
    return made


@operation("repeat", least=2, kind=lambda kinds: _repeated(kinds))
def _repeat(e: Emitter, args: Sequence[ir.Node]) -> Range:
    count, _ = e.operand(args[0])
    value, _ = e.operand(args[1])
    e.get(count)
    small_length(e)
    made = allocate(e)
    end, at = e.temporary(_ADDRESS), e.temporary(_ADDRESS)
    bounds(e, made, at, end)
    with e.block(op.BLOCK) as out, e.block(op.LOOP) as again:
        e.get(at)
        e.get(end)
        e.body.op(op.I32_EQ)
        e.branch(out, op.BR_IF)
        e.get(at)
        e.get(value)
        store(e, e.kind(args[1]), 0)
        advance(e, at)
        e.branch(again)
    e.get(made)
    return FULL


def _repeated(kinds: Sequence[Kind]) -> Kind:
    require(kinds[:1], frozenset({Kind.INT}), "repeat")
    return vector_of(kinds[1:])


def small_length(e: Emitter) -> None:
    """Of an integer on the stack make a length, 0 of a negative one; trap if it is too large."""
    local = e.kept(Kind.INT)
    e.get(local)
    e.body.i64(MOST_ITEMS)
    e.body.op(op.I64_GT_S)
    e.trap_if("a vector too large")
    e.get(local)
    e.body.i64(0)
    e.get(local)
    e.body.i64(0)
    e.body.op(op.I64_GT_S, op.SELECT, op.I32_WRAP_I64)


def bounds(e: Emitter, vector: int, at: int, end: int) -> None:
    """Set two locals to where a vector's items begin and end."""
    e.get(vector)
    e.body.i32(ITEMS)
    e.body.op(op.I32_ADD)
    e.tee(at)
    length(e, vector)
    bytes_of(e)
    e.body.op(op.I32_ADD)
    e.set(end)


def advance(e: Emitter, at: int) -> None:
    """Move an address on by one item."""
    e.get(at)
    e.body.i32(8)
    e.body.op(op.I32_ADD)
    e.set(at)
