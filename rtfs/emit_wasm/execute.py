"""Running compiled modules: their functions as Python functions that RTFS can call like any other.

A call takes an instance out of a pool, lays out its arguments, and puts the instance back; while it is away
nobody else uses it, so calls may come from any thread. Where wasm cannot go on, or the arguments are of other
kinds, the function's *body* is called, which is the same function in Python. Functions are pure, so what was
done before that does not matter. While a body runs in place of wasm, calls in it stay with Python: each would
most likely leave wasm again.

Limits. A run's deadline, memory and cancellation end a call within a tick (`rtfs.emit_wasm.ticker`). Depth is
bounded by wasm's own stack, beyond which Python goes on, and a run that allows less depth than that does not
use wasm. Memory is bounded per instance. Fuel is counted only by an executor that is given some.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import FunctionType
from typing import TYPE_CHECKING, Final

from rtfs import errors
from rtfs.emit_wasm.artifact import Place, SourceMap, WasmArtifact, WasmFunction
from rtfs.emit_wasm.engine import LEAST_DEPTH, engine
from rtfs.emit_wasm.loaded import LoadedModule, Slot, trap_type
from rtfs.emit_wasm.marshal import wrapper
from rtfs.run import poll, run_under_way
from rtfs.values import Value

if TYPE_CHECKING:
    import wasmtime

type Body = Callable[..., Value]

#: modules that are kept compiled
_MOST_MODULES: Final = 256
#: a function that left wasm so often within so many seconds stays with Python
_MOST_BAILS: Final = 16
_BAILS_S: Final = 1.0
#: places of traps that a module remembers
_MOST_PLACES: Final = 64

#: threads in which the body of a function runs because wasm could not go on
_leaving: Final[set[int]] = set()


class Bailed(Exception):
    """Wasm could not go on, and there is no body to go on with. `place` is where, if that is known."""

    def __init__(self, function: str, place: Place | None) -> None:
        where = "" if place is None or place.span is None else f" at {place.span.line}:{place.span.column}"
        why = "its arguments are of other kinds, or the run forbids it" if place is None else place.reason
        super().__init__(f"{function} left WebAssembly{where}: {why}")
        self.place = place


class Guarded:
    """One function of a module and its body: when to use which."""

    def __init__(
        self, module: LoadedModule, function: WasmFunction, source_map: SourceMap, body: Body | None,
        ready: Callable[[], bool] | None,
    ) -> None:  # fmt: skip
        self.module = module
        self.function = function
        self.body = body
        self.source_map = source_map
        #: whether wasm may be used at all
        self.on = ready is None
        self._ready = ready
        #: the Python function that stands for all this
        self.again: Body | None = body
        #: told before a call is made by Python: whether wasm had been tried
        self.on_python: Callable[[bool], None] | None = None
        #: how often calls left wasm
        self.bails = 0
        #: since when, monotonic seconds, how many of them are counted
        self._counted = (0.0, 0)
        #: the latest places at which calls left wasm, and how often each
        self.places: OrderedDict[Place, int] = OrderedDict()

    def other(self, *args: Value) -> Value:
        """The call by Python, without having tried wasm."""
        if self.again is not None and self.is_ready():
            return self.again(*args)
        if self.on_python is not None:
            self.on_python(False)
        return self._in_python(args, None)

    def _in_python(self, args: tuple[Value, ...], place: Place | None) -> Value:
        if self.body is None:
            raise Bailed(self.function.name, place)
        return self.body(*args)

    def is_ready(self) -> bool:
        """Ask whether wasm may be used, if that is open; whether it may from now on."""
        if self._ready is None or not self._ready():
            return False
        self.on, self._ready = True, None
        return True

    def fits(self) -> bool:
        """Whether the run under way allows wasm, and nothing in this thread speaks against it."""
        run = run_under_way()
        if run is not None and run.limits.depth < LEAST_DEPTH:
            return False
        return not _leaving or threading.get_ident() not in _leaving

    def left(self, slot: Slot, error: int | None, *args: Value) -> Value:
        """What a call gives that wasm did not finish.

        Raises:
            LimitError: the run is over.
            BaseException: what a signal raised meanwhile.
        """
        place, out_of_fuel = self._why(slot, error)
        self.module.put(slot)
        poll()
        if out_of_fuel:
            raise errors.BudgetExhausted("fuel", f"{self.module.fuel} instructions")
        self._count(place)
        if self.on_python is not None:
            self.on_python(True)
        ident = threading.get_ident()
        _leaving.add(ident)
        try:
            return self._in_python(args, place)
        finally:
            _leaving.discard(ident)

    def _why(self, slot: Slot, error: int | None) -> tuple[Place | None, bool]:
        from wasmtime import Trap, TrapCode

        if error:
            self.module.engine.raw.drop_error(error)
        if not slot.error:
            return None, False
        trap = Trap._from_ptr(slot.error)
        slot.error = ctypes.POINTER(trap_type())()
        slot.trap = ctypes.c_void_p(ctypes.addressof(slot.error))
        code = trap.trap_code
        return self._place(trap, code is TrapCode.STACK_OVERFLOW), code is TrapCode.OUT_OF_FUEL

    def _place(self, trap: wasmtime.Trap, too_deep: bool) -> Place | None:
        for frame in trap.frames:
            found = self.source_map.find(frame.module_offset)
            if found is not None and found.span is not None:
                if too_deep:
                    return Place(source=found.source, span=found.span, reason="calls nest too deeply for wasm")
                return found
        return None

    def _count(self, place: Place | None) -> None:
        self.bails += 1
        if place is not None:
            self.places[place] = self.places.pop(place, 0) + 1
            if len(self.places) > _MOST_PLACES:
                self.places.popitem(last=False)
        since, count = self._counted
        now = time.monotonic()
        self._counted = (since, count + 1) if now - since < _BAILS_S else (now, 1)
        if self._counted[1] >= _MOST_BAILS:
            self.on = False


class Executor:
    """Loads modules. One for a process is enough; its modules are compiled once.

    Args:
        fuel: instructions that one call may take; None: they are not counted, and the deadline of the run alone
            ends it.

    Raises:
        ImportError: wasmtime is not installed.
    """

    def __init__(self, *, fuel: int | None = None) -> None:
        self._engine = engine(fuel is not None)
        self._fuel = fuel
        self._modules: OrderedDict[tuple[bytes, tuple[WasmFunction, ...]], LoadedModule] = OrderedDict()
        self._lock = threading.Lock()

    def load(
        self,
        artifact: WasmArtifact,
        bodies: Mapping[str, Body] | None = None,
        ready: Mapping[str, Callable[[], bool]] | None = None,
        only: str | None = None,
    ) -> dict[str, FunctionType]:
        """The functions of a module by name.

        Args:
            artifact: as compiled here, or `WasmArtifact.of_module` of bytes.
            bodies: the same functions in Python. Without one, what wasm cannot do raises `Bailed`.
            ready: asked before wasm is used for a function, until it says so.
            only: the one function that is wanted; None: all.

        Raises:
            ValueError: the module is none, or not what it says it is.
        """
        if artifact.module is None:
            return {}
        bodies, ready = bodies or {}, ready or {}
        module = self._loaded(artifact)
        found = {}
        for each in artifact.functions:
            if only not in (None, each.name):
                continue
            guarded = Guarded(module, each, artifact.source_map, bodies.get(each.name), ready.get(each.name))
            found[each.name] = guarded.again = wrapper(guarded)
            guarded.is_ready()
        return found

    def _loaded(self, artifact: WasmArtifact) -> LoadedModule:
        assert artifact.module is not None
        # the functions, too: whoever describes the same bytes otherwise is to be checked as well
        key = sha256(artifact.module).digest(), artifact.functions
        with self._lock:
            found = self._modules.get(key)
            if found is None:
                found = LoadedModule(artifact.module, artifact.functions, self._engine, self._fuel)
                self._modules[key] = found
                if len(self._modules) > _MOST_MODULES:
                    self._modules.popitem(last=False)
            self._modules.move_to_end(key)
        return found


def guarded_of(function: Value) -> Guarded | None:
    """What is known about a function that `Executor.load` made; None for any other."""
    found = getattr(function, "rtfs_wasm", None)
    return found if isinstance(found, Guarded) else None
