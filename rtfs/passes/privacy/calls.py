"""Calls, by what is called."""

from __future__ import annotations

from rtfs import ir
from rtfs.passes.privacy.builtins import call_builtin
from rtfs.passes.privacy.flow import NOTHING, Site
from rtfs.passes.privacy.functions import call_computed, global_of, lambda_of
from rtfs.passes.privacy.host import give_to_host
from rtfs.passes.privacy.program import GlobalCall, Place, Program, handles


@handles(ir.Apply)
def _apply(program: Program, node: ir.Apply, into: int, place: Place) -> None:
    callee = node.fn
    kind = type(callee)
    if isinstance(callee, ir.BuiltinRef):
        call_builtin(program, callee.name, node.args, into, place)
    elif isinstance(callee, ir.GlobalRef | ir.QualifiedRef):
        variable = global_of(program, callee, place)
        program.global_calls.append(GlobalCall(_site(program, variable, node, into, place)))
    elif isinstance(callee, ir.Lambda):
        function = lambda_of(program, callee, place)
        program.flow.link(_site(program, NOTHING, node, into, place), function)
    elif kind in _DATA:
        program.visit(callee, into, place)
        program.visit_all(node.args, into, place)
    else:
        site = _site(program, program.value_of(callee, place), node, into, place)
        call_computed(program, site)
        if kind is ir.DynamicRef:  # a function of the host, if it is one
            give_to_host(program, site.args, place.condition)


_DATA = frozenset((ir.Constant, ir.VectorOf, ir.ListOf, ir.SetOf, ir.MapOf))


def _site(program: Program, callee: int, node: ir.Apply, into: int, place: Place) -> Site:
    args = [program.value_of(arg, place) for arg in node.args]
    return Site(callee, args, into, place.condition, place.touched)
