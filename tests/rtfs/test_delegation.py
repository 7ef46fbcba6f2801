"""Linking: which functions a delegate is asked about, and what stands for those that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import rtfs
from rtfs.analyze.environment import MappingModules
from rtfs.delegation import (
    ByArguments,
    DelegationHint,
    ExecTarget,
    FunctionInfo,
    LocalModel,
    LocalPure,
    PrivacySources,
    RemoteModel,
)
from rtfs.errors import RtfsError
from rtfs.program import BackendName
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Value

FAR = RemoteModel("far")
BACKENDS: tuple[BackendName, ...] = ("python", "interpreter")


class Recorder:
    """Sends the functions named in `far` elsewhere; their stubs note their arguments and run the body."""

    sources: PrivacySources | None = None

    def __init__(self, *far: str, version: str = "1", target: ExecTarget | ByArguments = FAR) -> None:
        self.far = far
        self.version = version
        self.elsewhere = target
        self.asked: list[FunctionInfo] = []
        self.facts: list[RuntimeFacts] = []
        self.bound: list[tuple[str, ExecTarget | ByArguments]] = []
        self.calls: list[tuple[str, tuple[Value, ...]]] = []

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        self.asked.append(function)
        self.facts.append(facts)
        return self.elsewhere if function.symbol in self.far else LocalPure()

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        self.bound.append((function.symbol, target))

        def stub(*args: Value) -> Value:
            self.calls.append((function.symbol, args))
            return body(*args)

        return stub

    @property
    def names(self) -> list[str]:
        return [function.symbol for function in self.asked]


def run(text: str, delegate: Recorder, backend: BackendName, **modules: str) -> Value:
    program = rtfs.compile(text, modules=MappingModules(modules))
    return program.link(delegate, backend=backend).run(limits=rtfs.Limits(deadline_s=20))


#: program, delegated functions, value, calls of stubs
CALLS: list[tuple[str, str, str, list[tuple[str, str]]]] = [
    ("(defn f [x] (+ x 1)) (f 1)", "f", "2", [("f", "[1]")]),
    ("(defn f [x] (+ x 1)) (defn g [x] (f x)) (g 1)", "f", "2", [("f", "[1]")]),
    ("(defn f [x] (+ x 1)) (map f [1 2])", "f", "[2 3]", [("f", "[1]"), ("f", "[2]")]),
    # recursion goes to the stub, in tail position or not
    (
        "(defn f [n] (if (= n 0) :done (f (- n 1)))) (f 2)",
        "f",
        ":done",
        [("f", "[2]"), ("f", "[1]"), ("f", "[0]")],
    ),
    ("(defn f [n] (if (= n 0) 0 (+ 1 (f (- n 1))))) (f 1)", "f", "1", [("f", "[1]"), ("f", "[0]")]),
    ("((fn f [n] (if (= n 0) 7 (f (- n 1)))) 1)", "f", "7", [("f", "[1]"), ("f", "[0]")]),
    ("(let [f (fn [n] (if (= n 0) 7 (f (- n 1))))] (f 1))", "f", "7", [("f", "[1]"), ("f", "[0]")]),
    (
        "(for [x [5]] (let [f (fn [n] (if (= n 0) x (f (- n 1))))] (f 1)))",
        "f",
        "[5]",
        [("f", "[1]"), ("f", "[0]")],
    ),
    ("(defn a [n] (if (= n 0) 7 (b (- n 1)))) (defn b [n] (a n)) (a 1)", "b", "7", [("b", "[0]")]),
    # kinds of functions
    ("(defn f ([x] 1) ([x y] 2)) [(f 1) (f 1 2)]", "f", "[1 2]", [("f", "[1]"), ("f", "[1 2]")]),
    ("(defn f [x & r] r) (f 1 2 3)", "f", "(2 3)", [("f", "[1 2 3]")]),
    ("(defn f [[a b]] b) (f [1 2])", "f", "2", [("f", "[[1 2]]")]),
    ("(defn f [x :int] :int x) (defn g [] (f 1)) (g)", "f", "1", [("f", "[1]")]),
    ("(defn g [] (defn f [x] x) (f 1)) (g)", "f", "1", [("f", "[1]")]),
    ("((fn [x] (str x x x x x x)) 1)", "fn@1:2", '"111111"', [("fn@1:2", "[1]")]),
    ("(module m (:exports [f]) (defn f [x] x)) (import m) (m/f 1)", "m/f", "1", [("m/f", "[1]")]),
    ("(import m) (defn f [x] (m/g x)) (f 1)", "m/f", "2", [("m/f", "[2]")]),
    ("(m/g 1)", "m/f", "2", [("m/f", "[2]")]),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("text", "far", "value", "calls"), CALLS)
def test_a_stub_stands_for_a_function(
    text: str, far: str, value: str, calls: list[tuple[str, str]], backend: BackendName
) -> None:
    delegate = Recorder(far)
    found = run(text, delegate, backend, m="(module m (:exports [g]) (defn f [x] x) (defn g [x] (f (+ x 1))))")
    assert rtfs.pr_str(found) == value
    assert [(name, rtfs.pr_str(rtfs.from_python(list(args)))) for name, args in delegate.calls] == calls
    assert {target for _, target in delegate.bound} == {RemoteModel("far")}


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_function_is_asked_about_once(backend: BackendName) -> None:
    text = """(defn f [x] (let [g (fn [y] y) h (fn k [z] (k z))] [(g x) h])) (defn two ([] 1) ([x] x))
              (module m (defn f [x] x)) (defn hinted ^:delegation :remote "m" [x] x)
              (import file) (f 1) (f 2)"""
    delegate = Recorder()
    linked = rtfs.compile(text, modules=MappingModules({"file": "(module file (defn far [x] x))"})).link(
        delegate, backend=backend
    )
    for _ in range(3):
        linked.run()
    assert sorted(delegate.names) == sorted(["f", "g", "k", "two", "m/f", "file/far"])


def test_what_a_delegate_is_told() -> None:
    delegate = Recorder()
    facts = RuntimeFacts(tenant="acme", ambient={"hour": 7})
    context = replace(RuntimeContext.controlled(["a.b"]), facts=facts)
    rtfs.compile('(defn f "adds" ^{:cost 3} [a :int b & cs :string] :float (+ a 0.5))').link(delegate, context)
    (info,) = delegate.asked
    assert (info.symbol, info.doc, info.parameters) == ("f", "adds", ("a", "b", "cs"))
    assert (info.parameter_types, info.return_type) == (("int", "any", "string"), "float")
    assert (dict(info.metadata), info.hint) == ({"cost": 3}, None)
    assert len(info.ir_hash) == 64
    assert delegate.facts == [facts]


def test_equal_functions_have_equal_hashes() -> None:
    def ir_hash(text: str) -> str:
        delegate = Recorder()
        rtfs.compile(text).link(delegate)
        return delegate.asked[0].ir_hash

    assert ir_hash("(defn f [x] (+ x 2))") == ir_hash("\n (defn  f [x]\n (+ x 2))")
    assert ir_hash("(defn f [x] (+ x 2))") != ir_hash("(defn f [x] (+ x 3))")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("hint", "target"),
    [
        (':remote "m"', RemoteModel("m")),
        (':local-model "m"', LocalModel("m")),
        ('{:target "remote:m"}', RemoteModel("m")),
        ('{:target "local-x"}', LocalModel("x")),
        ('{:target "remote-openai"}', RemoteModel("openai")),
        ('{:target "provider"}', RemoteModel("provider")),
    ],
)
def test_a_hint_binds_without_asking(hint: str, target: ExecTarget, backend: BackendName) -> None:
    delegate = Recorder()
    assert run(f"(defn f ^:delegation {hint} [x] x) (f 1)", delegate, backend) == 1
    assert (delegate.asked, delegate.bound, delegate.calls) == ([], [("f", target)], [("f", (1,))])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("hint", [":local", '{:target "local"}', '{:target "local-pure"}'])
def test_a_local_hint_neither_asks_nor_binds(hint: str, backend: BackendName) -> None:
    delegate = Recorder("f")
    assert run(f"(defn f ^:delegation {hint} [x] x) (f 1)", delegate, backend) == 1
    assert (delegate.asked, delegate.bound) == ([], [])


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_a_delegate_a_delegated_function_runs_its_body(backend: BackendName) -> None:
    assert rtfs.evaluate('(defn f ^:delegation :remote "m" [x] (+ x 1)) (f 1)', backend=backend) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_errors_of_a_stub_can_be_caught(backend: BackendName) -> None:
    class Failing(Recorder):
        def bind(
            self,
            function: FunctionInfo,
            target: ExecTarget | ByArguments,
            facts: RuntimeFacts,
            body: Callable[..., Value],
        ) -> Callable[..., Value]:
            def stub(*args: Value) -> Value:
                raise rtfs.errors.NetworkError("unreachable")

            return stub

    assert run("(defn f [x] x) (try (f 1) (catch NetworkError e :none))", Failing("f"), backend) is not None
    with pytest.raises(RtfsError, match="unreachable"):
        run("(defn f [x] x) (f 1)", Failing("f"), backend)


@pytest.mark.parametrize(
    ("hint", "target"),
    [
        (DelegationHint("local"), LocalPure()),
        (DelegationHint("local-model", "a"), LocalModel("a")),
        (DelegationHint("remote", "a"), RemoteModel("a")),
        (DelegationHint("target", "local-pure"), LocalPure()),
        (DelegationHint("target", "local-a"), LocalModel("a")),
        (DelegationHint("target", "remote-a"), RemoteModel("a")),
        (DelegationHint("target", "a"), RemoteModel("a")),
    ],
)
def test_targets_of_hints(hint: DelegationHint, target: ExecTarget) -> None:
    assert hint.to_exec_target() == target
