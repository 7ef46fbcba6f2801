"""Clients of `actors.remote.http`: what requests have in common that share connections.

Redirects are not followed and cookies are not kept; why is told there.
"""

from __future__ import annotations

import ipaddress
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, NamedTuple

import httpx

from policies.errors import TargetFailed

#: connections to one provider, and how many of them are kept while nothing is sent
_CONNECTIONS: Final = httpx.Limits(max_connections=512, max_keepalive_connections=64, keepalive_expiry=20.0)


class ClientKey(NamedTuple):
    """What requests have in common that may share connections."""

    provider: str
    scheme: str
    trust_env: bool
    proxy: str | None
    ca_file: str | None


def client_of(key: ClientKey) -> httpx.AsyncClient:
    """A new client.

    Raises:
        TargetFailed: its proxy or its certificates cannot be used (`connection-refused`).
    """
    try:
        proxy = None if key.proxy is None else httpx.Proxy(key.proxy)
    except (httpx.InvalidURL, ValueError):  # its text may hold a password
        raise TargetFailed("connection-refused", "its `proxy` is no address of one") from None
    return httpx.AsyncClient(
        verify=_trusted(key),
        trust_env=key.trust_env,
        proxy=proxy,
        follow_redirects=False,
        limits=_CONNECTIONS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


def _trusted(key: ClientKey) -> bool | ssl.SSLContext:
    """What certificates to trust. A client of `http` never makes a TLS connection: it reads none."""
    if key.scheme != "https" or key.ca_file is None:
        return key.scheme == "https"
    try:
        return ssl.create_default_context(cafile=key.ca_file)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "they cannot be read"
        raise TargetFailed("connection-refused", f"the certificates of its `ca_file`: {why}") from error


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
