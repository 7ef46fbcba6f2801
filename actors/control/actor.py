"""The control actor: the hub for events, the supervisor, and the models that the policy in force asks for."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError

from actors import names
from actors.control.replicas import Replicas
from actors.control.spec import RuntimeSpec
from actors.control.supervisor import PROBE_S, PartLost, Supervisor
from actors.evaluator.actor import evaluator_actor
from actors.events.event import POLICY, Event, News
from actors.events.hub import EventHub
from actors.models.actor import CONTROL as CONTROL_GROUP
from actors.models.actor import model_actor
from actors.models.registry import local_models, replicas
from actors.options import actor_options
from actors.policy.state import PolicyState
from actors.service import RuntimeStatus
from actors.telemetry import instruments, logs
from actors.telemetry.meter import RayMeter
from policies.file.load import load_policy
from policies.file.schema import LocalModelEntry

_log = logging.getLogger("rtfs.control")

#: calls at once: each subscriber has one that waits
_CALLS: Final = 20_000
#: how long a replica stays that is not wanted any more, seconds: whoever sends it calls has heard of it by then
_OLD_MODELS_S: Final = 30.0
#: and how much longer at most while it still answers calls
_LAST_CALLS_S: Final = 600.0


class ActorPart:
    """A named actor as a part of a runtime.

    Args:
        begin: starts the actor if it is not there; gives its handle. None: whoever started the runtime did.
        ask: calls the method by which it is probed; a reference.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        begin: Callable[[], Any] | None,
        ask: Callable[[Any], Any],
        judge: Callable[[Any], str] = lambda answer: "up",
    ) -> None:
        self._name = name
        self._namespace = namespace
        self._begin = begin
        self._ask = ask
        self._judge = judge

    def start(self) -> None:
        """Start it, if it is not there."""
        if self._begin is not None:
            self._begin()

    async def probe(self) -> str:
        """Ask it whether it lives. Raises PartLost."""
        try:
            return self._judge(await self._ask(self._handle()))
        except (RayError, ValueError) as error:
            raise PartLost(type(error).__name__) from error

    def kill(self) -> None:
        """End its process; Ray starts it anew."""
        self._kill(no_restart=False)

    def remove(self) -> None:
        """End it for good."""
        self._kill(no_restart=True)

    def _handle(self) -> Any:
        return ray.get_actor(self._name, namespace=self._namespace)

    def _kill(self, *, no_restart: bool) -> None:
        try:
            ray.kill(self._handle(), no_restart=no_restart)
        except ValueError:  # it is not there
            pass


class ControlActor:
    """Registry, supervisor and event hub of one runtime."""

    def __init__(self, spec: RuntimeSpec) -> None:
        logs.configure(os.environ)
        self._spec = spec
        self._hub = EventHub()
        self._replicas = Replicas()
        self._entries: Mapping[str, LocalModelEntry] = {}
        #: actors of models that the policy in force asks for
        self._models: set[str] = set()
        self._number = 0
        self._meter = RayMeter()
        self._meter.start()
        self._tasks: set[asyncio.Task[None]] = set()
        self._supervisor = Supervisor(
            self._parts(), lost=self._lost, probed=lambda: self._spawn(self._scale_models())
        )
        self._spawn(self._supervisor.run())
        self._spawn(self._follow_policy())

    # ------------------------------------------------------------ events

    async def publish_all(self, news: Iterable[News]) -> int:
        """As `EventHub.publish_all`; a new policy also changes which models there are."""
        made = list(news)
        if any(each.topic == POLICY for each in made):
            await self._follow_policy()  # its models are there before anybody hears of it
        return await self._publish(made)

    async def _publish(self, news: Sequence[News]) -> int:
        for each in news:
            self._meter.count(instruments.EVENTS, {"topic": each.topic})
        return await self._hub.publish_all(news)

    async def subscribe(
        self, topics: Iterable[str], keys: Iterable[str] | None = None, tenant: str | None = None
    ) -> str:
        """As `EventHub.subscribe`."""
        name = await self._hub.subscribe(topics, keys, tenant)
        self._meter.gauge(instruments.SUBSCRIBERS, {}, (await self._hub.counts())["subscribers"])
        return name

    async def next(self, subscriber: str, max_events: int = 100, timeout_s: float = 25.0) -> list[Event]:
        """As `EventHub.next`."""
        return await self._hub.next(subscriber, max_events, timeout_s)

    async def unsubscribe(self, subscriber: str) -> None:
        """As `EventHub.unsubscribe`."""
        await self._hub.unsubscribe(subscriber)

    # ------------------------------------------------------------ parts

    async def ready(self, timeout_s: float) -> RuntimeStatus:
        """The status, as soon as all parts are up, or when the time is over."""
        return await self._supervisor.ready(timeout_s)

    async def status(self) -> RuntimeStatus:
        """How the parts are."""
        return self._supervisor.status()

    async def spec(self) -> RuntimeSpec:
        """What the runtime consists of."""
        return self._spec

    async def process(self) -> int:
        """The id of its process."""
        return os.getpid()

    def _lost(self, name: str) -> None:
        self._meter.count(instruments.RESTARTS, {"actor": name})

    def _parts(self) -> dict[str, ActorPart]:
        spec, space = self._spec, self._spec.namespace
        parts = {
            name: ActorPart(name, space, None, lambda handle: handle.process.remote())
            for name in (names.POLICY, names.TICKETS)
        }
        parts[names.CACHES] = ActorPart(
            names.CACHES, space, None, lambda handle: handle.problem.remote(), _degraded
        )
        for number in range(spec.evaluators):
            name = names.evaluator(number)
            parts[name] = ActorPart(name, space, self._evaluator(number), lambda handle: handle.stats.remote())
        return parts

    def _evaluator(self, number: int) -> Callable[[], Any]:
        spec = self._spec
        return lambda: evaluator_actor(
            number, spec.namespace, most_runs=spec.most_runs, memory_bytes=spec.memory_bytes
        )

    async def _follow_policy(self) -> None:
        """Have those models that the policy in force asks for."""
        try:
            policy = ray.get_actor(names.POLICY, namespace=self._spec.namespace)
            state: PolicyState = await policy.state.remote()
        except (RayError, ValueError) as error:
            _log.warning("the policy actor cannot be asked for its models: %s", type(error).__name__)
            return
        if state.number <= self._number:
            return
        self._number = state.number
        loaded = load_policy(state.text, source=state.source, environ=state.overrides, needs_secrets=False)
        folder = Path(state.source).parent
        self._entries = local_models(loaded.settings, folder)
        most = {model: entry.most for model, entry in self._entries.items()}
        self._replicas.follow(self._entries, replicas(loaded.settings, folder, most), self._there)
        self._have_models()
        await self._publish(self._replicas.news())

    def _there(self) -> set[str]:
        """The names of this runtime's actors: replicas that were added before this actor was started anew."""
        space = self._spec.namespace
        found: Any = ray.util.list_named_actors(all_namespaces=True)
        return {each["name"] for each in found if each["namespace"] == space}

    async def _scale_models(self) -> None:
        """Have as many replicas as the queues need; evaluators hear of it before one is ended."""
        self._replicas.decide(time.monotonic())
        self._have_models()
        await self._publish(self._replicas.news())

    def _have_models(self) -> None:
        """Start the replicas that are wanted, and end those that are not any more."""
        wanted, needed = self._replicas.wanted, self._replicas.needed
        new = wanted.keys() - self._models
        for names_of, is_needed in ((new & needed, True), (new - needed, False)):
            if names_of:
                parts = {name: self._model(name, wanted[name], warm=not is_needed) for name in names_of}
                self._supervisor.add(parts, is_needed=is_needed)
        old = self._models - wanted.keys()
        self._models = set(wanted)
        if old:
            self._spawn(self._remove_later(old))

    async def _remove_later(self, old: set[str]) -> None:
        """End replicas that are not wanted any more, once no more calls come and the last one is answered."""
        await asyncio.sleep(_OLD_MODELS_S)
        end = time.monotonic() + _LAST_CALLS_S
        while self._replicas.are_busy(old - self._models) and time.monotonic() < end:
            await asyncio.sleep(PROBE_S)
        gone = old - self._models
        self._supervisor.remove(gone)
        self._replicas.forget(gone)

    def _model(self, name: str, model: str, *, warm: bool) -> ActorPart:
        """A replica; with `warm` its model is loaded at once, else by the first request."""
        space, entry = self._spec.namespace, self._entries[model]

        def begin() -> Any:
            handle = model_actor(model, entry, actor_name=name, namespace=space, lifetime="detached")
            if warm:
                handle.load.remote()
            return handle

        def ask(handle: Any) -> Any:
            return handle.stats.options(concurrency_group=CONTROL_GROUP).remote()

        def judge(stats: Any) -> str:
            self._replicas.hear(name, stats)
            return _judged(stats)

        return ActorPart(name, space, begin, ask, judge)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_event_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("the control actor failed at something", exc_info=task.exception())


def _judged(stats: Any) -> str:
    """How a model's host is doing."""
    return _degraded("; ".join(stats.problems))


def _degraded(problem: str) -> str:
    return f"degraded: {problem}" if problem else "up"


def control_actor(spec: RuntimeSpec) -> Any:
    """The control actor of a runtime, started if it is not there."""
    options = actor_options(names.CONTROL, spec.namespace, concurrency=_CALLS, max_task_retries=0)
    return ray.remote(ControlActor).options(**options).remote(spec)
