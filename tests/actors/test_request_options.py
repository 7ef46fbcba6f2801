"""From what a driver says to the request for a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.request_options import RequestOptions, request_for
from actors.requests import DEFAULT_CAPABILITIES, DEFAULT_LIMITS, CacheUse, Call, RunRequest
from rtfs.run import Limits
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Map, Vector

LIMITS = Limits(deadline_s=7.0)
FACTS = RuntimeFacts(tenant="acme")


def test_nothing_said() -> None:
    request = request_for("(+ 1 2)", {})
    assert request == RunRequest(source="(+ 1 2)", run_id=request.run_id)
    assert request_for("(+ 1 2)", {}).run_id != request.run_id


OPTIONS: list[tuple[RequestOptions, dict[str, Any]]] = [
    (
        {"args": {"x": [1, {"a": None}], "y": "s"}},
        {"args": {"x": Vector([1, Map({"a": None})]), "y": "s"}},
    ),
    ({"call": ("f", 1, (2, 3))}, {"call": Call(function="f", args=(1, Vector([2, 3])))}),
    ({"limits": LIMITS}, {"limits": LIMITS}),
    ({"modules": {"m": "(module m)"}}, {"modules": {"m": "(module m)"}}),
    ({"source_name": "plan.rtfs"}, {"source_name": "plan.rtfs"}),
    ({"on_target_down": "wait"}, {"on_target_down": "wait"}),
    ({"ticket_id": "t"}, {"ticket_id": "t"}),
    (
        {"cache": CacheUse(bypass=True, no_store=True, max_age_s=1.5)},
        {"cache": CacheUse(bypass=True, no_store=True, max_age_s=1.5)},
    ),
]


@pytest.mark.parametrize(("options", "fields"), OPTIONS)
def test_each_option_has_its_place(options: RequestOptions, fields: dict[str, Any]) -> None:
    request = request_for("1", options)
    assert request == replace(RunRequest(source="1", run_id=request.run_id), **fields)
    assert RunRequest.decode(request.encode()) == request


def test_every_option_is_among_these() -> None:
    tested = {name for options, _ in OPTIONS for name in options} | {"context"}
    assert tested == set(RequestOptions.__annotations__)


UNKNOWN = [
    ({"arg": 1}, "unknown option `arg`; did you mean `args`?"),
    ({"on_target_donw": "wait"}, "unknown option `on_target_donw`; did you mean `on_target_down`?"),
    ({"zzzzzz": 1, "args": {}}, "unknown option `zzzzzz`; there are `args`, `call`, `context`,"),
]


@pytest.mark.parametrize(("options", "text"), UNKNOWN)
def test_an_unknown_option_is_refused(options: Any, text: str) -> None:
    with pytest.raises(TypeError) as caught:
        request_for("1", options)
    assert str(caught.value).startswith(text)


CONTEXTS: list[RuntimeContext] = [
    RuntimeContext.pure(),
    RuntimeContext.full(),
    RuntimeContext.controlled(),
    RuntimeContext.controlled(["b.*", "a"]),
    replace(RuntimeContext.full(), denied_effects=frozenset({":network"}), facts=FACTS),
    replace(RuntimeContext.controlled(["a"]), bounds=LIMITS, facts=FACTS),
]


@pytest.mark.parametrize("context", CONTEXTS)
def test_what_a_context_permits_survives_the_way(context: RuntimeContext) -> None:
    request = RunRequest.decode(request_for("1", {"context": context}).encode())
    found = request.context()
    assert (found.level, found.facts, found.bounds) == (context.level, context.facts, context.bounds)
    assert request.limits == context.bounds
    for capability in ("a", "b.c", "ccos.io.log", "anything"):
        assert found.allows(capability) == context.allows(capability)
        assert found.refused_effect(capability) == context.refused_effect(capability)


WIDENED: list[RuntimeContext] = [
    replace(RuntimeContext.full(), allowed_effects=frozenset({":compute"})),
    replace(RuntimeContext.full(), allowed_capabilities=frozenset({"a"})),
    replace(RuntimeContext.controlled(["a"]), capability_effects={"a": frozenset({":network"})}),
    replace(RuntimeContext.controlled(["a"]), allow_isolated=False),
]


@pytest.mark.parametrize("context", WIDENED)
def test_no_context_is_widened_on_the_way(context: RuntimeContext) -> None:
    with pytest.raises(ValueError, match="cannot be handed on to another process"):
        request_for("1", {"context": context})


def test_limits_that_are_given_count_before_those_of_the_context() -> None:
    assert request_for("1", {"context": RuntimeContext.full(), "limits": LIMITS}).limits == LIMITS
    assert request_for("1", {}).limits == DEFAULT_LIMITS


REPEATABLE: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"level": "pure"}, True),
    ({"level": "full"}, False),
    ({"allowed": ()}, True),
    ({"allowed": DEFAULT_CAPABILITIES[:2]}, True),
    ({"allowed": (*DEFAULT_CAPABILITIES, "x.send")}, False),
    ({"allowed": ("ccos.*",)}, False),  # wider than what is known to touch nothing
    ({"level": "pure", "allowed": ("x.send",)}, True),
]


@pytest.mark.parametrize(("fields", "repeatable"), REPEATABLE)
def test_which_runs_may_be_repeated(fields: dict[str, Any], repeatable: bool) -> None:
    assert RunRequest(source="1", **fields).repeatable is repeatable
