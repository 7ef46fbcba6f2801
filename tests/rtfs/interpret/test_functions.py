"""Calls: counts, types, tail calls, depth, traces, stubs."""

from __future__ import annotations

from types import FunctionType

import pytest

from rtfs import errors, ir
from rtfs.errors import Span
from rtfs.run import Limits
from rtfs.types import model as types
from rtfs.values import Keyword, List, Vector

INT = types.Primitive("int")
STRING = types.Primitive("string")
N, M, REST = ir.Local(1, "n"), ir.Local(2, "m"), ir.Local(3, "xs")


def const(value):
    return ir.Constant(value)


def call(name, *args, span=None):
    return ir.Apply(ir.BuiltinRef(name), args, span=span)


def ref(local):
    return ir.LocalRef(local)


def arity(params, body, rest=None, returns=None, label=0):
    params = tuple(p if isinstance(p, ir.Param) else ir.Param(p) for p in params)
    rest = ir.Param(rest) if isinstance(rest, ir.Local) else rest
    return ir.Arity(label, params, rest, returns, body)


def fn(params, body, *, name=None, self_local=None, rest=None, returns=None, label=0):
    return ir.Lambda(name, self_local, (arity(params, body, rest, returns, label),))


def apply(function, *args):
    return ir.Apply(function, tuple(args))


def count_down(name, other=None, step=None):
    """(defn name [n] (if (= n 0) :done (other (- n 1))))"""
    body = ir.If(
        call("=", ref(N), const(0)),
        const("done"),
        step or ir.Apply(ir.GlobalRef(other or name), (call("-", ref(N), const(1)),)),
    )
    return ir.Def(name, fn([N], body, name=name))


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (fn([N], ref(N)), [1], 1),
        (fn([], const(5)), [], 5),
        (fn([N], ref(REST), rest=REST), [1, 2, 3], List.of(2, 3)),
        (fn([N], ref(REST), rest=REST), [1], List()),
        (ir.Lambda(None, None, (arity([N], ref(N)), arity([N, M], ref(M)))), [1, 2], 2),
        (ir.Lambda(None, None, (arity([N], ref(N)), arity([N], ref(REST), REST, label=1))), [1], 1),
        (ir.Lambda(None, None, (arity([N], ref(N)), arity([N], ref(REST), REST))), [1, 2], List.of(2)),
        (const(Keyword.of("k")), [None, 7], 7),
        (const(Vector.of(1, 2)), [1], 2),
    ],
)
def test_call(run, function, args, expected):
    assert run(apply(function, *map(const, args))) == expected


@pytest.mark.parametrize(
    ("function", "args", "expected", "name"),
    [
        (fn([N, M], ref(N)), [1], "2", "user-defined function"),
        (fn([], const(1), name="f"), [1], "0", "f"),
        (fn([N], ref(N), rest=REST), [], "at least 1", "user-defined function"),
        (ir.Lambda("g", None, (arity([N], ref(N)), arity([N, M], ref(M)))), [], "1 or 2", "g"),
        (ir.BuiltinRef("inc"), [1, 2], "1", "inc"),
        (const(Keyword.of("k")), [1, 2, 3], "1 or 2", "keyword"),
    ],
)
def test_wrong_count(run, function, args, expected, name):
    with pytest.raises(errors.ArityMismatch) as caught:
        run(apply(function, *map(const, args)))
    assert (caught.value.function, caught.value.expected, caught.value.actual) == (name, expected, len(args))


def test_not_callable(run):
    with pytest.raises(errors.TypeMismatch) as caught:
        run(apply(const(5), const(1)))
    assert caught.value.text() == "Type error in function call: expected function, got integer"


def test_a_function_value_is_a_python_function_that_knows_its_lambda(run):
    node = fn([N], ref(N), name="f")
    made = run(node)
    assert type(made) is FunctionType
    assert made.__name__ == "f"
    assert made.rtfs_lambda is node
    assert run(fn([N], ref(N))).__name__ == "user-defined function"


def test_builtins_call_functions_back(run):
    doubled = run(call("map", fn([N], call("*", ref(N), const(2))), const(Vector.of(1, 2))))
    assert doubled == Vector.of(2, 4)


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        (fn([ir.Param(N, INT)], ref(N)), ["a"], "n"),
        (fn([], const(1), rest=ir.Param(REST, INT)), [1, "b"], "xs[1]"),
        (fn([N], ref(N), returns=INT), ["a"], "return"),
    ],
)
def test_types_are_checked(run, function, args, text):
    with pytest.raises(errors.TypeValidationError, match=r"expected int, got string") as caught:
        run(apply(function, *map(const, args)))
    assert f"at {text}:" in caught.value.text()


def test_the_return_type_is_checked_after_a_tail_call(run):
    outer = ir.Def("outer", fn([N], ir.Apply(ir.GlobalRef("inner"), (ref(N),)), returns=STRING))
    inner = ir.Def("inner", fn([N], ref(N), returns=INT))
    with pytest.raises(errors.TypeValidationError, match="expected string, got integer"):
        run(outer, inner, apply(ir.GlobalRef("outer"), const(1)))


def test_the_innermost_return_check_fails_first(run):
    outer = ir.Def("outer", fn([N], ir.Apply(ir.GlobalRef("inner"), (ref(N),)), returns=STRING))
    inner = ir.Def("inner", fn([N], ref(N), returns=INT))
    with pytest.raises(errors.TypeValidationError, match="expected int, got nil"):
        run(outer, inner, apply(ir.GlobalRef("outer"), const(None)))


@pytest.mark.parametrize("returns", [None, STRING])
def test_tail_calls_do_not_grow(run, returns):
    even, odd = count_down("even", "odd"), count_down("odd", "even")
    if returns is not None:
        typed = fn([N], even.value.arities[0].body, name="even", returns=returns)
        even = ir.Def("even", typed)
    limits = Limits(depth=3)
    assert run(even, odd, apply(ir.GlobalRef("even"), const(5000)), limits=limits) == "done"


def test_tail_calls_pass_through_every_tail_position(run):
    step = ir.Apply(ir.GlobalRef("f"), (call("-", ref(N), const(1)),))
    step = ir.Do((const(1), ir.And((const(True), ir.Or((const(False), step))))))
    step = ir.Let((ir.Binding(M, const(1)),), step)
    step = ir.Loop(7, (ir.Binding(ir.Local(9, "i"), const(0)),), step)
    assert (
        run(count_down("f", step=step), apply(ir.GlobalRef("f"), const(200)), limits=Limits(depth=1)) == "done"
    )


def test_recur_to_a_function_with_rest(run):
    body = ir.If(
        call("empty?", ref(REST)),
        ref(N),
        ir.Recur(4, (call("first", ref(REST)), call("rest", ref(REST)))),
    )
    last = fn([N], body, rest=REST, label=4)
    assert run(apply(last, *map(const, range(50))), limits=Limits(depth=1)) == 49


def test_recur_checks_types_again(run):
    body = ir.If(call("=", ref(N), const(0)), ir.Recur(4, (const("x"),)), ref(N))
    with pytest.raises(errors.TypeValidationError, match="at n: expected int"):
        run(apply(fn([ir.Param(N, INT)], body, label=4), const(0)))


def not_tail(name="f"):
    """(defn f [n] (if (= n 0) 0 (+ 1 (f (- n 1)))))"""
    again = ir.Apply(ir.GlobalRef(name), (call("-", ref(N), const(1)),), span=Span(2, 3, 2, 9))
    step = call("+", const(1), again)
    return ir.Def(name, fn([N], ir.If(call("=", ref(N), const(0)), const(0), step), name=name))


@pytest.mark.parametrize(("depth", "overflows"), [(100, True), (101, False)])
def test_depth_is_counted(run, depth, overflows):
    forms = not_tail(), apply(ir.GlobalRef("f"), const(100))
    if not overflows:
        assert run(*forms, limits=Limits(depth=depth)) == 100
        return
    with pytest.raises(errors.StackOverflow, match=r"depth limit 100"):
        run(*forms, limits=Limits(depth=depth))


def test_deep_recursion_is_a_value_or_an_error(run):
    assert run(not_tail(), apply(ir.GlobalRef("f"), const(20_000))) == 20_000
    with pytest.raises(errors.StackOverflow):
        run(not_tail(), apply(ir.GlobalRef("f"), const(-1)), limits=Limits(depth=20_000))


def test_an_endless_tail_call_meets_the_deadline(run):
    body = ir.Apply(ir.GlobalRef("f"), (ref(N),))
    with pytest.raises(errors.BudgetExhausted, match="deadline"):
        run(ir.Def("f", fn([N], body)), apply(ir.GlobalRef("f"), const(1)), limits=Limits(deadline_s=0.05))


def test_errors_know_their_place_and_the_calls_under_way(run):
    failing = ir.Def("f", fn([N], call("inc", ref(N), span=Span(1, 1, 1, 5)), name="f"))
    outer = ir.Def(
        "g",
        fn(
            [], call("+", const(1), ir.Apply(ir.GlobalRef("f"), (const("x"),), span=Span(2, 1, 2, 8))), name="g"
        ),
    )
    with pytest.raises(errors.TypeMismatch) as caught:
        run(failing, outer, ir.Apply(ir.GlobalRef("g"), (), span=Span(3, 1, 3, 4)))
    error = caught.value
    assert (error.source, error.span) == ("test", Span(1, 1, 1, 5))
    assert error.trace == (
        errors.Frame("f", "test", Span(2, 1, 2, 8)),
        errors.Frame("g", "test", Span(3, 1, 3, 4)),
    )


def test_the_trace_is_bounded_and_the_traceback_short(run):
    failing = ir.If(
        call("=", ref(N), const(0)), call("inc", const("x")), not_tail().value.arities[0].body.otherwise
    )
    with pytest.raises(errors.TypeMismatch) as caught:
        run(ir.Def("f", fn([N], failing, name="f")), apply(ir.GlobalRef("f"), const(500)))
    assert len(caught.value.trace) == 50
    frames, trace = 0, caught.value.__traceback__
    while trace is not None:
        frames, trace = frames + 1, trace.tb_next
    assert frames < 20


def test_bind_function_replaces_functions_and_their_own_references(run):
    seen = []

    def bind(module):
        def hook(node, function, frame):
            def stub(*args):
                seen.append((module, node.name, args))
                return function(*args)

            stub.__dict__.update(vars(function))  # as functools.wraps does
            return stub

        return hook

    me = ir.Local(5, "me")
    again = apply(ref(me), call("-", ref(N), const(1)))
    body = ir.If(call("=", ref(N), const(0)), const("done"), again)
    assert run(apply(fn([N], body, name="f", self_local=me), const(1)), bind=bind) == "done"
    assert seen == [(None, "f", (1,)), (None, "f", (0,))]
