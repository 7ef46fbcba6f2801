"""Calls: of builtins in line, of known functions without checks, in tail position as loops or bounces."""

from __future__ import annotations

import ast
from typing import Final

from rtfs import ir
from rtfs.emit_python import facts as f
from rtfs.emit_python.arithmetic import emit_arithmetic
from rtfs.emit_python.checks import proven
from rtfs.emit_python.conditions import builtin_condition
from rtfs.emit_python.emitter import Destination, Emitter, checked_type
from rtfs.emit_python.facts import ANY, Fact
from rtfs.emit_python.tailcalls import chosen
from rtfs.namespace import RETURN_LABEL
from rtfs.values import Keyword

type Typed = tuple[ast.expr, Fact]

#: builtins that are tests, emitted by `conditions`
_TESTS: Final = frozenset(
    "= not= != < > <= >= not nil? int? float? string? bool? boolean? keyword? vector? list? map? set? "
    "zero? pos? neg?".split()
)


def emit_apply(e: Emitter, node: ir.Apply) -> Typed:
    fn = node.fn
    if isinstance(fn, ir.BuiltinRef):
        return _builtin_call(e, fn.name, node)
    if isinstance(fn, ir.Constant) and type(fn.value) is Keyword and len(node.args) == 1:
        return _keyword_lookup(e, fn, node)
    known = e.tail_calls.known(fn)
    callee, values = _callee_and_arguments(e, node)
    if known is not None and _passes_unchecked(e, known, values):
        callee = ast.Name(e.unchecked[id(known)], ast.Load(), **e.at)
    return _called(e, callee, node, values), _returned(e, known)


def _returned(e: Emitter, known: ir.Lambda | None) -> Fact:
    """What a call of `known` gives: as found out in its form, elsewhere only as declared."""
    if known is None:
        return ANY
    found = e.returns.get(id(known))
    if found is None and len(known.arities) == 1:
        found = f.of_type(known.arities[0].returns)
    return ANY if found is None else found


def _callee_and_arguments(e: Emitter, node: ir.Apply) -> tuple[ast.Name, list[Typed]]:
    """The function to call, as a name, so that `blame` can look at it if the call fails; and the arguments."""
    value, _ = e.expr(node.fn)
    if not isinstance(value, ast.Name):
        name = e.temporary()
        e.assign(name, value)
        value = e.name(name)
    mark = len(e.block)
    values = e.exprs(node.args)
    if len(e.block) > mark and e.tail_calls.known(node.fn) is None:  # they may give the name another meaning
        statements = e.block[mark:]
        del e.block[mark:]
        value = e.spilled(value)
        e.block.extend(statements)
    assert isinstance(value, ast.Name)
    return value, values


def _called(e: Emitter, callee: ast.Name, node: ir.Apply, values: list[Typed]) -> ast.expr:
    e.note_call(callee.id, node.args)
    return e.call(callee, *(value for value, _ in values))


def _passes_unchecked(e: Emitter, known: ir.Lambda, values: list[Typed]) -> bool:
    if id(known) not in e.unchecked or len(known.arities[0].params) != len(values):
        return False
    params = known.arities[0].params
    return all(proven(fact, param.type) for param, (_, fact) in zip(params, values, strict=True))


def _builtin_call(e: Emitter, name: str, node: ir.Apply) -> Typed:
    if name in _TESTS:
        test = builtin_condition(e, name, node)
        if test is not None:  # it is for a wrong number of arguments, which is an error of the call
            return test.test, f.A_BOOL
    found = emit_arithmetic(e, name, node)
    if found is not None:
        return found
    values = e.exprs(node.args)
    return _called(e, ast.Name(f"b·{name}", ast.Load(), **e.at), node, values), f.RESULTS.get(name, ANY)


def _keyword_lookup(e: Emitter, fn: ir.Constant, node: ir.Apply) -> Typed:
    """`(:k m)`: the map's own lookup if it is a map, else the keyword's call, which knows the errors."""
    key, _ = e.expr(fn)
    value, fact = e.expr(node.args[0])
    value = e.spilled(value)
    if isinstance(key, ast.Name):
        e.note_call(key.id, node.args)
    slow = e.call(key, value)
    if not fact.kinds & f.MAP:
        return slow, ANY
    get = ast.Attribute(value, "get", ast.Load(), **e.at)
    quick = ast.Call(get, [key], [], **e.at)
    if fact.only(f.MAP):
        return quick, ANY
    is_map = e.compare(e.helper("type", value), ast.Is(), e.name("rt·Map"))
    return e.conditional(is_map, quick, slow), ANY


def tail_apply(e: Emitter, node: ir.Apply, destination: Destination) -> None:
    """A call in tail position: a turn of the loop if it calls the function itself, a bounce if it must."""
    state = e.function
    if destination.tail and destination.returns and state.arity is not None:
        if is_self_call(e, node) and state.loops[-1].label == state.arity.label:
            _self_call(e, node, destination)
            return
        if state.bouncing and not isinstance(node.fn, ir.BuiltinRef):
            known = e.tail_calls.known(node.fn)
            if known is None or e.tail_calls.is_bouncing(known):
                _bounce(e, node, destination)
                return
    e.finish(destination, *emit_apply(e, node))


def _bounce(e: Emitter, node: ir.Apply, destination: Destination) -> None:
    """Leave the call to the caller."""
    callee, values = _callee_and_arguments(e, node)
    e.note_call(callee.id, node.args)
    _return_call(e, callee, [value for value, _ in values], destination)


def _return_call(e: Emitter, callee: ast.expr, values: list[ast.expr], destination: Destination) -> None:
    """Return a call for the caller to run, and with it the check of a declared return type."""
    assert e.function.arity is not None
    declared = e.function.arity.returns
    arguments = [e.python((e.source, *e.span)), callee, *values]
    if declared is None or not checked_type(declared):
        call = e.helper("tail", *arguments)
    else:
        check = (e.type_constant(declared), e.python(RETURN_LABEL), e.name("rt·namespace"))
        call = e.helper("tail_checked", *check, *arguments)
    destination.fact = ANY
    e.block.append(ast.Return(call, **e.at))


def is_self_call(e: Emitter, node: ir.Apply) -> bool:
    """Whether the call, in tail position, seems to enter the very function and arity it stands in."""
    state = e.function
    if state.node is None or state.arity is None:
        return False
    own = e.tail_calls.is_own_name(node.fn, state.node) and not e.bound(state.node)
    return own and chosen(state.node, len(node.args)) is state.arity


def _self_call(e: Emitter, node: ir.Apply, destination: Destination) -> None:
    """Start the body again. A name that a `def` may have given another meaning is looked at first."""
    state = e.function
    assert state.node is not None
    assert state.arity is not None
    if e.tail_calls.loops(node, state.node, state.arity):
        _start_again(e, state.arity, e.exprs(node.args))
        return
    name, arguments = _callee_and_arguments(e, node)
    callee = e.spilled(name)
    values = [(e.spilled(value), fact) for value, fact in arguments]
    with e.nested() as again:
        _start_again(e, state.arity, values)
    e.if_(e.compare(callee, ast.Is(), e.name(state.value_name)), again, [])
    e.note_call(name.id, node.args)
    _return_call(e, callee, [value for value, _ in values], destination)


def _start_again(e: Emitter, arity: ir.Arity, values: list[Typed]) -> None:
    from rtfs.emit_python.control import continue_loop

    if arity.rest is not None:
        count = len(arity.params)
        rest = e.helper("List", e.list_of(value for value, _ in values[count:]))
        values = [*values[:count], (rest, Fact(f.LIST))]
    continue_loop(e, arity.label, values)
