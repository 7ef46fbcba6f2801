"""The labels of the arguments of every function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rtfs import ir
from rtfs.delegation import PrivacySources
from rtfs.ir_walk import children
from rtfs.passes.privacy import calls, names, nodes
from rtfs.passes.privacy.annotations import labels_in
from rtfs.passes.privacy.flow import Function, Solution
from rtfs.passes.privacy.program import Program
from rtfs.values import Value

_NO_LABELS: frozenset[str] = frozenset()
# the handlers of nodes are in these modules
assert {calls, names, nodes}


def argument_labels(
    units: Sequence[ir.Unit], sources: PrivacySources, run_labels: frozenset[str] = _NO_LABELS
) -> Mapping[int, frozenset[str]]:
    """The privacy labels that the arguments of any call of a function may carry, by the id of its `ir.Lambda`.

    What a function captures counts as its argument. Functions whose arguments carry none may be left out.

    Args:
        units: the program, then every module file that it uses. What a program may load beyond them is taken
            to give and keep anything.
        run_labels: labels of everything in the run.
    """
    if not _has_labels(units, sources):
        return dict.fromkeys(_lambdas(units), run_labels) if run_labels else {}
    program = Program(sources)
    for index, unit in enumerate(units):
        program.add(unit, is_file=index > 0)
    names.settle_globals(program)
    program.settle_captures()
    if not program.flow.labels:
        return dict.fromkeys(program.functions, run_labels) if run_labels else {}
    solution = Solution(program.flow)
    return _answers(solution, program.labels_known(), run_labels)


def _answers(
    solution: Solution, functions: Mapping[int, Function], run_labels: frozenset[str]
) -> dict[int, frozenset[str]]:
    sets = {0: run_labels}
    found = {}
    for key, function in functions.items():
        bits = solution.labels(function.inside, function.condition, function.captured)
        known = sets.get(bits)
        if known is None:
            known = sets[bits] = run_labels.union(
                [name for index, name in enumerate(solution.names) if bits >> index & 1]
            )
        found[key] = known
    return found


def _has_labels(units: Sequence[ir.Unit], sources: PrivacySources) -> bool:
    """Whether any label can come in: from outside, or by an annotation."""
    if sources.of_context(None) or sources.of_capability(None):
        return True
    return any(_is_annotated(node) for node in _nodes(units))


def _lambdas(units: Sequence[ir.Unit]) -> list[int]:
    return [id(node) for node in _nodes(units) if isinstance(node, ir.Lambda)]


def _is_annotated(node: ir.Node) -> bool:
    kind = type(node)
    if kind is ir.Lambda:
        return bool(labels_in(_all_metadata(node)))  # type: ignore[arg-type]
    return kind is ir.Def and bool(labels_in(node.metadata))  # type: ignore[attr-defined]


def _all_metadata(node: ir.Lambda) -> list[tuple[str, Value]]:
    found = list(node.metadata)
    for arity in node.arities:
        for param in arity.params:
            found += param.metadata
        if arity.rest is not None:
            found += arity.rest.metadata
    return found


def _nodes(units: Sequence[ir.Unit]) -> Iterator[ir.Node]:
    todo: list[ir.Node] = [form for unit in units for form in unit.forms]
    while todo:
        node = todo.pop()
        if type(node) not in _LEAVES:
            yield node
            todo.extend(children(node))


#: most nodes of a program; looking for their children would only take time
_LEAVES: Final = frozenset((ir.Constant, ir.LocalRef, ir.GlobalRef, ir.BuiltinRef, ir.DynamicRef))
