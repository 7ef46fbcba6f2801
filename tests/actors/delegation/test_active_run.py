"""A run under way: how it is found, stopped and put off, and what its calls come to."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest

from actors.delegation.active_run import ActiveRun, active_run
from actors.requests import CallSummary, Deferral, RunRequest
from policies.plan import DelegationPlan
from policies.running.chain import Attempt
from policies.running.runner import CallRecord
from rtfs import errors
from rtfs.delegation import ExecTarget, LocalModel, LocalPure, RemoteModel
from rtfs.program import new_run
from rtfs.run import running
from rtfs.runtime_facts import RuntimeFacts

REQUEST = RunRequest(source="1", run_id="r")
A, M = RemoteModel("a"), LocalModel("m")


def record(
    symbol: str, target: ExecTarget, answered_by: ExecTarget | None, *history: Attempt, **more: Any
) -> CallRecord:
    return CallRecord(
        fn_symbol=symbol,
        plan=DelegationPlan(target=target, stage="rule"),
        facts=RuntimeFacts(),
        history=history,
        answered_by=answered_by,
        reason="",
        at=0.0,
        **{"spent": 10, "took_ms": 2.0, **more},
    )


def test_it_is_found_where_it_runs_and_nowhere_else() -> None:
    outer, inner = ActiveRun(REQUEST), ActiveRun(REQUEST)
    assert active_run() is None
    with outer:
        assert active_run() is outer
        elsewhere: list[ActiveRun | None] = []
        thread = threading.Thread(target=lambda: elsewhere.append(active_run()))
        thread.start()
        thread.join()
        assert elsewhere == [None]
        with suppress(ZeroDivisionError), inner:
            assert active_run() is inner
            raise ZeroDivisionError
        assert active_run() is outer
    assert active_run() is None


@pytest.mark.parametrize("before", [True, False])
def test_it_is_stopped_before_and_after_it_began_and_the_first_reason_counts(before: bool) -> None:
    active, run = ActiveRun(REQUEST), new_run(None, None, None, None)
    if before:
        active.cancel("first")
    with running(run):
        active.began(run)
        if not before:
            assert run.stop is None
            active.cancel("first")
        active.cancel("second")
        assert run.stop is not None
        assert "first" in run.stop.text()
    assert active.cancelled == "first"


def test_putting_it_off_ends_it_with_an_error_that_no_program_catches() -> None:
    active = ActiveRun(REQUEST)
    deferral = Deferral(target="remote-a", until=5.0)
    error = active.defer(deferral)
    assert active.deferral is deferral
    assert isinstance(error, errors.LimitError)
    assert not error.catchable


def test_the_confidence_of_those_who_answered() -> None:
    active = ActiveRun(REQUEST)
    for confidence in (0.5, 1.0, None):
        active.add(record("f", M, M, Attempt(target=M, result="answered", confidence=confidence)))
    unsure = Attempt(target=M, result="unsure", confidence=0.1)
    active.add(record("g", M, A, unsure, Attempt(target=A, result="answered", confidence=0.9)))
    active.add(record("h", M, A, unsure, Attempt(target=A, result="answered")))
    assert [each.confidence for each in active.summaries()] == [0.75, 0.9, None]


def test_calls_that_went_alike_are_counted_together() -> None:
    active = ActiveRun(REQUEST)
    refused = Attempt(target=A, result="refused", cause="breaker", detail="its circuit is open")
    answered = Attempt(target=M, result="answered")
    body = Attempt(target=LocalPure(), result="body")
    for number in range(3):
        active.add(record("f", M, M, answered))
        late = Attempt(target=A, result="failed", cause="timeout", detail=f"no answer within 0.{number} s")
        active.add(record("h", A, M, late, answered))
    active.add(record("f", A, M, refused, answered, took_ms=5.0))
    active.add(record("f", A, LocalPure(), refused, body))
    active.add(record("g", A, None, refused, spent=0))
    why = "remote-a: refused (breaker), its circuit is open"
    assert active.summaries() == (
        CallSummary(
            function="f",
            target="local-m",
            answered_by="local-m",
            reason="",
            calls=3,
            took_ms=6.0,
            cost_usd=3e-5,
        ),
        CallSummary(
            function="h",
            target="remote-a",
            answered_by="local-m",
            reason="remote-a: failed (timeout), no answer within 0.0 s",
            calls=3,
            took_ms=6.0,
            cost_usd=3e-5,
        ),
        CallSummary(
            function="f",
            target="remote-a",
            answered_by="local-m",
            reason=why,
            calls=1,
            took_ms=5.0,
            cost_usd=1e-5,
        ),
        CallSummary(
            function="f",
            target="remote-a",
            answered_by="local-pure",
            reason=why,
            calls=1,
            took_ms=2.0,
            cost_usd=1e-5,
        ),
        CallSummary(
            function="g", target="remote-a", answered_by=None, reason=why, calls=1, took_ms=2.0, cost_usd=0.0
        ),
    )


def test_many_threads_count_every_call() -> None:
    active = ActiveRun(REQUEST)

    def add_many() -> None:
        for _ in range(500):
            active.add(record("f", M, M))

    threads = [threading.Thread(target=add_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (only,) = active.summaries()
    assert (only.calls, only.took_ms) == (2000, 4000.0)
