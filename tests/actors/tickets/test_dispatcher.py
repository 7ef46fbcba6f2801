"""Tickets on evaluators that the test plays, over a real store: from submission to result, whatever is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.requests import DEFAULT_CAPABILITIES, Deferral, RunReply, RunRequest
from actors.service import BusyError, ConflictError, NotFoundError, SubmitOptions
from actors.tickets import dispatcher as module
from actors.tickets.dispatcher import Dispatcher
from actors.tickets.errors import StoreFull
from actors.tickets.ids import NOBODY, new_ticket_id
from actors.tickets.limits import QueueLimits
from actors.tickets.places import RunnerLost
from actors.tickets.store import Changes, TicketStore
from actors.tickets.ticket import Ticket
from rtfs import errors
from rtfs.runtime_facts import RuntimeFacts

#: longest wait for something that has to happen
PATIENCE_S = 30.0
#: retries follow at once
LIMITS = QueueLimits(backoff_s=0.01, max_backoff_s=0.02)
WITH_EFFECTS = (*DEFAULT_CAPABILITIES, "x.send")

type Answer = Callable[[RunRequest], Awaitable[RunReply | bytes]]


def done(request: RunRequest, value: Any = None) -> RunReply:
    return RunReply(run_id=request.run_id, status="completed", value=request.source if value is None else value)


async def at_once(request: RunRequest) -> RunReply:
    return done(request)


async def lost(request: RunRequest) -> RunReply:
    raise RunnerLost("its process died")


def deferring(until_s: float, target: str = "remote-x") -> Answer:
    async def answer(request: RunRequest) -> RunReply:
        deferral = Deferral(target=target, until=time.time() + until_s)
        error = errors.BudgetExhausted("deferred", "down")
        return RunReply(run_id=request.run_id, status="deferred", deferral=deferral, error=error)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Another answer for each run, the last one for all that follow."""
    left = list(answers)

    async def answer(request: RunRequest) -> RunReply | bytes:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    return answer


class Evaluator:
    """What stands for an evaluator."""

    def __init__(self, answer: Answer = at_once) -> None:
        self.answer = answer
        self.runs: list[str] = []
        self.running: dict[str, asyncio.Event] = {}
        self.most_running = 0
        self.cancelled: list[str] = []
        self.asked_alive = 0
        self.is_away = False

    async def run(self, request: bytes) -> bytes:
        asked = RunRequest.decode(request)
        assert asked.run_id not in self.running, "two runs with one id"
        self.runs.append(asked.run_id)
        self.running[asked.run_id] = asyncio.Event()
        self.most_running = max(self.most_running, len(self.running))
        try:
            reply = await self.answer(asked)
        finally:
            del self.running[asked.run_id]
        return reply if isinstance(reply, bytes) else reply.encode()

    async def alive(self) -> None:
        self.asked_alive += 1
        if self.is_away:
            raise RunnerLost("still away")

    def cancel(self, run_id: str) -> None:
        self.cancelled.append(run_id)
        if run_id in self.running:
            self.running[run_id].set()

    async def held(self, request: RunRequest) -> RunReply:
        """An answer: runs until it is cancelled."""
        await self.running[request.run_id].wait()
        error = errors.BudgetExhausted("cancelled", "cancelled")
        return RunReply(run_id=request.run_id, status="cancelled", error=error)


@pytest.fixture
def evaluator() -> Evaluator:
    return Evaluator()


@asynccontextmanager
async def dispatching(
    store: TicketStore, *evaluators: Evaluator, places: int = 4, **more: Any
) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(store, places=places, **{"limits": LIMITS, **more})
    dispatcher.start()
    dispatcher.set_runners({f"evaluator-{number}": each for number, each in enumerate(evaluators)})
    try:
        yield dispatcher
    finally:
        await dispatcher.close()


def request(source: str = "1", tenant: str | None = None, **more: Any) -> RunRequest:
    return RunRequest(
        source=source, facts=RuntimeFacts(tenant=tenant), **{"ticket_id": new_ticket_id(), **more}
    )


async def submitted(
    dispatcher: Dispatcher, *args: Any, options: SubmitOptions | None = None, **more: Any
) -> str:
    made = request(*args, **more)
    return (await dispatcher.submit(made.encode(), options or SubmitOptions())).id


async def result(dispatcher: Dispatcher, ticket_id: str, tenant: str | None = None) -> RunReply:
    data = await dispatcher.reply(ticket_id, tenant, PATIENCE_S)
    assert data is not None, await dispatcher.ticket(ticket_id, tenant)
    return RunReply.decode(data)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def in_phase(dispatcher: Dispatcher, ticket_id: str, phase: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await dispatcher.ticket(ticket_id, None)).phase != phase:
            await asyncio.sleep(0.005)


# ---------------------------------------------------------------- submitting


async def test_from_submission_to_result(store: TicketStore, evaluator: Evaluator) -> None:
    async with dispatching(store, evaluator) as dispatcher:
        made = request("(+ 1 2)", "acme")
        options = SubmitOptions(priority=3, name="sum")
        view = await dispatcher.submit(made.encode(), options)
        assert (view.id, view.tenant, view.state, view.phase) == (made.ticket_id, "acme", "working", "queued")
        assert (view.priority, view.name, view.max_attempts) == (3, "sum", 3)
        reply = await result(dispatcher, view.id, "acme")
        assert (reply.outcome(), reply.run_id) == ("(+ 1 2)", made.run_id)
        ended = await dispatcher.ticket(view.id, "acme")
        assert (ended.state, ended.phase, ended.attempts, ended.dead) == ("completed", "completed", 1, False)
        assert dispatcher.counts() == (0, 0)


async def test_a_submission_with_a_known_id_is_the_same_submission(
    store: TicketStore, evaluator: Evaluator
) -> None:
    async with dispatching(store, evaluator) as dispatcher:
        made = request("(f)", "acme")
        first = await dispatcher.submit(made.encode(), SubmitOptions())
        assert (await dispatcher.submit(made.encode(), SubmitOptions())).id == first.id
        # somebody asks again who does not know what became of the first attempt: another run id, another trace
        again = request("(f)", "acme", ticket_id=made.ticket_id, traceparent="00-1-2-01")
        assert again.run_id != made.run_id
        assert (await dispatcher.submit(again.encode(), SubmitOptions())).id == first.id
        await result(dispatcher, first.id, "acme")
        view = await dispatcher.submit(again.encode(), SubmitOptions())
        assert (view.state, evaluator.runs) == ("completed", [made.run_id])
        for other in (
            request("(g)", "acme", ticket_id=made.ticket_id),
            request("(f)", ticket_id=made.ticket_id),
        ):
            with pytest.raises(ConflictError, match="exists already, for another request"):
                await dispatcher.submit(other.encode(), SubmitOptions())


async def test_submissions_that_come_together_are_written_together(
    store: TicketStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    original = TicketStore.write

    def write(self: TicketStore, changes: Changes) -> None:
        written.append(len(changes.tickets))
        original(self, changes)

    monkeypatch.setattr(TicketStore, "write", write)
    async with dispatching(store) as dispatcher:
        ids = await asyncio.gather(*[submitted(dispatcher, f"{number}") for number in range(500)])
        assert sum(written) == len(set(ids)) == 500
        assert len([each for each in written if each]) == 1


async def test_one_bad_operation_among_many_fails_alone(store: TicketStore) -> None:
    async with dispatching(store) as dispatcher:
        taken = await submitted(dispatcher, "1")
        found = await asyncio.gather(
            submitted(dispatcher, "2"),
            submitted(dispatcher, "another", ticket_id=taken),
            submitted(dispatcher, "3"),
            return_exceptions=True,
        )
        assert [type(each) for each in found] == [str, ConflictError, str]
        assert dispatcher.counts() == (3, 0)


@pytest.mark.parametrize(
    "options",
    [
        SubmitOptions(priority=1000),
        SubmitOptions(deadline_s=-1.0),
        SubmitOptions(delay_s=10.0, deadline_s=5.0),
        SubmitOptions(delay_s=float("inf")),
        SubmitOptions(deadline_s=float("nan")),
        SubmitOptions(max_attempts=1000),
        SubmitOptions(name="new\nline"),
    ],
)
async def test_what_no_ticket_can_have_is_refused(store: TicketStore, options: SubmitOptions) -> None:
    async with dispatching(store) as dispatcher:
        with pytest.raises(ValueError, match=r"must|has passed"):
            await submitted(dispatcher, options=options)
        with pytest.raises(ValueError, match="ticket"):
            await submitted(dispatcher, ticket_id="../../etc/passwd")
        with pytest.raises(errors.StorageError):
            await dispatcher.submit(b"no request", SubmitOptions())
        assert dispatcher.counts() == (0, 0)


async def test_a_full_queue_says_when_to_come_again(store: TicketStore) -> None:
    limits = QueueLimits(max_queued=3, max_queued_per_tenant=2)
    async with dispatching(store, limits=limits) as dispatcher:
        for _ in range(2):
            await submitted(dispatcher, "1", "acme")
        with pytest.raises(BusyError) as caught:
            await submitted(dispatcher, "1", "acme")
        assert caught.value.retry_after_s > 0
        await submitted(dispatcher, "1", "other")
        with pytest.raises(BusyError):
            await submitted(dispatcher, "1", "third")


# ---------------------------------------------------------------- running


async def test_at_most_as_many_run_as_evaluators_have_places(store: TicketStore) -> None:
    release = asyncio.Event()

    async def waits(request: RunRequest) -> RunReply:
        await release.wait()
        return done(request)

    evaluators = [Evaluator(waits) for _ in range(3)]
    async with dispatching(store, *evaluators, places=2) as dispatcher:
        ids = [await submitted(dispatcher, f"{number}") for number in range(20)]
        await until(lambda: dispatcher.counts() == (14, 6))
        assert [len(each.running) for each in evaluators] == [2, 2, 2]
        release.set()
        replies = await asyncio.gather(*[result(dispatcher, each) for each in ids])
        assert [reply.outcome() for reply in replies] == [f"{number}" for number in range(20)]
        assert [each.most_running for each in evaluators] == [2, 2, 2]


async def test_two_thousand_tickets_in_flight_finish(store: TicketStore) -> None:
    evaluators = [Evaluator() for _ in range(4)]
    async with dispatching(store, *evaluators, places=32) as dispatcher:
        ids = await asyncio.gather(
            *[submitted(dispatcher, f"{number}", f"tenant-{number % 7}") for number in range(2_000)]
        )
        replies = await asyncio.gather(
            *[result(dispatcher, each, f"tenant-{number % 7}") for number, each in enumerate(ids)]
        )
        assert [reply.outcome() for reply in replies] == [f"{number}" for number in range(2_000)]
        assert dispatcher.counts() == (0, 0)
        assert sum(len(each.runs) for each in evaluators) == 2_000


async def test_a_failed_run_is_not_tried_again(store: TicketStore, evaluator: Evaluator) -> None:
    async def fails(request: RunRequest) -> RunReply:
        return RunReply(run_id=request.run_id, status="failed", error=errors.DivisionByZero(), output="so far")

    evaluator.answer = fails
    async with dispatching(store, evaluator) as dispatcher:
        ticket_id = await submitted(dispatcher)
        reply = await result(dispatcher, ticket_id)
        assert (type(reply.error), reply.output) == (errors.DivisionByZero, "so far")
        view = await dispatcher.ticket(ticket_id, None)
        assert (view.state, view.dead, view.attempts) == ("failed", False, 1)
        assert "zero" in view.reason


async def test_tickets_wait_for_evaluators(store: TicketStore, evaluator: Evaluator) -> None:
    async with dispatching(store) as dispatcher:
        ticket_id = await submitted(dispatcher)
        assert await dispatcher.reply(ticket_id, None, 0.05) is None
        dispatcher.set_runners({"late": evaluator})
        assert (await result(dispatcher, ticket_id)).status == "completed"


async def test_a_delayed_ticket_waits_its_time(store: TicketStore, evaluator: Evaluator) -> None:
    async with dispatching(store, evaluator) as dispatcher:
        began = time.time()
        ticket_id = await submitted(dispatcher, options=SubmitOptions(delay_s=0.3))
        assert (await dispatcher.ticket(ticket_id, None)).phase == "delayed"
        await result(dispatcher, ticket_id)
        assert time.time() >= began + 0.3


# ---------------------------------------------------------------- evaluators that are lost


async def test_a_run_that_was_lost_is_tried_again_under_another_id(store: TicketStore) -> None:
    evaluator = Evaluator(in_turn(lost, lost, at_once))
    async with dispatching(store, evaluator) as dispatcher:
        made = request()
        view = await dispatcher.submit(made.encode(), SubmitOptions())
        assert (await result(dispatcher, view.id)).status == "completed"
        assert evaluator.runs == [made.run_id, f"{made.run_id}.2", f"{made.run_id}.3"]
        assert (await dispatcher.ticket(view.id, None)).attempts == 3


async def test_a_run_that_is_lost_for_ever_is_a_dead_letter_that_can_be_queued_again(
    store: TicketStore,
) -> None:
    evaluator = Evaluator(lost)
    async with dispatching(store, evaluator) as dispatcher:
        ticket_id = await submitted(dispatcher)
        reply = await result(dispatcher, ticket_id)
        assert isinstance(reply.error, errors.InternalError)
        assert "evaluator-0, which ran it, was lost: its process died" in reply.error.text()
        view = await dispatcher.ticket(ticket_id, None)
        assert (view.state, view.dead, view.attempts, view.max_attempts) == ("failed", True, 3, 3)
        (listed,) = (await dispatcher.tickets(None, dead=True)).tickets
        assert listed.id == ticket_id
        evaluator.answer = at_once
        again = await dispatcher.requeue(ticket_id, None)
        assert (again.state, again.dead) == ("working", False)
        assert (await result(dispatcher, ticket_id)).status == "completed"
        with pytest.raises(ConflictError):
            await dispatcher.requeue(ticket_id, None)


async def test_a_run_with_effects_that_was_lost_is_not_tried_again(store: TicketStore) -> None:
    evaluator = Evaluator(in_turn(lost, at_once))
    async with dispatching(store, evaluator) as dispatcher:
        for more in ({"allowed": WITH_EFFECTS}, {"level": "full"}):
            evaluator.answer = lost
            ticket_id = await submitted(dispatcher, **more)
            assert (await result(dispatcher, ticket_id)).status == "failed"
            assert (await dispatcher.ticket(ticket_id, None)).attempts == 1
        ticket_id = await submitted(dispatcher, options=SubmitOptions(max_attempts=5), level="full")
        assert (await result(dispatcher, ticket_id)).status == "failed"
        assert (await dispatcher.ticket(ticket_id, None)).attempts == 1


async def test_an_evaluator_that_was_lost_is_given_nothing_until_it_is_back(store: TicketStore) -> None:
    dying = asyncio.Event()

    async def dies(request: RunRequest) -> RunReply:
        await dying.wait()
        raise RunnerLost("it died")

    evaluator = Evaluator(dies)
    evaluator.is_away = True
    async with dispatching(store, evaluator, places=8) as dispatcher:
        ids = [await submitted(dispatcher, f"{number}") for number in range(50)]
        await until(lambda: len(evaluator.running) == 8)
        dying.set()
        await until(lambda: evaluator.asked_alive >= 3)
        assert len(evaluator.runs) == 8  # the other tickets did not burn their attempts on it
        evaluator.is_away, evaluator.answer = False, at_once
        replies = await asyncio.gather(*[result(dispatcher, each) for each in ids])
        assert {reply.status for reply in replies} == {"completed"}
        attempts = [(await dispatcher.ticket(each, None)).attempts for each in ids]
        assert sorted(attempts) == [1] * 42 + [2] * 8


async def test_others_go_on_while_one_is_away(store: TicketStore, evaluator: Evaluator) -> None:
    bad = Evaluator(lost)
    bad.is_away = True
    async with dispatching(store, bad, evaluator, places=1) as dispatcher:
        ids = [await submitted(dispatcher) for _ in range(10)]
        assert {(await result(dispatcher, each)).status for each in ids} == {"completed"}
        assert len(bad.runs) == 1


@pytest.mark.parametrize("answer", [b"", b"garbage", RunRequest(source="1").encode(), b"\xff" * 100])
async def test_an_evaluator_that_answers_garbage(store: TicketStore, answer: bytes) -> None:
    async def garbage(request: RunRequest) -> bytes:
        return answer

    evaluator = Evaluator(in_turn(garbage, at_once))
    async with dispatching(store, evaluator) as dispatcher:
        ticket_id = await submitted(dispatcher)
        assert (await result(dispatcher, ticket_id)).status == "completed"
        evaluator.answer = garbage
        ticket_id = await submitted(dispatcher, level="full")
        assert "its answer is no reply" in str((await result(dispatcher, ticket_id)).error)
        assert dispatcher.counts() == (0, 0)


async def test_an_evaluator_with_a_bug_leaves_no_ticket_running(
    store: TicketStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def bug(request: RunRequest) -> RunReply:
        raise KeyError("a bug of ours")

    async with dispatching(store, Evaluator(bug)) as dispatcher:
        reply = await result(dispatcher, await submitted(dispatcher))
        assert isinstance(reply.error, errors.InternalError)
        assert dispatcher.counts() == (0, 0)
    assert "a bug of ours" in caplog.text


async def test_a_run_that_its_evaluator_cancelled_is_tried_again(store: TicketStore) -> None:
    async def shut_down(request: RunRequest) -> RunReply:
        error = errors.BudgetExhausted("cancelled", "the evaluator is shut down")
        return RunReply(run_id=request.run_id, status="cancelled", error=error)

    evaluator = Evaluator(in_turn(shut_down, at_once))
    async with dispatching(store, evaluator) as dispatcher:
        assert (await result(dispatcher, await submitted(dispatcher))).status == "completed"
        evaluator.answer = shut_down
        assert (await result(dispatcher, await submitted(dispatcher, level="full"))).status == "cancelled"


# ---------------------------------------------------------------- targets that are down


async def test_a_deferred_ticket_goes_on_when_its_target_is_up(store: TicketStore) -> None:
    evaluator = Evaluator(in_turn(deferring(3600.0), at_once))
    async with dispatching(store, evaluator) as dispatcher:
        ticket_id = await submitted(dispatcher)
        await in_phase(dispatcher, ticket_id, "waiting")
        view = await dispatcher.ticket(ticket_id, None)
        assert (view.state, view.reason) == ("working", "target `remote-x` is down")
        dispatcher.target_up("remote-other")
        assert await dispatcher.reply(ticket_id, None, 0.05) is None
        dispatcher.target_up("remote-x")
        assert (await result(dispatcher, ticket_id)).status == "completed"


async def test_a_deferred_ticket_is_tried_at_its_time_and_as_often_as_it_takes(store: TicketStore) -> None:
    evaluator = Evaluator(in_turn(*[deferring(0.02)] * 8, at_once))
    async with dispatching(store, evaluator) as dispatcher:
        ticket_id = await submitted(dispatcher)
        assert (await result(dispatcher, ticket_id)).status == "completed"
        assert len(evaluator.runs) == 9  # more than its attempts: waiting is none


@pytest.mark.parametrize("until", [float("nan"), float("inf"), -5.0])
async def test_a_deferral_to_no_time_is_no_deferral(store: TicketStore, until: float) -> None:
    async def answer(request: RunRequest) -> RunReply:
        return RunReply(run_id=request.run_id, status="deferred", deferral=Deferral(target="x", until=until))

    async with dispatching(store, Evaluator(answer)) as dispatcher:
        reply = await result(dispatcher, await submitted(dispatcher))
        assert (reply.status, type(reply.error)) == ("failed", errors.InternalError)
        assert dispatcher.counts() == (0, 0)


# ---------------------------------------------------------------- cancelling and deadlines


async def test_a_queued_ticket_is_cancelled(store: TicketStore) -> None:
    async with dispatching(store) as dispatcher:
        ticket_id = await submitted(dispatcher)
        view = await dispatcher.cancel(ticket_id, None)
        assert (view.state, dispatcher.counts()) == ("cancelled", (0, 0))
        assert (await result(dispatcher, ticket_id)).status == "cancelled"
        assert (await dispatcher.cancel(ticket_id, None)).state == "cancelled"


async def test_a_running_ticket_is_cancelled_and_so_is_its_run(
    store: TicketStore, evaluator: Evaluator
) -> None:
    evaluator.answer = evaluator.held
    async with dispatching(store, evaluator, places=1) as dispatcher:
        first = await submitted(dispatcher)
        await until(lambda: evaluator.running)
        (run_id,) = evaluator.running
        waiting = asyncio.create_task(result(dispatcher, first))
        await asyncio.sleep(0)
        assert (await dispatcher.cancel(first, None)).state == "cancelled"
        assert (await waiting).status == "cancelled"
        assert evaluator.cancelled == [run_id]
        evaluator.answer = at_once
        second = await submitted(dispatcher)  # its place is free again
        assert (await result(dispatcher, second)).status == "completed"


async def test_a_cancelled_run_that_does_not_end_keeps_its_place(store: TicketStore) -> None:
    release = asyncio.Event()

    async def deaf(request: RunRequest) -> RunReply:
        await release.wait()
        return done(request, "too late")

    evaluator = Evaluator(deaf)
    async with dispatching(store, evaluator, places=1) as dispatcher:
        first, second = await submitted(dispatcher, "1"), await submitted(dispatcher, "2")
        await until(lambda: evaluator.running)
        await dispatcher.cancel(first, None)
        assert await dispatcher.reply(second, None, 0.05) is None
        assert len(evaluator.running) == 1
        release.set()
        assert (await result(dispatcher, second)).status == "completed"
        assert (await result(dispatcher, first)).status == "cancelled"  # what came too late changes nothing


async def test_a_deadline_in_the_queue_and_one_while_running(store: TicketStore, evaluator: Evaluator) -> None:
    evaluator.answer = evaluator.held
    async with dispatching(store, evaluator, places=1) as dispatcher:
        running = await submitted(dispatcher, options=SubmitOptions(deadline_s=0.3))
        await until(lambda: evaluator.running)
        queued = await submitted(dispatcher, options=SubmitOptions(deadline_s=0.1))
        reply = await result(dispatcher, queued)
        assert isinstance(reply.error, errors.BudgetExhausted)
        view = await dispatcher.ticket(queued, None)
        assert (view.state, view.dead, view.attempts) == ("failed", True, 0)
        assert "deadline passed in the queue" in view.reason
        await result(dispatcher, running)
        view = await dispatcher.ticket(running, None)
        assert (view.state, view.dead) == ("failed", False)
        await until(lambda: evaluator.cancelled)
        await until(lambda: dispatcher.counts() == (0, 0))


# ---------------------------------------------------------------- who may see what


async def test_a_foreign_ticket_is_as_if_it_did_not_exist(store: TicketStore, evaluator: Evaluator) -> None:
    async with dispatching(store, evaluator) as dispatcher:
        ticket_id = await submitted(dispatcher, "1", "acme")
        await result(dispatcher, ticket_id, "acme")
        unknown = new_ticket_id()
        for tenant in ("other", None, NOBODY):
            for asked in (
                dispatcher.ticket(ticket_id, tenant),
                dispatcher.reply(ticket_id, tenant, 0),
                dispatcher.reply(ticket_id, tenant, None),
                dispatcher.cancel(ticket_id, tenant),
                dispatcher.requeue(ticket_id, tenant),
            ):
                with pytest.raises(NotFoundError) as foreign:
                    await asked
                with pytest.raises(NotFoundError) as missing:
                    await dispatcher.ticket(unknown, tenant)
                assert str(foreign.value).replace(ticket_id, unknown) == str(missing.value)
            assert (await dispatcher.tickets(tenant)).tickets == ()
        assert [each.id for each in (await dispatcher.tickets("acme")).tickets] == [ticket_id]
        assert [each.id for each in (await dispatcher.tickets(None, everybody=True)).tickets] == [ticket_id]


@pytest.mark.parametrize("ticket_id", ["", "../x", "x" * 1000, "\ud800", "a/request"])
async def test_no_id_at_all(store: TicketStore, ticket_id: str) -> None:
    async with dispatching(store) as dispatcher:
        with pytest.raises(NotFoundError):
            await dispatcher.ticket(ticket_id, None)


async def test_pages(store: TicketStore) -> None:
    async with dispatching(store) as dispatcher:
        ids = [await submitted(dispatcher) for _ in range(5)]
        seen: list[str] = []
        cursor = None
        while True:
            page = await dispatcher.tickets(None, limit=2, cursor=cursor)
            seen += [each.id for each in page.tickets]
            cursor = page.cursor
            if cursor is None:
                break
        assert sorted(seen) == sorted(ids)
        assert {each.tenant for each in (await dispatcher.tickets(None)).tickets} == {None}
        with pytest.raises(ValueError, match="cursor"):
            await dispatcher.tickets(None, cursor="no cursor")


# ---------------------------------------------------------------- waiting


async def test_who_waits_is_woken_and_nothing_is_left_of_who_gave_up(
    store: TicketStore, evaluator: Evaluator
) -> None:
    async with dispatching(store) as dispatcher:
        ticket_id = await submitted(dispatcher)
        assert await dispatcher.reply(ticket_id, None, 0) is None
        assert await dispatcher.reply(ticket_id, None, 0.01) is None
        gone = asyncio.create_task(dispatcher.reply(ticket_id, None, None))
        waiting = [asyncio.create_task(dispatcher.reply(ticket_id, None, None)) for _ in range(3)]
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert len(dispatcher._waiters[ticket_id]) == 3
        dispatcher.set_runners({"late": evaluator})
        async with asyncio.timeout(PATIENCE_S):
            replies = await asyncio.gather(*waiting)
        assert len(set(replies)) == 1
        assert dispatcher._waiters == {}


# ---------------------------------------------------------------- the dispatcher itself dies, or its disk


@contextmanager
def opened(folder: Path) -> Iterator[TicketStore]:
    with TicketStore(folder) as store:
        yield store


async def test_another_dispatcher_goes_on(folder: Path) -> None:
    evaluator = Evaluator()
    evaluator.answer = evaluator.held
    with opened(folder) as store:
        async with dispatching(store, evaluator, places=2) as dispatcher:
            ids = [await submitted(dispatcher, f"{number}") for number in range(5)]
            await until(lambda: len(evaluator.running) == 2)
    # runs of the old one go on while the next one runs the same tickets, on the same evaluator, again
    still_running = set(evaluator.runs)
    evaluator.running.update({run_id: asyncio.Event() for run_id in still_running})
    evaluator.answer = at_once
    with opened(folder) as store:
        async with dispatching(store, evaluator) as dispatcher:
            replies = await asyncio.gather(*[result(dispatcher, each) for each in ids])
            assert [reply.outcome() for reply in replies] == [f"{number}" for number in range(5)]
            again = sorted(run_id.rpartition(".")[0] for run_id in evaluator.runs if run_id.endswith(".2"))
            assert again == sorted(still_running)
    with opened(folder) as store:  # results outlive all of them
        async with dispatching(store) as dispatcher:
            assert [(await result(dispatcher, each)).outcome() for each in ids] == [f"{n}" for n in range(5)]


async def test_a_run_with_effects_is_not_run_again_by_the_next_dispatcher(folder: Path) -> None:
    evaluator = Evaluator()
    evaluator.answer = evaluator.held
    with opened(folder) as store:
        async with dispatching(store, evaluator) as dispatcher:
            ticket_id = await submitted(dispatcher, level="full")
            await until(lambda: evaluator.running)
    with opened(folder) as store:
        async with dispatching(store, evaluator) as dispatcher:
            reply = await result(dispatcher, ticket_id)
            assert reply.status == "failed"
            view = await dispatcher.ticket(ticket_id, None)
            assert (view.dead, view.attempts) == (True, 1)
    assert len(evaluator.runs) == 1


async def test_a_full_disk_loses_no_result(
    store: TicketStore, evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_AFTER_FAILURE_S", 0.02)
    is_full, release = False, asyncio.Event()
    original = TicketStore.write

    def write(self: TicketStore, changes: Changes) -> None:
        if is_full:
            raise StoreFull("no room left")
        original(self, changes)

    async def waits(request: RunRequest) -> RunReply:
        await release.wait()
        return done(request)

    monkeypatch.setattr(TicketStore, "write", write)
    evaluator.answer = waits
    async with dispatching(store, evaluator) as dispatcher:
        first = await submitted(dispatcher, "1")
        await until(lambda: evaluator.running)
        is_full = True
        with pytest.raises(StoreFull):
            await submitted(dispatcher, "2")
        release.set()
        await until(lambda: "cannot be written yet" in caplog.text)
        assert (await dispatcher.ticket(first, None)).phase == "running"
        is_full = False
        assert (await result(dispatcher, first)).outcome() == "1"
        assert (await result(dispatcher, await submitted(dispatcher, "3"))).outcome() == "3"
        assert len(evaluator.runs) == 2


async def test_who_listens_and_fails_disturbs_nobody(store: TicketStore, evaluator: Evaluator) -> None:
    told: list[tuple[str, str]] = []

    def listen(ticket: Ticket) -> None:
        told.append((ticket.id, ticket.stage))
        raise RuntimeError("it cannot listen")

    async with dispatching(store, evaluator, changed=listen) as dispatcher:
        ids = await asyncio.gather(*[submitted(dispatcher, f"{number}") for number in range(5)])
        for ticket_id in ids:
            assert (await result(dispatcher, ticket_id)).status == "completed"
            stages = [stage for each, stage in told if each == ticket_id]
            assert stages == ["queued", "running", "completed"]
        assert len(evaluator.runs) == 5


async def test_a_damaged_request_fails_its_ticket_alone(store: TicketStore, evaluator: Evaluator) -> None:
    async with dispatching(store) as dispatcher:
        bad, good = await submitted(dispatcher, "1"), await submitted(dispatcher, "2")
        store.write(Changes(payloads={(bad, "request"): b"damaged"}))
        dispatcher.set_runners({"e": evaluator})
        assert isinstance((await result(dispatcher, bad)).error, errors.StorageError)
        assert (await result(dispatcher, good)).outcome() == "2"


async def test_ended_tickets_are_forgotten_in_time(store: TicketStore, evaluator: Evaluator) -> None:
    limits = QueueLimits(keep_s=0.2)
    async with dispatching(store, evaluator, limits=limits) as dispatcher:
        ticket_id = await submitted(dispatcher)
        await result(dispatcher, ticket_id)
        async with asyncio.timeout(PATIENCE_S):
            while (await dispatcher.tickets(None)).tickets:
                await asyncio.sleep(0.02)
        with pytest.raises(NotFoundError, match="may have expired"):
            await dispatcher.ticket(ticket_id, None)
