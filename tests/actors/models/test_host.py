from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from actors.models.batches import decode_replies, encode_requests
from actors.models.errors import ModelError
from actors.models.host import RETRY_LOAD_S, ModelHost
from actors.models.inference import InferenceRequest, InferenceResponse, Reply
from actors.models.provider import ModelProvider
from actors.models.registry import ModelRegistry
from policies.errors import TargetFailed
from policies.file.schema import LocalModelEntry
from rtfs.errors import StorageError

type Asking = Callable[..., list[InferenceRequest]]
type Told = Callable[[Sequence[Reply]], list[Any]]
type Callers = Callable[..., Future[Any]]

PATIENCE_S = 20.0
ECHO = LocalModelEntry(kind="echo")
MOOD = "default neutral\n[glad]\n3 word thanks\n[neutral]\n"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_bytes_in_bytes_out(asking: Asking, told: Told) -> None:
    host = ModelHost("e", ECHO)
    assert told(decode_replies(host.infer(encode_requests(asking(1, "b", None))))) == [1, "b", None]
    assert told(decode_replies(host.infer(encode_requests([])))) == []
    with pytest.raises(StorageError):
        host.infer(b"nonsense")
    assert told(host.answer(asking(1))) == [1]


def test_stats(asking: Asking) -> None:
    host = ModelHost("e", ECHO)
    assert (host.stats().state, host.stats().version, host.stats().mean_batch) == ("new", "", 0.0)
    host.answer(asking(1, 2, 3))
    host.answer(asking(1))
    stats = pickle.loads(pickle.dumps(host.stats()))  # as Ray hands it out
    assert (stats.model, stats.state, stats.version, stats.problems) == ("e", "ready", "echo-1", ())
    assert (stats.requests, stats.batches, stats.mean_batch) == (4, 2, 2.0)
    assert (stats.waiting, stats.in_flight, stats.refused, stats.timed_out) == (0, 0, 0, 0)


def test_the_queue_has_a_bound(asking: Asking, told: Told) -> None:
    host = ModelHost("e", ECHO, queue_bound=2)
    assert told(host.answer(asking(1, 2, 3))) == ["!overloaded"] * 3
    assert host.stats().refused == 3


def test_cancelling_ends_a_wait(asking: Asking, told: Told, callers: Callers, gated: Any) -> None:
    model = gated()
    host = ModelHost("g", ECHO, registry=registry_of(lambda name, entry: model))
    running = callers(host.answer, asking("runs"))
    model.has_begun(1)
    waiting = callers(host.answer, asking("a", ids=True))
    while not host.stats().waiting:
        time.sleep(0.001)
    host.cancel(["id-a", ""])
    assert told(waiting.result(PATIENCE_S)) == ["!cancelled"]
    model.let_go()
    assert told(running.result(PATIENCE_S)) == ["runs"]
    assert model.cancelled == [frozenset({"id-a"})]


# ---------------------------------------------------------------- loading


def registry_of(make: Callable[[str, LocalModelEntry], ModelProvider]) -> ModelRegistry:
    registry = ModelRegistry()
    registry.register("echo", make)
    return registry


def test_a_file_that_is_not_there_yet(tmp_path: Path, asking: Asking, told: Told) -> None:
    path = tmp_path / "mood.rules"
    clock = Clock()
    host = ModelHost("mood", LocalModelEntry(path=str(path)), clock=clock)
    stats = host.load()
    assert stats.state == "failed"
    assert stats.problems == (
        f"cannot load the model: {path}: cannot read the file: no such file or directory",
    )
    path.write_text(MOOD)
    replies = host.answer(asking("thanks", "x"))
    assert told(replies) == ["!crashed", "!crashed"]
    assert str(path) in str(replies[0])
    assert replies[0] is not replies[1]
    clock.now = RETRY_LOAD_S
    assert [reply.text for reply in host.answer(asking("thanks")) if isinstance(reply, InferenceResponse)] == [
        "glad"
    ]
    assert (host.stats().state, host.stats().problems) == ("ready", ())


@pytest.mark.parametrize(
    ("error", "outcome", "problem"),
    [
        (ModelError("bad file"), "!crashed", "cannot load the model: bad file"),
        (MemoryError(), "!out-of-memory", "cannot load the model: the model `m` ran out of memory"),
        (RuntimeError("secret"), "!crashed", "cannot load the model: RuntimeError in the model `m`"),
    ],
)
def test_loads_that_fail(error: Exception, outcome: str, problem: str, asking: Asking, told: Told) -> None:
    attempts: list[LocalModelEntry] = []

    def make(name: str, entry: LocalModelEntry) -> ModelProvider:
        attempts.append(entry)
        raise error

    host = ModelHost("m", ECHO, registry=registry_of(make), clock=Clock())
    for _ in range(5):
        assert told(host.answer(asking(1))) == [outcome]
    assert len(attempts) == 1
    assert host.stats().problems == (problem,)
    host.load()
    assert len(attempts) == 2


def test_one_caller_loads_and_the_others_wait_for_it(
    gated: Any, asking: Asking, told: Told, callers: Callers
) -> None:
    loads, go_on = threading.Semaphore(0), threading.Event()
    model = gated(max_batch=100)
    model.let_go(100)

    def make(name: str, entry: LocalModelEntry) -> ModelProvider:
        loads.release()
        assert go_on.wait(PATIENCE_S)
        return model  # type: ignore[no-any-return]

    host = ModelHost("m", ECHO, registry=registry_of(make))
    calls = [callers(host.answer, asking(number)) for number in range(8)]
    assert loads.acquire(timeout=PATIENCE_S)
    late = host.answer(asking("late", timeout_s=0.02))
    assert str(late[0]) == "timeout: the model `m` is still being loaded"
    go_on.set()
    assert [told(call.result(PATIENCE_S)) for call in calls] == [[number] for number in range(8)]
    assert not loads.acquire(blocking=False)
    host.close()


class Cold(ModelProvider):
    """A model with a first request of its own."""

    version = "cold-1"
    max_batch = 8
    concurrency = 2

    def __init__(self, id: str, error: Exception | None = None) -> None:
        super().__init__(id)
        self.error = error
        self.life: list[str] = []

    def load(self) -> None:
        self.life.append("load")

    def warm_up(self) -> None:
        self.life.append("warm up")
        if self.error is not None:
            raise self.error

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        self.life.append("infer")
        return InferenceResponse(request.args[0])

    def close(self) -> None:
        self.life.append("close")


def test_a_model_is_warm_before_it_is_asked(asking: Asking, told: Told) -> None:
    model = Cold("m")
    host = ModelHost("m", ECHO, registry=registry_of(lambda name, entry: model))
    assert (host.stats().max_batch, host.stats().concurrency) == (0, 0)
    assert told(host.answer(asking(1))) == [1]
    assert host.load().state == "ready"
    assert model.life == ["load", "warm up", "infer"]
    assert (host.stats().max_batch, host.stats().concurrency) == (8, 2)


@pytest.mark.parametrize(
    ("error", "outcome", "problem"),
    [
        (ModelError("no room"), "!crashed", "cannot load the model: no room"),
        (TargetFailed("out-of-memory", "no room"), "!out-of-memory", "cannot load the model: no room"),
        (KeyError("secret"), "!crashed", "cannot load the model: KeyError in the model `m`"),
    ],
)
def test_a_model_that_cannot_be_warmed_up_is_not_loaded(
    error: Exception, outcome: str, problem: str, asking: Asking, told: Told
) -> None:
    model = Cold("m", error)
    host = ModelHost("m", ECHO, registry=registry_of(lambda name, entry: model))
    assert told(host.answer(asking(1))) == [outcome]
    assert (host.stats().state, host.stats().problems) == ("failed", (problem,))
    assert model.life == ["load", "warm up", "close"]


def test_a_reload_that_cannot_be_warmed_up_leaves_the_old_model(asking: Asking, told: Told) -> None:
    models = [Cold("m"), Cold("m", ModelError("no room"))]
    host = ModelHost("m", ECHO, registry=registry_of(lambda name, entry: models.pop(0)))
    host.load()
    assert host.reload().state == "ready"
    assert told(host.answer(asking(1))) == [1]


def test_reload_with_another_entry(tmp_path: Path, asking: Asking, told: Told) -> None:
    path = tmp_path / "mood.rules"
    path.write_text(MOOD)
    host = ModelHost("m", ECHO)
    assert told(host.answer(asking("thanks"))) == ["thanks"]
    stats = host.reload(LocalModelEntry(path=str(path)))
    assert (stats.state, len(stats.version)) == ("ready", 64)
    (reply,) = host.answer(asking("thanks"))
    assert isinstance(reply, InferenceResponse)
    assert reply.text == "glad"


def test_a_reload_that_fails_leaves_the_old_model(tmp_path: Path, asking: Asking, told: Told) -> None:
    host = ModelHost("m", ECHO)
    host.load()
    stats = host.reload(LocalModelEntry(path=str(tmp_path / "none.rules")))
    assert (stats.state, stats.version) == ("ready", "echo-1")
    assert "no such file" in stats.problems[0]
    assert told(host.answer(asking(1))) == [1]
    assert host.reload().problems == ()  # of the entry that is in force


def test_unload_and_back(asking: Asking, told: Told) -> None:
    host = ModelHost("m", ECHO)
    host.load()
    assert host.unload().state == "unloaded"
    replies = host.answer(asking(1))
    assert [str(reply) for reply in replies] == ["connection-refused: the model `m` is not loaded"]
    assert host.stats().version == ""
    assert host.load().state == "ready"
    assert told(host.answer(asking(1))) == [1]
    host.unload()
    assert host.reload().state == "ready"


def test_closing_ends_what_the_model_does(asking: Asking, told: Told, callers: Callers) -> None:
    host = ModelHost("e", LocalModelEntry(kind="echo", latency_ms=60_000))
    call = callers(host.answer, asking(1, 2))
    while not host.stats().in_flight:
        time.sleep(0.001)
    host.close()
    assert told(call.result(PATIENCE_S)) == ["!connection-lost"] * 2
    assert told(host.answer(asking(1))) == ["!connection-refused"]
    host.close()


def test_batches_of_a_slow_model_overlap(asking: Asking, told: Told, callers: Callers) -> None:
    host = ModelHost("e", LocalModelEntry(kind="echo", latency_ms=60_000))
    host.load()
    calls = [callers(host.answer, asking(number)) for number in range(16)]
    while host.stats().in_flight < 16:  # all at once, or this never ends
        time.sleep(0.001)
    host.close()
    assert [told(call.result(PATIENCE_S)) for call in calls] == [["!connection-lost"]] * 16


def test_problems_of_a_model_that_runs_are_told(tmp_path: Path, asking: Asking) -> None:
    path = tmp_path / "mood.rules"
    path.write_text(MOOD)
    clock = Clock()
    registry = ModelRegistry()

    from actors.models.rules import RulesModel

    registry.register("rules", lambda name, entry: RulesModel(name, entry.path or "", clock=clock))
    host = ModelHost("mood", LocalModelEntry(kind="rules", path=str(path)), registry=registry)
    host.load()
    path.write_text("defualt\n")
    clock.now = 10.0
    host.answer(asking("x"))
    assert "unknown setting `defualt`" in " ".join(host.stats().problems)
    assert host.stats().state == "ready"
