"""Who asks, and whether they may: the gate of `actors.access`, with what only HTTP knows.

Without any token the local user is let in from this machine. Two kinds of requests come from this machine and
are somebody else's: those that a proxy here passes on, which name where they came from, and those that a
foreign web page has a browser send, which name the page. Both are refused.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from actors.access.caller import Requested, narrow
from actors.access.errors import AccessDenied, NotAllowed, TokenStoreError
from actors.access.gate import Gate, is_loopback
from cluster.http.problems import Problem

if TYPE_CHECKING:
    from actors.access.caller import Caller
    from actors.access.store import TokenStore
    from cluster.http.bodies import EvaluateBody, ExplainBody
    from cluster.http.exchange import Exchange
    from cluster.http.routing import Who
    from cluster.http.settings import HttpSettings
    from rtfs.security import Level

_log: Final = logging.getLogger("rtfs.http")
_PASSED_ON: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip")
_AUTHENTICATE: Final = 'Bearer realm="rtfs"'


class Guard:
    """Lets requests in."""

    def __init__(self, store: TokenStore | None, settings: HttpSettings) -> None:
        self._gate = Gate(store)
        self._settings = settings

    def announce(self) -> None:
        """Say, once at the start, if there is no token."""
        try:
            if self._gate.is_open():
                answered = "none is" if self._settings.needs_token else "only requests from this machine are"
                _log.warning("no token is configured: %s answered", answered)
        except TokenStoreError as error:
            _log.error("nobody is let in: %s", error)

    def admit(self, exchange: Exchange, who: Who) -> Caller | None:
        """Whoever asks; None where everybody may.

        Raises:
            Problem: it is not known who that is, or they may not.
        """
        if who == "metrics" and self._settings.open_metrics:
            return None
        caller = self._caller(exchange)
        if who == "admin" and not caller.admin:
            raise Problem("forbidden", "only a token for administrators may do this")
        return caller

    def _caller(self, exchange: Exchange) -> Caller:
        authorization = exchange.header(b"authorization")
        if authorization is not None and exchange.count(b"authorization") > 1:
            raise _denied(AccessDenied("malformed-header"), with_token=True)
        try:
            caller = self._gate.caller(authorization, exchange.client, exchange.header(b"host"))
        except AccessDenied as error:
            raise _denied(error, with_token=authorization is not None) from None
        if caller.token_id is None and (self._settings.needs_token or _is_somebody_elses(exchange)):
            raise _denied(AccessDenied("no-token-configured"), with_token=False)
        return caller

    def narrowed(self, caller: Caller, body: EvaluateBody | ExplainBody) -> Caller:
        """The caller with what the request asks for in place of all that the token allows.

        A request that says nothing about its level is `controlled` at most.

        Raises:
            Problem: it asks for more.
        """
        allow: list[str] | None = getattr(body, "allow", None)
        level: Level | None = body.level
        if level is None and caller.level == "full":
            level = "controlled"
        if level is None and body.permissions is None and allow is None:
            return caller
        requested = Requested(
            permissions=None if body.permissions is None else frozenset(body.permissions),
            level=level,
            capabilities=None if allow is None else frozenset(allow),
        )
        try:
            return _narrowed(caller, requested)
        except NotAllowed as error:
            raise Problem("forbidden", str(error), more={"problems": list(error.problems)}) from None


#: requests of one client mostly ask for the same
_narrowed: Final = lru_cache(maxsize=1_024)(narrow)


def _denied(error: AccessDenied, *, with_token: bool) -> Problem:
    challenge = _AUTHENTICATE + (', error="invalid_token"' if with_token else "")
    return Problem(
        "unauthenticated", str(error), headers=(("www-authenticate", challenge),), more={"reason": error.code}
    )


def _is_somebody_elses(exchange: Exchange) -> bool:
    """Whether a request from this machine was made for somebody who is not on it."""
    if any(exchange.header(name) is not None for name in _PASSED_ON):
        return True
    if exchange.header(b"sec-fetch-site") in ("cross-site", "same-site"):
        return True
    origin = exchange.header(b"origin")
    return origin is not None and not _is_local_page(origin)


def _is_local_page(origin: str) -> bool:
    try:
        host = urlsplit(origin).hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)
