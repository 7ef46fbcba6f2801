"""What would answer calls of a target now: the versions by which answers are kept.

local models      what their actors say: a hash of file, settings and prompts. It comes with each answer,
                  and with news of the control actor; where neither came yet, a replica is asked, once
remote services   of what the policy says of them: a service does not tell what stands behind its name, so
                  its answers are only as good as their time to live
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from actors.caches.flights import Flights
from actors.models.prompt import PROMPT_VERSION
from actors.remote.runtimes import provider_of
from policies.file.schema import RemoteProvider
from policies.rules.rulebook import Current
from rtfs.delegation import ExecTarget, LocalModel, RemoteModel

#: how long a model that does not say its version is not asked again, seconds
_REST_S: Final = 2.0
#: how long a model may take to say it: it may have to be loaded first
PATIENCE_S: Final = 10.0
#: what a policy says of a provider that its answers do not depend on
_BESIDE: Final = frozenset(
    {
        *("cost_usd", "max_cost_usd", "latency_ms", "quality", "capacity", "locality", "region"),
        *("permissions", "tenants", "timeout", "api_key_env", "replicas", "stream", "retries"),
        *("input_usd_per_mtok", "output_usd_per_mtok", "proxy", "ca_file"),
    }
)


class ModelVersions:
    """The versions of local models. Safe to use from many threads.

    Args:
        ask: asks a replica of a model for its version; None or empty: it does not say.
    """

    def __init__(
        self, ask: Callable[[str], str | None], *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._timer = timer
        self._known: dict[str, str] = {}
        self._rest_until: dict[str, float] = {}
        self._settings: Mapping[str, tuple[str, ...]] = {}
        self._flights = Flights()
        self._lock = threading.Lock()

    def of(self, model: str) -> str | None:
        """That of a model; the part under way waits for it if it has to be asked for. None: not known.

        Raises:
            LimitError: the run must stop.
        """
        known = self._known.get(model)
        if known is not None or self._timer() < self._rest_until.get(model, 0.0):
            return known
        key = hashlib.sha256(model.encode()).digest()
        found = self._flights.run(key, lambda: self._known.get(model), lambda: self._asked(model), PATIENCE_S)
        return found or None

    def told(self, model: str, version: str) -> None:
        """An answer, or the control actor, says that this is the version now; empty: it is not known."""
        with self._lock:
            if version:
                self._known[model] = version
            else:
                self._known.pop(model, None)

    def follow(self, settings: Mapping[str, tuple[str, ...]]) -> None:
        """Forget what was known of models with other settings. `settings`: by model, what changes with them."""
        with self._lock:
            for model in [*self._known]:
                if settings.get(model) != self._settings.get(model):
                    del self._known[model]
            self._settings = settings

    def _asked(self, model: str) -> str:
        before = self._settings.get(model)
        found = self._ask(model) or ""
        with self._lock:
            if self._settings.get(model) != before:  # it is of other settings
                return ""
            if found:
                self._known[model] = found
            else:
                self._rest_until[model] = self._timer() + _REST_S
        return found


class TargetVersions:
    """`actors.caches.results.Versions` for the targets of the policy in force."""

    def __init__(self, current: Current, models: ModelVersions) -> None:
        self._current = current
        self._models = models
        self._digests: dict[int, tuple[RemoteProvider, str]] = {}

    def of(self, target: ExecTarget) -> str | None:
        """The version of what would answer calls of it. Raises LimitError."""
        if isinstance(target, LocalModel):
            return self._models.of(target.id)
        if isinstance(target, RemoteModel):
            provider = provider_of(self._current.rulebook.policy.settings, target)
            return None if provider is None else self._digest(provider)
        return None

    def told(self, target: ExecTarget, version: str) -> None:
        """An answer says its version."""
        if isinstance(target, LocalModel):
            self._models.told(target.id, version)

    def _digest(self, provider: RemoteProvider) -> str:
        known = self._digests.get(id(provider))
        if known is None or known[0] is not provider:
            told = f"{PROMPT_VERSION} {provider.model_dump_json(exclude=set(_BESIDE))}"
            known = provider, hashlib.sha256(told.encode()).hexdigest()
            if len(self._digests) >= 256:
                self._digests.clear()
            self._digests[id(provider)] = known
        return known[1]
