"""The world in which macros run: the standard library and the earlier definitions of the program, no host.

A definition is evaluated there when a macro first needs it, so a program whose macros need none runs nothing
before its time. Effects fail as they do without a host.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rtfs import errors, ir
from rtfs.run import Limits, Run, running
from rtfs.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtfs.analyze.environment import Environment, Evaluate, Macro, Source
    from rtfs.analyze.expand import Budget
    from rtfs.analyze.syntax import Item

#: what one macro call may use; its time is what is left of the unit's
MACRO_BYTES: Final = 64 << 20
MACRO_DEPTH: Final = 10_000


def interpreter(environment: Environment) -> Evaluate:
    """Runs expansion-time units by the interpreter, in a frame of their own."""
    from rtfs.interpret import run_unit
    from rtfs.namespace import Modules

    modules = Modules(environment.module_unit, run_unit)
    frame = modules.frame()
    return lambda unit: run_unit(unit, frame, modules)


def call_macro(macro: Macro, args: list[Value], budget: Budget) -> Value:
    """The expansion of one call.

    Raises:
        RtfsError: what the macro raised; ArityMismatch for a wrong number of forms.
    """
    with _expansion_run(budget):
        if macro.function is None or _is_stale(macro):
            _make_function(macro, budget)
        assert macro.function is not None
        _check_count(macro, len(args))
        return macro.function(*args)


@contextmanager
def _expansion_run(budget: Budget) -> Iterator[None]:
    from rtfs.border import translate
    from rtfs.host import PureHost
    from rtfs.security import RuntimeContext

    limits = Limits(deadline_s=max(budget.seconds_left, 0.0), depth=MACRO_DEPTH, allocation_bytes=MACRO_BYTES)
    started = time.monotonic()
    try:
        with running(Run(host=PureHost(), context=RuntimeContext.pure(), limits=limits)):
            try:
                yield
            except Exception as exc:
                raise translate(exc) from None
    finally:
        budget.seconds_left -= time.monotonic() - started


def _check_count(macro: Macro, given: int) -> None:
    from rtfs.stdlib.registry import expected_arity

    counts = [(len(arity.params), arity.rest is not None) for arity in macro.arities]
    if any(given == count or (rest and given > count) for count, rest in counts):
        return
    texts = [expected_arity(count, None if rest else count) for count, rest in counts]
    raise errors.ArityMismatch(macro.name, " or ".join(texts), given)


def _is_stale(macro: Macro) -> bool:
    """Whether a definition that the macro uses has been replaced, as happens in sessions."""
    sources = macro.environment.sources
    return any(sources.get(name) is not source for name, source in macro.uses.items())


def _make_function(macro: Macro, budget: Budget) -> None:
    """Turn the macro into a function, after the definitions that it needs.

    Raises:
        Generic: its body, or a function it needs, uses the macro itself.
    """
    if macro.in_the_making:
        raise errors.Generic(f"macro `{macro.name}` is used where it is defined")
    macro.in_the_making = True
    try:
        node = _analyze(macro.form, macro.source, macro.environment, budget)
        assert isinstance(node, ir.Lambda)
        environment = macro.environment
        needed, macro.uses = _needed(node, environment, budget)
        forms = (*[each for source, each in needed if not environment.is_evaluated(source)], node)
        macro.function = environment.evaluate(ir.Unit(macro.source, forms, (), frozenset()))
        environment.evaluated.update([source.order for source, _ in needed])
        macro.arities = node.arities
    finally:
        macro.in_the_making = False


def _needed(
    node: ir.Node, environment: Environment, budget: Budget
) -> tuple[list[tuple[Source, ir.Node]], dict[str, Source]]:
    """Definitions that `node` uses, directly or not, in the program's order; and the same by name."""
    made: dict[int, tuple[Source, ir.Node]] = {}
    found: dict[str, Source] = {}
    todo = [node]
    while todo:
        for name in _names_used(todo.pop()):
            source = environment.sources.get(name)
            if source is None or name in found:
                continue
            found[name] = source
            if source.order not in made:
                definition = _analyze(source.form, source.source, environment, budget)
                made[source.order] = (source, definition)
                todo.append(definition)
    return [made[order] for order in sorted(made)], found


def _names_used(node: ir.Node) -> list[str]:
    """Names, as in `Environment.sources`, of the definitions that `node` refers to."""
    from rtfs.ir_walk import children

    found = []
    todo = [node]
    while todo:
        node = todo.pop()
        if isinstance(node, ir.GlobalRef):
            found.append(node.name)
        elif isinstance(node, ir.QualifiedRef | ir.Import):
            found.append(module_key(node.module))
        todo.extend(children(node))
    return found


def module_key(module: str) -> str:
    """The name in `Environment.sources` of a `module` form."""
    return f"module {module}"


def _analyze(form: Item, source: str, environment: Environment, budget: Budget) -> ir.Node:
    from rtfs.analyze.core import Analysis, Shared, node
    from rtfs.analyze.scope import Scope

    try:
        return node(form, Scope(Analysis(source, environment, Shared(budget))))
    except errors.RtfsError as error:
        if error.source is None:
            error.source = source
        raise
