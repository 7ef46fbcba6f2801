"""Wasm and the interpreter agree on values and errors of programs made by chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from wasm_programs import Maker

import rtfs
from rtfs import errors
from rtfs.convert import from_python
from rtfs.values import Vector

pytest.importorskip("wasmtime")

from rtfs.emit_wasm import compile_unit
from rtfs.emit_wasm.execute import Bailed, Executor

LIMITS = rtfs.Limits()
FUNCTIONS = 10


def outcome(call: Callable[..., object], *args: object, **more: object) -> tuple[object, ...]:
    try:
        value = call(*args, **more)
    except errors.RtfsError as error:
        return "error", type(error).__name__, str(error), error.span
    return exactly(value)


def exactly(value: object) -> tuple[object, ...]:
    """Something that is equal only for values that cannot be told apart."""
    if type(value) is float:
        return ("float", "nan") if math.isnan(value) else ("float", value, math.copysign(1.0, value))
    if type(value) is Vector:
        return "vector", *map(exactly, value)
    return type(value).__name__, value


def test_linked_programs_give_the_same_values_and_errors_at_the_same_places() -> None:
    seen: Counter[str] = Counter()
    for seed in range(20):
        maker = Maker(seed, vectors=0.1 if seed % 2 else 0.0, strings=0.2 if seed % 4 > 1 else 0.0)
        program = maker.program(FUNCTIONS)
        compiled = rtfs.compile(program.source)
        wasm, oracle = compiled.link(), compiled.link(backend="interpreter")
        for function in program.functions * 2:
            name, args = function.name, maker.arguments(function)
            got = outcome(wasm.call, name, *args, limits=LIMITS)
            wanted = outcome(oracle.call, name, *args, limits=LIMITS)
            assert got == wanted, f"seed {seed}: ({name} {args})\n{program.source}"
            seen[str(wanted[0])] += 1
    assert seen["error"] > 20
    assert min(seen["int"], seen["float"], seen["bool"]) > 20


def check(first: int, programs: int, calls: int, vectors: float = 0.0, strings: float = 0.0) -> None:
    """Wasm alone: each function gives the interpreter's value, or leaves; where that raises, it must leave."""
    seen: Counter[str] = Counter()
    executor = Executor()
    for seed in range(first, first + programs // FUNCTIONS):
        maker = Maker(seed, vectors, strings)
        program = maker.program(FUNCTIONS)
        compiled = rtfs.compile(program.source)
        artifact = compile_unit(compiled.unit)
        assert [refusal.text() for refusal in artifact.refusals] == []
        functions, oracle = executor.load(artifact), compiled.link(backend="interpreter")
        for function in program.functions:
            for _ in range(calls):
                args = [from_python(arg) for arg in maker.arguments(function)]
                seen[compare(functions[function.name], oracle, function.name, args, seed)] += 1
    assert seen["same"] > 2 * seen["left"], seen  # else the test would say little
    assert seen["left"] > 0.03 * seen["same"], seen


def compare(wasm: Callable[..., object], oracle: Any, name: str, args: list[object], seed: int) -> str:
    try:
        got = outcome(wasm, *args)
    except Bailed:
        return "left"
    wanted = outcome(oracle.call, name, *args, limits=LIMITS)
    assert got == wanted, f"seed {seed}: ({name} {args})"
    return "same"


def test_a_thousand_programs() -> None:
    check(0, 1_000, 2)


def test_programs_with_vectors() -> None:
    check(500_000, 400, 2, vectors=0.25)


def test_programs_with_strings() -> None:
    check(600_000, 400, 2, strings=0.35)
    check(700_000, 100, 2, vectors=0.15, strings=0.25)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_thousand_programs(part: int) -> None:
    check(
        1_000_000 * (part + 1),
        10_000,
        3,
        vectors=0.2 if part % 3 == 2 else 0.0,
        strings=0.3 if part % 2 else 0.0,
    )
