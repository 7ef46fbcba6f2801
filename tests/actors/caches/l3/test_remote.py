"""The two ways to the actor of L3; its handle is a fake, the socket is real."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.caches.keys import FunctionKey, InferenceCall, ModelKey, Scope
from actors.caches.l3.question import SemanticQuestion, Served, Unknown, Verdict
from actors.caches.l3.remote import RemoteSemantic
from actors.caches.layer import Hit
from actors.local_socket import LocalServer
from rtfs.ir_codec import encode_value

CALL = InferenceCall(
    FunctionKey(symbol="f", ir_hash="a", parameter_types=("string",)),
    ModelKey(target="t", version="1"),
    Scope(),
    ("x",),
)
QUESTION = SemanticQuestion(
    partition=b"p", texts=("x",), key=CALL.key, origin=CALL.origin, max_error=0.01, ttl_s=60.0
)


class Ref:
    """A call that has come to something."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def _on_completed(self, done: Callable[[Any], None]) -> None:
        done(self._result)


class Actor:
    """Says `Unknown` with the way by which it was asked, as a handle and by its socket."""

    def __init__(self, folder: Path) -> None:
        self.server: LocalServer | None = LocalServer(self._by_socket, folder)
        self.reply: tuple[Verdict, bytes] = (Unknown(reason="by the socket"), b"")
        self.asked: list[SemanticQuestion] = []
        self.breaks_off = False
        self.process = self._method(lambda: 1)
        self.local_path = self._method(lambda: None if self.server is None else str(self.server.path))
        self.look = self._method(lambda question: (Unknown(reason="by Ray"), b""))

    def _method(self, call: Callable[..., Any]) -> Any:
        method = SimpleNamespace(remote=lambda *args: Ref(call(*args)))
        method.options = lambda: method
        return method

    def _by_socket(self, request: bytes) -> bytes:
        self.asked.append(pickle.loads(request))
        if self.breaks_off:
            raise ConnectionResetError("it has gone")
        return pickle.dumps(self.reply)

    def get(self, name: str) -> Actor:
        return self

    def forget(self, name: str) -> None:
        pass


@pytest.fixture
def actor(tmp_path: Path) -> Iterator[Actor]:
    made = Actor(tmp_path / "sockets")
    yield made
    if made.server is not None:
        made.server.close()


def remote(actor: Actor) -> RemoteSemantic:
    found = RemoteSemantic(actor, None)  # type: ignore[arg-type]
    assert "has not begun" in reason(found)  # the first question only starts it
    return found


def reason(asked: RemoteSemantic) -> str:
    verdict = asked.look(QUESTION)
    assert isinstance(verdict, Unknown)
    return verdict.reason


def test_a_call_that_is_alone_goes_by_the_socket(actor: Actor) -> None:
    asked = remote(actor)
    assert [reason(asked) for _ in range(3)] == ["by the socket"] * 3
    assert actor.asked == [QUESTION] * 3


def test_the_answer_comes_along(actor: Actor) -> None:
    hit = Hit(value=None, tier="l2-cold", age_s=1.0, expires_in_s=9.0, origin=CALL.origin)
    actor.reply = (Served(hit=hit, similarity=0.9, error_bound=0.01), encode_value("an answer"))
    found = remote(actor).look(QUESTION)
    assert isinstance(found, Served)
    assert found.hit.value == "an answer"


def test_calls_that_overlap_others_do_not_hold_the_thread(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = remote(actor)
    monkeypatch.setattr("actors.caches.l3.remote.nothing_overlaps", lambda: False)
    assert reason(asked) == "by Ray"


def test_without_a_socket_calls_go_by_ray(actor: Actor) -> None:
    assert actor.server is not None
    actor.server.close()
    actor.server = None
    assert reason(remote(actor)) == "by Ray"


def test_an_actor_that_breaks_off_is_left_alone_for_a_while(actor: Actor) -> None:
    asked = remote(actor)
    assert reason(asked) == "by the socket"
    actor.breaks_off = True
    assert "does not answer" in reason(asked)
    assert "has not begun, or does not answer" in reason(asked)
