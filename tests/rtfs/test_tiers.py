"""`^{:tier :wasm}`: the function runs as wasm, and nothing but time changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

import rtfs
from rtfs import errors, tiers
from rtfs.analyze.environment import MappingModules
from rtfs.delegation import ByArguments, ExecTarget, FunctionInfo, LocalPure, RemoteModel
from rtfs.runtime_facts import RuntimeFacts
from rtfs.tiers import asked_for

FIB = "(defn ^{:tier :wasm} fib [n : int] : int (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the functions for which wasm was bound."""
    pytest.importorskip("wasmtime")
    from rtfs.emit_wasm.execute import Executor

    names: list[str] = []
    load = Executor.load

    def noting(self: Executor, artifact: Any, *args: Any, **more: Any) -> Any:
        found = load(self, artifact, *args, **more)
        names.extend(found)
        return found

    monkeypatch.setattr(Executor, "load", noting)
    return names


class Elsewhere:
    """Sends one function to a model that answers 100."""

    version = "1"
    sources = None

    def __init__(self, name: str) -> None:
        self.name = name

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget:
        return RemoteModel("m") if function.symbol == self.name else LocalPure()

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Any],
    ) -> Callable[..., Any]:
        return body if isinstance(target, LocalPure) else lambda *args: 100


def test_who_asks() -> None:
    unit = rtfs.compile("(defn ^{:tier :wasm} f [] 1) (defn ^{:tier :other} g [] 1) (defn h [] 1) 1").unit
    assert list(asked_for(unit)) == ["f"]


def test_the_value_is_the_same_and_wasm_gave_it(called: list[str]) -> None:
    program = rtfs.compile(f"{FIB} (fib 12)")
    assert program.link().run() == 144
    assert called == ["fib"]
    assert program.link(backend="interpreter").run(limits=rtfs.Limits()) == 144
    assert called == ["fib"]


def test_errors_have_the_same_place_and_trace(called: list[str]) -> None:
    source = "(defn ^{:tier :wasm} fact [n : int] : int\n  (if (< n 2) 1 (* n (fact (- n 1)))))\n(fact 30)"
    plain = source.replace("^{:tier :wasm} ", "")

    def failure(text: str) -> errors.RtfsError:
        with pytest.raises(errors.IntegerOverflow) as caught:
            rtfs.compile(text).link().run()
        return caught.value

    with_wasm, without = failure(source), failure(plain)
    assert called == ["fact"]
    assert with_wasm.span == without.span
    assert [frame.function for frame in with_wasm.trace] == [frame.function for frame in without.trace]


def test_a_wrong_type_is_the_same_error(called: list[str]) -> None:
    for source in (FIB, FIB.replace("^{:tier :wasm} ", "")):
        with pytest.raises(errors.TypeValidationError, match="expected int, got string"):
            rtfs.compile(f'{source}\n(fib "x")').link().run()
        with pytest.raises(errors.ArityMismatch, match="in fib: expected 1, got 2"):
            rtfs.compile(f"{source}\n(fib 1 2)").link().run()
    assert called


def test_the_function_is_a_value_like_any_other(called: list[str]) -> None:
    documented = FIB.replace("fib [", 'fib "the doc" [')
    source = f"{documented} [(map fib [1 2 10]) (meta fib) (fn? fib)]"
    assert rtfs.pr_str(rtfs.compile(source).link().run()) == ('[[1 1 55] {:doc "the doc" :tier :wasm} true]')
    assert called == ["fib"]


def test_a_function_that_calls_one_defined_later(called: list[str]) -> None:
    with pytest.raises(errors.UndefinedSymbol):
        rtfs.compile("(defn ^{:tier :wasm} f [n : int] (g n)) (f 1) (defn g [n] (+ n 1))").link().run()
    assert rtfs.compile("(defn ^{:tier :wasm} f [n : int] (g n)) (defn g [n] (+ n 1)) (f 1)").link().run() == 2
    assert "f" in called


def test_what_runs_elsewhere_stays_out(called: list[str], caplog: pytest.LogCaptureFixture) -> None:
    source = "(defn g [n] (+ n 1)) (defn ^{:tier :wasm} f [n : int] (* 2 (g n))) (f 1)"
    assert rtfs.compile(source).link().run() == 4
    assert called == ["f"]
    with caplog.at_level(logging.WARNING):
        assert rtfs.compile(source).link(Elsewhere("g")).run() == 200
    assert called == ["f"]
    assert "a call of `g`: it may run elsewhere" in caplog.text
    assert rtfs.compile(source).link(Elsewhere("f")).run() == 100


def test_functions_of_module_files(called: list[str]) -> None:
    files = MappingModules({"num": f"(module num (:exports [fib]) {FIB})"})
    assert rtfs.compile("(import num) (num/fib 15)", modules=files).link().run() == 610


def test_a_refusal_is_told_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("wasmtime")
    with caplog.at_level(logging.WARNING):
        source = '(defn ^{:tier :wasm} f [s]\n  (upper s))\n(f "a")'
        assert rtfs.compile(source, source_name="a.rtfs").link().run() == "A"
    assert "a.rtfs:2:3: f is not WebAssembly: `upper`" in caplog.text


def test_without_wasmtime_python_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from rtfs.emit_wasm import engine

    monkeypatch.setattr(engine, "available", lambda: False)
    tiers.executor.cache_clear()
    tiers._executor_for_those_who_ask.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert rtfs.compile(f"{FIB} (fib 10)").link().run() == 55
        assert "pip install 'rtfs[wasm]'" in caplog.text
    finally:
        tiers.executor.cache_clear()
    tiers._executor_for_those_who_ask.cache_clear()


def test_a_program_kept_on_disk_has_its_wasm(called: list[str], tmp_path: Any, monkeypatch: Any) -> None:
    from rtfs.code_cache import load_or_compile
    from rtfs.program import FileModules

    monkeypatch.setenv("RTFS_CACHE_DIR", str(tmp_path))
    for count in (1, 2):
        assert load_or_compile(f"{FIB} (fib 20)", "fib.rtfs", FileModules()).run() == 6765
        assert called == ["fib"] * count


MAPPED = """(defn ^{:tier :wasm} f [n : int] : int (if (= n 4000) (* n 9223372036854775807) (* 2 n)))
(defn ^{:tier :wasm} g [x : float] : float (* x 0.5))
(defn ^{:tier :wasm} h [n : int] (g (float n)))
"""


@pytest.fixture
def crossings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many calls of wasm were made: the number of instances taken."""
    pytest.importorskip("wasmtime")
    from rtfs.emit_wasm.loaded import LoadedModule

    count = [0]
    take = LoadedModule.take

    def noting(self: LoadedModule) -> Any:
        count[0] += 1
        return take(self)

    monkeypatch.setattr(LoadedModule, "take", noting)
    return count


def test_a_map_of_a_wasm_function_crosses_the_border_once(crossings: list[int]) -> None:
    for text, wanted in (
        ("(reduce + 0 (map f (range 3000)))", 8_997_000),
        ("(reduce + 0.0 (map g (map float (range 3000))))", 2_249_250.0),
        ("(reduce + 0.0 (map h (range 3000)))", 2_249_250.0),
        ("(let [m map] (count (m f (range 3000))))", 3000),
    ):
        crossings[0] = 0
        assert rtfs.compile(MAPPED + text).link().run() == wanted
        assert crossings == [1]


def test_a_map_that_wasm_cannot_finish_is_made_item_by_item(crossings: list[int]) -> None:
    program = rtfs.compile(f"{MAPPED}(map f (range 3990 5000))")
    with pytest.raises(errors.IntegerOverflow) as caught:
        program.link().run()
    with pytest.raises(errors.IntegerOverflow) as plain:
        rtfs.compile(program.text.replace("^{:tier :wasm}", "^{:tier :none}")).link().run()
    assert caught.value.span == plain.value.span
    mixed = "(count (map g (conj (vec (map float (range 3000))) 1)))"
    assert rtfs.compile(MAPPED + mixed).link().run() == 3001
    assert crossings[0] > 3000
    crossings[0] = 0
    assert rtfs.compile(f"{MAPPED}(map f [1 2 3])").link().run() is not None
    assert crossings == [3]


def test_map_is_the_builtin_that_it_was(called: list[str]) -> None:
    for tail in (
        "(map f)",
        "(map f 5)",
        "(map 5 [1])",
        "(map f [1] [2])",
        '(map f ["x"])',
        "[(fn? map) (map f [])]",
    ):
        outcomes = []
        for text in (MAPPED, MAPPED.replace("^{:tier :wasm} ", "^{:other :wasm} ")):
            try:
                outcomes.append(rtfs.pr_str(rtfs.compile(f"{text}{tail}").link().run()))
            except errors.RtfsError as error:
                outcomes.append(f"{error} {error.hint} {error.span}")
        assert outcomes[0].replace("tier", "other") == outcomes[1]
    assert called
