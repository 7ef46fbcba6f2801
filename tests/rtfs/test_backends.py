"""Functions as bytes, in each of the forms, and back. The whole language in them: `tests/test_language.py`."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from zstandard import ZstdCompressor, ZstdDecompressor

import rtfs
from rtfs import backends, errors
from rtfs.backends import FORMS, ModuleKind, NotCompiled, NotLoaded
from rtfs.ir_codec import encode_value
from rtfs.printer import pr_str
from rtfs.slices import slice_of
from rtfs.types.check import TypeEnv, matches
from rtfs.types.examples import NoExample, example
from rtfs.types.parser import parse_type_text
from rtfs.values import Vector

PLAN = """
(defmacro twice [x] `(* 2 ~x))
(def one 1)
(defn f [n : int] : int
  (if (> n 100) (* n 9223372036854775807) (twice (inc n))))
(println "never")
"""


def stored(kind: ModuleKind, text: str = PLAN, symbol: str = "f") -> bytes:
    program = rtfs.compile(text, source_name="plan.rtfs")
    return FORMS[kind].backend.compile(slice_of(program, symbol), text)


@pytest.mark.parametrize("kind", FORMS)
def test_there_and_back(kind: ModuleKind) -> None:
    part = slice_of(rtfs.compile(PLAN), "f")
    loaded = FORMS[kind].executor.load(stored(kind), "f")
    assert [loaded.function(n) for n in (0, 1, -7)] == [2, 4, -12]
    assert loaded.body_hash == (None if kind == "WasmBytecode" else part.digest)


@pytest.mark.parametrize("kind", FORMS)
def test_it_is_the_same_each_time(kind: ModuleKind) -> None:
    assert stored(kind) == stored(kind)


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize(
    "data", [b"", b"RTIR", b"\0asm\x01\0\0\0", b"(defn f [n] n)", b"\x28\xb5\x2f\xfd" + b"\0" * 20]
)
def test_bytes_of_something_else(kind: ModuleKind, data: bytes) -> None:
    with pytest.raises(NotLoaded):
        FORMS[kind].executor.load(data, "f")


@pytest.mark.parametrize("kind", FORMS)
def test_one_form_is_no_other(kind: ModuleKind) -> None:
    for other in FORMS:
        if other != kind:
            with pytest.raises(NotLoaded):
                FORMS[other].executor.load(stored(kind), "f")


@pytest.mark.parametrize("kind", FORMS)
def test_a_function_that_is_not_in_it(kind: ModuleKind) -> None:
    with pytest.raises(NotLoaded):
        FORMS[kind].executor.load(stored(kind), "g")


@pytest.mark.parametrize("kind", FORMS)
def test_damaged_bytes_are_refused_or_the_function(kind: ModuleKind) -> None:
    """Signatures are for telling; here nothing else than a refusal may come of it, or another function."""
    data, random = stored(kind), Random(7)
    for _ in range(150):
        at = random.randrange(len(data))
        flipped = data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]
        try:
            FORMS[kind].executor.load(flipped, "f")
        except NotLoaded:
            continue


def test_source_keeps_places_and_leaves_out_the_rest() -> None:
    text = "(def secret 42)\n" + PLAN
    data = ZstdDecompressor().decompress(stored("CompressedRtfsSource", text))
    assert b"secret" not in data
    assert b"never" not in data
    loaded = FORMS["CompressedRtfsSource"].executor.load(stored("CompressedRtfsSource", text), "f")
    assert loaded.function(1) == 4


def test_a_macro_that_needs_the_rest_of_the_text() -> None:
    text = "(defn help [x] (list '* 3 x))\n(defmacro thrice [x] (help x))\n(defn f [n : int] : int (thrice n))"
    loaded = FORMS["CompressedRtfsSource"].executor.load(stored("CompressedRtfsSource", text), "f")
    assert loaded.function(2) == 6


def test_without_its_text_there_is_no_source() -> None:
    with pytest.raises(NotCompiled, match="not at hand"):
        FORMS["CompressedRtfsSource"].backend.compile(slice_of(rtfs.compile(PLAN), "f"), None)


def test_what_has_no_wasm_form_says_why_and_where() -> None:
    with pytest.raises(NotCompiled, match="`upper`") as caught:
        stored("WasmBytecode", "(defn f [n]\n  (upper n))")
    assert caught.value.span is not None
    assert caught.value.span.line == 2


def test_what_asks_a_host_is_not_loaded() -> None:
    text = "(defn f [n] (call :demo.steal n))"
    source = ZstdCompressor().compress(encode_value(Vector([1, "plan.rtfs", text])))
    for kind, data in (("IrBinary", stored("IrBinary", text)), ("CompressedRtfsSource", source)):
        with pytest.raises(NotLoaded, match="asks for more than its arguments"):
            FORMS[kind].executor.load(data, "f")  # type: ignore[index]


@pytest.mark.parametrize("kind", ["IrBinary", "CompressedRtfsSource"])
def test_definitions_that_fail(kind: ModuleKind) -> None:
    text = "(defn g [n] (/ n 0)) (def k (g 1)) (defn f [n] (+ n k))"
    with pytest.raises(NotLoaded, match="cannot define"):
        FORMS[kind].executor.load(stored(kind, text), "f")


def test_wasm_goes_on_with_the_ir_beside_it() -> None:
    loaded = FORMS["WasmBytecode"].executor.load(stored("WasmBytecode"), "f")
    with pytest.raises(errors.IntegerOverflow):
        loaded.function(101)
    assert loaded.function(1) == 4


# ---------------------------------------------------------------- values to try functions with


@pytest.mark.parametrize(
    "text",
    [
        *("int", "float", "string?", "bool", "keyword", "any", "number", "[:vector int]", "[:list string]"),
        *("[:set int]", "[:tuple int string]", "[:map [:a int] [:b string ?]]", "[:map-of string int]"),
        *("[:enum :a :b]", "[:union int string]", "[:and int [:>= 0] [:< 10]]", "[:array float [3]]"),
    ],
)
def test_examples_are_of_their_type(text: str) -> None:
    type_ = parse_type_text(text)
    random: Any = Random(1)
    found = [example(type_, random, {}) for _ in range(100)]
    assert all(matches(each, type_, TypeEnv()) for each in found)
    assert len({pr_str(each) for each in found}) > 1


def test_types_without_examples() -> None:
    for text in ("[:fn [int] int]", "[:and int [:> 5] [:< 3]]", "Unknown", "never"):
        with pytest.raises(NoExample):
            example(parse_type_text(text), Random(1), {})


# ---------------------------------------------------------------- kept on disk


@pytest.mark.parametrize("kind", ["IrBinary", "CompressedRtfsSource"])
def test_code_of_what_was_loaded_before_is_kept(
    kind: ModuleKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTFS_CACHE_DIR", str(tmp_path))
    data, executor = stored(kind), FORMS[kind].executor
    first = executor.load(data, "f")

    def fails(*_: Any) -> Any:
        raise AssertionError("it is read again")

    with monkeypatch.context() as patch:
        patch.setattr(backends, "slice_in", fails)
        again = executor.load(data, "f")
        assert (
            (again.function(1), again.body_hash) == (first.function(1), first.body_hash) == (4, first.body_hash)
        )
        with pytest.raises(AssertionError):
            executor.load(data, "g")
    (entry,) = (tmp_path / "modules").iterdir()
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    assert executor.load(data, "f").function(1) == 4
    with pytest.raises(errors.IntegerOverflow):
        executor.load(data, "f").function(101)
