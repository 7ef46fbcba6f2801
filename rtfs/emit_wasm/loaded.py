"""Modules as machine code, and their instances. What is loaded was checked to be what calls take it for."""

from __future__ import annotations

import atexit
import ctypes
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from rtfs import errors
from rtfs.emit_wasm.artifact import MOST_BYTES, MOST_PARAMETERS, PARAMETERS, RESULTS, WasmFunction
from rtfs.emit_wasm.binary import PAGE_BYTES, foreign_section
from rtfs.emit_wasm.engine import MEMORY_BYTES, Engine, Look, pointer_of
from rtfs.emit_wasm.kinds import IN_MEMORY
from rtfs.emit_wasm.marshal import WORDS
from rtfs.emit_wasm.memory import Memory
from rtfs.emit_wasm.native import machine_code

if TYPE_CHECKING:
    pass

#: instances of one module that are kept for later calls
_MOST_POOLED: Final = 32
#: what sections are called that no module of ours has
_FOREIGN: Final = {2: "imports", 4: "tables", 6: "globals", 8: "a start function", 9: "table elements"}

#: all modules that are loaded; wasmtime's objects must be gone before Python takes down wasmtime itself
_loaded: Final[WeakSet[LoadedModule]] = WeakSet()


@atexit.register
def _close_all() -> None:
    for module in list(_loaded):
        module.close()


class Slot:
    """An instance of a module with what a call of it needs."""

    __slots__ = ("context", "error", "floats", "functions", "ints", "look", "memory", "store", "trap", "words")

    def __init__(self, module: LoadedModule) -> None:
        import wasmtime

        engine_ = module.engine
        store = self.store = wasmtime.Store(engine_.engine)
        store.set_limits(memory_size=MEMORY_BYTES, instances=1, tables=0, memories=1)
        store.set_epoch_deadline(1)
        self.look = Look(engine_)
        self.look.at(store)
        instance = wasmtime.Instance(store, module.compiled, [])
        exports = instance.exports(store)
        self.context = pointer_of(store._context())
        self.ints = (ctypes.c_int64 * (MOST_PARAMETERS * WORDS))()
        self.floats = (ctypes.c_double * (MOST_PARAMETERS * WORDS)).from_buffer(self.ints)
        self.words = ctypes.c_void_p(ctypes.addressof(self.ints))
        self.error = ctypes.POINTER(trap_type())()
        self.trap = ctypes.c_void_p(ctypes.addressof(self.error))
        #: export → wasmtime's handle of the function, kept, and its address
        self.functions: dict[str, tuple[Any, ctypes.c_void_p]] = {}
        for each in module.functions:
            handle: Any = exports[each.name]._func  # type: ignore[union-attr]
            self.functions[each.name] = handle, ctypes.c_void_p(ctypes.addressof(handle))
        self.memory: Memory | None = None
        if module.has_memory:
            self.memory = Memory(store, exports["memory"])  # type: ignore[arg-type]


def trap_type() -> Any:
    """The C type of a trap."""
    from wasmtime import _ffi

    return _ffi.wasm_trap_t


class LoadedModule:
    """A module, compiled to machine code, and its instances."""

    def __init__(
        self, module: bytes, functions: tuple[WasmFunction, ...], engine_: Engine, fuel: int | None
    ) -> None:
        import wasmtime

        self.engine = engine_
        self.fuel = fuel
        self.functions = functions
        if len(module) > MOST_BYTES:
            raise ValueError(f"a module may have {MOST_BYTES} bytes, this one has {len(module)}")
        foreign = foreign_section(module)
        if foreign is not None:
            reason = _FOREIGN.get(foreign, f"a section {foreign}")
            raise ValueError(f"the module has {reason}, which no module that RTFS compiled has")
        try:
            self.compiled = machine_code(engine_, module, fuel is not None)
        except wasmtime.WasmtimeError as error:
            raise ValueError(f"the module is malformed: {error}") from None
        #: whether its functions handle vectors or strings
        self.has_memory = any(export.name == "memory" for export in self.compiled.exports)
        try:
            self._check()
        except ValueError:
            self.compiled.close()
            raise
        self.pool: list[Slot] = []
        try:
            self.pool.append(Slot(self))
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise ValueError(f"the module cannot be instantiated: {error}") from None
        _loaded.add(self)

    def _check(self) -> None:
        """Refuse a module that is not what it says it is: calls rely on the types of its functions unseen.

        Raises:
            ValueError: it imports something, or exports other functions than it describes.
        """
        if len(self.compiled.imports):
            raise ValueError("the module imports something, which no module that RTFS compiled does")
        types: dict[str, Any] = {each.name: each.type for each in self.compiled.exports}
        limits = getattr(types.get("memory"), "limits", None)
        if self.has_memory and (limits is None or not 1 <= limits.min <= MEMORY_BYTES // PAGE_BYTES):
            raise ValueError("the module exports as `memory` what is none, or none that may be")
        for each in self.functions:
            wanted = [[kind.held.name.lower() for kind in side] for side in (each.params, (each.result,))]
            found = types.get(each.name)
            sides = (getattr(found, "params", ()), getattr(found, "results", ()))
            if (
                [[str(kind) for kind in side] for side in sides] != wanted
                or len(each.params) > MOST_PARAMETERS
                or not PARAMETERS.issuperset(each.params)
                or each.result not in RESULTS
            ):
                raise ValueError(f"the module does not export the function `{each.name}` that it describes")
        kinds = {kind for each in self.functions for kind in (*each.params, each.result)}
        if kinds & IN_MEMORY and not self.has_memory:
            raise ValueError("the module describes functions of vectors or strings, and exports no memory")

    def close(self) -> None:
        """Free what wasmtime keeps for it; it cannot be called any more."""
        for slot in self.pool:
            slot.store.close()
        self.pool.clear()
        self.compiled.close()

    def take(self) -> Slot:
        """An instance that nobody uses.

        Raises:
            BudgetExhausted: there can be no more of them.
        """
        try:
            slot = self.pool.pop()
        except IndexError:
            slot = self._instance()
        if self.fuel is not None:
            self.engine.raw.set_fuel(slot.context, self.fuel)
        return slot

    def _instance(self) -> Slot:
        from wasmtime import WasmtimeError

        try:
            return Slot(self)
        except WasmtimeError as error:  # there is no address space left for its memory
            raise errors.BudgetExhausted("allocation", f"one more instance of a module: {error}") from None

    def put(self, slot: Slot) -> None:
        """Keep it for a later call, unless that would keep much memory.

        Raises:
            BaseException: what a signal raised in the last moments of the call.
        """
        interrupt = slot.look.interrupt
        if interrupt is not None:
            slot.look.interrupt = None
            raise interrupt
        if (
            len(self.pool) < _MOST_POOLED
            and not slot.look.used_up
            and (slot.memory is None or slot.memory.is_small())
        ):
            self.pool.append(slot)
