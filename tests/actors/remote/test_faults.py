"""What statuses and exceptions mean for the circuit breaker."""

from __future__ import annotations

import ssl

import httpx
import pytest

from actors.remote.faults import fault_of_exception, fault_of_status, retry_after_s
from policies.errors import TargetFailed
from policies.running.health import CAUSES

NOW = 1_700_000_000.0
LATER = "Tue, 14 Nov 2023 22:13:50 GMT"  # 30 s after NOW


@pytest.mark.parametrize(
    ("statuses", "cause"),
    [
        ((401, 402, 403, 407, 451), "auth"),
        ((404, 405, 410, 426, 301, 302, 307, 308, 304, 101), "bad-reply"),
        ((408, 504), "timeout"),
        ((429,), "rate-limited"),
        ((425, 503, 529), "overloaded"),
        ((500, 501, 502, 507, 599), "server-error"),
        ((400, 409, 413, 415, 422, 431), "bad-request"),
    ],
)
def test_statuses(statuses: tuple[int, ...], cause: str):
    for status in statuses:
        found = fault_of_status(status, {}, NOW)
        assert found is not None
        assert (found.cause, found.retry_after_s) == (cause, None)
        assert str(status) in found.detail


def test_every_status_means_something_that_the_breaker_knows():
    for status in range(100, 600):
        found = fault_of_status(status, {}, NOW)
        assert (found is None) == (200 <= status <= 299)
        assert found is None or found.cause in CAUSES


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "37"}, 37.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": LATER}, 30.0),
        # the server's clock is 10 s ahead of ours
        ({"retry-after": LATER, "date": "Tue, 14 Nov 2023 22:13:30 GMT"}, 20.0),
        ({"retry-after": LATER, "date": "yesterday"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 99 Nov 2023 22:13:00 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None):
    assert retry_after_s(headers, NOW) == seconds
    found = fault_of_status(429, headers, NOW)
    assert found is not None
    assert found.retry_after_s == seconds


def test_exceptions_of_the_client_are_all_translated():
    """A class that a new version of the client brings is a failure of the network, too."""
    todo: list[type[Exception]] = [httpx.TransportError]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        found = fault_of_exception(kind("secret"))
        assert found is not None
        assert found.cause in CAUSES - {"unknown"}
        assert "secret" not in str(found)


def test_what_is_none_of_the_networks_is_not_translated():
    assert fault_of_exception(ValueError()) is None
    known = TargetFailed("auth")
    assert fault_of_exception(known) is known


def test_a_certificate_that_is_not_trusted_is_named():
    inner = ssl.SSLCertVerificationError(1, "x")
    inner.verify_message = "self-signed certificate"
    error = httpx.ConnectError("x")
    error.__cause__ = ExceptionGroup("all addresses", [inner])
    found = fault_of_exception(error)
    assert found is not None
    assert str(found) == "connection-lost: its certificate is not trusted: self-signed certificate"
