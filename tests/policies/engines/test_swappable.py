"""Swapping engines while others ask them."""

from __future__ import annotations

from threading import Event, Thread

from policies.context import CallContext, CallFacts
from policies.engines.memo import MemoEngine
from policies.engines.static import StaticDelegationEngine
from policies.engines.swappable import SwappableEngine
from rtfs.delegation import FunctionInfo, LocalModel, LocalPure, RemoteModel

CALL = CallContext.of(CallFacts(function=FunctionInfo("f", None, (), (), "any", None, {}, "hash")))
HERE = StaticDelegationEngine({})
THERE = StaticDelegationEngine({"f": "remote-there"})


def test_the_engine_in_use_answers() -> None:
    engine = SwappableEngine(HERE)
    assert engine.decide(CALL) == LocalPure()
    assert engine.swap(THERE) is HERE
    assert engine.decide(CALL) == RemoteModel("there")
    assert engine.plan(CALL).stage == "static-route"
    assert engine.engine is THERE


def test_every_swap_is_a_new_version_even_a_swap_back() -> None:
    engine = SwappableEngine(HERE)
    versions = [engine.version]
    for each in (THERE, HERE, HERE):
        engine.swap(each)
        versions.append(engine.version)
    assert len(set(versions)) == 4


def test_a_memory_around_it_notices() -> None:
    engine = SwappableEngine(HERE)
    memo = MemoEngine(engine)
    assert memo.decide(CALL) == LocalPure()
    engine.swap(THERE)
    assert memo.decide(CALL) == RemoteModel("there")


def test_no_swap_is_lost_and_no_question_fails() -> None:
    engine = SwappableEngine(HERE)
    done, odd = Event(), []

    def ask() -> None:
        while not done.is_set():
            if engine.decide(CALL) not in (LocalPure(), RemoteModel("there"), LocalModel("m")):
                odd.append(engine.plan(CALL))

    def swap(other: StaticDelegationEngine) -> None:
        for _ in range(500):
            engine.swap(other)

    askers = [Thread(target=ask) for _ in range(2)]
    swappers = [Thread(target=swap, args=(each,)) for each in (THERE, StaticDelegationEngine({"f": "local-m"}))]
    for thread in (*askers, *swappers):
        thread.start()
    for thread in swappers:
        thread.join()
    done.set()
    for thread in askers:
        thread.join()
    assert odd == []
    assert engine.version.endswith("~1000")
