"""The stepping driver with real programs, on both backends."""

from __future__ import annotations

import gc

import pytest

from rtfs.host import Complete, RequiresHost
from rtfs.printer import pr_str
from rtfs.program import compile
from rtfs.security import RuntimeContext
from rtfs.stepping import HostDelegate


@pytest.fixture(params=["python", "interpreter"])
def stepper(request):
    def make(text, **options):
        linked = compile(text).link(backend=request.param, **options)
        return linked.step(context=RuntimeContext.full())

    return make


def drive(step):
    """Answer each call: ValueError to `:fail`, else its argument plus one. The calls made and the value."""
    calls, outcome = [], step.start()
    while isinstance(outcome, RequiresHost):
        call = outcome.call
        calls.append((call.capability_id, *call.args))
        outcome = step.fail(ValueError("no")) if call.capability_id == "fail" else step.resume(call.args[0] + 1)
    return calls, pr_str(outcome.value)


@pytest.mark.parametrize(
    ("text", "calls", "value"),
    [
        ("(+ (call :a 1) (call :b 2))", [("a", 1), ("b", 2)], "5"),
        ("(map (fn [x] (call :a x)) [1 2])", [("a", 1), ("a", 2)], "[2 3]"),
        ("(sort-by (fn [x] (- 0 (call :a x))) [1 3 2])", [("a", 1), ("a", 3), ("a", 2)], "[3 2 1]"),
        (
            "(reduce (fn [s x] (+ s (call :a x))) 0 (filter (fn [x] (> (call :b x) 2)) [1 2]))",
            [("b", 1), ("b", 2), ("a", 2)],
            "3",
        ),
        (
            "(try (call :a 1) (catch e :caught) (finally (call :final 1)))",
            [("a", 1), ("final", 1)],
            "2",
        ),
        (
            "(try (call :fail 1) (catch HostError e (getMessage e)) (finally (call :final 1)))",
            [("fail", 1), ("final", 1)],
            '"Runtime error: fail failed: ValueError: no"',
        ),
        ('(step "s" :params {"x" (call :a 1)} (call :b (get %params "x")))', [("a", 1), ("b", 2)], "3"),
        (
            "(loop [i 0 s 0] (if (< i 3) (recur (inc i) (+ s (call :a i))) s))",
            [("a", 0), ("a", 1), ("a", 2)],
            "6",
        ),
        (
            "(defn f [n] (if (= n 0) (call :deep 0) (+ 1 (f (dec n))))) (f 20000)",
            [("deep", 0)],
            "20001",
        ),
    ],
)
def test_programs_go_on_exactly_after_each_call(stepper, text, calls, value):
    assert drive(stepper(text)) == (calls, value)


def test_abandoning_runs_neither_catch_nor_finally(stepper):
    """Both would loop for ever."""
    step = stepper("(try (try (call :a) (catch e (loop [] (recur)))) (finally (loop [] (recur))))")
    step.start()
    del step
    gc.collect()


def test_hinted_functions_are_host_calls(stepper):
    text = '(defn ^:delegation :remote "gpt" f [x] (* x 2)) (+ 1 (f 20))'
    step = stepper(text, delegate=HostDelegate())
    call = step.start().call
    assert (call.capability_id, call.args) == ("model-call:gpt", (20,))
    assert step.resume(5) == Complete(6)


def test_without_a_delegate_their_bodies_run(stepper):
    assert stepper('(defn ^:delegation :remote "gpt" f [x] (* x 2)) (+ 1 (f 20))').start() == Complete(41)


def test_hints_reach_the_call(stepper):
    call = stepper("^{:runtime.timeout-ms (+ 2 3)} (call :a)").start().call
    assert call.metadata.timeout_ms == 5


def test_llm_execute_suspends(stepper):
    call = stepper('(llm-execute :model "m" :prompt "p")').start().call
    assert call.capability_id == "ccos.ai.llm-execute"
    assert pr_str(call.args[0]) == '{:model "m" :prompt "p"}'
