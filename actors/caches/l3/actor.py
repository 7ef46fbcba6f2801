"""The actor of L3: one for a runtime, with its embedder, the store of earlier calls, and the answers of L2.

Evaluators start it with their first question. Where it cannot work (no embedder, no folder), it knows nothing
and says why.
"""

from __future__ import annotations

import logging
import os
import pickle  # between processes of one user and version, as Ray does it
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ray

from actors import names
from actors.caches.errors import CacheError
from actors.caches.l3.question import Neighbour, SemanticQuestion, Served, Unknown, Verdict
from actors.caches.semantic_meters import SemanticMeters
from actors.control.spec import RuntimeSpec
from actors.events.event import CACHES, POLICY, Event
from actors.events.listener import SyncListener
from actors.events.stream import ActorSource, EventStream
from actors.garbage import collect_less
from actors.local_socket import local_server
from actors.models.errors import ModelError
from actors.options import actor_options
from actors.policy.state import PolicyState
from actors.ray_calls import AWAY, Actors
from actors.telemetry import logs
from actors.telemetry.meter import RayMeter
from policies.errors import TargetFailed
from policies.file.load import load_policy
from policies.file.policy import Policy
from rtfs.ir_codec import encode_value

if TYPE_CHECKING:
    from actors.caches.l3.opened import Opened

_log = logging.getLogger("rtfs.caches")

_THREADS: Final = 64
_START_PATIENCE_S: Final = 60.0


class SemanticActor:
    """L3 of a runtime. Its methods are called on many threads at once."""

    def __init__(self, spec: RuntimeSpec) -> None:
        logs.configure(os.environ)
        self._spec = spec
        self._actors = Actors(spec.namespace)
        self._opened: Opened | None = None
        self._problem = "it has not begun"
        self._lock = threading.Lock()
        meter = RayMeter()
        self._meters = SemanticMeters(meter)
        meter.gather(lambda: self._meters.learnt(self.stats().get("errors", {}).values()))
        meter.start()
        self._follow(_START_PATIENCE_S)
        source = ActorSource(self._actors.get(names.CONTROL))
        stream = EventStream(source, (POLICY, CACHES), connection_errors=AWAY)
        self._listener = SyncListener(stream, self._heard, name="policy")
        self._listener.start()
        collect_less()
        self._local = local_server(self._look_by_socket)

    def look(self, question: SemanticQuestion) -> tuple[Verdict, bytes]:
        """What is known of a call, and the value of the answer that is served, as bytes."""
        opened = self._opened
        if opened is None:
            return Unknown(reason=self._problem), b""
        verdict = opened.cache.look(question)
        if not isinstance(verdict, Served):
            return verdict, b""
        payload = encode_value(verdict.hit.value)
        return replace(verdict, hit=verdict.hit._replace(value=None)), payload

    def _look_by_socket(self, question: bytes) -> bytes:
        return pickle.dumps(self.look(pickle.loads(question)))

    def local_path(self) -> str | None:
        """The path of the socket by which `look` is reached on this machine; None: it is not."""
        return None if self._local is None else str(self._local.path)

    def answered(self, ticket: str, answer: bytes) -> None:
        """What the target said to a question."""
        opened = self._opened
        if opened is not None:
            opened.cache.answered(ticket, answer)

    def similar(self, symbol: str, text: str, at_least: float, limit: int) -> Sequence[Neighbour]:
        """Calls of a function with texts near `text`, of all its partitions, the nearest first."""
        opened = self._opened
        return () if opened is None else opened.similar(symbol, text, at_least, limit)

    def stats(self) -> dict[str, Any]:
        """Counts, sizes, and what is thought of its errors."""
        opened = self._opened
        return {"problem": self._problem} if opened is None else opened.stats()

    def process(self) -> int:
        """The id of its process; also the answer to whether it lives."""
        return os.getpid()

    def _heard(self, event: Event) -> None:
        if event.topic == CACHES:
            return  # an entry whose answer is gone goes when it is next met
        self._follow()

    def _follow(self, timeout_s: float = 10.0) -> None:
        """Be what the policy in force asks for."""
        state: PolicyState = ray.get(self._actors.get(names.POLICY).state.remote(), timeout=timeout_s)
        policy = load_policy(state.text, source=state.source, environ=state.overrides, needs_secrets=False)
        with self._lock:
            opened = self._opened
            if opened is not None and opened.is_of(policy):
                return
            self._opened = None
            if opened is not None:
                opened.close()
            self._open(policy)

    def _open(self, policy: Policy) -> None:
        if not policy.settings.caches.l3.enabled:
            self._problem = "it is switched off"
            return
        try:
            from actors.caches.l3.opened import Opened

            self._opened = Opened(policy, Path(self._spec.state_dir), self._meters.told)
            self._problem = ""
        except ImportError as error:
            self._problem = f"it needs what `pip install 'rtfs[models]'` brings: {error.name} is missing"
        except (CacheError, ModelError, TargetFailed, OSError) as error:
            self._problem = str(error)
        if self._problem:
            _log.warning("nothing is known by meaning: %s", self._problem)


def semantic_actor(spec: RuntimeSpec) -> Any:
    """The actor of L3, started if it is not there."""
    options = actor_options(
        names.SEMANTIC, spec.namespace, concurrency=_THREADS, max_task_retries=0, resources=spec.pinned
    )
    return ray.remote(SemanticActor).options(**options).remote(spec)
