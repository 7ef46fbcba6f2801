"""The writer at the other end of an actor, with an actor that does only what it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from ray.exceptions import RayActorError, RayTaskError

from actors.caches import remote_writer as module
from actors.caches.errors import CacheError
from actors.caches.layer import CacheStats, Which
from actors.caches.remote_writer import RemoteWriter


class Ref:
    """The result of a call, once there is one."""

    def __init__(self, call: tuple[str, tuple[Any, ...]]) -> None:
        self.call = call
        self._done: list[Callable[[Any], None]] = []

    def _on_completed(self, done: Callable[[Any], None]) -> None:
        self._done.append(done)

    def come(self, result: Any = None) -> None:
        for done in self._done:
            done(result)


class Method:
    def __init__(self, actor: Actor, name: str) -> None:
        self._actor, self._name = actor, name

    def remote(self, *args: Any) -> Ref:
        if self._actor.raises is not None:
            raise self._actor.raises
        ref = Ref((self._name, args))
        self._actor.refs.append(ref)
        if self._name != "keep" and self._actor.answer is not None:
            answer = self._actor.answer
            ref._on_completed = lambda done: done(answer)  # type: ignore[method-assign]
        return ref


class Actor:
    """The actor of the caches, and who looks it up."""

    def __init__(self) -> None:
        self.refs: list[Ref] = []
        self.raises: Exception | None = None
        self.answer: Any = None
        self.forgotten = 0

    def get(self, name: str) -> Actor:
        assert name == "caches"
        return self

    def forget(self, name: str) -> None:
        self.forgotten += 1

    def __getattr__(self, name: str) -> Method:
        return Method(self, name)

    @property
    def sizes(self) -> list[int]:
        return [len(ref.call[1][0]) for ref in self.refs if ref.call[0] == "keep"]


@pytest.fixture
def actor() -> Actor:
    return Actor()


@pytest.fixture
def writer(actor: Actor) -> RemoteWriter:
    return RemoteWriter(actor)  # type: ignore[arg-type]


def lost() -> RayTaskError:
    return RayTaskError("keep", "trace", RuntimeError("the disk"))  # type: ignore[no-untyped-call]


def test_answers_are_gathered_while_others_are_on_their_way(
    writer: RemoteWriter, actor: Actor, call: Any, put: Any
) -> None:
    for number in range(10):
        writer.put([put(call(number), "v")])
    assert actor.sizes == [1]
    actor.refs[0].come()
    assert actor.sizes == [1, 9]
    actor.refs[1].come()
    assert actor.sizes == [1, 9]


def test_when_written_keeps_the_order(writer: RemoteWriter, actor: Actor, call: Any, put: Any) -> None:
    done: list[str] = []
    writer.when_written(lambda: done.append("nothing waits"))
    assert done == ["nothing waits"]
    writer.put([put(call(1), "v")])
    writer.when_written(lambda: done.append("first"))
    writer.put([put(call(2), "v"), put(call(3), "v")])
    writer.when_written(lambda: done.append("second"))
    writer.when_written(lambda: done.append("third"))
    actor.refs[0].come()
    assert done[1:] == ["first"]
    actor.refs[1].come()
    assert done[1:] == ["first", "second", "third"]


@pytest.mark.parametrize("error", [RayActorError(), lost()])
def test_what_is_lost_is_waited_for_no_longer_and_said(
    writer: RemoteWriter, actor: Actor, call: Any, put: Any, error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []
    writer.put([put(call(1), "v")])
    writer.when_written(lambda: done.append(1))
    with caplog.at_level(logging.WARNING, "rtfs.caches"):
        actor.refs[0].come(error)
    assert done == [1]
    assert "1 answers are not kept" in caplog.text
    assert actor.forgotten == 1  # it is looked up anew
    writer.put([put(call(2), "v")])
    assert actor.sizes == [1, 1]


@pytest.mark.parametrize("error", [RayActorError(), ValueError("no such actor"), TypeError("cannot pickle")])
def test_what_cannot_be_sent_is_waited_for_no_longer(
    writer: RemoteWriter, actor: Actor, call: Any, put: Any, error: Exception
) -> None:
    actor.raises, done = error, []
    writer.put([put(call(1), "v")])
    writer.when_written(lambda: done.append(1))
    assert done == [1]
    actor.raises = None
    writer.put([put(call(2), "v")])
    writer.when_written(lambda: done.append(2))
    actor.refs[0].come()
    assert done == [1, 2]


def test_what_waits_is_bounded_in_bytes(
    writer: RemoteWriter, actor: Actor, call: Any, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = put(call(0), "x" * 100)
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 3 * len(one.stored))
    for _ in range(10):
        writer.put([one])
    actor.refs[0].come()
    assert actor.sizes == [1, 2]
    actor.refs[1].come()
    writer.put([one])
    assert actor.sizes == [1, 2, 1]


def test_what_waits_is_bounded_in_number_and_nobody_waits_for_what_was_not_taken(
    writer: RemoteWriter, actor: Actor, call: Any, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 5)
    done: list[int] = []
    writer.put([put(call(number), "v") for number in range(20)])
    writer.when_written(lambda: done.append(1))
    actor.refs[0].come()
    actor.refs[1].come()
    assert (sum(actor.sizes), done) == (5, [1])


def test_uses_are_noted_and_nobody_minds_if_that_fails(writer: RemoteWriter, actor: Actor) -> None:
    writer.note([b"a"], [b"b"])
    assert actor.refs[0].call == ("note", ([b"a"], [b"b"]))
    actor.raises = RayActorError()
    writer.note([b"a"], [])
    assert actor.forgotten == 1


def test_questions_are_answered_or_said_to_be_none(writer: RemoteWriter, actor: Actor) -> None:
    actor.answer = 7
    assert writer.invalidate(Which(model="local-a")) == 7
    assert writer.clear() == 7
    actor.answer = CacheStats(stores=3)
    assert writer.stats() == CacheStats(stores=3)
    actor.raises = RayActorError()
    assert writer.stats() == CacheStats()
    for ask in (writer.clear, lambda: writer.invalidate(Which(model="local-a"))):
        with pytest.raises(CacheError, match="the actor of the caches cannot be asked: RayActorError"):
            ask()
