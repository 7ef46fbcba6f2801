"""The functions of a unit that may become WebAssembly, and their compilation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Final, NamedTuple

from rtfs import ir
from rtfs.emit_python.artifact import Routed, run_form
from rtfs.ir_walk import children
from rtfs.namespace import Modules, Namespace
from rtfs.program import new_run
from rtfs.run import Limits, running
from rtfs.sampling import callers
from rtfs.tiering.arguments import kinds
from rtfs.tiering.functions import PART, Function, State
from rtfs.tiers import TIER
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.emit_wasm.artifact import WasmArtifact

#: `inspect.CO_VARARGS`; that module is slow to load
_VARARGS: Final = 4
#: what it takes more for each byte of Python's code of the unit
_BYTE_S: Final = 1e-6
#: modules that are larger take long to become machine code, and nothing can stop that
_MOST_BYTES: Final = 64 << 10
#: what no function that becomes wasm has in it, so that the compiler need not be asked
_NEVER_WASM: Final = (
    ir.MapOf, ir.ListOf, ir.SetOf, ir.For, ir.Try, ir.Step, ir.Hinted, ir.Async, ir.Race, ir.DynamicRef,
    ir.QualifiedRef, ir.LocalDef, ir.StructOf,
)  # fmt: skip


class Unit(NamedTuple):
    """What is to be known about a unit."""

    #: its IR; for a program from disk that is made now
    ir: Callable[[], ir.Unit]
    #: what that takes, seconds
    ir_s: float
    #: ids of the functions that may run elsewhere
    elsewhere: frozenset[int]


class UnitTiers:
    """The functions of a unit. Told by the sampler about the runs of it."""

    def __init__(self, forms: tuple[CodeType, ...], about: Unit) -> None:
        self._about = about
        self._unit: ir.Unit | None = None
        self._size_s = _BYTE_S * sum(len(code.co_code) for code in _inside(forms))
        #: seconds that were seen to be spent in the unit, and those that compiling took
        self.spent_s = self.paid_s = 0.0
        self._lock = threading.Lock()
        self.functions = tuple(_functions(self, forms))
        self._by_code = {code: each for each in self.functions for code in _inside(each.codes)}
        #: forms behind which calls of a function are to come here, by their index
        self.routing: Mapping[int, Routed] = {}

    def seen(self, frame: FrameType, spent_s: float) -> None:
        """As `rtfs.sampling.Watcher`."""
        self.spent_s += spent_s
        found = {self._by_code.get(each.f_code): each for each in reversed(callers(frame))}
        for function, where in found.items():
            if function is not None and function.state is not State.OFF:
                function.seen(where.f_globals, spent_s)

    def changed(self) -> None:
        """A function is in another state."""
        with self._lock:
            self.routing = {
                each.index: Promoted(each) for each in self.functions if each.state in (State.PROBING, State.ON)
            }

    def wasm(self) -> list[str]:
        """Names of the functions that are wasm now."""
        return [each.name for each in self.functions if each.state is State.ON]

    def affords(self, cost_s: float) -> bool:
        """Whether that can be paid, beside what was paid before, of what was spent in the unit."""
        return (self.paid_s + cost_s) * PART <= self.spent_s

    def cost_s(self) -> float:
        """What it takes to compile one of its functions, beyond the least, seconds."""
        return self._size_s + (self._about.ir_s if self._unit is None else 0.0)

    def compiled(self, name: str, seen: tuple[type, ...] | None, allowed_s: float) -> WasmArtifact | None:
        """The module with the function `name`; None if it is to stay with Python.

        Args:
            seen: the types of the arguments that it is called with, None if these vary.
            allowed_s: what compiling may take, without loading the compiler and making the IR.

        Raises:
            LimitError: it takes longer.
        """
        start = time.perf_counter()
        try:
            return self._compiled(name, seen, allowed_s)
        finally:
            self.paid_s += time.perf_counter() - start

    def _compiled(self, name: str, seen: tuple[type, ...] | None, allowed_s: float) -> WasmArtifact | None:
        if self._unit is None:
            self._unit = self._about.ir()
        nodes = {each.name: each for each in self._unit.forms if isinstance(each, ir.Def)}
        form = nodes.get(name)
        if form is None or not isinstance(form.value, ir.Lambda) or seen is None or not _may_compile(form):
            return None
        from rtfs.emit_wasm import compile_unit

        with running(new_run(None, None, Limits(deadline_s=allowed_s), None)):
            artifact = compile_unit(
                self._unit, kept_out=self._about.elsewhere, wanted=(name,), seen={name: kinds(seen)}
            )
        if artifact.module is None or len(artifact.module) > _MOST_BYTES or artifact.copying:
            return None
        return artifact


class Promoted(NamedTuple):
    """A form behind which calls of the function that it defines come here."""

    function: Function

    def run(self, code: CodeType, namespace: Namespace, modules: Modules) -> Value:
        """As `rtfs.emit_python.artifact.Routed`."""
        value = run_form(code, namespace)
        self.function.install(namespace.values)
        return value


def _functions(unit: UnitTiers, forms: tuple[CodeType, ...]) -> Iterable[Function]:
    """Those that forms define at the top level, as their code tells. Names that two of them define are out."""
    found: dict[str, tuple[int, list[CodeType]] | None] = {}
    for index, form in enumerate(forms):
        own: dict[str, list[CodeType]] = {}
        for code in form.co_consts:
            if isinstance(code, CodeType) and _can_stand_alone(code) and "··" not in code.co_name:
                own.setdefault(code.co_name.partition("·")[0], []).append(code)
        for name, codes in own.items():
            found[name] = None if name in found else (index, codes)
    for name, known in found.items():
        if known is not None:
            yield Function(unit, known[0], name, known[1])


def _can_stand_alone(code: CodeType) -> bool:
    """Whether it is that of a function with plain parameters, which sees nothing of another."""
    return not code.co_freevars and not code.co_flags & _VARARGS


def _inside(codes: Iterable[CodeType]) -> Iterable[CodeType]:
    todo = list(codes)
    while todo:
        code = todo.pop()
        yield code
        todo.extend(each for each in code.co_consts if isinstance(each, CodeType))


def _may_compile(form: ir.Def) -> bool:
    """Whether nothing in the function, itself, speaks against wasm, and its metadata neither."""
    assert isinstance(form.value, ir.Lambda)
    if form.type is not None or any(key == TIER for key, _ in (*form.value.metadata, *form.metadata)):
        return False
    todo: list[ir.Node] = [form.value]
    while todo:
        node = todo.pop()
        if isinstance(node, _NEVER_WASM):
            return False
        todo.extend(children(node))
    return True
