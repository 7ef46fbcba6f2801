"""`try`, steps, hints and tickets."""

from __future__ import annotations

import pytest

from rtfs import errors, ir
from rtfs.run import Limits
from rtfs.tickets import FinishedTicket
from rtfs.values import ErrorValue, Map, Vector

E, ALSO, N, SEEN = ir.Local(1, "e"), ir.Local(2, "also"), ir.Local(3, "n"), ir.Local(4, "seen")


def const(value):
    return ir.Constant(value)


def call(name, *args):
    return ir.Apply(ir.BuiltinRef(name), args)


def catch(body, selector=None, also=None):
    return ir.Catch(selector or ir.CatchAll(), E, also, body)


def category(*names):
    return ir.CatchCategory(names[0], names)


def noting(body):
    """Run `body` where `(def seen 1)` in it can be seen afterwards: [value-or-error seen]."""
    reported = ir.Try(body, (catch(call("getMessage", ir.LocalRef(E))),), None)
    seen = ir.Try(ir.LocalRef(SEEN), (ir.Catch(ir.CatchAll(), ir.Local(9, "no"), None, const(None)),), None)
    return ir.VectorOf((reported, seen))


DIVIDE = call("/", const(1), const(0))
MARK = ir.LocalDef(SEEN, const(1))
MESSAGE = call("getMessage", ir.LocalRef(E))


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (ir.Try(const(1), (), MARK), [1, 1]),
        (ir.Try(DIVIDE, (catch(MESSAGE),), None), ["Division by zero", None]),
        (ir.Try(DIVIDE, (catch(MESSAGE),), MARK), ["Division by zero", 1]),
        (ir.Try(DIVIDE, (), MARK), ["Division by zero", 1]),
        (
            ir.Try(DIVIDE, (catch(const(1), category("ArityMismatch")), catch(const(2))), None),
            [2, None],
        ),
        (ir.Try(DIVIDE, (catch(call("throw", const("other"))),), MARK), ["other", 1]),
        (ir.Try(const(1), (), call("throw", const("final"))), ["final", None]),
        (ir.Try(DIVIDE, (catch(const(1), also=ALSO),), None), [1, None]),
        (ir.Try(DIVIDE, (catch(call("=", ir.LocalRef(E), ir.LocalRef(ALSO)), also=ALSO),), None), [True, None]),
    ],
)
def test_try(run, node, expected):
    assert run(noting(node)) == Vector(expected)


def test_an_error_raised_while_another_is_handled_names_it(run):
    with pytest.raises(errors.ApplicationError) as caught:
        run(ir.Try(DIVIDE, (catch(call("throw", const("worse"))),), None))
    assert isinstance(caught.value.cause, errors.DivisionByZero)
    rethrown = ir.Try(DIVIDE, (catch(call("throw", ir.LocalRef(E))),), None)
    with pytest.raises(errors.DivisionByZero) as caught:
        run(rethrown)
    assert caught.value.cause is None


def test_caught_errors_hold_no_python_frames(run):
    caught = run(ir.Try(DIVIDE, (catch(ir.LocalRef(E)),), None))
    assert type(caught) is ErrorValue
    assert caught.error.__traceback__ is None


def test_limits_pass_through_catch_and_finally(run):
    endless = ir.Arity(8, (), None, None, call("+", const(1), ir.Apply(ir.GlobalRef("f"), ())))
    define = ir.Def("f", ir.Lambda("f", None, (endless,)))
    told = ir.Def("told", const("no"))
    tell = ir.Def("told", const("yes"))
    with pytest.raises(errors.StackOverflow):
        run(
            told, define, ir.Try(ir.Apply(ir.GlobalRef("f"), ()), (catch(tell),), tell), limits=Limits(depth=50)
        )


def test_try_is_no_tail_position(run):
    """A function that calls itself inside `try` nests."""
    step = ir.Apply(ir.GlobalRef("f"), (call("dec", ir.LocalRef(N)),))
    body = ir.If(call("=", ir.LocalRef(N), const(0)), DIVIDE, ir.Try(step, (), const(None)))
    function = ir.Lambda("f", None, (ir.Arity(8, (ir.Param(N),), None, None, body),))
    forms = ir.Def("f", function), ir.Apply(ir.GlobalRef("f"), (const(10),))
    with pytest.raises(errors.DivisionByZero):
        run(*forms, limits=Limits(depth=11))
    with pytest.raises(errors.StackOverflow):
        run(*forms, limits=Limits(depth=10))


def test_step_runs_its_body_with_its_parameters(run):
    params = ir.Local(5, "%params")
    node = ir.Step(
        "step",
        const("s"),
        (("expose-context", const(False)),),
        (("a", call("inc", const(1))),),
        params,
        call("get", ir.LocalRef(params), const("a")),
    )
    assert run(node) == 2
    assert run(ir.Step("step", const("s"), (), None, None, const(3))) == 3


def test_a_step_shares_the_frame(run):
    step = ir.Step("step", const("s"), (), None, None, ir.LocalDef(SEEN, const(5)))
    assert run(ir.Do((step, ir.LocalRef(SEEN)))) == 5


def test_hinted_gives_the_value_of_its_body(run):
    assert run(ir.Hinted((("runtime.timeout", const(5)),), const(Map({"a": 1})))) == Map({"a": 1})


def test_async_without_anything_to_overlap(run):
    done = run(ir.Async(const(1)))
    assert type(done) is FinishedTicket
    assert (done.state, done.wait(None)) == ("completed", 1)
    failed = run(ir.Async(DIVIDE))
    assert failed.state == "failed"
    with pytest.raises(errors.DivisionByZero):
        failed.wait(None)


def test_race_is_its_first_item(run):
    assert run(ir.Race((const(1), DIVIDE))) == 1
