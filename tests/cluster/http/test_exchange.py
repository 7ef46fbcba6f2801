"""Over real connections: clients that go away, bodies too large, cut off or slow, odd bytes in paths."""

from __future__ import annotations

import socket

import httpx
import pytest
from local_server import Served, eventually, serving

from cluster.http.settings import HttpSettings

SPINNING = b'{"source": "(loop [] (recur))", "limits": {"deadline_ms": 60000}}'


def head(length: int | None, method: str = "POST", path: str = "/v1/evaluate", **more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in more.items()]
    if length is not None:
        lines.append(f"content-length: {length}")
    return "\r\n".join((*lines, "", "")).encode()


def answered(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    pieces = []
    while piece := connection.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces)


def test_a_client_that_goes_ends_its_run(served: Served):
    before = len(served.service.abandoned)
    with served.connect() as connection:
        connection.sendall(head(len(SPINNING)) + SPINNING)
        eventually(lambda: served.service.running)
    eventually(lambda: not served.service.running)
    assert len(served.service.abandoned) == before + 1


def test_a_client_that_only_stops_sending_gets_its_answer(served: Served):
    body = b'{"source": "(reduce + 0 (range 300000))"}'
    with served.connect() as connection:
        connection.sendall(head(len(body), connection="close") + body)
        text = answered(connection)
    assert text.startswith(b"HTTP/1.1 200")
    assert b'"value": 44999850000' in text


def test_a_client_that_goes_while_it_waits_for_a_ticket(served: Served):
    with httpx.Client(base_url=served.base) as client:
        body = {"source": "1", "mode": "async", "ticket": {"delay_ms": 60_000}}
        place = client.post("/v1/evaluate", json=body).headers["location"]
        with served.connect() as connection:
            connection.sendall(head(None, "GET", f"{place}/result?wait=60"))
        assert client.get(f"{place}/result").status_code == 202
        assert client.delete(place).json()["state"] == "cancelled"


def test_fifty_megabytes_with_a_length(served: Served):
    with httpx.Client(base_url=served.base, timeout=60) as client:
        body = b'{"source": "' + b" " * (50 << 20) + b'"}'
        answer = client.post("/v1/evaluate", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert answer.json()["detail"] == "at most 1048576 bytes are taken; send less"
    assert answer.headers["connection"] == "close"


def test_fifty_megabytes_in_pieces(served: Served):
    def pieces():
        yield b'{"source": "'
        for _ in range(50):
            yield b" " * (1 << 20)
        yield b'"}'

    with httpx.Client(base_url=served.base, timeout=60) as client:
        answer = client.post("/v1/evaluate", content=pieces(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_who_asks_first_need_not_send_what_is_too_large(served: Served):
    with served.connect() as connection:
        connection.sendall(head(50 << 20, expect="100-continue"))
        assert answered(connection).startswith(b"HTTP/1.1 413")


def test_endless_bodies_are_given_up():
    with serving(settings=HttpSettings(drain_bytes=4 << 20)) as served, served.connect() as connection:
        connection.sendall(head(1 << 40))
        sent = 0
        try:
            while sent < 64 << 20:
                connection.sendall(b" " * (1 << 20))
                sent += 1 << 20
        except OSError:
            pass
        assert sent < 64 << 20


@pytest.mark.parametrize("limit", [10, 1 << 20])
def test_the_limit_is_exact(limit):
    with serving(settings=HttpSettings(max_body_bytes=limit)) as served, httpx.Client() as client:
        for size, is_taken in ((limit, True), (limit + 1, False)):
            for content in (b"[" * size, iter([b"[", b"[" * (size - 1)])):
                answer = client.post(
                    f"{served.base}/v1/evaluate", content=content, headers={"content-type": "application/json"}
                )
                assert answer.status_code == (400 if is_taken else 413)


def test_a_cut_upload_is_no_request(served: Served):
    before = len(served.service.requests)
    for sent in (b"", b'{"source": "1"'):
        with served.connect() as connection:
            connection.sendall(head(1_000) + sent)
    with served.connect() as connection:
        connection.sendall(head(None, **{"transfer-encoding": "chunked"}) + b"5\r\n{'sou")
    with httpx.Client(base_url=served.base) as client:
        assert client.get("/healthz").status_code == 200
    eventually(lambda: '"/v1/evaluate",method="POST",status="499"' in metrics(served))
    assert len(served.service.requests) == before


def metrics(served: Served) -> str:
    with httpx.Client(base_url=served.base) as client:
        return client.get("/metrics").text


def test_a_slow_upload_is_given_up():
    with serving(settings=HttpSettings(body_timeout_s=0.2)) as served, served.connect() as connection:
        connection.sendall(head(1_000) + b'{"sou')
        text = answered(connection)
    assert text.startswith(b"HTTP/1.1 408")
    assert b'"code": "body-timeout"' in text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/tickets/..%2f..%2f",
        "/v1/tickets/../policy/x",
        "/v1/tickets/%2e%2e/policy",
        "/v1/tickets/01m8e0kxz6gygbahtzhd87cea9%00",
        "/v1/tickets/01m8e0kxz6gygbahtzhd87cea9%0d%0aset-cookie:x",
        "/v1/tickets/%ff",
        "/v1/./evaluate",
        "//v1/evaluate",
        "/v1/evaluate%2f",
        "/v1\\evaluate",
    ],
)
def test_paths_as_they_are_sent(path, served: Served):
    with served.connect() as connection:
        connection.sendall(head(None, "GET", path, connection="close"))
        text = answered(connection)
    assert text.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"set-cookie:x\r\n" not in text.lower()


def test_requests_one_after_the_other_on_one_connection(served: Served):
    body = b'{"source": "(+ 1 2)"}'
    with served.connect() as connection:
        connection.sendall((head(len(body)) + body) * 3 + head(0, "GET", "/healthz", connection="close"))
        text = answered(connection)
    assert text.count(b'"value": 3') == 3
    assert text.count(b"HTTP/1.1 200") == 4
