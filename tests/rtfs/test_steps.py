"""Steps, hints and llm-execute: what the host hears, in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtfs import errors
from rtfs.host import PureHost
from rtfs.run import Limits, Run, running
from rtfs.security import RuntimeContext
from rtfs.steps import llm_execute, run_step, with_hints
from rtfs.values import Keyword, Map, Vector

FULL = RuntimeContext.full()
K = Keyword.of


class Recorder(PureHost):
    """Writes down what it hears."""

    def __init__(self):
        self.heard = []

    def notify_step_started(self, name):
        self.heard.append(("started", name))
        return f"id of {name}"

    def notify_step_completed(self, step_id, value):
        self.heard.append(("completed", step_id, value))

    def notify_step_failed(self, step_id, message):
        self.heard.append(("failed", step_id, message))

    def set_step_exposure_override(self, expose, context_keys):
        self.heard.append(("override", expose, context_keys))

    def clear_step_exposure_override(self):
        self.heard.append(("clear override",))

    def set_execution_hint(self, key, value):
        self.heard.append(("hint", key, value))

    def clear_all_execution_hints(self):
        self.heard.append(("clear hints",))

    def execute_capability(self, capability_id, args):
        self.heard.append(("call", capability_id, args))
        return "answer"


def heard(action, context=FULL):
    """What the host hears, and what came of it: a value or the text of an error."""
    host = Recorder()

    def body():
        host.heard.append(("body",))
        return 42

    with running(Run(host, context, Limits())):
        try:
            result = action(body)
        except errors.RtfsError as error:
            result = error.text()
    return host.heard, result


def fail(error):
    def body():
        raise error

    return body


@pytest.mark.parametrize("kind", ["step", "step-if", "step-loop", "step-parallel"])
def test_a_step_notifies_around_its_body(kind):
    assert heard(lambda body: run_step(kind, "s", {}, None, body)) == (
        [("started", "s"), ("body",), ("completed", "id of s", 42)],
        42,
    )


@pytest.mark.parametrize(
    ("options", "override"),
    [
        ({"expose-context": True}, (True, None)),
        ({"expose-context": False}, (False, None)),
        ({"context-keys": Vector.of("a", K("b"))}, (True, ("a", "b"))),
        ([("context-keys", Vector.of()), ("expose-context", True)], (True, ())),
    ],
)
def test_the_exposure_override_is_outermost(options, override):
    events, _ = heard(lambda body: run_step("step", "s", options, Map({}), body))
    assert events[0] == ("override", *override)
    assert events[1][0] == "started"
    assert events[-1] == ("clear override",)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.DivisionByZero(), "Division by zero"),
        (errors.BudgetExhausted("deadline", "1 s"), "Resource budget exhausted: deadline (policy: 1 s)"),
    ],
)
def test_a_failing_step_notifies_and_raises_on(error, text):
    events, result = heard(lambda _: run_step("step", "s", {"expose-context": True}, None, fail(error)))
    assert events[1:] == [("started", "s"), ("failed", "id of s", text), ("clear override",)]
    assert result == text


def test_a_python_exception_in_a_step_keeps_its_kind():
    """It is translated further out, where its place is known."""
    with pytest.raises(ZeroDivisionError):
        heard(lambda _: run_step("step", "s", {}, None, lambda: 1 / 0))


@pytest.mark.parametrize(
    ("kind", "flag", "isolation"),
    [
        ("step", "allow_inherit", "isolation:inherit"),
        ("step-if", "allow_inherit", "isolation:inherit"),
        ("step-loop", "allow_inherit", "isolation:inherit"),
        ("step-parallel", "allow_isolated", "isolation:isolated"),
    ],
)
def test_a_forbidden_isolation_stops_before_the_host_hears_anything(kind, flag, isolation):
    events, result = heard(lambda body: run_step(kind, "s", {}, None, body), replace(FULL, **{flag: False}))
    assert events == []
    assert result == (
        f"Security violation: {kind} operation on capability '{isolation}' not allowed in context: full"
    )


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        (1, {}, "a string as the name of a step, got integer"),
        ("s", {"expose-context": "yes"}, "a boolean after :expose-context, got string"),
        ("s", {"expose-context": None}, "a boolean after :expose-context, got nil"),
        ("s", {"context-keys": "a"}, "a vector of strings after :context-keys, got string"),
        ("s", {"context-keys": Vector.of(1)}, "a vector of strings after :context-keys, got integer in it"),
        (
            "s",
            {"merge-policy": K("all")},
            ":keep-existing or :overwrite or :merge after :merge-policy, got :all",
        ),
        ("s", {"merge-policy": "merge"}, "after :merge-policy, got string"),
    ],
)
def test_bad_shapes(name, options, text):
    events, result = heard(lambda body: run_step("step", name, options, None, body))
    assert events == []
    assert result.startswith("Invalid arguments: expected ")
    assert result.endswith(text)


def test_hints_are_set_in_order_and_cleared():
    hints = [("runtime.a", 1), ("runtime.b", K("x"))]
    assert heard(lambda body: with_hints(hints, body)) == (
        [("hint", "runtime.a", 1), ("hint", "runtime.b", K("x")), ("body",), ("clear hints",)],
        42,
    )


def test_hints_are_cleared_after_an_error():
    events, result = heard(lambda _: with_hints({"runtime.a": 1}, fail(errors.DivisionByZero())))
    assert (events[-1], result) == (("clear hints",), "Division by zero")


def test_a_host_that_fails_in_a_notification_is_translated():
    class Failing(PureHost):
        def notify_step_started(self, name):
            raise OSError("disk full")

    with running(Run(Failing(), FULL, Limits())), pytest.raises(errors.HostException, match="disk full"):
        run_step("step", "s", {}, None, lambda: 1)


# ---------------------------------------------------------------- llm-execute


@pytest.mark.parametrize(
    ("system", "answer"), [(None, "hello"), ("be brief", "be brief\n\nhello"), ("", "\n\nhello")]
)
def test_the_echo_model_answers_with_the_prompt(system, answer):
    assert heard(lambda _: llm_execute("echo-model", "hello", system)) == ([], answer)


@pytest.mark.parametrize("model", ["echo-model", "other"])
def test_llm_execute_needs_its_capability(model):
    events, result = heard(lambda _: llm_execute(model, "hello"), RuntimeContext.pure())
    assert events == []
    assert result.startswith("Security violation: capability_authorization operation")


@pytest.mark.parametrize("system", [None, "s"])
def test_other_models_are_a_host_call(system):
    request = {K("model"): "m", K("prompt"): "p"} | ({K("system"): "s"} if system else {})
    assert heard(lambda _: llm_execute("m", "p", system)) == (
        [("call", "ccos.ai.llm-execute", [Map(request)])],
        "answer",
    )


@pytest.mark.parametrize(
    ("args", "role"), [((1, "p"), "model"), (("m", None), "prompt"), (("m", "p", 1), "system")]
)
def test_llm_execute_takes_strings(args, role):
    _, result = heard(lambda _: llm_execute(*args))
    assert result.startswith(f"Invalid arguments: expected a string as the {role}")
