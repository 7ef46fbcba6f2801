"""The heart of the analyzer: one form → one node.

`node` looks at the kind of a form; a list whose head is a special form goes to its handler in `SPECIAL`, which
the modules of `rtfs.analyze.forms` fill. Handlers call `node` again for the forms inside. All of it is plain
Python recursion without C between two calls, so that depth is bounded by the recursion limit alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rtfs import ir
from rtfs.analyze.environment import Environment, KnownModule, Macro
from rtfs.analyze.expand import Budget, expand
from rtfs.analyze.hoist import defined_names
from rtfs.analyze.names import reference
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import (
    META_SYMBOL,
    NO_METADATA,
    Item,
    Metadata,
    entries_of,
    invalid,
    is_colon,
    items_of,
    place,
    split_metadata,
)
from rtfs.errors import Span
from rtfs.forms import MetaForm
from rtfs.run import poll
from rtfs.values import (
    EMPTY_LIST,
    MAP_KEY_TYPES,
    Keyword,
    List,
    Map,
    ResourceHandle,
    Set,
    Symbol,
    Timestamp,
    Uuid,
    Value,
    Vector,
    type_name,
)


class Shared:
    """What all parts of one unit's analysis share."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._id = 0
        #: id of a macro call's form → the form, kept alive, and its expansion
        self.expansions: dict[int, tuple[Value, Value]] = {}
        self.budget = budget or Budget()
        #: id of a `defmacro` form → its form and macro
        self.macros: dict[int, tuple[Value, Macro]] = {}
        #: id of a `module` form → its form and node
        self.modules: dict[int, tuple[Value, ir.ModuleForm]] = {}
        self.dependencies: dict[str, str] = {}

    def next_id(self) -> int:
        """A number for a local or label, unique in the unit."""
        self._id += 1
        return self._id

    def depend_on(self, module: KnownModule | None) -> None:
        """The unit depends on the file of this module, if it has one, and on all that the file depends on."""
        if module is not None and module.unit is not None:
            self.dependencies[module.name] = module.digest
            self.dependencies.update(module.unit.dependencies)


class Analysis:
    """The analysis of one frame: a unit, or a `module` form in it."""

    def __init__(self, source: str, environment: Environment, shared: Shared | None = None) -> None:
        self.source = source
        self.environment = environment
        self.shared = shared or Shared()
        #: globals defined so far → how often
        self.defines: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Call:
    """A list form with a special head."""

    head: str
    args: list[Item]
    span: Span
    #: the form itself, for what is remembered by its identity
    form: List
    #: whether its value is the value of the loop or function around it
    tail: bool
    metadata: Metadata


#: gives None if the form is an ordinary call after all
type Handler = Callable[[Call, Scope], ir.Node | None]

SPECIAL: Final[dict[str, Handler]] = {}
#: heads that a global of the program takes precedence over: those that older programs may have as functions
SHADOWABLE: Final[set[str]] = set()


def special(*names: str, shadowable: bool = False) -> Callable[[Handler], Handler]:
    """Register the decorated handler for these heads."""

    def register(handler: Handler) -> Handler:
        for name in names:
            assert name not in SPECIAL, name
            SPECIAL[name] = handler
            if shadowable:
                SHADOWABLE.add(name)
        return handler

    return register


def find_special(name: str, scope: Scope) -> Handler | None:
    """The handler of head `name`, unless something the program defines hides it."""
    handler = SPECIAL.get(name)
    if handler is None or (name in SHADOWABLE and name in scope.analysis.environment.globals):
        return None
    return handler


def node(item: Item, scope: Scope, tail: bool = False) -> ir.Node:
    """Analyse one form."""
    form = item.form
    kind = type(form)
    if kind is Symbol:
        return reference(form.name, item.span, scope)
    if kind is List:
        if form and form[0] is META_SYMBOL:
            return _with_metadata(item, scope, tail)
        return _list(item, scope, tail, NO_METADATA)
    if kind in _SCALARS:
        return ir.Constant(form, span=item.span)
    other = _OTHERS.get(kind)
    if other is not None:
        return other(item, scope, tail)
    if is_colon(form):
        raise invalid("an annotation `: type` belongs after a name", item.span)
    raise invalid(f"a {type_name(form)} cannot stand in a program", item.span)


def nodes(items: Sequence[Item], scope: Scope) -> tuple[ir.Node, ...]:
    """Analyse forms none of which is in tail position."""
    return tuple([node(item, scope) for item in items])


def body(items: Sequence[Item], scope: Scope, span: Span, tail: bool = False) -> ir.Node:
    """Forms in a row as one node; nil if there are none."""
    if not items:
        return ir.Constant(None, span=span)
    if len(items) == 1:
        return node(items[0], scope, tail)
    parts = [node(item, scope) for item in items[:-1]]
    parts.append(node(items[-1], scope, tail))
    return ir.Do(tuple(parts), span=span)


def frame_body(items: Sequence[Item], scope: Scope, span: Span, tail: bool = False) -> ir.Node:
    """The body of a new frame: names that its `def`s bind are known from the start."""
    scope.hoist(defined_names(items, scope))
    return body(items, scope, span, tail)


def _list(item: Item, scope: Scope, tail: bool, metadata: Metadata) -> ir.Node:
    form = item.form
    poll()
    if not form:
        return ir.Constant(EMPTY_LIST, span=item.span)
    head = form[0]
    if type(head) is Symbol and scope.find(head.name) is None:
        macro = scope.analysis.environment.macros.get(head.name)
        if macro is not None:
            return _expanded(macro, item, scope, tail, metadata)
        handler = find_special(head.name, scope)
        if handler is not None:
            args = items_of(form, item.span)[1:]
            made = handler(Call(head.name, args, item.span, form, tail, metadata), scope)
            if made is not None:
                return made
    fn, *args = items_of(form, item.span)
    callee = node(fn, scope)
    given = nodes(args, scope)
    if isinstance(callee, ir.BuiltinRef) and callee.name in _TAKES_A_NAME:
        given = _with_function(given, args, scope)
    return ir.Apply(callee, given, span=item.span)


def _with_function(given: tuple[ir.Node, ...], args: list[Item], scope: Scope) -> tuple[ir.Node, ...]:
    """The arguments of `(update coll k "f" …)`, with the function that the text names in this scope."""
    for name in args[2:3]:
        if type(name.form) is str:
            return (*given[:2], reference(name.form, name.span, scope), *given[3:])
    return given


def _expanded(macro: Macro, item: Item, scope: Scope, tail: bool, metadata: Metadata) -> ir.Node:
    budget = scope.analysis.shared.budget
    result = expand(macro, item, scope)
    inner = Item(result, place(result, item.span))
    budget.enter(item.span)
    try:
        if type(result) is List and metadata is not NO_METADATA:
            return _list(inner, scope, tail, metadata)
        return node(inner, scope, tail)
    finally:
        budget.leave()


def _with_metadata(item: Item, scope: Scope, tail: bool) -> ir.Node:
    metadata, bare = split_metadata(item)
    if bare is item:  # a list that only looks like metadata as data
        return _list(item, scope, tail, NO_METADATA)
    hints = tuple([(name, node(value, scope)) for name, value in metadata.runtime_hints()])
    tail = tail and not hints
    inner = _list(bare, scope, tail, metadata) if type(bare.form) is List else node(bare, scope, tail)
    return ir.Hinted(hints, inner, span=item.span) if hints else inner


def _vector(item: Item, scope: Scope, tail: bool) -> ir.Node:
    return ir.VectorOf(nodes(items_of(item.form, item.span), scope), span=item.span)


def _set(item: Item, scope: Scope, tail: bool) -> ir.Node:
    return ir.SetOf(nodes(items_of(item.form, item.span), scope), span=item.span)


def _map(item: Item, scope: Scope, tail: bool) -> ir.Node:
    made = []
    for key, value in entries_of(item.form, item.span):
        key_node = node(key, scope)
        if isinstance(key_node, ir.Constant) and type(key_node.value) not in MAP_KEY_TYPES:
            raise invalid(
                f"a map key is a keyword, string or integer, got a {type_name(key_node.value)}", key.span
            )
        made.append((key_node, node(value, scope)))
    return ir.MapOf(tuple(made), span=item.span)


#: builtins whose third argument is a function or the name of one
_TAKES_A_NAME: Final = frozenset(("update", "update-in"))
_SCALARS: Final = frozenset((type(None), bool, int, float, str, Keyword, Timestamp, Uuid, ResourceHandle))
_OTHERS: Final[dict[type, Callable[[Item, Scope, bool], ir.Node]]] = {
    Vector: _vector,
    Map: _map,
    Set: _set,
    MetaForm: _with_metadata,
}


# ---------------------------------------------------------------- nodes that handlers make


def builtin(name: str, *args: ir.Node, span: Span) -> ir.Apply:
    """A call of a builtin."""
    return ir.Apply(ir.BuiltinRef(name, span=span), args, span=span)


def primitive(name: str, *args: ir.Node, span: Span) -> ir.Primitive:
    """An operation of `rtfs.primitives`."""
    return ir.Primitive(name, args, span=span)


def constant(value: Any, span: Span) -> ir.Constant:
    """A constant."""
    return ir.Constant(value, span=span)


def count_args(call: Call, least: int, most: int | None, shape: str) -> None:
    """Refuse a form with the wrong number of parts.

    Raises:
        InvalidProgram: the text shows `shape`, the right one.
    """
    given = len(call.args)
    if given < least or (most is not None and given > most):
        arguments = f"{given} argument{'' if given == 1 else 's'}"
        raise invalid(f"`{call.head}` has the shape `{shape}`, got {arguments}", call.span)
