"""Server-sent events, over real connections: what comes first, when it ends, who is dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from local_server import Served, bearer, eventually, serving

from actors.events.sse import SseMessage, SseReader
from cluster.http.settings import HttpSettings

#: ended long ago, as far as the hub is concerned
DELAYED = {"source": "1", "mode": "async", "ticket": {"delay_ms": 300}}
FAR_OFF = {"source": "1", "mode": "async", "ticket": {"delay_ms": 60_000}}


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.base, timeout=30) as made:
        yield made


def messages(answer: httpx.Response) -> Iterator[SseMessage]:
    reader = SseReader()
    for piece in answer.iter_raw():
        yield from reader.feed(piece)


def stands(message: SseMessage) -> tuple[str, str]:
    told = json.loads(message.data)
    return message.event, told["data"]["phase"]


def test_a_ticket_is_followed_to_its_end(served, client):
    place = client.post("/v1/evaluate", json=DELAYED).headers["location"]
    with client.stream("GET", f"{place}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        found = list(messages(answer))
    assert [stands(each) for each in found] == [
        ("tickets", "delayed"),
        ("tickets", "running"),
        ("tickets", "completed"),
    ]
    assert json.loads(found[0].data)["state"] is True
    eventually(lambda: served.service.open_subscriptions == 0)


def test_a_ticket_that_has_ended_is_told_once(client):
    place = client.post("/v1/evaluate", json={"source": "1", "mode": "async"}).headers["location"]
    client.get(f"{place}/result?wait=20")
    with client.stream("GET", f"{place}/events", headers={"last-event-id": "3"}) as answer:
        assert [stands(each) for each in messages(answer)] == [("tickets", "completed")]


def test_events_of_some_topics(served, client):
    with client.stream("GET", "/v1/events?topics=policy") as answer:
        found = messages(answer)
        client.put("/v1/policy", json={"text": '[delegation]\ndefault_target = "local-pure"\n'})
        message = next(found)
    assert message.event == "policy"
    assert json.loads(message.data)["key"] == "delegation.toml"
    eventually(lambda: served.service.open_subscriptions == 0)


def test_a_late_one_is_told_how_things_stand(client):
    client.put("/v1/policy", json={"text": ""})
    with client.stream("GET", "/v1/events?topics=policy,health") as answer:
        message = next(messages(answer))
    assert json.loads(message.data)["state"] is True


def test_a_client_that_goes_is_noticed(served, client):
    place = client.post("/v1/evaluate", json=FAR_OFF).headers["location"]
    with client.stream("GET", f"{place}/events") as answer:
        found = messages(answer)
        next(found)
        eventually(lambda: served.service.open_subscriptions == 1)
    eventually(lambda: served.service.open_subscriptions == 0)
    eventually(lambda: served.app.open_streams == 0)
    client.delete(place)


def test_nothing_happens_is_told_by_comments():
    with (
        serving(settings=HttpSettings(heartbeat_s=0.05)) as served,
        httpx.Client(base_url=served.base) as client,
    ):
        place = client.post("/v1/evaluate", json=FAR_OFF).headers["location"]
        text = ""
        with client.stream("GET", f"{place}/events") as answer:
            for piece in answer.iter_text():
                text += piece
                if text.count("\n: \n") >= 2:
                    break
        assert text.startswith("retry: 2000\n\n")
        client.delete(place)


def test_there_is_an_end_to_the_number_of_streams(tokens):
    settings = HttpSettings(max_streams=1)
    with serving(tokens.store, settings) as served:
        headers = bearer(tokens.acme)
        with httpx.Client(base_url=served.base, headers=headers) as client:
            with client.stream("GET", "/v1/events") as first:
                pieces = first.iter_text()
                assert next(pieces) == "retry: 2000\n\n"
                second = client.get("/v1/events")
                assert (second.status_code, second.json()["code"]) == (503, "busy")
                assert second.headers["retry-after"] == "5"
            eventually(lambda: served.app.open_streams == 0)
            with client.stream("GET", "/v1/events") as third:
                assert third.status_code == 200


def test_events_of_others_are_not_told(tokens):
    with serving(tokens.store) as served:
        acme = httpx.Client(base_url=served.base, headers=bearer(tokens.acme))
        other = httpx.Client(base_url=served.base, headers=bearer(tokens.other))
        with acme, other, other.stream("GET", "/v1/events?topics=tickets") as answer:
            pieces = answer.iter_raw()
            next(pieces)
            eventually(lambda: served.service.open_subscriptions == 1)
            foreign = acme.post("/v1/evaluate", json={"source": "1", "mode": "async"}).json()["id"]
            own = other.post("/v1/evaluate", json={"source": "1", "mode": "async"}).json()["id"]
            reader = SseReader()
            found: list[SseMessage] = []
            while not found:
                found += reader.feed(next(pieces))
        keys = [json.loads(each.data)["key"] for each in found]
        assert set(keys) == {own}
        assert foreign not in keys
