"""Limits, threads, leaving to Python, source maps."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

import rtfs
from rtfs import errors
from rtfs.emit_wasm import compile_unit
from rtfs.emit_wasm.artifact import (
    FUNCTIONS_SECTION,
    SITES_SECTION,
    SourceMap,
    WasmArtifact,
    WasmFunction,
    functions_section,
)
from rtfs.emit_wasm.binary import Body, Function, Module, Signature, ValType, custom
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.opcodes import LOCAL_GET
from rtfs.errors import Span

pytest.importorskip("wasmtime")

from rtfs.emit_wasm.execute import Bailed, Executor, guarded_of
from rtfs.run import Limits, cancel, running

SPIN = "(defn spin [n : int] : int (loop [i 0] (if (< i n) (recur (inc i)) i)))"
LONG = 10**15


def artifact_of(source: str) -> WasmArtifact:
    return compile_unit(rtfs.compile(source).unit)


def run_of(**limits: Any) -> Any:
    from rtfs.program import new_run

    return new_run(None, None, Limits(**limits), None)


def test_the_deadline_of_a_run_ends_a_call() -> None:
    spin = Executor().load(artifact_of(SPIN))["spin"]
    started = time.monotonic()
    with pytest.raises(errors.BudgetExhausted) as caught, running(run_of(deadline_s=0.15)):
        spin(LONG)
    assert caught.value.dimension == "deadline"
    assert time.monotonic() - started < 5
    with running(run_of(deadline_s=10.0)):  # the instance that was broken off is fit for use
        assert spin(10) == 10


def test_a_cancelled_run_ends() -> None:
    spin = Executor().load(artifact_of(SPIN))["spin"]
    run = run_of()
    timer = threading.Timer(0.05, cancel, (run,))
    timer.start()
    with pytest.raises(errors.BudgetExhausted, match="cancelled"), running(run):
        spin(LONG)
    timer.join()


def test_a_signal_gets_in() -> None:
    import signal

    class Called(BaseException):
        pass

    def handler(*_: object) -> None:
        raise Called

    spin = Executor().load(artifact_of(SPIN))["spin"]
    before = signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(Called):
            spin(LONG)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert spin(3) == 3


def test_fuel_is_a_limit_that_no_program_can_catch() -> None:
    spin = Executor(fuel=100_000).load(artifact_of(SPIN), {"spin": lambda n: -1})["spin"]
    for _ in range(50):  # each call has as much
        assert spin(1000) == 1000
    with pytest.raises(errors.BudgetExhausted) as caught:
        spin(LONG)
    assert caught.value.dimension == "fuel"
    assert not caught.value.catchable


def test_other_runs_go_on_when_one_is_stopped() -> None:
    spin = Executor().load(artifact_of(SPIN))["spin"]

    def stopped() -> str:
        with running(run_of(deadline_s=0.1)):
            try:
                spin(LONG)
            except errors.BudgetExhausted as error:
                return error.dimension
        return "ended"

    def ended() -> int:
        with running(run_of(deadline_s=60.0)):
            return int(spin(300_000_000))

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(stopped), threads.submit(ended)
        assert (first.result(), second.result()) == ("deadline", 300_000_000)


def test_calls_from_many_threads_have_instances_of_their_own() -> None:
    loop = "(loop [i 0 s 0] (if (< i n) (recur (inc i) (+ s (reduce + v))) s))"
    source = f"(defn f [v : [:vector :int] n : int] {loop})"
    f = Executor().load(artifact_of(source))["f"]
    from rtfs.values import Vector

    vectors = [Vector([k, k + 1, k + 2]) for k in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda k: [f(vectors[k], 2000) for _ in range(20)], range(8)))
    assert found == [[2000 * (3 * k + 3)] * 20 for k in range(8)]


def test_a_small_limit_of_depth_keeps_a_run_out_of_wasm() -> None:
    f = Executor().load(artifact_of(SPIN), {"spin": lambda n: "python"})["spin"]
    with running(run_of(depth=100)):
        assert f(3) == "python"
    with running(run_of()):
        assert f(3) == 3


def test_what_leaves_is_done_by_the_body_and_counted() -> None:
    source = "(defn f [n : int] : int\n  (if (< n 2) 1\n    (* n (f (- n 1)))))"
    seen = []

    def body(n: int) -> object:
        seen.append(n)
        return f(n - 1) if n > 28 else "body"

    f = Executor().load(artifact_of(source), {"f": body})["f"]
    assert f(20) == 2432902008176640000
    assert f(30) == "body"
    assert seen == [30, 29, 28]  # calls by the body stay with Python
    guarded = guarded_of(f)
    assert guarded is not None
    assert guarded.bails == 1
    (place,) = guarded.places
    assert place.span == Span(3, 5, 3, 22)
    assert f(5) == 120
    assert f(2.0) == "body"
    assert guarded.bails == 1


def test_a_function_that_leaves_again_and_again_stays_with_python() -> None:
    f = Executor().load(artifact_of("(defn f [n : int] (+ n 1))"), {"f": lambda n: "python"})["f"]
    for _ in range(20):
        f(2**63 - 1)
    assert f(1) == "python"


def test_without_a_body_the_place_is_told() -> None:
    f = Executor().load(artifact_of("(defn f [n : int]\n  (inc n))"))["f"]
    with pytest.raises(Bailed, match="at 2:3: integer overflow"):
        f(2**63 - 1)
    with pytest.raises(Bailed, match="other kinds"):
        f("x")


def test_arguments_are_counted_as_of_any_function() -> None:
    from rtfs.stdlib.registry import arity

    f = Executor().load(artifact_of("(defn f [a : int b : int] (+ a b))"))["f"]
    assert arity(f) == (2, 2)
    with pytest.raises(TypeError):
        f(1)


def test_booleans_are_no_integers() -> None:
    executor = Executor()
    f = executor.load(artifact_of("(defn f [a : int] (+ a 1))"), {"f": lambda a: "body"})["f"]
    assert f(True) == "body"
    g = executor.load(artifact_of("(defn g [a : bool] (not a))"))["g"]
    assert g(True) is False


def test_a_module_describes_itself() -> None:
    artifact = artifact_of("(defn f [a : int] (/ a 2)) (defn g [s] (upper s))")
    assert artifact.module is not None
    read = WasmArtifact.of_module(artifact.module)
    assert read.functions == artifact.functions
    assert read.source_map.encode() == artifact.source_map.encode()
    assert Executor().load(read)["f"](9) == 4.5
    with pytest.raises(ValueError, match="no WebAssembly module that RTFS compiled"):
        WasmArtifact.of_module(b"\0asm\1\0\0\0")


def test_modules_are_compiled_once() -> None:
    executor = Executor()
    first, second = (guarded_of(executor.load(artifact_of(SPIN))["spin"]) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.module is second.module


def test_a_forked_child_can_call() -> None:
    spin = Executor().load(artifact_of(SPIN))["spin"]
    assert spin(5) == 5
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with running(run_of(deadline_s=0.1)):
                status = 2 if spin(7) == 7 else 3
                spin(LONG)
        except errors.BudgetExhausted:
            status = 0 if status == 2 else status
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def lying(params: tuple[Kind, ...], result: Kind, body: Body, pages: int | None = None) -> WasmArtifact:
    """A module whose function `f` of one i64 is described as something else."""
    function = Function(Signature((ValType.I64,), (ValType.I64,)), body, "f")
    module, _ = Module(functions=[function], pages=pages).encode()
    described = (WasmFunction(name="f", params=params, result=result),)
    sections = ((FUNCTIONS_SECTION, functions_section(described)), (SITES_SECTION, SourceMap("", ()).encode()))
    return WasmArtifact.of_module(module + b"".join(custom(*section) for section in sections))


def same() -> Body:
    body = Body(1)
    body.indexed(LOCAL_GET, 0)
    return body


@pytest.mark.parametrize(
    ("params", "result"),
    [((Kind.FLOAT,), Kind.INT), ((), Kind.INT), ((Kind.INT,), Kind.FLOAT), ((Kind.INT,), Kind.FLOATS)],
)
def test_a_module_that_lies_is_refused(params: tuple[Kind, ...], result: Kind) -> None:
    with pytest.raises(ValueError, match="does not export the function `f`"):
        Executor().load(lying(params, result, same()))


def test_a_damaged_module_is_refused() -> None:
    artifact = artifact_of(SPIN)
    assert artifact.module is not None
    with pytest.raises(ValueError, match="malformed"):
        Executor().load(replace(artifact, module=artifact.module[:40] + b"?" + artifact.module[41:]))


def test_a_vector_outside_of_memory_is_no_vector() -> None:
    body = Body(1)
    body.i32(65_530)
    function = Function(Signature((ValType.I64,), (ValType.I32,)), body, "f")
    module, _ = Module(functions=[function], pages=1).encode()
    described = (WasmFunction(name="f", params=(Kind.INT,), result=Kind.INTS),)
    artifact = WasmArtifact(module=module, functions=described, refusals=(), source_map=SourceMap("", ()))
    with pytest.raises(errors.InternalError, match="outside of its memory"):
        Executor().load(artifact)["f"](1)
