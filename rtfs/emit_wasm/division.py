"""Division: quotients, remainders. A zero divisor leaves to Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.kinds import NUMBERS, Kind
from rtfs.emit_wasm.operations import Typing, operation, require
from rtfs.emit_wasm.ranges import FULL, Range

_ZERO: Final = "division by zero"


def _quotient(kinds: Sequence[Kind]) -> Kind:
    require(kinds, NUMBERS, "/")
    return kinds[0] if len(kinds) == 1 else Kind.QUOTIENT


@operation("/", least=1, most=None, kind=_quotient)
def _divide(e: Emitter, args: Sequence[ir.Node]) -> Range:
    """The float nearest to the quotient. It is integral exactly if the quotient is: see `_dividend`."""
    if len(args) == 1:
        return e.value(args[0])
    floats = Kind.FLOAT in (e.kind(args[0]), e.kind(args[1]))
    _part(e, args[0], not floats)
    for index, arg in enumerate(args[1:]):
        _part(e, arg, index > 0 or not floats)
        divisor = e.kept(Kind.FLOAT)
        e.get(divisor)
        e.body.f64(0.0)
        e.body.op(op.F64_EQ)
        e.trap_if(_ZERO)
        e.get(divisor)
        e.body.op(op.F64_DIV)
        e.body.f64(0.0)
        e.body.op(op.F64_ADD)  # -0.0 stands for the integer 0
        if len(args) > 2:
            _check_small(e)
    return FULL


def _part(e: Emitter, node: ir.Node, exact: bool) -> None:
    """Push an operand of a division as a float.

    Of integers up to 2 ** 53 in magnitude the nearest float of the quotient is integral only if the quotient
    is: else it is at least 1 / b from an integer, which is more than half the distance of floats there. Larger
    ones are left to Python, unless a float divides them or they divide one.
    """
    if exact:
        e.as_exact_float(node)
    else:
        e.as_float(node)
    if e.kind(node) is Kind.QUOTIENT:
        _check_small(e)


def _check_small(e: Emitter) -> None:
    """Leave to Python if the quotient on the stack is one of integers that may be too large."""
    local = e.kept(Kind.QUOTIENT)
    e.get(local)
    e.body.op(op.F64_ABS)
    e.body.f64(float(1 << 53))
    e.body.op(op.F64_GT)
    e.trap_if("a quotient too large")
    e.get(local)


def _integers(name: str, also: frozenset[Kind] = frozenset()) -> Typing:
    def kind(kinds: Sequence[Kind]) -> Kind:
        require(kinds, frozenset({Kind.INT}) | also, name)
        return Kind.FLOAT if Kind.FLOAT in kinds else Kind.INT

    return kind


@operation("mod", "rem", least=2, kind=_integers("mod"))
def _mod(e: Emitter, args: Sequence[ir.Node]) -> Range:
    """wasm's remainder has the sign of the dividend, and traps for zero."""
    e.value(args[0])
    e.value(args[1])
    e.may_trap(_ZERO)
    e.body.op(op.I64_REM_S)
    divisor = args[1]
    if isinstance(divisor, ir.Constant) and divisor.value:
        most = abs(divisor.value) - 1
        return -most, most
    return FULL


@operation("quot", least=2, kind=_integers("quot", frozenset({Kind.FLOAT})))
def _quot(e: Emitter, args: Sequence[ir.Node]) -> Range:
    """wasm's division cuts off towards zero, and traps for zero and for overflow."""
    if all(e.kind(arg) is Kind.INT for arg in args):
        e.value(args[0])
        e.value(args[1])
        e.may_trap(_ZERO)
        e.body.op(op.I64_DIV_S)
        return FULL
    e.as_float(args[0])
    e.as_float(args[1])
    divisor = e.kept(Kind.FLOAT)
    e.get(divisor)
    e.body.f64(0.0)
    e.body.op(op.F64_EQ)
    e.trap_if(_ZERO)
    e.get(divisor)
    e.body.op(op.F64_DIV, op.F64_TRUNC)
    e.body.f64(0.0)
    e.body.op(op.F64_ADD)  # Python's is made of an integer, which has no -0
    return FULL
