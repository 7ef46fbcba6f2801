from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from actors.models.dispatch import Dispatcher
from actors.models.inference import InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider
from policies.errors import TargetFailed

type Asking = Callable[..., list[InferenceRequest]]
type Told = Callable[[Sequence[Reply]], list[Any]]
type Callers = Callable[..., Future[Any]]

PATIENCE_S = 20.0


def serving(model: ModelProvider, queue_bound: int = 100) -> Dispatcher:
    dispatcher = Dispatcher("m", queue_bound, time.monotonic)
    dispatcher.serve(model)
    return dispatcher


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what other threads do and tell nobody."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_request_runs_in_the_thread_that_brought_it(gated: Any, asking: Asking, told: Told) -> None:
    model = gated()
    model.let_go(3)
    assert told(serving(model).answer(asking(1, 2, 3))) == [1, 2, 3]
    assert model.threads == {threading.current_thread().name}
    assert serving(model).answer([]) == []


def test_what_comes_while_the_model_is_busy_is_merged(
    gated: Any, asking: Asking, told: Told, callers: Callers
) -> None:
    model = gated(max_batch=4)
    dispatcher = serving(model)
    first = callers(dispatcher.answer, asking(0))
    model.has_begun(1)
    others = [callers(dispatcher.answer, asking(number)) for number in (1, 2, 3, 4, 5)]
    wait_until(lambda: dispatcher.counts.waiting == 5)
    model.let_go()
    assert told(first.result(PATIENCE_S)) == [0]
    assert len(model.has_begun(2)[1]) == 4
    model.let_go()
    assert len(model.has_begun(3)[2]) == 1
    model.let_go()
    assert [told(other.result(PATIENCE_S)) for other in others] == [[1], [2], [3], [4], [5]]
    counts = dispatcher.counts
    assert (counts.waiting, counts.in_flight, counts.requests, counts.batches, counts.batched) == (
        0,
        0,
        6,
        3,
        6,
    )
    assert model.most_running == 1


def test_replies_keep_the_order_of_their_requests_over_batches(gated: Any, asking: Asking, told: Told) -> None:
    model = gated(max_batch=3, concurrency=2)
    model.let_go(10)
    assert told(serving(model).answer(asking(*range(10)))) == [*range(10)]


def test_as_many_batches_run_as_the_model_takes_at_once(
    gated: Any, asking: Asking, told: Told, callers: Callers
) -> None:
    model = gated(max_batch=2, concurrency=3)
    dispatcher = serving(model)
    call = callers(dispatcher.answer, asking(*range(10)))  # one caller: helpers run what it cannot
    assert len(model.has_begun(3)) == 3
    assert dispatcher.counts.in_flight == 6
    assert dispatcher.counts.waiting == 4
    model.let_go(5)
    assert told(call.result(PATIENCE_S)) == [*range(10)]
    assert model.most_running == 3
    dispatcher.shut_down()


def test_who_is_answered_does_not_stay_to_work_for_others(
    gated: Any, asking: Asking, told: Told, callers: Callers
) -> None:
    model = gated(max_batch=1)
    dispatcher = serving(model)
    first = callers(dispatcher.answer, asking("first"))
    model.has_begun(1)
    second = callers(dispatcher.answer, asking("second"))
    wait_until(lambda: dispatcher.counts.waiting == 1)
    model.let_go()
    assert told(first.result(PATIENCE_S)) == ["first"]  # though another batch is under way
    model.has_begun(2)
    model.let_go()
    assert told(second.result(PATIENCE_S)) == ["second"]
    dispatcher.shut_down()


def test_tenants_share_a_batch(gated: Any, asking: Asking, callers: Callers) -> None:
    model = gated(max_batch=4)
    dispatcher = serving(model)
    calls = [callers(dispatcher.answer, asking("begin"))]
    model.has_begun(1)
    calls.append(callers(dispatcher.answer, asking(*[f"a{n}" for n in range(20)], tenant="a")))
    wait_until(lambda: dispatcher.counts.waiting == 20)
    calls.append(callers(dispatcher.answer, asking("b0", "b1", tenant="b")))
    calls.append(callers(dispatcher.answer, asking("c0", tenant="c")))
    wait_until(lambda: dispatcher.counts.waiting == 23)
    model.let_go(20)
    for call in calls:
        call.result(PATIENCE_S)
    assert sorted(model.batches[1]) == ["a0", "a1", "b0", "c0"]
    assert "b1" in model.batches[2]
    dispatcher.shut_down()


def test_what_waits_has_a_bound(gated: Any, asking: Asking, told: Told, callers: Callers) -> None:
    model = gated(max_batch=1)
    dispatcher = serving(model, queue_bound=3)
    running = callers(dispatcher.answer, asking("runs"))
    model.has_begun(1)
    waiting = callers(dispatcher.answer, asking("w1", "w2"))
    wait_until(lambda: dispatcher.counts.waiting == 2)
    refused = dispatcher.answer(asking("x", "y"))
    assert told(refused) == ["!overloaded", "!overloaded"]
    assert "2 requests wait for the model `m`, at most 3 may" in str(refused[0])
    assert refused[0] is not refused[1]
    assert dispatcher.counts.refused == 2
    last = callers(dispatcher.answer, asking("w3"))
    wait_until(lambda: dispatcher.counts.waiting == 3)
    model.let_go(4)
    assert told(running.result(PATIENCE_S)) == ["runs"]
    assert told(waiting.result(PATIENCE_S)) == ["w1", "w2"]
    assert told(last.result(PATIENCE_S)) == ["w3"]
    dispatcher.shut_down()


def test_a_request_whose_time_is_over_is_answered_and_never_run(
    gated: Any, asking: Asking, told: Told, callers: Callers
) -> None:
    model = gated(max_batch=8)
    dispatcher = serving(model)
    running = callers(dispatcher.answer, asking("runs"))
    model.has_begun(1)
    late = dispatcher.answer(asking("late", timeout_s=0.02))
    assert told(late) == ["!timeout"]
    assert "no answer of the model `m` within 0.02 s" in str(late[0])
    assert dispatcher.counts.waiting == 0
    model.let_go()
    assert told(running.result(PATIENCE_S)) == ["runs"]
    assert model.batches == [["runs"]]
    assert dispatcher.counts.timed_out == 1


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_a_request_without_any_time(gated: Any, asking: Asking, told: Told, timeout_s: float) -> None:
    model = gated()
    assert told(serving(model).answer(asking(1, timeout_s=timeout_s))) == ["!timeout"]
    assert model.batches == []


def test_endless_patience(gated: Any, asking: Asking, told: Told, callers: Callers) -> None:
    model = gated(max_batch=1)
    dispatcher = serving(model)
    calls = [callers(dispatcher.answer, asking(number, timeout_s=float("inf"))) for number in (1, 2)]
    wait_until(lambda: dispatcher.counts.waiting == 1)
    model.let_go(2)
    assert [told(call.result(PATIENCE_S)) for call in calls] == [[1], [2]]
    dispatcher.shut_down()


def test_who_waits_for_a_model_that_hangs_gets_an_answer_in_time(
    gated: Any, asking: Asking, told: Told, callers: Callers
) -> None:
    model = gated(max_batch=2)
    dispatcher = serving(model)
    first = callers(dispatcher.answer, asking("begin"))
    model.has_begun(1)
    hangs = callers(dispatcher.answer, asking("patient"))
    wait_until(lambda: dispatcher.counts.waiting == 1)
    late = callers(dispatcher.answer, asking("late", timeout_s=1.5))
    wait_until(lambda: dispatcher.counts.waiting == 2)
    model.let_go()
    assert sorted(model.has_begun(2)[1]) == ["late", "patient"]  # both are with the model, which hangs
    assert told(late.result(PATIENCE_S)) == ["!timeout"]
    model.let_go()
    assert told(hangs.result(PATIENCE_S)) == ["patient"]
    assert told(first.result(PATIENCE_S)) == ["begin"]
    dispatcher.shut_down()


def test_the_model_is_told_how_much_time_is_left(gated: Any, asking: Asking, callers: Callers) -> None:
    model = gated()
    dispatcher = serving(model)
    first = callers(dispatcher.answer, asking("begin"))
    model.has_begun(1)
    second = callers(dispatcher.answer, asking("waits", timeout_s=50))
    wait_until(lambda: dispatcher.counts.waiting == 1)
    time.sleep(0.02)
    model.let_go(2)
    first.result(PATIENCE_S)
    second.result(PATIENCE_S)
    assert 50 - PATIENCE_S < model.timeouts[1] < 49.99
    dispatcher.shut_down()


def test_cancelled_requests_are_dropped(gated: Any, asking: Asking, told: Told, callers: Callers) -> None:
    model = gated()
    dispatcher = serving(model)
    running = callers(dispatcher.answer, asking("runs", ids=True))
    model.has_begun(1)
    waiting = callers(dispatcher.answer, asking("a", "b", "c", ids=True))
    wait_until(lambda: dispatcher.counts.waiting == 3)
    dispatcher.cancel(frozenset({"id-a", "id-c", "id-runs", "id-unknown"}))
    assert dispatcher.counts.waiting == 1
    model.let_go(2)
    assert told(waiting.result(PATIENCE_S)) == ["!cancelled", "b", "!cancelled"]
    assert told(running.result(PATIENCE_S)) == ["runs"]
    assert model.batches == [["runs"], ["b"]]
    assert [sorted(ids) for ids in model.cancelled] == [["id-a", "id-c", "id-runs", "id-unknown"]]
    dispatcher.shut_down()


RAISED = [
    (ValueError("secret"), "!unknown"),
    (MemoryError(), "!out-of-memory"),
    (TargetFailed("rate-limited", retry_after_s=3.0), "!rate-limited"),
]


@pytest.mark.parametrize(("error", "outcome"), RAISED)
def test_what_the_model_raises_is_the_failure_of_that_batch(
    gated: Any, asking: Asking, told: Told, error: Exception, outcome: str
) -> None:
    model = gated(max_batch=2)
    model.let_go(3)
    dispatcher = serving(model)
    replies = dispatcher.answer(asking(1, error, 3, 4))
    assert told(replies) == [outcome, outcome, 3, 4]
    assert replies[0] is not replies[1]
    assert "secret" not in str(replies[0])
    assert told(dispatcher.answer(asking(5))) == [5]


def test_a_batch_that_is_broken_off_leaves_nobody_waiting(
    gated: Any, asking: Asking, told: Told, callers: Callers
) -> None:
    model = gated(max_batch=2)
    dispatcher = serving(model)
    first = callers(dispatcher.answer, asking(KeyboardInterrupt(), "with it"))
    model.has_begun(1)
    second = callers(dispatcher.answer, asking("next"))
    wait_until(lambda: dispatcher.counts.waiting == 1)
    model.let_go(2)
    with pytest.raises(KeyboardInterrupt):
        first.result(PATIENCE_S)
    assert told(second.result(PATIENCE_S)) == ["next"]
    assert dispatcher.counts.in_flight == 0
    dispatcher.shut_down()


def test_a_model_that_miscounts(gated: Any, asking: Asking) -> None:
    class Short(gated):  # type: ignore[misc]
        def infer_batch(self, requests: Sequence[InferenceRequest]) -> list[Reply]:
            return [InferenceResponse(1)]

    (first, second) = serving(Short()).answer(asking(1, 2))
    assert str(first) == str(second) == "unknown: 1 replies of the model `m` to 2 requests"


def test_without_a_model(asking: Asking, told: Told) -> None:
    dispatcher = Dispatcher("m", 10, time.monotonic)
    assert told(dispatcher.answer(asking(1, 2))) == ["!connection-refused"] * 2
    dispatcher.serve(None, TargetFailed("crashed", "why"))
    assert [str(reply) for reply in dispatcher.answer(asking(1))] == ["crashed: why"]


def test_a_model_is_replaced_under_load(gated: Any, asking: Asking, told: Told, callers: Callers) -> None:
    old, new = gated(), gated()
    dispatcher = serving(old)
    running = callers(dispatcher.answer, asking("old"))
    old.has_begun(1)
    waiting = callers(dispatcher.answer, asking("new"))
    wait_until(lambda: dispatcher.counts.waiting == 1)
    dispatcher.serve(new)  # what waits goes to the new one at once
    new.has_begun(1)
    assert not old.closed.is_set()  # it has a batch
    new.let_go()
    assert told(waiting.result(PATIENCE_S)) == ["new"]
    old.let_go()
    assert told(running.result(PATIENCE_S)) == ["old"]
    assert old.closed.wait(PATIENCE_S)
    assert not new.closed.is_set()
    dispatcher.serve(None)
    assert new.closed.is_set()
    dispatcher.shut_down()


def test_what_waits_is_refused_when_the_model_goes(
    gated: Any, asking: Asking, told: Told, callers: Callers
) -> None:
    model = gated()
    dispatcher = serving(model)
    running = callers(dispatcher.answer, asking("runs"))
    model.has_begun(1)
    waiting = callers(dispatcher.answer, asking("waits"))
    wait_until(lambda: dispatcher.counts.waiting == 1)
    dispatcher.serve(None)
    assert told(waiting.result(PATIENCE_S)) == ["!connection-refused"]
    model.let_go()
    assert told(running.result(PATIENCE_S)) == ["runs"]
    assert model.closed.wait(PATIENCE_S)


def test_many_callers(gated: Any, asking: Asking, told: Told, callers: Callers) -> None:
    """Nothing is lost, mixed up, or run beyond the bounds of the model."""
    model = gated(max_batch=5, concurrency=3)
    model.let_go(10_000)
    dispatcher = serving(model, queue_bound=100_000)

    def one(caller: int) -> bool:
        sizes = [1, 7, 2, 13, 1, 1, 20]
        sent = [[(caller, turn, at) for at in range(size)] for turn, size in enumerate(sizes * 3)]
        return all(told(dispatcher.answer(asking(*each, tenant=str(caller % 4)))) == each for each in sent)

    assert all(call.result(60) for call in [callers(one, caller) for caller in range(24)])
    counts = dispatcher.counts
    assert (counts.waiting, counts.in_flight, counts.requests) == (0, 0, 24 * 3 * 45)
    assert counts.batched == counts.requests == sum(map(len, model.batches))
    assert max(map(len, model.batches)) <= 5
    assert model.most_running <= 3
    dispatcher.shut_down()


def test_a_model_that_cannot_be_closed_is_no_trouble(gated: Any, asking: Asking, told: Told) -> None:
    class Sticky(gated):  # type: ignore[misc]
        def close(self) -> None:
            raise OSError("busy")

    other = gated()
    other.let_go()
    dispatcher = serving(Sticky())
    dispatcher.serve(other)
    assert told(dispatcher.answer(asking(1))) == [1]
