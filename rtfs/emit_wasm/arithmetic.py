"""The operators on numbers. Overflow and division by zero leave to Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.kinds import NUMBERS, Kind
from rtfs.emit_wasm.operations import Typing, operation, require
from rtfs.emit_wasm.ranges import FULL, Range, cut, difference_of, fits, product_of, sum_of
from rtfs.emit_wasm.refusal import Refused
from rtfs.values import INT_MAX, INT_MIN

_OVERFLOW: Final = "integer overflow"
_ZERO: Final = "division by zero"
#: both operands of a product within 32 bits: it cannot overflow
_HALF: Final = 1 << 31


def _sum(name: str) -> Typing:
    """The kind of a sum, difference or product: an int of ints, else a float."""

    def kind(kinds: Sequence[Kind]) -> Kind:
        require(kinds, NUMBERS, name)
        found = kinds[0]
        for other in kinds[1:]:
            found = _of_two(found, other, name)
        return found if len(kinds) > 1 or name != "-" else _negated(found)

    return kind


def _of_two(a: Kind, b: Kind, name: str) -> Kind:
    if a is b is Kind.INT:
        return Kind.INT
    if Kind.FLOAT in (a, b):
        return Kind.FLOAT
    raise Refused(f"`{name}`", "a quotient may be an int or a float; `(float (/ a b))` makes it one")


def _negated(kind: Kind) -> Kind:
    if kind is Kind.QUOTIENT:
        raise Refused("`-`", "a quotient may be an int or a float; `(float (/ a b))` makes it one")
    return kind


# ---------------------------------------------------------------- sums


@operation("+", least=1, most=None, kind=_sum("+"))
def _add(e: Emitter, args: Sequence[ir.Node]) -> Range:
    return _folded(e, args, op.F64_ADD, _add_integers)


@operation("-", least=1, most=None, kind=_sum("-"))
def _subtract(e: Emitter, args: Sequence[ir.Node]) -> Range:
    if len(args) > 1:
        return _folded(e, args, op.F64_SUB, _subtract_integers)
    if e.kind(args[0]) is Kind.FLOAT:
        e.value(args[0])
        e.body.op(op.F64_NEG)
        return FULL
    local, known = e.operand(args[0])
    if known[0] == INT_MIN:
        _trap_at(e, local, INT_MIN)
    e.body.i64(0)
    e.get(local)
    e.body.op(op.I64_SUB)
    return cut((-known[1], -known[0]))


@operation("*", least=1, most=None, kind=_sum("*"))
def _multiply(e: Emitter, args: Sequence[ir.Node]) -> Range:
    return _folded(e, args, op.F64_MUL, _multiply_integers)


#: does it with the integers in two locals
type _Step = Callable[[Emitter, _Operand, _Operand], Range]


@dataclass(frozen=True, slots=True)
class _Operand:
    """An integer operand: a local, or a constant if there is none, and its range."""

    local: int | None
    known: Range

    def push(self, e: Emitter) -> None:
        if self.local is None:
            e.body.i64(self.known[0])
        else:
            e.get(self.local)

    @property
    def constant(self) -> int | None:
        return self.known[0] if self.local is None else None


def _operand(e: Emitter, node: ir.Node) -> _Operand:
    if isinstance(node, ir.Constant):
        return _Operand(None, (node.value, node.value))
    return _Operand(*e.operand(node))


def _folded(e: Emitter, args: Sequence[ir.Node], broken: int, whole: _Step) -> Range:
    """All operands from the left. They are evaluated in order, and each before the next is combined."""
    kinds = [e.kind(arg) for arg in args]
    if Kind.FLOAT not in kinds:
        return _folded_integers(e, args, whole)
    if len(args) == 2 or kinds[0] is Kind.FLOAT:
        e.as_float(args[0])
        for arg in args[1:]:
            e.as_float(arg)
            e.body.op(broken)
        return FULL
    return _folded_mixed(e, args, broken, whole)


def _folded_integers(e: Emitter, args: Sequence[ir.Node], whole: _Step) -> Range:
    if len(args) == 1:
        return e.value(args[0])
    left = _operand(e, args[0])
    for arg in args[1:-1]:
        known = whole(e, left, _operand(e, arg))
        left = _Operand(e.kept(Kind.INT), known)
    return whole(e, left, _operand(e, args[-1]))


def _folded_mixed(e: Emitter, args: Sequence[ir.Node], broken: int, whole: _Step) -> Range:
    """Integers up to the first float."""
    first = next(index for index, arg in enumerate(args) if e.kind(arg) is Kind.FLOAT)
    if first == 1:
        e.as_float(args[0])
    else:
        _folded_integers(e, args[:first], whole)
        e.body.op(op.F64_CONVERT_I64_S)
    for arg in args[first:]:
        e.as_float(arg)
        e.body.op(broken)
    return FULL


def _add_integers(e: Emitter, a: _Operand, b: _Operand) -> Range:
    known = sum_of(a.known, b.known)
    if fits(known):
        a.push(e)
        b.push(e)
        e.body.op(op.I64_ADD)
        return known
    if a.constant is not None:
        a, b = b, a
    if b.constant is not None:
        _trap_beyond(e, a, INT_MAX - b.constant if b.constant > 0 else INT_MIN - b.constant, b.constant > 0)
        a.push(e)
        b.push(e)
        e.body.op(op.I64_ADD)
        return cut(known)
    # overflow: the sum has another sign than both operands
    total = _result(e, a, b, op.I64_ADD)
    for operand in (a, b):
        operand.push(e)
        e.get(total)
        e.body.op(op.I64_XOR)
    e.body.op(op.I64_AND)
    return _checked_sign(e, total, known)


def _subtract_integers(e: Emitter, a: _Operand, b: _Operand) -> Range:
    known = difference_of(a.known, b.known)
    if fits(known):
        a.push(e)
        b.push(e)
        e.body.op(op.I64_SUB)
        return known
    if b.constant is not None:
        _trap_beyond(e, a, INT_MIN + b.constant if b.constant > 0 else INT_MAX + b.constant, b.constant < 0)
        a.push(e)
        b.push(e)
        e.body.op(op.I64_SUB)
        return cut(known)
    # overflow: the operands differ in sign, and the difference differs from the first
    total = _result(e, a, b, op.I64_SUB)
    a.push(e)
    b.push(e)
    e.body.op(op.I64_XOR)
    a.push(e)
    e.get(total)
    e.body.op(op.I64_XOR, op.I64_AND)
    return _checked_sign(e, total, known)


def _result(e: Emitter, a: _Operand, b: _Operand, opcode: int) -> int:
    a.push(e)
    b.push(e)
    e.body.op(opcode)
    return e.kept(Kind.INT)


def _checked_sign(e: Emitter, total: int, known: Range) -> Range:
    """Push `total` unless the number on the stack is negative."""
    e.body.i64(0)
    e.body.op(op.I64_LT_S)
    e.trap_if(_OVERFLOW)
    e.get(total)
    return cut(known)


def _trap_beyond(e: Emitter, a: _Operand, bound: int, above: bool) -> None:
    a.push(e)
    e.body.i64(bound)
    e.body.op(op.I64_GT_S if above else op.I64_LT_S)
    e.trap_if(_OVERFLOW)


def _trap_at(e: Emitter, local: int, value: int) -> None:
    e.get(local)
    e.body.i64(value)
    e.body.op(op.I64_EQ)
    e.trap_if(_OVERFLOW)


def _multiply_integers(e: Emitter, a: _Operand, b: _Operand) -> Range:
    known = product_of(a.known, b.known)
    if fits(known):
        a.push(e)
        b.push(e)
        e.body.op(op.I64_MUL)
        return known
    for operand in (a, b):
        operand.push(e)
        e.body.i64(_HALF)
        e.body.op(op.I64_ADD)
    e.body.op(op.I64_OR)
    e.body.i64(32)
    e.body.op(op.I64_SHR_U, op.I64_EQZ)
    with e.block(op.IF, Kind.INT.held):
        a.push(e)
        b.push(e)
        e.body.op(op.I64_MUL)
        e.orelse()
        a.push(e)
        b.push(e)
        e.call_library("multiply")
    return cut(known)


# ---------------------------------------------------------------- one more or less, sign


def _number(name: str) -> Typing:
    def kind(kinds: Sequence[Kind]) -> Kind:
        require(kinds, frozenset({Kind.INT, Kind.FLOAT}), name)
        return kinds[0]

    return kind


@operation("inc", least=1, kind=_number("inc"))
def _inc(e: Emitter, args: Sequence[ir.Node]) -> Range:
    if not _is_int(e, args):
        return _by_one(e, args)
    return _add_integers(e, _operand(e, args[0]), _operand(e, ir.Constant(1)))


@operation("dec", least=1, kind=_number("dec"))
def _dec(e: Emitter, args: Sequence[ir.Node]) -> Range:
    if not _is_int(e, args):
        return _by_one(e, args, op.F64_SUB)
    return _subtract_integers(e, _operand(e, args[0]), _operand(e, ir.Constant(1)))


@operation("abs", least=1, kind=_number("abs"))
def _abs(e: Emitter, args: Sequence[ir.Node]) -> Range:
    if not _is_int(e, args):
        e.value(args[0])
        e.body.op(op.F64_ABS)
        return FULL
    local, known = e.operand(args[0])
    if known[0] == INT_MIN:
        _trap_at(e, local, INT_MIN)
    e.body.i64(0)
    e.get(local)
    e.body.op(op.I64_SUB)
    e.get(local)
    e.get(local)
    e.body.i64(0)
    e.body.op(op.I64_LT_S, op.SELECT)
    return 0, min(INT_MAX, max(abs(known[0]), abs(known[1])))


def _is_int(e: Emitter, args: Sequence[ir.Node]) -> bool:
    return e.kind(args[0]) is Kind.INT


def _by_one(e: Emitter, args: Sequence[ir.Node], opcode: int = op.F64_ADD) -> Range:
    e.value(args[0])
    e.body.f64(1.0)
    e.body.op(opcode)
    return FULL
