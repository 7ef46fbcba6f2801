"""Functions of the program, and calls of what is known only when it runs."""

from __future__ import annotations

from rtfs import ir
from rtfs.passes.privacy.annotations import labels_in
from rtfs.passes.privacy.checks import check
from rtfs.passes.privacy.flow import ANYTHING, TOKENS, Function, Site
from rtfs.passes.privacy.program import Place, Program, handles


@handles(ir.Lambda)
def _lambda(program: Program, node: ir.Lambda, into: int, place: Place) -> None:
    function = lambda_of(program, node, place)
    program.flow.add_function(into, function)
    program.flow.join(function.captured, into)


def lambda_of(program: Program, node: ir.Lambda, place: Place, takes: int = ANYTHING) -> Function:
    """The variables of a lambda that stands at `place`.

    Args:
        takes: of its result.
    """
    known = program.functions.get(id(node))
    if known is not None:  # the same node may stand at two places
        program.flow.join(known[1].free, place.function.free)
        return known[1]
    function = program.new_function(place.function, takes)
    program.functions[id(node)] = (node, function)
    inner = Place(function, function.condition, function.touched, place.module, place.locals, place.targets)
    if node.self_local is not None:
        itself = program.local(node.self_local, inner)
        program.flow.add_function(itself, function)
        program.flow.join(function.captured, itself)
    if node.metadata:
        labels = labels_in(node.metadata)
        program.flow.add_labels(function.inside, labels)
        program.flow.add_labels(function.result, labels)
    for arity in node.arities:
        _arity(program, node, arity, inner)
    return function


def _arity(program: Program, node: ir.Lambda, arity: ir.Arity, place: Place) -> None:
    function = place.function
    params = [_param(program, node, param, place) for param in arity.params]
    rest = None if arity.rest is None else _param(program, node, arity.rest, place)
    function.arities.append((params, rest))
    targets = params if rest is None else [*params, rest]
    place.targets[arity.label] = targets, function.condition
    if arity.returns is not None:
        check(program, arity.returns, function.result, place)
    into = function.result
    if program.flow.takes[into] == TOKENS:  # what a declassifying function touches counts all the same
        into = program.new_value(place)
        program.flow.join(into, function.result)
    program.visit(arity.body, into, place)


def _param(program: Program, node: ir.Lambda, param: ir.Param, place: Place) -> int:
    variable = place.locals[param.local.id] = program.flow.variable()
    program.owners[variable] = place.function
    program.flow.edges[variable].append(place.function.inside)
    if param.metadata:
        program.flow.add_labels(variable, labels_in(param.metadata))
    if node.metadata:
        program.flow.add_labels(variable, labels_in(node.metadata))
    if param.type is not None:
        check(program, param.type, variable, place)
    return variable


def global_of(program: Program, node: ir.GlobalRef | ir.QualifiedRef, place: Place) -> int:
    """The variable of a global that is used at `place`. A function that does so captures it."""
    if isinstance(node, ir.GlobalRef):
        variable = program.global_(place.module, node.name)
    else:
        program.flow.join(place.condition, program.needed(node.module))
        variable = program.global_(node.module, node.name)
    program.flow.join(variable, place.function.free)
    return variable


def call_computed(program: Program, site: Site) -> None:
    """A call of what is known only when it runs: functions, or data, which a call takes apart."""
    program.flow.add_site(site)
    edges = program.flow.edges
    edges[site.callee].append(site.result)
    edges[site.callee].append(site.touched)
    for arg in site.args:
        edges[arg].append(site.result)
