"""The calls of Ray that evaluators make: all in one place, where a fake can stand for them.

What a call of an actor comes to is told by a callback on a thread of Ray's, so that a part of a run can wait
for it without holding its thread. `ObjectRef._on_completed` is what `ObjectRef.future` is made of; it saves a
tenth of a millisecond a call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import ray
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    GetTimeoutError,
    OutOfMemoryError,
    PendingCallsLimitExceeded,
    RayActorError,
    RayError,
    RayTaskError,
)

from actors import names
from actors.delegation.model_calls import Done
from actors.events.event import News
from actors.local_socket import LocalCalls
from actors.models.actor import CONTROL as CONTROL_GROUP
from actors.outbox import Outbox
from actors.policy.state import MoneyRefusal, MoneyRequest
from policies.errors import TargetFailed
from rtfs.overlap import wait_for
from rtfs.run import poll

_log = logging.getLogger("rtfs.runtime")

#: an actor that does not answer a question that it can answer at once is not there, seconds
PATIENCE_S: Final = 10.0

#: how long a thread that holds on for an answer goes without a look at its run's limits, seconds
_LOOK_UP_S: Final = 0.02

#: what a call raises while its actor is away
AWAY: Final = (RayActorError, GetTimeoutError, PendingCallsLimitExceeded)


def told(ref: Any, done: Callable[[Any], None]) -> None:
    """Call `done` with the result of a call, or with the exception that it came to; from any thread."""
    ref._on_completed(done)


def answer_of(ref: Any, timeout_s: float = PATIENCE_S) -> Any:
    """The result of a call; the part under way waits for it.

    Raises:
        GetTimeoutError: it takes longer.
        Exception: what the call raised.
    """
    found: list[Any] = []

    def start(wake: Callable[[], None]) -> None:
        def done(result: Any) -> None:
            found.append(result)
            wake()

        told(ref, done)

    if not wait_for(start, timeout_s):
        raise GetTimeoutError(f"no answer within {timeout_s:g} s")
    if isinstance(found[0], RayTaskError):
        raise found[0].as_instanceof_cause()  # type: ignore[no-untyped-call]
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def failure_of(error: BaseException, what: str) -> TargetFailed:
    """Why a target did not answer, from what Ray says."""
    if isinstance(error, PendingCallsLimitExceeded):
        return TargetFailed("overloaded", f"too many calls wait for {what}")
    if isinstance(error, OutOfMemoryError):
        return TargetFailed("out-of-memory", f"{what} ran out of memory")
    if isinstance(error, ActorUnavailableError):
        return TargetFailed("connection-lost", f"{what} cannot be reached")
    if isinstance(error, ActorDiedError | RayActorError):
        return TargetFailed("crashed", f"{what} died")
    if isinstance(error, ValueError):
        return TargetFailed("connection-refused", f"{what} is not running")
    return TargetFailed("unknown", f"{type(error).__name__} in {what}")


class Actors:
    """Handles of the actors of a runtime, each looked up once by its name."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._known: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        """The actor of that name.

        Raises:
            ValueError: there is none.
        """
        handle = self._known.get(name)
        if handle is None:
            handle = self._known[name] = ray.get_actor(name, namespace=self.namespace)
        return handle

    def outbox(self, name: str, method: str, *, every_s: float = 0.0) -> Outbox[Any]:
        """Messages for a method of the actor `name` that takes a list of them, gathered for `every_s`."""

        def send(messages: list[Any], sent: Callable[[BaseException | None], None]) -> None:
            try:
                ref = getattr(self.get(name), method).remote(messages)
            except (RayError, ValueError) as error:
                sent(error)
                return
            told(ref, lambda result: sent(result if isinstance(result, BaseException) else None))

        def lost(count: int, error: BaseException) -> None:
            self.forget(name)
            _log.warning("%d messages for %s.%s were lost: %s", count, name, method, type(error).__name__)

        return Outbox(send, lost, every_s=every_s)

    def forget(self, name: str) -> None:
        """Look the actor up again when it is needed next."""
        self._known.pop(name, None)


def local_calls(actors: Actors, **options: Any) -> LocalCalls:
    """Calls by the sockets of actors that tell where these are by `local_path`; `options`: of that question."""

    def ask(name: str, tell: Callable[[str | None], None]) -> None:
        try:
            asked = actors.get(name).local_path.options(**options).remote()
        except (RayError, ValueError):
            return
        told(asked, lambda path: tell(path if isinstance(path, str) else None))

    return LocalCalls(ask)


class ModelTransport:
    """Batches for models, by calls of their actors; a `Transport` of `actors.delegation.model_calls`.

    What a thread waits for goes by a socket where the actor is on the same machine.
    """

    def __init__(self, actors: Actors) -> None:
        self._actors = actors
        self._local = local_calls(actors, concurrency_group=CONTROL_GROUP)
        self._models: Mapping[str, tuple[str, ...]] = {}
        self._told: dict[str, tuple[str, ...]] = {}
        self._replicas: Mapping[str, tuple[str, ...]] = {}

    def set_models(self, replicas: Mapping[str, tuple[str, ...]]) -> None:
        """Say which models there are, and the names of the actors of as few replicas as each may have."""
        self._models = replicas
        self._follow()

    def heard_of(self, model: str, replicas: Sequence[str]) -> None:
        """Say which replicas of a model there are now."""
        self._told[model] = tuple(replicas)
        self._follow()

    def _follow(self) -> None:
        # names are those of the model's settings: what was told under other ones says nothing about these
        told = {model: self._told.get(model, ()) for model in self._models}
        self._replicas = {
            model: told[model] if told[model][:1] == names[:1] else names
            for model, names in self._models.items()
        }

    def replicas(self, model: str) -> Sequence[str]:
        """Names of the replicas' actors."""
        return self._replicas.get(model, ())

    def send(self, replica: str, batch: bytes, done: Done) -> None:
        """Send a batch; what goes wrong is told to `done`."""

        def answered(result: Any) -> None:
            if isinstance(result, BaseException):
                self._actors.forget(replica)
                done(failure_of(result, f"the model's actor `{replica}`"))
            else:
                done(result)

        try:
            ref = self._actors.get(replica).infer.remote(batch)
        except (RayError, ValueError) as error:
            answered(error)
            return
        told(ref, answered)

    def exchange(self, replica: str, batch: bytes, timeout_s: float) -> bytes | TargetFailed:
        """Send a batch and wait for the answer, holding the thread.

        Raises:
            LimitError: the run must stop.
        """
        end = time.monotonic() + timeout_s
        found = self._local.exchange(replica, batch, timeout_s)
        if found is not None:
            return found
        try:
            ref = self._actors.get(replica).infer.remote(batch)
            while True:
                left_s = end - time.monotonic()
                try:
                    answer: bytes = ray.get(ref, timeout=max(0.0, min(left_s, _LOOK_UP_S)))
                    return answer
                except GetTimeoutError:
                    poll()
                    if left_s <= _LOOK_UP_S:
                        return TargetFailed("timeout", f"no answer within {timeout_s:g} s")
        except (RayError, ValueError) as error:
            self._actors.forget(replica)
            self._local.forget(replica)
            return failure_of(error, f"the model's actor `{replica}`")

    def version(self, model: str, patience_s: float) -> str | None:
        """The version of a model, as one of its replicas says; it may have to be loaded first.

        Raises:
            LimitError: the run must stop.
        """
        for replica in self.replicas(model)[:1]:
            try:
                asked = self._actors.get(replica).version.options(concurrency_group=CONTROL_GROUP)
                found: str = answer_of(asked.remote(patience_s), patience_s + 1.0)
                return found
            except (RayError, ValueError):
                self._actors.forget(replica)
        return None

    def cancel(self, replica: str, ids: Sequence[str]) -> None:
        """Say that nobody waits for these requests any more."""
        try:
            self._actors.get(replica).cancel.options(concurrency_group=CONTROL_GROUP).remote(list(ids))
        except (RayError, ValueError):  # it is gone, and the requests with it
            self._actors.forget(replica)


class ControlAnnouncer:
    """An `Announcer`: news for the control actor."""

    def __init__(self, actors: Actors) -> None:
        self._outbox: Outbox[News] = actors.outbox(names.CONTROL, "publish_all")

    def publish(
        self,
        topic: str,
        key: str,
        data: Mapping[str, Any],
        tenant: str | None = None,
        *,
        ended: bool = False,
    ) -> None:
        """Tell everybody who listens to the topic."""
        self._outbox.put(News(topic=topic, key=key, data=data, tenant=tenant, ended=ended))


class ActorTreasury:
    """A `Treasury`: the money that the policy actor keeps."""

    def __init__(self, actors: Actors) -> None:
        self._actors = actors

    def reserve(self, request: MoneyRequest) -> str | MoneyRefusal:
        """Put money aside; nothing where the policy actor cannot be asked."""
        try:
            answer: str | MoneyRefusal = answer_of(self._actors.get(names.POLICY).reserve.remote(request))
            return answer
        except (RayError, ValueError):  # it is away, or cannot write down what it grants
            key, limit = request.purses[0]
            return MoneyRefusal(key=key, limit=limit, taken=limit, wanted=request.amount)

    def settle(self, reservation: str, actual: int) -> None:
        """Say what was spent of it. If nobody hears it, all that was put aside counts as spent."""
        try:
            self._actors.get(names.POLICY).settle.remote(reservation, actual)
        except (RayError, ValueError):
            _log.warning("a payment could not be told; what was put aside for it counts as spent")
