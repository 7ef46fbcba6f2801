"""Which functions of a linked program run as WebAssembly: those that ask for it, and those for which it pays.

`^{:tier :wasm}` asks for it. A function that does and yet stays with Python, because a construct in it has no
wasm form or because the package `wasmtime` is missing, is logged once, with the reason. `^{:tier :python}`
keeps a function with Python. For all others that is found out while programs run (`rtfs.tiering`), which
`RTFS_TIER=asked` in the environment leaves out; `RTFS_TIER=python` keeps all functions with Python. Which
functions are wasm changes nothing but time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rtfs import ir
from rtfs.namespace import BindFunction, Namespace, global_key
from rtfs.sampling import ENVIRONMENT, PYTHON_ALONE, Measured, measures
from rtfs.values import Keyword, Value

if TYPE_CHECKING:
    from rtfs.emit_wasm.artifact import WasmArtifact, WasmFunction
    from rtfs.emit_wasm.execute import Executor
    from rtfs.emit_wasm.refusal import Refusal

#: the metadata that asks for a tier, and its value for this one
TIER: Final = "tier"
WASM: Final = Keyword.of("wasm")


def _is_function(form: ir.Node) -> bool:
    return isinstance(form, ir.Def) and isinstance(form.value, ir.Lambda)


def _warn(text: str, *parts: str) -> None:
    import logging  # slow to load, and seldom needed

    logging.getLogger("rtfs.tiers").warning(text, *parts)


def asked_for(unit: ir.Unit) -> dict[str, ir.Lambda]:
    """The functions of `unit` that ask to be wasm, by name."""
    if os.environ.get(ENVIRONMENT) == PYTHON_ALONE:
        return {}
    return {
        form.name: form.value
        for form in unit.forms
        if isinstance(form, ir.Def)
        and isinstance(form.value, ir.Lambda)
        and any(name == TIER and value is WASM for name, value in (*form.value.metadata, *form.metadata))
    }


class _Place(NamedTuple):
    """Where a wasm function is."""

    unit: ir.Unit
    function: WasmFunction
    artifact: WasmArtifact
    #: ids of functions of the unit that may run elsewhere
    elsewhere: frozenset[int]


class Tiers:
    """The wasm functions of one link, compiled when a unit first runs."""

    def __init__(self) -> None:
        #: id of the unit → the unit, to keep its id its own, and the ids of its wasm functions
        self._units: dict[int, tuple[ir.Unit, frozenset[int]]] = {}
        #: id of lambda → where it is
        self._functions: dict[int, _Place] = {}
        #: id of the unit → the unit, and what is measured of it
        self._measured: dict[int, tuple[ir.Unit, Measured | None]] = {}
        self._measures = measures()
        self._lock = threading.RLock()

    def measured(
        self, unit: ir.Unit, forms: tuple[CodeType, ...], elsewhere: frozenset[int]
    ) -> Measured | None:
        """What is to be told of runs of `unit`; None if nothing in it can become wasm by itself.

        Args:
            forms: Python's code of the unit.
            elsewhere: ids of functions that may run elsewhere.
        """
        known = self._measured.get(id(unit))
        if known is None:
            found = None
            if self._measures and any(_is_function(form) for form in unit.forms):
                found = Measured(forms, lambda: unit, elsewhere=elsewhere)
            known = self._measured[id(unit)] = unit, found
        return known[1]

    def bound(self, unit: ir.Unit, elsewhere: frozenset[int]) -> frozenset[int]:
        """Ids of the functions of `unit` that are wasm.

        Args:
            elsewhere: ids of those for which stubs of a delegate stand; they, and what calls them, are not.
        """
        with self._lock:
            known = self._units.get(id(unit))
            if known is None:
                known = self._units[id(unit)] = unit, self._compiled(unit, elsewhere)
            return known[1]

    def _compiled(self, unit: ir.Unit, elsewhere: frozenset[int]) -> frozenset[int]:
        wanted = asked_for(unit)
        if not wanted:
            return frozenset()
        if _executor_for_those_who_ask() is None:
            return frozenset()
        from rtfs.emit_wasm import compile_unit

        artifact = compile_unit(unit, kept_out=elsewhere, wanted=wanted.keys())
        for refusal in artifact.refusals:
            _warn("%s is not WebAssembly: %s", _at(unit, refusal), f"{refusal.construct}: {refusal.reason}")
        found = {id(wanted[each.name]): _Place(unit, each, artifact, elsewhere) for each in artifact.functions}
        self._functions.update(found)
        return frozenset(found)

    def bind_in(self, frame: Namespace, unit: ir.Unit, names: Callable[[], dict[str, Any]]) -> None:
        """Have the wasm functions of `unit` bound as such in the frame in which it is about to run.

        Args:
            names: gives the builtins of the frame's code.
        """
        known = self._units.get(id(unit))
        if known is not None and known[1]:
            from rtfs.emit_wasm.mapping import whole_map

            names()["b·map"] = whole_map
            frame.bind_function = self._over(frame.bind_function)

    def _over(self, bind: BindFunction | None) -> BindFunction:
        def bound(node: ir.Lambda, body: Callable[..., Value], frame: Namespace) -> Callable[..., Value]:
            found = self._functions.get(id(node))
            if found is None:
                return body if bind is None else bind(node, body, frame)
            return _made(found, node, body, frame)

        return bound


def _at(unit: ir.Unit, refusal: Refusal) -> str:
    span = refusal.span
    place = unit.source if span is None else f"{unit.source}:{span.line}:{span.column}"
    return f"{place}: {refusal.function}"


def _made(place: _Place, node: ir.Lambda, body: Callable[..., Value], frame: Namespace) -> Callable[..., Value]:
    found = executor()
    if found is None:
        return body
    name, needs = place.function.name, place.function.needs

    def defined(global_: str) -> bool:
        return global_key(global_) in frame.values

    def ready() -> bool:
        """Whether all is defined that the wasm function calls without asking."""
        return all(map(defined, needs))

    try:
        made = found.load(place.artifact, {name: body}, {name: ready} if needs else None, only=name)[name]
    except ValueError as error:  # there is no address space left for its memory
        _warn("%s is not WebAssembly: %s", name, str(error))
        return body
    made.__name__ = getattr(body, "__name__", name)
    made.rtfs_lambda = node  # type: ignore[attr-defined]  # for `(meta f)`
    from rtfs.emit_wasm.mapping import Mapper, can_map

    if can_map(place.function):
        mapper = Mapper(place.unit, place.function, place.elsewhere, found, defined)
        made.rtfs_map = mapper  # type: ignore[attr-defined]
    assert isinstance(made, FunctionType)
    return made


@cache
def executor() -> Executor | None:
    """The executor of this process, None without wasmtime."""
    from rtfs.emit_wasm.engine import available

    if not available():
        return None
    from rtfs.emit_wasm.execute import Executor

    return Executor()


@cache
def _executor_for_those_who_ask() -> Executor | None:
    found = executor()
    if found is None:
        from rtfs.emit_wasm.engine import MISSING

        _warn("functions that ask for ^{:tier :wasm} run as Python: %s", MISSING)
    return found
