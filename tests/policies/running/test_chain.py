"""The state machine of one delegated call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.running.chain import (
    Attempt,
    Chain,
    Event,
    Failed,
    Give,
    Instruction,
    Refused,
    RunBody,
    Step,
    Succeeded,
    Try,
    time_for_chain,
)
from rtfs.delegation import ExecTarget, LocalModel, LocalPure, RemoteModel

A, B, C = RemoteModel("a"), RemoteModel("b"), LocalModel("c")
BODY = LocalPure()


def chain(*targets: ExecTarget, price: int = 0, **options: float | None) -> Chain:
    settings = {"timeout_s": 10.0, "max_cost": None, "min_confidence": None, **options}
    return Chain([Step(target=target, price=price) for target in targets], now=0.0, **settings)  # type: ignore[arg-type]


def follow(machine: Chain, *events: tuple[float, Event]) -> Instruction:
    """Feed events, each at its time; the last instruction."""
    instruction = machine.start(0.0)
    for now, event in events:
        assert isinstance(instruction, Try), instruction
        instruction = machine.on(event, now)
    return instruction


def results(machine: Chain) -> list[tuple[ExecTarget, str, str]]:
    return [(attempt.target, attempt.result, attempt.cause) for attempt in machine.history]


def answer(value: object, confidence: float | None = None, cost: int = 0) -> Succeeded:
    return Succeeded(value=value, confidence=confidence, cost=cost)


FAIL = Failed(cause="timeout")

#: targets, min_confidence, events, what the chain ends with
ENDS: list[tuple[list[ExecTarget], float | None, list[Event], object]] = [
    ([], None, [], "body"),
    ([BODY], None, [], "body"),
    ([A], None, [answer(1)], (1, A)),
    ([A], None, [FAIL], "body"),
    ([A, B], None, [FAIL, answer(2)], (2, B)),
    ([A, B], None, [FAIL, FAIL], "body"),
    ([A, B, C], None, [Refused(by="privacy"), Refused(by="breaker"), answer(3)], (3, C)),
    ([A, BODY, B], None, [FAIL], "body"),
    ([A, B, A], None, [FAIL, FAIL], "body"),  # each once
    ([A, B], None, [answer(1, 0.1)], (1, A)),  # nobody asks for confidence
    ([A, B], 0.8, [answer(1, 0.8)], (1, A)),
    ([A, B], 0.8, [answer(1)], (1, A)),  # no confidence is told
    ([A, B], 0.8, [answer(1, 0.5), answer(2, 0.9)], (2, B)),
    ([A, B], 0.8, [answer(1, 0.5), answer(2, 0.6)], (2, B)),
    ([A, B], 0.8, [answer(1, 0.6), answer(2, 0.5)], (1, A)),
    ([A, B], 0.8, [answer(1, 0.5), answer(2, 0.5)], (1, A)),
    ([A, B, C], 0.8, [answer(1, 0.5), FAIL, Refused(by="budget")], (1, A)),
    ([A, B], 0.8, [answer(1, float("nan")), FAIL], (1, A)),
    ([A, B], 0.8, [answer(1, 0.0), answer(2, float("nan"))], (1, A)),
    ([A, B], 0.8, [answer(1, float("nan")), answer(2, 0.0)], (2, B)),
    ([A, BODY], 0.8, [answer(1, 0.5)], "body"),  # the policy asks for the body next
    ([A], 0.8, [answer(None, 0.5)], (None, A)),  # nil is an answer
]


@pytest.mark.parametrize(("targets", "min_confidence", "events", "end"), ENDS)
def test_how_chains_end(
    targets: list[ExecTarget], min_confidence: float | None, events: list[Event], end: object
) -> None:
    machine = chain(*targets, min_confidence=min_confidence)
    last = follow(machine, *[(0.0, event) for event in events])
    assert (last.value, last.target) == end if isinstance(last, Give) else end == "body"


def test_one_deadline_for_all() -> None:
    machine = chain(A, B, C)
    first = machine.start(0.0)
    assert first == Try(target=A, timeout_s=10.0, max_cost=None)
    assert machine.on(FAIL, 4.0) == Try(target=B, timeout_s=6.0, max_cost=None)
    last = machine.on(FAIL, 10.0)
    assert last == RunBody(reason="local-c: passed-over (deadline), no time was left")
    assert results(machine)[2] == (C, "passed-over", "deadline")
    assert [attempt.at_s for attempt in machine.history] == [4.0, 10.0, 10.0]


def test_a_target_has_a_timeout_of_its_own() -> None:
    machine = Chain([Step(target=A, timeout_s=3.0), Step(target=B, timeout_s=9.0)], now=100.0, timeout_s=10.0)
    assert machine.start(100.0) == Try(target=A, timeout_s=3.0, max_cost=None)
    assert machine.on(FAIL, 103.0) == Try(target=B, timeout_s=7.0, max_cost=None)


def test_an_answer_after_the_deadline_counts() -> None:
    machine = chain(A, B, min_confidence=0.5)
    assert isinstance(follow(machine, (99.0, answer(1, 0.9))), Give)
    late = chain(A, B, min_confidence=0.95)
    last = follow(late, (99.0, answer(1, 0.9)))
    assert isinstance(last, Give)
    assert (last.value, last.reason) == (1, "no answer was more confident than 0.9, though 0.95 was wanted")


def test_one_amount_of_money_for_all() -> None:
    machine = Chain(
        [Step(target=A, price=40), Step(target=B, price=70), Step(target=C, price=60)],
        now=0.0,
        timeout_s=10.0,
        max_cost=100,
    )
    assert machine.start(0.0) == Try(target=A, timeout_s=10.0, max_cost=100)
    third = machine.on(Failed(cause="timeout", cost=40), 1.0)
    assert third == Try(target=C, timeout_s=9.0, max_cost=60)
    last = machine.on(Failed(cause="timeout", cost=70), 2.0)
    assert isinstance(last, RunBody)
    assert machine.spent == 110
    assert [cause for _, _, cause in results(machine)] == ["timeout", "money", "timeout"]
    assert machine.history[1].detail == "it costs 7e-05 USD, 6e-05 were left"


def test_what_is_free_is_tried_when_no_money_is_left() -> None:
    machine = Chain([Step(target=A, price=40), Step(target=C)], now=0.0, timeout_s=10.0, max_cost=50)
    machine.start(0.0)
    assert machine.on(Failed(cause="timeout", cost=90), 1.0) == Try(target=C, timeout_s=9.0, max_cost=0)


def test_unsure_answers_cost_money_too() -> None:
    machine = chain(A, B, price=60, max_cost=100, min_confidence=0.9)
    last = follow(machine, (0.0, answer(1, 0.4, cost=60)))
    assert isinstance(last, Give)
    assert last.value == 1
    assert results(machine) == [(A, "unsure", "low-confidence"), (B, "passed-over", "money")]


def test_history_tells_what_happened() -> None:
    machine = chain(A, B, C, min_confidence=0.9)
    follow(
        machine,
        (1.0, Failed(cause="timeout", detail="after 1 s", cost=5, latency_ms=1000.0)),
        (1.0, Refused(by="privacy", reason="the label `pii`")),
        (3.0, answer(7, 0.95, cost=2)),
    )
    assert machine.history == (
        Attempt(
            target=A, result="failed", cause="timeout", detail="after 1 s", at_s=1.0, cost=5, latency_ms=1000.0
        ),
        Attempt(target=B, result="refused", cause="privacy", detail="the label `pii`", at_s=1.0),
        Attempt(target=C, result="answered", at_s=3.0, cost=2, confidence=0.95),
    )
    assert [str(attempt) for attempt in machine.history] == [
        "remote-a: failed (timeout), after 1 s",
        "remote-b: refused (privacy), the label `pii`",
        "local-c: answered",
    ]


def test_a_chain_that_is_broken_off_notes_why() -> None:
    machine = chain(A, B)
    machine.start(0.0)
    machine.break_off(Failed(cause="program-error", detail="division-by-zero", cost=3), 2.0)
    assert results(machine) == [(A, "failed", "program-error")]
    assert machine.spent == 3
    with pytest.raises(ValueError, match="no target is being tried"):
        machine.on(FAIL, 3.0)


def test_events_out_of_turn() -> None:
    machine = chain(A)
    with pytest.raises(ValueError, match="expected no event, since no target is being tried, got `Failed`"):
        machine.on(FAIL, 0.0)
    machine.start(0.0)
    with pytest.raises(ValueError, match="expected a chain that has not started"):
        machine.start(0.0)
    machine.on(answer(1), 0.0)
    with pytest.raises(ValueError, match="got `Succeeded`"):
        machine.on(answer(1), 0.0)
    empty = chain()
    empty.start(0.0)
    with pytest.raises(ValueError, match="expected a chain that has not started"):
        empty.start(0.0)


@pytest.mark.parametrize(
    ("timeout_s", "run_left_s", "expected"),
    [(60.0, None, 60.0), (60.0, 1000.0, 60.0), (60.0, 10.0, 9.0), (60.0, 0.0, 0.0), (60.0, -5.0, 0.0)],
)
def test_the_body_keeps_a_share_of_the_runs_time(
    timeout_s: float, run_left_s: float | None, expected: float
) -> None:
    assert time_for_chain(timeout_s, run_left_s) == pytest.approx(expected)


EVENTS = st.one_of(
    st.builds(
        Succeeded,
        value=st.integers(),
        cost=st.integers(0, 50),
        confidence=st.one_of(st.none(), st.floats(min_value=0.0, max_value=1.0)),
    ),
    st.builds(Failed, cause=st.just("timeout"), cost=st.integers(0, 50)),
    st.builds(Refused, by=st.sampled_from(["privacy", "budget", "breaker"])),
)
STEPS = st.lists(
    st.builds(
        Step,
        target=st.sampled_from([A, B, C, BODY, RemoteModel("d")]),
        timeout_s=st.one_of(st.none(), st.floats(min_value=0.1, max_value=5.0)),
        price=st.integers(0, 50),
    ),
    max_size=6,
)


@given(
    STEPS,
    st.lists(st.tuples(st.floats(min_value=0.0, max_value=4.0), EVENTS), min_size=6, max_size=6),
    st.one_of(st.none(), st.integers(0, 120)),
    st.one_of(st.none(), st.floats(min_value=0.0, max_value=1.0)),
)
def test_every_chain_ends_in_bounds(
    steps: list[Step],
    events: list[tuple[float, Event]],
    max_cost: int | None,
    min_confidence: float | None,
) -> None:
    machine = Chain(steps, now=0.0, timeout_s=8.0, max_cost=max_cost, min_confidence=min_confidence)
    prices = {step.target: step.price for step in reversed(steps)}
    now, tried, answers = 0.0, [], []
    instruction = machine.start(now)
    for wait_s, event in events:
        if not isinstance(instruction, Try):
            break
        assert 0 < instruction.timeout_s <= 8.0 - now + 1e-9
        if max_cost is not None:
            assert machine.spent + prices[instruction.target] <= max_cost
            assert instruction.max_cost == max_cost - machine.spent
        tried.append(instruction.target)
        if isinstance(event, Succeeded):
            answers.append((event.value, instruction.target))
        now += wait_s
        instruction = machine.on(event, now)
    assert not isinstance(instruction, Try)
    assert len(set(tried)) == len(tried)
    assert BODY not in tried
    if isinstance(instruction, Give):
        assert (instruction.value, instruction.target) in answers
    elif not instruction.planned:
        assert not answers  # an answer is never thrown away but for the body that the policy asks for
    assert [attempt.target for attempt in machine.history if attempt.result != "body"] == [
        target for target in dict.fromkeys(step.target for step in steps) if target != BODY
    ][: len([attempt for attempt in machine.history if attempt.result != "body"])]
