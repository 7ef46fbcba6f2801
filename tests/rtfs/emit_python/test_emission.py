"""The Python that a program becomes: source → text, for the ideas that matter."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from types import CodeType

import pytest

import rtfs
from rtfs.delegation import ExecTarget, FunctionInfo, LocalPure, RemoteModel
from rtfs.emit_python.backend import emit_module
from rtfs.emit_python.frames import Frame
from rtfs.program import Program
from rtfs.values import INT_MAX, INT_MIN, Value, Vector


def python(text: str) -> str:
    """The statements of all forms, with the numbers of names left out: `n·1` is `n`, `t·4` is `t`."""
    source = rtfs.compile(text).link().python_source()
    body = "\n".join(map(textwrap.dedent, source.split("def main·():\n")))
    body = re.sub(r"k·0·(\d+)", r"k\1", body)
    body = re.sub(r"·\d+", "", body).replace("rt·part", "part").replace("rt·", "")
    body = body.replace(str(INT_MAX), "MAX").replace(str(INT_MIN), "MIN")
    lines = [line for line in body.splitlines() if line.strip() and not line.startswith(("global", "return"))]
    return "\n".join(lines)


#: what it shows → RTFS, and its Python
EMITTED: dict[str, tuple[str, str]] = {
    "a known sum needs no check": (
        "(defn f [x] (if (= x 1) (+ x 2) 0))",
        """
        def f(x, /):
            if type(x) is int and x == 1:
                return x + 2
            return 0
        f = f""",
    ),
    "a guard where nothing is known, and a check on one side": (
        "(defn f [x] (+ x 1))",
        """
        def f(x, /):
            return (t if (t := (x + 1)) <= MAX else overflow(t, '+')) if type(x) is int else add2(x, 1)
        f = f""",
    ),
    "after a comparison a parameter is a number, and bounded": (
        "(defn f [n] (if (< n 2) n (- n 1)))",
        """
        def f(n, /):
            if n < 2 if type(n) is int else lt2(n, 2):
                return n
            return n - 1
        f = f""",
    ),
    "a declared integer needs no guard": (
        "(defn f [x : int] (* x 2))",
        """
        def f·unchecked(x, /):
            return t if MIN <= (t := (x * 2)) <= MAX else overflow(t, '*')
        def fw(x, /):
            if not type(x) is int:
                check(k0, x, 'x', namespace)
            return f·unchecked(x)
        f = fw""",
    ),
    "a caller that proves the type enters unchecked": (
        "(defn f [x : int] x) (defn g [y] (if (= y 1) (f y) (f :a)))",
        """
        def f·unchecked(x, /):
            return x
        def fw(x, /):
            if not type(x) is int:
                check(k0, x, 'x', namespace)
            return f·unchecked(x)
        f = fw
        def g(y, /):
            if STOP:
                poll()
            if type(y) is int and y == 1:
                return f·unchecked(y)
            return f(k1)
        g = g""",
    ),
    "a loop knows its counter": (
        "(defn f [] (loop [i 0] (if (< i 9) (recur (+ i 1)) i)))",
        """
        def f():
            i = 0
            while True:
                if STOP:
                    poll()
                if i < 9:
                    i = i + 1
                    continue
                return i
        f = f""",
    ),
    "a self tail call is a loop": (
        "(defn f [x y] (if x (f y x) y))",
        """
        def f(x, y, /):
            while True:
                if STOP:
                    poll()
                if x is not None and x is not False:
                    x, y = (y, x)
                    continue
                return y
        f = f""",
    ),
    "a mutual one bounces": (
        "(defn f [x] (g x)) (defn g [x] (f x))",
        """
        def f(x, /):
            if STOP:
                poll()
            return tail(('<string>', 1, 13, 1, 18), g, x)
        def fw(x, /):
            return bounce(f(x))
        pair(fw, f)
        f = fw
        def g(x, /):
            if STOP:
                poll()
            return tail(('<string>', 1, 32, 1, 37), f, x)
        def gw(x, /):
            return bounce(g(x))
        pair(gw, g)
        g = gw""",
    ),
    "a known callee that does not bounce is called": (
        "(defn f [x] x) (defn g [x] (f x))",
        """
        def f(x, /):
            return x
        f = f
        def g(x, /):
            if STOP:
                poll()
            return f(x)
        g = g""",
    ),
    "closures in loops keep the values of their turn": (
        "(for [x [1 2]] (fn [] x))",
        """
        t = []
        for x in items(k0, 'for'):
            if STOP:
                poll()
            def part(x, /):
                def user-defined function():
                    return x
                return user-defined function
            t.append(part(x))""",
    ),
    "closures outside of loops refer to names": (
        "(defn f [x] (fn [] x))",
        """
        def f(x, /):
            def user-defined function():
                return x
            return user-defined function
        f = f""",
    ),
    "and, or of tests": (
        "(defn f [a b] (if (and (nil? a) (or (nil? b) (int? b))) 1 2))",
        """
        def f(a, b, /):
            if a is None and (b is None or type(b) is int):
                return 1
            return 2
        f = f""",
    ),
    "cond is flat": (
        "(defn f [x] (cond (nil? x) 1 (= x 2) 3 :else 4))",
        """
        def f(x, /):
            if x is None:
                return 1
            if type(x) is int and x == 2:
                return 3
            return 4
        f = f""",
    ),
    "for": (
        "(for [x [1] :when (nil? x) y [2]] [x y])",
        """
        t = []
        for x in items(k0, 'for'):
            if STOP:
                poll()
            if x is None:
                for y in items(k1, 'for'):
                    if STOP:
                        poll()
                    t.append(Vector([x, y]))""",
    ),
    "try, finally": (
        "(defn f [x] (try (inc x) (finally (str x))))",
        """
        def f(x, /):
            try:
                t = (t if (t := (x + 1)) <= MAX else overflow(t, 'inc')) if type(x) is int else b·inc(x)
            except Exception as t:
                caught(t)
                b·str(x)
                raise
            else:
                b·str(x)
            return t
        f = f""",
    ),
    "arguments that need statements come after the earlier ones": (
        "(defn f [x] (str (inc x) (let [y (str x)] y)))",
        """
        def f(x, /):
            t = (t if (t := (x + 1)) <= MAX else overflow(t, 'inc')) if type(x) is int else b·inc(x)
            y = b·str(x)
            return b·str(t, y)
        f = f""",
    ),
    "a leaf function has no safepoint": (
        "(defn f [x] (str x))",
        """
        def f(x, /):
            return b·str(x)
        f = f""",
    ),
    "a name that may be redefined is looked at": (
        "(def f (fn [x] (f x))) (def f 1)",
        """
        def f(x, /):
            while True:
                if STOP:
                    poll()
                t = f
                if t is fw:
                    continue
                return tail(('<string>', 1, 16, 1, 21), t, x)
        def fw(x, /):
            return bounce(f(x))
        pair(fw, f)
        f = fw
        f = 1""",
    ),
}


@pytest.mark.parametrize(("text", "expected"), EMITTED.values(), ids=EMITTED.keys())
def test_emission(text: str, expected: str) -> None:
    assert python(text) == textwrap.dedent(expected).strip()


# ---------------------------------------------------------------- what an engine costs


class Sends:
    """A delegate that sends some functions elsewhere."""

    version = "1"
    sources = None

    def __init__(self, *far: str) -> None:
        self.far = far

    def target(self, function: FunctionInfo, facts: object) -> ExecTarget:
        return RemoteModel("far") if function.symbol in self.far else LocalPure()

    def bind(
        self, function: FunctionInfo, target: object, facts: object, body: Callable[..., Value]
    ) -> Callable[..., Value]:
        assert function.symbol in self.far
        return lambda *args: body(*args)


def shape(code: CodeType) -> tuple[object, ...]:
    """All that decides how fast code runs."""
    constants = tuple(shape(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return (
        code.co_code,
        constants,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_flags,
    )


def entered(program: Program, delegate: Sends | None = None) -> list[tuple[object, ...]]:
    """The shapes of the functions that the program gives in a vector, as calls enter them in that very run."""
    functions = program.link(delegate).run()
    assert isinstance(functions, Vector)
    entries = [each for function in functions for each in (function, getattr(function, "rtfs_raw", function))]
    return [shape(entry.__code__) for entry in entries]


#: functions that call each other in every way, `far` among them; none has two calls that could overlap
PLAIN = """
    (defn far [x] (* x 2))
    (defn typed-far [x : int] : int (* x 2))
    (defn f HINT [n] (if (< n 2) n (+ (f (- n 1)) (f (- n 2)))))
    (defn g [h] (h (f 3)))
    (defn h [n : int] : int (+ n (typed-far (far n))))
    (defn loops [n s] (if (= n 0) s (loops (- n 1) (+ s (far n)))))
    (defn inner [xs] (map (fn [x] (+ x (h 1))) (filter (fn [x] (> x (typed-far 2))) xs)))
    (defn even [n] (if (= n 0) true (odd (- n 1))))
    (defn odd [n] (if (= n 0) (far 1) (even (- n 1))))
    [f g h loops inner even odd]"""


@pytest.mark.parametrize("far", [(), ("far",), ("far", "typed-far")], ids=repr)
def test_a_local_function_is_the_same_under_an_engine_whatever_it_calls(far: tuple[str, ...]) -> None:
    text = PLAIN.replace("HINT", "")
    assert entered(rtfs.compile(text), Sends(*far)) == entered(rtfs.compile(text))
    program = rtfs.compile(text)
    assert entered(program, Sends(*far)) == entered(program, Sends()) == entered(program)


def test_a_local_hint_costs_nothing() -> None:
    # the hint takes columns; spans of tail calls are constants
    plain, hinted = PLAIN.replace("HINT", " " * 18), PLAIN.replace("HINT", "^:delegation :local")
    assert len(hinted) == len(plain) + 1
    plain = plain.replace("f  ", "f   ", 1)
    assert entered(rtfs.compile(hinted)) == entered(rtfs.compile(plain))
    assert entered(rtfs.compile(hinted), Sends("f")) == entered(rtfs.compile(plain))


# ---------------------------------------------------------------- what Python cannot express


def kept_by_interpreter(text: str) -> bool:
    program = rtfs.compile(text)
    return program.link().artifact(program.unit) is None


#: programs that only the interpreter runs, with their values
FALLBACK = [
    (
        """(loop [i 0 fs []]
             (if (< i 3) (do (def x i) (recur (+ i 1) (conj fs (fn [] x)))) (map (fn [f] (f)) fs)))""",
        "[0 1 2]",
    ),
    (
        """(for [i [1 2]]
             (let [f (fn [n] (if (= n 0) i (g (- n 1)))) k (* i 10) g (fn [n] (if (= n 0) k (f (- n 1))))]
             [(f 0) (f 1)]))""",
        "[[1 10] [2 20]]",
    ),
    ("(try 0 (finally " * 7 + "1" + "))" * 7, "0"),
    ("(loop [] " * 25 + "5" + ")" * 25, "5"),
]


@pytest.mark.parametrize(("text", "value"), FALLBACK)
def test_the_interpreter_runs_what_python_cannot(text: str, value: str) -> None:
    assert kept_by_interpreter(text)
    assert rtfs.pr_str(rtfs.evaluate(text)) == value


#: programs that are near a limit of Python's compiler, and compile all the same
NEAR = [
    "(let [x 1] " * 200 + "x" + ")" * 200,
    "(+ 1 " * 3_000 + "1" + ")" * 3_000,
    "(if true " * 300 + "1" + " 2)" * 300,
    "[" + "1 " * 20_000 + "]",
    "(defn f [] " + "(str 1) " * 10_000 + ")",
    "(defn f [x] (cond " + " ".join(f"(= x {i}) {i}" for i in range(500)) + ")) (f 499)",
    "(for [x [1 2]] (letfn [(f [n] (if (= n 0) x (g (- n 1)))) (g [n] (if (= n 0) 5 (f (- n 1))))] (f 11)))",
]


@pytest.mark.parametrize("text", NEAR, ids=lambda text: text[:20])
def test_large_programs_are_compiled(text: str) -> None:
    assert not kept_by_interpreter(text)
    limits = rtfs.Limits()
    value = rtfs.evaluate(text, limits=limits)
    assert rtfs.pr_str(value)[:9] == rtfs.pr_str(rtfs.evaluate(text, limits=limits, backend="interpreter"))[:9]


#: forms that are emitted more than once while facts are looked for, one inside another
NESTED = {
    "loop": "(loop [a 0 x x] (if (< a 2) (recur (+ a 1) HOLE) x))",
    "let": "(let [b HOLE c (+ b 1)] (if (< b c) (+ b c) c))",
    "function": "((fn [y] (+ y HOLE y 1)) (+ x 1 2 3 4 5))",
    "recursive function": "(let [f (fn [y] (if (= y 0) 1 (+ HOLE (f (- y 1)))))] (f 1))",
    "and, or": "(and (or x 1) HOLE (let [z x] z))",
    "try": "(try HOLE (catch _ e 1))",
    "for": "(for [q [1]] HOLE)",
    "match": "(match x {:a a} a [b & c] HOLE _ 7)",
}


def names_made(text: str) -> int:
    """How many names emission gives out, in all its attempts."""
    unit = rtfs.compile(text).unit
    _, emitter = emit_module(Frame(unit.forms, unit.stable), unit.source)
    return emitter.serial()


@pytest.mark.parametrize("form", NESTED.values(), ids=NESTED.keys())
def test_nesting_does_not_multiply_the_work(form: str) -> None:
    work = []
    for depth in (6, 12):
        text = "x"
        for _ in range(depth):
            text = form.replace("HOLE", text)
        work.append(names_made(f"(let [x 1] {text})"))
    # twice as deep is twice the work, or four times where each level is tried both ways
    assert work[1] < 5 * work[0], work
