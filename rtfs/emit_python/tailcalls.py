"""Which functions must trampoline their tail calls.

A tail call of the function itself, by a name that can mean nothing else, is a loop and needs nothing. Of the
others, a call of a function that is known, and that
makes no trampolined tail call itself, may be a plain Python call: the stack it leaves behind is bounded by
the number of functions. Every other tail call may be one turn of an endless chain, so the calling function
returns it as a `TailCall` for its caller to run; such a function is called *bouncing* here.

Stubs of delegated functions change nothing of this: of RTFS functions they call at most their own bodies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rtfs import ir
from rtfs.ir_walk import children


@dataclass(slots=True)
class _Function:
    node: ir.Lambda
    #: keys of the known functions it tail-calls
    tails: set[str] = field(default_factory=set)
    unknown: bool = False


class TailCalls:
    """The tail calls of one unit. A known function's key is a stable global's name, or `#` and a local's id."""

    def __init__(self, forms: tuple[ir.Node, ...], stable: frozenset[str], assigned: frozenset[int]) -> None:
        self._known: dict[str, _Function] = {}
        #: names by which a function's own body may call it, known to others or not
        self._own: dict[int, set[str]] = {}
        functions = {id(node): _Function(node) for node in _lambdas(forms)}
        for name, node, final in _named_lambdas(forms, stable, assigned):
            self._own.setdefault(id(node), set()).add(name)
            if final:
                self._known[name] = functions[id(node)]
        self._known_nodes = {id(function.node) for function in self._known.values()}
        self._functions = list(functions.values())
        for function in self._functions:
            for arity in function.node.arities:
                self._collect(function, arity)
        self._bouncing = self._closure()
        self._recursive = self._named_in_themselves(forms)

    def is_bouncing(self, node: ir.Lambda) -> bool:
        """Whether the function returns tail calls for its caller to run."""
        return id(node) in self._bouncing

    def known(self, callee: ir.Node) -> ir.Lambda | None:
        """The function that `callee` certainly is, if that is known."""
        key = _key(callee)
        function = None if key is None else self._known.get(key)
        return None if function is None else function.node

    def is_known(self, node: ir.Lambda) -> bool:
        """Whether calls by the function's name are certain to be calls of it."""
        return id(node) in self._known_nodes

    def is_recursive(self, node: ir.Lambda) -> bool:
        """Whether a known function's name stands in its own body."""
        return id(node) in self._recursive

    def is_own_name(self, callee: ir.Node, node: ir.Lambda) -> bool:
        """Whether `callee`, in the body of `node`, names `node` itself, unless a `def` changes its meaning."""
        key = _key(callee)
        return key is not None and key in self._own.get(id(node), ())

    def loops(self, call: ir.Apply, node: ir.Lambda, arity: ir.Arity) -> bool:
        """Whether a tail call in `arity` of `node` certainly enters that arity again."""
        return self.known(call.fn) is node and chosen(node, len(call.args)) is arity

    def _collect(self, function: _Function, arity: ir.Arity) -> None:
        for tail, inside_loop in tail_nodes(arity.body):
            if not isinstance(tail, ir.Apply) or isinstance(tail.fn, ir.BuiltinRef):
                continue
            key = _key(tail.fn)
            if self.is_own_name(tail.fn, function.node):
                # within an inner loop, `continue` would continue that one
                function.unknown |= inside_loop or not self.loops(tail, function.node, arity)
            elif key is not None and key in self._known:
                function.tails.add(key)
            else:
                function.unknown = True

    def _closure(self) -> set[int]:
        bouncing = {id(f.node) for f in self._functions if f.unknown}
        bouncing |= {id(self._known[key].node) for key in self._known if self._reaches(key)}
        changed = True
        while changed:
            changed = False
            for function in self._functions:
                if id(function.node) in bouncing:
                    continue
                if any(id(self._known[key].node) in bouncing for key in function.tails):
                    bouncing.add(id(function.node))
                    changed = True
        return bouncing

    def _named_in_themselves(self, forms: tuple[ir.Node, ...]) -> set[int]:
        found, around = set[int](), set[int]()
        todo: list[ir.Node | int] = list(forms)
        while todo:
            node = todo.pop()
            if isinstance(node, int):  # the end of that function
                around.discard(node)
                continue
            known = self.known(node)
            if known is not None and id(known) in around:
                found.add(id(known))
            if isinstance(node, ir.Lambda):
                around.add(id(node))
                todo.append(id(node))
            todo.extend(_below(node))
        return found

    def _reaches(self, start: str) -> bool:
        """Whether tail calls lead from `start` back to it."""
        todo, seen = list(self._known[start].tails), set[str]()
        while todo:
            key = todo.pop()
            if key == start:
                return True
            if key not in seen:
                seen.add(key)
                todo.extend(self._known[key].tails)
        return False


def _key(callee: ir.Node) -> str | None:
    match callee:
        case ir.GlobalRef(name=name):
            return name
        case ir.LocalRef(local=local):
            return f"#{local.id}"
        case _:
            return None


def chosen(node: ir.Lambda, count: int) -> ir.Arity | None:
    """The arity that a call with `count` arguments enters; None if there is none."""
    for arity in node.arities:
        if arity.rest is None and len(arity.params) == count:
            return arity
    for arity in node.arities:
        if arity.rest is not None and len(arity.params) <= count:
            return arity
    return None


def _named_lambdas(
    forms: tuple[ir.Node, ...], stable: frozenset[str], assigned: frozenset[int]
) -> Iterator[tuple[str, ir.Lambda, bool]]:
    """Functions with a name: its key, the function, whether the name can never mean anything else.

    `assigned`: ids of locals that a `def` inside a frame assigns.
    """
    todo: list[ir.Node] = list(forms)
    while todo:
        node = todo.pop()
        match node:
            case ir.Def(name=name, value=ir.Lambda() as value):
                yield name, value, name in stable
            case ir.Let(bindings=bindings):
                for binding in bindings:
                    if isinstance(binding.value, ir.Lambda) and binding.type is None:
                        yield f"#{binding.local.id}", binding.value, binding.local.id not in assigned
            case ir.LocalDef(local=local, value=ir.Lambda() as value):
                yield f"#{local.id}", value, False
            case ir.Lambda(self_local=ir.Local(id=self_id)):
                yield f"#{self_id}", node, self_id not in assigned
            case _:
                pass
        todo.extend(_below(node))


def _lambdas(forms: tuple[ir.Node, ...]) -> Iterator[ir.Lambda]:
    todo: list[ir.Node] = list(forms)
    while todo:
        node = todo.pop()
        if isinstance(node, ir.Lambda):
            yield node
        todo.extend(_below(node))


def _below(node: ir.Node) -> Iterator[ir.Node]:
    """The children of `node` in this frame: a module has globals of its own."""
    return iter(()) if isinstance(node, ir.ModuleForm) else children(node)


def tail_nodes(node: ir.Node) -> Iterator[tuple[ir.Node, bool]]:
    """The nodes whose value is the value of `node` and after which nothing is left to do; and whether they
    stand inside a `loop`."""
    todo = [(node, False)]
    while todo:
        node, inside_loop = todo.pop()
        match node:
            case ir.If(then=then, otherwise=otherwise):
                todo += ((then, inside_loop), (otherwise, inside_loop))
            case ir.Do(items=items) | ir.And(items=items) | ir.Or(items=items):
                todo.append((items[-1], inside_loop))
            case ir.Let(body=body):
                todo.append((body, inside_loop))
            case ir.Loop(body=body):
                todo.append((body, True))
            case _:
                yield node, inside_loop
