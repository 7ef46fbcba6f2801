"""The HTTP API on Ray Serve: a replica holds the application and an evaluator of its own.

Serve's proxy passes a request to a replica; there it is answered without a further hop. What is delegated,
queued or shared goes from the replica to the actors of the runtime.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from rtfs.spell import nearest

#: the file of tokens, where the arguments name none
TOKENS_VARIABLE: Final = "RTFS_TOKENS_FILE"
#: Serve's own: HAProxy in place of Serve's proxy, and replicas that read their requests themselves
HAPROXY_VARIABLE: Final = "RAY_SERVE_ENABLE_HA_PROXY"
#: requests that a replica holds at once: clients that wait for tickets and follow events are among them
_MOST_ONGOING: Final = 1_000
#: seconds that requests under way get when a replica is to end; streams would go on for ever
_GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeArguments:
    """Arguments of the Serve application, as `serve.yaml` or the command line gives them."""

    #: the runtime's name
    namespace: str = "default"
    #: the policy's file; None: that of the runtime, or the empty one
    policy: str | None = None
    #: where tickets are kept; None: the user's folder for state
    state_dir: str | None = None
    #: processes that run programs, beside the replica's own
    evaluators: int = 2
    #: the file of bearer tokens; None: the one that `RTFS_TOKENS_FILE` names, or no tokens
    tokens_file: str | None = None

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> ServeArguments:
        """Arguments as given: texts, from a command line, or YAML.

        Raises:
            ValueError: there is no such argument, or it cannot have this value.
        """
        known = [each.name for each in fields(cls)]
        for name, value in args.items():
            if name not in known:
                near = nearest(name, known)
                advice = f"did you mean `{near}`?" if near else f"known are {', '.join(known)}"
                raise ValueError(f"no argument `{name}`; {advice}")
            if name != "evaluators" and not (value is None or isinstance(value, str)):
                raise ValueError(f"`{name}` must be a text, got {value!r}")
        given = {name: value for name, value in args.items() if value is not None}
        if "evaluators" in given:
            given["evaluators"] = _count(given["evaluators"])
        return cls(**given)


def _count(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
        raise ValueError(f"`evaluators` must be a whole number from 1, got {value!r}")
    return int(text)


class HttpReplica:
    """What Serve makes in a replica: a plain class, which Serve wraps."""

    async def __init__(self, arguments: ServeArguments) -> None:  # type: ignore[misc]  # Serve awaits it
        from cluster.assembly import http_service

        self._arguments = arguments
        self._service = await http_service(
            arguments.namespace, arguments.policy, arguments.state_dir, arguments.evaluators
        )

    def __serve_build_asgi_app__(self) -> Any:
        """The application, once the service is there."""
        from actors.access.store import TokenStore
        from cluster.http.app import http_app
        from cluster.http.settings import HttpSettings

        path = self._arguments.tokens_file or os.environ.get(TOKENS_VARIABLE)
        store = TokenStore(Path(path)) if path else None
        # Serve's proxy has put its id on the request, and puts the same on the answer
        settings = HttpSettings(sends_request_id=False, needs_token=behind_haproxy(os.environ))
        return http_app(self._service, store, settings, meter=self._service.connected.meter)


def behind_haproxy(environ: Mapping[str, str]) -> bool:
    """Whether Serve has HAProxy take requests, which it lets listen to everybody and which hides who asks."""
    return environ.get(HAPROXY_VARIABLE, "0") == "1"


def deployment(arguments: ServeArguments) -> Any:
    """The application with its Ray options."""
    from ray import serve

    wrapped: Any = serve.deployment(
        serve.ingress()(HttpReplica),
        name="http",
        max_ongoing_requests=_MOST_ONGOING,
        graceful_shutdown_timeout_s=_GRACE_S,
        ray_actor_options={"num_cpus": 0},
    )
    return wrapped.bind(arguments)
