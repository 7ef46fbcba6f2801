"""`ResilientEngine`: targets that are down come last, and come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.context import CallContext, CallFacts
from policies.engines.protocol import DelegationEngine
from policies.engines.resilient import ResilientEngine, is_resting
from policies.file.load import load_policy
from policies.plan import DelegationPlan, Expected
from policies.rules.rulebook import Current, Rulebook
from policies.targets import target_name
from policies.world import Circuit, TargetState, World
from rtfs.delegation import ExecTarget, FunctionInfo, LocalPure, RemoteModel

A, B, C, BODY = RemoteModel("a"), RemoteModel("b"), RemoteModel("c"), LocalPure()
POLICY = load_policy('[delegation.remote_providers]\nb = { endpoint = "https://b.example", cost_usd = 0.5 }\n')
NOW = 1000.0
DOWN = TargetState(circuit="open", retry_at=NOW + 30, error_rate=0.75)
DUE = TargetState(circuit="open", retry_at=NOW)
TRYING = TargetState(circuit="half-open")

_INFO = FunctionInfo(
    symbol="f",
    doc=None,
    parameters=(),
    parameter_types=(),
    return_type="any",
    hint=None,
    metadata={},
    ir_hash="0",
)
CALL = CallContext.of(CallFacts(function=_INFO))


class Fixed(DelegationEngine):
    version = "1"

    def __init__(self, *targets: ExecTarget) -> None:
        first, *chain = targets
        self.made = DelegationPlan(target=first, chain=tuple(chain), stage="rule", reasoning="rule `r`")

    def plan(self, call: CallContext) -> DelegationPlan:
        return self.made

    def decide(self, call: CallContext) -> ExecTarget:
        return self.made.target


def plan(targets: list[ExecTarget], states: dict[ExecTarget, TargetState]) -> DelegationPlan:
    world = World(now=NOW, targets={target_name(target): state for target, state in states.items()})
    return ResilientEngine(Fixed(*targets), Current(Rulebook(POLICY), world)).plan(CALL)


CASES: list[tuple[list[ExecTarget], dict[ExecTarget, TargetState], list[ExecTarget]]] = [
    ([A, B, C], {}, [A, B, C]),
    ([A, B, C], {A: TargetState(error_rate=0.9)}, [A, B, C]),
    ([A, B, C], {A: DOWN}, [B, C, A]),
    ([A, B, C], {B: DOWN}, [A, C, B]),
    ([A, B, C], {A: DOWN, B: DOWN}, [C, A, B]),
    ([A, B, C], {A: DUE}, [A, B, C]),
    ([A, B, C], {A: TRYING}, [A, B, C]),
    ([A, B], {A: DOWN, B: DOWN}, [BODY]),
    ([A], {A: DOWN}, [BODY]),
    ([A, BODY], {A: DOWN}, [BODY]),
    ([A, B, BODY], {A: DOWN}, [B, BODY]),
    ([BODY], {A: DOWN}, [BODY]),
]


@pytest.mark.parametrize(("targets", "states", "expected"), CASES)
def test_order(
    targets: list[ExecTarget], states: dict[ExecTarget, TargetState], expected: list[ExecTarget]
) -> None:
    found = plan(targets, states)
    assert [found.target, *found.chain] == expected


STAYING: list[tuple[list[ExecTarget], dict[ExecTarget, TargetState], list[ExecTarget]]] = [
    ([A, B], {A: DOWN, B: DOWN}, [A, B]),
    ([A], {A: DOWN}, [A]),
    ([A, B], {A: DOWN}, [B, A]),
    ([A, BODY], {A: DOWN}, [BODY]),
]


@pytest.mark.parametrize(("targets", "states", "expected"), STAYING)
def test_where_nothing_else_is_left_a_plan_may_stay(
    targets: list[ExecTarget], states: dict[ExecTarget, TargetState], expected: list[ExecTarget]
) -> None:
    world = World(now=NOW, targets={target_name(target): state for target, state in states.items()})
    engine = ResilientEngine(Fixed(*targets), Current(Rulebook(POLICY), world), stays=True)
    found = engine.plan(CALL)
    assert [found.target, *found.chain] == expected
    assert [each.target for each in found.rejected] == [each for each in targets if each in states]
    if found.target == targets[0]:
        assert (found.stage, found.reasoning) == ("rule", "rule `r`")


def test_the_plan_says_what_is_down() -> None:
    found = plan([A, B], {A: DOWN})
    assert found.stage == "fallback"
    assert found.reasoning == "rule `r`; remote-a is unhealthy, so remote-b"
    assert found.expected == Expected(cost_usd=0.5)
    assert [str(rejection) for rejection in found.rejected] == [
        "remote-a: its circuit is open for another 30 s (75% of its calls failed)"
    ]
    first = plan([A, B], {B: DOWN})
    assert (first.stage, first.reasoning) == ("rule", "rule `r`")
    assert [rejection.target for rejection in first.rejected] == [B]


def test_a_plan_without_anything_down_is_the_same_object() -> None:
    current = Current(Rulebook(POLICY), World(now=NOW, targets={"remote-c": DOWN}))
    inner = Fixed(A, B)
    assert ResilientEngine(inner, current).plan(CALL) is inner.made


def test_the_version_follows_the_world() -> None:
    current = Current(Rulebook(POLICY), World(version=1))
    engine = ResilientEngine(Fixed(A), current)
    before = engine.version
    current.world = World(version=2)
    assert engine.version != before


STATES = st.dictionaries(
    st.sampled_from([A, B, C]),
    st.builds(
        TargetState,
        circuit=st.sampled_from(["closed", "open", "half-open"]).map(lambda name: _circuit(name)),
        retry_at=st.sampled_from([0.0, NOW - 1, NOW, NOW + 1]),
    ),
)


def _circuit(name: str) -> Circuit:
    return name  # type: ignore[return-value]


@given(st.lists(st.sampled_from([A, B, C, BODY]), min_size=1, max_size=4, unique=True), STATES)
def test_nothing_new_and_nothing_healthy_lost(
    targets: list[ExecTarget], states: dict[ExecTarget, TargetState]
) -> None:
    found = plan(targets, states)
    order = [found.target, *found.chain]
    world = World(now=NOW, targets={target_name(target): state for target, state in states.items()})
    healthy = [target for target in targets if not is_resting(target, world)]
    assert order[: len(healthy)] == healthy
    assert set(order) <= {*targets, BODY}
    assert len(set(order)) == len(order)
    assert not is_resting(found.target, world)
    assert {rejection.target for rejection in found.rejected} == set(targets) - set(healthy)
