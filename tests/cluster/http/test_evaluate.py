"""POST /v1/evaluate and /v1/explain: what is asked for, what comes back, and which status says what."""

from __future__ import annotations

import pytest
from local_server import client_of

from actors.requests import DEFAULT_CAPABILITIES, DEFAULT_LIMITS
from cluster.http.app import http_app
from cluster.http.settings import HttpSettings
from rtfs.run import MIB
from rtfs.values import Keyword, Map, Set


async def evaluated(client, **body):
    answer = await client.post("/v1/evaluate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


#: source → value, text
VALUES = {
    "(+ 1 2)": (3, "3"),
    "nil": (None, "nil"),
    "true": (True, "true"),
    '"zwölf ✓"': ("zwölf ✓", '"zwölf ✓"'),
    "1.5": (1.5, "1.5"),
    '{:a [1 :b] "c" #{2}}': ({"a": [1, ":b"], "c": [2]}, '{:a [1 :b] "c" #{2}}'),
    '{:a 1 "a" 2}': (None, '{:a 1 "a" 2}'),
}


@pytest.mark.parametrize("source", VALUES)
async def test_values(source, client):
    found = await evaluated(client, source=source)
    assert (found["value"], found["rtfs"]) == VALUES[source]
    assert (found["status"], found["portable"], found["error"]) == ("completed", True, None)


async def test_what_json_cannot_say_is_told_as_text(client):
    infinite = await evaluated(client, source="(* 1.0e300 1.0e300)")
    assert infinite["value"] is None
    assert infinite["rtfs"] not in ("nil", "")
    deep = await evaluated(client, source="(reduce (fn [v _] [v]) [] (range 20000))")
    assert deep["value"] is None
    assert deep["rtfs"].startswith("[[[[")
    function = await evaluated(client, source="(fn [x] x)")
    assert (function["value"], function["portable"]) == (None, False)


async def test_output_is_told(client):
    found = await evaluated(client, source='(do (println "hello") 1)')
    assert found["output"] == "hello\n"


async def test_arguments(client, service):
    found = await evaluated(
        client, source="[n text items wanted]", args={"n": 3, "text": "x", "items": [1.5, None]},
        rtfs_args={"wanted": "#{:a}"},
    )  # fmt: skip
    assert found["rtfs"] == '[3 "x" [1.5 nil] #{:a}]'
    assert service.requests[-1].args["wanted"] == Set([Keyword.of("a")])


async def test_a_call(client):
    source = "(defn f [m] (get m :a))"
    found = await evaluated(client, source=source, call={"function": "f", "rtfs_args": ["{:a 7}"]})
    assert found["value"] == 7
    found = await evaluated(client, source="(defn g [x y] (+ x y))", call={"function": "g", "args": [1, 2]})
    assert found["value"] == 3


async def test_modules(client):
    module = "(module m (:exports [twice]) (defn twice [n] (* 2 n)))"
    found = await evaluated(client, source="(import m :as m) (m/twice 4)", modules={"m": module})
    assert found["value"] == 8


async def test_everything_reaches_the_request(client, service):
    await evaluated(
        client,
        source="1",
        source_name="plan.rtfs",
        level="controlled",
        allow=["ccos.echo"],
        denied_effects=[":network"],
        limits={
            "deadline_ms": 1500,
            "allocation_bytes": 1 << 20,
            "output_bytes": 9,
            "delegations": 2,
            "depth": 99,
        },
        labels=["confidential"],
        permissions=["p"],
        plan="q",
        ambient={"hour": 3, "eu": True, "region": "x"},
        hops=2,
    )
    request = service.requests[-1]
    assert (request.source_name, request.level, request.allowed) == ("plan.rtfs", "controlled", ("ccos.echo",))
    assert request.denied_effects == {":network"}
    limits = request.limits
    assert (limits.deadline_s, limits.allocation_bytes, limits.output_bytes) == (1.5, 1 << 20, 9)
    assert (limits.delegations, limits.depth) == (2, 99)
    assert request.facts.labels == {"confidential"}
    assert request.facts.permissions == {"p"}
    assert request.facts.plan == "q"
    assert request.facts.ambient == {"hour": 3, "eu": True, "region": "x"}
    assert request.hops == 2


async def test_what_is_left_out_has_its_usual_value(client, service):
    await evaluated(client, source="1")
    request = service.requests[-1]
    # the local user may do everything, and a program that nobody said anything about may not
    assert (request.level, request.allowed, request.limits) == (
        "controlled",
        DEFAULT_CAPABILITIES,
        DEFAULT_LIMITS,
    )
    await evaluated(client, source="1", limits={"depth": 50})
    assert service.requests[-1].limits.deadline_s == DEFAULT_LIMITS.deadline_s


async def test_trace_context_is_passed_on_if_it_is_one(client, service):
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    for header, expected in ((good, good), ("00-xyz", None), (f"{good}\tx", None)):
        await client.post("/v1/evaluate", json={"source": "1"}, headers={"traceparent": header})
        assert service.requests[-1].traceparent == expected


#: how a program ends → status, code
ENDS = {
    "(+ 1": (400, "unreadable-program"),
    "(recur 1) 2": (422, "invalid-program"),
    "(/ 1 0)": (422, "program-error"),
    "(nope)": (422, "program-error"),
    '(throw {:type :mine :message "no"})': (422, "program-error"),
    '(call :ccos.io.read-file "x")': (403, "security-violation"),
    "(defn f [n] (+ 1 (f n))) (f 1)": (422, "limit-exceeded"),
    "(loop [] (recur))": (422, "limit-exceeded"),
}


@pytest.mark.parametrize("source", ENDS)
async def test_ends(source, client):
    limits = {"deadline_ms": 300, "depth": 1000}
    answer = await client.post("/v1/evaluate", json={"source": source, "limits": limits})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == ENDS[source]
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["error"]["source"] == "<request>"
    assert problem["error"]["line"] == 1
    assert problem["error"]["message"] == problem["detail"]


async def test_which_limit_it_was(client):
    body = {"source": "(loop [] (recur))", "limits": {"deadline_ms": 50}}
    assert (await client.post("/v1/evaluate", json=body)).json()["limit"] == "deadline"
    body = {"source": '(do (println "abc") 1)', "limits": {"output_bytes": 2}}
    assert (await client.post("/v1/evaluate", json=body)).json()["limit"] == "output"
    body = {"source": "(defn f [n] (+ 1 (f n))) (f 1)", "limits": {"depth": 100}}
    assert (await client.post("/v1/evaluate", json=body)).json()["limit"] == "depth"


async def test_what_was_thrown_can_be_read_back(client):
    source = '(throw {:type :mine :message "no" :data {:left 3}})'
    error = (await client.post("/v1/evaluate", json={"source": source})).json()["error"]
    from actors.remote.data_text import read_value

    assert read_value(error["value"]) == Map(
        {
            Keyword.of("type"): Keyword.of("mine"),
            Keyword.of("message"): "no",
            Keyword.of("data"): Map({Keyword.of("left"): 3}),
        }
    )


async def test_busy(client, service):
    service.most_runs = 0
    answer = await client.post("/v1/evaluate", json={"source": "1"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_limits_have_a_limit(service):
    settings = HttpSettings()
    async with client_of(http_app(service, None, settings)) as client:
        body = {"source": "1", "limits": {"allocation_bytes": 4097 * MIB}}
        answer = await client.post("/v1/evaluate", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "limits.allocation_bytes"


async def test_an_answer_that_is_too_large(service):
    async with client_of(http_app(service, None, HttpSettings(max_answer_chars=1_000))) as client:
        body = {"source": "(range 1000)"}
        answer = await client.post("/v1/evaluate", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "answer-too-large")


async def test_large_values_come_whole(client):
    found = await evaluated(client, source="(vec (range 100000))")
    assert found["value"] == list(range(100_000))


async def test_large_bodies_come_whole(client):
    items = list(range(50_000))
    assert (await evaluated(client, source="(reduce + 0 items)", args={"items": items}))["value"] == sum(items)


async def test_a_ticket(client):
    body = {"source": "(+ 1 2)", "mode": "async", "ticket": {"name": "sum", "priority": 4, "max_attempts": 2}}
    answer = await client.post("/v1/evaluate", json=body)
    ticket = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/tickets/{ticket['id']}"
    assert (ticket["name"], ticket["priority"], ticket["max_attempts"]) == ("sum", 4, 2)


async def test_asking_again_with_the_same_id_makes_one_ticket(client, service):
    ticket = {"id": "01m8e0kxz6gygbahtzhd87cea9"}
    body = {"source": "1", "mode": "async", "ticket": ticket}
    first, again = [await client.post("/v1/evaluate", json=body) for _ in range(2)]
    assert first.json()["id"] == again.json()["id"] == ticket["id"]
    assert len(service.held) == 1
    other = await client.post("/v1/evaluate", json={**body, "source": "2"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_the_place_of_a_ticket_below_a_prefix(app):
    async def mounted(scope, receive, send):
        await app({**scope, "root_path": "/rtfs", "path": f"/rtfs{scope['path']}"}, receive, send)

    async with client_of(mounted) as client:
        answer = await client.post("/v1/evaluate", json={"source": "1", "mode": "async"})
    assert answer.headers["location"] == f"/rtfs/v1/tickets/{answer.json()['id']}"


async def test_explain(client):
    answer = await client.post("/v1/explain", json={"source": "(defn f [x] x)", "labels": ["secret"]})
    assert answer.status_code == 200
    assert answer.json()["functions"][0]["symbol"] == "f"
    answer = await client.post("/v1/explain", json={"source": "(defn f ["})
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable-program")


# ---------------------------------------------------------------- fields that do not go together

WRONG = {
    "ticket-without-async": ({"source": "1", "ticket": {}}, "ticket"),
    "wait-without-async": ({"source": "1", "on_target_down": "wait"}, "on_target_down"),
    "both-kinds-of-args": ({"source": "1", "args": {"a": 1}, "rtfs_args": {"a": "1"}}, "rtfs_args.a"),
    "both-kinds-of-call-args": (
        {"source": "1", "call": {"function": "f", "args": [1], "rtfs_args": ["1"]}},
        "call",
    ),
    "no-name": ({"source": "1", "args": {"a b": 1}}, "args.a b"),
    "empty-name": ({"source": "1", "args": {"": 1}}, "args."),
    "two-values": ({"source": "1", "rtfs_args": {"a": "1 2"}}, "rtfs_args.a"),
    "no-value": ({"source": "1", "rtfs_args": {"a": " "}}, "rtfs_args.a"),
    "unreadable": ({"source": "1", "rtfs_args": {"a": "[1"}}, "rtfs_args.a"),
    "metadata": ({"source": "1", "rtfs_args": {"a": "^:k [1]"}}, "rtfs_args.a"),
    "huge-integer": ({"source": "1", "args": {"a": 1 << 64}}, "args.a"),
    "huge-integer-inside": ({"source": "1", "args": {"a": [{"b": 1 << 64}]}}, "args.a"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_fields_that_do_not_go_together(case, client):
    body, field = WRONG[case]
    answer = await client.post("/v1/evaluate", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-fields")
    assert f"`{field}`" in answer.json()["detail"]
