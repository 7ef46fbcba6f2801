"""Tests: a Python expression that is true exactly when an RTFS value is truthy, and what each outcome tells."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Final

from rtfs import ir
from rtfs.emit_python import facts as f
from rtfs.emit_python.emitter import Emitter
from rtfs.emit_python.facts import Fact

#: local id → what is known about it after the test
type Learnt = dict[int, Fact]


@dataclass(slots=True)
class Condition:
    """`test` is a Python expression of any type, taken for its Python truth."""

    test: ast.expr
    when_true: Learnt = field(default_factory=dict)
    when_false: Learnt = field(default_factory=dict)
    #: the test is a Python bool, equal to the RTFS value
    is_bool: bool = True
    #: statements to run before the test; only `conjunction` leaves them to its caller
    block: list[ast.stmt] = field(default_factory=list)


def condition(e: Emitter, node: ir.Node) -> Condition:
    """The test for `node`'s truth. Statements it needs go to the block."""
    with e.placed(node):
        found = None
        if isinstance(node, ir.Apply) and isinstance(node.fn, ir.BuiltinRef):
            found = builtin_condition(e, node.fn.name, node)
        elif isinstance(node, ir.And | ir.Or):
            found = conjunction(e, node)
            if found is not None:
                e.block.extend(found.block)
        return found or _truth(e, node)


def learn(e: Emitter, learnt: Learnt) -> None:
    e.facts.update(learnt)


def _truth(e: Emitter, node: ir.Node) -> Condition:
    value, fact = e.expr(node)
    if fact.only(f.BOOL):
        return Condition(value)
    if not fact.kinds & (f.NIL | f.BOOL):
        if not e.is_settled(value):
            e.statement(value)
        return Condition(e.python(True), is_bool=False)
    first = second = value
    if not e.is_settled(value):
        name = e.temporary()
        first, second = e.walrus(name, value), e.name(name)
    test = e.compare(first, ast.IsNot(), e.python(None))
    if fact.kinds & f.BOOL:
        test = e.all_of(test, e.compare(second, ast.IsNot(), e.python(False)))
    found = Condition(test, is_bool=False)
    if isinstance(node, ir.LocalRef) and e.local(node.local) not in e.mutable:
        found.when_true[node.local.id] = fact.restrict(f.ALL & ~f.NIL)
        found.when_false[node.local.id] = fact.restrict(f.NIL | f.BOOL)
    return found


def conjunction(e: Emitter, node: ir.And | ir.Or) -> Condition | None:
    """`and` or `or` as a Python BoolOp with the statements of its first item in `block`; None if another item
    needs statements."""
    if id(node) in e.needs_statements:
        return None
    conjunctive = isinstance(node, ir.And)
    conditions: list[Condition] = []
    learnt: Learnt = {}
    first: list[ast.stmt] = []
    for item in node.items:
        with e.nested() as block:
            learn(e, learnt)
            found = condition(e, item)
        if block and conditions:
            e.needs_statements.add(id(node))
            return None
        first.extend(block)
        conditions.append(found)
        learnt.update(found.when_true if conjunctive else found.when_false)
    operator: ast.boolop = ast.And() if conjunctive else ast.Or()
    tests = [found.test for found in conditions]
    test = tests[0] if len(tests) == 1 else ast.BoolOp(operator, tests, **e.at)
    return Condition(
        test,
        when_true=learnt if conjunctive else {},
        when_false={} if conjunctive else learnt,
        is_bool=all(found.is_bool for found in conditions),
        block=first,
    )


def builtin_condition(e: Emitter, name: str, node: ir.Apply) -> Condition | None:
    """The test for a call of a builtin that has one of its own with that number of arguments."""
    args = node.args
    if name == "not" and len(args) == 1:
        inner = condition(e, args[0])
        test: ast.expr = ast.UnaryOp(ast.Not(), inner.test, **e.at)
        return Condition(test, when_true=inner.when_false, when_false=inner.when_true)
    if name in _ORDER and len(args) == 2:
        return _ordering(e, name, args[0], args[1])
    if name in ("=", "not=", "!=") and len(args) == 2:
        return _equality(e, args[0], args[1], name == "=")
    if name in _TYPE_TESTS and len(args) == 1:
        return _type_test(e, name, args[0])
    if name in _SIGN_TESTS and len(args) == 1:
        zero = ir.Constant(value=0, span=node.span)
        value, fact = e.expr(args[0])
        if fact.only(f.NUMBER):
            return _compared(e, _SIGN_TESTS[name], (args[0], value, fact), (zero, e.python(0), f.of_value(0)))
        e.note_call(f"b·{name}", args)
        return Condition(e.builtin(name, value))
    return None


# ---------------------------------------------------------------- ordering

_ORDER: Final[dict[str, tuple[ast.cmpop, str]]] = {
    "<": (ast.Lt(), "lt2"),
    ">": (ast.Gt(), "gt2"),
    "<=": (ast.LtE(), "le2"),
    ">=": (ast.GtE(), "ge2"),
}
_SIGN_TESTS: Final = {"pos?": ">", "neg?": "<", "zero?": "=="}

type _Operand = tuple[ir.Node, ast.expr, Fact]


def _ordering(e: Emitter, name: str, left: ir.Node, right: ir.Node) -> Condition:
    operator, slow = _ORDER[name]
    (a, a_fact), (b, b_fact) = e.exprs((left, right))
    if a_fact.only(f.NUMBER) and b_fact.only(f.NUMBER):
        return _compared(e, name, (left, a, a_fact), (right, b, b_fact))
    if not (a_fact.kinds & f.INT and b_fact.kinds & f.INT):
        return Condition(e.helper(slow, a, b))
    # the slow helper sees floats, strings and wrong kinds
    a, b = e.spilled(a), e.spilled(b)
    guard = e.all_of(*int_guards(e, (a, a_fact), (b, b_fact)))
    found = _compared(e, name, (left, a, a_fact), (right, b, b_fact))
    found.test = e.conditional(guard, e.compare(a, operator, b), e.helper(slow, a, b))
    return found


def int_guards(e: Emitter, *operands: tuple[ast.expr, Fact]) -> list[ast.expr]:
    """Tests that operands not known to be numbers are integers."""
    return [
        e.compare(e.helper("type", value), ast.Is(), e.name("rt·int"))
        for value, fact in operands
        if not fact.only(f.NUMBER)
    ]


def _compared(e: Emitter, name: str, left: _Operand, right: _Operand) -> Condition:
    """The plain comparison, and what it tells: both are numbers if one is, and bounds for integers."""
    (a_node, a, a_fact), (b_node, b, b_fact) = left, right
    operator = ast.Eq() if name == "==" else _ORDER[name][0]
    found = Condition(e.compare(a, operator, b))
    if a_fact.only(f.NUMBER) or b_fact.only(f.NUMBER):
        a_fact, b_fact = a_fact.restrict(f.NUMBER), b_fact.restrict(f.NUMBER)
        e.learn(a_node, a_fact)
        e.learn(b_node, b_fact)
    if name == "==":
        _note(e, found.when_true, a_node, a_fact.restrict(f.NUMBER, b_fact.low, b_fact.high))
        return found
    if name in (">", ">="):
        a_node, a_fact, b_node, b_fact = b_node, b_fact, a_node, a_fact
    # now it says a < b (strict) or a <= b
    gap = 1 if name in ("<", ">") else 0
    if b_fact.only(f.INT):
        _note(e, found.when_true, a_node, a_fact.restrict(f.ALL, high=b_fact.high - gap))
        _note(e, found.when_false, a_node, a_fact.restrict(f.ALL, low=b_fact.low + 1 - gap))
    if a_fact.only(f.INT):
        _note(e, found.when_true, b_node, b_fact.restrict(f.ALL, low=a_fact.low + gap))
        _note(e, found.when_false, b_node, b_fact.restrict(f.ALL, high=a_fact.high - 1 + gap))
    return found


def _note(e: Emitter, learnt: Learnt, node: ir.Node, fact: Fact) -> None:
    if isinstance(node, ir.LocalRef) and e.local(node.local) not in e.mutable:
        learnt[node.local.id] = fact


# ---------------------------------------------------------------- equality and kinds


def _equality(e: Emitter, left: ir.Node, right: ir.Node, positive: bool) -> Condition:
    if isinstance(left, ir.Constant) and not isinstance(right, ir.Constant):
        left, right = right, left
    (a, a_fact), (b, b_fact) = e.exprs((left, right))
    found: Condition
    if isinstance(right, ir.Constant):
        found = _equals_constant(e, left, a, a_fact, right, b)
    elif a_fact.only(f.INT) and b_fact.only(f.INT):
        found = Condition(e.compare(a, ast.Eq(), b))
    else:
        found = Condition(e.helper("eq2", a, b))
    if positive:
        return found
    return Condition(ast.UnaryOp(ast.Not(), found.test, **e.at), found.when_false, found.when_true)


def _equals_constant(
    e: Emitter, node: ir.Node, value: ast.expr, fact: Fact, constant: ir.Constant, other: ast.expr
) -> Condition:
    expected = f.of_value(constant.value)
    if expected.only(f.NIL | f.BOOL | f.KEYWORD):
        found = Condition(e.compare(value, ast.Is(), other))
    elif expected.only(f.STRING) or (expected.only(f.INT) and fact.only(f.INT)):
        found = Condition(e.compare(value, ast.Eq(), other))  # no other kind equals a Python string
    elif expected.only(f.INT):
        value = e.spilled(value)
        kind = e.compare(e.helper("type", value), ast.Is(), e.name("rt·int"))
        found = Condition(e.all_of(kind, e.compare(value, ast.Eq(), other)))
    else:
        return Condition(e.helper("eq2", value, other))
    _note(e, found.when_true, node, expected)
    if expected.only(f.NIL):
        _note(e, found.when_false, node, fact.restrict(f.ALL & ~f.NIL))
    return found


_TYPE_TESTS: Final = {
    "nil?": ("NoneType", f.NIL),
    "int?": ("int", f.INT),
    "float?": ("float", f.FLOAT),
    "string?": ("str", f.STRING),
    "bool?": ("bool", f.BOOL),
    "boolean?": ("bool", f.BOOL),
    "keyword?": ("Keyword", f.KEYWORD),
    "vector?": ("Vector", f.VECTOR),
    "list?": ("List", f.LIST),
    "map?": ("Map", f.MAP),
    "set?": ("Set", f.SET),
}


def _type_test(e: Emitter, name: str, node: ir.Node) -> Condition:
    python_type, kind = _TYPE_TESTS[name]
    value, fact = e.expr(node)
    if kind == f.NIL:
        found = Condition(e.compare(value, ast.Is(), e.python(None)))
    else:
        found = Condition(e.compare(e.helper("type", value), ast.Is(), e.name(f"rt·{python_type}")))
    _note(e, found.when_true, node, fact.restrict(kind))
    _note(e, found.when_false, node, fact.restrict(f.ALL & ~kind))
    return found
