"""Arithmetic in line: the plain Python operator where facts allow it, guarded where they do not."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rtfs import ir
from rtfs.emit_python import facts as f
from rtfs.emit_python.conditions import int_guards
from rtfs.emit_python.emitter import Emitter
from rtfs.emit_python.facts import Fact
from rtfs.values import INT_MAX, INT_MIN, type_name

type Typed = tuple[ast.expr, Fact]


@dataclass(frozen=True, slots=True)
class Operation:
    """How an arithmetic builtin looks in Python."""

    operator: ast.operator
    #: helper with the builtin's full meaning for two arguments
    slow: str
    #: the result before the check for overflow
    result: Callable[[Fact, Fact], Fact]


_OPERATIONS: Final = {
    "+": Operation(ast.Add(), "add2", f.sum_of),
    "-": Operation(ast.Sub(), "sub2", f.difference_of),
    "*": Operation(ast.Mult(), "mul2", f.product_of),
}


def emit_arithmetic(e: Emitter, name: str, node: ir.Apply) -> Typed | None:
    """`name` applied in line, or None if that has no in-line form."""
    args = node.args
    if name in _OPERATIONS and len(args) >= 2:
        return _folded(e, name, node)
    if name in ("inc", "dec") and len(args) == 1:
        value, fact = e.expr(args[0])
        e.note_call(f"b·{name}", args)
        one: Typed = e.python(1), f.of_value(1)
        operation = _OPERATIONS["+" if name == "inc" else "-"]
        result = _binary(e, operation, (value, fact), one, slow=lambda a, _: e.builtin(name, a), label=name)
        e.learn(args[0], fact.restrict(f.NUMBER))
        return result
    if name in ("mod", "rem") and len(args) == 2:
        return _remainder(e, name, node)
    return None


def _folded(e: Emitter, name: str, node: ir.Apply) -> Typed:
    operation = _OPERATIONS[name]
    values = e.exprs(node.args)
    if len(values) > 2:
        values = [(e.spilled(value), fact) for value, fact in values]
    operands = tuple(_operand(value) for value, _ in values) if len(values) > 2 else ()
    e.note_call(f"b·{name}", node.args, operands)
    result = values[0]
    for value in values[1:]:
        result = _binary(
            e, operation, result, value, slow=lambda a, b: e.helper(operation.slow, a, b), label=name
        )
    for arg, (_, fact) in zip(node.args, values, strict=True):
        e.learn(arg, fact.restrict(f.NUMBER))
    return result


def _operand(settled: ast.expr) -> str:
    """How `blame` finds the value: its name, or the name of a literal's type."""
    if isinstance(settled, ast.Name):
        return settled.id
    assert isinstance(settled, ast.Constant)
    return type_name(settled.value)


def _binary(
    e: Emitter,
    operation: Operation,
    left: Typed,
    right: Typed,
    slow: Callable[[ast.expr, ast.expr], ast.expr],
    label: str,
) -> Typed:
    (a, a_fact), (b, b_fact) = left, right
    if not (a_fact.kinds & f.NUMBER and b_fact.kinds & f.NUMBER):
        return slow(a, b), Fact(f.NUMBER)  # certain to fail
    guarded = not (a_fact.only(f.NUMBER) and b_fact.only(f.NUMBER))
    if guarded and not (a_fact.kinds & f.INT and b_fact.kinds & f.INT):
        return slow(a, b), Fact(f.NUMBER)
    if guarded:
        a, b = e.spilled(a), e.spilled(b)
    a_int, b_int = a_fact.restrict(f.NUMBER), b_fact.restrict(f.NUMBER)
    raw = operation.result(a_int, b_int)
    value = _checked(e, ast.BinOp(a, operation.operator, b, **e.at), raw, label)
    fact = f.checked(raw)
    if guarded:
        value = e.conditional(e.all_of(*int_guards(e, (a, a_fact), (b, b_fact))), value, slow(a, b))
    return value, fact


def _checked(e: Emitter, value: ast.expr, raw: Fact, label: str) -> ast.expr:
    """`value`, sent through the overflow helper if it is outside 64 bits. `raw`: its possible bounds."""
    if not raw.kinds & f.INT or (raw.low >= INT_MIN and raw.high <= INT_MAX):
        return value
    name = e.temporary()
    named = e.walrus(name, value)
    overflow = e.helper("overflow", e.name(name), e.python(label))
    if raw.low >= INT_MIN:
        test = e.compare(named, ast.LtE(), e.python(INT_MAX))
    elif raw.high <= INT_MAX:
        test = e.compare(named, ast.GtE(), e.python(INT_MIN))
    else:
        bounds = [named, e.python(INT_MAX)]
        test = ast.Compare(e.python(INT_MIN), [ast.LtE(), ast.LtE()], bounds, **e.at)
    return e.conditional(test, e.name(name), overflow)


def _remainder(e: Emitter, name: str, node: ir.Apply) -> Typed | None:
    """Truncated and floored remainder agree where no operand is negative."""
    values = e.exprs(node.args)
    (a, a_fact), (b, b_fact) = values
    if a_fact.only(f.INT) and b_fact.only(f.INT) and a_fact.low >= 0 and b_fact.low > 0:
        return ast.BinOp(a, ast.Mod(), b, **e.at), Fact(f.INT, 0, b_fact.high - 1)
    e.note_call(f"b·{name}", node.args)
    return e.builtin(name, a, b), f.A_NUMBER
