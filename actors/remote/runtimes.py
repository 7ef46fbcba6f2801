"""`RemoteRuntimes`: the providers of kind `rtfs`, and programs run there.

It finds the provider of a target in the policy in force, takes the token from the environment, goes along the
replicas, and waits for the answer. Shared by the runner of delegated functions and by the capability
`remote-rtfs.execute`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from actors.remote.bearer import authorization
from actors.remote.endpoints import Endpoints
from actors.remote.evaluation import PATH, Evaluated, Evaluation, answer_of
from actors.remote.faults import NOTHING_DONE
from actors.remote.http import HttpCaller, HttpRequest
from policies.errors import TargetFailed
from policies.file.schema import Delegation, RemoteProvider
from policies.rules.rulebook import Current
from policies.running.health import NOT_ITS_FAULT
from policies.running.runner import Clock
from policies.targets import target_name
from rtfs.delegation import ExecTarget, RemoteModel
from rtfs.errors import LimitError, RtfsError
from rtfs.run import run_under_way
from rtfs.security import call_capability

_PRINT: Final = "ccos.io.print"


class RemoteRuntimes:
    """Other RTFS runtimes. Safe to use from many threads.

    Args:
        environ: where tokens are, by the name that `api_key_env` of a provider gives; looked at for each call.
    """

    def __init__(self, caller: HttpCaller, current: Current, environ: Mapping[str, str], clock: Clock) -> None:
        self._caller = caller
        self._current = current
        self._environ = environ
        self._clock = clock
        self._endpoints: dict[tuple[str, ...], Endpoints] = {}
        self._lock = threading.Lock()

    def evaluate(self, target: ExecTarget, evaluation: Evaluation) -> Evaluated:
        """Run a program on `target`. What it prints there is printed here.

        Raises:
            TargetFailed: the target is to blame, or cannot run this.
            RtfsError: the program's own error; or the run here must stop.
        """
        provider = self._provider(target)
        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            **authorization(provider, self._environ),
        }
        name, body = target_name(target), evaluation.body()
        endpoints = self._endpoints_of(provider)
        deadline = self._clock.monotonic() + evaluation.timeout_s
        failure: TargetFailed | None = None
        for url in endpoints.in_turn():
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0:
                break
            request = HttpRequest(
                provider=name, url=url.rstrip("/") + PATH, headers=headers, body=body, timeout_s=left_s
            )
            try:
                answer = answer_of(self._caller.call(request), self._clock.wall())
            except TargetFailed as failed:
                if failed.cause not in NOT_ITS_FAULT:
                    endpoints.failed(url)
                if failed.cause not in NOTHING_DONE:
                    raise
                failure = failed  # nothing was run there, so another replica may
            except RtfsError as error:
                if not isinstance(error, LimitError):
                    endpoints.answered(url)
                raise
            else:
                endpoints.answered(url)
                print_here(answer.output)
                return answer
        raise failure or TargetFailed("timeout", "no time was left")

    def cost_of(self, target: ExecTarget, evaluated: Evaluated) -> float:
        """What the other side says that it spent, else what the policy expects, in dollars."""
        if evaluated.cost_usd:
            return evaluated.cost_usd
        return self._provider(target).cost_usd or 0.0

    def _provider(self, target: ExecTarget) -> RemoteProvider:
        found = provider_of(self._current.rulebook.policy.settings, target)
        if found is None or found.kind != "rtfs":
            raise TargetFailed("bad-request", "the policy in force names no provider of kind `rtfs` for it")
        return found

    def _endpoints_of(self, provider: RemoteProvider) -> Endpoints:
        """Those of a provider; others by the same addresses share them, also under a new policy."""
        urls = (provider.endpoint, *provider.replicas)
        with self._lock:
            found = self._endpoints.get(urls)
            if found is None:
                found = self._endpoints[urls] = Endpoints(urls, self._clock.monotonic)
            return found


def provider_of(settings: Delegation, target: ExecTarget) -> RemoteProvider | None:
    """The provider that serves `target`, None if the policy names none."""
    if not isinstance(target, RemoteModel):
        return None
    providers = settings.remote_providers
    return providers.get(target_name(target)) or providers.get(target.id)


def print_here(output: str) -> None:
    """Print what a part of the run printed elsewhere, if the run may print."""
    run = run_under_way()
    if not output or run is None:
        return
    if run.context.allows(_PRINT) and run.context.refused_effect(_PRINT) is None:
        call_capability(_PRINT, [output])
