"""Modules that no compiler of ours made: each is refused, or stopped by a limit; the process lives on."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

import rtfs
from rtfs import errors
from rtfs.emit_wasm import compile_unit
from rtfs.emit_wasm.artifact import (
    FUNCTIONS_SECTION,
    MOST_BYTES,
    SITES_SECTION,
    VERSION,
    SourceMap,
    WasmArtifact,
    WasmFunction,
    functions_section,
)
from rtfs.emit_wasm.binary import Site, custom, unsigned
from rtfs.emit_wasm.kinds import Kind
from rtfs.errors import Span
from rtfs.program import new_run
from rtfs.run import Limits, running
from rtfs.values import Vector

pytest.importorskip("wasmtime")

import wasmtime

from rtfs.emit_wasm.execute import Bailed, Executor

F = WasmFunction(name="f", params=(Kind.INT,), result=Kind.INT)
SPINS = '(func (export "f") (param i64) (result i64) (loop $l (br $l)) (i64.const 0))'
SAME = '(func (export "f") (param i64) (result i64) (local.get 0))'
MEMORY = '(memory (export "memory") 1)'


def module_of(text: str, *functions: WasmFunction, sites: bytes | None = None) -> bytes:
    """A module from text, with the sections that describe it as one of ours."""
    return raw(
        text, functions_section(functions or (F,)), SourceMap("", ()).encode() if sites is None else sites
    )


def raw(text: str, functions: bytes, sites: bytes = b"") -> bytes:
    binary = bytes(wasmtime.wat2wasm(f"(module {text})"))
    sites = sites or SourceMap("", ()).encode()
    return binary + custom(FUNCTIONS_SECTION, functions) + custom(SITES_SECTION, sites)


def load(module: bytes, fuel: int | None = None) -> Callable[..., Any]:
    return Executor(fuel=fuel).load(WasmArtifact.of_module(module))["f"]


def under(call: Callable[..., Any], *args: Any, **limits: Any) -> Any:
    with running(new_run(None, None, Limits(**limits), None)):
        return call(*args)


def described(name: object, params: object, result: object, needs: object) -> bytes:
    entry = {"name": name, "params": params, "result": result, "needs": needs}
    return json.dumps({"version": VERSION, "functions": [entry]}).encode()


def of(params: tuple[Kind, ...], result: Kind) -> WasmFunction:
    return WasmFunction(name="f", params=params, result=result)


# ---------------------------------------------------------------- what runs


def test_endless_loops_end_with_the_deadline_or_the_fuel() -> None:
    module = module_of(SPINS)
    with pytest.raises(errors.BudgetExhausted, match="deadline"):
        under(load(module), 1, deadline_s=0.05)
    with pytest.raises(errors.BudgetExhausted, match="fuel"):
        load(module, fuel=10_000)(1)


def test_endless_recursion_leaves() -> None:
    module = module_of(
        '(func $f (export "f") (param i64) (result i64) (i64.add (call $f (local.get 0)) (i64.const 1)))'
    )
    with pytest.raises(Bailed):
        under(load(module), 1, deadline_s=10.0)


def test_endless_tail_calls_end_with_the_deadline() -> None:
    module = module_of('(func $f (export "f") (param i64) (result i64) (return_call $f (local.get 0)))')
    with pytest.raises(errors.BudgetExhausted, match="deadline"):
        under(load(module), 1, deadline_s=0.05)


def test_frames_as_large_as_the_stack() -> None:
    many = "(local " + "i64 " * 40_000 + ")"
    reads = "".join(f"(local.set {index} (local.get 0))" for index in range(1, 200))
    module = module_of(
        f'(func $f (export "f") (param i64) (result i64) {many} {reads} (call $f (local.get 199)))'
    )
    with pytest.raises(Bailed):
        under(load(module), 1, deadline_s=10.0)


def test_memory_ends_somewhere() -> None:
    grow = "(loop $l (br_if $l (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))"
    module = module_of(
        f'{MEMORY}(func (export "f") (param i64) (result i64) {grow} (i64.extend_i32_u (memory.size)))'
    )
    pages = under(load(module), 1, deadline_s=10.0)
    assert pages <= 4096
    forever = "(loop $l (drop (memory.grow (i32.const 1))) (br $l))"
    module = module_of(f'{MEMORY}(func (export "f") (param i64) (result i64) {forever} (i64.const 0))')
    with pytest.raises(errors.BudgetExhausted, match="deadline"):
        under(load(module), 1, deadline_s=0.05)


@pytest.mark.parametrize(
    "body",
    [
        "(i64.load (i32.const -8))",
        "(i64.store (i32.const 65532) (i64.const 1)) (i64.const 1)",
        "(memory.copy (i32.const 0) (i32.const 1) (i32.const -1)) (i64.const 1)",
        "(memory.fill (i32.const 65530) (i32.const 1) (i32.const 9)) (i64.const 1)",
        "(i64.div_s (local.get 0) (i64.const 0))",
        "(i64.trunc_f64_s (f64.const nan))",
        "unreachable",
    ],
)
def test_what_traps_leaves(body: str) -> None:
    with pytest.raises(Bailed):
        load(module_of(f'{MEMORY}(func (export "f") (param i64) (result i64) {body})'))(1)


@pytest.mark.parametrize("address", [0, 8, 65_528, 65_529, 65_535, 65_536, -1, -8, 2**31])
def test_results_that_are_no_vectors(address: int) -> None:
    text = (
        f'{MEMORY}(func (export "f") (param i64) (result i32)'
        f"(i32.store (i32.const 0) (i32.const 0x7fffffff)) (i32.store (i32.const 8) (i32.const -1))"
        f"(i32.store (i32.const 65528) (i32.const 1)) (i32.const {address}))"
    )
    with pytest.raises(errors.InternalError, match="outside of its memory"):
        load(module_of(text, of((Kind.INT,), Kind.FLOATS)))(1)


def test_its_memory_is_its_own_business() -> None:
    """Storing over the vectors that it was given changes nothing but what it gives itself."""
    text = (
        f'{MEMORY}(func (export "f") (param i32) (result i64) (memory.fill (i32.const 0) (i32.const 255)'
        f"(i32.const 65536)) (i64.const 1))"
    )
    f = load(module_of(text, of((Kind.INTS,), Kind.INT)))
    vector = Vector([1, 2, 3])
    assert [f(vector), f(vector), f(Vector([1]))] == [1, 1, 1]
    assert list(vector) == [1, 2, 3]
    f = load(module_of(text, of((Kind.STRING,), Kind.INT)))
    string = "three"
    assert [f(string), f(string), f("a")] == [1, 1, 1]
    assert string == "three"


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        *((each, "outside of its memory") for each in (48, 56, 64, 65_529, 65_535, 65_536, 2**31 - 1)),
        *((each, "of no characters") for each in (-1, -8, -(2**31) + 0x110000, 16, 32)),
    ],
)
def test_results_that_are_no_strings(held: int, reason: str) -> None:
    no_code_points = {16: 2, 20: 24, 28: 0x110000, 32: 1, 36: 40, 40: -1}
    words = no_code_points | {48: 0x7FFFFFFF, 52: 64, 56: -1, 60: -1, 64: 2, 68: 65_532}
    stored = "".join(f"(i32.store (i32.const {at}) (i32.const {word}))" for at, word in words.items())
    text = f'{MEMORY}(func (export "f") (param i64) (result i32) {stored} (i32.const {held}))'
    with pytest.raises(errors.InternalError, match=reason):
        load(module_of(text, of((Kind.INT,), Kind.STRING)))(1)


@pytest.mark.parametrize(
    ("begins", "address"),
    [(48, 48), (1024, 1024), (65_536, 65_536), (0, 48), (16, 48), (1023, 48), (2**32 - 8, 48)],
)
def test_where_it_says_that_free_memory_begins(begins: int, address: int) -> None:
    data = "".join(f"\\{byte:02x}" for byte in begins.to_bytes(4, "little"))
    text = (
        f'{MEMORY}(data (i32.const 0) "{data}")'
        f'(func (export "f") (param i32) (result i64) (i64.extend_i32_s (local.get 0)))'
    )
    f = load(module_of(text, of((Kind.STRING,), Kind.INT)))
    assert [f("two"), f("x" * 100_000), f("a"), f("")] == [address, address, 97 - 2**31, 8]


@pytest.mark.parametrize("bits", [0x7FF8000000000001, 0xFFF8DEADBEEF0000, 0x7FF0000000000001])
def test_every_nan_is_the_same(bits: int) -> None:
    value = f"(f64.reinterpret_i64 (i64.const 0x{bits:x}))"
    own = struct.pack("<d", math.nan)
    for result in (Kind.FLOAT, Kind.QUOTIENT):
        text = f'(func (export "f") (param i64) (result f64) {value})'
        assert struct.pack("<d", load(module_of(text, of((Kind.INT,), result)))(1)) == own
    text = (
        f'{MEMORY}(func (export "f") (param i64) (result i32) (i32.store (i32.const 16) (i32.const 2))'
        f"(f64.store (i32.const 24) {value}) (f64.store (i32.const 32) (f64.const 1.5)) (i32.const 16))"
    )
    first, second = load(module_of(text, of((Kind.INT,), Kind.FLOATS)))(1)
    assert (struct.pack("<d", first), second) == (own, 1.5)


def test_truths_are_truths() -> None:
    text = '(func (export "f") (param i64) (result i32) (i32.const -2))'
    assert load(module_of(text, of((Kind.INT,), Kind.BOOL)))(1) is False


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "text",
    [
        f'(import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) {SAME}',
        f'(import "env" "memory" (memory 1)) {SAME}',
        f'(import "rtfs" "call" (func)) {SAME}',
        f"{SAME} (func $s (loop $l (br $l))) (start $s)",
        f"(table 1000000000 funcref) {SAME}",
        f"(table 1 funcref) {SAME}",
        f"(global (mut i64) (i64.const 0)) {SAME}",
        f'(memory (export "memory") 0) {SAME}',
        f'(memory (export "memory") 5000) {SAME}',
        f'(memory (export "memory") 65536) {SAME}',
        f'(memory (export "memory") i64 1) {SAME}',
        f'(memory (export "memory") 1) (memory 1) {SAME}',
        f'(func (export "memory")) {SAME}',
        f'{MEMORY} (data (i32.const 65535) "ab") {SAME}',
        f"(func $v (param v128)) {SAME}",
        '(func (export "g") (param i64) (result i64) (local.get 0))',
        '(func (export "f") (param i64 i64) (result i64) (local.get 0))',
        '(func (export "f") (param i32) (result i64) (i64.const 0))',
        '(func (export "f") (param i64) (result i64 i64) (i64.const 0) (i64.const 0))',
        '(func (export "f") (param i64))',
        '(memory (export "f") 1)',
        "",
    ],
)
def test_modules_that_are_not_ours_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="module"):
        load(module_of(text))


@pytest.mark.parametrize(
    "functions",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"[" * 200_000,
        b"[]",
        b'"version"',
        b"1e999",
        b'{"version":1}',
        b'{"version":0,"functions":[]}',
        b'{"version":2,"functions":3}',
        b'{"version":2,"functions":[3]}',
        b'{"version":2,"functions":[{}]}',
        b'{"version":2,"functions":{"a":1}}',
        described(3, [], "INT", []),
        described("f", ["NIL"], "INT", []),
        described("f", ["X"], "INT", []),
        described("f", [[]], "INT", []),
        described("f", [], "NEVER", []),
        described("f", [], "INT", [1]),
        functions_section((F, F)),
    ],
)
def test_descriptions_that_make_no_sense_are_refused(functions: bytes) -> None:
    with pytest.raises(ValueError, match=r"module|Expecting|codec|integer string|Extra"):
        load(raw(SAME, functions))


@pytest.mark.parametrize(
    "function",
    [
        of((Kind.FLOAT,), Kind.INT),
        of((Kind.INT,), Kind.FLOAT),
        of((Kind.INTS,), Kind.INT),
        of((), Kind.INT),
        of((Kind.INT,) * 65, Kind.INT),
        WasmFunction(name="g", params=(Kind.INT,), result=Kind.INT),
        WasmFunction(name="memory", params=(), result=Kind.INT),
    ],
)
def test_descriptions_that_lie_are_refused_however_they_come(function: WasmFunction) -> None:
    module = module_of(f"{MEMORY}{SAME}", function)
    with pytest.raises(ValueError, match="does not export the function"):
        Executor().load(WasmArtifact.of_module(module))
    executor = Executor()
    honest = WasmArtifact.of_module(module_of(f"{MEMORY}{SAME}"))
    executor.load(honest)
    lying = WasmArtifact(module=honest.module, functions=(function,), refusals=(), source_map=honest.source_map)
    with pytest.raises(ValueError, match="does not export the function"):
        executor.load(lying)  # the same bytes are loaded already


@pytest.mark.parametrize(
    "sites",
    [
        b"\xff" * 100_000,
        b"\x80" * 100_000,
        unsigned(2**60) + b"abc",
        b"\0" + unsigned(2**62),
        b"\0\0" + unsigned(2**62),
        b"\0\0\x01\0\x05\0\0\0\0",
        b"\x01\xff\0\0",
    ],
)
def test_source_maps_that_make_no_sense_are_refused(sites: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|64 bits|codec"):
        WasmArtifact.of_module(module_of(SAME, sites=sites))


def test_source_maps_that_lie_change_only_what_is_told() -> None:
    sites = SourceMap("elsewhere", [Site(10**9, Span(10**9, 1, 10**9, 2), "a lie")]).encode()
    f = load(module_of('(func (export "f") (param i64) (result i64) unreachable)', sites=sites))
    with pytest.raises(Bailed, match="at 1000000000:1: a lie"):
        f(1)


def test_modules_may_not_be_large() -> None:
    module = module_of(SAME) + custom("filler", bytes(MOST_BYTES))
    with pytest.raises(ValueError, match=f"may have {MOST_BYTES} bytes"):
        WasmArtifact.of_module(module)
    made = WasmArtifact(module=module, functions=(F,), refusals=(), source_map=SourceMap("", ()))
    with pytest.raises(ValueError, match=f"may have {MOST_BYTES} bytes"):
        Executor().load(made)


# ---------------------------------------------------------------- damage

VICTIM = "(defn f [n : int] : int (loop [i 0 s 0] (if (< i n) (recur (inc i) (+ s (mod i 3))) s)))"


def survives(module: bytes) -> str:
    """What becomes of it: refused, an answer, or a typed error."""
    try:
        functions = Executor(fuel=20_000).load(WasmArtifact.of_module(module))
    except ValueError:
        return "refused"
    for function in functions.values():
        try:
            function(100)
        except (Bailed, errors.RtfsError, TypeError):
            return "error"
    return "answer"


def victim() -> bytes:
    module = compile_unit(rtfs.compile(VICTIM).unit).module
    assert module is not None
    return module


def test_cut_off_modules_are_refused() -> None:
    module = victim()
    assert {survives(module[:length]) for length in range(len(module))} == {"refused"}


@pytest.mark.parametrize("part", range(4))
def test_flipped_bits_do_no_harm(part: int) -> None:
    """What is still a module may be another program: whose module it is, signatures tell."""
    module = victim()
    outcomes = set()
    for index in range(part, len(module), 4):
        for flip in (*(1 << bit for bit in range(8)), 0xFF):
            outcomes.add(survives(module[:index] + bytes((module[index] ^ flip,)) + module[index + 1 :]))
    assert "refused" in outcomes
    assert outcomes <= {"refused", "answer", "error"}
