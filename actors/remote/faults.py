"""What went wrong with a target on the network, as causes of the circuit breaker.

Two tables, one of the statuses that a server answers and one of what happens to a connection. They say what
`policies.running.health` is to make of it; nothing here knows what the target is for.

Statuses, by what the breaker should do about them:

- 404, 405, 410, 426, redirects and other 1xx to 3xx count as `bad-reply`: the address in the policy is not that
  of the service. It stays so for all calls until somebody changes it, so it is no `bad-request`, which would
  never open the circuit; but it may be a service in the middle of a roll-out, so it is no `auth` either, which
  would open it at once and for minutes.
- 401, 402, 403, 407 and 451 are `auth`: whoever asks may not, or has not paid.
- 429 is `rate-limited`; 425, 503 and 529 are `overloaded`. What such a server asks for in Retry-After is kept.
- 408 and 504 are `timeout`; what else begins with 5 is `server-error`.
- What else begins with 4 is `bad-request`: this call is to blame, not the target.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from policies.errors import TargetFailed
from policies.running.health import Cause

#: statuses whose cause is not that of their hundred
_BY_STATUS: Final[Mapping[int, Cause]] = {
    **dict.fromkeys((401, 402, 403, 407, 451), "auth"),
    **dict.fromkeys((404, 405, 410, 426), "bad-reply"),
    **dict.fromkeys((408, 504), "timeout"),
    429: "rate-limited",
    **dict.fromkeys((425, 503, 529), "overloaded"),
}
_BY_HUNDRED: Final[Mapping[int, Cause]] = {4: "bad-request", 5: "server-error"}
#: causes after which the target certainly did nothing of what it was asked
NOTHING_DONE: Final[frozenset[Cause]] = frozenset(("connection-refused", "rate-limited", "overloaded"))

#: exceptions of the client, the more special first
_BY_EXCEPTION: Final[tuple[tuple[type[Exception], Cause, str], ...]] = (
    (httpx.TimeoutException, "timeout", "it did not answer in time"),
    (httpx.ConnectError, "connection-refused", "no connection could be made"),
    (httpx.ProxyError, "connection-lost", "the proxy failed"),
    (httpx.UnsupportedProtocol, "connection-refused", "its address is neither http nor https"),
    (httpx.LocalProtocolError, "bad-request", "the request cannot be written as HTTP"),
    (httpx.RemoteProtocolError, "connection-lost", "the answer broke off, or is no HTTP"),
    (httpx.DecodingError, "bad-reply", "its answer cannot be decoded"),
    (httpx.TransportError, "connection-lost", "the connection broke off"),
    (httpx.InvalidURL, "connection-refused", "its address cannot be read"),
    (OSError, "connection-lost", "the connection broke off"),
)
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


def fault_of_status(status: int, headers: Mapping[str, str], now: float) -> TargetFailed | None:
    """The failure that an answer with `status` is, None for an answer of success.

    Args:
        headers: by name in lower case.
        now: seconds since the epoch.
    """
    if 200 <= status <= 299:
        return None
    cause = _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, "bad-reply")
    detail = f"it answered {status}"
    if 300 <= status <= 399:
        detail += ", a redirect, which is not followed"
    return TargetFailed(cause, detail, retry_after_s=retry_after_s(headers, now))


def fault_of_exception(error: Exception) -> TargetFailed | None:
    """The failure that an exception of the client means, None if it is none of the network's."""
    if isinstance(error, TargetFailed):
        return error
    if isinstance(error, TimeoutError):
        return TargetFailed("timeout", "it did not answer in time")
    for kind, cause, detail in _BY_EXCEPTION:
        if isinstance(error, kind):
            why = _connecting(error) if kind is httpx.ConnectError else None
            return why or TargetFailed(cause, detail)
    return None


def _connecting(error: Exception) -> TargetFailed | None:
    """What kept a connection from being made, if the exception says more than that none was."""
    for each in _causes(error):
        if isinstance(each, socket.gaierror):
            return TargetFailed("connection-refused", "the name of its host was not found")
        if isinstance(each, ssl.SSLCertVerificationError):
            return TargetFailed("connection-lost", f"its certificate is not trusted: {each.verify_message}")
        if isinstance(each, ssl.SSLError):
            return TargetFailed("connection-lost", f"TLS failed: {each.reason or 'no common protocol'}")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        todo += [each.__context__, each.__cause__]
        if isinstance(each, BaseExceptionGroup):  # of several addresses, one for each
            todo += each.exceptions


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to be left alone: of Retry-After, in either of its forms (RFC 9110, 10.2.3).

    A date is compared with the server's own clock where it tells it, for clocks differ.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until = _seconds_of(text)
    if until is None:
        return None
    sent = _seconds_of(headers.get("date", ""))
    return max(0.0, until - (now if sent is None else sent))


def _seconds_of(date: str) -> float | None:
    """An HTTP date as seconds since the epoch, None if it is none."""
    if not date:
        return None
    try:
        found = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
