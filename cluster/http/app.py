"""Makes the application: `http_app` for any ASGI server, `application` for Ray Serve.

serve run cluster.http.app:application policy=delegation.toml
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.telemetry.aggregates import Aggregates
from cluster.http.api import Api
from cluster.http.operations import OPERATIONS
from cluster.http.routing import Routing
from cluster.http.settings import HttpSettings

if TYPE_CHECKING:
    from actors.access.store import TokenStore
    from actors.service import Service


def http_app(
    service: Service,
    access: TokenStore | None,
    settings: HttpSettings | None = None,
    *,
    meter: Aggregates | None = None,
) -> Api:
    """The HTTP API as an ASGI application.

    Args:
        service: what it offers.
        access: the tokens; None: there are none, and only this machine is answered.
        settings: its bounds.
        meter: where it counts, and what `/metrics` shows.
    """
    return Api(service, access, settings or HttpSettings(), Routing(OPERATIONS), meter or Aggregates())


def application(args: dict[str, Any]) -> Any:
    """The Serve application, for `serve run`, `serve deploy` and `rtfs serve`.

    Args:
        args: see `cluster.http.deployment.ServeArguments`.

    Raises:
        ValueError: an argument that there is not, or a value that cannot be one.
    """
    from cluster.http.deployment import ServeArguments, deployment

    return deployment(ServeArguments.of(args))
