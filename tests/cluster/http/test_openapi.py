"""The OpenAPI document: it is valid, its examples are true, and the application keeps to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from local_server import Served, client_of, serving
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from actors.access import token
from actors.access.store import TokenStore
from cluster.http.bodies import TICKET_ID
from cluster.http.openapi import document, document_bytes
from cluster.http.operations import OPERATIONS
from cluster.http.problems import PROBLEMS

DOCUMENT = document(OPERATIONS)


def test_every_reference_leads_somewhere():
    names = set(DOCUMENT["components"]["schemas"])
    text = json.dumps(DOCUMENT)
    found = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert found == names


def test_every_schema_is_one():
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own():
    names = [each["operationId"] for path in DOCUMENT["paths"].values() for each in path.values()]
    assert len(set(names)) == len(names) == len(OPERATIONS)


def test_every_problem_is_told_of_by_some_operation():
    told = json.dumps(DOCUMENT)
    # these two come before it is known which operation is meant
    assert {code for code in PROBLEMS if f"`{code}`" not in told} == {"method-not-allowed"}


def test_the_pattern_of_ids_is_that_of_tickets():
    import re

    from actors.tickets.ids import is_ticket_id, new_ticket_id

    for text in (new_ticket_id(), "x", "8" * 26, "7" * 26, "7" * 25, "7" * 27, "l" * 26):
        assert (re.search(TICKET_ID, text) is not None) == is_ticket_id(text)


def examples() -> list[Any]:
    return [
        pytest.param(each.method, each.path, value, id=f"{each.path}:{name}")
        for each in OPERATIONS
        for name, value in each.examples.items()
    ]


@pytest.mark.parametrize(("method", "path", "body"), examples())
async def test_examples_are_true(method, path, body, client):
    answer = await client.request(method, path, json=body)
    assert answer.status_code in (200, 202), answer.text
    schema = DOCUMENT["paths"][path][method.lower()]["responses"][str(answer.status_code)]
    reference = schema["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**reference, "components": DOCUMENT["components"]})
    assert list(validator.iter_errors(answer.json())) == []


async def test_the_toml_example_is_true(client):
    content = DOCUMENT["paths"]["/v1/policy"]["put"]["requestBody"]["content"]
    for kind in ("application/toml", "text/plain"):
        text = content[kind]["example"]
        assert (await client.put("/v1/policy", content=text, headers={"content-type": kind})).status_code == 200


async def test_it_is_served(guarded):
    async with client_of(guarded) as client:
        assert (await client.get("/openapi.json")).content == document_bytes()


# ---------------------------------------------------------------- schemathesis

#: streams that are let in do not end; `test_streams` has them
ENDLESS = ("/v1/events", "/v1/tickets/{id}/events")
#: all but `positive_data_acceptance`: a text that is no program fits the schema, and is refused
CHECKS = (
    not_a_server_error,
    checks.allow_header_conformance,
    checks.content_type_conformance,
    checks.ignored_auth,
    checks.negative_data_rejection,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.status_code_conformance,
    checks.unsupported_method,
)


#: of an administrator; known before the server runs, since requests are signed when tests are collected
ID, SECRET = "0123456789ab", "5e" * 32
schema = schemathesis.openapi.from_dict(json.loads(document_bytes()))


@schemathesis.serializer("application/toml")
def as_text(context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schema.auth()
class Bearer:
    """How schemathesis signs its requests; it also sends them without, and with other tokens."""

    def get(self, case, context):
        return token.clear_text(ID, SECRET)

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    admin = token.Token(id=ID, name="admin", hash=token.hash_of(SECRET), tenant="ops", level="full", admin=True)
    path = tmp_path_factory.mktemp("access") / "tokens"
    path.write_text(json.dumps(token.to_json(admin)) + "\n", encoding="utf-8")
    path.chmod(0o600)
    with serving(TokenStore(path)) as made:
        yield made


@schema.exclude(path=list(ENDLESS)).parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_it_keeps_to_the_document(case, target):
    case.call_and_validate(base_url=target.base, checks=list(CHECKS), timeout=60)
