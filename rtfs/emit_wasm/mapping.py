"""`(map f v)` where `f` is a wasm function and `v` a vector of numbers: one call of wasm, not one per item.

That call is of another function, `(fn [v] (map f v))`, which is compiled when enough items have gone through
`map`. Where it cannot go on, `map` calls `f` as it always does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from rtfs import ir
from rtfs.emit_wasm.kinds import VECTORS
from rtfs.stdlib.higher_order import map_
from rtfs.stdlib.registry import BY_FUNCTION
from rtfs.types import model as types
from rtfs.values import Value, Vector

if TYPE_CHECKING:
    from rtfs.emit_wasm.artifact import WasmFunction
    from rtfs.emit_wasm.execute import Executor

#: items that pass before it is compiled: as long as it takes to call `f` for them
_ITEMS_BEFORE: Final = 500
#: a call with fewer items is not worth it
_LEAST_ITEMS: Final = 8
#: it is left alone when so many calls could not be made by wasm
_MOST_FAILURES: Final = 8
#: no name of RTFS
_NAME: Final = "map of "


class Mapper:
    """What gives the vector of a function's values for the items of a vector.

    Args:
        unit: in which the function is defined.
        kept_out: ids of functions that may run elsewhere.
        defined: whether a global has its value.
    """

    def __init__(
        self,
        unit: ir.Unit,
        function: WasmFunction,
        kept_out: frozenset[int],
        executor: Executor,
        defined: Callable[[str], bool],
    ) -> None:
        self._unit = unit
        self._wasm = function
        self._kept_out = kept_out
        self._executor = executor
        self._defined = defined
        self._items = 0
        self._failures = 0
        self._function: FunctionType | None = None

    def __call__(self, vector: Vector) -> Value:
        """The vector; None if wasm does not make it."""
        if self._failures >= _MOST_FAILURES or len(vector) < _LEAST_ITEMS:
            return None
        self._items += len(vector)
        if self._items < _ITEMS_BEFORE:
            return None
        from rtfs.emit_wasm.execute import Bailed

        try:
            if self._function is None:
                self._function = self._compiled()
            return None if self._function is None else self._function(vector)
        except Bailed:
            self._failures += 1
            return None

    def _compiled(self) -> FunctionType | None:
        from rtfs.emit_wasm.compiler import compile_unit

        name = f"{_NAME}{self._wasm.name}"
        artifact = compile_unit(
            _with_map(self._unit, name, self._wasm), kept_out=self._kept_out, wanted=(name,)
        )
        if artifact.module is None:
            self._failures = _MOST_FAILURES
            return None
        needs = artifact.functions[0].needs
        ready = {name: lambda: all(map(self._defined, needs))} if needs else None
        return self._executor.load(artifact, None, ready)[name]


def can_map(function: WasmFunction) -> bool:
    """Whether it takes a number and gives one."""
    return len(function.params) == 1 and function.params[0] in VECTORS and function.result in VECTORS


def _with_map(unit: ir.Unit, name: str, function: WasmFunction) -> ir.Unit:
    """The unit with `(defn NAME [v : [:vector …]] (map f v))`."""
    local = ir.Local(-1, "v")
    param = ir.Param(local, types.VectorType(types.Primitive(function.params[0].value)))
    body = ir.Apply(ir.BuiltinRef("map"), (ir.GlobalRef(function.name), ir.LocalRef(local)))
    node = ir.Lambda(name, None, (ir.Arity(-1, (param,), None, None, body),))
    return replace(unit, forms=(*unit.forms, ir.Def(name, node)), stable=unit.stable | {name})


def whole_map(f: Value, coll: Value, *more: Value) -> Value:
    """As the builtin `map`."""
    if not more and type(coll) is Vector:
        mapper: Any = getattr(f, "rtfs_map", None)
        if mapper is not None:
            found: Value = mapper(coll)
            if found is not None:
                return found
    return map_(f, coll, *more)


whole_map.__name__ = "map"
assert isinstance(whole_map, FunctionType)
assert isinstance(map_, FunctionType)
BY_FUNCTION[whole_map] = BY_FUNCTION[map_]
