"""What the optimiser changes, what it leaves, and that the meaning stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfs.analyze import Environment, analyze
from rtfs.errors import RtfsError, Span
from rtfs.host import PureHost
from rtfs.interpret import run_unit
from rtfs.ir_codec import decode, encode
from rtfs.ir_text import ir_text
from rtfs.namespace import Modules
from rtfs.passes.optimize import optimize
from rtfs.printer import pr_str
from rtfs.reader import read
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext


def text_of(text: str, level) -> str:
    lines = ir_text(optimize(analyze(read(text)), level)).splitlines()
    return " ".join(line.strip() for line in lines if not line.startswith(";"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(+ 1 (* 2 3))", "7"),
        ("(/ 5 2)", "2.5"),
        ("(= 1 1.0)", "false"),
        ("(not true)", "false"),
        # errors stay where they were
        ("(/ 1 0)", "(/ 1 0)"),
        ("(inc true)", "(inc true)"),
        ("(+)", "(+)"),
        ("(+ 9223372036854775807 1)", "(+ 9223372036854775807 1)"),
        ('(+ 1 "a")', '(+ 1 "a")'),
        ("(if (< 1 2) :a :b)", ":a"),
        ("(if nil :a :b)", ":b"),
        ("(and true x false y)", "(and {dynamic x} false)"),
        ("(or nil false x)", "{dynamic x}"),
        ("(or x 1 y)", "(or {dynamic x} 1)"),
        ("(do 1 x [2] y)", "(do {dynamic x} {dynamic y})"),
        ("(do 1 (do 2 3))", "3"),
        ("(let [x 1 y 2] 5)", "5"),
        ("(let [x : int 1] 5)", "(let [x_1 : int 1] 5)"),
        ("(let [x (f)] 5)", "(let [x_1 ({dynamic f})] 5)"),
        ("[1 {:a [2 (+ 1 1)]} #{3}]", "[1 {:a [2 2]} #{3}]"),
        ("((fn [] 5))", "5"),
        ("((fn [x] (vector x)) (f))", "(let [x_1 ({dynamic f})] (vector x_1))"),
    ],
)
def test_simplified(text, expected):
    for level in ("basic", "aggressive"):
        assert text_of(text, level) == expected
    assert optimize(unit := analyze(read(text)), "none") is unit


@pytest.mark.parametrize(
    "text",
    [
        "((fn [x : int] x) 1)",
        "((fn [x] : int x) 1)",
        "((fn [& r] r) 1)",
        "((fn [x] x))",
        "((fn f [x] (f x)) 1)",
        "((fn [x] (recur x)) 1)",
        "((fn [x] (def y x) y) 1)",
        '((fn ^:delegation :remote "m" [x] x) 1)',
        "((fn ([a] a) ([a b] b)) 1)",
        "(fn [] (if false (def x 1)) x)",
        "(letrec [a (do b 1) b 2] a)",
    ],
)
def test_left_alone(text):
    assert text_of(text, "aggressive") == text_of(text, "none")


def test_aggressive_inlines_larger_functions():
    text = "((fn [x] (vector x x x x x)) (f))"
    assert text_of(text, "basic") == text_of(text, "none")
    assert text_of(text, "aggressive").startswith("(let ")


def outcome(text: str, level) -> tuple[str, Span | None]:
    """The value, or the error and where it is placed."""
    environment = Environment()
    modules = Modules(environment.module_unit, run_unit)
    run = Run(host=PureHost(), context=RuntimeContext.full(), limits=Limits(deadline_s=5.0))
    with running(run):
        try:
            unit = decode(encode(optimize(analyze(read(text), environment), level)))
            return pr_str(run_unit(unit, modules.frame(), modules)), None
        except RtfsError as error:
            return f"!{error.text()}", error.span


def within(inner: Span | None, outer: Span | None) -> bool:
    """Of `(+ 1 (do 2 :a))` the optimiser leaves `(+ 1 :a)`: what was refused is then placed more closely."""
    if inner is None or outer is None:
        return inner is outer
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:]


_LEAVES = st.sampled_from("0 1 2 -3 true false nil :k 2.5 x y z [] {}".split())
_TEMPLATES = st.sampled_from(
    [
        "(+ {} {})",
        "(/ {} {})",
        "(< {} {})",
        "(= {} {})",
        "(inc {})",
        "(if {} {} {})",
        "(and {} {})",
        "(or {} {} {})",
        "(do {} {})",
        "(let [x {}] {})",
        "(let [y {} x {}] {})",
        "((fn [x] {}) {})",
        "((fn [x y] {}) {} {})",
        "[{} {}]",
        "{{:a {} :b {}}}",
        "(do (def z {}) {})",
        "(try {} (catch e [{} (getMessage e)]))",
        "(map (fn [x] {}) [{}])",
        "(loop [x 0] (if (< x 2) (recur (inc x)) {}))",
        "(match {} 0 {} [y] {} {{:a x & y}} {} x when {} x _ y)",
    ]
)


@st.composite
def programs(draw, depth=4):
    if depth == 0:
        return draw(_LEAVES)
    template = draw(_TEMPLATES)
    holes = template.replace("{{", "").replace("}}", "").count("{}")
    return template.format(*[draw(programs(depth=draw(st.integers(0, depth - 1)))) for _ in range(holes)])


@given(programs())
def test_the_meaning_stays(text):
    text = f"(def x 1) (defn f [y] {text}) (f 2)"
    plain, place = outcome(text, "none")
    for level in ("basic", "aggressive"):
        found, closer = outcome(text, level)
        assert found == plain
        assert within(closer, place)
