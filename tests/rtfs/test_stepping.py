"""The stepping driver, with plain Python functions in the place of compiled programs."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from contextvars import ContextVar

import pytest

from rtfs import errors, run
from rtfs.delegation import FunctionInfo, LocalModel, LocalPure, RemoteModel
from rtfs.host import Complete, MemoryHost, RequiresHost
from rtfs.run import Limits
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext, call_capability
from rtfs.stepping import HostDelegate, Stepper
from rtfs.steps import run_step, with_hints
from rtfs.values import Keyword, Map, Vector

FULL = RuntimeContext.full()


def call(*args):
    return call_capability("test.ask", list(args))


def stepper(entry, **options):
    return Stepper(entry, context=options.pop("context", FULL), **options)


def test_a_program_without_host_calls_completes_at_once():
    assert stepper(lambda: 42).start() == Complete(42)


def test_each_call_is_handed_out_and_answered_in_order():
    step = stepper(lambda: Vector.of(call(1), call(2)))
    first = step.start()
    assert isinstance(first, RequiresHost)
    assert (first.call.capability_id, first.call.args) == ("test.ask", (1,))
    second = step.resume("a")
    assert isinstance(second, RequiresHost)
    assert second.call.args == (2,)
    assert step.resume("b") == Complete(Vector.of("a", "b"))


def test_resumes_inside_a_callback_inside_a_sort_inside_a_try():
    """From any depth: through C code that called back into Python."""
    finals = []

    def program():
        try:
            return Vector(sorted([3, 1, 2], key=call))
        except errors.RtfsError:
            return "caught"
        finally:
            finals.append(True)

    step = stepper(program)
    outcome = step.start()
    while isinstance(outcome, RequiresHost):
        assert finals == []
        outcome = step.resume(-outcome.call.args[0])
    assert outcome == Complete(Vector.of(3, 2, 1))
    assert finals == [True]


def test_resumes_from_deep_recursion():
    def down(n):
        return call("deep") if n == 0 else down(n - 1) + 1

    step = stepper(lambda: down(50_000))
    assert isinstance(step.start(), RequiresHost)
    assert step.resume(0) == Complete(50_000)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (errors.NetworkError("down"), errors.NetworkError, "Network error: down"),
        (ValueError("odd"), errors.HostException, "Runtime error: test.ask failed: ValueError: odd"),
    ],
)
def test_a_failed_call_raises_where_it_was_made(error, kind, text):
    def program():
        try:
            return call()
        except errors.RtfsError as caught:
            return f"{type(caught).__name__} {caught.text()}"

    step = stepper(program)
    step.start()
    assert step.fail(error) == Complete(f"{kind.__name__} {text}")


def test_an_uncaught_failure_is_raised_from_the_driver():
    step = stepper(call)
    step.start()
    with pytest.raises(errors.NetworkError, match="down"):
        step.fail(errors.NetworkError("down"))
    assert step.outcome is None


def test_bare_python_exceptions_of_a_program_are_translated():
    with pytest.raises(errors.StackOverflow):
        stepper(lambda: (lambda f: f(f))(lambda f: f(f) + 1), limits=Limits(depth=100)).start()


def test_answers_are_adopted_and_foreign_objects_refused():
    step = stepper(call)
    step.start()
    with pytest.raises(errors.HostException, match="no RTFS value, but a Python object"):
        step.resume(object())


def test_permission_is_checked_before_a_program_is_suspended():
    with pytest.raises(errors.SecurityViolation, match="capability_authorization"):
        Stepper(call).start()


@pytest.mark.parametrize("misuse", ["twice", "before", "after"])
def test_misuse_by_the_embedder_is_named(misuse):
    step = stepper(lambda: 1)
    if misuse != "before":
        step.start()
    with pytest.raises(RuntimeError, match="started once" if misuse == "twice" else "does not wait"):
        step.start() if misuse == "twice" else step.resume(1)


def test_another_thread_may_not_resume():
    step = stepper(call)
    step.start()
    seen = []

    def resume():
        try:
            step.resume(1)
        except RuntimeError as error:
            seen.append(str(error))

    thread = threading.Thread(target=resume)
    thread.start()
    thread.join()
    assert seen == ["a Stepper belongs to the thread that started it"]
    assert step.resume(2) == Complete(2)


# ---------------------------------------------------------------- limits and context


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run.poll()


def test_the_deadline_stands_still_while_the_host_works():
    step = stepper(lambda: (call(), spin(0.02))[0], limits=Limits(deadline_s=0.2))
    step.start()
    time.sleep(0.3)
    assert step.resume("late") == Complete("late")


def test_the_deadline_counts_the_time_before_a_suspension():
    def program():
        for _ in range(10):
            spin(0.05)
            call()

    step = stepper(program, limits=Limits(deadline_s=0.12))
    answers = []

    def drive(outcome):
        while isinstance(outcome, RequiresHost):
            answers.append(None)
            outcome = step.resume(None)

    first = step.start()
    with pytest.raises(errors.BudgetExhausted, match="deadline"):
        drive(first)
    assert 1 <= len(answers) <= 3
    assert run.STOP_REQUESTS == []


def test_a_suspended_run_can_be_cancelled_and_disturbs_nobody():
    step = stepper(call)
    step.start()
    run.cancel(step.run)
    assert run.STOP_REQUESTS == []
    with pytest.raises(errors.BudgetExhausted, match="cancelled"):
        step.resume(1)
    assert run.STOP_REQUESTS == []


def test_no_time_at_all():
    with pytest.raises(errors.BudgetExhausted, match="deadline"):
        stepper(lambda: 1, limits=Limits(deadline_s=0)).start()


def test_the_recursion_limit_is_put_back_at_each_suspension():
    before = sys.getrecursionlimit()
    inside = []
    step = stepper(lambda: inside.append(sys.getrecursionlimit()) or call())
    step.start()
    assert sys.getrecursionlimit() == before < inside[0]


def test_context_variables_belong_to_their_side():
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    variable.set("driver")

    def program():
        seen = [variable.get()]
        variable.set("program")
        call()
        return Vector([*seen, variable.get()])

    step = stepper(program)
    step.start()
    assert variable.get() == "driver"
    with pytest.raises(errors.InternalError, match="no run is under way"):
        run.current_run()
    variable.set("driver again")
    assert step.resume(None) == Complete(Vector.of("driver", "program"))


def test_two_programs_interleave():
    one, two = stepper(lambda: Vector.of(call("one"), call("one"))), stepper(lambda: call("two"))
    one.start()
    two.start()
    assert one.resume(1).call.args == ("one",)
    assert two.resume(2) == Complete(2)
    assert one.resume(3) == Complete(Vector.of(1, 3))


def test_a_program_may_drive_another_program():
    def outer():
        inner = stepper(lambda: call("inner"))
        asked = inner.start()
        return inner.resume(call(*asked.call.args)).value

    step = stepper(outer)
    assert step.start().call.args == ("inner",)
    assert step.resume("through") == Complete("through")


# ---------------------------------------------------------------- abandoning


class Witness:
    """Something to hold in a frame and see freed."""


@pytest.mark.parametrize("how", ["drop", "close", "cycle"])
def test_abandoning_frees_the_stack_and_runs_nothing_of_the_program(how):
    """A backend runs `finally` for errors other than LimitErrors; this stands for one."""
    ran = []
    host = MemoryHost()
    freed = []

    def program():
        witness = Witness()
        weakref.finalize(witness, freed.append, True)
        try:
            return run_step("step", "s", {}, None, call)
        except Exception as error:
            if not isinstance(error, errors.LimitError):
                ran.append("final")
            raise

    step = stepper(program, host=host)
    step.start()
    steps_before = host.causal_context()
    if how == "close":
        step.close()
    elif how == "cycle":
        step.self = [step]
    del step
    gc.collect()
    assert (ran, freed) == ([], [True])
    assert host.causal_context() == steps_before


def test_abandoning_a_deep_stack():
    def down(n):
        return call() if n == 0 else down(n - 1) + 1

    step = stepper(lambda: down(50_000))
    step.start()
    del step
    assert run.STOP_REQUESTS == []


def test_abandoning_does_not_reach_the_program_again():
    calls = []

    def program():
        try:
            call("first")
        except BaseException:
            calls.append("caught")
            call("second")

    step = stepper(program)
    step.start()
    del step
    gc.collect()
    assert calls == ["caught"]


# ---------------------------------------------------------------- what a call carries


def test_a_call_carries_its_causes_hints_and_exposed_context():
    host = MemoryHost(context={"city": "Rome", "secret": "x"})
    host.set_execution_context("plan-1", ["intent-1"], "action-1")
    exposed = RuntimeContext(level="full", expose_context=True, exposed_prefixes=frozenset({"test."}))
    hints = {"runtime.timeout-ms": 500, "runtime.model": "small"}

    def program():
        return run_step(
            "step", "look", {"context-keys": Vector.of("city")}, None, lambda: with_hints(hints, call)
        )

    asked = stepper(program, host=host, context=exposed).start().call
    assert asked.security_context is exposed
    causal = asked.causal_context
    assert (causal.plan_id, causal.intent_id, causal.parent_action_id) == ("plan-1", "intent-1", "action-1")
    assert causal.step_id.startswith("look")
    assert asked.metadata.timeout_ms == 500
    assert asked.metadata.context == Map({"city": "Rome"})
    assert asked.metadata.execution_hints == Map(hints)


def test_a_plain_call_carries_nothing_more():
    asked = stepper(call).start().call
    assert (asked.causal_context, asked.metadata) == (None, None)


# ---------------------------------------------------------------- delegated calls


def local_body(text):
    return f"local {text}"


def info(name="f"):
    return FunctionInfo(name, None, ("text",), ("any",), "any", None, {}, "")


@pytest.mark.parametrize(
    ("target", "capability"), [(LocalModel("tiny"), "model-call:tiny"), (RemoteModel("big"), "model-call:big")]
)
def test_a_delegated_call_is_a_host_call(target, capability):
    stub = HostDelegate().bind(info(), target, RuntimeFacts(), local_body)
    step = Stepper(lambda: stub("hello"))
    asked = step.start().call
    assert (asked.capability_id, asked.args) == (capability, ("hello",))
    assert step.resume("world") == Complete("world")
    assert step.run.delegations == 1


def test_a_local_target_is_the_function_itself():
    assert HostDelegate().bind(info(), LocalPure(), RuntimeFacts(), local_body) is local_body
    assert HostDelegate().target(info(), RuntimeFacts()) == LocalPure()


def test_a_host_that_does_not_know_the_model_lets_the_body_run():
    stub = HostDelegate().bind(info(), RemoteModel("big"), RuntimeFacts(), local_body)
    step = Stepper(lambda: stub("hello"))
    step.start()
    assert step.fail(errors.UnknownCapability("model-call:big")) == Complete("local hello")


def test_a_stub_checks_the_number_of_arguments_before_it_asks():
    stub = HostDelegate().bind(info(), RemoteModel("big"), RuntimeFacts(), local_body)
    with pytest.raises(errors.ArityMismatch, match="expected 1, got 2"):
        Stepper(lambda: stub(1, 2)).start()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"limits": Limits(delegations=0)}, errors.BudgetExhausted),
        (
            {"context": RuntimeContext(level="full", denied_effects=frozenset({":ai"}))},
            errors.SecurityViolation,
        ),
    ],
)
def test_delegations_can_be_limited_and_denied(options, error):
    stub = HostDelegate().bind(info(), RemoteModel("big"), RuntimeFacts(), local_body)
    with pytest.raises(error):
        Stepper(lambda: stub(Keyword.of("x")), **options).start()
