"""The caller against real servers: what comes back, what is given up, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from scripted_server import (
    JSON,
    Behaviour,
    Received,
    ScriptedServer,
    answers,
    cuts,
    drips,
    floods,
    hangs_up,
    head,
    is_silent,
)

from actors.remote.http import HttpCaller, HttpReply, HttpRequest
from policies.errors import TargetFailed
from rtfs import errors
from rtfs.overlap import overlapping
from rtfs.overlap.fork import all_of
from rtfs.program import new_run
from rtfs.run import Limits, cancel, running

type Start = Callable[[Behaviour], ScriptedServer]


def request(url: str, **more: Any) -> HttpRequest:
    return HttpRequest(**{"provider": "p", "url": f"{url}/x", "timeout_s": 10.0, **more})


def test_a_request_and_its_answer(server: Start, caller: HttpCaller):
    there = server(answers(201, '{"a": 1}', {**JSON, "x-more": "yes"}))
    reply = caller.call(request(there.url, headers={"authorization": "Bearer t"}, body=b"hello"))
    assert (reply.status, reply.json(), reply.headers["x-more"]) == (201, {"a": 1}, "yes")
    got = there.received[0]
    assert (got.method, got.path, got.body) == ("POST", "/x", b"hello")
    assert (got.headers["authorization"], got.headers["accept-encoding"]) == ("Bearer t", "identity")


def test_connections_are_used_again(server: Start, caller: HttpCaller):
    there = server(answers(200))
    for _ in range(5):
        caller.call(request(there.url))
    assert (there.count, there.connections) == (5, 1)


def test_cookies_are_not_kept(server: Start, caller: HttpCaller):
    there = server(answers(200, "", {"set-cookie": "who=me"}))
    for _ in range(2):
        caller.call(request(there.url))
    assert all("cookie" not in got.headers for got in there.received)


def test_a_status_of_failure_is_an_answer_and_a_redirect_is_not_followed(server: Start, caller: HttpCaller):
    other = server(answers(200))
    there = server(answers(302, "", {"location": other.url}))
    assert caller.call(request(there.url)).status == 302
    assert other.count == 0


@pytest.mark.parametrize(
    ("behaviour", "cause", "detail"),
    [
        (cuts, "connection-lost", "broke off"),
        (hangs_up, "connection-lost", "broke off"),
        (is_silent, "timeout", "in time"),
        (drips, "timeout", "in time"),
        (floods, "bad-reply", "longer than 100000 bytes"),
        (answers(200, b" " * 100_001), "bad-reply", "longer than 100000 bytes"),
        (answers(200, b"", {"content-encoding": "gzip"}), "bad-reply", "compressed"),
    ],
)
def test_what_servers_do(server: Start, caller: HttpCaller, behaviour: Behaviour, cause: str, detail: str):
    there = server(behaviour)
    with pytest.raises(TargetFailed, match=detail) as failed:
        caller.call(request(there.url, timeout_s=0.2 if cause == "timeout" else 10.0, most_bytes=100_000))
    assert failed.value.cause == cause


@pytest.mark.parametrize(
    ("url", "cause", "detail"),
    [
        ("http://no-such-host.invalid", "connection-refused", "name of its host was not found"),
        ("ftp://127.0.0.1", "connection-refused", "neither http nor https"),
        ("no address", "connection-refused", "neither http nor https"),
        ("http://[::1", "connection-refused", "cannot be read"),
    ],
)
def test_addresses_that_lead_nowhere(caller: HttpCaller, url: str, cause: str, detail: str):
    with pytest.raises(TargetFailed, match=detail) as failed:
        caller.call(request(url))
    assert failed.value.cause == cause


def test_a_port_that_nobody_listens_on(caller: HttpCaller):
    with pytest.raises(TargetFailed) as failed:
        caller.call(request(ScriptedServer(is_silent).url))
    assert failed.value.cause == "connection-refused"


def test_https_where_there_is_none(server: Start, caller: HttpCaller):
    there = server(answers(200))
    with pytest.raises(TargetFailed, match="TLS failed") as failed:
        caller.call(request(there.url.replace("http:", "https:")))
    assert failed.value.cause == "connection-lost"


def test_a_header_that_is_none_is_no_fault_of_the_target(server: Start, caller: HttpCaller):
    with pytest.raises(TargetFailed) as failed:
        caller.call(request(server(answers(200)).url, headers={"x": "a\r\nb: c"}))
    assert failed.value.cause == "bad-request"


def test_calls_of_one_run_overlap(server: Start, caller: HttpCaller):
    """Each is answered when all have come: one after another they never would be."""
    arrived = 0

    async def waits_for_all(received: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        arrived += 1
        while arrived < 20:
            await asyncio.sleep(0.005)
        await answers(200)(received, writer)

    there = server(waits_for_all)

    def call() -> int:
        return caller.call(request(there.url)).status

    with running(new_run(None, None, Limits(), None)):
        assert overlapping(lambda: all_of(*[call] * 20)) == [200] * 20


def test_a_run_that_is_stopped_takes_its_request_with_it(server: Start, caller: HttpCaller):
    there = server(is_silent)
    run = new_run(None, None, Limits(), None)
    caught: list[BaseException] = []

    def waiting() -> None:
        try:
            with running(run):
                caller.call(request(there.url))
        except errors.LimitError as error:
            caught.append(error)

    thread = threading.Thread(target=waiting)
    thread.start()
    until(lambda: there.count == 1)
    cancel(run)
    thread.join(10)
    assert isinstance(caught[0], errors.BudgetExhausted)
    assert there.given_up.acquire(timeout=10)


def test_cancelling_the_future_closes_the_connection(server: Start, caller: HttpCaller):
    there = server(is_silent)
    future = caller.request(request(there.url))
    until(lambda: there.count == 1)
    future.cancel()
    assert there.given_up.acquire(timeout=10)
    with pytest.raises(CancelledError):
        future.result(10)


def test_closing_ends_what_is_under_way_and_takes_no_more(server: Start):
    caller = HttpCaller()
    there = server(is_silent)
    threads_before = threading.active_count()
    future = caller.request(request(there.url))
    until(lambda: there.count == 1)
    caller.close()
    caller.close()
    assert future.cancelled()
    assert threading.active_count() <= threads_before
    with pytest.raises(TargetFailed) as failed:
        caller.call(request(there.url))
    assert failed.value.cause == "cancelled"


def test_a_caller_that_was_never_used_starts_nothing():
    before = threading.active_count()
    caller = HttpCaller()
    assert threading.active_count() == before
    caller.close()


def test_a_proxy_of_the_environment_is_not_for_this_machine(
    server: Start, caller: HttpCaller, monkeypatch: pytest.MonkeyPatch
):
    proxy, there = server(answers(200, "proxy")), server(answers(200, "there"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert caller.call(request(there.url)).body == b"there"
    assert caller.call(request(there.url, trust_env=True)).body == b"proxy"
    assert caller.call(request("http://far.example")).body == b"proxy"
    assert caller.call(request(there.url, trust_env=False)).body == b"there"


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        (b"{", "application/json", "and is not"),
        (b"\xff\xfe{", "application/json", "and is not"),
        (b"[" * 200_000, "application/json", "and is not"),
        (b"{}", "text/html; charset=utf-8", "expected JSON, got content of type"),
        (b"{}", "", "got content of type `nothing`"),
    ],
)
def test_what_is_no_json(body: bytes, kind: str, detail: str):
    reply = HttpReply(status=200, headers={"content-type": kind}, body=body)
    with pytest.raises(TargetFailed, match=detail) as failed:
        reply.json()
    assert failed.value.cause == "bad-reply"
    assert HttpReply(status=200, headers={"content-type": "application/x+json"}, body=b"[1]").json() == [1]


# ---------------------------------------------------------------- streams


def followed(caller: HttpCaller, url: str, enough: Callable[[bytes], bool], **more: Any) -> HttpReply:
    """The reply to a request whose events go to `enough`."""
    return caller.call(request(url, on_events=enough, **more))


EVENTS = {"content-type": "Text/Event-Stream; charset=utf-8"}


def test_a_stream_is_followed_as_it_comes_and_its_connection_used_again(server: Start, caller: HttpCaller):
    there = server(answers(200, "data: 1\n\ndata: 2\n\n", EVENTS))
    for _ in range(3):
        seen: list[bytes] = []
        reply = followed(caller, there.url, lambda piece, seen=seen: bool(seen.append(piece)))  # type: ignore[misc]
        assert (b"".join(seen), reply.body) == (b"data: 1\n\ndata: 2\n\n", b"")
        followed(caller, there.url, lambda piece: True)
    assert there.connections == 1


def test_a_stream_of_which_no_more_is_wanted_is_left(server: Start, caller: HttpCaller):
    async def goes_on(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, EVENTS) + b"data: 1\n\n")
        await asyncio.Event().wait()

    there = server(goes_on)
    assert followed(caller, there.url, lambda piece: True, timeout_s=60.0).status == 200
    assert there.given_up.acquire(timeout=10)


def test_what_is_raised_on_a_stream_ends_the_request(server: Start, caller: HttpCaller):
    def refuse(piece: bytes) -> bool:
        raise TargetFailed("bad-reply", "not this")

    there = server(floods_events)
    with pytest.raises(TargetFailed, match="not this"):
        followed(caller, there.url, refuse)
    there.behaviour = answers(200)
    assert caller.call(request(there.url)).status == 200


def test_a_stream_is_read_so_far_and_no_farther(server: Start, caller: HttpCaller):
    with pytest.raises(TargetFailed, match="longer than 100000 bytes") as failed:
        followed(caller, server(floods_events).url, lambda piece: False, most_bytes=100_000)
    assert failed.value.cause == "bad-reply"


@pytest.mark.parametrize(("status", "headers"), [(200, JSON), (500, EVENTS), (200, {})])
def test_what_is_no_stream_of_success_is_read_whole(
    server: Start, caller: HttpCaller, status: int, headers: dict[str, str]
):
    seen: list[bytes] = []
    there = server(answers(status, "data: 1\n\n", headers))
    reply = followed(caller, there.url, lambda piece: bool(seen.append(piece)))  # type: ignore[func-returns-value]
    assert (reply.body, seen) == (b"data: 1\n\n", [])


async def floods_events(received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(head(200, EVENTS))
    while True:
        writer.write(b": nothing\n\n" * 5000)
        await writer.drain()


# ---------------------------------------------------------------- proxies and certificates


def test_a_proxy_of_the_request_is_for_this_machine_too(server: Start, caller: HttpCaller):
    proxy, there = server(answers(200, "proxy")), server(answers(200, "there"))
    assert caller.call(request(there.url, proxy=proxy.url)).body == b"proxy"
    assert caller.call(request(there.url)).body == b"there"


@pytest.mark.parametrize("proxy", ["no address", "ftp://user:secret@h", "http://[::1"])
def test_a_proxy_that_is_none(server: Start, caller: HttpCaller, proxy: str):
    there = request(server(answers(200)).url, proxy=proxy)
    with pytest.raises(TargetFailed, match="`proxy` is no address") as failed:
        caller.call(there)
    assert failed.value.cause == "connection-refused"
    assert "secret" not in f"{failed.value!r} {failed.value.__cause__!r} {there!r}"


def test_certificates_of_a_file(caller: HttpCaller, tls_server: Any):
    assert caller.call(request(tls_server.url, ca_file=tls_server.ca_file)).body == b"over TLS"
    with pytest.raises(TargetFailed, match="certificate is not trusted") as failed:
        caller.call(request(tls_server.url))
    assert failed.value.cause == "connection-lost"


@pytest.mark.parametrize("text", [None, b"", b"no certificate"])
def test_certificates_that_cannot_be_read(caller: HttpCaller, tmp_path: Path, text: bytes | None):
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(TargetFailed, match="the certificates of its `ca_file`") as failed:
        caller.call(request("https://127.0.0.1:9", ca_file=str(path)))
    assert failed.value.cause == "connection-refused"


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)
