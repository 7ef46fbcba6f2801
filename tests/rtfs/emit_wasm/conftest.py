from __future__ import annotations

import math
from typing import Any

import pytest

import rtfs
from rtfs.convert import from_python
from rtfs.emit_wasm import compile_unit
from rtfs.emit_wasm.artifact import WasmArtifact
from rtfs.values import Vector

LIMITS = rtfs.Limits()


class Compiled:
    """A program as wasm alone, beside the interpreter."""

    def __init__(self, source: str) -> None:
        from rtfs.emit_wasm.execute import Executor

        program = rtfs.compile(source)
        self.artifact: WasmArtifact = compile_unit(program.unit)
        self.functions = Executor().load(self.artifact)
        self._oracle = program.link(backend="interpreter")

    def wasm(self, name: str, *args: Any) -> Any:
        """What wasm alone gives; raises Bailed where it leaves."""
        return self.functions[name](*map(from_python, args))

    def oracle(self, name: str, *args: Any) -> Any:
        return self._oracle.call(name, *args, limits=LIMITS)

    def agrees(self, name: str, *args: Any) -> Any:
        """Wasm gives the interpreter's value, to the last bit; that value."""
        got, wanted = self.wasm(name, *args), self.oracle(name, *args)
        assert exactly(got) == exactly(wanted), (name, args)
        return got

    def leaves(self, name: str, *args: Any) -> str:
        """Wasm leaves the call to Python; why."""
        from rtfs.emit_wasm.execute import Bailed

        with pytest.raises(Bailed) as caught:
            self.wasm(name, *args)
        return str(caught.value)


def exactly(value: object) -> tuple[object, ...]:
    """Something that is equal only for values that cannot be told apart."""
    if type(value) is float:
        return ("float", "nan") if math.isnan(value) else ("float", value, math.copysign(1.0, value))
    if type(value) is Vector:
        return "vector", *map(exactly, value)
    return type(value).__name__, value


@pytest.fixture
def compiled() -> type[Compiled]:
    pytest.importorskip("wasmtime")
    return Compiled
