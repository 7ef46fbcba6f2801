"""From the forms of one text to a unit.

The top level is gone through twice. First (`_declare`) come the names it defines, its macros and imports, so
that a function may use another that stands after it. Then each form is analysed; macros are once more known
only from their definition on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtfs import errors, ir
from rtfs.analyze import forms  # noqa: F401  fills the table of special forms
from rtfs.analyze.core import Analysis, Call, node
from rtfs.analyze.environment import Environment
from rtfs.analyze.expansion_world import module_key
from rtfs.analyze.forms.definitions import macro_of
from rtfs.analyze.forms.modules import import_, module
from rtfs.analyze.hoist import DEFINING, defined_name, definitions
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import NO_METADATA, Item, items_of
from rtfs.forms import Program

_DECLARING: Final = DEFINING | {"defmacro", "deftype", "module", "import", "require"}


def analyze(program: Program, env: Environment | None = None, *, session: bool = False) -> ir.Unit:
    """The meaning of a text.

    Args:
        env: what earlier texts of the session defined; the text adds to it. By default nothing.
        session: later texts may define its names anew.

    Raises:
        InvalidProgram: the forms are no program.
        Generic: a macro failed, `Macro expansion error: …`.
        ModuleError: a circular import, or a module file that does not define its module.
        StackOverflow: the forms are nested too deeply.
    """
    environment = env if env is not None else Environment()
    saved = environment.save()
    analysis = Analysis(program.source, environment)
    items = [Item(form, span) for form, span in zip(program.forms, program.spans, strict=True)]
    try:
        nodes = top_level(items, analysis)
    except errors.RtfsError as error:
        environment.restore(saved)
        if error.source is None:
            error.source = program.source
        raise
    except RecursionError:
        environment.restore(saved)
        raise errors.StackOverflow("the program is nested too deeply", source=program.source) from None
    return ir.Unit(
        program.source,
        nodes,
        tuple(analysis.defines),
        frozenset() if session else _stable(nodes, analysis),
        tuple(analysis.shared.dependencies.items()),
    )


def top_level(items: Sequence[Item], analysis: Analysis) -> tuple[ir.Node, ...]:
    """The forms of a text or of a `module` form."""
    environment = analysis.environment
    budget = analysis.shared.budget
    scope = Scope(analysis)
    macros = environment.macros.copy()
    for item in items:
        budget.next_form()
        _declare(item, scope)
    environment.use_macros(macros)
    made = []
    for item in items:
        budget.next_form()
        made.append(node(item, scope))
    return tuple(made)


def _declare(item: Item, scope: Scope) -> None:
    """Note what a top-level form defines."""
    environment = scope.analysis.environment
    for head, form in definitions([item], scope, _DECLARING):
        call = Call(head, items_of(form.form, form.span)[1:], form.span, form.form, False, NO_METADATA)
        if head == "defmacro":
            macro = macro_of(call, scope)
            environment.macros[macro.name] = macro
        elif head == "module":
            made = module(call, scope)
            assert isinstance(made, ir.ModuleForm)
            environment.add_source(module_key(made.name), form, scope.analysis.source)
        elif head in ("import", "require"):
            made = import_(call, scope)
            for name in _imported(made):
                environment.add_source(name, form, scope.analysis.source)
        else:
            _declare_name(head, form, scope)


def _declare_name(head: str, form: Item, scope: Scope) -> None:
    environment = scope.analysis.environment
    name = defined_name(form)
    if name is None:
        return
    if head in ("deftype", "defstruct"):
        environment.types.add(name)
    if head in DEFINING:
        environment.globals.add(name)
        environment.macros.pop(name, None)
        environment.add_source(name, form, scope.analysis.source)


def _imported(node_: ir.Node | None) -> list[str]:
    parts = node_.items if isinstance(node_, ir.Do) else (node_,)
    return [as_ for part in parts if isinstance(part, ir.Import) for _, as_ in part.names]


def _stable(nodes: Sequence[ir.Node], analysis: Analysis) -> frozenset[str]:
    """Names that are functions for good: defined once, at the top level, by a function."""
    found = set()
    todo = list(nodes)
    while todo:
        each = todo.pop()
        if isinstance(each, ir.Do):
            todo.extend(each.items)
        elif isinstance(each, ir.Def) and isinstance(each.value, ir.Lambda) and each.type is None:
            found.add(each.name)
    return frozenset([name for name in found if analysis.defines[name] == 1])
