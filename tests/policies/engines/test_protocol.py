"""The example of an engine of one's own, as the documentation has it."""

from __future__ import annotations

from textwrap import dedent
from types import MappingProxyType
from typing import Any

import pytest

from policies.context import CallContext, CallFacts
from policies.engines import protocol
from policies.engines.policy import PolicyEngine
from policies.engines.protocol import Decorator, DelegationEngine
from policies.engines.security import SecurityAwareEngine
from policies.file.policy import Policy
from policies.file.schema import Delegation, LocalModelEntry, PrivacyLabel, RemoteProvider, Security
from policies.rules.rulebook import Current, Rulebook
from rtfs.delegation import ExecTarget, FunctionInfo, LocalModel, LocalPure, RemoteModel, RuntimeFacts

SETTINGS = Delegation(
    default_target="remote-a",
    remote_providers={"a": RemoteProvider(endpoint="https://a")},
    local_models={"tiny": LocalModelEntry(path="tiny.gguf")},
    security=Security(privacy={"top": PrivacyLabel(), "inner": PrivacyLabel(allow=("local-*",))}),
)


def example() -> Any:
    """The class out of the docstring."""
    lines = (protocol.__doc__ or "").splitlines()
    indented = [line for line in lines if not line or line.startswith("    ")]
    code = dedent("\n".join(indented))
    assert 15 <= len([line for line in code.splitlines() if line]) <= 22
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)
    return names["NightShift"]


def call(hour: int | None, label: str | None = None) -> CallContext:
    labels = frozenset() if label is None else frozenset({label})
    function = FunctionInfo("f", None, (), (), "any", None, {}, "hash", labels)
    ambient = MappingProxyType({} if hour is None else {"hour": hour})
    return CallContext.of(CallFacts(function=function, runtime=RuntimeFacts(ambient=ambient)))


@pytest.mark.parametrize(
    ("hour", "label", "target"),
    [
        (None, None, RemoteModel("a")),
        (12, None, RemoteModel("a")),
        (23, None, LocalModel("tiny")),
        (0, None, LocalModel("tiny")),
        (6, None, RemoteModel("a")),
        (23, "inner", LocalModel("tiny")),
        (12, "inner", LocalPure()),
        (23, "top", LocalPure()),
    ],
)
def test_the_example_works_and_stays_behind_the_hard_rules(
    hour: int | None, label: str | None, target: ExecTarget
) -> None:
    current = Current(Rulebook(Policy(settings=SETTINGS, version="1")))
    engine: DelegationEngine = SecurityAwareEngine(example()(PolicyEngine(current)), current)
    assert engine.decide(call(hour, label)) == target
    assert "+night" in engine.version


def test_a_decorator_changes_nothing() -> None:
    current = Current(Rulebook(Policy(settings=SETTINGS, version="1")))
    inner = PolicyEngine(current)
    outer = Decorator(inner)
    assert outer.version == inner.version
    assert outer.plan(call(1)) == inner.plan(call(1))
    assert outer.decide(call(1)) == RemoteModel("a")
