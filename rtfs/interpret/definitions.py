"""Definitions, structs, modules and imports."""

from __future__ import annotations

from rtfs import ir
from rtfs.interpret.core import Env, World, checked, evaluate, handles
from rtfs.interpret.scopes import TOP
from rtfs.namespace import def_label, module_value
from rtfs.struct import constructor
from rtfs.values import Value


@handles(ir.Def)
def _def(node: ir.Def, env: Env, tail: bool) -> Value:
    value = checked(env, evaluate(node.value, env), node.type, def_label(node.name))
    env.world.namespace.define(node.name, value, node.doc, node.metadata)
    return value


@handles(ir.LocalDef)
def _local_def(node: ir.LocalDef, env: Env, tail: bool) -> Value:
    value = checked(env, evaluate(node.value, env), node.type, def_label(node.local.name))
    env.assign(node.local, value)
    return value


@handles(ir.DefType)
def _def_type(node: ir.DefType, env: Env, tail: bool) -> Value:
    env.world.namespace.define_type(node.name, node.type)
    return None


@handles(ir.StructOf)
def _struct_of(node: ir.StructOf, env: Env, tail: bool) -> Value:
    return constructor(node.name, node.fields, env.world.namespace)


@handles(ir.ModuleForm)
def _module_form(node: ir.ModuleForm, env: Env, tail: bool) -> Value:
    outer = env.world
    namespace = outer.modules.frame(node.name)
    namespace.exports = frozenset(node.exports)
    world = World(namespace, outer.modules, outer.source, outer.homes)
    for form in node.body:
        evaluate(form, Env(world, None, TOP))
    outer.modules.add(namespace)
    return module_value(node.name, node.docstring, node.exports)


@handles(ir.Import)
def _import(node: ir.Import, env: Env, tail: bool) -> Value:
    modules = env.world.modules
    modules.load(node.module)
    for exported, name in node.names:
        env.world.namespace.define(name, modules.qualified(node.module, exported))
    return None
