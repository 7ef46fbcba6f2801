"""Constants, names, choice, sequence and loops."""

from __future__ import annotations

from collections.abc import Callable

from rtfs import errors, ir
from rtfs.interpret.core import Again, Env, checked, evaluate, handles
from rtfs.interpret.scopes import scope_of
from rtfs.namespace import builtins, let_label, loop_label
from rtfs.run import STOP_REQUESTS, poll
from rtfs.values import Value, Vector, truthy


@handles(ir.Constant)
def _constant(node: ir.Constant, env: Env, tail: bool) -> Value:
    return node.value


@handles(ir.LocalRef)
def _local_ref(node: ir.LocalRef, env: Env, tail: bool) -> Value:
    return env.lookup(node.local)


@handles(ir.GlobalRef)
def _global_ref(node: ir.GlobalRef, env: Env, tail: bool) -> Value:
    return env.world.namespace.value(node.name)


@handles(ir.BuiltinRef)
def _builtin_ref(node: ir.BuiltinRef, env: Env, tail: bool) -> Value:
    entry = builtins().get(node.name)
    if entry is None:
        raise errors.UndefinedSymbol(node.name)
    return entry.function


@handles(ir.QualifiedRef)
def _qualified_ref(node: ir.QualifiedRef, env: Env, tail: bool) -> Value:
    return env.world.modules.qualified(node.module, node.name)


@handles(ir.DynamicRef)
def _dynamic_ref(node: ir.DynamicRef, env: Env, tail: bool) -> Value:
    from rtfs.primitives import lookup

    return lookup(node.name, node.or_nil, env.world.namespace.names)


@handles(ir.If)
def _if(node: ir.If, env: Env, tail: bool) -> Value:
    branch = node.then if truthy(evaluate(node.test, env)) else node.otherwise
    return evaluate(branch, env, tail)


@handles(ir.Do)
def _do(node: ir.Do, env: Env, tail: bool) -> Value:
    for item in node.items[:-1]:
        evaluate(item, env)
    return evaluate(node.items[-1], env, tail)


@handles(ir.And)
def _and(node: ir.And, env: Env, tail: bool) -> Value:
    for item in node.items[:-1]:
        value = evaluate(item, env)
        if not truthy(value):
            return value
    return evaluate(node.items[-1], env, tail)


@handles(ir.Or)
def _or(node: ir.Or, env: Env, tail: bool) -> Value:
    for item in node.items[:-1]:
        value = evaluate(item, env)
        if truthy(value):
            return value
    return evaluate(node.items[-1], env, tail)


@handles(ir.Let)
def _let(node: ir.Let, env: Env, tail: bool) -> Value:
    _bind(node.bindings, env, let_label)
    return evaluate(node.body, env, tail)


def _bind(bindings: tuple[ir.Binding, ...], env: Env, label: Callable[[str], str]) -> None:
    """Evaluate bindings one after the other. `label` names their values in errors."""
    for binding in bindings:
        value = evaluate(binding.value, env)
        name = label(binding.local.name)
        env.values[binding.local.id] = checked(env, value, binding.type, name, binding.value.span)


@handles(ir.Loop)
def _loop(node: ir.Loop, env: Env, tail: bool) -> Value:
    # An initial value may use earlier bindings, so the first turn's scope is there from the start.
    turn = Env(env.world, env, scope_of(node))
    _bind(node.bindings, turn, loop_label)
    while True:
        result = evaluate(node.body, turn, tail)
        if type(result) is not Again or result.label != node.label:
            return result
        turn = Env(env.world, env, scope_of(node))
        for binding, value in zip(node.bindings, result.args, strict=True):
            turn.values[binding.local.id] = checked(env, value, binding.type, binding.local.name)
        if STOP_REQUESTS:
            poll()


@handles(ir.Recur)
def _recur(node: ir.Recur, env: Env, tail: bool) -> Value:
    return Again(node.label, [evaluate(arg, env) for arg in node.args])


@handles(ir.For)
def _for(node: ir.For, env: Env, tail: bool) -> Value:
    results: list[Value] = []
    _clauses(node, 0, env, results)
    return Vector(results) if node.collect else None


def _clauses(node: ir.For, index: int, env: Env, results: list[Value]) -> bool:
    """Run the clauses from `index` on, then the body. False: a `:while` ended the iteration around it."""
    if index == len(node.clauses):
        value = evaluate(node.body, env)
        if node.collect:
            results.append(value)
        return True
    match node.clauses[index]:
        case ir.Iterate() as clause:
            _iterate(node, clause, index, env, results)
        case ir.LetClause(bindings=bindings):
            _bind(bindings, env, let_label)
            return _clauses(node, index + 1, env, results)
        case ir.When(test=test):
            return not truthy(evaluate(test, env)) or _clauses(node, index + 1, env, results)
        case ir.While(test=test):
            return truthy(evaluate(test, env)) and _clauses(node, index + 1, env, results)
    return True


def _iterate(node: ir.For, clause: ir.Iterate, index: int, env: Env, results: list[Value]) -> None:
    from rtfs.stdlib.iteration import items

    for item in items(evaluate(clause.coll, env), "for" if node.collect else "doseq"):
        if STOP_REQUESTS:
            poll()
        turn = Env(env.world, env, scope_of(node))
        turn.values[clause.local.id] = item
        if not _clauses(node, index + 1, turn, results):
            break
