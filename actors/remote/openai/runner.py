"""`OpenAiRunner`: delegated functions as chats with the services that the policy names."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from actors.models.inference import FunctionFacts, InferenceRequest
from actors.remote.http import HttpCaller
from actors.remote.openai.dialects import Dialects
from actors.remote.openai.model import OpenAiModel
from actors.remote.openai.replicas import Replicas
from actors.remote.openai.service import Service
from actors.remote.runtimes import provider_of
from policies.errors import TargetFailed
from policies.file.schema import RemoteProvider
from policies.rules.rulebook import Current
from policies.running.runner import Allowance, Clock, Outcome
from policies.targets import target_name
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.values import Value


class _Made(NamedTuple):
    """A model, and what it was made of."""

    provider: RemoteProvider
    folder: str
    model: OpenAiModel


class OpenAiServices:
    """The models behind providers of kind `openai`, by the policy in force. Safe to use from many threads.

    Args:
        environ: where secrets are, by the name that `api_key_env` gives; looked at for each attempt.
        draw: random numbers from 0 to 1.
    """

    def __init__(
        self,
        caller: HttpCaller,
        current: Current,
        environ: Mapping[str, str],
        clock: Clock,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._caller = caller
        self._current = current
        self._environ = environ
        self._clock = clock
        self._draw = draw
        self._dialects = Dialects(clock.monotonic)
        self._replicas: dict[tuple[str, ...], Replicas] = {}
        self._made: dict[str, _Made] = {}
        self._lock = threading.Lock()

    def model(self, target: ExecTarget) -> OpenAiModel:
        """The one that `target` names.

        Raises:
            TargetFailed: the policy in force names none of this kind.
        """
        return self._found(target).model

    def service(self, target: ExecTarget) -> Service:
        """The service behind it. Raises as `model`."""
        return self._found(target).model.service

    def _found(self, target: ExecTarget) -> _Made:
        policy = self._current.rulebook.policy
        provider = provider_of(policy.settings, target)
        if provider is None or provider.kind != "openai":
            raise TargetFailed("bad-request", "the policy in force names no provider of kind `openai` for it")
        name, folder = target_name(target), str(Path(policy.source).parent)
        with self._lock:
            made = self._made.get(name)
            if made is None or made.provider != provider or made.folder != folder:
                model = OpenAiModel(self._service(name, provider, Path(folder)))
                made = self._made[name] = _Made(provider, folder, model)
            return made

    def _service(self, name: str, provider: RemoteProvider, folder: Path) -> Service:
        urls = tuple(dict.fromkeys((provider.endpoint, *provider.replicas)))
        replicas = self._replicas.get(urls)
        if replicas is None:  # others by the same addresses share them, also under a new policy
            replicas = self._replicas[urls] = Replicas(urls, self._clock.monotonic)
        return Service(
            name=name,
            provider=provider,
            caller=self._caller,
            environ=self._environ,
            clock=self._clock,
            replicas=replicas,
            dialects=self._dialects,
            draw=self._draw,
            ca_file=None if provider.ca_file is None else str(folder / provider.ca_file),
        )


class OpenAiRunner:
    """A `policies.running.runner.Runner` for providers of kind `openai`."""

    def __init__(self, services: OpenAiServices) -> None:
        self._services = services

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        """Ask the model that `target` names.

        Raises:
            TargetFailed: it gave no answer.
            LimitError: the run must stop.
        """
        request = InferenceRequest(
            function=FunctionFacts.of(function),
            args=args,
            timeout_s=allowance.timeout_s,
            max_cost_usd=allowance.max_cost_usd,
            tenant=allowance.facts.tenant or "",
        )
        response = self._services.model(target).infer(request)
        return Outcome(value=response.value, cost_usd=response.cost_usd, confidence=response.confidence)
