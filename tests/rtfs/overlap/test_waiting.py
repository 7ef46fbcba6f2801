"""`wait` with a hub and without one: who goes on, who is told, how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from rtfs.errors import BudgetExhausted
from rtfs.overlap import in_hub, overlapping, wait, wait_for, when_idle
from rtfs.overlap.fork import all_of, each
from rtfs.program import new_run
from rtfs.run import Limits, Run, cancel, running


def a_run(limits: Limits | None = None) -> Run:
    return new_run(None, None, limits or Limits(), None)


def in_run[T](action: Callable[[], T], run: Run | None = None) -> T:
    with running(run or a_run()):
        return action()


@pytest.fixture(params=[False, True], ids=["blocked", "in hub"])
def drive(request: pytest.FixtureRequest) -> Callable[[Callable[[], object]], object]:
    """Runs something with a hub, and without one."""
    return overlapping if request.param else lambda action: action()


def test_there_is_a_hub_only_inside() -> None:
    assert not in_hub()
    assert overlapping(in_hub)
    assert not in_hub()


def test_what_runs_within_a_hub_uses_that_one() -> None:
    def inner() -> None:
        when_idle(lambda: order.append("idle"))
        order.append("inner")

    order: list[str] = []
    overlapping(lambda: (overlapping(inner), order.append("after")))  # type: ignore[func-returns-value]
    assert order == ["inner", "after"]


def test_the_value_and_the_error_of_the_entry_come_out() -> None:
    assert overlapping(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError) as caught:
        overlapping(lambda: 1 / 0)
    assert [each.name for each in caught.traceback][-1] == "<lambda>"


def test_another_thread_may_wake(drive: Callable[[Callable[[], object]], object]) -> None:
    with ThreadPoolExecutor(1) as pool:

        def start(wake: Callable[[], None]) -> None:
            pool.submit(wake)

        drive(lambda: [wait(start) for _ in range(20)])


def test_it_may_wake_at_once_and_more_than_once(drive: Callable[[Callable[[], object]], object]) -> None:
    def start(wake: Callable[[], None]) -> None:
        wake()
        wake()

    drive(lambda: [wait(start) for _ in range(3)])


def test_waking_too_often_wakes_nobody_else() -> None:
    wakes: list[Callable[[], None]] = []

    def entry() -> str:
        def second() -> str:
            wait(wakes.append)  # type: ignore[arg-type]
            wakes[0]()  # of the first one, which has gone on long ago
            return "second" if wait_for(lambda wake: None, 0.01) is False else "woken"

        def first() -> None:
            wait(wakes.append)  # type: ignore[arg-type]
            wakes[0]()
            wakes[1]()

        when_idle(lambda: wakes[0]())
        return str(all_of(first, second)[1])

    assert overlapping(entry) == "second"


def test_waiting_for_a_time(drive: Callable[[Callable[[], object]], object]) -> None:
    assert drive(lambda: wait_for(lambda wake: None, 0.01)) is False
    assert drive(lambda: wait_for(lambda wake: wake(), 10)) is True
    assert drive(lambda: wait_for(lambda wake: threading.Timer(0.01, wake).start(), 10)) is True


def test_a_deadline_ends_the_waiting(drive: Callable[[Callable[[], object]], object]) -> None:
    cancelled: list[int] = []

    def start(wake: Callable[[], None]) -> Callable[[], None]:
        return lambda: cancelled.append(1)

    with pytest.raises(BudgetExhausted, match="deadline"):
        drive(lambda: in_run(lambda: wait(start), a_run(Limits(deadline_s=0.05))))
    assert cancelled == [1]


def test_cancelling_the_run_ends_the_waiting(drive: Callable[[Callable[[], object]], object]) -> None:
    run = a_run()

    def start(wake: Callable[[], None]) -> None:
        threading.Timer(0.02, cancel, [run, "no more"]).start()

    with pytest.raises(BudgetExhausted, match="no more"):
        drive(lambda: in_run(lambda: wait(start), run))


def test_cancelling_the_run_that_it_serves_ends_the_waiting(
    drive: Callable[[Callable[[], object]], object],
) -> None:
    outer = a_run()

    def start(wake: Callable[[], None]) -> None:
        threading.Timer(0.02, cancel, [outer]).start()

    with pytest.raises(BudgetExhausted):
        drive(lambda: in_run(lambda: in_run(lambda: wait(start)), outer))


def test_a_stopped_run_does_not_begin_to_wait(drive: Callable[[Callable[[], object]], object]) -> None:
    run, started = a_run(), []

    def action() -> None:
        cancel(run)
        wait(started.append)  # type: ignore[arg-type]

    with pytest.raises(BudgetExhausted):
        drive(lambda: in_run(action, run))
    assert started == []


def test_a_stop_while_the_work_begins_is_noticed(drive: Callable[[Callable[[], object]], object]) -> None:
    run = a_run()
    with pytest.raises(BudgetExhausted):
        drive(lambda: in_run(lambda: wait(lambda wake: cancel(run)), run))


def test_all_that_wait_are_cancelled_when_the_run_must_stop() -> None:
    cancelled: list[int] = []
    run = a_run()

    def waits(index: int) -> None:
        if index == 0:
            when_idle(lambda: cancel(run, "enough"))
        wait(lambda wake: lambda: cancelled.append(index))

    with pytest.raises(BudgetExhausted, match="enough"):
        overlapping(lambda: in_run(lambda: each(waits, range(500)), run))
    assert sorted(cancelled) == list(range(500))


def test_idle_comes_when_all_have_started() -> None:
    waiting: list[Callable[[], None]] = []
    batches: list[int] = []

    def send() -> None:
        batches.append(len(waiting))
        for wake in waiting:
            wake()
        waiting.clear()

    def call(index: int) -> int:
        if not waiting:
            when_idle(send)
        wait(waiting.append)  # type: ignore[arg-type]
        return index

    assert overlapping(lambda: each(call, range(100))) == list(range(100))
    assert batches == [100]
    assert each(call, []) == []


def test_without_a_hub_idle_is_at_once() -> None:
    order: list[str] = []
    when_idle(lambda: order.append("idle"))
    assert order == ["idle"]


def test_an_error_in_an_idle_callback_ends_the_program_and_cancels_what_waits() -> None:
    cancelled: list[int] = []

    def entry() -> None:
        when_idle(lambda: 1 / 0)
        all_of(*[lambda: wait(lambda wake: lambda: cancelled.append(1))] * 3)

    with pytest.raises(ZeroDivisionError):
        overlapping(entry)
    assert cancelled == [1, 1, 1]


def test_an_interrupt_in_the_hub_ends_all() -> None:
    cancelled: list[int] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    def entry() -> None:
        when_idle(interrupt)
        all_of(*[lambda: wait(lambda wake: lambda: cancelled.append(1))] * 2)

    with pytest.raises(KeyboardInterrupt):
        overlapping(entry)
    assert cancelled == [1, 1]


def test_an_interrupt_in_a_part_ends_all() -> None:
    cancelled: list[int] = []

    def interrupt() -> None:
        wait(lambda wake: wake())
        raise KeyboardInterrupt

    def entry() -> None:
        waits = lambda: wait(lambda wake: lambda: cancelled.append(1))  # noqa: E731
        all_of(waits, interrupt, waits)

    with pytest.raises(KeyboardInterrupt):
        overlapping(entry)
    assert cancelled == [1]


def test_what_goes_wrong_while_cancelling_comes_out() -> None:
    def fails() -> None:
        wait(lambda wake: lambda: 1 // 0)  # type: ignore[arg-type, return-value]

    def entry() -> None:
        wait_for(lambda wake: None, 0.001)
        raise ValueError("first")

    with pytest.raises(ZeroDivisionError):
        overlapping(lambda: _value_error(lambda: all_of(entry, fails)))


def _value_error(action: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="first"):
        action()


def test_hubs_of_several_threads_do_not_touch() -> None:
    barrier = threading.Barrier(4)

    def entry() -> list[int]:
        barrier.wait(10)
        return overlapping(lambda: each(_later, range(50)))

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(entry) for _ in range(4)]
        assert [future.result(30) for future in found] == [list(range(50))] * 4


def _later(index: int) -> int:
    assert wait_for(lambda wake: threading.Timer(0.001, wake).start(), 30)
    return index
