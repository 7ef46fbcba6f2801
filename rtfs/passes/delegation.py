"""Which calls may reach a delegated function.

A call counts if it may run a function with a `^:delegation` hint that is not local: by itself, through
functions known here, or because its callee is not known at all. An engine may send other functions elsewhere,
too; which, is known when a program is linked (`rtfs.passes.forks`).
"""

from __future__ import annotations

from dataclasses import replace

from rtfs import errors, ir
from rtfs.passes.call_graph import CallGraph
from rtfs.passes.rebuild import rebuild


def mark(unit: ir.Unit) -> ir.Unit:
    """`unit` with `may_delegate` set on its calls and functions.

    Raises:
        StackOverflow: the program is nested too deeply.
    """
    graph = CallGraph(unit)
    if not graph.functions and not graph.any_calls:
        return unit
    counting = graph.reaching([id(each) for each in graph.functions if _is_delegated(each)])

    def marked(node: ir.Node) -> ir.Node:
        made: ir.Node = rebuild(node, marked)
        if isinstance(node, ir.Lambda) and isinstance(made, ir.Lambda):
            return _with_mark(made, id(node) in counting)
        if isinstance(node, ir.Apply) and isinstance(made, ir.Apply):
            return _with_mark(made, not counting.isdisjoint(graph.callees(node)))
        return made

    try:
        return replace(unit, forms=tuple([marked(form) for form in unit.forms]))
    except RecursionError:
        raise errors.StackOverflow("the program is nested too deeply", source=unit.source) from None


def _with_mark[N: (ir.Lambda, ir.Apply)](node: N, counts: bool) -> N:
    return node if node.may_delegate == counts else replace(node, may_delegate=counts)


def _is_delegated(function: ir.Lambda) -> bool:
    return function.hint is not None and function.hint.kind != "local"
