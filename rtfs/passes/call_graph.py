"""Which functions of a unit may, by the calls in them, reach which others.

A call may run a function that is known here, or one that is not. A builtin calls nothing but the functions it
is given, and one that gives a function made of others (`comp`) gives an unknown one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from rtfs import ir
from rtfs.ir_walk import children
from rtfs.passes.callers import CALLERS

#: stands in sets of functions, which are named by the ids of their lambdas, for all that are not known
UNKNOWN: Final = 0


@dataclass(slots=True, eq=False)
class _Function:
    """A lambda and what its body may call, by id."""

    node: ir.Lambda
    calls: set[int] = field(default_factory=set)


class CallGraph:
    """The functions of a unit, those of its `module` forms included. Keep the unit as long as this."""

    def __init__(self, unit: ir.Unit) -> None:
        self._functions: dict[int, _Function] = {}
        self.any_calls = False
        self._stable = unit.stable
        #: which names mean one value for good
        self._globals: dict[str, ir.Node] = {}
        self._locals: dict[int, ir.Node | None] = {}
        #: ids of references in `module` forms, where the names of the unit mean nothing
        self._foreign: set[int] = set()
        for each in self._collect(unit.forms):
            self._look_into(each)
        self._callers: dict[int, list[int]] = {}
        for caller, function in self._functions.items():
            for callee in function.calls:
                self._callers.setdefault(callee, []).append(caller)

    @property
    def functions(self) -> Iterable[ir.Lambda]:
        """All functions of the unit."""
        return [function.node for function in self._functions.values()]

    def reaching(self, wanted: Iterable[int]) -> set[int]:
        """The functions of which a call may run one of `wanted`, or one that is not known; and `UNKNOWN`."""
        todo = [UNKNOWN, *wanted]
        found = set(todo)
        while todo:
            for caller in self._callers.get(todo.pop(), ()):
                if caller not in found:
                    found.add(caller)
                    todo.append(caller)
        return found

    def callees(self, call: ir.Apply) -> list[int]:
        """The functions that a call may run itself."""
        fn = self._meaning(call.fn)
        if isinstance(fn, ir.BuiltinRef):
            parts = [self._meaning(arg) for arg in _called_arguments(fn.name, call.args)]
        else:
            parts = [fn]
        return [id(part) if isinstance(part, ir.Lambda) else UNKNOWN for part in parts if _runs_code(part)]

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
        made = self._functions[id(function)] = _Function(function)
        todo = [arity.body for arity in function.arities]
        while todo:
            node = todo.pop()
            if isinstance(node, ir.Apply):
                made.calls.update(self.callees(node))
            if not isinstance(node, ir.Lambda):  # making a function calls nothing
                todo.extend(children(node))


_DATA: Final = ir.VectorOf | ir.ListOf | ir.SetOf | ir.MapOf


def _runs_code(meaning: ir.Node | None) -> bool:
    """Whether calling this runs code of the program: keywords, maps, builtins and constructors do not."""
    return meaning is None or isinstance(meaning, ir.Lambda)


def _called_arguments(builtin: str, args: tuple[ir.Node, ...]) -> list[ir.Node]:
    return [args[index] for index in CALLERS.get(builtin, ()) if index < len(args)]
