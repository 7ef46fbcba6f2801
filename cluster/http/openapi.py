"""The OpenAPI 3.1 document, made once out of the table of operations and the models."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cluster.http.bodies import TICKET_ID, ProblemAnswer
from cluster.http.problems import CONTENT_TYPE, PROBLEMS
from cluster.http.routing import PARAMETER, Answer, Operation
from rtfs.version import VERSION

_REF: Final = "#/components/schemas/{model}"
_HEADERS: Final = {
    "Cache-Status": "Whether caches answered the run's delegated calls (RFC 9211); only where it made some.",
    "ETag": "The number of the policy, in quotes.",
    "Location": "Where the ticket is.",
    "Retry-After": "Seconds after which it is worth asking again.",
    "X-Request-Id": "The client's, if it is one of up to 64 letters, digits, `.`, `_` and `-`; else ours.",
    "WWW-Authenticate": "That a bearer token is wanted.",
    "Allow": "The methods that the path has.",
}
_ABOUT: Final = (
    "Programs of RTFS over HTTP. Errors are problem details (RFC 9457) with the error of RTFS in `error`. "
    "Every answer has an `X-Request-Id`."
)


@cache
def document_bytes() -> bytes:
    """The document as JSON."""
    from cluster.http.operations import OPERATIONS

    return json.dumps(document(OPERATIONS), ensure_ascii=False).encode()


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document as data."""
    listed = tuple(operations)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for each in listed:
        paths[each.path][each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "RTFS", "version": VERSION, "description": _ABOUT},
        "paths": dict(paths),
        "components": {
            "schemas": _schemas(listed),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def problems_of(operation: Operation) -> tuple[str, ...]:
    """Codes of the problems that it may answer with."""
    found = dict.fromkeys(operation.problems)
    if operation.bodies:
        codes = ("bad-json", "bad-request", "body-timeout", "too-large", "unsupported-media-type")
        found |= dict.fromkeys((*codes, "invalid-fields"))
    if operation.who != "anyone":
        found |= dict.fromkeys(("unauthenticated", "forbidden", "bad-request", "invalid-fields"))
    if PARAMETER in operation.path:
        found |= dict.fromkeys(("not-found",))
    return tuple(code for code in PROBLEMS if code in found or code == "internal-error")


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": f"{operation.handle.__module__.rpartition('.')[2]}_{operation.handle.__name__}",
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation),
    }
    if operation.text:
        made["description"] = operation.text
    if operation.bodies:
        made["requestBody"] = {
            "required": True,
            "content": {kind: _body(kind, model, operation) for kind, model in operation.bodies.items()},
        }
    if operation.who != "anyone":
        made["security"] = [{"bearer": []}]
    return made


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    if PARAMETER in operation.path:
        schema = {"type": "string", "pattern": TICKET_ID}
        yield {
            "name": "id",
            "in": "path",
            "required": True,
            "description": "The ticket's id.",
            "schema": schema,
        }
    for each in operation.parameters:
        described: dict[str, Any] = {
            "name": each.name,
            "in": each.place,
            "required": False,
            "description": each.text,
            "schema": dict(each.schema),
        }
        if each.example is not None:
            described["example"] = each.example
        yield described


def _body(kind: str, model: type[BaseModel] | None, operation: Operation) -> dict[str, Any]:
    if model is None:
        return {"schema": {"type": "string"}, "example": next(iter(operation.examples.values()))["text"]}
    return {
        "schema": {"$ref": _REF.format(model=model.__name__)},
        "examples": {name: {"value": value} for name, value in operation.examples.items()},
    }


def _responses(operation: Operation) -> dict[str, Any]:
    made = {str(each.status): _answer(each) for each in operation.answers}
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in problems_of(operation):
        by_status[PROBLEMS[code][0]].append(code)
    for status, codes in sorted(by_status.items()):
        headers = {401: ("WWW-Authenticate",), 503: ("Retry-After",)}.get(status, ())
        made[str(status)] = {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code][1]}" for code in codes),
            "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(model=ProblemAnswer.__name__)}}},
            "headers": _named((*headers, "X-Request-Id")),
        }
    return made


def _answer(answer: Answer) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": answer.text,
        "headers": _named((*answer.headers, "X-Request-Id")),
    }
    if answer.status != 304:
        schema = (
            {"$ref": _REF.format(model=answer.model.__name__)}
            if answer.model is not None
            else {"type": "object" if answer.content_type == "application/json" else "string"}
        )
        made["content"] = {answer.content_type: {"schema": schema}}
    return made


def _named(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    wanted: dict[type[BaseModel], Literal["validation", "serialization"]] = {ProblemAnswer: "serialization"}
    for each in operations:
        wanted |= {model: "validation" for model in each.bodies.values() if model is not None}
        wanted |= {answer.model: "serialization" for answer in each.answers if answer.model is not None}
    _, made = models_json_schema(list(wanted.items()), ref_template=_REF)
    found: dict[str, Any] = made["$defs"]
    return found
