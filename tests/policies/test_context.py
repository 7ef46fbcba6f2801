"""Contexts: fingerprints that are the same everywhere, equality that looks at facts."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import pytest

from policies.context import CallContext, DelegationMetadata, context_hash, fingerprint, type_fingerprint
from rtfs.delegation import RuntimeFacts


def test_texts_are_told_apart_by_their_lengths() -> None:
    found = [fingerprint(*parts) for parts in ((), ("a",), ("ab", "c"), ("a", "bc"), ("", "abc"), ("abc",))]
    assert len(set(found)) == len(found)
    assert all(0 <= one < 2**64 for one in found)


def test_the_algorithm_is_the_documented_one() -> None:
    raw = (1).to_bytes(8, "big") + b"a" + (2).to_bytes(8, "big") + "é".encode()
    assert fingerprint("a", "é") == int.from_bytes(blake2b(raw, digest_size=8).digest(), "big")


DIFFERENT = [
    {"tenant": "a"},
    {"tenant": "b"},
    {"tenant": ""},
    {"plan": "a"},
    {"permissions": frozenset({"a"})},
    {"permissions": frozenset({"a", "b"})},
    {"labels": frozenset({"a"})},
    {"ambient": {"hour": 1}},
    {"ambient": {"hour": "1"}},
    {"ambient": {"hour": True}},
    {"ambient": {"tenant": "a"}},
    {},
]


def test_every_fact_of_the_run_counts() -> None:
    hashes = [context_hash(RuntimeFacts(**facts)) for facts in DIFFERENT]  # type: ignore[arg-type]
    assert len(set(hashes)) == len(DIFFERENT)


def test_order_of_facts_does_not_count() -> None:
    one = RuntimeFacts(permissions=frozenset("abc"), ambient={"x": 1, "y": 2})
    other = RuntimeFacts(permissions=frozenset("cab"), ambient={"y": 2, "x": 1})
    assert context_hash(one) == context_hash(other)


TYPED = [
    {"declared": ("int",)},
    {"declared": ("string",)},
    {"declared": ("int", "int")},
    {"types": ("map",)},
    {"types": ("map", "map")},
    {"size": 3},
    {"size": 4},
    {"labels": {"x"}},
]


def test_types_size_and_labels_count(call: Callable[..., CallContext]) -> None:
    prints = [type_fingerprint(call(**facts).facts) for facts in TYPED]
    assert len(set(prints)) == len(TYPED)


@pytest.mark.parametrize("facts", [{}, {"tenant": "t", "types": ("map",), "labels": {"x"}}])
def test_equal_facts_are_equal_contexts(call: Callable[..., CallContext], facts: dict[str, object]) -> None:
    one, other = call(**facts), call(**facts, metadata=DelegationMetadata(confidence=0.5))
    assert one == other
    assert hash(one) == hash(other)
    assert one.task == other.task
    assert one != call("g", **facts)
    assert one != "f"


def test_chance_does_not_make_contexts_equal(call: Callable[..., CallContext]) -> None:
    one, other = call(tenant="a"), call(tenant="b")
    forged = CallContext(
        fn_symbol=one.fn_symbol,
        arg_type_fingerprint=one.arg_type_fingerprint,
        runtime_context_hash=one.runtime_context_hash,
        facts=other.facts,
    )
    assert hash(forged) == hash(one)
    assert forged != one
