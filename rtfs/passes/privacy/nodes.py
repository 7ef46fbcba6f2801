"""Control, data, errors, steps and tickets."""

from __future__ import annotations

from collections.abc import Iterable

from rtfs import ir
from rtfs.ir_walk import children
from rtfs.passes.privacy.checks import check
from rtfs.passes.privacy.host import give_to_host, read_context
from rtfs.passes.privacy.program import Place, Program, handles

# ---------------------------------------------------------------- data


@handles(ir.VectorOf, ir.ListOf, ir.SetOf, ir.MapOf)
def _collection(program: Program, node: ir.Node, into: int, place: Place) -> None:
    program.visit_all(children(node), into, place)


@handles(ir.Primitive)
def _primitive(program: Program, node: ir.Primitive, into: int, place: Place) -> None:
    program.visit_all(node.args, into, place)
    if node.name == "resource-ref":
        key = node.args[0]
        name = key.value if isinstance(key, ir.Constant) and type(key.value) is str else None
        read_context(program, name, into, place)


@handles(ir.Cast, ir.IsType)
def _typed(program: Program, node: ir.Cast | ir.IsType, into: int, place: Place) -> None:
    value = program.value_of(node.value, place)
    program.flow.edges[value].append(into)
    check(program, node.type, value, place)
    program.flow.edges[program.verdict].append(into)


# ---------------------------------------------------------------- control


@handles(ir.Do)
def _do(program: Program, node: ir.Do, into: int, place: Place) -> None:
    program.visit_all(node.items[:-1], place.touched, place)
    program.visit(node.items[-1], into, place)


@handles(ir.If)
def _if(program: Program, node: ir.If, into: int, place: Place) -> None:
    inner = _under(program, (node.test,), into, place)
    program.visit(node.then, into, inner)
    program.visit(node.otherwise, into, inner)


def _under(program: Program, tests: Iterable[ir.Node], into: int, place: Place) -> Place:
    """A place reached by what `tests` give, in an expression whose value flows into `into`."""
    decisive = program.new_labels()
    program.flow.edges[decisive] += (into, place.touched)
    program.visit_all(tests, decisive, place)
    return place.under(program.new_labels(place.condition, decisive))


@handles(ir.And, ir.Or)
def _and_or(program: Program, node: ir.And | ir.Or, into: int, place: Place) -> None:
    inner = _under(program, (), into, place)
    for index, item in enumerate(node.items):
        here = inner if index else place
        if index == len(node.items) - 1:
            program.visit(item, into, here)
        else:
            value = program.value_of(item, here)
            program.flow.edges[value] += (into, inner.condition)


@handles(ir.Let)
def _let(program: Program, node: ir.Let, into: int, place: Place) -> None:
    _bind(program, node.bindings, place)
    program.visit(node.body, into, place)


def _bind(program: Program, bindings: Iterable[ir.Binding], place: Place) -> list[int]:
    """The variables of bindings, with their values."""
    made = []
    for binding in bindings:
        variable = program.local(binding.local, place)
        made.append(variable)
        program.visit(binding.value, variable, place)
        if binding.type is not None:
            check(program, binding.type, variable, place)
    return made


@handles(ir.Loop)
def _loop(program: Program, node: ir.Loop, into: int, place: Place) -> None:
    again = program.new_labels(place.condition)
    place.targets[node.label] = _bind(program, node.bindings, place), again
    program.visit(node.body, into, place.under(again))


@handles(ir.Recur)
def _recur(program: Program, node: ir.Recur, into: int, place: Place) -> None:
    """What decides that another turn is taken decides the turn, and the values in it."""
    variables, again = place.targets[node.label]
    program.flow.edges[place.condition] += (again, *variables)
    for arg, variable in zip(node.args, variables, strict=False):
        program.visit(arg, variable, place)


@handles(ir.For)
def _for(program: Program, node: ir.For, into: int, place: Place) -> None:
    """Collections and tests decide how often the body runs, and how many items there are."""
    decisive = program.new_labels()
    program.flow.edges[decisive] += (into, place.touched)
    inner = place.under(program.new_labels(place.condition, decisive))
    for index, clause in enumerate(node.clauses):
        if isinstance(clause, ir.Iterate):
            variable = program.local(clause.local, inner)
            program.flow.edges[variable].append(decisive)
            program.visit(clause.coll, variable, inner if index else place)
        elif isinstance(clause, ir.LetClause):
            _bind(program, clause.bindings, inner)
        else:
            program.visit(clause.test, decisive, inner)
    program.visit(node.body, into if node.collect else place.touched, inner)


# ---------------------------------------------------------------- errors and tickets


def _guarded(program: Program, bodies: Iterable[ir.Node], into: int, place: Place) -> Place:
    """The place of bodies whose errors end there: what they touch decides what runs there and what it gives."""
    touched = program.new_labels()
    program.flow.edges[touched] += (into, place.touched)
    inner = place.under(program.new_labels(place.condition, touched), touched)
    value = program.new_value(inner)
    program.flow.edges[value].append(into)
    program.visit_all(bodies, value, inner)
    return inner


@handles(ir.Try)
def _try(program: Program, node: ir.Try, into: int, place: Place) -> None:
    if node.final is not None:
        program.visit(node.final, place.touched, place)
    if not node.catches:
        program.visit(node.body, into, place)
        return
    inner = _guarded(program, (node.body,), into, place)
    handling = place.under(inner.condition)
    for clause in node.catches:
        for local in (clause.local, clause.also):
            if local is not None:
                variable = program.local(local, handling)
                program.flow.edges[inner.touched].append(variable)
                program.flow.edges[program.thrown].append(variable)
        program.visit(clause.body, into, handling)


@handles(ir.Async)
def _async(program: Program, node: ir.Async, into: int, place: Place) -> None:
    _guarded(program, (node.body,), into, place)


@handles(ir.Race)
def _race(program: Program, node: ir.Race, into: int, place: Place) -> None:
    _guarded(program, node.items, into, place)


# ---------------------------------------------------------------- steps


@handles(ir.Step)
def _step(program: Program, node: ir.Step, into: int, place: Place) -> None:
    """Options decide what of the context capabilities see; the host is told the rest, and keeps it."""
    program.visit(node.name, place.touched, place)
    options = [program.value_of(value, place) for _, value in node.options]
    if options:
        give_to_host(program, options, place.condition)
    params = [value for _, value in node.params or ()]
    if node.params_local is None:
        program.visit_all(params, place.touched, place)
    else:
        program.visit_all(params, program.local(node.params_local, place), place)
    program.visit(node.body, into, place)


@handles(ir.Hinted)
def _hinted(program: Program, node: ir.Hinted, into: int, place: Place) -> None:
    hints = [program.value_of(value, place) for _, value in node.hints]
    give_to_host(program, hints, place.condition)
    program.visit(node.body, into, place)
