"""Answers read whole and put together of a stream: the same, wherever the stream is cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_openai import as_events, chat, chunks

from actors.remote.openai.completion import (
    MOST_TEXT,
    Completion,
    CompletionStream,
    Usage,
    read_completion,
)
from policies.errors import TargetFailed
from policies.running.health import CAUSES


def streamed(data: bytes, *cuts: int) -> Completion:
    stream = CompletionStream()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        if stream.feed(data[start:end]):
            break
    return stream.completion()


@given(
    text=st.text(min_size=1, max_size=40),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 3000), max_size=12),
)
def test_a_stream_gives_what_the_whole_gives_wherever_it_is_cut(text: str, end: str, cuts: list[int]):
    whole = read_completion(json.loads(chat(text, usage=(7, 3))))
    events = as_events(chunks(text, usage=(7, 3)), end)
    assert streamed(b": a comment" + 2 * end.encode() + events, *cuts) == whole
    assert whole == Completion(text=text, finish="stop", usage=Usage(prompt=7, completion=3))


def test_unknown_fields_other_choices_and_what_follows_the_end_do_not_matter():
    other = json.dumps({"choices": [{"delta": {"content": "7"}, "new": [1]}, {"delta": {"content": "no"}}]})
    done = as_events([other, '{"choices": [], "x": 1}', "[DONE]", other])
    assert streamed(b"id: 3\nevent: chunk\nretry: 5\n" + done).text == "7"


def test_an_end_without_a_mark_counts_if_a_reason_was_given():
    events = list(chunks("12"))
    assert streamed(as_events(events[:-1])).text == "12"
    with pytest.raises(TargetFailed, match="in the middle") as failed:
        streamed(as_events(events[:-2]))
    assert failed.value.cause == "connection-lost"


@pytest.mark.parametrize(
    ("event", "cause", "detail"),
    [
        ("{", "bad-reply", "no JSON"),
        ("[" * 100_000, "bad-reply", "no JSON"),
        ("3", "bad-reply", "no JSON object"),
        ('{"error": {"message": "secret"}}', "server-error", "told of an error"),
        ('{"choices": [4]}', "bad-reply", "expected a choice"),
        ('{"choices": [{"delta": {"content": 4}}]}', "bad-reply", "expected a text"),
        (json.dumps({"choices": [{"delta": {"content": "x" * 900_000}}]}), "bad-reply", "longer than"),
    ],
)
def test_events_that_are_none(event: str, cause: str, detail: str):
    with pytest.raises(TargetFailed, match=detail) as failed:
        streamed(as_events([event] * (MOST_TEXT // 900_000 + 1)))
    assert failed.value.cause == cause
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("data", "detail"), [(b"data: \xff\n\n", "UTF-8"), (b"data: " + b"x" * 2_000_000, "longer")]
)
def test_streams_that_are_none(data: bytes, detail: str):
    with pytest.raises(TargetFailed, match=detail):
        streamed(data, *range(0, len(data), 65_536))


def test_a_tool_call_ends_a_stream_at_once():
    stream = CompletionStream()
    assert stream.feed(as_events(['{"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}']))
    with pytest.raises(TargetFailed, match="call a tool"):
        stream.completion().usable_text()


@pytest.mark.parametrize(
    ("found", "detail"),
    [
        ([], "expected a JSON object"),
        ({}, "no choice"),
        ({"choices": []}, "no choice"),
        ({"choices": "x"}, "no choice"),
        ({"choices": [[]]}, "expected a choice"),
        ({"choices": [{}]}, "expected a `message`"),
        ({"choices": [{"message": {"content": 3}}]}, "expected a text"),
    ],
)
def test_replies_that_hold_no_answer(found: Any, detail: str):
    with pytest.raises(TargetFailed, match=detail) as failed:
        read_completion(found)
    assert failed.value.cause == "bad-reply"


@pytest.mark.parametrize(
    ("answer", "cause", "detail"),
    [
        (chat("1", finish="length"), "bad-reply", "cut off"),
        (chat("1", finish="content_filter"), "bad-request", "content filter"),
        (chat(None, refusal="I will not"), "bad-request", "refuses to answer"),
        (chat(None, tool_calls=[{"id": "1"}]), "bad-reply", "call a tool"),
        (chat(None, function_call={"name": "x"}), "bad-reply", "call a tool"),
        (chat("1", finish="tool_calls"), "bad-reply", "call a tool"),
        (chat(None), "bad-reply", "empty"),
        (chat(" \n"), "bad-reply", "empty"),
    ],
)
def test_answers_that_are_of_no_use(answer: str, cause: str, detail: str):
    with pytest.raises(TargetFailed, match=detail) as failed:
        read_completion(json.loads(answer)).usable_text()
    assert failed.value.cause == cause
    assert "will not" not in str(failed.value)


def test_a_content_may_be_in_parts():
    parts = [{"type": "text", "text": "4"}, {"type": "text", "text": "2"}, {"type": "image"}]
    assert read_completion({"choices": [{"message": {"content": parts}}]}).usable_text() == "42"


@pytest.mark.parametrize(
    "usage", [None, 3, {}, {"prompt_tokens": "7"}, {"prompt_tokens": -1}, {"prompt_tokens": True}]
)
def test_a_usage_that_is_none_is_not_known(usage: Any):
    assert read_completion({"choices": [{"message": {"content": "x"}}], "usage": usage}).usage is None


def test_the_confidence_is_that_of_the_least_likely_token():
    tokens = [{"logprob": -0.0}, {"logprob": -0.6931471805599453}, {"logprob": 1e-9}, {"token": "x"}]
    choice = {"message": {"content": "x"}, "logprobs": {"content": tokens}}
    assert read_completion({"choices": [choice]}).confidence == pytest.approx(0.5)
    chunk = json.dumps({"choices": [{"delta": {"content": "x"}, "logprobs": {"content": tokens}}]})
    assert streamed(as_events([chunk, chunk, "[DONE]"])).confidence == pytest.approx(0.5)
    assert read_completion({"choices": [{"message": {"content": "x"}}]}).confidence is None


# ---------------------------------------------------------------- whatever comes

NAMES = [
    "choices",
    "message",
    "delta",
    "content",
    "usage",
    "prompt_tokens",
    "logprobs",
    "logprob",
    "error",
    "text",
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


def tried(read: Callable[[], Completion]) -> Completion | None:
    """What is read, None if it is refused as it should be: nothing else is raised."""
    try:
        found = read()
        found.usable_text()
    except TargetFailed as failure:
        assert failure.cause in CAUSES  # noqa: PT017 - most of what comes is no failure
        return None
    return found


@given(choice=ANYTHING, rest=ANYTHING)
def test_any_json_is_an_answer_or_a_failure(choice: Any, rest: Any):
    more = rest if isinstance(rest, dict) else {}
    for found in (rest, {**more, "choices": [choice]}, {"choices": [{"message": choice}]}):
        tried(lambda found=found: read_completion(found))  # type: ignore[misc]
    chunk = json.dumps({**more, "choices": [{"delta": choice}]})
    tried(lambda: streamed(as_events([chunk, "[DONE]"])))


@given(
    data=st.binary(max_size=200), lines=st.lists(st.sampled_from([b"data:", b"\n\n", b"[DONE]", b"{}", b"\r"]))
)
def test_any_bytes_are_a_stream_or_a_failure(data: bytes, lines: list[bytes]):
    for each in (data, b"".join(lines), data + b"".join(lines)):
        tried(lambda each=each: streamed(each, 1, 5))  # type: ignore[misc]
