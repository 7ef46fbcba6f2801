"""What services say is wrong, in the words of several of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.remote.http import HttpReply
from actors.remote.openai.service_errors import ServiceError, service_error


def error(status: int, body: Any, **headers: str) -> ServiceError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = service_error(HttpReply(status=status, headers=headers, body=data), 0.0)
    assert found is not None
    return found


def of(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}}


@pytest.mark.parametrize(
    ("status", "body", "cause", "detail"),
    [
        (429, of("quota", code="insufficient_quota"), "auth", "it answered 429, `insufficient_quota`"),
        (429, of("slow down", code="rate_limit_exceeded"), "rate-limited", "rate_limit_exceeded"),
        (404, of("no such model", code="model_not_found"), "bad-reply", "model_not_found"),
        (400, of("no such model", code="model_not_found"), "bad-reply", "model_not_found"),
        (400, of("too long", code="context_length_exceeded"), "bad-request", "context_length_exceeded"),
        (400, of("x", code="content_filter"), "bad-request", "content_filter"),
        (401, of("bad key sk-1", code="invalid_api_key"), "auth", "invalid_api_key"),
        (400, of("whatever"), "bad-request", "it answered 400, `invalid_request_error`"),
        (400, of("x", code="has blanks and\nmore", type=3), "bad-request", "it answered 400"),
        (500, b"<html>", "server-error", "it answered 500"),
        (500, b"[" * 100_000, "server-error", "it answered 500"),
        (503, {"error": "overloaded"}, "overloaded", "it answered 503"),
        (529, b"", "overloaded", "it answered 529"),
    ],
)
def test_causes(status: int, body: Any, cause: str, detail: str):
    found = error(status, body)
    assert (found.failure.cause, found.refused) == (cause, None)
    assert detail in found.failure.detail
    assert "sk-1" not in str(found.failure)


def test_what_it_asks_for_is_kept():
    assert error(429, of("x"), **{"retry-after": "7"}).failure.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("status", "body", "refused", "only_this_schema"),
    [
        # OpenAI
        (400, of("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
                 param="response_format"), "response_format", False),
        (400, of("Invalid schema for response_format 'answer': 'prefixItems' is not permitted.",
                 param="response_format"), "response_format", True),
        (400, of("Unsupported parameter: 'max_tokens' is not supported with this model. "
                 "Use 'max_completion_tokens' instead.", param="max_tokens"), "max_tokens", False),
        (400, of("Unknown parameter: 'response_format.schema'."), "response_format", False),
        # FastAPI
        (422, {"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be 'text'"}]},
         "response_format", False),
        (422, {"detail": [{"loc": ["body", "messages"], "msg": "x", "input": "response_format"}]}, None, False),
        # llama.cpp's own server in Python
        (500, of("[{'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text'\"}]"),
         "response_format", False),
        (400, of("stream_options is not allowed", param="stream_options"), "stream_options", False),
        # others
        (400, {"error": "json_schema is not supported"}, "response_format", False),
        (400, {"message": "guided decoding: grammar error"}, "response_format", False),
        (503, of("response_format"), None, False),
        (401, of("response_format"), None, False),
    ],
)  # fmt: skip
def test_fields_that_are_refused(status: int, body: Any, refused: str | None, only_this_schema: bool):
    found = error(status, body)
    assert (found.refused, found.only_this_schema) == (refused, only_this_schema)


@pytest.mark.parametrize("status", [200, 201, 299])
def test_a_success_is_no_error(status: int):
    assert service_error(HttpReply(status=status, headers={}, body=b""), 0.0) is None
