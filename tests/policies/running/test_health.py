"""The circuit breaker: what opens it, for how long, and that it comes back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.file.schema import Health
from policies.running.health import (
    AT_ONCE,
    CAUSES,
    COOL_DOWN_S,
    MAX_RETRY_AFTER_S,
    NOT_ITS_FAULT,
    TRIAL_PATIENCE_S,
    WINDOW_CALLS,
    HealthTracker,
    Record,
    abandoned,
    admit,
    adopted,
    cool_down,
    failed,
    state_of,
    succeeded,
)
from policies.world import Circuit, TargetState

PLAIN = Health()


def call(
    record: Record, now: float, cause: str | None = None, settings: Health = PLAIN, **more: float
) -> Record:
    """The record after one call that was let through."""
    admitted = admit(record, settings, now)
    assert admitted is not None
    if cause is None:
        return succeeded(admitted, settings, now, more.get("latency_ms", 10.0))
    return failed(admitted, settings, now, cause, more.get("retry_after_s"))


def after(record: Record, *causes: str | None, settings: Health = PLAIN, now: float = 1000.0) -> Record:
    for cause in causes:
        record = call(record, now, cause, settings)
    return record


def test_every_cause_has_a_cool_down_or_is_not_the_targets_fault() -> None:
    assert set(COOL_DOWN_S) | NOT_ITS_FAULT == CAUSES
    assert not set(COOL_DOWN_S) & NOT_ITS_FAULT
    assert set(COOL_DOWN_S) >= AT_ONCE


ERR, OK = "server-error", None
#: settings, outcomes, circuit
OPENINGS: list[tuple[dict[str, float], list[str | None], str]] = [
    ({}, [ERR, ERR], "closed"),
    ({}, [ERR, ERR, ERR], "open"),
    ({}, [ERR, ERR, OK, ERR, ERR], "open"),  # 4 of 5
    ({}, [OK, ERR, OK, ERR, OK, ERR], "closed"),  # half, which is not more than half
    ({"consecutive_failures": 9}, [ERR, ERR, ERR, ERR], "closed"),  # fewer than min_calls
    ({"consecutive_failures": 9}, [ERR, ERR, ERR, ERR, ERR], "open"),
    ({"consecutive_failures": 9, "max_error_rate": 1.0}, [ERR] * 8, "closed"),
    ({"consecutive_failures": 1}, ["timeout"], "open"),
    ({}, ["bad-request"] * 9, "closed"),
    ({}, ["cancelled"] * 9, "closed"),
    ({}, ["never heard of"] * 3, "open"),
    *[({}, [cause], "open") for cause in sorted(AT_ONCE)],
    *[({}, [cause], "closed") for cause in sorted(CAUSES - AT_ONCE)],
]


@pytest.mark.parametrize(("changes", "outcomes", "circuit"), OPENINGS)
def test_what_opens_a_circuit(changes: dict[str, float], outcomes: list[str | None], circuit: str) -> None:
    settings = Health.model_validate(changes)
    record = after(Record(), *outcomes, settings=settings)
    assert record.circuit == circuit
    assert record.in_flight == 0


def test_a_slow_median_opens_a_circuit() -> None:
    settings = Health(max_latency_ms=100.0, min_calls=3)
    record = Record()
    for latency_ms in (500.0, 50.0, 500.0):
        record = call(record, 0.0, settings=settings, latency_ms=latency_ms)
    assert (record.circuit, record.cause) == ("open", "slow")
    fast = Record()
    for latency_ms in (50.0, 500.0, 50.0, 100.0):
        fast = call(fast, 0.0, settings=settings, latency_ms=latency_ms)
    assert fast.circuit == "closed"


def test_what_is_too_old_does_not_count() -> None:
    settings = Health(consecutive_failures=99, min_calls=2, window_s=60.0)
    record = call(Record(), 0.0, "timeout", settings)
    assert call(record, 61.0, "timeout", settings).circuit == "closed"
    assert call(record, 59.0, "timeout", settings).circuit == "open"
    assert state_of(record, settings, 59.0).error_rate == 1.0
    assert state_of(record, settings, 61.0) == TargetState()


@pytest.mark.parametrize(
    ("cause", "openings", "retry_after_s", "seconds"),
    [
        ("timeout", 1, None, 15.0),
        ("timeout", 2, None, 30.0),
        ("timeout", 4, None, 120.0),
        ("timeout", 40, None, 600.0),
        ("timeout", 4000, None, 600.0),
        ("auth", 1, None, 300.0),
        ("auth", 2, None, 600.0),
        ("rate-limited", 1, None, 10.0),
        ("rate-limited", 1, 2.0, 2.0),
        ("rate-limited", 3, 2.0, 8.0),
        ("rate-limited", 1, 3600.0, 3600.0),
        ("rate-limited", 9, 3600.0, 3600.0),
        ("nobody knows", 1, None, COOL_DOWN_S["unknown"]),
        ("nobody knows", 1, 0.0, 0.0),
    ],
)
def test_how_long_a_circuit_rests(
    cause: str, openings: int, retry_after_s: float | None, seconds: float
) -> None:
    assert cool_down(PLAIN, cause, openings, retry_after_s) == seconds


def test_the_policy_sets_cool_downs() -> None:
    settings = Health(cool_down_s={"timeout": 1.5, "unknown": 7.0}, max_cool_down_s=5.0)
    assert cool_down(settings, "timeout", 1) == 1.5
    assert cool_down(settings, "timeout", 3) == 5.0
    assert cool_down(settings, "nobody knows", 1) == 5.0
    assert cool_down(settings, "server-error", 1) == 5.0


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), -1.0, None])
def test_a_retry_after_that_cannot_be_meant_is_not_heard(nonsense: float | None) -> None:
    record = admit(Record(), PLAIN, 0.0)
    assert record is not None
    assert failed(record, PLAIN, 0.0, "rate-limited", nonsense).retry_at == COOL_DOWN_S["rate-limited"]


def test_a_retry_after_of_years_is_a_day() -> None:
    record = call(Record(), 0.0, "rate-limited", retry_after_s=1e9)
    assert record.retry_at == MAX_RETRY_AFTER_S


def test_open_then_half_open_then_closed() -> None:
    record = after(Record(), "auth", now=0.0)
    assert admit(record, PLAIN, 299.9) is None
    trial = admit(record, PLAIN, 300.0)
    assert trial is not None
    assert trial.circuit == "half-open"
    assert admit(trial, PLAIN, 300.0) is None
    closed = succeeded(trial, PLAIN, 301.0, 5.0)
    assert (closed.circuit, closed.window, closed.in_flight) == ("closed", (), 0)
    assert call(closed, 301.0, "timeout").circuit == "closed"


def test_a_failed_trial_opens_again_for_longer() -> None:
    record = after(Record(), *["timeout"] * 3, now=0.0)
    assert record.retry_at == 15.0
    record = call(record, 15.0, "timeout")
    assert (record.circuit, record.openings, record.retry_at) == ("open", 2, 45.0)
    record = call(record, 45.0)
    assert record.circuit == "closed"
    soon = after(record, *["timeout"] * 3, now=50.0)
    assert (soon.openings, soon.retry_at) == (3, 110.0)
    later = after(record, *["timeout"] * 3, now=200.0)
    assert (later.openings, later.retry_at) == (1, 215.0)


def test_as_many_trials_as_the_policy_says() -> None:
    settings = Health(half_open_calls=3)
    record = after(Record(), "auth", now=0.0)
    for _ in range(3):
        admitted = admit(record, settings, 300.0)
        assert admitted is not None
        record = admitted
    assert admit(record, settings, 300.0) is None
    assert admit(abandoned(record), settings, 300.0) is not None
    assert (
        admit(record, settings, 300.0 + TRIAL_PATIENCE_S - 1) is None or record.cool_down_s < TRIAL_PATIENCE_S
    )
    assert admit(record, settings, 600.0) is not None  # lost trials are given up


def test_stragglers_do_not_close_an_open_circuit_nor_lengthen_its_rest() -> None:
    record = Record()
    for _ in range(5):
        admitted = admit(record, PLAIN, 0.0)
        assert admitted is not None
        record = admitted
    for _ in range(3):
        record = failed(record, PLAIN, 1.0, "timeout")
    opened = record
    record = succeeded(record, PLAIN, 2.0, 10.0)
    record = failed(record, PLAIN, 3.0, "auth")
    assert (record.circuit, record.retry_at, record.openings) == ("open", opened.retry_at, 1)
    assert record.in_flight == 0


def test_a_window_is_bounded() -> None:
    record = after(Record(), *[None] * (WINDOW_CALLS * 3))
    assert len(record.window) == WINDOW_CALLS


def test_what_decisions_see() -> None:
    record = Record()
    for latency_ms in (10.0, 30.0, 20.0):
        record = call(record, 5.0, latency_ms=latency_ms)
    record = call(record, 5.0, "timeout")
    admitted = admit(record, PLAIN, 6.0)
    assert admitted is not None
    assert state_of(admitted, PLAIN, 6.0) == TargetState(error_rate=0.25, latency_ms=20.0, in_flight=1)
    opened = after(Record(), "auth", now=5.0)
    assert state_of(opened, PLAIN, 6.0) == TargetState(circuit="open", retry_at=305.0, error_rate=1.0)


EVENTS = st.lists(
    st.tuples(
        st.floats(min_value=0.0, max_value=400.0),
        st.one_of(st.none(), st.just("abandoned"), st.sampled_from(sorted(CAUSES))),
        st.one_of(st.none(), st.floats(min_value=0.0, max_value=1000.0)),
        st.booleans(),
    ),
    max_size=60,
)
SETTINGS = st.builds(
    Health,
    window_s=st.floats(min_value=1.0, max_value=100.0),
    min_calls=st.integers(1, 6),
    max_error_rate=st.floats(min_value=0.0, max_value=1.0),
    consecutive_failures=st.integers(1, 5),
    half_open_calls=st.integers(1, 3),
    max_latency_ms=st.one_of(st.none(), st.just(50.0)),
    max_cool_down_s=st.floats(min_value=1.0, max_value=1000.0),
)


@given(SETTINGS, EVENTS)
def test_nothing_passes_while_open_and_a_success_recovers(
    settings: Health, events: list[tuple[float, str | None, float | None, bool]]
) -> None:
    record, now, under_way = Record(), 0.0, 0
    for wait_s, outcome, retry_after_s, is_left_running in events:
        now += wait_s
        admitted = admit(record, settings, now)
        if record.circuit == "open":
            assert (admitted is None) == (now < record.retry_at)
        if admitted is None:
            assert record.circuit != "closed"
            continue
        before, record, under_way = record, admitted, under_way + 1
        assert record.trials <= settings.half_open_calls
        if not is_left_running:
            under_way -= 1
            if outcome is None:
                record = succeeded(record, settings, now, 10.0)
                assert record.circuit == "closed"
            elif outcome == "abandoned":
                record = abandoned(record)
            else:
                record = failed(record, settings, now, outcome, retry_after_s)
                if before.circuit != "closed" and outcome not in NOT_ITS_FAULT:
                    assert record.circuit == "open"
        assert record.in_flight == under_way
        assert record.retry_at - now <= max(settings.max_cool_down_s, 1000.0, TRIAL_PATIENCE_S)
    # however it went: once the rest is over, one success brings the target back
    now += 1e6
    trial = admit(record, settings, now)
    assert trial is not None
    assert succeeded(trial, settings, now, 1.0).circuit == "closed"


@given(SETTINGS, EVENTS)
def test_a_tracker_does_what_the_functions_do(
    settings: Health, events: list[tuple[float, str | None, float | None, bool]]
) -> None:
    changes: list[tuple[str, str]] = []
    tracker = HealthTracker(settings, lambda name, state: changes.append((name, state.circuit)))
    record, now, circuits = Record(), 0.0, ["closed"]
    for wait_s, outcome, retry_after_s, is_left_running in events:
        now += wait_s
        admitted = admit(record, settings, now)
        assert tracker.admit("t", now) == (admitted is not None)
        if admitted is None:
            continue
        record = admitted
        circuits.append(record.circuit)
        if not is_left_running:
            if outcome is None:
                tracker.succeeded("t", now, 10.0)
                record = succeeded(record, settings, now, 10.0)
            elif outcome == "abandoned":
                tracker.abandoned("t", now)
                record = abandoned(record)
            else:
                tracker.failed("t", now, outcome, retry_after_s)
                record = failed(record, settings, now, outcome, retry_after_s)
            circuits.append(record.circuit)
    assert tracker.record("t") == record
    if events:
        assert tracker.states(now).get("t", TargetState()) == state_of(record, settings, now)
    expected = [("t", b) for a, b in pairwise(circuits) if a != b]
    assert changes == expected


def test_targets_are_apart_and_the_next_change_is_known() -> None:
    tracker = HealthTracker()
    for name, cause in (("a", "auth"), ("b", "rate-limited")):
        assert tracker.admit(name, 0.0)
        tracker.failed(name, 0.0, cause)
    assert tracker.admit("c", 0.0)
    assert {name: state.circuit for name, state in tracker.states(1.0).items()} == {
        "a": "open",
        "b": "open",
        "c": "closed",
    }
    assert tracker.next_change(1.0) == 10.0
    assert tracker.next_change(10.0) == 300.0
    assert tracker.next_change(300.0) is None
    assert tracker.record("never called") == Record()


# ---------------------------------------------------------------- what other processes found out

OPENED = Record(circuit="open", openings=2, cool_down_s=10.0, retry_at=110.0, cause="auth")
TRYING = Record(circuit="half-open", openings=1, retry_at=160.0, trials=1, in_flight=1)

ADOPTED: list[tuple[Record, tuple[Circuit, float, str | None], tuple[Circuit, float, str | None] | None]] = [
    (Record(), ("open", 105.0, "timeout"), ("open", 105.0, "timeout")),
    (Record(), ("open", 105.0, "what nobody knows"), ("open", 105.0, "unknown")),
    (Record(), ("open", 105.0, None), ("open", 105.0, "unknown")),
    (Record(), ("open", 100.0, "timeout"), None),  # over already
    (Record(), ("open", float("nan"), "timeout"), None),
    (Record(), ("closed", 0.0, None), None),
    (Record(), ("half-open", 200.0, None), None),
    (OPENED, ("open", 120.0, "timeout"), ("open", 120.0, "timeout")),  # the longer rest counts
    (OPENED, ("open", 110.0, "timeout"), None),  # its own news, come back
    (OPENED, ("open", 105.0, "timeout"), None),
    (OPENED, ("closed", 0.0, None), ("closed", 0.0, "auth")),
    (TRYING, ("open", 105.0, "timeout"), ("open", 105.0, "timeout")),
    (TRYING, ("closed", 0.0, None), ("closed", 0.0, None)),
]


@pytest.mark.parametrize(("before", "told", "expected"), ADOPTED)
def test_what_is_taken_over_from_others(
    before: Record,
    told: tuple[Circuit, float, str | None],
    expected: tuple[Circuit, float, str | None] | None,
) -> None:
    after_ = adopted(before, *told, 100.0)
    if after_ is None:
        assert expected is None
        return
    assert (after_.circuit, after_.retry_at, after_.cause) == expected
    assert after_.in_flight == before.in_flight  # calls under way here are still to end
    assert after_.trials == 0
    if after_.circuit == "open":
        assert admit(after_, PLAIN, after_.retry_at - 0.1) is None
        assert admit(after_, PLAIN, after_.retry_at) is not None
    else:
        assert after_.window == ()


def test_a_trial_that_fails_after_a_circuit_was_taken_over_rests_longer_than_the_first_time() -> None:
    record = adopted(Record(), "open", 105.0, "timeout", 100.0)
    assert record is not None
    again = call(record, 105.0, "timeout")
    assert again.retry_at - 105.0 == 2 * COOL_DOWN_S["timeout"]


def test_a_tracker_takes_over_without_telling() -> None:
    told: list[str] = []
    tracker = HealthTracker(on_change=lambda name, state: told.append(state.circuit))
    assert tracker.adopt("t", "open", 50.0, "timeout", 10.0)
    assert not tracker.adopt("t", "open", 50.0, "timeout", 10.0)
    assert not tracker.admit("t", 49.0)
    assert tracker.states(20.0)["t"] == TargetState(circuit="open", retry_at=50.0)
    assert tracker.next_change(20.0) == 50.0
    assert tracker.adopt("t", "closed", 0.0, None, 20.0)
    assert tracker.admit("t", 21.0)
    assert told == []
    tracker.failed("t", 22.0, "auth")
    assert told == ["open"]
