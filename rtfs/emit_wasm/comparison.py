"""Comparison and equality, and what a test tells about the integers in it.

Python compares an integer with a float exactly; wasm does so after a conversion that is exact, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rtfs import ir
from rtfs.emit_wasm import opcodes as op
from rtfs.emit_wasm.emitter import Emitter
from rtfs.emit_wasm.kinds import NUMBERS, Kind
from rtfs.emit_wasm.operations import Typing, operation, require
from rtfs.emit_wasm.ranges import FULL, Range, both
from rtfs.values import INT_MAX, INT_MIN

#: instruction for integers, for floats, and what the range of the left and of the right side is if it holds
_ORDER: Final[dict[str, tuple[int, int]]] = {
    "<": (op.I64_LT_S, op.F64_LT),
    ">": (op.I64_GT_S, op.F64_GT),
    "<=": (op.I64_LE_S, op.F64_LE),
    ">=": (op.I64_GE_S, op.F64_GE),
}
_OPPOSITE: Final = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "=": "not=", "not=": "=", "!=": "="}
_EQUALITIES: Final = frozenset(("=", "not=", "!="))


def _numbers(name: str) -> Typing:
    def kind(kinds: Sequence[Kind]) -> Kind:
        require(kinds, NUMBERS, name)
        return Kind.BOOL

    return kind


def _ordered(name: str) -> Typing:
    """Of numbers, or of strings."""

    def kind(kinds: Sequence[Kind]) -> Kind:
        require(kinds, frozenset({Kind.STRING}) if kinds[0] is Kind.STRING else NUMBERS, name)
        return Kind.BOOL

    return kind


def _register_order(name: str) -> None:
    @operation(name, least=2, most=None, kind=_ordered(name))
    def emit(e: Emitter, args: Sequence[ir.Node]) -> Range:
        if len(args) == 2:
            _compare(e, name, args[0], args[1])
            return FULL
        kinds = [e.kind(arg) for arg in args]
        locals_ = [e.operand(arg)[0] for arg in args]
        for index in range(len(args) - 1):
            _compare_locals(e, name, kinds[index : index + 2], locals_[index : index + 2])
            if index:
                e.body.op(op.I32_AND)
        return FULL


for _name in _ORDER:
    _register_order(_name)


def _compare(e: Emitter, name: str, a: ir.Node, b: ir.Node) -> None:
    whole, broken = _ORDER[name]
    if e.kind(a) is Kind.INT and e.kind(b) is Kind.INT:
        e.value(a)
        e.value(b)
        e.body.op(whole)
    elif e.kind(a) is Kind.STRING:
        e.value(a)
        e.value(b)
        _compare_texts(e, name)
    else:
        e.as_exact_float(a)
        e.as_exact_float(b)
        e.body.op(broken)


def _compare_locals(e: Emitter, name: str, kinds: Sequence[Kind], locals_: Sequence[int]) -> None:
    whole, broken = _ORDER[name]
    if kinds[0] is Kind.STRING:
        for local in locals_:
            e.get(local)
        _compare_texts(e, name)
        return
    integers = all(kind is Kind.INT for kind in kinds)
    for kind, local in zip(kinds, locals_, strict=True):
        if kind is Kind.INT and not integers:
            e.check_exact(local)
            e.body.op(op.F64_CONVERT_I64_S)
        else:
            e.get(local)
    e.body.op(whole if integers else broken)


def _compare_texts(e: Emitter, name: str) -> None:
    """Of two strings on the stack make whether they are in this order."""
    e.call_library("text-compare")
    e.body.op(op.I64_EXTEND_I32_S)
    e.body.i64(0)
    e.body.op(_ORDER[name][0])


# ---------------------------------------------------------------- equality


def _any_kinds(kinds: Sequence[Kind]) -> Kind:
    scalars = frozenset({Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.NIL, Kind.QUOTIENT, Kind.STRING})
    require(kinds, scalars, "=")
    return Kind.BOOL


@operation("=", least=2, kind=_any_kinds)
def _equals(e: Emitter, args: Sequence[ir.Node]) -> Range:
    emit_equal(e, args[0], args[1])
    return FULL


@operation("not=", "!=", least=2, kind=_any_kinds)
def _differs(e: Emitter, args: Sequence[ir.Node]) -> Range:
    emit_equal(e, args[0], args[1])
    e.body.op(op.I32_EQZ)
    return FULL


def emit_equal(e: Emitter, a: ir.Node, b: ir.Node) -> None:
    """Push whether two values are equal; those of different types never are."""
    kinds = (e.kind(a), e.kind(b))
    match kinds:
        case (Kind.INT, Kind.INT):
            _both(e, a, b, op.I64_EQ)
        case (Kind.FLOAT, Kind.FLOAT) | (Kind.QUOTIENT, Kind.QUOTIENT):
            _both(e, a, b, op.F64_EQ)
        case (Kind.BOOL, Kind.BOOL) | (Kind.NIL, Kind.NIL):
            _both(e, a, b, op.I32_EQ)
        case (Kind.QUOTIENT, Kind.INT) | (Kind.INT, Kind.QUOTIENT):
            e.as_exact_float(a)
            e.as_exact_float(b)
            e.body.op(op.F64_EQ)
        case (Kind.QUOTIENT, Kind.FLOAT) | (Kind.FLOAT, Kind.QUOTIENT):
            _quotient_and_float(e, a, b)
        case (Kind.STRING, Kind.STRING):
            _equal_texts(e, a, b)
        case _:
            for node in (a, b):
                e.value(node)
                e.body.op(op.DROP)
            e.body.i32(0)


def _both(e: Emitter, a: ir.Node, b: ir.Node, opcode: int) -> None:
    e.value(a)
    e.value(b)
    e.body.op(opcode)


def _equal_texts(e: Emitter, a: ir.Node, b: ir.Node) -> None:
    """Strings of less than two characters are equal only if they are the same i32."""
    if any(isinstance(node, ir.Constant) and len(node.value) < 2 for node in (a, b)):
        _both(e, a, b, op.I32_EQ)
        return
    first, _ = e.operand(a)
    second, _ = e.operand(b)
    e.get(first)
    e.get(second)
    e.body.op(op.I32_OR)
    e.body.i32(0)
    e.body.op(op.I32_LT_S)
    with e.block(op.IF, Kind.BOOL.held):  # one of them is a single character
        e.get(first)
        e.get(second)
        e.body.op(op.I32_EQ)
        e.orelse()
        e.get(first)
        e.get(second)
        e.call_library("text-equal")


def _quotient_and_float(e: Emitter, a: ir.Node, b: ir.Node) -> None:
    first, _ = e.operand(a)
    second, _ = e.operand(b)
    e.get(first)
    e.get(second)
    e.body.op(op.F64_EQ)
    e.get(first if e.kind(a) is Kind.QUOTIENT else second)
    is_integer(e)
    e.body.op(op.I32_EQZ, op.I32_AND)


def is_integer(e: Emitter) -> None:
    """Of a quotient on the stack make whether it stands for an integer."""
    local = e.temporary(Kind.QUOTIENT.held)
    e.tee(local)
    e.body.op(op.F64_FLOOR)
    e.get(local)
    e.body.op(op.F64_EQ)
    e.get(local)
    e.body.f64(float(INT_MIN))
    e.body.op(op.F64_GE, op.I32_AND)
    e.get(local)
    e.body.f64(float(INT_MAX))  # which is 2 ** 63
    e.body.op(op.F64_LT, op.I32_AND)


# ---------------------------------------------------------------- tests of one number


def _register_sign(name: str, whole: int, broken: int) -> None:
    @operation(name, least=1, kind=_numbers(name))
    def emit(e: Emitter, args: Sequence[ir.Node]) -> Range:
        e.value(args[0])
        if e.kind(args[0]) is Kind.INT:
            e.body.i64(0)
            e.body.op(whole)
        else:
            e.body.f64(0.0)
            e.body.op(broken)
        return FULL


_register_sign("zero?", op.I64_EQ, op.F64_EQ)
_register_sign("pos?", op.I64_GT_S, op.F64_GT)
_register_sign("neg?", op.I64_LT_S, op.F64_LT)


@operation("not", least=1, kind=lambda kinds: Kind.BOOL)
def _not(e: Emitter, args: Sequence[ir.Node]) -> Range:
    e.test(args[0])
    e.body.op(op.I32_EQZ)
    return FULL


# ---------------------------------------------------------------- what a test tells


def known_behind(e: Emitter, test: ir.Node, truth: bool) -> dict[int, Range]:
    """The ranges that hold where `test` was true, or false."""
    found = dict(e.ranges)
    _learn(e, test, truth, found)
    return found


def _learn(e: Emitter, test: ir.Node, truth: bool, found: dict[int, Range]) -> None:
    match test:
        case ir.And(items=items) if truth:
            for item in items:
                _learn(e, item, True, found)
        case ir.Or(items=items) if not truth:
            for item in items:
                _learn(e, item, False, found)
        case ir.Apply(fn=ir.BuiltinRef(name="not"), args=(inner,)):
            _learn(e, inner, not truth, found)
        case ir.Apply(fn=ir.BuiltinRef(name=name), args=(a, b)) if name in _OPPOSITE:
            if e.kind(a) is Kind.INT and e.kind(b) is Kind.INT:
                name = name if truth else _OPPOSITE[name]
                _narrow(found, a, _LEFT.get(name), _known(found, b))
                _narrow(found, b, _RIGHT.get(name), _known(found, a))
        case ir.Primitive(name="equal", args=(a, b)) if truth and e.kind(a) is e.kind(b) is Kind.INT:
            _narrow(found, a, _LEFT["="], _known(found, b))
        case _:
            pass


def _known(found: dict[int, Range], node: ir.Node) -> Range:
    if isinstance(node, ir.Constant):
        return node.value, node.value
    return found.get(node.local.id, FULL) if isinstance(node, ir.LocalRef) else FULL


def _narrow(
    found: dict[int, Range], node: ir.Node, bound: Callable[[Range], Range] | None, other: Range
) -> None:
    if isinstance(node, ir.LocalRef) and bound is not None:
        found[node.local.id] = both(found.get(node.local.id, FULL), bound(other))


#: the range of the left side where the comparison with a right side in a range holds
_LEFT: Final[dict[str, Callable[[Range], Range]]] = {
    "<": lambda other: (INT_MIN, other[1] - 1),
    "<=": lambda other: (INT_MIN, other[1]),
    ">": lambda other: (other[0] + 1, INT_MAX),
    ">=": lambda other: (other[0], INT_MAX),
    "=": lambda other: other,
}
_RIGHT: Final[dict[str, Callable[[Range], Range]]] = {
    "<": _LEFT[">"],
    "<=": _LEFT[">="],
    ">": _LEFT["<"],
    ">=": _LEFT["<="],
    "=": _LEFT["="],
}
