"""Answers that are no success: problem details (RFC 9457), and which of them stands for what went wrong.

    {"type": "/docs#program-error", "title": "the program ended in an error", "status": 422,
     "detail": "Division by zero", "instance": "/v1/evaluate#5f2c…", "code": "program-error",
     "request_id": "5f2c…", "error": {"category": "DivisionByZero", "line": 1, …}}

`PROBLEMS` is the table of all of them. A program that exceeds one of its limits is a 422 like any other program
that fails, for the deadline too: 408 and 504 tell proxies and clients to try again, which would not help.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from actors.remote.data_text import write_value
from actors.service import BusyError, ConflictError, NotFoundError
from rtfs.error_json import describe
from rtfs.errors import (
    ApplicationError,
    InternalError,
    InvalidProgram,
    LimitError,
    ReadError,
    RtfsError,
    SecurityViolation,
)

CONTENT_TYPE: Final = "application/problem+json"

#: code → status, title
PROBLEMS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "bad-json": (400, "the body is no JSON that can be used"),
        "bad-request": (400, "the request cannot be understood"),
        "unreadable-program": (400, "the source is not RTFS"),
        "unauthenticated": (401, "no valid bearer token was given"),
        "forbidden": (403, "the caller may not do this"),
        "security-violation": (403, "the program may not do this"),
        "not-found": (404, "there is no such thing"),
        "method-not-allowed": (405, "the path has no such method"),
        "body-timeout": (408, "the body did not come in time"),
        "conflict": (409, "the thing is not in a state for this"),
        "precondition-failed": (412, "the policy has changed in between"),
        "too-large": (413, "the body is too large"),
        "unsupported-media-type": (415, "the body is of a type that is not taken here"),
        "invalid-fields": (422, "a field is wrong"),
        "invalid-program": (422, "the source is no program"),
        "program-error": (422, "the program ended in an error"),
        "limit-exceeded": (422, "the program exceeded one of its limits"),
        "cancelled": (422, "the run was cancelled"),
        "answer-too-large": (422, "the program's value is too large for an answer"),
        "invalid-policy": (422, "the policy cannot be used"),
        "internal-error": (500, "our fault"),
        "busy": (503, "there is no room at the moment"),
    }
)


class Problem(Exception):
    """Ends a request with problem details.

    Args:
        code: one of `PROBLEMS`.
        detail: what is wrong here, and what to do.
        error: the RTFS error behind it.
        headers: of the answer.
        more: further members.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        error: RtfsError | None = None,
        headers: Iterable[tuple[str, str]] = (),
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.error = error
        self.headers = tuple(headers)
        self.more = more or {}

    @property
    def status(self) -> int:
        """The status of the answer."""
        return PROBLEMS[self.code][0]

    def body(self, instance: str, request_id: str) -> bytes:
        """The answer's body."""
        status, title = PROBLEMS[self.code]
        document = {
            "type": f"/docs#{self.code}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "instance": f"{instance}#{request_id}",
            "code": self.code,
            "request_id": request_id,
            **self.more,
        }
        if self.error is not None:
            document["error"] = error_json(self.error)
        return json.dumps(document, allow_nan=False).encode()


def error_json(error: RtfsError) -> dict[str, Any]:
    """An error as JSON data; of what was thrown also the value, as RTFS text where there is one."""
    described = describe(error)
    if isinstance(error, ApplicationError):
        for name in ("data", "value"):
            try:
                described[name] = write_value(getattr(error, name))
            except RtfsError:  # a function in it, say: its text would not read back
                described[name] = None
    return described


@dataclass(frozen=True, slots=True)
class _Told:
    """How an exception is told."""

    kind: type[BaseException]
    code: str


#: the first that fits
_BY_EXCEPTION: Final = (
    _Told(ReadError, "unreadable-program"),
    _Told(SecurityViolation, "security-violation"),
    _Told(LimitError, "limit-exceeded"),
    _Told(InvalidProgram, "invalid-program"),
    _Told(InternalError, "internal-error"),
    _Told(RtfsError, "program-error"),
    _Told(NotFoundError, "not-found"),
    _Told(ConflictError, "conflict"),
    _Told(BusyError, "busy"),
)


def problem_of(error: BaseException) -> Problem | None:
    """The problem that tells of `error`; None if it is our fault."""
    if isinstance(error, Problem):
        return error
    code = next((told.code for told in _BY_EXCEPTION if isinstance(error, told.kind)), None)
    if code is None:
        return None
    if not isinstance(error, RtfsError):
        return Problem(code, str(error), headers=_retry(error))
    dimension = getattr(error, "dimension", "depth") if isinstance(error, LimitError) else None
    if dimension == "cancelled":
        code = "cancelled"
    more = {"limit": dimension} if dimension is not None and code == "limit-exceeded" else None
    return Problem(code, error.text(), error=error, more=more)


def _retry(error: BaseException) -> tuple[tuple[str, str], ...]:
    if isinstance(error, BusyError):
        return (("retry-after", str(max(1, round(error.retry_after_s)))),)
    return ()
