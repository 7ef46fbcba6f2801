from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.batches import (
    MOST_IN_BATCH,
    decode_replies,
    decode_requests,
    encode_replies,
    encode_requests,
)
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse, Reply
from policies.errors import TargetFailed
from rtfs.errors import StorageError
from rtfs.values import INT_MAX, INT_MIN, Keyword, List, Map, Set, Symbol, Timestamp, Vector, equal

#: lone surrogates, too: a program's strings may hold them
TEXT = st.text(st.characters(codec=None), max_size=6)
NAME = st.text(max_size=6)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(INT_MIN, INT_MAX),
    st.floats(allow_nan=False),
    TEXT,
    TEXT.map(Keyword.of),
    NAME.map(Symbol.of),
    NAME.map(Timestamp),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(st.floats(allow_nan=False), max_size=3).map(Vector),
        st.lists(inner, max_size=3).map(Vector),
        st.lists(inner, max_size=3).map(List),
        st.lists(inner, max_size=3).map(Set),
        st.dictionaries(st.one_of(NAME, NAME.map(Keyword.of)), inner, max_size=3).map(Map),
    ),
    max_leaves=6,
)
NUMBERS = st.floats(0, 1e9)
OPTIONS = st.dictionaries(
    NAME, st.one_of(st.none(), st.booleans(), st.integers(0, 99), NUMBERS, NAME), max_size=2
)
FACTS = st.builds(
    FunctionFacts,
    symbol=NAME,
    doc=st.none() | NAME,
    parameters=st.lists(NAME, max_size=3).map(tuple),
    parameter_types=st.lists(NAME, max_size=3).map(tuple),
    return_type=NAME,
    metadata=st.dictionaries(NAME, VALUES, max_size=2).map(Map),
    aliases=st.dictionaries(NAME, NAME, max_size=2),
)


@st.composite
def batches_of_requests(draw: st.DrawFn) -> list[InferenceRequest]:
    functions = draw(st.lists(FACTS, min_size=1, max_size=3))
    request = st.builds(
        InferenceRequest,
        function=st.sampled_from(functions),
        args=st.lists(VALUES, max_size=3).map(tuple),
        id=NAME,
        timeout_s=NUMBERS | st.just(inf),
        max_cost_usd=st.none() | NUMBERS,
        tenant=st.sampled_from(["", "acme"]) | NAME,
        run_id=NAME,
        options=OPTIONS,
    )
    return draw(st.lists(request, max_size=5))


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types: `1` is not `1.0`, `true` not `1`."""
    return type(a) is type(b) and equal(a, b) and repr(a) == repr(b)


@given(batches_of_requests())
def test_requests_come_back(requests: list[InferenceRequest]) -> None:
    found = decode_requests(encode_requests(requests))
    assert len(found) == len(requests)
    for got, sent in zip(found, requests, strict=True):
        assert got._replace(args=()) == sent._replace(args=())
        assert same(Vector([*got.args]), Vector([*sent.args]))


REPLIES = st.one_of(
    st.builds(
        InferenceResponse,
        value=VALUES,
        text=st.none() | NAME,
        confidence=st.none() | st.floats(0, 1),
        cost_usd=NUMBERS,
        usage=st.dictionaries(NAME, st.integers(0, 10**6), max_size=2),
        latency_ms=st.none() | NUMBERS,
        model_version=st.sampled_from(["", "v1"]),
    ),
    st.builds(TargetFailed, NAME, NAME, retry_after_s=st.none() | NUMBERS, cost_usd=NUMBERS),
)


@given(st.lists(REPLIES, max_size=6))
def test_replies_come_back(replies: list[Reply]) -> None:
    found = decode_replies(encode_replies(replies))
    assert len(found) == len(replies)
    for got, sent in zip(found, replies, strict=True):
        if isinstance(sent, TargetFailed):
            assert isinstance(got, TargetFailed)
            assert vars(got) == vars(sent)
        else:
            assert isinstance(got, InferenceResponse)
            assert got._replace(value=None) == sent._replace(value=None)
            assert same(got.value, sent.value)


CLASSIFY = FunctionFacts(symbol="classify", doc="Sorts a line. " * 20)


def test_what_is_said_of_a_function_is_sent_once_and_read_once() -> None:
    requests = [InferenceRequest(CLASSIFY, (f"line {number}",)) for number in range(64)]
    one, all_ = encode_requests(requests[:1]), encode_requests(requests)
    assert len(all_) - len(one) < 64 * 16
    assert all_.count(b"Sorts a line.") == one.count(b"Sorts a line.")
    found = decode_requests(all_)
    assert {id(request.function) for request in found} == {id(decode_requests(one)[0].function)}


def test_what_is_not_a_number_comes_through() -> None:
    (found,) = decode_requests(encode_requests([InferenceRequest(CLASSIFY, (nan, -0.0), timeout_s=nan)]))
    assert repr((*found.args, found.timeout_s)) == "(nan, -0.0, nan)"


def test_an_argument_that_cannot_be_sent() -> None:
    with pytest.raises(StorageError):
        encode_requests([InferenceRequest(CLASSIFY, (len,))])
    with pytest.raises(StorageError, match="an option"):
        encode_requests([InferenceRequest(CLASSIFY, (), options={"stop": object()})])  # type: ignore[dict-item]


def test_an_answer_that_cannot_be_sent_fails_alone() -> None:
    replies = [InferenceResponse("a"), InferenceResponse(len, cost_usd=0.5), InferenceResponse(Vector([1]))]
    first, second, third = decode_replies(encode_replies(replies))
    assert isinstance(first, InferenceResponse)
    assert first.value == "a"
    assert isinstance(third, InferenceResponse)
    assert third.value == Vector([1])
    assert isinstance(second, TargetFailed)
    assert (second.cause, second.cost_usd) == ("bad-reply", 0.5)


def test_a_batch_has_a_bound() -> None:
    with pytest.raises(StorageError, match="at most 65536 items"):
        encode_requests([InferenceRequest(CLASSIFY, ())] * (MOST_IN_BATCH + 1))


def batch(head: Any, *sections: bytes, magic: bytes = b"RTQ1") -> bytes:
    parts = [head if isinstance(head, bytes) else json.dumps(head).encode(), *sections]
    return magic + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


FACTS_BYTES = CLASSIFY.encoded
#: columns of one request with one argument
PLAIN = [0, 1, "", 1.0, None, "", "", {}]
BAD_REQUESTS = [
    b"",
    b"RTR1",
    batch([1, ["a"], *PLAIN], b"", FACTS_BYTES, magic=b"RTQ2"),
    batch([1, ["a"], *PLAIN], b"", FACTS_BYTES)[:-1],
    batch([1, ["a"], *PLAIN], b"", FACTS_BYTES) + b"\0",
    batch(b"{"),
    batch(b"[" * 100_000, b""),
    batch({"count": 1}, b""),
    batch([True, ["a"], *PLAIN], b"", FACTS_BYTES),
    batch([-1, ["a"], *PLAIN], b"", FACTS_BYTES),
    batch([10**9, [], *PLAIN], b"", FACTS_BYTES),
    batch([1, ["a"], *PLAIN], b""),
    batch([1, ["a"], 1, *PLAIN[1:]], b"", FACTS_BYTES),
    batch([1, ["a"], -1, *PLAIN[1:]], b"", FACTS_BYTES),
    batch([1, ["a"], 0, 2, *PLAIN[2:]], b"", FACTS_BYTES),
    batch([2, ["a"], 0, [2, -1], *PLAIN[2:]], b"", FACTS_BYTES),
    batch([1, ["a", "b"], *PLAIN], b"", FACTS_BYTES),
    batch([1, ["a"], *PLAIN[:-1]], b"", FACTS_BYTES),
    batch([1, ["a"], *PLAIN, 0], b"", FACTS_BYTES),
    batch([1, ["a"], 0, 1, 7, *PLAIN[3:]], b"", FACTS_BYTES),
    batch([1, ["a"], 0, 1, ["x", "y"], *PLAIN[3:]], b"", FACTS_BYTES),
    batch([1, ["a"], *PLAIN[:-1], {"stop": [1]}], b"", FACTS_BYTES),
    batch([1, [["a", "b"]], *PLAIN], b"", FACTS_BYTES),
    batch([1, [[1]], *PLAIN], b"", FACTS_BYTES),
    batch([1, [{}], *PLAIN], b"", FACTS_BYTES),
    batch([1, [2**63], *PLAIN], b"", FACTS_BYTES),
    batch([1, None, *PLAIN], b"nonsense", FACTS_BYTES),
    batch([1, ["a"], *PLAIN], b"", b"nonsense"),
    batch([1, ["a"], *PLAIN], b"", FACTS_BYTES[:-3]),
]


@pytest.mark.parametrize("data", BAD_REQUESTS)
def test_bytes_that_are_no_requests(data: bytes) -> None:
    with pytest.raises(StorageError):
        decode_requests(data)


def test_the_table_of_bad_bytes_is_near_good_ones() -> None:
    assert decode_requests(batch([1, ["a"], *PLAIN], b"", FACTS_BYTES)) == [
        InferenceRequest(CLASSIFY, ("a",), timeout_s=1.0)
    ]


@given(batches_of_requests().map(encode_requests), st.data())
def test_damaged_requests_are_refused_or_read(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    damaged = data[:at] + bytes([draw.draw(st.integers(0, 255))]) + data[at + 1 :]
    try:
        found = decode_requests(damaged)
    except StorageError:
        return
    assert all(isinstance(request, InferenceRequest) for request in found)


@given(st.lists(REPLIES, max_size=4).map(encode_replies), st.data())
def test_damaged_replies_are_refused_or_read(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    damaged = data[:at] + bytes([draw.draw(st.integers(0, 255))]) + data[at + 1 :]
    try:
        found = decode_replies(damaged)
    except StorageError:
        return
    assert all(isinstance(reply, InferenceResponse | TargetFailed) for reply in found)
