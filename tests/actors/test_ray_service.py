"""What a runtime is asked about its caches, by handles that stand for those of Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest
from ray.exceptions import RayActorError, RayTaskError

from actors import names
from actors.caches.errors import CacheError, InvalidCache, StoreError
from actors.caches.layer import CacheStats, Which
from actors.ray_service import RayService, RuntimeGone
from actors.requests import RunReply, RunRequest
from rtfs.run import Limits

WRITTEN = CacheStats(stores=3, entries=3)
SEEN = {"l1": CacheStats(hits=9), "l2-hot": CacheStats(hits=1, misses=1), "l2-cold": CacheStats(misses=1)}


class Ref:
    """What a call comes to: a value, or an exception."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer

    def _on_completed(self, done: Callable[[Any], None]) -> None:
        done(self._answer)


class InTurn(list[Any]):
    """Answers of one call after the other, the last one for ever."""


class Method:
    """A method of an actor. `answer` is what it gives, or raises."""

    def __init__(self, answer: Any) -> None:
        self._answers = answer if isinstance(answer, InTurn) else InTurn([answer])
        self.calls: list[tuple[Any, ...]] = []

    def remote(self, *args: Any) -> Ref:
        self.calls.append(args)
        return Ref(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])


class Handle:
    """An actor that has these methods."""

    def __init__(self, **answers: Any) -> None:
        for name, answer in answers.items():
            setattr(self, name, Method(answer))


class Parts:
    """The actors of a runtime, by name; stands for `actors.ray_calls.Actors`."""

    namespace = "rtfs-trial"

    def __init__(self, **parts: Handle) -> None:
        self.parts = {name.replace("_", "-"): handle for name, handle in parts.items()}
        self.forgotten: list[str] = []

    def get(self, name: str) -> Handle:
        if name not in self.parts:
            raise ValueError(f"there is no {name}")
        return self.parts[name]

    def forget(self, name: str) -> None:
        self.forgotten.append(name)


def service_of(**parts: Handle) -> RayService:
    service = RayService(Parts.namespace, 2)
    service.actors = Parts(**parts)  # type: ignore[assignment]
    return service


def raised(cause: Exception) -> RayTaskError:
    """What the caller of an actor's method gets when that raises."""
    error = RayTaskError.__new__(RayTaskError)
    error.cause = cause
    return error


async def test_each_part_says_what_its_caches_did() -> None:
    service = service_of(
        caches=Handle(stats=WRITTEN),
        evaluator_0=Handle(cache_stats=SEEN),
        evaluator_1=Handle(cache_stats={}),
    )
    stats = await service.cache_stats()
    assert stats == {"caches": {"l2-cold": WRITTEN}, "evaluator-0": SEEN, "evaluator-1": {}}
    assert stats[names.evaluator(0)]["l2-hot"].hit_rate == 0.5


@pytest.mark.parametrize(
    "error", [RayActorError(), raised(StoreError("the disk failed"))], ids=["away", "failed"]
)
async def test_a_part_that_does_not_answer_is_left_out(error: Exception) -> None:
    service = service_of(caches=Handle(stats=error), evaluator_1=Handle(cache_stats=SEEN))
    assert await service.cache_stats() == {"evaluator-1": SEEN}


# ---------------------------------------------------------------- evaluators that are lost

RUN = RunRequest(run_id="run-1", source="1")
DONE = RunReply(run_id="run-1", status="completed", value=1, text="1").encode()
LOST = RayActorError()


async def test_a_lost_evaluator_gets_no_more_runs() -> None:
    lost = Handle(run=LOST, process=LOST)
    service = service_of(evaluator_0=lost, evaluator_1=Handle(run=DONE))
    for _ in range(4):
        assert (await service.evaluate(RUN)).status == "completed"
    assert len(lost.run.calls) == 1  # type: ignore[attr-defined]


async def test_an_evaluator_that_is_back_gets_runs_again() -> None:
    back = Handle(run=InTurn([LOST, DONE]), process=7)
    service = service_of(evaluator_0=back, evaluator_1=Handle(run=DONE, process=8))
    for _ in range(3):
        assert (await service.evaluate(RUN)).status == "completed"
    assert len(back.run.calls) == 4  # type: ignore[attr-defined]


async def test_while_all_are_lost_a_run_waits_for_one_to_be_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.ray_service._LOOK_S", 0.01)
    back = Handle(run=InTurn([LOST, DONE]), process=InTurn([LOST, LOST, LOST, 7]))
    service = service_of(evaluator_0=back, evaluator_1=Handle(run=LOST, process=LOST))
    assert (await service.evaluate(RUN)).status == "completed"
    assert len(back.process.calls) >= 4  # type: ignore[attr-defined]


async def test_where_none_comes_back_a_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits no longer than it may run, and not for each of its attempts."""
    monkeypatch.setattr("actors.ray_service._LOOK_S", 0.01)
    short = RunRequest(run_id="run-1", source="1", limits=Limits(deadline_s=0.05))
    gone = [Handle(run=LOST, process=LOST) for _ in range(2)]
    service = service_of(evaluator_0=gone[0], evaluator_1=gone[1])
    reply = await asyncio.wait_for(service.evaluate(short), 20)
    assert reply.status == "failed"
    assert "evaluator-1, which ran it, was lost" in str(reply.error)
    reply = await asyncio.wait_for(service.evaluate(short), 20)
    assert "all evaluators were lost" in str(reply.error)
    assert [len(each.run.calls) for each in gone] == [1, 1]  # type: ignore[attr-defined]


async def test_a_run_with_effects_is_not_begun_again() -> None:
    with_effects = RunRequest(run_id="run-1", source="1", level="full")
    service = service_of(evaluator_0=Handle(run=LOST, process=LOST), evaluator_1=Handle(run=DONE))
    assert (await service.evaluate(with_effects)).status == "failed"
    assert (await service.evaluate(with_effects)).status == "completed"


# ---------------------------------------------------------------- caches

REMOVING: list[tuple[str, tuple[Any, ...], Callable[[RayService], Any]]] = [
    (
        "invalidate",
        (Which(symbol="mail/mood"),),
        lambda service: service.invalidate_cache(Which(symbol="mail/mood")),
    ),
    ("clear", (), lambda service: service.clear_cache()),
]


@pytest.mark.parametrize(("method", "args", "remove"), REMOVING, ids=["invalidate", "clear"])
async def test_the_writer_removes(
    method: str, args: tuple[Any, ...], remove: Callable[[RayService], Any]
) -> None:
    writer = Handle(**{method: 7})
    assert await remove(service_of(caches=writer)) == 7
    assert getattr(writer, method).calls == [args]


@pytest.mark.parametrize(("method", "args", "remove"), REMOVING, ids=["invalidate", "clear"])
async def test_what_the_writer_cannot_do_is_raised(
    method: str, args: tuple[Any, ...], remove: Callable[[RayService], Any]
) -> None:
    for cause in (InvalidCache("it names none"), StoreError("the cache is switched off")):
        with pytest.raises(CacheError, match=str(cause)):
            await remove(service_of(caches=Handle(**{method: raised(cause)})))
    with pytest.raises(RayTaskError):  # a fault of ours is none of the caches'
        await remove(service_of(caches=Handle(**{method: raised(KeyError("x"))})))
    gone = service_of(caches=Handle(**{method: RayActorError()}))
    with pytest.raises(RuntimeGone, match="caches of rtfs-trial cannot be reached"):
        await remove(gone)
    assert gone.actors.forgotten == ["caches"]  # type: ignore[attr-defined]
    with pytest.raises(RuntimeGone, match="there is no caches in rtfs-trial"):
        await remove(service_of())
