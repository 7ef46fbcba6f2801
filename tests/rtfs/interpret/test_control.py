"""Names, choice, loops, `for`, and the scopes of locals."""

from __future__ import annotations

import pytest

from rtfs import errors, ir
from rtfs.types import model as types
from rtfs.values import List, Map, Set, Vector

X, Y, Z, TURN, FS = (ir.Local(i, name) for i, name in enumerate(["x", "y", "z", "i", "fs"], 1))
LOG = ir.Local(99, "log")


def const(value):
    return ir.Constant(value)


def call(name, *args):
    return ir.Apply(ir.BuiltinRef(name), args)


def ref(local):
    return ir.LocalRef(local)


def let(*pairs, body):
    bindings = tuple(ir.Binding(local, value) for local, value in zip(pairs[::2], pairs[1::2], strict=True))
    return ir.Let(bindings, body)


def thunk(body):
    return ir.Lambda(None, None, (ir.Arity(1000 + id(body), (), None, None, body),))


def call_each(functions):
    """(map (fn [f] (f)) functions)"""
    f = ir.Local(50, "f")
    arity = ir.Arity(51, (ir.Param(f),), None, None, ir.Apply(ref(f), ()))
    return call("map", ir.Lambda(None, None, (arity,)), functions)


NUMBERS = const(Vector.of(1, 2, 3))


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (ir.If(const(0), const("then"), const("else")), "then"),
        (ir.If(const(None), const("then"), const("else")), "else"),
        (ir.And((const(1), const(None), const(2))), None),
        (ir.And((const(1), const(2))), 2),
        (ir.Or((const(False), const(None))), None),
        (ir.Or((const(False), const(3), const(4))), 3),
        (ir.Do((const(1), const(2))), 2),
        (let(X, const(1), Y, call("inc", ref(X)), body=ref(Y)), 2),
        (ir.VectorOf((const(1), const(2))), Vector.of(1, 2)),
        (ir.ListOf((const(1), const(2))), List.of(1, 2)),
        (ir.SetOf((const(1), const(1))), Set.of(1)),
        (ir.MapOf(((const("a"), const(1)), (const("a"), const(2)))), Map({"a": 2})),
        (ir.GlobalRef("inc"), None),
    ],
)
def test_value(run, node, expected):
    if isinstance(node, ir.GlobalRef):  # not defined yet: the builtin
        assert run(ir.Apply(node, (const(1),))) == 2
        return
    assert run(node) == expected


@pytest.mark.parametrize(
    ("node", "symbol"),
    [
        (ir.LocalRef(X), "x"),
        (ir.GlobalRef("nothing"), "nothing"),
        (ir.BuiltinRef("nothing"), "nothing"),
        (let(X, ref(Y), Y, const(1), body=ref(X)), "y"),
    ],
)
def test_undefined(run, node, symbol):
    with pytest.raises(errors.UndefinedSymbol) as caught:
        run(node)
    assert caught.value.symbol == symbol


def test_a_map_key_must_be_one(run):
    with pytest.raises(errors.TypeMismatch, match=r"Type error in map key: expected .*, got float"):
        run(ir.MapOf(((const(1.5), const(1)),)))


def test_let_functions_see_each_other(run):
    ping = ir.Arity(
        10, (ir.Param(X),), None, None, ir.If(ref(X), ir.Apply(ref(Z), (const(None),)), const("end"))
    )
    pong = ir.Arity(11, (ir.Param(TURN),), None, None, ir.Apply(ref(Y), (ref(TURN),)))
    node = let(
        Y, ir.Lambda(None, None, (ping,)), Z, ir.Lambda(None, None, (pong,)), body=ir.Apply(ref(Y), (const(1),))
    )
    assert run(node) == "end"


def test_let_types_are_checked(run):
    binding = ir.Binding(X, const("a"), types.Primitive("int"))
    with pytest.raises(errors.TypeValidationError, match="at let x: expected int, got string"):
        run(ir.Let((binding,), ref(X)))


def looping(body, start=0):
    return ir.Loop(7, (ir.Binding(TURN, const(start)), ir.Binding(FS, const(Vector([])))), body)


def test_loop_turns_have_their_own_locals(run):
    grown = call("conj", ref(FS), thunk(ref(TURN)))
    body = ir.If(call("<", ref(TURN), const(3)), ir.Recur(7, (call("inc", ref(TURN)), grown)), ref(FS))
    assert run(call_each(looping(body))) == Vector.of(0, 1, 2)


def test_recur_evaluates_all_arguments_first(run):
    bindings = (ir.Binding(X, const(1)), ir.Binding(Y, const(2)), ir.Binding(TURN, const(0)))
    swap = ir.Recur(7, (ref(Y), ref(X), call("inc", ref(TURN))))
    body = ir.If(call("=", ref(TURN), const(1)), ir.VectorOf((ref(X), ref(Y))), swap)
    assert run(ir.Loop(7, bindings, body)) == Vector.of(2, 1)


def test_loop_types_are_checked_on_recur(run):
    binding = ir.Binding(TURN, const(0), types.Primitive("int"))
    with pytest.raises(errors.TypeValidationError, match="expected int, got string"):
        run(ir.Loop(7, (binding,), ir.Recur(7, (const("a"),))))


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ((ir.Iterate(X, NUMBERS),), [(1, None), (2, None), (3, None)]),
        ((ir.Iterate(X, NUMBERS), ir.When(call("odd?", ref(X)))), [(1, None), (3, None)]),
        ((ir.Iterate(X, NUMBERS), ir.While(call("<", ref(X), const(3)))), [(1, None), (2, None)]),
        (
            (ir.Iterate(X, NUMBERS), ir.Iterate(Y, call("range", const(0), ref(X)))),
            [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)],
        ),
        (
            (ir.Iterate(X, NUMBERS), ir.Iterate(Y, NUMBERS), ir.While(call("<", ref(Y), ref(X)))),
            [(2, 1), (3, 1), (3, 2)],
        ),
        ((ir.Iterate(X, NUMBERS), ir.While(const(False)), ir.Iterate(Y, NUMBERS)), []),
        (
            (ir.Iterate(X, NUMBERS), ir.LetClause((ir.Binding(Y, call("inc", ref(X))),))),
            [(1, 2), (2, 3), (3, 4)],
        ),
        ((ir.Iterate(X, const(Map({"a": 1}))),), [(Vector.of("a", 1), None)]),
        ((ir.Iterate(X, const("ab")),), [("a", None), ("b", None)]),
    ],
)  # fmt: skip
def test_for(run, clauses, expected):
    has_y = any((isinstance(c, ir.Iterate) and c.local == Y) or isinstance(c, ir.LetClause) for c in clauses)
    body = ir.VectorOf((ref(X), ref(Y) if has_y else const(None)))
    assert run(ir.For(clauses, body, collect=True)) == Vector([Vector.of(*each) for each in expected])
    assert run(ir.For(clauses, body, collect=False)) is None


def test_for_over_nothing_to_go_over(run):
    with pytest.raises(errors.TypeMismatch, match="Type error in for: expected collection, got nil"):
        run(ir.For((ir.Iterate(X, const(None)),), ref(X), collect=True))


def test_a_local_def_within_a_turn_is_fresh_in_each(run):
    """(for [x [1 2 3]] (do (def y (* x 10)) (fn [] y)))"""
    body = ir.Do((ir.LocalDef(Y, call("*", ref(X), const(10))), thunk(ref(Y))))
    functions = ir.For((ir.Iterate(X, NUMBERS),), body, collect=True)
    assert run(call_each(functions)) == Vector.of(10, 20, 30)


def test_a_local_def_used_after_the_loop_outlives_it(run):
    body = ir.Do((ir.LocalDef(Y, ref(X)), const(None)))
    loop = ir.For((ir.Iterate(X, NUMBERS),), body, collect=False)
    assert run(ir.Do((loop, ref(Y)))) == 3


def test_a_local_def_is_seen_by_closures_made_before_it_is_redefined(run):
    node = ir.Do((
        ir.LocalDef(X, const(1)),
        let(Y, thunk(ref(X)), body=ir.Do((ir.LocalDef(X, const(2)), ir.Apply(ref(Y), ())))),
    ))  # fmt: skip
    assert run(node) == 2


def test_each_call_has_its_own_locals(run):
    adder = ir.Lambda("adder", None, (ir.Arity(10, (ir.Param(X),), None, None, thunk(ref(X))),))
    pair = ir.VectorOf((ir.Apply(ref(Z), (const(1),)), ir.Apply(ref(Z), (const(2),))))
    assert run(let(Z, adder, body=call_each(pair))) == Vector.of(1, 2)


def test_deep_expressions_do_not_crash(run):
    node = const(0)
    for _ in range(20_000):
        node = call("inc", node)
    assert run(node) == 20_000
