"""What a service says is wrong, from a reply that is no success.

    {"error": {"message": "…", "type": "invalid_request_error", "param": "response_format", "code": null}}
    {"detail": [{"loc": ["body", "response_format", "type"], "msg": "…"}]}

The message is searched for names of fields and never passed on, since it may repeat the request. What is passed
on is its code, a word.

A service may refuse a field of the request because it does not know it. That is no failure of the call: it is
asked again without it (`refused_field`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from actors.remote.faults import fault_of_status
from actors.remote.http import HttpReply
from policies.errors import TargetFailed
from policies.running.health import Cause

#: fields that a request can do without, or name otherwise
type Field = Literal["response_format", "stream_options", "max_tokens"]

#: what the code of an error says more surely than the status
_BY_CODE: Final[Mapping[str, Cause]] = {
    "insufficient_quota": "auth",  # a 429 that does not pass by waiting
    "billing_hard_limit_reached": "auth",
    "billing_not_active": "auth",
    "invalid_api_key": "auth",
    "model_not_found": "bad-reply",  # as an address that is not that of the service
    "context_length_exceeded": "bad-request",
    "content_filter": "bad-request",
    "content_policy_violation": "bad-request",
    "rate_limit_exceeded": "rate-limited",
}
#: words by which messages and places name a field; `json_schema` and `grammar` are values in it
_WORDS: Final[Mapping[Field, re.Pattern[str]]] = {
    "stream_options": re.compile(r"stream_options"),
    "response_format": re.compile(r"response_format|json_schema|json_object|grammar"),
    "max_tokens": re.compile(r"max_completion_tokens"),
}
#: a message that refuses this one schema, not all of them
_THIS_SCHEMA: Final = re.compile(
    r"invalid (json )?schema|schema is (invalid|not valid)|(schema|keyword)s? .{0,40} not permitted"
)
#: statuses by which fields are refused; llama.cpp's own server says 500 of a request that it cannot read
_REFUSALS: Final = frozenset((400, 404, 415, 422, 500, 501))
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")
#: how much of an error is looked at, characters
_MOST: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceError:
    """A reply that is no success."""

    failure: TargetFailed
    #: the field of the request that is refused
    refused: Field | None = None
    #: of a refused `response_format`: this schema is, others may not be
    only_this_schema: bool = False


def service_error(reply: HttpReply, now: float) -> ServiceError | None:
    """What is wrong, None of a success.

    Args:
        now: seconds since the epoch.
    """
    fault = fault_of_status(reply.status, reply.headers, now)
    if fault is None:
        return None
    found = _error(reply)
    code = _code(found)
    cause = _BY_CODE.get(code or "", fault.cause)
    detail = f"{fault.detail}, `{code}`" if code else fault.detail
    failure = TargetFailed(cause, detail, retry_after_s=fault.retry_after_s)
    text = " ".join(_texts(found)).lower()[:_MOST] if reply.status in _REFUSALS else ""
    refused = next((name for name, words in _WORDS.items() if words.search(text)), None)
    return ServiceError(
        failure=failure,
        refused=refused,
        only_this_schema=refused == "response_format" and _THIS_SCHEMA.search(text) is not None,
    )


def _error(reply: HttpReply) -> Any:
    """What stands in the reply about the error."""
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, dict):
        return found.get("error") or found.get("detail") or found.get("message")
    return None


def _code(error: Any) -> str | None:
    """Its code, else its kind, if that is a word."""
    if not isinstance(error, dict):
        return None
    for key in ("code", "type"):
        code = error.get(key)
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return None


def _texts(found: Any, depth: int = 0) -> Iterator[str]:
    """All texts in an error, keys left out. What was sent and is repeated (`input`) is none of them."""
    if isinstance(found, str):
        yield found
    elif depth < 6 and isinstance(found, dict):
        for key, value in found.items():
            if key not in ("input", "ctx", "body"):
                yield from _texts(value, depth + 1)
    elif depth < 6 and isinstance(found, list):
        for value in found:
            yield from _texts(value, depth + 1)
