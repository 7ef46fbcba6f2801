"""Bodies that are sent and answers that are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

import rtfs
from actors.remote.evaluation import Evaluated, Evaluation, answer_of, with_call
from actors.remote.http import HttpReply
from actors.requests import MOST_HOPS, RunRequest
from policies.errors import TargetFailed
from rtfs import errors
from rtfs.error_json import describe
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Keyword, Value, Vector

FACTS = RuntimeFacts(
    tenant="acme",
    permissions=frozenset({"b", "a"}),
    labels=frozenset({"run-wide"}),
    plan="p",
    ambient={"hour": 3, "eu": True},
)
RUN = RunRequest(source="…", hops=1, allowed=("ccos.io.*", "x.y"))


def body(**more: Any) -> dict[str, Any]:
    fields = {"source": "(f)", "source_name": "p.rtfs", "of": RUN, "facts": FACTS, "timeout_s": 2.0, **more}
    found: dict[str, Any] = json.loads(Evaluation(**fields).body())
    return found


def test_all_that_goes_along():
    found = body(
        args={"x": Vector([Keyword.of("a"), float("inf")])},
        call=("f", (1, "b")),
        modules={"m": "(module m)"},
        labels=frozenset({"pii"}),
    )
    assert found == {
        "source": "(f)",
        "source_name": "p.rtfs",
        "rtfs_args": {"x": "[:a ##Inf]"},
        "call": {"function": "f", "rtfs_args": ["1", '"b"']},
        "modules": {"m": "(module m)"},
        "level": "controlled",
        "allow": ["ccos.io.*", "x.y"],
        "denied_effects": [],
        "limits": {"deadline_ms": 1900},
        "labels": ["pii", "run-wide"],
        "permissions": ["a", "b"],
        "plan": "p",
        "ambient": {"hour": 3, "eu": True},
        "hops": 2,
    }


def test_what_is_not_there_is_not_sent():
    found = body(facts=RuntimeFacts(), source_name="x" * 300)
    assert "plan" not in found
    assert "call" not in found
    assert len(found["source_name"]) == 200


@pytest.mark.parametrize(
    ("run", "needed", "rights"),
    [
        ({"level": "pure"}, None, {"level": "pure"}),
        ({"level": "full"}, None, {"level": "full"}),
        ({"level": "full"}, {"*"}, {"level": "full"}),
        ({"level": "full"}, set(), {"level": "pure"}),
        ({"level": "full"}, {"a.b"}, {"level": "controlled", "allow": ["a.b"]}),
        ({"level": "controlled", "allowed": ("a.*",)}, None, {"level": "controlled", "allow": ["a.*"]}),
        ({"level": "controlled", "allowed": ("a.*",)}, {"a.b", "c"}, {"level": "controlled", "allow": ["a.b"]}),
        ({"level": "controlled", "allowed": ("a.*",)}, {"c"}, {"level": "pure"}),
        (
            {"level": "full", "denied_effects": frozenset({":network"})},
            {"ccos.network.x", "a"},
            {"level": "controlled", "allow": ["a"]},
        ),
    ],
)
def test_no_more_rights_than_are_needed(run: dict[str, Any], needed: set[str] | None, rights: dict[str, Any]):
    found = body(of=RunRequest(source="", **run), capabilities=None if needed is None else frozenset(needed))
    assert {name: found[name] for name in ("level", "allow") if name in found} == rights
    assert found["denied_effects"] == sorted(run.get("denied_effects", ()))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"call": ("f", (rtfs.evaluate("inc"),))}, "argument 1 of `f`: a function cannot be sent"),
        ({"args": {"x": Keyword.of("a b")}}, "`x`: a keyword that no text denotes"),
        ({"source": '"\ud800"'}, "not valid Unicode"),
        ({"of": RunRequest(source="", hops=MOST_HOPS)}, f"come through {MOST_HOPS} runtimes"),
    ],
)
def test_what_cannot_be_sent_is_no_fault_of_the_target(more: dict[str, Any], why: str):
    with pytest.raises(TargetFailed) as refused:
        body(**more)
    assert refused.value.cause == "bad-request"
    assert why in refused.value.detail


def test_the_last_runtime_may_still_be_asked():
    assert body(of=RunRequest(source="", hops=MOST_HOPS - 1))["hops"] == MOST_HOPS


def test_a_call_as_the_last_form():
    source, args = with_call("(defn f [a b] [a b c]) ; the end", {"c": 3}, "f", (1, Keyword.of("x")))
    assert rtfs.pr_str(rtfs.evaluate(source, args=args)) == "[1 :x 3]"


# ---------------------------------------------------------------- answers


def reply(found: Any, status: int = 200, **headers: str) -> HttpReply:
    kind = "application/json" if status == 200 else "application/problem+json"
    return HttpReply(status=status, headers={"content-type": kind, **headers}, body=json.dumps(found).encode())


def done(text: str, **more: Any) -> dict[str, Any]:
    return {"run_id": "r", "status": "completed", "value": None, "rtfs": text, **more}


def problem(error: errors.RtfsError, code: str = "program-error") -> dict[str, Any]:
    return {"code": code, "error": describe(error)}


@pytest.mark.parametrize(
    ("found", "value", "cost"),
    [
        (done("nil"), None, 0.0),
        (done("7", output="a\n", calls=[{"cost_usd": 0.25}, {"cost_usd": 0.5}]), 7, 0.75),
        (done("7", calls=[{"cost_usd": -1}, {"cost_usd": "1"}, {}, 5, {"cost_usd": float("inf")}]), 7, 0.0),
        (done("7", calls={"cost_usd": 1}), 7, 0.0),
    ],
)
def test_a_value(found: dict[str, Any], value: Value, cost: float):
    answer = answer_of(reply(found), 0.0)
    assert answer == Evaluated(value=value, output=found.get("output", ""), cost_usd=cost)


def test_programs_among_values_are_not_run():
    assert rtfs.pr_str(answer_of(reply(done("(launch!)")), 0.0).value) == "(launch!)"


@pytest.mark.parametrize(
    "found",
    [
        [],
        None,
        {},
        done("["),
        done("1 2"),
        done("^:a x"),
        done("#<function>", portable=False),
        done("1", portable=False),
        done("1", output=5),
        {**done("1"), "rtfs": 1},
        {**done("1"), "status": "failed"},
    ],
)
def test_answers_of_another_shape(found: Any):
    with pytest.raises(TargetFailed) as failed:
        answer_of(reply(found), 0.0)
    assert failed.value.cause == "bad-reply"


@pytest.mark.parametrize(
    ("status", "found", "cause", "detail"),
    [
        (401, {"code": "unauthenticated"}, "auth", "401"),
        (403, {}, "auth", "403"),
        (403, {"code": "forbidden", "detail": "no `x` for you"}, "bad-request", "no `x` for you"),
        (403, problem(errors.SecurityViolation("a", "b", "pure"), "security-violation"), "bad-request", "'b'"),
        (404, {"code": "not-found"}, "bad-reply", "404"),
        (422, problem(errors.InvalidArgument("no value"), "invalid-fields"), "bad-request", "no value"),
        (422, {"code": "invalid-fields"}, "bad-request", "422"),
        (422, problem(errors.BudgetExhausted("deadline", "1 s"), "limit-exceeded"), "timeout", "deadline"),
        (422, problem(errors.UndefinedSymbol("x")), "bad-request", "x"),
        (400, problem(errors.ReadError("Grammar", "no", ()), "unreadable-program"), "bad-request", "no"),
        (500, problem(errors.InternalError("oops"), "internal-error"), "server-error", "oops"),
        (503, problem(errors.DivisionByZero()), "overloaded", "503"),
        (500, ["no", "problem"], "server-error", "500"),
    ],
)
def test_failures_of_the_target(status: int, found: Any, cause: str, detail: str):
    with pytest.raises(TargetFailed) as failed:
        answer_of(reply(found, status), 0.0)
    assert failed.value.cause == cause
    assert detail in failed.value.detail


def test_what_the_server_asks_for_is_kept():
    with pytest.raises(TargetFailed) as failed:
        answer_of(reply({"code": "busy"}, 503, **{"retry-after": "7"}), 0.0)
    assert (failed.value.cause, failed.value.retry_after_s) == ("overloaded", 7.0)


def test_the_programs_own_error():
    with pytest.raises(errors.TypeMismatch) as failed:
        answer_of(reply(problem(errors.TypeMismatch("number", "string", "+")), 422), 0.0)
    assert failed.value.operation == "+"
