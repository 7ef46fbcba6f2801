"""A service as a model, over real HTTP: how it is asked, what its answers become, and what is tried again."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from scripted_openai import (
    as_events,
    chat,
    chunks,
    in_turn,
    refuses,
    says,
    says_streamed,
    streams,
)
from scripted_server import (
    JSON,
    Behaviour,
    Received,
    ScriptedServer,
    answers,
    cuts,
    drips,
    floods,
    hangs_up,
    is_silent,
)

from actors.remote.openai.service import as_json
from policies.errors import NotSent, TargetFailed
from rtfs.delegation import RemoteModel

type Start = Callable[[Behaviour], ScriptedServer]
type Asking = Callable[..., Any]

NO_SCHEMAS = refuses(400, "'response_format' of type 'json_schema' is not supported", param="response_format")
NO_MAX_TOKENS = refuses(400, "Use 'max_completion_tokens' instead.", param="max_tokens")
NO_FORMATS = refuses(422, "response_format: extra fields not permitted", param="response_format")
#: prices by which a token costs a thousandth of a dollar
PRICED = "input_usd_per_mtok = 1000.0, output_usd_per_mtok = 1000.0"


def formats(there: ScriptedServer) -> list[str | None]:
    """How each request asked for the type."""
    found = [got.json.get("response_format") for got in there.received]
    return [form and form["type"] + "+schema" * ("schema" in form) for form in found]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def fails(ours: Any, *args: Any, **more: Any) -> TargetFailed:
    with pytest.raises(TargetFailed) as failed:
        ours.ask(*args, **more)
    return failed.value


# ---------------------------------------------------------------- the request


def test_a_question_and_its_answer(server: Start, asking: Asking):
    there = server(says(42, usage=(12, 3)))
    answer = asking(there, "temperature = 0.5, seed = 7, max_tokens = 50").ask(6, 7)
    assert (answer.value, answer.confidence, answer.cost_usd) == (42, None, 0.0)
    assert (dict(answer.usage), len(answer.model_version)) == (
        {"prompt_tokens": 12, "completion_tokens": 3},
        16,
    )
    got = there.received[0]
    assert (got.method, got.path) == ("POST", "/v1/chat/completions")
    assert "authorization" not in got.headers
    body = got.json
    assert {key: body[key] for key in ("model", "temperature", "seed", "max_tokens")} == {
        "model": "gpt-x",
        "temperature": 0.5,
        "seed": 7,
        "max_tokens": 50,
    }
    assert [each["role"] for each in body["messages"]] == ["system", "user"]
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["value"]
    assert set(body) == {"model", "messages", "temperature", "seed", "max_tokens", "response_format"}


def test_a_text_is_answered_by_a_text(server: Start, asking: Asking):
    there = server(says('{"value": "hello"}'))
    assert asking(there).services.model(RemoteModel("x")).infer_text("hi") == "hello"


def test_options_of_a_request_come_before_the_policys(server: Start, asking: Asking):
    there = server(says(1))
    options = {"temperature": 0.0, "top_k": 3, "logprobs": True}
    asking(there, "temperature = 0.5").ask(options=options)
    body = there.received[0].json
    assert (body["temperature"], body["top_k"], body["logprobs"]) == (0.0, 3, True)


def test_connections_are_used_again(server: Start, asking: Asking):
    there = server(says(1))
    ours = asking(there)
    for _ in range(5):
        ours.ask()
    assert (there.count, there.connections) == (5, 1)


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("", "/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/deployments/d?api-version=1", "/deployments/d/chat/completions?api-version=1"),
    ],
)
def test_the_address(server: Start, asking: Asking, endpoint: str, path: str):
    there = server(says(1))
    ours = asking(there)
    ours._entry = f'endpoint = "{there.url}{endpoint}", model = "m"'
    ours.change("")
    ours.ask()
    assert there.received[0].path == path


def test_without_the_name_of_a_model_nothing_is_sent(server: Start, asking: Asking):
    there = server(says(1))
    ours = asking(there)
    ours._entry = f'endpoint = "{there.url}"'
    ours.change("")
    failure = fails(ours)
    assert isinstance(failure, NotSent)
    assert str(failure) == "bad-request: the policy names no `model` for the provider `remote-x`"
    assert there.count == 0


def test_a_type_that_no_model_can_answer_is_no_fault_of_the_model(server: Start, asking: Asking):
    there = server(says(1))
    assert fails(asking(there), returns="[:-> int int]").cause == "bad-request"
    assert there.count == 0


@pytest.mark.parametrize("value", ["\ud800", float("nan")])
def test_what_is_no_json_is_no_fault_of_the_model(value: Any):
    with pytest.raises(TargetFailed) as failed:
        as_json({"content": value})
    assert failed.value.cause == "bad-request"


def test_the_version_depends_on_how_it_is_asked(server: Start, asking: Asking):
    ours = asking(server(says(1)))
    versions = [ours.service and ours.ask().model_version]
    for more in (", temperature = 0.1", ", timeout = 5, retries = 9, cost_usd = 1.0"):
        ours.change(more)
        versions.append(ours.ask().model_version)
    assert versions[0] == versions[2] != versions[1]


# ---------------------------------------------------------------- secrets


def test_the_secret_is_looked_up_for_each_call_and_stands_nowhere(
    server: Start, asking: Asking, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    there, environ = server(in_turn(says(1), answers(401, '{"error": {"message": "bad sk-two"}}'))), {}
    ours = asking(there, 'api_key_env = "X_KEY"', environ)
    assert str(fails(ours)) == "auth: the model `gpt-x`: the environment variable X_KEY is not set"
    environ["X_KEY"] = " sk-one\n"
    ours.ask()
    environ["X_KEY"] = "sk-two"
    failure = fails(ours)
    assert [got.headers["authorization"] for got in there.received] == ["Bearer sk-one", "Bearer sk-two"]
    told = "".join(traceback.format_exception(failure)) + caplog.text + repr(ours.service)
    assert "sk-" not in told


@pytest.mark.parametrize("secret", ["sk\nx", "schlüssel", "a\x00b"])
def test_a_secret_that_no_header_can_hold(server: Start, asking: Asking, secret: str):
    there = server(says(1))
    failure = fails(asking(there, 'api_key_env = "X_KEY"', {"X_KEY": secret}))
    assert (failure.cause, there.count) == ("auth", 0)
    assert secret not in "".join(traceback.format_exception(failure))


# ---------------------------------------------------------------- how types are asked for


def test_a_service_without_schemas_is_asked_for_objects_and_remembered(server: Start, asking: Asking):
    there = server(in_turn(NO_SCHEMAS, says(1)))
    ours = asking(there)
    assert ours.ask().value == 1
    assert ours.ask().value == 1
    assert formats(there) == ["json_schema", "json_object+schema", "json_object+schema"]


def test_a_service_that_takes_no_format_at_all(server: Start, asking: Asking):
    there = server(in_turn(NO_FORMATS, NO_FORMATS, NO_FORMATS, says("7")))
    assert asking(there).ask().value == 7
    assert formats(there) == ["json_schema", "json_object+schema", "json_object", None]


def test_one_schema_that_is_refused_says_nothing_about_others(server: Start, asking: Asking):
    refused = refuses(400, "Invalid schema for response_format 'answer'", param="response_format")
    there = server(in_turn(refused, says("x", finish="stop")))
    ours = asking(there)
    there.behaviour = in_turn(refused, says(1))
    ours.ask(returns="int")
    there.behaviour = says('{"value": "x"}')
    ours.ask(returns="string")
    assert formats(there) == ["json_schema", "json_object+schema", "json_schema"]


@pytest.mark.parametrize(
    ("structured", "asked"),
    [
        ("json-schema", ["json_schema"]),
        ("json-object", ["json_object+schema", "json_object"]),
        ("prompt", [None]),
    ],
)
def test_what_the_policy_says_is_not_left(server: Start, asking: Asking, structured: str, asked: list[Any]):
    there = server(NO_FORMATS)
    failure = fails(asking(there, f'structured = "{structured}"'))
    assert (failure.cause, formats(there)) == ("bad-request", asked)
    assert failure.detail == "the model `gpt-x`: it answered 422, `invalid_request_error`"


def test_calls_that_learn_the_same_at_the_same_time(server: Start, asking: Asking, pool: ThreadPoolExecutor):
    """All have been refused when the first of them is asked again."""
    refused = 0

    async def refuses_all_first(received: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal refused
        if "max_tokens" not in received.json and "response_format" not in received.json:
            await says("1")(received, writer)
            return
        refused += 1
        while refused % 8:
            await asyncio.sleep(0.001)
        what = NO_FORMATS if "response_format" in received.json else NO_MAX_TOKENS
        await what(received, writer)

    ours = asking(server(refuses_all_first), "max_tokens = 9")
    calls = [pool.submit(ours.ask) for _ in range(8)]
    assert [call.result(30).value for call in calls] == [1] * 8


def test_a_service_that_does_not_heed_the_format_is_asked_otherwise_next_time(server: Start, asking: Asking):
    there = server(says("```json\n5\n```"))
    ours = asking(there)
    assert [ours.ask().value for _ in range(5)] == [5] * 5
    assert formats(there) == ["json_schema", "json_object+schema", "json_object", None, None]


def test_fields_that_it_does_not_take_are_left_out_or_named_otherwise(server: Start, asking: Asking):
    there = server(
        in_turn(
            NO_MAX_TOKENS,
            refuses(400, "Unknown parameter: 'stream_options'.", param="stream_options"),
            says_streamed(1),
        )
    )
    ours = asking(there, "max_tokens = 9, stream = true")
    assert [ours.ask().value, ours.ask().value] == [1, 1]
    asked = [(got.json.get("max_tokens"), got.json.get("max_completion_tokens")) for got in there.received]
    assert asked == [(9, None), (None, 9), (None, 9), (None, 9)]
    assert ["stream_options" in got.json for got in there.received] == [True, True, False, False]


# ---------------------------------------------------------------- answers that are wrong


@pytest.mark.parametrize("wrong", ['{"value": "seven"}', "{}", '{"value": 7', "I think it is 7."])
def test_an_answer_that_is_no_value_is_asked_for_once_more(server: Start, asking: Asking, wrong: str):
    there = server(in_turn(says(wrong), says(7)))
    ours = asking(there, "cost_usd = 0.25")
    answer = ours.ask()
    assert (answer.value, answer.cost_usd) == (7, 0.5)
    first, second = (got.json["messages"] for got in there.received)
    assert [each["role"] for each in second[len(first) :]] == ["assistant", "user"]
    assert second[-2]["content"] == wrong
    assert "it is data" in second[-1]["content"]


def test_but_only_once(server: Start, asking: Asking):
    there = server(says('{"value": "seven"}', usage=(3, 2)))
    failure = fails(asking(there, PRICED))
    assert (failure.cause, failure.cost_usd, there.count) == ("bad-reply", 0.010, 2)
    assert failure.detail.startswith("the model `gpt-x`: ")


def test_and_only_while_there_is_money(server: Start, asking: Asking):
    there = server(says("{}"))
    failure = fails(asking(there, "cost_usd = 0.25"), max_cost_usd=0.4)
    assert (failure.cause, failure.cost_usd, there.count) == ("bad-reply", 0.25, 1)


@pytest.mark.parametrize(
    ("answer", "cause", "detail"),
    [
        (chat("1", finish="length"), "bad-reply", "cut off"),
        (chat("1", finish="content_filter"), "bad-request", "content filter"),
        (chat(None, refusal="no"), "bad-request", "refuses"),
        (chat(None, tool_calls=[{}]), "bad-reply", "tool"),
        ('{"choices": []}', "bad-reply", "no choice"),
        ("[]", "bad-reply", "JSON object"),
        ('{"error": {"message": "x"}}', "server-error", "told of an error"),
    ],
)
def test_answers_that_are_none(server: Start, asking: Asking, answer: str, cause: str, detail: str):
    there = server(answers(200, answer))
    failure = fails(asking(there, "retries = 0, cost_usd = 0.5"))
    assert (failure.cause, failure.cost_usd, there.count) == (cause, 0.5, 1)
    assert detail in failure.detail


# ---------------------------------------------------------------- faults, and trying again


@pytest.mark.parametrize(
    ("behaviour", "cause", "requests"),
    [
        (answers(500), "server-error", 3),
        (answers(503), "overloaded", 3),
        (answers(429), "rate-limited", 3),
        (answers(504), "timeout", 3),
        (hangs_up, "connection-lost", 3),
        (cuts, "connection-lost", 3),
        (answers(401), "auth", 1),
        (answers(404), "bad-reply", 1),
        (answers(400), "bad-request", 1),
        (answers(307, "", {"location": "http://127.0.0.1:9/"}), "bad-reply", 1),
        (answers(200, "{}", {"content-type": "text/html"}), "bad-reply", 1),
        (answers(200, '{"choices": ['), "bad-reply", 1),
        (answers(200, b" " * (17 << 20)), "bad-reply", 1),
        (floods, "bad-reply", 1),
        (is_silent, "timeout", 1),
        (drips, "timeout", 1),
    ],
)
@pytest.mark.parametrize("stream", ["false", "true"])
def test_what_services_do(
    server: Start, asking: Asking, behaviour: Behaviour, cause: str, requests: int, stream: str
):
    there = server(behaviour)
    ours = asking(there, f"stream = {stream}")
    failure = fails(ours, timeout_s=0.3 if behaviour in (is_silent, drips) else 10.0)
    assert (failure.cause, there.count) == (cause, requests)
    assert "the model `gpt-x`: " in str(failure)
    there.behaviour = says(1)
    assert ours.ask().value == 1  # and the next call is none the worse for it


def test_a_service_that_is_not_there(asking: Asking):
    there = ScriptedServer(is_silent)
    ours = asking(there)
    assert fails(ours).cause == "connection-refused"
    there.start()
    there.behaviour = says(1)
    try:
        assert ours.ask().value == 1
    finally:
        there.stop()


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_as_often_as_the_policy_says(server: Start, asking: Asking, retries: int):
    there = server(in_turn(answers(500), answers(503), answers(500), says(1)))
    ours = asking(there, f"retries = {retries}")
    if retries == 3:
        assert ours.ask().value == 1
    else:
        fails(ours)
    assert there.count == retries + 1


def test_a_wait_that_does_not_fit_is_told_at_once(server: Start, asking: Asking):
    there = server(answers(429, "", {**JSON, "retry-after": "60"}))
    failure = fails(asking(there), timeout_s=20.0)
    assert (failure.cause, failure.retry_after_s, there.count) == ("rate-limited", 60.0, 1)


def test_a_wait_that_fits_is_kept(server: Start, asking: Asking):
    there = server(in_turn(answers(429, "", {**JSON, "retry-after": "1"}), says(1)))
    ours = asking(there)
    assert ours.ask().value == 1
    assert there.count == 2


def test_pauses_are_made_and_end_with_the_time(server: Start, asking: Asking):
    there = server(answers(500))
    ours = asking(there, "retries = 10")
    ours.drawn = 0.99
    failure = fails(ours, timeout_s=0.4)
    assert (failure.cause, there.count) == ("server-error", 2)  # a pause of 0.25 s, and none of 0.5 s


# ---------------------------------------------------------------- money


def test_the_cost_is_that_of_all_attempts(server: Start, asking: Asking):
    there = server(in_turn(answers(500), says("{}", usage=(10, 5)), says(7, usage=(20, 5))))
    assert asking(there, PRICED).ask().cost_usd == pytest.approx(0.040)


def test_an_attempt_without_an_answer_counts_as_paid_for(server: Start, asking: Asking):
    there = server(in_turn(cuts, hangs_up, says(7)))
    assert asking(there, "cost_usd = 0.25").ask().cost_usd == 0.75
    assert fails(asking(ScriptedServer(is_silent), "cost_usd = 0.25")).cost_usd == 0.0


def test_no_attempt_is_made_that_the_money_is_not_enough_for(server: Start, asking: Asking):
    there = server(cuts)
    ours = asking(there, "cost_usd = 0.25, retries = 9")
    failure = fails(ours, max_cost_usd=0.6)
    assert (failure.cause, failure.cost_usd, there.count) == ("connection-lost", 0.5, 2)
    failure = fails(ours, max_cost_usd=0.2)
    assert isinstance(failure, NotSent)
    assert (failure.detail, there.count) == ("an attempt costs 0.25 USD, 0.2 are left", 2)


def test_the_money_bounds_the_length_of_an_answer(server: Start, asking: Asking):
    there = server(says(7, usage=(100, 3)))
    asking(there, PRICED).ask(max_cost_usd=100.0)
    most = there.received[0].json["max_tokens"]
    assert 0 < most <= 100_000 - len(there.received[0].body) // 2 + 20


# ---------------------------------------------------------------- streams


def test_a_stream_gives_the_same_answer(server: Start, asking: Asking):
    there = server(says_streamed(42, usage=(10, 5)))
    ours = asking(there, f"stream = true, {PRICED}")
    answer = ours.ask()
    assert (answer.value, answer.cost_usd) == (42, pytest.approx(0.015))
    assert there.received[0].json["stream"] is True
    ours.ask()
    assert there.connections == 1


def test_a_service_that_does_not_stream_answers_all_the_same(server: Start, asking: Asking):
    assert asking(server(says(42)), "stream = true").ask().value == 42


EVENTS = [as_events([each]) for each in chunks(12345)]


@pytest.mark.parametrize(
    ("behaviour", "cause", "detail"),
    [
        (streams(*EVENTS[:3], ends=False), "connection-lost", "broke off"),
        (streams(*EVENTS[:3]), "connection-lost", "in the middle"),
        (streams(*EVENTS[:2], EVENTS[2][:9]), "connection-lost", "in the middle"),
        (streams(as_events(["{"]), then=is_silent), "bad-reply", "no JSON"),
        (
            streams(as_events(['{"error": {}, "choices": 3}', '{"error": 1}']), then=is_silent),
            "server-error",
            "error",
        ),
        (streams(*EVENTS[:3], then=is_silent), "timeout", "in time"),
    ],
)
def test_streams_that_go_wrong(server: Start, asking: Asking, behaviour: Behaviour, cause: str, detail: str):
    there = server(behaviour)
    ours = asking(there, "stream = true, retries = 0, cost_usd = 0.5")
    failure = fails(ours, timeout_s=0.4 if cause == "timeout" else 10.0)
    assert (failure.cause, failure.cost_usd) == (cause, 0.5)
    assert detail in failure.detail
    there.behaviour = says_streamed(1)
    assert ours.ask().value == 1


def test_what_is_of_no_use_is_not_waited_for(server: Start, asking: Asking):
    """The connection is closed as soon as that is clear; nobody else could end this stream."""
    tool = as_events(['{"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}'])
    there = server(streams(tool, then=is_silent))
    failure = fails(asking(there, "stream = true"), timeout_s=60.0)
    assert failure.cause == "bad-reply"
    assert there.given_up.acquire(timeout=10)


def test_a_stream_that_does_not_end_after_its_answer_is_left(server: Start, asking: Asking):
    there = server(streams(*EVENTS, then=is_silent))
    assert asking(there, "stream = true").ask(timeout_s=60.0).value == 12345
    assert there.given_up.acquire(timeout=10)


# ---------------------------------------------------------------- replicas


def test_a_replica_takes_over_at_once(server: Start, asking: Asking):
    """Also without a retry: the first one did nothing of it."""
    one, other = server(answers(503, "", {"retry-after": "60"})), server(says(1))
    ours = asking(one, f'replicas = ["{other.url}/v1"], retries = 0')
    for _ in range(6):
        assert ours.ask().value == 1
    assert (one.count, other.count) == (1, 6)


def test_when_all_fail_the_last_failure_counts(server: Start, asking: Asking):
    one, other = server(answers(503)), server(answers(503))
    failure = fails(asking(one, f'replicas = ["{other.url}/v1"], retries = 1'))
    assert failure.cause == "overloaded"
    assert one.count + other.count in (3, 4)


def test_json_of_messages_is_what_was_sent(server: Start, asking: Asking):
    """Nothing but the prompt goes out: no tenant, no run."""
    there = server(says(1))
    asking(there).ask(tenant="acme", run_id="r-1")
    assert "acme" not in json.dumps(there.received[0].json)
    assert "r-1" not in json.dumps(there.received[0].json)
