"""Requests and replies: round trips, and what bytes from anywhere can do."""

from __future__ import annotations

import pytest

import rtfs
from actors.requests import CacheUse, Call, CallSummary, Deferral, RunReply, RunRequest
from rtfs import errors
from rtfs.ir_codec import encode_value
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Map, Vector

REQUEST = RunRequest(
    source="(f x)",
    source_name="plan.rtfs",
    args={"x": Vector([1, 2.0, None])},
    call=Call(function="f", args=(1, "a")),
    modules={"m": "(module m)"},
    facts=RuntimeFacts(
        tenant="acme",
        permissions=frozenset({"a", "b"}),
        labels=frozenset({"confidential"}),
        plan="p",
        ambient={"hour": 3, "eu": True},
    ),
    level="full",
    allowed=("x.*",),
    denied_effects=frozenset({":network"}),
    limits=rtfs.Limits(deadline_s=1.5, delegations=7),
    on_target_down="wait",
    ticket_id="t",
    traceparent="00-1-2-01",
    hops=2,
    cache=CacheUse(bypass=True, no_store=True, max_age_s=2.5),
)
REPLY = RunReply(
    run_id="run-1",
    status="completed",
    value=Vector([1]),
    text="[1]",
    output="hello\n",
    calls=(
        CallSummary(
            function="f", target="local-a", answered_by=None, reason="r", calls=2, took_ms=1.5, cost_usd=0.25
        ),
        CallSummary(
            function="g",
            target="remote-a",
            answered_by="remote-a",
            reason="",
            calls=3,
            took_ms=0.5,
            cost_usd=0.0,
            confidence=0.5,
            answer=":yes",
            tier="l3",
            oldest_s=12.0,
            similarity=0.96,
            error_bound=0.01,
            saved_usd=0.75,
            saved_ms=900.0,
        ),
    ),
    took_ms=2.5,
    had_effects=True,
    deferral=Deferral(target="remote-x", until=12.5),
)


def test_requests_come_back():
    after = RunRequest.decode(REQUEST.encode())
    assert after == REQUEST
    assert after.facts.key() == REQUEST.facts.key()
    plain = RunRequest(source="1")
    assert RunRequest.decode(plain.encode()) == plain


@pytest.mark.parametrize(
    "use", [CacheUse(), CacheUse(bypass=True), CacheUse(no_store=True), CacheUse(max_age_s=0)]
)
def test_what_is_wanted_of_caches_comes_back(use):
    assert RunRequest.decode(RunRequest(source="1", cache=use).encode()).cache == use


def test_a_request_from_before_there_were_caches_wants_nothing_of_them():
    fields = dict(rtfs.ir_codec.decode_value(REQUEST.encode()).items())
    del fields["cache"]
    assert RunRequest.decode(encode_value(Map(fields))).cache == CacheUse()


@pytest.mark.parametrize("age", [-1, -0.001, float("nan")])
def test_an_age_below_nothing_is_refused(age):
    with pytest.raises(ValueError, match="expected a `max_age_s` of at least 0 seconds"):
        CacheUse(max_age_s=age)


def test_replies_come_back():
    assert RunReply.decode(REPLY.encode()) == REPLY


def test_an_error_comes_back_with_its_place():
    with pytest.raises(rtfs.RtfsError) as caught:
        rtfs.evaluate("(defn f [x] (+ x (/ 1 0))) (f 1)", source_name="a.rtfs")
    reply = RunReply.decode(RunReply(run_id="r", status="failed", error=caught.value).encode())
    assert type(reply.error) is errors.DivisionByZero
    assert reply.error.span == caught.value.span
    assert reply.error.trace == caught.value.trace
    with pytest.raises(errors.DivisionByZero):
        reply.outcome()


def test_a_value_that_cannot_leave_its_run_is_said():
    reply = RunReply(run_id="r", status="completed", text="#<function>", portable=False)
    with pytest.raises(errors.Generic, match="#<function>, cannot leave its run"):
        RunReply.decode(reply.encode()).outcome()


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, encode_value(1), encode_value(Map({})), REQUEST.encode()[:-3]]
)
def test_what_is_damaged_is_refused(data):
    with pytest.raises(errors.StorageError):
        RunRequest.decode(data)
    with pytest.raises(errors.StorageError):
        RunReply.decode(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("level", "root"), ("hops", "1"), ("allowed", Vector([1])), ("limits", 3), ("cache", 1)),
        *(
            ("cache", Vector([True, False])),
            ("cache", Vector([1, False, None])),
            ("cache", Vector([True, None, 1])),
        ),
        *(("cache", Vector([True, True, -1.0])), ("cache", Vector([True, True, "1"]))),
    ],
)
def test_a_field_of_another_type_is_named(name, value):
    fields = dict(rtfs.ir_codec.decode_value(REQUEST.encode()).items()) | {name: value}
    with pytest.raises(errors.StorageError, match=f"damaged request: `{name}`"):
        RunRequest.decode(encode_value(Map(fields)))
