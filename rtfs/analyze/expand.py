"""Macro calls: run the macro over the unevaluated forms of its call.

The function of a macro is made when it is first used, in the expansion-time world of its environment
(`expansion_world`). Programs are not trusted: how often, how deep and how large they expand, and for how long
macros may run, is bounded for each unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rtfs import errors
from rtfs.analyze.syntax import Item, place
from rtfs.errors import Span
from rtfs.forms import MetaForm
from rtfs.run import poll
from rtfs.values import List, Map, Set, Symbol, Value, Vector

if TYPE_CHECKING:
    from rtfs.analyze.environment import Macro
    from rtfs.analyze.scope import Scope

#: expansions inside one another, and in a row until the head is no macro (language.md §9)
MAX_NESTED: Final = 1_000
#: expansions, and forms in their results, for one top-level form
MAX_EXPANSIONS: Final = 10_000
MAX_FORMS: Final = 1_000_000
#: times that expansions made before are gone through again. Shared parts are met over and over
MAX_VISITS: Final = 200_000
#: time for all macros of one unit together, seconds
MAX_SECONDS: Final = 2.0


class Budget:
    """What expansion may still cost."""

    def __init__(self) -> None:
        self.seconds_left = MAX_SECONDS
        self._expansions = 0
        self._forms = 0
        self._visits = 0
        self._depth = 0

    def next_form(self) -> None:
        """Start counting anew: the next top-level form."""
        self._expansions = self._forms = self._visits = 0

    def enter(self, span: Span) -> None:
        """The analysis of an expansion begins."""
        self._depth += 1
        self.check_depth(self._depth, span)

    def leave(self) -> None:
        """The analysis of an expansion ends."""
        self._depth -= 1

    def check_depth(self, depth: int, span: Span) -> None:
        """Refuse expansions too deep inside one another."""
        if depth > MAX_NESTED:
            raise expansion_error(f"more than {MAX_NESTED} expansions of one form", span)

    def count(self, span: Span) -> None:
        """One more expansion."""
        self._expansions += 1
        if self._expansions > MAX_EXPANSIONS:
            raise expansion_error(f"more than {MAX_EXPANSIONS} expansions in one form", span)

    def visit(self, span: Span) -> None:
        """An expansion is met once more."""
        self._visits += 1
        if self._visits > MAX_VISITS:
            raise expansion_error(f"more than {MAX_VISITS} expansions in one form", span)

    def weigh(self, form: Value, span: Span) -> None:
        """Count the forms in a result, shared ones as often as they occur."""
        todo = [form]
        while todo:
            form = todo.pop()
            self._forms += 1
            if self._forms > MAX_FORMS:
                raise expansion_error(f"expansions of one form hold more than {MAX_FORMS} forms", span)
            parts = _PARTS.get(type(form))
            if parts is not None:
                poll()
                todo.extend(parts(form))


_PARTS: Final[dict[type, Any]] = {
    List: List.to_list,
    Vector: Vector.to_list,
    Set: Set.to_list,
    Map: lambda form: [part for entry in form.items() for part in entry],
    MetaForm: lambda form: [form.form],
}


def expansion_error(message: str, span: Span | None) -> errors.Generic:
    """The error for a macro call that gives no form."""
    return errors.Generic(f"Macro expansion error: {message}", span=span)


def expand(macro: Macro, item: Item, scope: Scope) -> Value:
    """The form that a macro call stands for, expanded until its head is no macro that is visible.

    Raises:
        Generic: `Macro expansion error: …`.
    """
    shared = scope.analysis.shared
    done = shared.expansions.get(id(item.form))
    if done is not None:
        poll()
        shared.budget.visit(item.span)
        return done[1]
    form = item.form
    found: Macro | None = macro
    for _ in range(MAX_NESTED):
        assert found is not None
        form = _expand_once(found, form, item.span, scope)
        found = _macro_of(form, scope)
        if found is None:
            shared.expansions[id(item.form)] = (item.form, form)
            return form
    raise expansion_error(f"more than {MAX_NESTED} expansions of one form", item.span)


def _macro_of(form: Value, scope: Scope) -> Macro | None:
    if type(form) is not List or not form:
        return None
    head = form[0]
    if type(head) is not Symbol or scope.find(head.name) is not None:
        return None
    return scope.analysis.environment.macros.get(head.name)


def _expand_once(macro: Macro, form: List, span: Span, scope: Scope) -> Value:
    from rtfs.analyze.expansion_world import call_macro

    budget = scope.analysis.shared.budget
    budget.count(span)
    poll()
    where = place(form, span)
    try:
        result = call_macro(macro, form.to_list()[1:], budget)
    except errors.RtfsError as error:
        poll()  # not the macro's fault if the run around it was stopped
        text = error.text().removeprefix("Runtime error: ").removeprefix("Macro expansion error: ")
        failed = expansion_error(text, where)
        failed.hint = error.hint
        failed.cause = error
        raise failed from error
    budget.weigh(result, where)
    return result
