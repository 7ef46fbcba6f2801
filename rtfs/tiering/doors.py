"""How calls of a Python function come to whoever decides where they go: its code is exchanged."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from rtfs.namespace import global_key
from rtfs.run import run_under_way
from rtfs.tiers import executor
from rtfs.values import Value

if TYPE_CHECKING:
    from rtfs.tiering.functions import Function

#: a run that allows fewer nested calls does not use wasm. As in `rtfs.emit_wasm.engine`, which is slow to load
LEAST_DEPTH: Final = 32_768


_clock: Final = time.perf_counter


class Door:
    """A Python function of one run that stands for a function, while calls of it come here."""

    __slots__ = ("_code", "_function", "_own", "_wasm", "function", "values")

    def __init__(self, function: Function, own: FunctionType, values: dict[str, Any], key: str) -> None:
        self.function = function
        self.values = values
        self._own = own
        self._code = own.__code__
        self._wasm: FunctionType | None = None
        slot = f"{key}·door"
        values[slot] = self.enter
        self._function = _leading_to(slot, self._code)
        self.open()

    def open(self) -> None:
        """Have calls come here."""
        self._own.__code__ = self._function

    def close(self) -> None:
        """Have calls go to Python, as they did at first."""
        self._own.__code__ = self._code

    def enter(self, *args: Value) -> Value:
        """A call."""
        function = self.function
        if function.is_on:
            if not function.pythons_turn and function.allows(args):
                wasm = self._wasm or self._loaded()
                if wasm is None:
                    return self._own(*args)
                start = _clock()
                value = wasm(*args)
                function.called(args, _clock() - start)
                return value
            told: Callable[[float], None] = function.compared
        elif function.is_probed:

            def told(spent_s: float) -> None:
                function.probed(args, spent_s)
        else:
            self.close()
            return self._own(*args)
        self.close()
        start = _clock()
        try:
            return self._own(*args)
        finally:
            told(_clock() - start)
            if function.is_on or function.is_probed:
                self.open()

    def _loaded(self) -> FunctionType | None:
        """The wasm function, with Python's behind it; None if there is no memory for it."""
        from rtfs.emit_wasm.execute import guarded_of

        artifact, found, name = self.function.artifact, executor(), self.function.name
        assert artifact is not None
        assert found is not None
        keys = [global_key(each) for each in artifact.functions[0].needs]
        ready = {name: lambda: all(key in self.values for key in keys)} if keys else None
        body = FunctionType(self._code, self.values, self._own.__name__)
        try:
            made = found.load(artifact, {name: body}, ready)[name]
        except (ValueError, MemoryError):
            self.close()
            self.function.stop()
            return None
        guarded = guarded_of(made)
        assert guarded is not None
        guarded.on_python = self._left
        self._wasm = made
        return made

    def _left(self, tried: bool) -> None:
        """Wasm leaves a call to Python."""
        self.close()
        run = run_under_way()
        if tried or run is None or run.limits.depth >= LEAST_DEPTH:
            self.function.fail()


def _leading_to(slot: str, code: CodeType) -> CodeType:
    """Code that takes what `code` does, and calls the global `slot` with it. Traces leave it out."""
    made = _passing(code.co_argcount)
    return made.replace(
        co_names=(slot,),
        co_name=f"{code.co_name}·w",
        co_qualname=code.co_qualname,
        co_filename=code.co_filename,
    )


@cache
def _passing(params: int) -> CodeType:
    names = ", ".join(f"a{index}" for index in range(params))
    taken = f"{names}, /" if names else ""
    module = compile(f"def door({taken}):\n    return door_({names})", "<door>", "exec", dont_inherit=True)
    return next(each for each in module.co_consts if isinstance(each, CodeType))
