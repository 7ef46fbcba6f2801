"""Where `assoc` may change a vector in place: in loops whose vector nobody else can see.

A vector variable of a loop is *owned* if its values come from nowhere else (a fresh vector at the start, which
a copy makes of any other) and go nowhere else: the body only looks at items, and hands the vector itself, or
what `assoc` makes of it, to the next turn or out of the loop. Then the old vector is dead once the new one
exists, and `assoc` may store into it. Evaluation is from left to right, so what is evaluated after such a store
must not look at the old vector: that is checked as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtfs import ir
from rtfs.emit_wasm.names import below
from rtfs.ir_walk import children

#: builtins that look at the vector that is their first argument
_LOOKING: Final = frozenset(("count", "length", "empty?", "nth", "get", "first", "last"))
#: builtins that look at the vectors that are their arguments, from this one on
_GOING_OVER: Final = {"reduce": 1, "map": 1, "filter": 1, "remove": 1}
_MAKING: Final = frozenset(("map", "filter", "remove", "range", "repeat", "vector"))


def is_fresh(node: ir.Node) -> bool:
    """Whether the value is a vector that was made for it."""
    match node:
        case ir.VectorOf() | ir.Constant():
            return True
        case ir.Apply(fn=ir.BuiltinRef(name=name)):
            return name in _MAKING or name == "assoc"
        case _:
            return False


class Ownership:
    """What is found about one variable of a loop. Nothing holds unless `holds` is true."""

    def __init__(self, loop: ir.Loop, index: int, strict: bool = False) -> None:
        self._label = loop.label
        self._index = index
        #: results of the loop must be the vector, or fresh
        self._strict = strict
        #: ids of the arguments of `assoc` calls that store in place
        self.in_place: set[int] = set()
        #: ids of bindings of inner loops that take the vector over
        self.taken_over: set[int] = set()
        own = loop.bindings[index].local.id
        later = loop.bindings[index + 1 :]
        self.holds = all(_looks(each.value, own) for each in later) and self._tail(loop.body, own)

    def _tail(self, node: ir.Node, own: int) -> bool:
        """Whether all is well with a body in which `own` (id of a local) is the vector."""
        match node:
            case ir.If(test=test, then=then, otherwise=otherwise):
                return _looks(test, own) and self._tail(then, own) and self._tail(otherwise, own)
            case ir.Do(items=items):
                return all(_looks(item, own) for item in items[:-1]) and self._tail(items[-1], own)
            case ir.Let(bindings=bindings, body=body):
                then_own = self._bind(bindings, body, own)
                return then_own is not None and self._tail(body, then_own)
            case ir.Recur(label=label, args=args) if label == self._label:
                return self._handed_on(args, self._index, own)
            case _:
                return self._gives(node, own) or (not self._strict and _looks(node, own))

    def _bind(self, bindings: Sequence[ir.Binding], body: ir.Node, own: int) -> int | None:
        """Which local is the vector behind the bindings of a `let`; None if that is not well."""
        for index, binding in enumerate(bindings):
            if _looks(binding.value, own):
                continue
            if not self._gives(binding.value, own):
                return None
            behind = (*(later.value for later in bindings[index + 1 :]), body)
            if any(_mentions(node, own) for node in behind):
                return None
            own = binding.local.id
        return own

    def _handed_on(self, values: Sequence[ir.Node], index: int, own: int) -> bool:
        """Whether of `values`, in their order, that at `index` is the vector and the others only look."""
        stored = False
        for at, value in enumerate(values):
            if at == index:
                if not self._gives(value, own):
                    return False
                stored = not isinstance(value, ir.LocalRef)
            elif _mentions(value, own) if stored else not _looks(value, own):
                return False
        return True

    def _gives(self, node: ir.Node, own: int) -> bool:
        """Whether the value is the vector, or made of it in place, or fresh."""
        match node:
            case ir.LocalRef(local=local):
                return local.id == own
            case ir.Apply(fn=ir.BuiltinRef(name="assoc"), args=(vector, *rest)) if len(rest) == 2:
                if not self._handed_on((vector, *rest), 0, own):
                    return False
                self.in_place.add(id(node.args))
                return True
            case ir.If(test=test, then=then, otherwise=otherwise):
                return _looks(test, own) and self._gives(then, own) and self._gives(otherwise, own)
            case ir.Loop():
                return self._inner(node, own)
            case _:
                return is_fresh(node) and _looks(node, own)

    def _inner(self, loop: ir.Loop, own: int) -> bool:
        """Whether a loop takes the vector over, and gives it back."""
        values = [binding.value for binding in loop.bindings]
        index = next((at for at, value in enumerate(values) if not _looks(value, own)), None)
        if index is None or _mentions(loop.body, own) or not self._handed_on(values, index, own):
            return False
        inner = Ownership(loop, index, strict=True)
        self.in_place |= inner.in_place
        self.taken_over |= inner.taken_over | {id(loop.bindings[index])}
        return inner.holds


def _looks(node: ir.Node, own: int) -> bool:
    """Whether `node` uses the vector at most to look at its items."""
    match node:
        case ir.LocalRef(local=local):
            return local.id != own
        case ir.Lambda():
            return not _mentions(node, own)
        case ir.Apply(fn=ir.BuiltinRef(name=name), args=args):
            first = 0 if name in _LOOKING else _GOING_OVER.get(name, len(args))
            last = 1 if name in _LOOKING else len(args)
            return all(
                (first <= at < last and _is(arg, own)) or _looks(arg, own) for at, arg in enumerate(args)
            )
        case _:
            return all(_looks(child, own) for child in children(node))


def _is(node: ir.Node, own: int) -> bool:
    return isinstance(node, ir.LocalRef) and node.local.id == own


def _mentions(node: ir.Node, own: int) -> bool:
    return any(_is(each, own) for each in below(node))
