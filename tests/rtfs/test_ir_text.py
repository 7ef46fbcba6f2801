"""IR as text."""

from __future__ import annotations

import dataclasses

import pytest

from rtfs import ir
from rtfs.delegation import DelegationHint
from rtfs.ir_text import _WRITERS, WIDTH, ir_text, node_text
from rtfs.types import model as types
from rtfs.values import Keyword, List, Symbol, Vector

N, XS, E = ir.Local(1, "n"), ir.Local(2, "xs"), ir.Local(3, "e")
INT = types.Primitive("int")
ONE = ir.Constant(1)


def call(name, *args, may_delegate=False):
    return ir.Apply(ir.BuiltinRef(name), args, may_delegate=may_delegate)


def arity(body, *params, rest=None, returns=None, label=0):
    return ir.Arity(label, params, rest, returns, body)


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (ir.Constant("a\n"), r'"a\n"'),
        (ir.Constant(None), "nil"),
        (ir.Constant(Symbol.of("s")), "'s"),
        (ir.Constant(List.of(1, 2)), "'(1 2)"),
        (ir.Constant(Keyword.of("k")), ":k"),
        (ir.LocalRef(N), "n_1"),
        (ir.QualifiedRef("m", "x"), "m/x"),
        (ir.DynamicRef("x", or_nil=True), "{dynamic? x}"),
        (call("+", ONE, ir.LocalRef(N)), "(+ 1 n_1)"),
        (call("ask", ONE, may_delegate=True), "(~ ask 1)"),
        (ir.Let((ir.Binding(N, ONE, INT),), ir.LocalRef(N)), "(let [n_1 : int 1] n_1)"),
        (ir.Loop(7, (ir.Binding(N, ONE),), ir.Recur(7, (ONE,))), "(loop L7 [n_1 1] (recur L7 1))"),
        (
            ir.Lambda(
                "f", None, (arity(ONE, ir.Param(N, INT), rest=ir.Param(XS), returns=INT),), may_delegate=True
            ),
            "(fn~ f L0 [n_1 : int & xs_2] : int 1)",
        ),
        (
            ir.Lambda(
                None, N, (arity(ONE), arity(ONE, ir.Param(XS), label=1)), hint=DelegationHint("remote", "x")
            ),
            '(fn ^:delegation remote "x" n_1 (L0 [] 1) (L1 [xs_2] 1))',
        ),
        (
            ir.Lambda(None, None, (arity(ONE, ir.Param(N, INT, (("unit", 1),))),)),
            "(fn L0 [^{:unit 1} n_1 : int] 1)",
        ),
        (ir.Def("x", ONE, INT, "About.", (("since", 2),)), '(def x : int "About." ^{:since 2} 1)'),
        (ir.Primitive("item", (ONE, ONE)), "{primitive item 1 1}"),
        (
            ir.Try(ONE, (ir.Catch(ir.CatchCategory("G", ("A", "B")), E, None, ONE),), ONE),
            "(try 1 (catch G=A|B e_3 1) (finally 1))",
        ),
        (ir.For((ir.Iterate(N, ONE), ir.When(ONE)), ONE, True), "(for [n_1 1 :when 1] 1)"),
        (ir.MapOf(((ONE, ONE),)), "{1 1}"),
        (ir.Step("step", ONE, (), (("a", ONE),), XS, ONE), "(step 1 :params xs_2= {:a 1} 1)"),
    ],
)  # fmt: skip
def test_node(node, text):
    assert node_text(node) == text


def test_unit():
    unit = ir.Unit("a.rtfs", (ir.Def("x", ONE), ONE), ("x", "y"), frozenset(["x"]), (("m", "abc"),))
    assert ir_text(unit) == ("; a.rtfs\n; defines x y (redefinable)\n; needs module m abc\n(def x 1)\n1\n")


def test_long_forms_are_broken_and_indented():
    node = ir.If(call("f", ir.Constant("x" * 60)), call("g", ir.Constant("y" * 60)), ir.Constant(Vector.of(1)))
    lines = node_text(node).splitlines()
    assert lines == ["(if", f'  (f "{"x" * 60}")', f'  (g "{"y" * 60}")', "  [1])"]
    assert all(len(line) <= WIDTH for line in lines)


def test_deep_ir_is_no_crash():
    node = ONE
    for _ in range(5_000):
        node = call("inc", node)
    assert ir_text(ir.Unit("a", (node,), (), frozenset())).count("(inc") == 5_000


def test_every_node_has_a_writer():
    nodes = {
        kind
        for kind in vars(ir).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and issubclass(kind, ir.Node)
    }
    assert set(_WRITERS) == nodes - {ir.Node}
