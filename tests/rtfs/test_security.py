"""Contexts, and the way of a call through permission, effects, schemas and the host."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from rtfs import errors
from rtfs.capabilities import Capability
from rtfs.host import DictHost, PureHost
from rtfs.run import MIB, Limits, Run, running
from rtfs.security import RuntimeContext, call_capability
from rtfs.types.parser import parse_type_text
from rtfs.values import Keyword, Map, Set, Vector

PURE, FULL = RuntimeContext.pure(), RuntimeContext.full()


def run_call(host, context, capability_id, *args):
    with running(Run(host, context, Limits())):
        return call_capability(capability_id, list(args))


# ---------------------------------------------------------------- contexts


@pytest.mark.parametrize(
    ("context", "deadline_s", "allocation_bytes"),
    [(PURE, 1, 16 * MIB), (RuntimeContext.controlled(), 5, 64 * MIB), (FULL, None, None)],
)
def test_limits_of_the_levels(context, deadline_s, allocation_bytes):
    limits = context.limits()
    assert (limits.deadline_s, limits.allocation_bytes) == (deadline_s, allocation_bytes)


@pytest.mark.parametrize(
    ("context", "capability_id", "allowed"),
    [
        (PURE, "ccos.io.println", False),
        (FULL, "anything.at-all", True),
        (RuntimeContext.controlled(), "ccos.io.println", False),
        (RuntimeContext.controlled(["a.b"]), "a.b", True),
        (RuntimeContext.controlled(["a.b"]), "a.b.c", False),
        (RuntimeContext.controlled(["a.b"]), "a", False),
        (RuntimeContext.controlled(["a.*"]), "a.b.c", True),
        (RuntimeContext.controlled(["a.*"]), "ab", False),
        (RuntimeContext.controlled(["a.*"]), "a", False),
        (replace(FULL, allowed_capabilities={"a"}), "b", False),
    ],
)
def test_allowlist(context, capability_id, allowed):
    assert context.allows(capability_id) is allowed


@pytest.mark.parametrize(
    ("options", "capability_id", "refused"),
    [
        ({}, "ccos.network.http-fetch", None),
        ({"denied_effects": {"Network"}}, "ccos.network.http-fetch", ":network"),
        ({"allowed_effects": {"compute"}}, "ccos.network.http-fetch", ":network"),
        ({"allowed_effects": {"compute"}}, "a.b", None),
        ({"allowed_effects": set()}, "a.b", ":compute"),
        ({"allowed_effects": {"io"}}, "ccos.user.ask", ":user-interaction"),
        ({"allowed_effects": {"ai"}, "denied_effects": {":ai"}}, "ccos.ai.llm-execute", ":ai"),
        ({"capability_effects": {"a.b": {"Network"}}, "denied_effects": {"network"}}, "a.b", ":network"),
    ],
)
def test_effects(options, capability_id, refused):
    assert RuntimeContext(level="full", **options).refused_effect(capability_id) == refused


@pytest.mark.parametrize(
    ("context", "capability_id", "flagged"),
    [
        (RuntimeContext.controlled(), "ccos.network.http-fetch", True),
        (RuntimeContext.controlled(), "ccos.io.open-file", True),
        (RuntimeContext.controlled(), "ccos.system.get-env", True),
        (RuntimeContext.controlled(), "ccos.system.current-timestamp-ms", False),
        (RuntimeContext.controlled(), "ccos.io.println", False),
        (FULL, "ccos.network.http-fetch", False),
    ],
)
def test_dangerous_calls_are_flagged(context, capability_id, flagged):
    assert context.requires_microvm(capability_id) is flagged


@pytest.mark.parametrize(
    ("options", "exposed"),
    [
        ({}, False),
        ({"exposed_capabilities": {"a.b"}}, False),
        ({"expose_context": True}, False),
        ({"expose_context": True, "exposed_capabilities": {"a.b"}}, True),
        ({"expose_context": True, "exposed_prefixes": {"a."}}, True),
        ({"expose_context": True, "exposed_prefixes": {"b."}}, False),
        ({"expose_context": True, "exposed_tags": {"x"}}, True),
        ({"expose_context": True, "exposed_tags": {"y"}}, False),
    ],
)
def test_exposure_of_context(options, exposed):
    assert RuntimeContext(level="full", **options).exposes_context_to("a.b", {"x"}) is exposed


def test_a_context_is_a_value():
    one, two = RuntimeContext.controlled(["a", "b"]), RuntimeContext.controlled(["b", "a"])
    assert one == two
    assert hash(one) == hash(two)
    with pytest.raises(FrozenInstanceError):
        one.level = "full"
    given = {"x": 1}
    context = replace(FULL, cross_plan_params=given)
    given["x"] = 2
    assert context.cross_plan_params["x"] == 1
    with pytest.raises(TypeError):
        context.cross_plan_params["x"] = 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"level": "open"}, "level must be one of"),
        ({"level": "pure", "allowed_capabilities": {"a"}}, "a pure context allows no capability"),
        ({"level": "controlled", "allowed_capabilities": "a.b"}, "must be a collection of names"),
    ],
)
def test_a_context_is_checked_when_it_is_made(options, text):
    with pytest.raises(ValueError, match=text):
        RuntimeContext(**options)


@pytest.mark.parametrize("isolation", ["inherit", "isolated", "sandboxed"])
def test_isolation_flags(isolation):
    FULL.authorize_isolation(isolation, "step")
    context = replace(FULL, **{f"allow_{isolation}": False})
    with pytest.raises(errors.SecurityViolation, match=f"step operation on capability 'isolation:{isolation}'"):
        context.authorize_isolation(isolation, "step")


# ---------------------------------------------------------------- the pipeline


class Untouchable(PureHost):
    """No method of this may be reached."""

    def __getattribute__(self, name):
        raise AssertionError(f"the host was asked: {name}")


@pytest.mark.parametrize(
    ("context", "operation", "level"),
    [
        (PURE, "capability_authorization", "pure"),
        (RuntimeContext.controlled(["b"]), "capability_authorization", "controlled"),
        (replace(FULL, denied_effects={"compute"}), "effect_policy", "full"),
    ],
)
def test_refused_before_the_host_is_contacted(context, operation, level):
    with pytest.raises(errors.SecurityViolation) as caught:
        run_call(Untouchable(), context, "a.b", 1)
    assert caught.value.text() == (
        f"Security violation: {operation} operation on capability 'a.b' not allowed in context: {level}"
    )


def test_a_pure_host_has_nothing():
    with pytest.raises(errors.Generic, match=r"Capability 'a\.b' not available in pure RTFS mode"):
        run_call(PureHost(), FULL, "a.b")


ADD = Capability(
    function=lambda request: request[Keyword.of("x")] + request[Keyword.of("y")],
    input_schema=parse_type_text("[:map [:x :int] [:y :int]]"),
    output_schema=parse_type_text("[:and :int [:< 100]]"),
)


@pytest.mark.parametrize(
    ("args", "outcome"),
    [
        ((1, 2), 3),
        ((Map({Keyword.of("x"): 1, Keyword.of("y"): 2}),), 3),
        ((1, "2"), "Type validation error: Input validation failed: "),
        ((1,), "Runtime error: Capability 'add' takes one map"),
        ((60, 60), "Type validation error: Output validation failed: "),
    ],
)
def test_arguments_and_answers_are_checked(args, outcome):
    host = DictHost({"add": ADD})
    if isinstance(outcome, int):
        assert run_call(host, FULL, "add", *args) == outcome
        return
    with pytest.raises(errors.RtfsError) as caught:
        run_call(host, FULL, "add", *args)
    assert caught.value.text().startswith(outcome)


class Unprintable(Exception):
    def __str__(self):
        raise ValueError


def fails(error):
    def host_function():
        raise error

    return host_function


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (ValueError("bad"), errors.HostException, "Runtime error: a failed: ValueError: bad"),
        (KeyError(), errors.HostException, "Runtime error: a failed: KeyError"),
        (Unprintable(), errors.HostException, "Runtime error: a failed: Unprintable"),
        (OSError("x" * 9999), errors.HostException, "Runtime error: a failed: OSError: " + "x" * 500),
        (errors.NetworkError("down"), errors.NetworkError, "Network error: down"),
        (errors.BudgetExhausted("cost", "1 $"), errors.BudgetExhausted, None),
        (RecursionError(), RecursionError, None),
        (MemoryError(), MemoryError, None),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_what_a_host_raises(error, kind, text):
    with pytest.raises(kind) as caught:
        run_call(DictHost({"a": fails(error)}), FULL, "a")
    assert type(caught.value) is kind
    if text is not None:
        assert caught.value.text() == text


def test_a_host_whose_schema_fails_is_translated_too():
    class Host(PureHost):
        def get_capability_input_schema(self, capability_id):
            raise OSError("no schemas today")

    with pytest.raises(errors.HostException, match="no schemas today"):
        run_call(Host(), FULL, "a")


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ([1, (2,)], Vector.of(1, Vector.of(2))),
        ({"a": None}, Map({"a": None})),
        ({1, 2}, Set.of(1, 2)),
        (2**63 - 1, 2**63 - 1),
        (True, True),
        (Keyword.of("k"), Keyword.of("k")),
    ],
)
def test_answers_become_values(answer, value):
    assert run_call(DictHost({"a": lambda: answer}), FULL, "a") == value


@pytest.mark.parametrize("answer", [object(), 2**63, b"bytes", 1j, [object()], {"a": b""}, int, [2**70]])
def test_answers_that_are_no_values(answer):
    with pytest.raises(errors.HostException):
        run_call(DictHost({"a": lambda: answer}), FULL, "a")
