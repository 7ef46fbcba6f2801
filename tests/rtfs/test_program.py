"""Compile, link, run, call; files of modules."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

import rtfs
from rtfs import program as program_module
from rtfs.analyze.environment import MappingModules
from rtfs.errors import (
    ArityMismatch,
    BudgetExhausted,
    ModuleError,
    ModuleNotFound,
    ReadError,
    RtfsError,
    TypeMismatch,
    UndefinedSymbol,
)
from rtfs.host import DictHost
from rtfs.ir_text import ir_text
from rtfs.program import BACKENDS, BackendName, FileModules
from rtfs.security import RuntimeContext

# ---------------------------------------------------------------- running


@pytest.mark.parametrize("backend", BACKENDS)
def test_arguments(backend: BackendName) -> None:
    value = rtfs.evaluate("[n (:a m) xs]", args={"n": 1, "m": {"a": 2}, "xs": [None, 1.5]}, backend=backend)
    assert rtfs.pr_str(value) == "[1 nil [nil 1.5]]"
    with pytest.raises(UndefinedSymbol):
        rtfs.evaluate("n", backend=backend)  # those of one run are not those of the next


def test_definitions_hide_arguments() -> None:
    assert rtfs.evaluate("(def n 2) n", args={"n": 1}) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_runs_share_nothing(backend: BackendName) -> None:
    linked = rtfs.compile("(def x (+ n 1)) (module m (:exports [y]) (def y x2)) x".replace("x2", "7")).link(
        backend=backend
    )
    assert [linked.run(args={"n": n}) for n in (1, 2)] == [2, 3]


@pytest.mark.parametrize("backend", BACKENDS)
def test_limits_and_context(backend: BackendName) -> None:
    linked = rtfs.compile("(loop [] (recur))").link(backend=backend)
    with pytest.raises(BudgetExhausted):
        linked.run(limits=rtfs.Limits(deadline_s=0.05))
    asking = rtfs.compile("(call :a.b 1)").link(context=RuntimeContext.controlled(["a.b"]), backend=backend)
    host = DictHost({"a.b": lambda x: x + 1})
    assert asking.run(host=host) == 2
    with pytest.raises(rtfs.errors.SecurityViolation):
        asking.run(host=host, context=RuntimeContext.pure())


def test_text_that_takes_long_to_analyse_meets_the_deadline() -> None:
    with pytest.raises(RtfsError):
        rtfs.evaluate("(defmacro m [] (loop [] (recur))) (m)", limits=rtfs.Limits(deadline_s=0.2))


def test_unknown_backend() -> None:
    with pytest.raises(ValueError, match="python, interpreter"):
        rtfs.evaluate("1", backend="wasm")  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiling_once_serves_many_threads(backend: BackendName) -> None:
    store = MappingModules({"m": "(module m (:exports [g]) (defn g [n] (if (= n 0) [] (conj (g (- n 1)) n))))"})
    linked = rtfs.compile("(defn f [n] (count (m/g n))) (f (get :n))", modules=store).link(backend=backend)
    called = rtfs.compile("(defn f [n] (count (m/g n)))", modules=store).link(backend=backend)
    found: dict[int, object] = {}

    def work(n: int) -> None:
        found[n] = [linked.run(args={"n": n}, limits=rtfs.Limits()), called.call("f", n, limits=rtfs.Limits())]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [n, n] for n in range(8)}


# ---------------------------------------------------------------- remembering


def test_recent_programs_are_remembered() -> None:
    program_module._remembered.clear()
    rtfs.evaluate("(+ 1 2)")
    ((_, first),) = program_module._remembered.items()
    for i in range(program_module._REMEMBERED + 5):
        rtfs.evaluate(f"{i}")
        rtfs.evaluate("(+ 1 2)")
    assert len(program_module._remembered) == program_module._REMEMBERED
    assert first in program_module._remembered.values()


def test_errors_are_not_remembered() -> None:
    for _ in range(2):
        with pytest.raises(ReadError):
            rtfs.evaluate("(")


def test_the_source_name_and_the_backend_belong_to_the_program() -> None:
    for name in ("a", "b"):
        for backend in BACKENDS:
            with pytest.raises(RtfsError) as caught:
                rtfs.evaluate("(/ 1 0)", source_name=name, backend=backend)
            assert caught.value.source == name


# ---------------------------------------------------------------- calling


@pytest.mark.parametrize("backend", BACKENDS)
def test_call(backend: BackendName) -> None:
    linked = rtfs.compile(
        "(def base 10) (defn add [x & ys] (reduce + (+ base x) ys)) (def not-a-function 1)"
    ).link(backend=backend)
    assert linked.call("add", 1) == 11
    assert linked.call("add", 1, 2, 3) == 16
    assert linked.call("count", [1, 2]) == 2
    with pytest.raises(ArityMismatch, match="in add: expected at least 1, got 0"):
        linked.call("add")
    with pytest.raises(TypeMismatch, match="expected function, got integer"):
        linked.call("not-a-function")
    with pytest.raises(UndefinedSymbol) as caught:
        linked.call("addd")
    assert caught.value.hint == "did you mean `add`?"
    with pytest.raises(TypeMismatch):
        linked.call("add", "a")


@pytest.mark.parametrize("backend", BACKENDS)
def test_calls_share_what_the_forms_defined_once(backend: BackendName) -> None:
    said: list[object] = []
    host = DictHost({"ccos.io.println": lambda *args: said.append(args)})
    linked = rtfs.compile('(println "once") (defn f [] 1)').link(context=RuntimeContext.full(), backend=backend)
    assert [linked.call("f", host=host) for _ in range(3)] == [1, 1, 1]
    assert len(said) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_call_has_limits(backend: BackendName) -> None:
    linked = rtfs.compile("(defn f [] (loop [] (recur)))").link(backend=backend)
    with pytest.raises(BudgetExhausted):
        linked.call("f", limits=rtfs.Limits(deadline_s=0.05))


def test_a_failing_form_fails_every_call() -> None:
    linked = rtfs.compile("(defn f [] 1) (/ 1 0)").link()
    for _ in range(2):
        with pytest.raises(rtfs.errors.DivisionByZero):
            linked.call("f")


# ---------------------------------------------------------------- modules


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "m.rtfs").write_text("(module m (:exports [f]) (defn f [x] (+ x 1)))")
    (tmp_path / "a" / "b.rtfs").write_text("(module a.b (:exports [g]) (import m) (defn g [x] (m/f (m/f x))))")
    return tmp_path


@pytest.mark.parametrize("backend", BACKENDS)
def test_modules(folder: Path, backend: BackendName) -> None:
    modules = FileModules(folder)
    assert rtfs.evaluate("(import a.b :as q) (q/g 1)", modules=modules, backend=backend) == 3
    assert rtfs.evaluate("(a.b/g 1)", modules=modules, backend=backend) == 3


def test_a_module_is_optimised_as_the_program_is(folder: Path) -> None:
    (folder / "m.rtfs").write_text("(module m (:exports [f]) (defn f [h] (h (+ 1 2))))")
    for optimize, sums in ((True, 0), (False, 1)):
        program = rtfs.compile("(import m)", modules=FileModules(folder), optimize=optimize)
        unit = program.module_unit("m")
        assert unit is not None
        assert unit is program.module_unit("m")
        assert ir_text(unit).count("+") == sums
        assert "(~ h_" in ir_text(unit)  # the call may be delegated


#: names that must find nothing, whatever lies about
NO_MODULES = [
    *["..m", "a..b", ".m", "m.", "", ".", "/etc/passwd", "a/b", "..", "a\\b", "m\0", "\0"],
    *["é\ud800", "n" * 300, "x." * 2_000 + "x", "a", "m.rtfs", "b.m"],
]


@pytest.mark.parametrize("name", NO_MODULES, ids=ascii)
def test_names_that_name_no_file(folder: Path, name: str) -> None:
    assert FileModules(folder / "a", folder).find(name) is None


def test_files_that_are_no_plain_files(folder: Path) -> None:
    (folder / "d.rtfs").mkdir()
    os.mkfifo(folder / "pipe.rtfs")
    assert FileModules(folder).find("d") is None
    assert FileModules(folder).find("pipe") is None
    (folder / "notes").write_text("a file, no folder")
    assert FileModules(folder).find("notes.x") is None


def test_links_are_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.rtfs").write_text("(module linked (:exports [x]) (def x 5))")
    (folder / "linked.rtfs").symlink_to(elsewhere / "far.rtfs")
    (folder / "loop.rtfs").symlink_to(folder / "loop.rtfs")
    assert rtfs.evaluate("linked/x", modules=FileModules(folder)) == 5
    with pytest.raises(ModuleError, match="'loop' cannot be read"):
        FileModules(folder).find("loop")


def test_the_first_search_path_wins(folder: Path) -> None:
    (folder / "a" / "m.rtfs").write_text("first")
    assert FileModules(folder / "a", folder).find("m") == ("first", str(folder / "a" / "m.rtfs"))
    assert FileModules(folder / "none", folder).find("a.b") is not None


def test_text_of_files(folder: Path) -> None:
    (folder / "marked.rtfs").write_bytes(b'\xef\xbb\xbf(module marked (:exports [x]) (def x "\r\n"))')
    assert rtfs.evaluate("marked/x", modules=FileModules(folder)) == "\r\n"
    (folder / "bytes.rtfs").write_bytes(b"(\xff")
    with pytest.raises(ModuleError, match="not UTF-8 at byte 1"):
        rtfs.evaluate("bytes/x", modules=FileModules(folder))


MODULE_ERRORS: list[tuple[str, str, type[RtfsError], str]] = [
    ("(import nope)", "", ModuleNotFound, "nope"),
    ("(import w)", "1", ModuleError, "must define module 'w', it defines no module"),
    ("(import w)", "(module v)", ModuleError, "it defines 'v'"),
    ("(import w)", "(module w (:exports [x]))", ModuleError, "exports 'x'"),
    ("(import w)", "(module w (import w))", ModuleError, "Circular dependency: w -> w"),
    ("(import w)", "(module w", ReadError, ""),
    ("w/x", "(module w (def x 1))", ModuleError, "not exported"),
    ("(import w)", "(module w (/ 1 0))", rtfs.errors.DivisionByZero, ""),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("text", "module", "kind", "part"), MODULE_ERRORS)
def test_module_errors(text: str, module: str, kind: type[RtfsError], part: str, backend: BackendName) -> None:
    store = MappingModules({"w": module} if module else {})
    with pytest.raises(kind) as caught:
        rtfs.evaluate(text, modules=store, backend=backend)
    assert part in caught.value.text()


def test_python_source_is_what_runs() -> None:
    assert "def f·" in rtfs.compile("(defn f [x] x)").link().python_source()


def test_stepping_a_program() -> None:
    step = rtfs.compile("(+ 1 (call :a.b))").link(context=RuntimeContext.full()).step()
    outcome = step.start()
    assert isinstance(outcome, rtfs.RequiresHost)
    done = step.resume(4)
    assert isinstance(done, rtfs.Complete)
    assert done.value == 5
