"""Which functions of a linked program run as WebAssembly: those that say `^{:tier :wasm}` and can.

A function that stays with Python, because a construct in it has no wasm form or because the package `wasmtime`
is missing, is logged once, with the reason. Which functions are wasm changes nothing but time. Whoever is to
choose by work that was measured has one place for that: `asked_for`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Final

from rtfs import ir
from rtfs.namespace import BindFunction, Namespace, global_key
from rtfs.values import Keyword, Value

if TYPE_CHECKING:
    from rtfs.emit_wasm.artifact import WasmArtifact
    from rtfs.emit_wasm.execute import Executor
    from rtfs.emit_wasm.refusal import Refusal

#: the metadata that asks for a tier, and its value for this one
TIER: Final = "tier"
WASM: Final = Keyword.of("wasm")


def _warn(text: str, *parts: str) -> None:
    import logging  # slow to load, and seldom needed

    logging.getLogger("rtfs.tiers").warning(text, *parts)


def asked_for(unit: ir.Unit) -> dict[str, ir.Lambda]:
    """The functions of `unit` that are to be wasm, by name."""
    return {
        form.name: form.value
        for form in unit.forms
        if isinstance(form, ir.Def)
        and isinstance(form.value, ir.Lambda)
        and any(name == TIER and value is WASM for name, value in (*form.value.metadata, *form.metadata))
    }


class Tiers:
    """The wasm functions of one link, compiled when a unit first runs."""

    def __init__(self) -> None:
        #: id of the unit → the unit, to keep its id its own, and the ids of its wasm functions
        self._units: dict[int, tuple[ir.Unit, frozenset[int]]] = {}
        #: id of lambda → its name and the artifact it is in
        self._functions: dict[int, tuple[str, WasmArtifact]] = {}
        self._lock = threading.RLock()

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
        if _executor() is None:
            return frozenset()
        from rtfs.emit_wasm import compile_unit

        artifact = compile_unit(unit, kept_out=elsewhere, wanted=wanted.keys())
        for refusal in artifact.refusals:
            _warn("%s is not WebAssembly: %s", _at(unit, refusal), f"{refusal.construct}: {refusal.reason}")
        found = {id(wanted[each.name]): (each.name, artifact) for each in artifact.functions}
        self._functions.update(found)
        return frozenset(found)

    def bind_in(self, frame: Namespace, unit: ir.Unit) -> None:
        """Have the wasm functions of `unit` bound as such in the frame in which it is about to run."""
        known = self._units.get(id(unit))
        if known is not None and known[1]:
            frame.bind_function = self._over(frame.bind_function)

    def _over(self, bind: BindFunction | None) -> BindFunction:
        def bound(node: ir.Lambda, body: Callable[..., Value], frame: Namespace) -> Callable[..., Value]:
            found = self._functions.get(id(node))
            if found is None:
                return body if bind is None else bind(node, body, frame)
            return _made(*found, node, body, frame)

        return bound


def _at(unit: ir.Unit, refusal: Refusal) -> str:
    span = refusal.span
    place = unit.source if span is None else f"{unit.source}:{span.line}:{span.column}"
    return f"{place}: {refusal.function}"


def _made(
    name: str, artifact: WasmArtifact, node: ir.Lambda, body: Callable[..., Value], frame: Namespace
) -> Callable[..., Value]:
    executor = _executor()
    if executor is None:
        return body
    needs = next(each.needs for each in artifact.functions if each.name == name)
    keys = [global_key(each) for each in needs]

    def ready() -> bool:
        """Whether all is defined that the wasm function calls without asking."""
        return all(key in frame.values for key in keys)

    made = executor.load(artifact, {name: body}, {name: ready} if keys else None, only=name)[name]
    made.__name__ = getattr(body, "__name__", name)
    made.rtfs_lambda = node  # type: ignore[attr-defined]  # for `(meta f)`
    assert isinstance(made, FunctionType)
    return made


@cache
def _executor() -> Executor | None:
    """The executor of this process, None without wasmtime."""
    from rtfs.emit_wasm.engine import MISSING, available

    if not available():
        _warn("functions that ask for ^{:tier :wasm} run as Python: %s", MISSING)
        return None
    from rtfs.emit_wasm.execute import Executor

    return Executor()
