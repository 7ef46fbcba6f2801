"""The secret of a provider as a header. It is looked up for each call, and stands in no error."""

from __future__ import annotations

from collections.abc import Mapping

from policies.errors import TargetFailed
from policies.file.schema import RemoteProvider


def authorization(provider: RemoteProvider, environ: Mapping[str, str]) -> dict[str, str]:
    """The header that carries the provider's secret; none if it needs none.

    Raises:
        TargetFailed: the variable that should hold it is not set, or holds what no header can (`auth`).
    """
    name = provider.api_key_env
    if name is None:
        return {}
    secret = environ.get(name, "").strip()
    if not secret:
        raise TargetFailed("auth", f"the environment variable {name} is not set")
    if not (secret.isascii() and secret.isprintable()):  # the client's own error would quote it
        raise TargetFailed("auth", f"the environment variable {name} holds what no header can")
    return {"authorization": f"Bearer {secret}"}
