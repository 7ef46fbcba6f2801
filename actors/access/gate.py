"""From the header of a request to the caller that it comes from.

Without any token, requests from the same machine come from the local user, who may do everything; a service
that can be reached from elsewhere needs tokens, which `check_address` says before it starts. A web page of
somebody else, open in a browser here, sends requests from this machine too, under a name of its own that it has
made to mean this machine: hence the look at the header `Host`.

Codes tell what is wrong with a token to those who hold it: that one was revoked or has expired is said only
when its secret is right. All others hear that it is not known.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from actors.access import token as tokens
from actors.access.caller import LOCAL_USER, Caller
from actors.access.errors import AccessDenied, AccessError, TokenStoreError
from actors.access.store import TokenStore

#: characters of a header that are looked at
_LONGEST: Final = 1_000
#: compared where there is no entry, so that an id that exists takes no longer than one that does not
_NO_HASH: Final = tokens.hash_of("")

_log = logging.getLogger("rtfs.access")


class AddressNeedsTokens(AccessError):
    """A service without tokens would be reached from elsewhere."""


class Gate:
    """Lets callers in. `store` is None where there are to be no tokens."""

    def __init__(self, store: TokenStore | None, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._complaint: str | None = None

    def is_open(self) -> bool:
        """Whether no token is configured, so that everybody on the same machine is let in.

        Raises:
            TokenStoreError: the tokens cannot be read.
        """
        return self._store is None or not self._store.is_configured()

    def check_address(self, host: str) -> None:
        """Whether a service may listen on an address.

        Raises:
            AddressNeedsTokens: it could be reached from elsewhere, and no token is configured.
            TokenStoreError: the tokens cannot be read.
        """
        if self.is_open() and not is_loopback(host):
            raise AddressNeedsTokens(
                f"without a token the service listens on this machine alone, not on `{host}`; "
                "create a token, or listen on 127.0.0.1"
            )

    def caller(self, authorization: str | None, peer: str | None, host: str | None = None) -> Caller:
        """Whoever sent a request.

        Args:
            authorization: the value of its header; None: there is none.
            peer: the address it came from; None: not known.
            host: the value of its header `Host`; None: there is none.

        Raises:
            AccessDenied: that is not known; its code says why.
        """
        try:
            known = self._store.current() if self._store is not None else {}
            if self.is_open():
                return _local(peer, host)
        except TokenStoreError as error:
            self._complain(error)
            raise AccessDenied("tokens-unreadable") from error
        if authorization is None:
            raise AccessDenied("missing-token")
        token_id, secret = _sent(authorization)
        return self._known(known.get(token_id), secret).caller()

    def _known(self, token: tokens.Token | None, secret: str) -> tokens.Token:
        if token is None:
            hmac.compare_digest(tokens.hash_of(secret), _NO_HASH)
            raise AccessDenied("unknown-token")
        if not token.is_secret(secret):
            raise AccessDenied("unknown-token")
        if token.revoked is not None:
            raise AccessDenied("revoked-token")
        if token.expires is not None and token.expires <= self._clock():
            raise AccessDenied("expired-token")
        return token

    def _complain(self, error: TokenStoreError) -> None:
        """Once for each reason: every request fails while it lasts."""
        if str(error) != self._complaint:
            self._complaint = str(error)
            _log.error("nobody is let in: %s", error)


def _local(peer: str | None, host: str | None) -> Caller:
    if peer is None or not is_loopback(peer) or not (host is None or is_loopback(_without_port(host))):
        raise AccessDenied("no-token-configured")
    return LOCAL_USER


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdigit() or not port) and not name.endswith(":") else host


def _sent(authorization: str) -> tuple[str, str]:
    """The id and the secret in a header."""
    scheme, _, text = authorization[:_LONGEST].strip().partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise AccessDenied("malformed-header")
    found = tokens.parts(text.strip())
    if found is None:
        raise AccessDenied("malformed-token")
    return found


@lru_cache(maxsize=256)  # each request asks about the same few
def is_loopback(host: str) -> bool:
    """Whether an address is one that only this machine can reach. Of names only `localhost` is."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
