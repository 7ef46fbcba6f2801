"""The optimiser: fewer nodes of the same meaning, errors and their places included.

`basic` and `aggressive` differ in how large a function may be that is called where it is made. Both
  - fold builtins on constant numbers and booleans, by calling the builtin, unless it raises;
  - make collections of constants constants;
  - decide `if`, `and`, `or` on constants;
  - drop forms of a `do` and bindings of a `let` that do nothing and are not used;
  - turn `((fn [x] …) e)` into a `let`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from rtfs import errors, ir
from rtfs.ir_walk import children
from rtfs.passes.rebuild import rebuild
from rtfs.run import STOP_REQUESTS, poll
from rtfs.values import MAP_KEY_TYPES, Map, Set, Value, Vector, truthy

type Level = Literal["none", "basic", "aggressive"]

#: nodes in the body of a function that is inlined where it is called at once
INLINE_SIZE: Final[dict[Level, int]] = {"none": 0, "basic": 5, "aggressive": 15}
#: nodes that are looked at to see that an expression does nothing
_PURE_SIZE: Final = 50
#: constants larger than this are built where they are used
_CONSTANT_ITEMS: Final = 1_000
#: builtins of numbers and booleans, which depend on nothing else
_FOLDED: Final = frozenset(
    """+ - * / max min inc dec abs mod rem quot sqrt pow even? odd? = not= != < > <= >= not zero? pos? neg?
    compare floor ceil round""".split()
)
_FOLDED_KINDS: Final = frozenset((int, float, bool))


def optimize(unit: ir.Unit, level: Level = "basic") -> ir.Unit:
    """`unit`, simplified.

    Args:
        level: `none` gives the unit back.

    Raises:
        StackOverflow: the program is nested too deeply.
    """
    if level == "none":
        return unit
    work = _Optimizer(INLINE_SIZE[level], unit)
    try:
        return replace(unit, forms=tuple([work.simplified(form) for form in unit.forms]))
    except RecursionError:
        raise errors.StackOverflow("the program is nested too deeply", source=unit.source) from None


class _Optimizer:
    def __init__(self, inline_size: int, unit: ir.Unit) -> None:
        self.inline_size = inline_size
        #: locals that are read, or assigned by `def`
        self.used: set[int] = set()
        #: locals that have a value wherever they can be read
        self.params: set[int] = set()
        self.has_local_defs = False
        todo: list[ir.Node] = list(unit.forms)
        while todo:
            node = todo.pop()
            if isinstance(node, ir.LocalRef | ir.LocalDef):
                self.used.add(node.local.id)
            if isinstance(node, ir.LocalDef):
                self.has_local_defs = True
            if isinstance(node, ir.Lambda):
                for arity in node.arities:
                    self.params.update([param.local.id for param in arity.params])
            todo.extend(children(node))

    def simplified(self, node: ir.Node) -> ir.Node:
        """`node` with its children, then itself, simplified."""
        if STOP_REQUESTS:
            poll()
        node = rebuild(node, self.simplified)
        rule = _RULES.get(type(node))
        return node if rule is None else rule(self, node)

    # ------------------------------------------------------------ rules

    def apply(self, node: ir.Apply) -> ir.Node:
        """Fold a builtin, or inline a function called where it is made."""
        if isinstance(node.fn, ir.BuiltinRef):
            return _folded(node, node.fn.name)
        if isinstance(node.fn, ir.Lambda):
            return self._inlined(node, node.fn)
        return node

    def _inlined(self, node: ir.Apply, function: ir.Lambda) -> ir.Node:
        arity = self._inlinable(function, len(node.args))
        if arity is None:
            return node
        if not arity.params:
            return arity.body
        bindings = [ir.Binding(param.local, arg) for param, arg in zip(arity.params, node.args, strict=True)]
        return self.let(ir.Let(tuple(bindings), arity.body, span=node.span))

    def _inlinable(self, function: ir.Lambda, given: int) -> ir.Arity | None:
        """The arity to inline; None if the call means more than a `let`."""
        arity = function.arities[0]
        plain = (
            len(function.arities) == 1
            and function.hint is None
            and not function.metadata  # it may say who may see what the function gets
            and (function.self_local is None or function.self_local.id not in self.used)
            and arity.rest is None
            and arity.returns is None
            and len(arity.params) == given
            and not [param for param in arity.params if param.type is not None or param.metadata]
        )
        if not plain or not _is_small(arity.body, self.inline_size, refuse=(ir.Recur, ir.LocalDef)):
            return None
        return arity

    def if_(self, node: ir.If) -> ir.Node:
        """Decide a constant test."""
        if not isinstance(node.test, ir.Constant):
            return node
        kept, dropped = node.then, node.otherwise
        if not truthy(node.test.value):
            kept, dropped = dropped, kept
        return kept if self._may_drop([dropped]) else node

    def _may_drop(self, nodes: Sequence[ir.Node]) -> bool:
        """Whether code that never runs may go. A `def` in it stays: it makes its name a local."""
        if not self.has_local_defs:
            return True
        todo = list(nodes)
        while todo:
            node = todo.pop()
            if isinstance(node, ir.LocalDef):
                return False
            todo.extend(children(node))
        return True

    def and_(self, node: ir.And) -> ir.Node:
        """Drop constants that decide nothing; stop at the one that decides."""
        items = self._deciding(node.items, stops=lambda value: not truthy(value))
        return items[0] if len(items) == 1 else ir.And(items, span=node.span)

    def or_(self, node: ir.Or) -> ir.Node:
        """As `and_`."""
        items = self._deciding(node.items, stops=truthy)
        return items[0] if len(items) == 1 else ir.Or(items, span=node.span)

    def _deciding(self, items: tuple[ir.Node, ...], stops: Callable[[Value], bool]) -> tuple[ir.Node, ...]:
        kept: list[ir.Node] = []
        for index, item in enumerate(items):
            last = index == len(items) - 1
            if isinstance(item, ir.Constant) and stops(item.value) and self._may_drop(items[index + 1 :]):
                return (*kept, item)
            if last or not isinstance(item, ir.Constant) or stops(item.value):
                kept.append(item)
        return tuple(kept)

    def do(self, node: ir.Do) -> ir.Node:
        """Drop forms that do nothing, and open a `do` in a `do`."""
        items: list[ir.Node] = []
        for item in node.items:
            items += item.items if isinstance(item, ir.Do) else (item,)
        kept = [item for item in items[:-1] if not self._is_pure(item)]
        if not kept:
            return items[-1]
        if len(kept) + 1 == len(node.items):
            return node
        return ir.Do((*kept, items[-1]), span=node.span)

    def let(self, node: ir.Let) -> ir.Node:
        """Drop bindings that are not used and whose values do nothing."""
        kept = tuple(
            [
                binding
                for binding in node.bindings
                if binding.type is not None or binding.local.id in self.used or not self._is_pure(binding.value)
            ]
        )
        if len(kept) == len(node.bindings):
            return node
        return ir.Let(kept, node.body, span=node.span) if kept else node.body

    def vector(self, node: ir.VectorOf) -> ir.Node:
        """A constant, if all items are."""
        values = _constants(node.items)
        return node if values is None else ir.Constant(Vector(values), span=node.span)

    def set(self, node: ir.SetOf) -> ir.Node:
        """A constant, if all members are."""
        values = _constants(node.items)
        return node if values is None else ir.Constant(Set(values), span=node.span)

    def map(self, node: ir.MapOf) -> ir.Node:
        """A constant, if all keys and values are."""
        keys = _constants(tuple([key for key, _ in node.entries]))
        values = _constants(tuple([value for _, value in node.entries]))
        if keys is None or values is None or {type(key) for key in keys} - MAP_KEY_TYPES:
            return node
        return ir.Constant(Map(dict(zip(keys, values, strict=True))), span=node.span)

    # ------------------------------------------------------------ purity

    def _is_pure(self, node: ir.Node) -> bool:
        """Whether running `node` surely does nothing: no effect, no error, and it ends."""
        todo = [node]
        for _ in range(_PURE_SIZE):
            if not todo:
                return True
            node = todo.pop()
            if isinstance(node, ir.LocalRef):
                if node.local.id not in self.params:  # may have no value yet
                    return False
            elif isinstance(node, ir.Constant | ir.BuiltinRef | ir.Lambda):
                continue
            elif isinstance(node, ir.If | ir.And | ir.Or | ir.Do | ir.VectorOf | ir.ListOf | ir.SetOf):
                todo.extend(children(node))
            else:
                return False
        return False


_RULES: Final[dict[type, Callable[[_Optimizer, Any], ir.Node]]] = {
    ir.Apply: _Optimizer.apply,
    ir.If: _Optimizer.if_,
    ir.And: _Optimizer.and_,
    ir.Or: _Optimizer.or_,
    ir.Do: _Optimizer.do,
    ir.Let: _Optimizer.let,
    ir.VectorOf: _Optimizer.vector,
    ir.SetOf: _Optimizer.set,
    ir.MapOf: _Optimizer.map,
}


def _constants(items: tuple[ir.Node, ...]) -> list[Value] | None:
    """The values of the items if all are constants, and few."""
    if len(items) > _CONSTANT_ITEMS:
        return None
    values = [item.value for item in items if isinstance(item, ir.Constant)]
    return values if len(values) == len(items) else None


def _folded(node: ir.Apply, name: str) -> ir.Node:
    """The value of a builtin on constants; the call itself if that is an error."""
    from rtfs.stdlib.table import BUILTINS

    if name not in _FOLDED:
        return node
    values = _constants(node.args)
    entry = BUILTINS[name]
    if values is None or {type(value) for value in values} - _FOLDED_KINDS:
        return node
    if len(values) < entry.least or (entry.most is not None and len(values) > entry.most):
        return node
    try:
        return ir.Constant(entry.function(*values), span=node.span)
    except errors.RtfsError:
        return node  # it is raised where and when the program runs the call


def _is_small(node: ir.Node, size: int, refuse: tuple[type[ir.Node], ...]) -> bool:
    """Whether `node` has at most `size` nodes, none of them of the kinds in `refuse`."""
    todo = [node]
    seen = 0
    while todo:
        node = todo.pop()
        seen += 1
        if seen > size or isinstance(node, refuse):
            return False
        todo.extend(children(node))
    return True
