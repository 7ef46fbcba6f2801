"""What operators ask."""

from __future__ import annotations

import asyncio
import json

import pytest
from local_server import client_of

from cluster.http import health
from cluster.http.app import http_app
from cluster.http.settings import HttpSettings


async def test_alive(client):
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "up"})


async def test_ready(client, service):
    assert (await client.get("/readyz")).status_code == 200
    service.parts = {"evaluators": "up", "tickets": "down"}
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "parts": {"evaluators": "up", "tickets": "down"}}


async def test_a_runtime_that_does_not_say_is_not_ready(client, service, monkeypatch):
    async def never():
        await asyncio.Event().wait()

    monkeypatch.setattr(service, "status", never)
    monkeypatch.setattr(health, "_STATUS_S", 0.05)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)


async def test_metrics_count_by_route_and_never_by_path(client):
    await client.post("/v1/evaluate", json={"source": "1"})
    await client.get("/v1/tickets/01m8e0kxz6gygbahtzhd87cea9")
    await client.get("/no/such/path")
    text = (await client.get("/metrics")).text
    assert 'rtfs_http_requests_total{route="/v1/evaluate",method="POST",status="200"} 1' in text
    assert 'rtfs_http_requests_total{route="/v1/tickets/{id}",method="GET",status="404"} 1' in text
    assert 'rtfs_http_requests_total{route="none",method="none",status="404"} 1' in text
    assert 'rtfs_http_latency_ms_count{route="/v1/evaluate",method="POST"} 1' in text
    assert "01m8e0" not in text


@pytest.mark.parametrize(("is_open", "status"), [(False, 401), (True, 200)])
async def test_metrics_can_be_opened(is_open, status, service, tokens):
    app = http_app(service, tokens.store, HttpSettings(open_metrics=is_open))
    async with client_of(app) as client:
        assert (await client.get("/metrics")).status_code == status


async def test_the_page_needs_nothing_from_elsewhere(client):
    answer = await client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in answer.text
    assert "http://" not in answer.text.replace("RTFS over HTTP", "")
    assert "https://" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.text.count("content-security-policy") == 0


async def test_problem_types_lead_to_the_page(client):
    page = (await client.get("/docs")).text
    problem = (await client.get("/nope")).json()
    path, _, anchor = problem["type"].partition("#")
    assert path == "/docs"
    assert f'id="{anchor}"' in page


async def test_every_answer_has_a_request_id_and_is_kept_by_nobody(client):
    for path in ("/healthz", "/nope", "/v1/policy", "/docs"):
        answer = await client.get(path)
        assert len(answer.headers["x-request-id"]) == 16
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-1.2_3", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("é", False), ("", False)],
)
async def test_request_ids_of_clients(given, kept, client):
    answer = await client.get("/nope", headers={"x-request-id": given.encode()})
    found = answer.headers["x-request-id"]
    assert (found == given) == kept
    assert answer.json()["request_id"] == found
    assert answer.json()["instance"] == f"/nope#{found}"


async def test_head_is_get_without_a_body(client):
    answer = await client.head("/healthz")
    assert answer.status_code == 200


def test_the_document_is_json():
    from cluster.http.openapi import document_bytes

    assert json.loads(document_bytes())["openapi"] == "3.1.0"
