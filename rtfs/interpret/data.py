"""Collections, primitives, and checks of types."""

from __future__ import annotations

from rtfs import errors, ir
from rtfs.interpret.core import Env, checked, evaluate, handles
from rtfs.values import MAP_KEY_TYPES, List, Map, Set, Value, Vector, type_name


@handles(ir.VectorOf)
def _vector_of(node: ir.VectorOf, env: Env, tail: bool) -> Value:
    return Vector([evaluate(item, env) for item in node.items])


@handles(ir.ListOf)
def _list_of(node: ir.ListOf, env: Env, tail: bool) -> Value:
    return List([evaluate(item, env) for item in node.items])


@handles(ir.SetOf)
def _set_of(node: ir.SetOf, env: Env, tail: bool) -> Value:
    return Set([evaluate(item, env) for item in node.items])


@handles(ir.MapOf)
def _map_of(node: ir.MapOf, env: Env, tail: bool) -> Value:
    table: dict[Value, Value] = {}
    for key_node, value_node in node.entries:
        key = evaluate(key_node, env)
        if type(key) not in MAP_KEY_TYPES:
            raise errors.TypeMismatch("string, keyword or integer", type_name(key), "map key")
        table[key] = evaluate(value_node, env)
    return Map(table)


@handles(ir.Primitive)
def _primitive(node: ir.Primitive, env: Env, tail: bool) -> Value:
    from rtfs.primitives import TABLE

    args = [evaluate(arg, env) for arg in node.args]
    return TABLE[node.name](*args)


@handles(ir.Cast)
def _cast(node: ir.Cast, env: Env, tail: bool) -> Value:
    return checked(env, evaluate(node.value, env), node.type, node.label)


@handles(ir.IsType)
def _is_type(node: ir.IsType, env: Env, tail: bool) -> Value:
    from rtfs.types.check import matches

    return matches(evaluate(node.value, env), node.type, env.world.namespace.type_env)
