"""Which names the forms of one frame define, found before they are analysed.

Looks into forms that open no frame of their own, expanding macros on the way; the analysis proper finds the
expansions again.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Final

from rtfs.analyze.expand import expand
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import Item, items_of, place, split_metadata
from rtfs.forms import MetaForm
from rtfs.values import Keyword, List, Map, Set, Symbol, Value, Vector

#: heads whose second part is the name they define
DEFINING: Final = frozenset(("def", "defn", "defstruct"))
#: heads whose forms have a frame of their own, or are not evaluated here
OPAQUE: Final = frozenset(
    """defn defstruct deftype defmacro module import require quote quasiquote macroexpand
    fn λ lambda let letrec letfn loop for doseq dotimes match case if-let when-let as-> some-> catch
    async race""".split()
)


def defined_names(items: Sequence[Item], scope: Scope, shadowed: Container[str] = ()) -> list[str]:
    """The names that `items` define in the frame they stand in, in order.

    Args:
        shadowed: names that will be bound in the frame before `items` are analysed.
    """
    found: dict[str, None] = {}
    for _, form in definitions(items, scope, DEFINING, shadowed):
        name = defined_name(form)
        if name is not None:
            found[name] = None
    return list(found)


def definitions(
    items: Sequence[Item], scope: Scope, heads: frozenset[str], shadowed: Container[str] = ()
) -> Iterator[tuple[str, Item]]:
    """The forms with one of these heads in the frame of `items`: head and form, in order."""
    #: forms to look at, each with the number of expansions it stands in
    todo = [(item, 0) for item in reversed(items)]
    while todo:
        item, depth = todo.pop()
        form = item.form
        if type(form) is List and form:
            name = _free_head(form[0], scope, shadowed)
            macro = scope.analysis.environment.macros.get(name)
            if macro is not None:
                scope.analysis.shared.budget.check_depth(depth, item.span)
                result = expand(macro, item, scope)
                todo.append((Item(result, place(result, item.span)), depth + 1))
                continue
            if name in heads:
                yield name, item
            if name in OPAQUE or (name == "step" and _PARAMS in form.to_list()[1:]):
                continue
        todo.extend([(part, depth) for part in reversed(_parts(item))])


def _free_head(head: Value, scope: Scope, shadowed: Container[str]) -> str:
    """The name of the head, unless it is lexically bound."""
    if type(head) is not Symbol or head.name in shadowed or scope.find(head.name) is not None:
        return ""
    return str(head.name)


def _parts(item: Item) -> list[Item]:
    form = item.form
    kind = type(form)
    if kind is Map:
        return [Item(value, item.span) for value in form.values() if type(value) in _NESTING]
    if kind is MetaForm:
        return [split_metadata(item)[1]]
    if kind in _NESTING:
        return [part for part in items_of(form, item.span) if type(part.form) in _NESTING]
    return []


_PARAMS: Final = Keyword.of("params")
_NESTING: Final = frozenset((List, Vector, Map, Set, MetaForm))


def defined_name(item: Item) -> str | None:
    """The name that a `def`, `defn`, … form defines; None if it is malformed."""
    parts = items_of(item.form, item.span)
    if len(parts) < 2:
        return None
    name: Value = split_metadata(parts[1])[1].form
    return name.name if type(name) is Symbol else None
