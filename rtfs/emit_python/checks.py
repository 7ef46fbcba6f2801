"""Checks of values against declared types, in line where the type is a primitive."""

from __future__ import annotations

import ast
from typing import Final

from rtfs import ir
from rtfs.emit_python import facts as f
from rtfs.emit_python.emitter import Emitter, checked_type
from rtfs.emit_python.facts import Fact
from rtfs.types import model as types

#: primitive → Python type whose members all belong to it
_EXACT: Final = {
    "int": "int",
    "float": "float",
    "string": "str",
    "bool": "bool",
    "keyword": "Keyword",
    "vector": "Vector",
    "list": "List",
    "map": "Map",
    "set": "Set",
}


def proven(fact: Fact, declared: types.Type | None) -> bool:
    """Whether a value with `fact` certainly belongs to `declared`."""
    if not checked_type(declared):
        return True
    if not isinstance(declared, types.Primitive):
        return False
    members = f.of_type(declared).kinds
    return members != f.ALL and fact.only(members)  # ALL: facts do not know this type


def cast_value(
    e: Emitter, value: ast.expr, fact: Fact, declared: types.Type, label: str
) -> tuple[ast.expr, Fact]:
    """`value`, checked. The check raises TypeValidationError with a path that starts with `label`."""
    if proven(fact, declared):
        return value, fact
    known = f.of_type(declared)
    settled = e.spilled(value)
    checked = e.helper("check", e.type_constant(declared), settled, e.python(label), e.name("rt·namespace"))
    test = _passes(e, settled, declared)
    if test is not None:
        checked = e.conditional(test, settled, checked)
    return checked, fact.restrict(known.kinds, known.low, known.high)


def check_statement(e: Emitter, name: str, fact: Fact, declared: types.Type, label: str) -> Fact:
    """Check the local `name` where it stands, as a statement."""
    known = f.of_type(declared)
    if proven(fact, declared):
        return fact
    settled = e.name(name)
    check = e.helper("check", e.type_constant(declared), settled, e.python(label), e.name("rt·namespace"))
    test = _passes(e, settled, declared)
    if test is None:
        e.statement(check)
    else:
        failing = ast.UnaryOp(ast.Not(), test, **e.at)
        e.if_(failing, [ast.Expr(check, **e.at)], [])
    return fact.restrict(known.kinds, known.low, known.high)


def check_rest(e: Emitter, value: ast.expr, rest: ir.Param) -> None:
    """Check the items of a rest parameter, as a statement."""
    assert rest.type is not None
    label = e.python(rest.local.name)
    e.statement(e.helper("check_rest", e.type_constant(rest.type), value, label, e.name("rt·namespace")))


def _passes(e: Emitter, value: ast.expr, declared: types.Type) -> ast.expr | None:
    """A quick test that is true only for members of `declared`, if there is one."""
    if isinstance(declared, types.OptionalType):
        test = _passes(e, value, declared.item)
        if test is None:
            return None
        return ast.BoolOp(ast.Or(), [e.compare(value, ast.Is(), e.python(None)), test], **e.at)
    if not isinstance(declared, types.Primitive) or declared.name not in _EXACT:
        return None
    return e.compare(e.helper("type", value), ast.Is(), e.name(f"rt·{_EXACT[declared.name]}"))


def emit_cast(e: Emitter, node: ir.Cast) -> tuple[ast.expr, Fact]:
    value, fact = e.expr(node.value)
    return cast_value(e, value, fact, node.type, node.label)


def emit_is_type(e: Emitter, node: ir.IsType) -> tuple[ast.expr, Fact]:
    value, _ = e.expr(node.value)
    return e.helper("matches", e.type_constant(node.type), value, e.name("rt·namespace")), f.A_BOOL
