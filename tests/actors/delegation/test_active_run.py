"""A run under way: how it is found, stopped and put off, and what its calls come to."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from actors.delegation.active_run import ActiveRun, active_run
from actors.requests import CallSummary, Deferral, RunRequest
from policies.plan import DelegationPlan
from policies.running.chain import Attempt, Known
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


def test_calls_that_a_cache_answered_are_counted_by_tier() -> None:
    active = ActiveRun(REQUEST)
    active.add(record("f", M, M, Attempt(target=M, result="answered")))
    for known in (
        Known(tier="l2-hot", age_s=3.0, saved=500_000, saved_ms=20.0),
        Known(tier="l3", age_s=1.0, similarity=0.99, error_bound=0.01, saved=1, saved_ms=1.0),
        Known(tier="l2-hot", age_s=9.0, saved=250_000, saved_ms=10.0),
        Known(tier="l3", age_s=0.0, similarity=0.95, error_bound=0.005),
        Known(tier="shared"),
    ):
        attempt = Attempt(target=M, result="answered", known=known)
        active.add(record("f", M, M, attempt, spent=0))
    found = [
        (each.tier, each.calls, each.oldest_s, each.similarity, each.error_bound, each.saved_usd, each.saved_ms)
        for each in active.summaries()
    ]
    assert found == [
        (None, 1, None, None, None, 0.0, 0.0),
        ("l2-hot", 2, 9.0, None, None, 0.75, 30.0),
        ("l3", 2, 1.0, 0.95, 0.01, 1e-6, 1.0),
        ("shared", 1, 0.0, None, None, 0.0, 0.0),
    ]


def test_what_was_known_of_another_target_than_answered_does_not_count() -> None:
    active = ActiveRun(REQUEST)
    unsure = Attempt(target=M, result="unsure", confidence=0.1, known=Known(tier="l2-hot", saved=5))
    active.add(record("f", M, A, unsure, Attempt(target=A, result="answered")))
    (found,) = active.summaries()
    assert (found.tier, found.saved_usd, found.oldest_s) == (None, 0.0, None)


def test_the_hash_of_a_program_is_that_of_all_that_goes_along() -> None:
    one = ActiveRun(RunRequest(source="1", args={"x": 1}, modules={"m": "2"}))
    assert one.program_digest() == ActiveRun(replace(one.request, run_id="other")).program_digest() is not None
    changes = ({"source": "2"}, {"args": {"x": 1.0}}, {"args": {}}, {"modules": {"m": "3"}})
    digests = {ActiveRun(replace(one.request, **change)).program_digest() for change in changes}
    assert len(digests | {one.program_digest()}) == 5
    assert ActiveRun(RunRequest(source="1", args={"x": print})).program_digest() is None


def test_calls_with_different_answers_are_counted_apart() -> None:
    active = ActiveRun(REQUEST)
    for answer, confidence in ((":a", 0.5), (":b", 0.9), (":a", 0.7), (None, 0.1)):
        attempt = Attempt(target=M, result="answered", confidence=confidence)
        active.add(record("f", M, M, attempt, answer=answer))
    found = [(each.answer, each.calls, each.confidence) for each in active.summaries()]
    assert found == [(":a", 2, pytest.approx(0.6)), (":b", 1, 0.9), (None, 1, 0.1)]


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
