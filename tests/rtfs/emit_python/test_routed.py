"""The code of a unit under routings: what is compiled anew, when, and that stubs change no value."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from types import FunctionType

import pytest

import rtfs
from rtfs.delegation import BY_ARGUMENTS, ByArguments, ExecTarget, FunctionInfo, LocalPure, RemoteModel
from rtfs.emit_python import backend, routed
from rtfs.emit_python.artifact import Artifact
from rtfs.errors import RtfsError
from rtfs.program import BACKENDS
from rtfs.runtime_facts import RuntimeFacts
from rtfs.stdlib.registry import arity, arity_error
from rtfs.values import Value


class Through:
    """A delegate whose stubs run the bodies of the functions that `far` names, or of those it draws."""

    sources = None

    def __init__(self, far: Iterable[str] | random.Random = (), target: ExecTarget | ByArguments | None = None):
        self.version = "1"
        self.far = far
        self.elsewhere = target or RemoteModel("x")
        self.calls: list[str] = []

    def target(self, function: FunctionInfo, facts: RuntimeFacts) -> ExecTarget | ByArguments:
        far = self.far
        chosen = far.random() < 0.5 if isinstance(far, random.Random) else function.symbol in far
        return self.elsewhere if chosen else LocalPure()

    def bind(
        self,
        function: FunctionInfo,
        target: ExecTarget | ByArguments,
        facts: RuntimeFacts,
        body: Callable[..., Value],
    ) -> Callable[..., Value]:
        assert isinstance(body, FunctionType)
        least, most = arity(body)

        def stub(*args: Value) -> Value:
            if len(args) < least or (most is not None and len(args) > most):
                raise arity_error(body, len(args))
            self.calls.append(function.symbol)
            return body(*args)

        stub.__name__ = body.__name__
        stub.__dict__.update(body.__dict__)  # as careless stubs do
        return stub


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the forms, or bodies of forms, that are compiled anew."""
    found: list[str] = []
    compile_frame = backend.compile_frame

    def noted(frame: object, source: str, **options: object) -> Artifact | None:
        if options.get("only") is not None:
            what = "body" if options["body"] else "form"
            found.append(f"{what} {options['only']}")
        return compile_frame(frame, source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(routed, "compile_frame", noted)
    return found


#: program, delegated functions, what is compiled anew for a run
COMPILED: list[tuple[str, tuple[str, ...], list[str]]] = [
    ("(defn f [x] x) (f 1)", (), []),
    ("(defn f [x] x) (f 1)", ("f",), []),
    ("(defn f [x] x) (defn g [x] (+ 1 (f x))) (g 1)", ("f",), []),
    ('(defn f "doc" ^{:a 1} [x] (map inc [x])) (f 1)', ("f",), []),
    ("(defn f ([x] x) ([x y] y)) (f 1)", ("f",), []),
    # it calls itself, which must go to the stub
    ("(defn f [n] (if (= n 0) 0 (f (- n 1)))) (f 1)", ("f",), ["body 0"]),
    ("(defn f [n] (if (= n 0) 0 (f (- n 1)))) 1", ("f",), []),  # nobody falls back to it
    # it has an entry without checks, which is the stub now
    ("(defn f [x : int] x) (f 1)", ("f",), ["body 0"]),
    # functions inside
    ("(defn f [xs] (map (fn [x] x) xs)) (f [1])", ("f",), []),
    ("(defn f [xs] (map (fn [x] x) xs)) (f [1])", ("fn@1:19",), ["form 0"]),
    ("(defn f [xs] (map (fn [x] x) xs)) (f [1])", ("f", "fn@1:19"), ["body 0"]),
    ("(map (fn [x] x) [1])", ("fn@1:6",), ["form 0"]),
    ("(try (defn f [x] x) (finally 1)) (f 1)", ("f",), ["form 0"]),
    ("(def f (fn me [x] (if x (me nil) 1))) (f 1)", ("me",), ["form 0"]),
    # in modules
    ("(module m (:exports [f]) (defn f [x] x) (defn g [x] (f x))) (import m) (m/f 1)", ("m/f",), []),
    (
        "(module m (:exports [f]) (defn f [x] (if x (f nil) 2))) (import m) (m/f 1)",
        ("m/f",),
        ["body 0"],
    ),
]


@pytest.mark.parametrize(("text", "far", "expected"), COMPILED)
def test_what_is_compiled_anew(
    text: str, far: tuple[str, ...], expected: list[str], compiled: list[str]
) -> None:
    program = rtfs.compile(text)
    value = program.link().run()
    assert program.link(Through(far)).run() == value
    assert compiled == expected
    linked = program.link(Through(far))
    assert [linked.run(), linked.run()] == [value, value]
    assert compiled == expected


def test_a_form_is_compiled_once_for_each_set_of_delegated_functions(compiled: list[str]) -> None:
    delegate = Through()
    linked = rtfs.compile("(def fs [(fn a [] 1) (fn b [] 2)]) (defn f [] 1) (map (fn [f] (f)) fs)").link(
        delegate
    )
    for version, far in enumerate(["", "a", "b", "ab", "abf", "a", "f", "b", ""], start=2):
        delegate.version, delegate.far = str(version), far
        delegate.calls.clear()
        assert rtfs.pr_str(linked.run()) == "[1 2]"
        assert delegate.calls == [name for name in "ab" if name in far]
    assert compiled == ["form 0"] * 3


def test_few_variants_of_a_form_are_kept(compiled: list[str]) -> None:
    names = "abcdef"
    delegate = Through()
    functions = " ".join(f"(fn {name} [] 1)" for name in names)
    linked = rtfs.compile(f"(count [{functions}])").link(delegate)
    for version in range(1, 40):
        delegate.version = str(version + 1)
        delegate.far = [name for index, name in enumerate(names) if version >> index & 1]
        assert linked.run() == len(names)
    assert len(compiled) == 39
    delegate.version = "again"
    linked.run()
    assert len(compiled) == 39
    delegate.version, delegate.far = "first", ["a"]
    linked.run()
    assert len(compiled) == 40


def test_a_body_that_is_compiled_late_looks_like_the_function() -> None:
    bodies: list[FunctionType] = []

    class Looking(Through):
        def bind(
            self,
            function: FunctionInfo,
            target: ExecTarget | ByArguments,
            facts: RuntimeFacts,
            body: Callable[..., Value],
        ) -> Callable[..., Value]:
            assert isinstance(body, FunctionType)
            bodies.append(body)
            return super().bind(function, target, facts, body)

    text = """(defn none [] (if false (none) 0)) (defn two [a b] (if a (two nil b) b))
              (defn more [a & r] (if a (more nil r) r)) (defn all [& r] (if (= (count r) 0) 1 (all)))
              (defn several ([] (several 1)) ([a] a) ([a b] b)) (defn typed [a : int b] : int a)
              [(none) (two 1 2) (more 1 2) (all 1) (several) (typed 3 4)]"""
    names = ("none", "two", "more", "all", "several", "typed")
    found = rtfs.compile(text).link(Looking(names)).run()
    assert rtfs.pr_str(found) == "[0 2 ((2)) 1 1 3]"
    assert [body.__name__.partition("·")[0] for body in bodies] == list(names)
    assert [arity(body) for body in bodies] == [(0, 0), (2, 2), (1, None), (0, None), (0, None), (2, 2)]


#: forms in every kind of place, with functions that call each other; each value depends on all of them
MIXTURES = [
    """(defn sq [x] (* x x)) (defn add [a : int b : int] : int (+ a b))
       (defn sum [xs] (reduce add 0 (map sq xs)))
       (defn count-down [n] (if (= n 0) :done (count-down (- n 1))))
       [(sum [1 2 3]) (count-down 5) (add (sq 2) (sq 3))]""",
    """(defn even [n] (if (= n 0) true (odd (- n 1)))) (defn odd [n] (if (= n 0) false (even (- n 1))))
       [(even 7) (odd 7) (map even [1 2])]""",
    """(let [f (fn [n] (if (= n 0) [] (conj (f (- n 1)) n)))] (f 3))""",
    """(letfn [(a [n] (if (= n 0) :a (b (- n 1)))) (b [n] (if (= n 0) :b (a (- n 1))))] [(a 3) (b 3)])""",
    """(loop [i 0 fs []] (if (< i 3) (recur (+ i 1) (conj fs (fn [x] (+ x i)))) (map (fn [f] (f 10)) fs)))""",
    """(for [x [1 2]] (let [f (fn g [n] (if (= n 0) x (g (- n 1))))] (f x)))""",
    """(defn outer [n] (defn inner [m] (if (= m 0) n (inner (- m 1)))) (inner n)) [(outer 1) (outer 2)]""",
    """(defn f ([] (f 1)) ([x] (f x 2)) ([x & r] [x r])) [(f) (f 5) (f 6 7 8)]""",
    """(defn f [{:keys [a b]} [c & d]] : vector [a b c d]) (f {:a 1 :b 2} [3 4 5])""",
    """(module m (:exports [f g]) (defn f [x] (if (= x 0) (g 0) (f (- x 1)))) (defn g [x] : int (+ x 1)))
       (import m) [(m/f 3) (m/g 4) (map m/g [1 2])]""",
    """(defn f [x] (throw (error "no" x))) (defn g [x] (try (f x) (catch e (:message e)) (finally 1))) (g 1)""",
    """(defn f [x : int] : int (* x 1000000000000)) (defn g [x] (try (f (f x)) (catch e 0))) (g 5)""",
    """(defn f [x] (if (> x 0) (+ x (f (- x 1))) 0)) (def f2 f) (def h (comp f f2)) [(h 2) (apply f [3])]""",
    """(do (defn a [x] (b x)) (defn b [x] (* 2 x))) (if true (do (defn c [x] (a x)) (c 4)) 0)""",
    """(defn memo [f] (fn [x] (f (f x)))) (def twice (memo (fn [x] (* x 3)))) [(twice 1) ((memo inc) 1)]""",
    """(defn f [x : int] x) (defn g [y] (try (f y) (catch TypeValidationError e :typed))) [(g 1) (g "a")]""",
    """(defn f [a b] 1) (try (f 1) (catch ArityMismatch e :count))""",
]


def outcome(text: str, delegate: Through | None, backend: str) -> str:
    try:
        return rtfs.pr_str(rtfs.compile(text).link(delegate, backend=backend).run(limits=rtfs.Limits()))  # type: ignore[arg-type]
    except RtfsError as error:
        return error.text()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("text", MIXTURES)
def test_stubs_that_run_the_bodies_change_no_value(text: str, backend: str) -> None:
    expected = outcome(text, None, "interpreter")
    assert outcome(text, None, backend) == expected
    for seed in range(12):
        target = BY_ARGUMENTS if seed % 2 else None
        assert outcome(text, Through(random.Random(seed), target), backend) == expected


@pytest.mark.parametrize("text", MIXTURES)
def test_a_program_is_the_same_after_any_policies(text: str) -> None:
    delegate = Through()
    linked = rtfs.compile(text).link(delegate)
    expected = rtfs.pr_str(linked.run())
    for seed in range(12):
        delegate.version, delegate.far = f"v{seed}", random.Random(seed)
        assert rtfs.pr_str(linked.run()) == expected
    delegate.version, delegate.far = "end", ()
    delegate.calls.clear()
    assert rtfs.pr_str(linked.run()) == expected
    assert delegate.calls == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            """(defn f [x] x) (module m (:exports [f]) (defn f [x] x)) (import m)
               (loop [i 0 fs []]
                 (if (< i 3)
                   (do (def x (f i)) (recur (+ i 1) (conj fs (fn [] x))))
                   (map (fn [g] (m/f (g))) fs)))""",
            "[0 1 2]",
        ),
        (
            """(module m (:exports [h f])
                 (defn f [x] x)
                 (def h (loop [i 0 fs []]
                   (if (< i 3) (do (def x (f i)) (recur (+ i 1) (conj fs (fn [] x)))) (map (fn [g] (g)) fs)))))
               (import m) [m/h (m/f 1)]""",
            "[[0 1 2] 1]",
        ),
    ],
)
def test_what_the_interpreter_runs_anyway_has_stubs_too(text: str, value: str) -> None:
    delegate = Through(("f", "m/f"))
    assert rtfs.pr_str(rtfs.compile(text).link(delegate).run()) == value
    assert "m/f" in delegate.calls


@pytest.mark.parametrize(
    "text",
    [
        "(defn f [n] (if (= n 0) [] (conj (f (- n 1)) (map (fn g [x] (* x x)) [n])))) [(f 3) (f 1)]",
        "(module m (:exports [f]) (defn f [n] (map (fn g [x] (* x x)) n))) (import m) [(m/f [1 2])]",
        "(module m (:exports [h]) (def h (map (fn g [x] (* x x)) [1 2]))) (import m) m/h",
        "(defn h [] 1) (map (fn g [x] (+ x (h))) [1 2])",
    ],
)
def test_the_interpreter_runs_what_python_cannot_express_under_a_routing(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = rtfs.compile(text)
    expected = program.link().run()
    monkeypatch.setattr(routed, "compile_frame", lambda *args, **options: None)
    delegate = Through(("f", "g", "m/f", "m/g", "h"))
    assert program.link(delegate).run() == expected
    assert {"g", "m/g"} & set(delegate.calls)
