"""docs/http.md: every `curl` is sent and answers what the page shows; its tables are complete."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from local_server import client_of
from local_service import LocalService

from cluster.http.app import http_app
from cluster.http.bodies import EvaluateBody, ExplainBody
from cluster.http.operations import OPERATIONS
from cluster.http.problems import PROBLEMS

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")
#: what is different each time
VOLATILE = {"run_id", "took_ms", "request_id", "instance", "id", "created_at", "updated_at"}
FENCES = re.findall(r"^```(sh|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    method: str
    url: str
    headers: dict[str, str]
    data: str | None
    #: status and body; None: not shown
    shown: tuple[int, str] | None


def examples() -> list[Example]:
    found = []
    for at, (language, text) in enumerate(FENCES):
        if language == "sh":
            following = FENCES[at + 1] if at + 1 < len(FENCES) else ("sh", "")
            shown = None
            if following[0] == "text":
                status, _, body = following[1].partition("\n")
                shown = (int(status), body)
            found.append(parsed(text, shown))
    return found


def parsed(command: str, shown: tuple[int, str] | None) -> Example:
    words = shlex.split(command.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    method, url, headers, data = None, "", {}, None
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word in ("-d", "--data-binary"):
            data = words.pop(0)
        elif word != "-N":
            url = word
    return Example(method or ("GET" if data is None else "POST"), url, headers, data, shown)


EXAMPLES = examples()


@pytest.fixture
async def ticket(service: LocalService, client: httpx.AsyncClient) -> str:
    body = {"source": "(reduce + 0 (range 1000))", "mode": "async"}
    found = (await client.post("/v1/evaluate", json=body)).json()["id"]
    await service.result(found, None, 20)
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each.method} {each.url}")
async def test_what_the_page_shows(example, service, tokens, ticket):
    store = tokens.store if "authorization" in example.headers else None
    headers = {name: value.replace("$TOKEN", tokens.acme) for name, value in example.headers.items()}
    async with client_of(http_app(service, store)) as client:
        url = example.url.replace("$TICKET", ticket)
        answer = await client.request(example.method, url, headers=headers, content=example.data)
    if example.shown is None:
        assert answer.status_code == 200, answer.text
        return
    status, body = example.shown
    assert answer.status_code == status, answer.text
    if body.startswith("{"):
        assert stable(answer.json()) == stable(json.loads(body))
    else:
        for line in body.splitlines():
            assert line.partition("{")[0] in answer.text


def stable(data: object) -> object:
    if isinstance(data, dict):
        return {key: stable(value) for key, value in data.items() if key not in VOLATILE} | {
            key: type(value) for key, value in data.items() if key in VOLATILE
        }
    return [stable(each) for each in data] if isinstance(data, list) else data


def test_there_are_examples():
    assert len(EXAMPLES) >= 12
    assert sum(example.shown is not None for example in EXAMPLES) >= 10


def test_the_table_of_statuses_is_complete():
    listed = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted((str(status), code) for code, (status, _) in PROBLEMS.items())


@pytest.mark.parametrize("model", [EvaluateBody, ExplainBody])
def test_the_table_of_fields_is_complete(model):
    table = PAGE.partition("## Bodies")[2].partition("\n\nA field")[0]
    named = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row.split("|")[1:2][0] if "|" in row else "")
    }
    assert set(model.model_fields) <= named
    if model is EvaluateBody:
        assert named == set(model.model_fields)


def test_every_path_is_named():
    page = PAGE.replace("/ID", "/{id}")
    assert [each.path for each in OPERATIONS if each.path not in page] == []
