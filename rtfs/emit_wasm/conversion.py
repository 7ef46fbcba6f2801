"""Conversions between numbers, rounding, roots, extremes, parity, and tests of kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.comparison import is_integer
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.kinds import NUMBERS, Kind
from rtfs.emit_wasm.operations import Typing, constant_kind, operation, require
from rtfs.emit_wasm.ranges import FULL, Range, either
from rtfs.emit_wasm.refusal import Refused
from rtfs.values import INT_MAX, INT_MIN

_SCALARS: Final = NUMBERS | {Kind.BOOL}
_NOT_FINITE: Final = "no integer is next to it"


def _of(name: str, allowed: frozenset[Kind], result: Kind) -> Typing:
    def kind(kinds: Sequence[Kind]) -> Kind:
        require(kinds, allowed, name)
        return result

    return kind


@operation("float", least=1, kind=_of("float", _SCALARS, Kind.FLOAT))
def _float(e: Emitter, args: Sequence[ir.Node]) -> Range:
    if e.kind(args[0]) is Kind.BOOL:
        e.value(args[0])
        e.body.op(op.F64_CONVERT_I32_U)
    else:
        e.as_float(args[0])
    return FULL


@operation("int", least=1, kind=_of("int", _SCALARS, Kind.INT))
def _int(e: Emitter, args: Sequence[ir.Node]) -> Range:
    """Cut off towards zero; 0 where the result does not fit, and for NaN."""
    kind = e.kind(args[0])
    known = e.value(args[0])
    if kind is Kind.INT:
        return known
    if kind is Kind.BOOL:
        e.body.op(op.I64_EXTEND_I32_U)
        return 0, 1
    local = e.kept(Kind.FLOAT)
    e.get(local)
    e.body.f64(float(INT_MIN))
    e.body.op(op.F64_GE)
    e.get(local)
    e.body.f64(float(INT_MAX))  # which is 2 ** 63
    e.body.op(op.F64_LT, op.I32_AND)
    with e.block(op.IF, Kind.INT.held):
        e.get(local)
        e.body.op(op.I64_TRUNC_F64_S)
        e.orelse()
        e.body.i64(0)
    return FULL


# ---------------------------------------------------------------- rounding


def _register_rounding(name: str, opcode: int) -> None:
    @operation(name, least=1, kind=_of(name, NUMBERS, Kind.INT))
    def emit(e: Emitter, args: Sequence[ir.Node]) -> Range:
        known = e.value(args[0])
        if e.kind(args[0]) is Kind.INT:
            return known
        e.body.op(opcode)
        e.may_trap(_NOT_FINITE)
        e.body.op(op.I64_TRUNC_F64_S)
        return FULL


_register_rounding("floor", op.F64_FLOOR)
_register_rounding("ceil", op.F64_CEIL)


@operation("round", least=1, kind=_of("round", NUMBERS, Kind.INT))
def _round(e: Emitter, args: Sequence[ir.Node]) -> Range:
    """The integer below, and one more if the rest is a half at least."""
    known = e.value(args[0])
    if e.kind(args[0]) is Kind.INT:
        return known
    local = e.kept(Kind.FLOAT)
    e.get(local)
    e.body.op(op.F64_FLOOR)
    below = e.kept(Kind.FLOAT)
    e.get(below)
    e.may_trap(_NOT_FINITE)
    e.body.op(op.I64_TRUNC_F64_S)
    e.get(local)
    e.get(below)
    e.body.op(op.F64_SUB)
    e.body.f64(0.5)
    e.body.op(op.F64_GE, op.I64_EXTEND_I32_U, op.I64_ADD)  # floats with a rest are far from overflow
    return FULL


@operation("sqrt", least=1, kind=_of("sqrt", NUMBERS, Kind.FLOAT))
def _sqrt(e: Emitter, args: Sequence[ir.Node]) -> Range:
    e.as_float(args[0])
    local = e.kept(Kind.FLOAT)
    e.get(local)
    e.body.f64(0.0)
    e.body.op(op.F64_LT)
    e.trap_if("the root of a negative number")
    e.get(local)
    e.body.op(op.F64_SQRT)
    return FULL


# ---------------------------------------------------------------- extremes, parity


def _same_kind(name: str) -> Typing:
    def kind(kinds: Sequence[Kind]) -> Kind:
        require(kinds, frozenset({Kind.INT, Kind.FLOAT}), name)
        if len(set(kinds)) > 1:
            raise Refused(f"`{name}`", "it gives an int or a float; `(float …)` makes all of them floats")
        return kinds[0]

    return kind


def _register_extreme(name: str, whole: int, broken: int) -> None:
    @operation(name, least=1, most=None, kind=_same_kind(name))
    def emit(e: Emitter, args: Sequence[ir.Node]) -> Range:
        """A later number counts if it is beyond the best so far, or NaN; then nothing is beyond it."""
        kind = e.kind(args[0])
        known = e.value(args[0])
        for arg in args[1:]:
            best = e.kept(kind)
            other, its = e.operand(arg)
            known = either(known, its)
            e.get(other)
            e.get(best)
            e.get(other)
            e.get(best)
            e.body.op(whole if kind is Kind.INT else broken)
            if kind is Kind.FLOAT:
                e.get(other)
                e.get(other)
                e.body.op(op.F64_NE, op.I32_OR)
            e.body.op(op.SELECT)
        return known


_register_extreme("max", op.I64_GT_S, op.F64_GT)
_register_extreme("min", op.I64_LT_S, op.F64_LT)


def _register_parity(name: str, opcodes: Sequence[int]) -> None:
    @operation(name, least=1, kind=_of(name, frozenset({Kind.INT}), Kind.BOOL))
    def emit(e: Emitter, args: Sequence[ir.Node]) -> Range:
        e.value(args[0])
        e.body.i64(1)
        e.body.op(op.I64_AND, *opcodes)
        return FULL


_register_parity("even?", [op.I64_EQZ])
_register_parity("odd?", [op.I32_WRAP_I64])


# ---------------------------------------------------------------- kinds


def _register_kind(name: str, members: frozenset[Kind]) -> None:
    @operation(name, least=1, kind=constant_kind(Kind.BOOL))
    def emit(e: Emitter, args: Sequence[ir.Node]) -> Range:
        e.value(args[0])
        if e.kind(args[0]) is Kind.QUOTIENT and len(members & {Kind.INT, Kind.FLOAT}) == 1:
            is_integer(e)
            if Kind.FLOAT in members:
                e.body.op(op.I32_EQZ)
            return FULL
        e.body.op(op.DROP)
        e.body.i32(1 if e.kind(args[0]) in members else 0)
        return FULL


for _name, _members in {
    "int?": {Kind.INT},
    "float?": {Kind.FLOAT},
    "number?": NUMBERS,
    "bool?": {Kind.BOOL},
    "boolean?": {Kind.BOOL},
    "nil?": {Kind.NIL},
    "string?": {Kind.STRING},
    "string-p": {Kind.STRING},
    "vector?": {Kind.INTS, Kind.FLOATS},
    "coll?": {Kind.INTS, Kind.FLOATS},
    **dict.fromkeys(("keyword?", "symbol?", "map?", "list?", "set?", "error?"), frozenset[Kind]()),
}.items():
    _register_kind(_name, frozenset(_members))


def _register_truth(name: str, opcodes: Sequence[int]) -> None:
    @operation(name, least=1, kind=constant_kind(Kind.BOOL))
    def emit(e: Emitter, args: Sequence[ir.Node]) -> Range:
        e.value(args[0])
        if e.kind(args[0]) is Kind.BOOL:
            e.body.op(*opcodes)
        else:
            e.body.op(op.DROP)
            e.body.i32(0)
        return FULL


_register_truth("true?", [])
_register_truth("false?", [op.I32_EQZ])
