"""Inputs of one session, one after another."""

from __future__ import annotations

import pytest

import rtfs
from rtfs.analyze.environment import MappingModules
from rtfs.errors import ModuleError, ReadError, RtfsError, UndefinedSymbol
from rtfs.session import Session

MODULES = MappingModules(
    {"m": "(module m (:exports [f t]) (defn f [x] (+ x 1)) (defmacro t [x] `(list ~x ~x)))"}
)


def last(*inputs: str, **options: object) -> str:
    """The value of the last input of a new session."""
    session = Session(modules=MODULES, **options)  # type: ignore[arg-type]
    return rtfs.pr_str([session.evaluate(text) for text in inputs][-1])


@pytest.mark.parametrize(
    ("inputs", "value"),
    [
        (["(def x 1)", "(+ x 1)"], "2"),
        (["(defn f [n] (if (= n 0) :done (f (- n 1))))", "(f 100000)"], ":done"),
        # what is defined anew is seen by earlier functions
        (["(defn f [] 1)", "(defn g [] (f))", "(defn f [] 2)", "(g)"], "2"),
        (["(defn f [n] (if (= n 0) 1 (f (- n 1))))", "(def h f)", "(defn f [n] 2)", "(h 3)"], "2"),
        (["(defn f [x :int] :int x)", "(defn g [y :int] (f y))", "(defn f [x] :any)", "(g 1)"], ":any"),
        (["(def x 1)", "(defn f [] x)", "(def x 2)", "(f)"], "2"),
        # builtins
        (["(defn count [x] :mine)", "(count [1])"], ":mine"),
        (["(defn f [] (count [1]))", "(defn count [x] :mine)", "(f)"], "1"),
        # macros, types, modules
        (["(defmacro twice [x] `(do ~x ~x))", "(twice 3)"], "3"),
        (["(defmacro m [] 1)", "(defmacro m [] 2)", "(m)"], "2"),
        (["(defmacro m [] 1)", "(defn m [] 2)", "(m)"], "2"),
        (["(deftype Small [:and int [:< 9]])", "(let [x :Small 3] x)"], "3"),
        (["(defstruct P :x :int)", "(P {:x 1})"], "{:x 1}"),
        (["(import m)", "(m/f 1)"], "2"),
        (["(import m :only [f])", "(f 1)"], "2"),
        (["(import m :only [t])", "(t 1)"], "(1 1)"),
        (["(m/f 1)"], "2"),
        (["(module own (:exports [y]) (def y 5))", "own/y"], "5"),
        (['(def x "doc" 1)', "(meta x)"], '{:doc "doc"}'),
        ([""], "nil"),
    ],
)
def test_inputs(inputs: list[str], value: str) -> None:
    assert last(*inputs) == value


def test_functions_of_many_inputs_keep_their_constants() -> None:
    session = Session()
    # analysed first, run later: numbers of inputs and of runs differ
    units = [session.analyze(f"(defn f{i} [] [:k{i} '(a {i})])") for i in range(5)]
    for unit in units:
        session.run(unit)
    assert [rtfs.pr_str(session.evaluate(f"(f{i})")) for i in range(5)] == [
        f"[:k{i} (a {i})]" for i in range(5)
    ]


@pytest.mark.parametrize(
    "refused", ["(def y 1) (", "(def y 1) (let [x])", "(def y 1) (recur 1) 2", "(def y 1) (if)"]
)
def test_a_refused_input_defines_nothing(refused: str) -> None:
    session = Session()
    session.evaluate("(def x 1)")
    with pytest.raises(RtfsError):
        session.evaluate(refused)
    assert session.names() == ["x"]
    with pytest.raises(UndefinedSymbol):
        session.evaluate("y")
    assert session.evaluate("x") == 1


def test_a_failing_input_keeps_what_it_defined_before() -> None:
    session = Session()
    with pytest.raises(RtfsError):
        session.evaluate("(def x 1) (/ 1 0) (def y 2) (defn count [c] 3)")
    assert session.names() == ["x"]
    with pytest.raises(UndefinedSymbol):
        session.evaluate("y")
    assert session.evaluate("(count [1])") == 1  # the builtin, as it was


def test_names_from_outside() -> None:
    session = Session()
    session.evaluate("(defmacro *1 [] :macro)")
    session.define("*1", 5)
    assert session.evaluate("(+ *1 1)") == 6
    session.define("*1", 7)
    assert session.evaluate("*1") == 7
    assert session.lookup("*1") == 7
    assert session.lookup("inc") is not None
    with pytest.raises(UndefinedSymbol):
        session.lookup("nope")


def test_arguments_and_limits() -> None:
    session = Session(limits=rtfs.Limits(deadline_s=0.2), args={"n": [1, 2]})
    assert rtfs.pr_str(session.evaluate("n")) == "[1 2]"
    with pytest.raises(rtfs.errors.BudgetExhausted):
        session.evaluate("(loop [] (recur))")
    assert session.evaluate("(+ 1 1)") == 2


def test_errors_name_the_input() -> None:
    session = Session(name="here")
    session.evaluate("(defn f []\n (/ 1 0))")
    with pytest.raises(RtfsError) as caught:
        session.evaluate("(+ 1 (f))")
    assert (caught.value.source, caught.value.span and caught.value.span.line) == ("<here 1>", 2)
    assert caught.value.trace[0].source == "<here 2>"
    with pytest.raises(ReadError) as refused:
        session.analyze("(", "some/file.rtfs")
    assert refused.value.source == "some/file.rtfs"
    assert session.texts["some/file.rtfs"] == "("


def test_a_file_may_be_loaded_again_while_its_old_functions_live() -> None:
    session = Session()
    session.evaluate("(defn f [g] (+ 1 (g)))", "a.rtfs")
    session.evaluate("(def old f)")
    session.evaluate("(def f 1)", "a.rtfs")
    with pytest.raises(rtfs.errors.TypeMismatch, match="expected function"):
        session.evaluate("(old 5)")


def test_a_module_is_loaded_once_and_as_the_program_is_compiled() -> None:
    session = Session(
        modules=MappingModules({"m": "(module m (:exports [x]) (defn f [n] (f n)) (def x [(+ 1 2)]))"})
    )
    first = session.evaluate("m/x")
    assert session.evaluate("m/x") is first
    with pytest.raises(ModuleError):
        session.evaluate("m/f")


def test_python_source() -> None:
    session = Session()
    assert "def main·" in session.python_source(session.analyze("(def x 1)"))
