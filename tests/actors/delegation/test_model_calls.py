"""Delegated calls end to end in one process: batches, replicas, failures, and nothing left under way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from actors.delegation import model_calls
from actors.delegation.model_calls import MOST_IN_BATCH, ModelCalls
from actors.models.batches import decode_requests, encode_replies
from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse
from policies.errors import TargetFailed
from rtfs import errors
from rtfs.run import Limits
from rtfs.values import Vector

PATIENCE_S = 20.0
F = "(defn f [x] :body) "
#: a policy whose calls give up soon
BRIEF = """
[delegation]
timeout_ms = 50
[delegation.local_models]
echo = { kind = "echo" }
[[delegation.rules]]
symbols = ["f"]
targets = ["local-echo"]
"""


def summary(reply: Any) -> list[tuple[str | None, int]]:
    """Who answered how many calls."""
    return [(each.answered_by, each.calls) for each in reply.calls]


# ---------------------------------------------------------------- batches


def test_one_call_is_one_batch_of_one(setting: Any) -> None:
    reply = setting.run(F + "(f 1)")
    assert (reply.outcome(), setting.transport.sent) == (1, [("echo-0", 1)])
    assert summary(reply) == [("local-echo", 1)]
    (call,) = reply.calls
    assert (call.function, call.target, call.reason) == ("f", "local-echo", "")


def test_calls_that_are_asked_for_together_travel_together(setting: Any) -> None:
    reply = setting.run(F + "[(f 1) {:a (f 2)} (+ (f 3) (f 4))]")
    assert reply.text == "[1 {:a 2} 7]"
    assert setting.transport.sizes == [4]


def test_five_hundred_calls_are_eight_batches(setting: Any) -> None:
    reply = setting.run(F + "(map f (range 500))")
    assert reply.outcome() == Vector([*range(500)])
    assert setting.transport.sizes == [MOST_IN_BATCH] * 7 + [500 - 7 * MOST_IN_BATCH]
    assert summary(reply) == [("local-echo", 500)]
    ids = [each for batch in setting.transport.ids for each in batch]
    assert len(set(ids)) == 500


def test_calls_that_need_each_other_go_one_after_the_other(setting: Any) -> None:
    assert setting.run(F + "(f (f (f 7)))").outcome() == 7
    assert setting.transport.sizes == [1, 1, 1]


def test_a_call_outside_any_hub_is_sent_at_once(setting: Any) -> None:
    request = InferenceRequest(FunctionFacts(symbol="f"), (5,), id="x", timeout_s=PATIENCE_S)
    assert ModelCalls("echo", setting.transport).ask(request).value == 5


def test_runs_side_by_side_keep_their_answers_apart(setting: Any) -> None:
    setting.have_replicas(3)
    source = F + "(map f (range n (+ n 50)))"
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: setting.run(source, args={"n": n}), range(0, 400, 10)))
    assert [reply.outcome() for reply in replies] == [Vector([*range(n, n + 50)]) for n in range(0, 400, 10)]
    assert sum(setting.transport.sizes) == 40 * 50


# ---------------------------------------------------------------- what cannot be sent


def test_one_argument_that_cannot_travel_fails_alone(setting: Any) -> None:
    reply = setting.run(F + "(map f [1 inc 3 [4] {:g (fn [] 1)} 6])")
    assert reply.text == "[1 :body 3 [4] :body 6]"
    assert sorted(summary(reply)) == [("local-echo", 4), ("local-pure", 2)]
    assert any("local-echo: failed (bad-request)" in call.reason for call in reply.calls)
    assert setting.delegation.health.record("local-echo").failures_in_row == 0  # it is not to blame


def test_more_than_may_be_under_way_is_overloaded(setting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_calls, "MOST_UNDER_WAY", 10)
    reply = setting.run(F + "(map f (range 25))")
    assert reply.outcome() is not None
    values = [*reply.value]
    assert values[:10] == [*range(10)]
    assert sum(setting.transport.sizes) >= 10
    refused = [call for call in reply.calls if call.answered_by == "local-pure"]
    assert refused
    assert "overloaded" in refused[0].reason
    assert setting.delegation.health.record("local-echo").circuit == "closed"  # it never heard of them
    assert setting.run(F + "(f 3)").outcome() == 3  # there is room again


# ---------------------------------------------------------------- replicas


def test_a_batch_goes_to_the_replica_with_the_least_under_way(setting: Any) -> None:
    setting.have_replicas(3)
    transport = setting.transport
    transport.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        running = []
        for calls in (5, 2, 4, 1):
            running.append(pool.submit(setting.run, F + f"(map f (range {calls}))"))
            assert transport.has_sent.acquire(timeout=PATIENCE_S)
        assert transport.sent == [("echo-0", 5), ("echo-1", 2), ("echo-2", 4), ("echo-1", 1)]
        transport.gate.set()
        assert [len(each.result(PATIENCE_S).value) for each in running] == [5, 2, 4, 1]


def test_a_replica_that_comes_back_owes_nothing(setting: Any) -> None:
    setting.have_replicas(2)
    transport = setting.transport
    transport.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(setting.run, F + "(map f (range 9))")
        assert transport.has_sent.acquire(timeout=PATIENCE_S)
        for names in (("echo-1",), ("echo-0", "echo-1")):  # a new policy, and the old one again
            transport.names = names
            other = pool.submit(setting.run, F + "(f 1)")
            assert transport.has_sent.acquire(timeout=PATIENCE_S)
            transport.gate.set()
            assert other.result(PATIENCE_S).outcome() == 1
        assert len(running.result(PATIENCE_S).value) == 9
    assert {each.under_way for each in setting.calls()._replicas.values()} == {0}


def test_a_model_that_does_not_run_is_refused(setting: Any) -> None:
    setting.transport.names = ()
    reply = setting.run(F + "[(f 1) (f 2)]")
    assert reply.text == "[:body :body]"
    assert "connection-refused" in reply.calls[0].reason
    assert setting.transport.sent == []


# ---------------------------------------------------------------- time


def test_a_request_that_takes_too_long_is_taken_back(settings: Callable[..., Any]) -> None:
    setting = settings(BRIEF)
    setting.transport.gate.clear()
    reply = setting.run(F + "[(f 1) (f 2)]")
    assert reply.text == "[:body :body]"
    assert "timeout" in reply.calls[0].reason
    assert setting.calls()._under_way == 2  # the replica has them still, and room for them is kept
    (ids,) = setting.transport.ids
    assert sorted(setting.transport.cancelled) == [("echo-0", (each,)) for each in sorted(ids)]


def test_a_cancelled_run_takes_its_requests_back(setting: Any) -> None:
    setting.transport.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(setting.run, F + "(map f (range 3))", run_id="r")
        assert setting.transport.has_sent.acquire(timeout=PATIENCE_S)
        assert setting.evaluator.cancel("r")
        assert running.result(PATIENCE_S).status == "cancelled"
    (ids,) = setting.transport.ids
    assert sorted(each for _, each in setting.transport.cancelled) == [(each,) for each in sorted(ids)]


def test_a_run_past_its_deadline_takes_its_requests_back(setting: Any) -> None:
    setting.transport.gate.clear()
    source = F + "[(f 1) (call :ccos.system.sleep-ms 60000)]"
    reply = setting.run(source, limits=Limits(deadline_s=0.3))
    assert isinstance(reply.error, errors.BudgetExhausted)
    assert [replica for replica, _ in setting.transport.cancelled] == ["echo-0"]


def test_the_loser_of_a_race_is_taken_back(setting: Any) -> None:
    setting.transport.gate.clear()
    reply = setting.run(F + "(race (f 1) (do (call :ccos.system.sleep-ms 1) :won))")
    assert reply.text == ":won"
    assert len(setting.transport.cancelled) == 1


def test_what_was_never_sent_is_not_taken_back_from_anybody(
    setting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ModelCalls("echo", setting.transport)
    request = InferenceRequest(FunctionFacts(symbol="f"), (5,), id="x", timeout_s=0.01)
    monkeypatch.setattr(ModelCalls, "send", lambda self, **how: None)
    with pytest.raises(TargetFailed) as caught:
        calls.ask(request)
    assert caught.value.cause == "timeout"
    assert (calls._under_way, calls._gathered, setting.transport.cancelled) == (0, [], [])


# ---------------------------------------------------------------- bad answers


def too_many(replica: str, batch: bytes) -> bytes:
    return encode_replies([InferenceResponse(1) for _ in decode_requests(batch)] * 2)


def none_at_all(replica: str, batch: bytes) -> bytes:
    return encode_replies([])


def garbage(replica: str, batch: bytes) -> bytes:
    return b"RTR1 and then nothing of use"


def raises(replica: str, batch: bytes) -> bytes:
    raise MemoryError("the replica broke")


def fails(replica: str, batch: bytes) -> TargetFailed:
    return TargetFailed("out-of-memory", "it is gone", retry_after_s=3.0)


BAD = [
    (too_many, "bad-reply"),
    (none_at_all, "bad-reply"),
    (garbage, "bad-reply"),
    (raises, "crashed"),
    (fails, "out-of-memory"),
]


@pytest.mark.parametrize(("answer", "cause"), BAD)
def test_after_a_bad_answer_the_chain_goes_on(setting: Any, answer: Any, cause: str) -> None:
    setting.transport.answer = answer
    reply = setting.run(F + "[(f 1) (f 2)]")
    assert reply.text == "[:body :body]"
    assert f"failed ({cause})" in reply.calls[0].reason
    assert setting.calls()._under_way == 0


def test_one_failure_in_a_batch_concerns_nobody_else(setting: Any) -> None:
    def odd_ones_fail(replica: str, batch: bytes) -> bytes:
        return encode_replies(
            [
                TargetFailed("server-error", "odd")
                if request.args[0] % 2
                else InferenceResponse(request.args[0])
                for request in decode_requests(batch)
            ]
        )

    setting.transport.answer = odd_ones_fail
    assert setting.run(F + "(map f (range 5))").text == "[0 :body 2 :body 4]"


def test_failures_of_one_batch_have_their_own_tracebacks(setting: Any) -> None:
    setting.transport.answer = fails
    calls = ModelCalls("echo", setting.transport)
    caught: list[TargetFailed] = []

    def ask(number: int) -> None:
        request = InferenceRequest(FunctionFacts(symbol="f"), (number,), id=str(number), timeout_s=PATIENCE_S)
        try:
            calls.ask(request)
        except TargetFailed as failure:
            caught.append(failure)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.retry_after_s for each in caught] == [3.0] * 3
    assert len({id(each) for each in caught}) == 3


def test_an_unsure_or_wrongly_typed_answer_is_no_answer(setting: Any) -> None:
    reply = setting.run("(defn f [x :int] :string (str x)) (f 1)")
    assert reply.outcome() == "1"
    assert "bad-reply" in reply.calls[0].reason
