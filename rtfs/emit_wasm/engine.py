"""wasmtime, as far as RTFS uses it: one engine per process, and calls as cheap as Python can make them.

wasmtime's own `Func.__call__` takes some 50 us, most of it for types that are known here. `Raw` calls
`wasmtime_func_call_unchecked` with arguments laid out by hand, which takes under 2 us.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from rtfs.emit_wasm.ticker import Ticker
from rtfs.run import run_under_way, stop_of

if TYPE_CHECKING:
    import wasmtime

#: bytes of native stack that wasm may use; deeper calls are left to Python
STACK_BYTES: Final = 512 << 10
#: bytes of stack that the smallest wasm call takes: return address and frame pointer
_LEAST_FRAME: Final = 16
#: a run with a smaller limit of depth does not use wasm, which would not notice when it is passed
LEAST_DEPTH: Final = STACK_BYTES // _LEAST_FRAME
#: linear memory of one instance, bytes
MEMORY_BYTES: Final = 256 << 20


#: parts of the language that no module of ours uses; `relaxed_simd` must be off before `simd` is
_UNUSED: Final = (
    "wasm_threads", "wasm_relaxed_simd", "wasm_simd", "wasm_multi_memory", "wasm_memory64", "wasm_exceptions",
    "wasm_gc", "wasm_function_references",
)  # fmt: skip

#: what to do where the package is not there
MISSING: Final = "running WebAssembly needs the package wasmtime: pip install 'rtfs[wasm]'"


def available() -> bool:
    """Whether wasm can be run here."""
    from importlib.util import find_spec

    return find_spec("wasmtime") is not None


def _wasmtime() -> Any:
    try:
        import wasmtime
    except ImportError:
        raise ImportError(MISSING, name="wasmtime") from None
    return wasmtime


class Engine:
    """A wasmtime engine and the clock of what runs on it.

    Args:
        fuel: instructions are counted, at the cost of about half as much time again.
    """

    def __init__(self, fuel: bool = False) -> None:
        wasmtime = _wasmtime()
        config = wasmtime.Config()
        config.epoch_interruption = True
        config.consume_fuel = fuel
        config.max_wasm_stack = STACK_BYTES
        config.wasm_tail_call = True
        for unused in _UNUSED:
            setattr(config, unused, False)
        config.parallel_compilation = False  # no threads, which a fork would lose
        self.engine: Any = wasmtime.Engine(config)
        self.ticker = Ticker(self.engine.increment_epoch)
        self.raw = Raw()


@cache
def engine(fuel: bool = False) -> Engine:
    """The engine of this process.

    Raises:
        ImportError: wasmtime is not installed.
    """
    return Engine(fuel)


class Raw:
    """wasmtime's C functions under plain types: pointers as integers."""

    def __init__(self) -> None:
        from wasmtime import _bindings as c

        self._c: Any = c
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        #: context, function, arguments and results, their number, where a trap goes → error
        self.call = self._function(
            "wasmtime_func_call_unchecked", pointer, pointer, pointer, pointer, size, pointer
        )
        self.set_fuel = self._function("wasmtime_context_set_fuel", pointer, pointer, ctypes.c_uint64)
        self._delete_error = self._function("wasmtime_error_delete", None, pointer)
        self._new_error = self._function("wasmtime_error_new", pointer, ctypes.c_char_p)
        self._set_callback = self._function(
            "wasmtime_store_epoch_deadline_callback", None, pointer, pointer, pointer, pointer
        )

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        return ctypes.CFUNCTYPE(result, *arguments)((name, self._c.dll))

    def new_error(self) -> int:
        """An error for a callback to give; whoever does not give it away frees it."""
        return int(self._new_error(b"stopped"))

    def on_tick(self, store: wasmtime.Store, callback: Any, data: int) -> None:
        """Have a C function called with `data` when a call in `store` lives through a tick."""
        self._set_callback(pointer_of(store.ptr()), ctypes.cast(callback, ctypes.c_void_p), data, None)

    def drop_error(self, error: int) -> None:
        """Free an error that a call gave."""
        self._delete_error(error)


class Look:
    """What happens at a tick in the thread of a call: the run is asked whether to stop, and signals get in.

    wasmtime calls a C function with the context, a pointer of our choice, and two places for an answer; it
    gives 0 to go on, or a pointer to an error. As a Python function it could not be written: a signal's handler
    runs when a Python function is entered, and what it raises there would be lost. `max` is no Python function.
    It hands one argument after another, for its key, to a generator, which stands in its `try` all the time;
    keys are 0, so that `max` gives its first argument, 0, unless the one of our choice, an error, has 1.
    """

    def __init__(self, engine_: Engine) -> None:
        self._engine = engine_
        self._error: int | None = engine_.raw.new_error()
        #: what a signal's handler raised
        self.interrupt: BaseException | None = None
        looking = self._looking(self._error)
        next(looking)
        prototype = ctypes.CFUNCTYPE(ctypes.c_size_t, *[ctypes.c_size_t] * 4)
        self._callback = prototype(partial(max, 0, key=looking.send))

    def at(self, store: wasmtime.Store) -> None:
        """Look at what runs in `store`."""
        assert self._error is not None
        self._engine.raw.on_tick(store, self._callback, self._error)

    def _looking(self, error: int) -> Generator[int, int, None]:
        answer, behind_error = 0, False
        while True:
            try:
                value = yield answer
                answer = 0
                if value == error:
                    behind_error = True
                    self._engine.ticker.busy = True
                    if self.interrupt is not None or stop_of(run_under_way()) is not None:
                        self._error = None  # given away
                        answer = 1
                elif behind_error:
                    behind_error = False
                    ctypes.c_uint64.from_address(value).value = 1  # the next tick is the next look
            except GeneratorExit:
                return
            except BaseException as interrupt:
                self.interrupt, answer = interrupt, 0

    @property
    def used_up(self) -> bool:
        """Whether it has ended a call, and cannot end another."""
        return self._error is None

    def __del__(self) -> None:
        if self._error is not None:
            self._engine.raw.drop_error(self._error)
            self._error = None


def pointer_of(pointer: Any) -> ctypes.c_void_p:
    """A typed pointer as a plain one."""
    return ctypes.cast(pointer, ctypes.c_void_p)
