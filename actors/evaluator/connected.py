"""An evaluator as part of a runtime: it follows the policy, tells of health, reaches models and clusters.

Used by the evaluator's actor, and by whoever runs programs in a process of its own, such as a replica of the
HTTP application.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import ray

from actors import names
from actors.caches.l3.remote import RemoteSemantic, spec_of
from actors.caches.layer import DEFAULT_CONTROL, CacheControl, CacheStats
from actors.caches.prewarming.switch import Prewarming
from actors.caches.results import CachedResults
from actors.caches.versions import PATIENCE_S, ModelVersions, TargetVersions
from actors.control.spec import MOST_RUNS
from actors.delegation.active_run import active_run
from actors.delegation.delegation import Delegation
from actors.delegation.model_calls import ModelRunner
from actors.delegation.runners import Runners
from actors.delegation.turns import InTurn
from actors.evaluator.caches import ConnectedCaches
from actors.evaluator.evaluator import Evaluator
from actors.evaluator.modules import ConnectedModules
from actors.events.event import CACHES, HEALTH, MODELS, POLICY, Event
from actors.events.listener import SyncListener
from actors.events.stream import ActorSource, EventStream
from actors.garbage import collect_less
from actors.models.registry import replicas
from actors.policy.state import PolicyState
from actors.ray_calls import AWAY, Actors, ActorTreasury, ControlAnnouncer, ModelTransport
from actors.remote.execute import ID, RemoteExecution
from actors.remote.http import HttpCaller
from actors.remote.openai.runner import OpenAiRunner, OpenAiServices
from actors.remote.rtfs_runner import RemoteRtfsRunner
from actors.remote.runtimes import RemoteRuntimes, provider_of
from actors.requests import RunReply, RunRequest
from actors.telemetry import instruments
from actors.telemetry.log_context import logged_as
from actors.telemetry.meter import RayMeter
from actors.telemetry.tracing import RUN_SPAN, Tracing, remote_parent
from policies.rules.rulebook import Current
from policies.running.runner import Clock, Runner
from rtfs.delegation import ExecTarget
from rtfs.sampling import measures
from rtfs.tiers import executor

_log = logging.getLogger("rtfs.evaluator")

#: how long a new process waits for the policy actor to answer, seconds
_START_PATIENCE_S: Final = 60.0
#: seconds between two reports of how calls of targets went
_REPORT_S: Final = 1.0


class ConnectedEvaluator:
    """Everything around one `Evaluator` of a runtime. `close` it at the end.

    Args:
        process: its name in traces.
        entry: the way by which runs come here that belong to no ticket, for metrics.
    """

    def __init__(
        self,
        namespace: str,
        *,
        process: str,
        entry: str = "driver",
        most_runs: int = MOST_RUNS,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.actors = Actors(namespace)
        self._transport = ModelTransport(self.actors)
        self._caller = HttpCaller()
        self._environ = environ
        self._entry = entry
        self._clock = Clock(monotonic=time.monotonic, wall=time.time)
        self.tracing = Tracing.from_environ(environ, process=process)
        self.meter = RayMeter(self.tracing)
        self._runtimes: RemoteRuntimes | None = None
        self._versions = ModelVersions(lambda model: self._transport.version(model, PATIENCE_S))
        self._caches = ConnectedCaches(self.actors)
        self._prewarming: Prewarming | None = None
        announcer = ControlAnnouncer(self.actors)
        observations = self.actors.outbox(names.POLICY, "report", every_s=_REPORT_S)
        state = self._policy_state(_START_PATIENCE_S)
        spec = spec_of(self.actors, _START_PATIENCE_S)
        self._semantic = RemoteSemantic(self.actors, spec)
        self._modules = ConnectedModules(
            self.actors, Path(spec.state_dir), lambda: self.delegation.holder.policy, environ
        )
        self.delegation = Delegation(
            state,
            self._runners,
            self._clock,
            announcer=announcer,
            treasury=ActorTreasury(self.actors),
            meter=self.meter,
            observe=observations.put,
            results=self._results,
            modules=self._modules.index,
            in_module=self._modules.runner.bound,
        )
        self._modules.follow(self._caches.node)
        self._follow_models()
        self.evaluator = Evaluator(
            self.delegation,
            capabilities={ID: self._remote_execution().capability()},
            announcer=announcer,
            most_runs=most_runs,
            around=self._around,
            ended=self._ended,
        )
        stream = EventStream(
            ActorSource(self.actors.get(names.CONTROL)),
            (POLICY, HEALTH, MODELS, CACHES),
            connection_errors=AWAY,
        )
        self._listener = SyncListener(stream, self._heard, name="policy")
        self._listener.start()
        # functions that pay become wasm at once where what that needs is loaded, and else after seconds
        if measures():
            threading.Thread(target=executor, name="wasm", daemon=True).start()
        self.meter.gather(self._caches.meters(self.meter).publish)
        self.meter.start()
        collect_less()

    def close(self) -> None:
        """End the threads of this process."""
        self._listener.stop()
        if self._prewarming is not None:
            self._prewarming.close()
        self.evaluator.cancel_all("the evaluator is shut down")
        self.delegation.close()
        self._caches.close()
        self._modules.close()
        self._caller.close()
        self.meter.close()
        self.tracing.close()

    def cache_stats(self) -> Mapping[str, CacheStats]:
        """What the caches of this process did, by tier."""
        return self._caches.stats()

    def _runners(self, current: Current) -> Mapping[str, Runner]:
        self._runtimes = RemoteRuntimes(self._caller, current, self._environ, self._clock)
        services = OpenAiServices(self._caller, current, self._environ, self._clock)
        remote: dict[str, Runner] = {
            "rtfs": RemoteRtfsRunner(self._runtimes, _program),
            "openai": OpenAiRunner(services),
        }
        return Runners(
            current,
            ModelRunner(self._transport),
            {kind: InTurn(runner, current, self._clock) for kind, runner in remote.items()},
            modules=self._modules.runner,
        )

    def _results(self, current: Current) -> CachedResults:
        settings = current.rulebook.policy.settings
        self._caches.open(settings)
        made = CachedResults(
            self._caches.manager,
            TargetVersions(current, self._versions),
            control=_cache_control,
            context=lambda target: _program_digest(current, target),
            semantic=self._semantic,
            max_error=lambda: current.rulebook.policy.settings.caches.l3.max_error,
        )
        self._prewarming = Prewarming(partial(setattr, made, "prewarmer"), run=_run_id, meter=self.meter)
        self._prewarming.follow(settings.caches.prewarming)
        return made

    def _remote_execution(self) -> RemoteExecution:
        assert self._runtimes is not None
        delegate = self.delegation.delegate
        return RemoteExecution(
            services=delegate.services, runtimes=self._runtimes, program_of=_program, delegate=delegate
        )

    @contextmanager
    def _around(self, request: RunRequest) -> Iterator[None]:
        """A run's span, in the trace of whoever asked for it, and what its log lines carry."""
        with (
            logged_as(run=request.run_id, ticket=request.ticket_id, tenant=request.facts.tenant),
            remote_parent(request.traceparent),
            self.meter.span(RUN_SPAN, {"run_id": request.run_id}),
        ):
            yield

    def _ended(self, request: RunRequest, reply: RunReply) -> None:
        """Count a run."""
        entry = "ticket" if request.ticket_id is not None else self._entry
        result = "ok" if reply.error is None else reply.error.category
        self.meter.count(instruments.RUNS, {"entry": entry, "result": result})
        self.meter.record(instruments.RUN_LATENCY, {"entry": entry}, reply.took_ms)
        self.meter.gauge(instruments.RUNS_ACTIVE, {"entry": self._entry}, self.evaluator.stats().running)

    def _heard(self, event: Event) -> None:
        """Something changed, or the stream began anew."""
        if event.topic == HEALTH:
            self.delegation.heard_of(event.key, event.data)
        elif event.topic == MODELS:
            self._transport.heard_of(event.key, event.data["replicas"])
            self._versions.told(event.key, event.data.get("version", ""))
        elif event.topic == CACHES:
            self._caches.invalidated()
        elif event.data.get("number", self.delegation.number + 1) > self.delegation.number:
            self.delegation.follow(self._policy_state())
            self._follow_models()
            if self._prewarming is not None:
                self._prewarming.follow(self.delegation.holder.policy.settings.caches.prewarming)

    def _policy_state(self, timeout_s: float = 10.0) -> PolicyState:
        state: PolicyState = ray.get(self.actors.get(names.POLICY).state.remote(), timeout=timeout_s)
        return state

    def _follow_models(self) -> None:
        policy = self.delegation.holder.policy
        names_of = replicas(policy.settings, Path(policy.source).parent)
        self._transport.set_models(names_of)
        self._versions.follow(names_of)


def _run_id() -> str | None:
    """That of the run under way."""
    active = active_run()
    return None if active is None else active.request.run_id


def _cache_control() -> CacheControl:
    """What the run under way wants of the caches."""
    active = active_run()
    if active is None:
        return DEFAULT_CONTROL
    use = active.request.cache
    return CacheControl(bypass=use.bypass, no_store=use.no_store, max_age_s=use.max_age_s)


def _program_digest(current: Current, target: ExecTarget) -> str | None:
    """What answers of another runtime depend on beside the call: the program that goes there with it.

    Of other targets nothing. None: it cannot be said, since an argument of the run has no meaning outside it.
    """
    provider = provider_of(current.rulebook.policy.settings, target)
    if provider is None or provider.kind != "rtfs":
        return ""
    active = active_run()
    return None if active is None else active.program_digest()


def _program() -> RunRequest:
    """The request of the run under way; only calls of a run come to where this is asked."""
    active = active_run()
    assert active is not None
    return active.request
