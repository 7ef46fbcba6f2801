"""Which calls may reach a delegated function.

A call counts if it may run a function with a `^:delegation` hint that is not local: by itself, through
functions known here, or because its callee is not known at all. A builtin calls nothing but the functions it
is given, and one that gives a function made of others (`comp`) gives an unknown one. Where nothing counts,
backends need not look for parts that could overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from rtfs import errors, ir
from rtfs.ir_walk import children
from rtfs.passes.callers import CALLERS
from rtfs.passes.rebuild import rebuild


@dataclass(slots=True, eq=False)
class _Function:
    """What is known of one lambda: whether a call of it counts, and the lambdas that it calls."""

    counts: bool
    calls: set[int] = field(default_factory=set)


def mark(unit: ir.Unit) -> ir.Unit:
    """`unit` with `may_delegate` set on its calls and functions.

    Raises:
        StackOverflow: the program is nested too deeply.
    """
    known = _Known(unit)
    if not known.functions and not known.any_calls:
        return unit
    known.settle()
    try:
        return replace(unit, forms=tuple([known.marked(form) for form in unit.forms]))
    except RecursionError:
        raise errors.StackOverflow("the program is nested too deeply", source=unit.source) from None


class _Known:
    """The functions of a unit, and which names mean one of them for good."""

    def __init__(self, unit: ir.Unit) -> None:
        #: by id of the lambda node
        self.functions: dict[int, _Function] = {}
        self.any_calls = False
        self._stable = unit.stable
        self._globals: dict[str, ir.Node] = {}
        self._locals: dict[int, ir.Node | None] = {}
        #: ids of references in `module` forms, where the names of the unit mean nothing
        self._foreign: set[int] = set()
        for each in self._collect(unit.forms):
            self._look_into(each)

    def _collect(self, forms: Iterable[ir.Node], in_module: bool = False) -> list[ir.Lambda]:
        """Note what names are bound to. Gives all lambdas."""
        found: list[ir.Lambda] = []
        todo = list(forms)
        while todo:
            node = todo.pop()
            if isinstance(node, ir.ModuleForm):
                found += self._collect(node.body, in_module=True)
                continue
            if isinstance(node, ir.Lambda):
                found.append(node)
            if not in_module and isinstance(node, ir.Def) and node.name in self._stable:
                self._globals[node.name] = node.value
            if in_module and isinstance(node, ir.GlobalRef):
                self._foreign.add(id(node))
            self._bind(node)
            todo.extend(children(node))
        return found

    def _bind(self, node: ir.Node) -> None:
        """Note what the locals are bound to that `node` binds."""
        match node:
            case ir.Lambda(self_local=self_local) if self_local is not None:
                self._assign(self_local, node)
            case ir.Let(bindings=bindings) | ir.Loop(bindings=bindings):
                for binding in bindings:
                    # the locals of a loop change
                    self._assign(binding.local, binding.value if isinstance(node, ir.Let) else None)
            case ir.LocalDef(local=local, value=value):
                self._assign(local, value)
            case ir.Apply():
                self.any_calls = True
            case _:
                pass

    def _assign(self, local: ir.Local, value: ir.Node | None) -> None:
        """A local assigned twice means nothing for good."""
        self._locals[local.id] = None if local.id in self._locals else value

    def _meaning(self, node: ir.Node) -> ir.Node | None:
        """The lambda or other value that `node` surely stands for; None if that is not known."""
        if isinstance(node, ir.LocalRef):
            value = self._locals.get(node.local.id)
            return value if isinstance(value, ir.Lambda) else None
        if isinstance(node, ir.GlobalRef):
            return None if id(node) in self._foreign else self._globals.get(node.name)
        if isinstance(node, ir.Lambda | ir.BuiltinRef | ir.StructOf | ir.Constant | _DATA):
            return node
        return None

    def _look_into(self, function: ir.Lambda) -> None:
        made = self.functions[id(function)] = _Function(_is_delegated(function))
        todo = [arity.body for arity in function.arities]
        while todo:
            node = todo.pop()
            if isinstance(node, ir.Apply):
                self._add_call(made, node)
            if not isinstance(node, ir.Lambda):  # making a function calls nothing
                todo.extend(children(node))

    def _add_call(self, caller: _Function, call: ir.Apply) -> None:
        for callee in self._callees(call):
            if callee is None:
                caller.counts = True
            else:
                caller.calls.add(id(callee))

    def _callees(self, call: ir.Apply) -> Iterable[ir.Lambda | None]:
        """The lambdas that a call may run; None for one that is not known."""
        fn = self._meaning(call.fn)
        if isinstance(fn, ir.BuiltinRef):
            parts = [self._meaning(arg) for arg in _called_arguments(fn.name, call.args)]
        else:
            parts = [fn]
        return [part if isinstance(part, ir.Lambda) else None for part in parts if _runs_code(part)]

    def settle(self) -> None:
        """Carry what counts from callees to callers."""
        callers: dict[int, list[int]] = {}
        for caller, function in self.functions.items():
            for callee in function.calls:
                callers.setdefault(callee, []).append(caller)
        todo = [key for key, function in self.functions.items() if function.counts]
        while todo:
            for caller in callers.get(todo.pop(), ()):
                if not self.functions[caller].counts:
                    self.functions[caller].counts = True
                    todo.append(caller)

    def marked(self, node: ir.Node) -> ir.Node:
        """`node` with its marks."""
        made: ir.Node = rebuild(node, self.marked)
        if isinstance(node, ir.Lambda) and isinstance(made, ir.Lambda):
            return _with_mark(made, self.functions[id(node)].counts)
        if isinstance(node, ir.Apply) and isinstance(made, ir.Apply):
            counts = False
            for callee in self._callees(node):
                counts = counts or callee is None or self.functions[id(callee)].counts
            return _with_mark(made, counts)
        return made


_DATA: Final = ir.VectorOf | ir.ListOf | ir.SetOf | ir.MapOf


def _with_mark[N: (ir.Lambda, ir.Apply)](node: N, counts: bool) -> N:
    return node if node.may_delegate == counts else replace(node, may_delegate=counts)


def _runs_code(meaning: ir.Node | None) -> bool:
    """Whether calling this runs code of the program: keywords, maps, builtins and constructors do not."""
    return meaning is None or isinstance(meaning, ir.Lambda)


def _called_arguments(builtin: str, args: tuple[ir.Node, ...]) -> list[ir.Node]:
    return [args[index] for index in CALLERS.get(builtin, ()) if index < len(args)]


def _is_delegated(function: ir.Lambda) -> bool:
    return function.hint is not None and function.hint.kind != "local"
