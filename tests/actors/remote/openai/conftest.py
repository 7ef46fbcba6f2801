"""Services to ask, as a policy names them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from actors.models.inference import FunctionFacts, InferenceRequest, InferenceResponse
from actors.remote.http import HttpCaller
from actors.remote.openai.runner import OpenAiServices
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.runner import Clock
from rtfs.delegation import RemoteModel


class Asking:
    """Asks the service `x` of a policy. `more` is TOML of its provider."""

    def __init__(self, caller: HttpCaller, url: str, more: str, environ: dict[str, str]) -> None:
        self._entry = f'endpoint = "{url}/v1", model = "gpt-x"'
        self.current = Current(Rulebook(self._policy(more)))
        #: what is drawn for pauses: none are made
        self.drawn = 0.0
        clock = Clock(monotonic=time.monotonic, wall=time.time)
        self.services = OpenAiServices(caller, self.current, environ, clock, lambda: self.drawn)

    def _policy(self, more: str) -> Any:
        return load_policy(f"[delegation.remote_providers]\nremote-x = {{ {self._entry}{more} }}\n")

    def change(self, more: str) -> None:
        """Another policy."""
        self.current.rulebook = Rulebook(self._policy(more))

    def ask(self, *args: Any, returns: str = "int", timeout_s: float = 10.0, **more: Any) -> InferenceResponse:
        function = FunctionFacts(symbol="f", doc="Does something.", return_type=returns)
        request = InferenceRequest(function, args, timeout_s=timeout_s, **more)
        return self.services.model(RemoteModel("x")).infer(request)

    @property
    def service(self) -> Any:
        return self.services.service(RemoteModel("x"))


@pytest.fixture
def asking(caller: HttpCaller) -> Callable[..., Asking]:
    """Makes an `Asking` of a server, keys of the provider, and an environment."""

    def make(there: Any, more: str = "", environ: dict[str, str] | None = None) -> Asking:
        return Asking(caller, there.url, f", {more}" if more else "", {} if environ is None else environ)

    return make
