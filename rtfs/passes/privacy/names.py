"""Names: references, definitions and modules."""

from __future__ import annotations

from dataclasses import replace

from rtfs import ir
from rtfs.passes.privacy.annotations import labels_in
from rtfs.passes.privacy.builtins import builtin_value, is_builtin
from rtfs.passes.privacy.checks import check, note
from rtfs.passes.privacy.flow import ANYTHING, LABELS, NOTHING, TOKENS, Function, Site
from rtfs.passes.privacy.functions import call_computed, global_of, lambda_of
from rtfs.passes.privacy.host import give_to_host, read_context
from rtfs.passes.privacy.program import Place, Program, handles

# ---------------------------------------------------------------- references


@handles(ir.GlobalRef, ir.QualifiedRef)
def _global_ref(program: Program, node: ir.GlobalRef | ir.QualifiedRef, into: int, place: Place) -> None:
    variable = global_of(program, node, place)
    program.read.add(variable)
    program.flow.edges[variable].append(into)


@handles(ir.BuiltinRef)
def _builtin_ref(program: Program, node: ir.BuiltinRef, into: int, place: Place) -> None:
    builtin_value(program, node.name, into)


@handles(ir.DynamicRef)
def _dynamic_ref(program: Program, node: ir.DynamicRef, into: int, place: Place) -> None:
    read_context(program, node.name, into, place)


# ---------------------------------------------------------------- definitions


@handles(ir.Def)
def _def(program: Program, node: ir.Def, into: int, place: Place) -> None:
    variable = program.global_(place.module, node.name)
    edges = program.flow.edges
    edges[variable] += (into, place.touched)
    if into != place.touched:
        program.read.add(variable)
    if isinstance(node.value, ir.Lambda):
        symbol = f"{place.module}/{node.name}" if place.module else node.name
        clean = node.value.name == node.name and program.sources.declassifies(symbol)
        function = lambda_of(program, node.value, place, TOKENS if clean else ANYTHING)
        edges[function.captured].append(variable)
        program.define(variable, function, place)
    else:
        program.define(variable, None, place)
        program.visit(node.value, variable, place)
        if node.metadata:
            program.flow.add_labels(variable, labels_in(node.metadata))
    if node.type is not None:
        check(program, node.type, variable, place)


@handles(ir.LocalDef)
def _local_def(program: Program, node: ir.LocalDef, into: int, place: Place) -> None:
    variable = program.local(node.local, place)
    program.flow.edges[place.condition].append(variable)
    program.flow.edges[variable] += (into, place.touched)
    program.visit(node.value, variable, place)
    if node.type is not None:
        check(program, node.type, variable, place)


@handles(ir.DefType)
def _def_type(program: Program, node: ir.DefType, into: int, place: Place) -> None:
    note(program, node.type)


@handles(ir.StructOf)
def _struct_of(program: Program, node: ir.StructOf, into: int, place: Place) -> None:
    """The constructor gives what it is given, once that is checked."""
    new = program.flow.variable
    value, condition, touched = new(), new(LABELS), new(LABELS)
    inner = Place(place.function, condition, touched, place.module, {}, {})
    for each in node.fields:
        check(program, each.type, value, inner)
    program.flow.add_function(into, Function([([], value)], value, condition, touched))


# ---------------------------------------------------------------- modules


@handles(ir.ModuleForm)
def _module_form(program: Program, node: ir.ModuleForm, into: int, place: Place) -> None:
    program.modules.add(node.name)
    function = program.new_function(None)
    inner = Place(function, place.condition, place.touched, node.name, place.locals, place.targets)
    program.visit_all(node.body, place.touched, inner)


@handles(ir.Import)
def _import(program: Program, node: ir.Import, into: int, place: Place) -> None:
    program.flow.join(place.condition, program.needed(node.module))
    for exported, name in node.names:
        source = program.global_(node.module, exported)
        variable = program.global_(place.module, name)
        program.read.add(source)
        program.flow.edges[source].append(variable)
        program.define(variable, source, place)


# ---------------------------------------------------------------- when all is walked


def settle_globals(program: Program) -> None:
    """Decide what globals stand for, and link the calls of them."""
    outside = _settle_unknown(program)
    _settle_predicates(program)
    for call in program.global_calls:
        site = call.site
        meaning = program.meaning(site.callee)
        if meaning is not None:
            _call_known(program, site, *meaning)
        elif call.unknown is not None:
            call.unknown()
        else:
            program.read.add(site.callee)
            call_computed(program, site)
            if site.callee in outside:
                give_to_host(program, site.args, site.condition)
    for variable in program.read:
        for found in program.definitions.get(variable, ()):
            if isinstance(found, Function):
                program.flow.add_function(variable, found)


def _call_known(program: Program, site: Site, function: Function, decisive: list[int]) -> None:
    """A call of one function by its name: nothing but its being there could make it another call."""
    program.flow.link(replace(site, callee=NOTHING), function)
    for condition in decisive:
        program.flow.edges[condition] += (function.condition, site.result, site.touched)


def _settle_unknown(program: Program) -> set[int]:
    """Globals that may be builtins, and those of modules that are not here, which may be anything."""
    outside = set()
    for module, names in program.globals.items():
        known = module is None or module in program.modules
        for name, variable in names.items():
            builtin = name if known or module == "stdlib" else f"{module}/{name}"
            if is_builtin(builtin):
                program.definitions.setdefault(variable, []).append(None)
                builtin_value(program, builtin, variable)
            elif not known:
                program.flow.add_labels(variable, program.sources.of_capability(None))
                program.flow.add_labels(variable, program.sources.of_context(None))
                program.flow.join(program.host, variable)
                outside.add(variable)
    return outside


def _settle_predicates(program: Program) -> None:
    """Functions that types name get the values that are checked."""
    asked = program.flow.variable()
    for names in program.globals.values():
        for name in program.predicates & names.keys():
            program.read.add(names[name])
            program.flow.edges[names[name]].append(asked)
    for name in program.predicates:
        if is_builtin(name):
            builtin_value(program, name, asked)
    edges = program.flow.edges
    edges[asked].append(program.verdict)
    edges[program.checked].append(program.verdict)
    site = Site(asked, [program.checked], program.verdict, program.checking, program.verdict, mixed=True)
    program.flow.add_site(site)
    edges[program.checked].append(program.checking)
