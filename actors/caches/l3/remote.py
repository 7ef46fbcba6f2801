"""L3 as the processes of a runtime reach it: a `SemanticPort` over its actor, which a first question starts.

No call waits for the actor to begin: until it has its embedder and its store, nothing is known by meaning.
"""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import ray
from ray.exceptions import RayError

from actors import names
from actors.caches.l3.actor import semantic_actor
from actors.caches.l3.question import Neighbour, SemanticQuestion, Served, Unknown, Verdict
from actors.control.spec import RuntimeSpec
from actors.ray_calls import Actors, answer_of, local_calls, told
from policies.errors import TargetFailed
from rtfs.errors import StorageError
from rtfs.ir_codec import decode_value
from rtfs.overlap import nothing_overlaps

_log = logging.getLogger("rtfs.caches")

#: how long an answer may take before the target is asked instead, seconds
PATIENCE_S: Final = 2.0
#: pause after it could not be asked, seconds
_REST_S: Final = 5.0


class RemoteSemantic:
    """Asks the actor of L3. Safe to use from many threads.

    Args:
        spec: of the runtime, for its actor.
    """

    def __init__(self, actors: Actors, spec: RuntimeSpec) -> None:
        self._actors = actors
        self._spec = spec
        self._local = local_calls(actors)
        self._is_up = False
        #: whether it was asked to say so
        self._is_beginning = False
        self._rest_until = 0.0
        self._lock = threading.Lock()

    def look(self, question: SemanticQuestion) -> Verdict:
        """What is known; nothing where the actor does not answer in time. Raises LimitError."""
        if not self._can_be_asked():
            return Unknown(reason="its actor has not begun, or does not answer")
        try:
            verdict, payload = self._by_socket(question) or answer_of(
                self._actor().look.remote(question), PATIENCE_S
            )
            if isinstance(verdict, Served):
                return replace(verdict, hit=verdict.hit._replace(value=decode_value(payload)))
            found: Verdict = verdict
            return found
        except (RayError, ValueError, StorageError) as error:
            self._away(error)
            return Unknown(reason=f"its actor does not answer: {type(error).__name__}")

    def _by_socket(self, question: SemanticQuestion) -> tuple[Verdict, bytes] | None:
        """What the actor says, the thread being held; None: others need the thread, or there is no socket.

        Raises:
            ValueError: the actor does not answer.
        """
        if not nothing_overlaps():
            return None
        reply = self._local.exchange(names.SEMANTIC, pickle.dumps(question), PATIENCE_S)
        if isinstance(reply, TargetFailed):
            raise ValueError(str(reply))
        found: tuple[Verdict, bytes] | None = None if reply is None else pickle.loads(reply)
        return found

    def answered(self, ticket: str, answer: bytes) -> None:
        """Tell it what the target said."""
        try:
            self._actor().answered.remote(ticket, answer)
        except (RayError, ValueError) as error:
            self._away(error)

    def similar(self, symbol: str, text: str, at_least: float, limit: int) -> Sequence[Neighbour]:
        """Calls of a function with texts near `text`. Raises LimitError."""
        try:
            found: Sequence[Neighbour] = answer_of(self._actor().similar.remote(symbol, text, at_least, limit))
            return found
        except (RayError, ValueError) as error:
            self._away(error)
            return ()

    def _can_be_asked(self) -> bool:
        """Whether the actor is there and has begun; else it is started."""
        if self._is_up:
            return True
        with self._lock:
            if self._is_beginning or time.monotonic() < self._rest_until:
                return False
            self._is_beginning = True
        try:
            told(self._actor().process.remote(), self._begun)
        except (RayError, ValueError) as error:
            self._begun(error)
        return False

    def _begun(self, result: object) -> None:
        self._is_beginning = False
        if isinstance(result, BaseException):
            self._away(result)
        else:
            self._is_up = True

    def _actor(self) -> Any:
        try:
            return self._actors.get(names.SEMANTIC)
        except ValueError:
            semantic_actor(self._spec)
            return self._actors.get(names.SEMANTIC)

    def _away(self, error: BaseException) -> None:
        self._is_up = False
        self._rest_until = time.monotonic() + _REST_S
        self._actors.forget(names.SEMANTIC)
        _log.warning("results by meaning are not known for now: %s", type(error).__name__)


def spec_of(actors: Actors, timeout_s: float) -> RuntimeSpec:
    """What the runtime consists of, as its control actor says. Raises RayError, ValueError."""
    spec: RuntimeSpec = ray.get(actors.get(names.CONTROL).spec.remote(), timeout=timeout_s)
    return spec
