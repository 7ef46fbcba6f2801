"""The code of one unit under any routing.

A unit is compiled once as if nothing were delegated. A link then says which functions stubs stand for, and
what that changes is decided form by form:

- A form that only defines a delegated function runs as compiled, or not at all, and its name is given to the
  stub. The body is compiled anew only if it names itself (its own calls go to the stub, too) or makes delegated
  functions; and that waits until the stub first falls back to it, which mostly it never does.
- Any other form with delegated functions inside is compiled anew, once for each set of them.
- So is a form with parts that may overlap because functions, here or in other forms, are delegated
  (`rtfs.passes.forks`). That depends on them only through which of its parts count.

All other code is the same as without an engine, to the byte.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import count
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

from rtfs import ir
from rtfs.emit_python.artifact import (
    Artifact,
    ModuleCode,
    Routed,
    Routing,
    install,
    run_form,
    run_module,
)
from rtfs.emit_python.backend import compile_frame, module_frame
from rtfs.emit_python.frames import Frame
from rtfs.emit_python.functions import ANONYMOUS
from rtfs.ir_walk import children
from rtfs.namespace import Modules, Namespace, global_key
from rtfs.passes.call_graph import CallGraph
from rtfs.passes.forks import NO_FORKS, ForkPoints, Forks
from rtfs.values import Value

#: compiled forms that one form is remembered as, for different sets of delegated functions in it
_MOST_VARIANTS: Final = 16


class Uncompiled(Exception):
    """Python cannot express a form under some routing; the interpreter runs the unit."""


class Variant(NamedTuple):
    """What the code of a form depends on beside the program."""

    #: ids of the functions in it for which stubs stand
    bound: frozenset[int]
    forks: Forks


class UnitCode:
    """The code of a unit or of a `module` form. Shared by all links of a program."""

    def __init__(
        self, frame: Frame, source: str, artifact: Artifact | None, graph: Callable[[], CallGraph]
    ) -> None:
        self._frame = frame
        self._source = source
        #: None: only the interpreter can run it
        self.artifact = artifact
        self._where: dict[int, int] | None = None
        self._modules: dict[int, tuple[UnitCode, ModuleCode]] = {}
        self._graph = graph
        self._fork_points: ForkPoints | None = None
        #: compiled anew: (index of form, whether only its function's body, how it is routed) → code
        self._variants: dict[tuple[int, bool, object], Artifact | None] = {}
        self._serial = count(1)
        self._lock = threading.RLock()

    @classmethod
    def of(cls, unit: ir.Unit) -> UnitCode:
        """Compile `unit`."""
        frame = Frame(unit.forms, unit.stable)
        return cls(frame, unit.source, compile_frame(frame, unit.source), cache(lambda: CallGraph(unit)))

    def routing(self, bound: frozenset[int], *, overlaps: bool = False) -> Routing:
        """What runs in place of forms that a link changes.

        Args:
            bound: ids of the delegated functions of the unit.
            overlaps: whether parts that may call functions which are delegated, here or elsewhere, overlap.

        Raises:
            Uncompiled: the interpreter must run the unit.
        """
        if self.artifact is None:
            raise Uncompiled
        inside: dict[int, set[int]] = {}
        for key in bound & self._places().keys():
            inside.setdefault(self._places()[key], set()).add(key)
        forks = self._forks(bound) if overlaps else {}
        found = {
            index: self._routed(index, Variant(frozenset(inside.get(index, ())), forks.get(index, NO_FORKS)))
            for index in inside.keys() | forks.keys()
        }
        if overlaps:
            for index, form in enumerate(self._frame.forms):
                if isinstance(form, ir.ModuleForm):
                    found[index] = self._routed_module(index, form, bound, overlaps=True)
        return {index: routed for index, routed in found.items() if routed is not None}

    def _forks(self, bound: frozenset[int]) -> dict[int, Forks]:
        """The forks of each form that has some, by its index."""
        with self._lock:
            if self._fork_points is None:
                try:
                    self._fork_points = ForkPoints(self._frame.forms, self._graph())
                except RecursionError:  # nested too deeply for that; nothing overlaps then
                    self._fork_points = ForkPoints((), self._graph())
        return self._fork_points.forks(bound)

    def _places(self) -> dict[int, int]:
        """Id of each lambda → index of its form."""
        if self._where is None:
            self._where = {
                id(node): index
                for index, form in enumerate(self._frame.forms)
                for node in _below(form)
                if isinstance(node, ir.Lambda)
            }
        return self._where

    def _routed(self, index: int, variant: Variant) -> Routed | None:
        form, bound = self._frame.forms[index], variant.bound
        if isinstance(form, ir.ModuleForm):
            return self._routed_module(index, form, bound, overlaps=False)
        node = _defined(form, bound)
        if node is None:
            found = self.variant(index, variant, body=False)
            if found is None:
                raise Uncompiled
            return Anew(found, self._source)
        assert isinstance(form, ir.Def)
        entry = self._frame.entry(node)
        changes = len(bound) > 1 or variant.forks or entry is not None or self._names_itself(form.name, node)
        return Definition(form, node, entry, Body(self, index, node, variant) if changes else None)

    def _names_itself(self, name: str, node: ir.Lambda) -> bool:
        calls = self._frame.tail_calls
        if calls.is_known(node):
            return calls.is_recursive(node)
        return any(isinstance(each, ir.GlobalRef) and each.name == name for each in _below(node))

    def _routed_module(
        self, index: int, form: ir.ModuleForm, bound: frozenset[int], *, overlaps: bool
    ) -> Routed | None:
        code, compiled = self._module(index, form)
        if compiled.artifact is None:
            return None  # the interpreter runs it, and binds each function as it makes it
        try:
            routing = code.routing(bound, overlaps=overlaps)
        except Uncompiled:
            return Module(compiled._replace(artifact=None), {})
        return Module(compiled, routing) if routing else None

    def _module(self, index: int, form: ir.ModuleForm) -> tuple[UnitCode, ModuleCode]:
        with self._lock:
            if index not in self._modules:
                assert self.artifact is not None
                compiled = next(
                    each for each in self.artifact.constants if type(each) is ModuleCode and each.node is form
                )
                code = UnitCode(module_frame(form), self._source, compiled.artifact, self._graph)
                self._modules[index] = code, compiled
            return self._modules[index]

    def variant(self, index: int, variant: Variant, *, body: bool) -> Artifact | None:
        """The form at `index` compiled for a routing, or the body of the delegated function that it defines."""
        key = index, body, (variant.bound, variant.forks.key())
        with self._lock:
            if key not in self._variants:
                found = self._compiled(index, variant, body)
                if found is None and variant.forks:  # Python may be able to express it without
                    found = self._compiled(index, variant._replace(forks=NO_FORKS), body)
                self._forget_oldest(index)
                self._variants[key] = found
            return self._variants[key]

    def _compiled(self, index: int, variant: Variant, body: bool) -> Artifact | None:
        form = self._frame.forms[index]
        return compile_frame(
            self._frame,
            self._source,
            prefix=f"{self._prefix()}.r{next(self._serial)}",
            bound=lambda node: id(node) in variant.bound,
            only=index,
            body=form.value if body and isinstance(form, ir.Def) else None,  # type: ignore[arg-type]
            forks=variant.forks,
        )

    def _prefix(self) -> str:
        assert self.artifact is not None
        return self.artifact.prefix

    def _forget_oldest(self, index: int) -> None:
        own = [key for key in self._variants if key[0] == index]
        for key in own[: len(own) - _MOST_VARIANTS + 1]:
            del self._variants[key]

    def body_function(
        self, index: int, node: ir.Lambda, variant: Variant, namespace: Namespace, modules: Modules
    ) -> Callable[..., Value]:
        """The function that a stub falls back to, made in `namespace`."""
        artifact = self.variant(index, variant, body=True)
        if artifact is None:
            return _interpreted(node, self._source, namespace, modules)
        install(artifact, self._source, namespace, modules)
        made: Callable[..., Value] = run_form(artifact.forms[0], namespace)
        return made


def _below(form: ir.Node) -> Iterator[ir.Node]:
    todo = [form]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(children(node))


def _defined(form: ir.Node, bound: Iterable[int]) -> ir.Lambda | None:
    """The delegated function that `form` does nothing but define."""
    match form:
        case ir.Def(value=ir.Lambda(self_local=None) as node, type=None) if id(node) in bound:
            return node
        case _:
            return None


def _interpreted(node: ir.Lambda, source: str, namespace: Namespace, modules: Modules) -> Callable[..., Value]:
    """The function as the interpreter makes it; functions in it are bound as always."""
    from dataclasses import replace

    from rtfs import interpret

    bind = namespace.bind_function
    assert bind is not None

    def bind_inside(each: ir.Lambda, body: Callable[..., Value], frame: Namespace) -> Callable[..., Value]:
        return body if each is node else bind(each, body, frame)

    inner = replace(namespace, bind_function=bind_inside)
    unit = ir.Unit(source=source, forms=(node,), defines=(), stable=frozenset())
    made: Callable[..., Value] = interpret.run_unit(unit, inner, modules)
    return made


# ---------------------------------------------------------------- what runs in place of a form


class Anew(NamedTuple):
    """A form that was compiled for this routing."""

    artifact: Artifact
    source: str

    def run(self, code: CodeType, namespace: Namespace, modules: Modules) -> Value:
        """As `Routed`."""
        install(self.artifact, self.source, namespace, modules)
        return run_form(self.artifact.forms[0], namespace)


class Module(NamedTuple):
    """A `module` form with delegated functions."""

    code: ModuleCode
    routing: Routing

    def run(self, code: CodeType, namespace: Namespace, modules: Modules) -> Value:
        """As `Routed`."""
        return run_module(modules, self.code, self.routing)


class Body(NamedTuple):
    """The body of a delegated function that must be compiled for its routing, once somebody needs it."""

    unit: UnitCode
    form: int
    node: ir.Lambda
    variant: Variant

    def function(self, namespace: Namespace, modules: Modules) -> FunctionType:
        """A function like it that has it compiled when it is first called."""
        made: Callable[..., Value] | None = None

        def start() -> Callable[..., Value]:
            nonlocal made
            if made is None:
                made = self.unit.body_function(self.form, self.node, self.variant, namespace, modules)
            return made

        function = _later(_signature(self.node), start)
        function.__name__ = self.node.name or ANONYMOUS
        function.rtfs_lambda = self.node  # type: ignore[attr-defined]  # for `(meta f)`
        return function


class Definition(NamedTuple):
    """A form that only defines a delegated function. `body` is None if it is the same as without a stub."""

    form: ir.Def
    node: ir.Lambda
    #: the name by which callers enter the function without checks, if they do
    entry: str | None
    body: Body | None

    def run(self, code: CodeType, namespace: Namespace, modules: Modules) -> Value:
        """As `Routed`."""
        assert namespace.bind_function is not None
        form, key = self.form, global_key(self.form.name)
        function: Any
        if self.body is None:
            function = run_form(code, namespace)
        else:
            function = self.body.function(namespace, modules)
            namespace.describe(form.name, form.doc, form.metadata)
        stub = namespace.bind_function(self.node, function, namespace)
        namespace.values[key] = stub
        if self.entry is not None:
            namespace.values[self.entry] = stub
        return stub


def _signature(node: ir.Lambda) -> tuple[int, bool]:
    """How many parameters the Python function has, and whether it takes more arguments than these."""
    if len(node.arities) > 1:
        return 0, True
    arity = node.arities[0]
    return len(arity.params), arity.rest is not None


def _later(signature: tuple[int, bool], start: Callable[[], Callable[..., Value]]) -> FunctionType:
    """A function of that signature that calls the one that `start` gives."""
    return FunctionType(_later_code(*signature), {"start": start})


@cache
def _later_code(params: int, more: bool) -> CodeType:
    names = [f"a{index}" for index in range(params)]
    rest = ["*rest"] if more else []
    taken = ", ".join([*names, *(["/"] if names else []), *rest])
    code = compile(f"lambda {taken}: start()({', '.join([*names, *rest])})", "<later>", "eval")
    return next(each for each in code.co_consts if isinstance(each, CodeType))
