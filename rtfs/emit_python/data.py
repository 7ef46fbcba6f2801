"""Names, constants, collections, definitions, modules, steps: what neither branches nor calls."""

from __future__ import annotations

import ast

from rtfs import ir
from rtfs.emit_python import facts as f
from rtfs.emit_python.checks import cast_value
from rtfs.emit_python.emitter import Emitter, FunctionState
from rtfs.emit_python.facts import ANY, Fact
from rtfs.emit_python.functions import emit_lambda, emit_thunk
from rtfs.namespace import def_label, global_key
from rtfs.types import model as types
from rtfs.values import MAP_KEY_TYPES, Map

type Typed = tuple[ast.expr, Fact]

_IN_CODE = frozenset((type(None), bool, int, float, str))


def emit_constant(e: Emitter, node: ir.Constant) -> Typed:
    value = node.value
    made = e.python(value) if type(value) in _IN_CODE else e.constant(value)
    return made, f.of_value(value)


def emit_local_ref(e: Emitter, node: ir.LocalRef) -> Typed:
    return e.name(e.local(node.local)), e.fact_of(node.local)


def emit_global_ref(e: Emitter, node: ir.GlobalRef) -> Typed:
    return e.name(global_key(node.name)), ANY


def emit_builtin_ref(e: Emitter, node: ir.BuiltinRef) -> Typed:
    return e.name(f"b·{node.name}"), Fact(f.OTHER)


def emit_qualified_ref(e: Emitter, node: ir.QualifiedRef) -> Typed:
    return e.helper("qualified", e.name("rt·modules"), e.python(node.module), e.python(node.name)), ANY


def emit_dynamic_ref(e: Emitter, node: ir.DynamicRef) -> Typed:
    return e.helper("lookup", e.name("rt·namespace"), e.python(node.name), e.python(node.or_nil)), ANY


def emit_lambda_value(e: Emitter, node: ir.Lambda) -> Typed:
    return emit_lambda(e, node), Fact(f.OTHER)


def emit_primitive(e: Emitter, node: ir.Primitive) -> Typed:
    values = [value for value, _ in e.exprs(node.args)]
    return e.helper(f"primitive·{node.name}", *values), ANY


# ---------------------------------------------------------------- collections


def emit_vector_of(e: Emitter, node: ir.VectorOf) -> Typed:
    return e.helper("Vector", e.list_of(value for value, _ in e.exprs(node.items))), Fact(f.VECTOR)


def emit_list_of(e: Emitter, node: ir.ListOf) -> Typed:
    return e.helper("List", e.list_of(value for value, _ in e.exprs(node.items))), Fact(f.LIST)


def emit_set_of(e: Emitter, node: ir.SetOf) -> Typed:
    return e.helper("Set", e.list_of(value for value, _ in e.exprs(node.items))), Fact(f.SET)


def emit_map_of(e: Emitter, node: ir.MapOf) -> Typed:
    """Keys that are no constants are checked."""
    parts = [part for entry in node.entries for part in entry]
    checked = {
        index
        for index, part in enumerate(parts)
        if index % 2 == 0 and not (isinstance(part, ir.Constant) and type(part.value) in MAP_KEY_TYPES)
    }

    def check(index: int, value: ast.expr) -> ast.expr:
        return e.helper("map_key", value) if index in checked else value

    values = [value for value, _ in e.exprs(parts, check if checked else None)]
    table = ast.Dict(list(values[::2]), values[1::2], **e.at)
    return e.helper("Map", table), Fact(f.MAP)


# ---------------------------------------------------------------- definitions


def emit_def(e: Emitter, node: ir.Def) -> Typed:
    name = global_key(node.name)
    stub_entry = None
    if isinstance(node.value, ir.Lambda) and node.type is None:
        entry = e.frame.entry(node.value)
        if entry is not None and e.bound(node.value):
            stub_entry = entry
        elif entry is not None:
            e.unchecked[id(node.value)] = entry
        value, fact = emit_lambda(e, node.value), Fact(f.OTHER)
    else:
        value, fact = e.expr(node.value)
        if node.type is not None:
            value, fact = cast_value(e, value, fact, node.type, def_label(node.name))
    value = e.spilled(value)
    e.function.globals.add(name)
    e.assign(name, value)
    if stub_entry is not None:  # callers that would make no checks enter the stub
        e.unchecked[id(node.value)] = stub_entry
        e.function.globals.add(stub_entry)
        e.assign(stub_entry, value)
    if node.doc is not None or node.metadata or e.session:
        about = e.constant(Map(dict(node.metadata))) if node.metadata else e.python(None)
        describe = e.helper("describe", e.name("rt·namespace"), e.python(node.name), e.python(node.doc), about)
        e.statement(describe)
    return value, fact


def emit_local_def(e: Emitter, node: ir.LocalDef) -> Typed:
    name = e.local(node.local)
    if isinstance(node.value, ir.Lambda) and node.type is None:
        value, fact = emit_lambda(e, node.value, node.local), Fact(f.OTHER)
    else:
        value, fact = e.expr(node.value)
        if node.type is not None:
            value, fact = cast_value(e, value, fact, node.type, def_label(node.local.name))
    value = e.spilled(value)
    state: FunctionState | None = e.function
    while state is not None and state.thunk:
        state.assigned_in_thunks.add(name)
        state = state.parent
    e.assign(e.own(node.local), value)
    return value, fact


def emit_def_type(e: Emitter, node: ir.DefType) -> Typed:
    e.statement(
        e.helper("define_type", e.name("rt·namespace"), e.python(node.name), e.type_constant(node.type))
    )
    return e.python(None), Fact(f.NIL)


def emit_struct_of(e: Emitter, node: ir.StructOf) -> Typed:
    fields = e.type_constant(types.MapType(node.fields))
    return e.helper("struct", e.python(node.name), fields, e.name("rt·namespace")), Fact(f.OTHER)


def emit_module_form(e: Emitter, node: ir.ModuleForm) -> Typed:
    return e.helper("module", e.name("rt·modules"), e.constant(e.compile_module(node))), Fact(f.MAP)


def emit_import(e: Emitter, node: ir.Import) -> Typed:
    names = e.tuple_of(e.tuple_of(e.python(name) for name in pair) for pair in node.names)
    module = e.python(node.module)
    e.statement(e.helper("import", e.name("rt·modules"), e.name("rt·namespace"), module, names))
    return e.python(None), Fact(f.NIL)


# ---------------------------------------------------------------- steps, hints, tickets


def emit_step(e: Emitter, node: ir.Step) -> Typed:
    name, _ = e.expr(node.name)
    name = e.spilled(name)
    option_values = [e.spilled(value) for value, _ in e.exprs([value for _, value in node.options])]
    options = ast.Dict([e.python(key) for key, _ in node.options], option_values, **e.at)
    params = e.python(None)
    if node.params is not None:
        values = [value for value, _ in e.exprs([value for _, value in node.params])]
        table = ast.Dict([e.python(key) for key, _ in node.params], values, **e.at)
        params = e.spilled(e.helper("Map", table))
        if node.params_local is not None:
            e.assign(e.own(node.params_local), params)
    body = emit_thunk(e, node.body)
    return e.helper("run_step", e.python(node.kind), name, options, params, body), ANY


def emit_hinted(e: Emitter, node: ir.Hinted) -> Typed:
    values = [value for value, _ in e.exprs([value for _, value in node.hints])]
    hints = e.spilled(ast.Dict([e.python(key) for key, _ in node.hints], values, **e.at))
    return e.helper("with_hints", hints, emit_thunk(e, node.body)), ANY


def emit_async(e: Emitter, node: ir.Async) -> Typed:
    return e.helper("async", emit_thunk(e, node.body)), Fact(f.OTHER)


def emit_race(e: Emitter, node: ir.Race) -> Typed:
    return e.helper("race", *[emit_thunk(e, item) for item in node.items]), ANY
