"""The exact memory of decisions."""

from __future__ import annotations

import sys
from threading import Thread

import pytest

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.engines.memo import MemoEngine
from policies.engines.protocol import DelegationEngine
from policies.plan import DelegationPlan
from rtfs.delegation import ExecTarget, FunctionInfo, RemoteModel, RuntimeFacts


def call(
    symbol: str = "f",
    *,
    tenant: str | None = None,
    metadata: DelegationMetadata | None = None,
    meaning: tuple[float, ...] | None = None,
) -> CallContext:
    function = FunctionInfo(symbol, None, ("x",), ("any",), "any", None, {}, "hash")
    facts = CallFacts(function=function, runtime=RuntimeFacts(tenant=tenant))
    return CallContext.of(facts, metadata=metadata, semantic_hash=meaning)


class Counting(DelegationEngine):
    """Answers with its version, and counts how often it had to."""

    def __init__(self) -> None:
        self.number = 0
        self.asked = 0

    @property
    def version(self) -> str:
        return str(self.number)

    def plan(self, call: CallContext) -> DelegationPlan:
        self.asked += 1
        return DelegationPlan(target=RemoteModel(f"{call.fn_symbol}.{self.number}"), stage="rule")

    def decide(self, call: CallContext) -> ExecTarget:
        return self.plan(call).target


def test_equal_calls_are_asked_once() -> None:
    inner = Counting()
    memo = MemoEngine(inner)
    plans = [memo.plan(call()) for _ in range(3)]
    assert inner.asked == 1
    assert plans[0] is plans[1] is plans[2]
    assert memo.decide(call()) == RemoteModel("f.0")
    assert inner.asked == 1
    assert memo.knows(call())


def test_other_calls_are_others() -> None:
    inner = Counting()
    memo = MemoEngine(inner)
    assert memo.decide(call("f")) != memo.decide(call("g"))
    memo.decide(call("f", tenant="acme"))
    assert inner.asked == memo.held == 3


def test_fingerprints_that_meet_by_chance_are_told_apart() -> None:
    inner = Counting()
    memo = MemoEngine(inner)
    one, two = call("f", tenant="a"), call("f", tenant="b")
    clash = CallContext(
        fn_symbol="f",
        arg_type_fingerprint=one.arg_type_fingerprint,
        runtime_context_hash=one.runtime_context_hash,
        facts=two.facts,
    )
    assert hash(clash) == hash(one)
    memo.plan(one)
    memo.plan(clash)
    assert inner.asked == 2


def test_a_new_version_forgets_everything() -> None:
    inner = Counting()
    memo = MemoEngine(inner)
    memo.decide(call())
    inner.number = 1
    assert not memo.knows(call())
    assert memo.decide(call()) == RemoteModel("f.1")
    inner.number = 0
    assert memo.decide(call()) == RemoteModel("f.0")
    assert inner.asked == 3


@pytest.mark.parametrize(
    "passing",
    [call(metadata=DelegationMetadata(confidence=0.5)), call(meaning=(0.1, 0.2))],
    ids=["metadata", "meaning"],
)
def test_calls_that_say_more_than_equality_sees_pass_by(passing: CallContext) -> None:
    inner = Counting()
    memo = MemoEngine(inner)
    memo.plan(call())
    memo.plan(passing)
    memo.plan(passing)
    assert inner.asked == 3
    assert memo.held == 1
    assert not memo.knows(passing)


def test_it_is_bounded() -> None:
    memo = MemoEngine(Counting(), size=8)
    for number in range(100):
        memo.plan(call(f"f{number}"))
        assert memo.held <= 8
        assert memo.knows(call(f"f{number}"))


def test_a_stamp_stands_for_the_version() -> None:
    inner, stamps = Counting(), [0]
    memo = MemoEngine(inner, stamp=lambda: stamps[0])
    memo.plan(call())
    stamps[0] = 1
    memo.plan(call())
    assert inner.asked == 2


def test_what_was_decided_during_a_change_is_not_kept() -> None:
    class Changing(Counting):
        def plan(self, call: CallContext) -> DelegationPlan:
            plan = super().plan(call)
            if self.asked == 1:
                self.number += 1
            return plan

    inner = Changing()
    memo = MemoEngine(inner)
    assert memo.decide(call()) == RemoteModel("f.0")
    assert memo.held == 0
    assert memo.decide(call()) == RemoteModel("f.1")


def test_threads_never_see_a_plan_of_an_older_version() -> None:
    inner = Counting()
    memo = MemoEngine(inner, size=16)
    wrong = []

    def read() -> None:
        for number in range(3000):
            before = inner.number
            target = memo.decide(call(f"f{number % 20}"))
            assert isinstance(target, RemoteModel)
            if int(target.id.split(".")[1]) < before:
                wrong.append(target)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            inner.number += 1
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
