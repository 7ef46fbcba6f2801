"""Logs of the `rtfs` family of loggers: one line a record, on standard error.

    2026-01-02T03:04:05.678Z warning rtfs.models: the queue is full run=run-1 tenant=acme span=00f067aa0ba902b7

    RTFS_LOG=json             a JSON object a line instead
    RTFS_LOG_LEVEL=debug      debug, info (the default), warning or error

Each line carries what `log_context` knows and the current span. Further fields come with the record:
`log.info("a batch", extra={"fields": {"model": "tiny", "size": 8}})`. Line ends and other characters that steer
are escaped, tracebacks included, so that no text can pass for another line. Secrets are masked in all that a
line is made of.

Importing this sets nothing up; `configure` does, once per process, at the edge.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, TextIO

from actors.telemetry.log_context import log_context
from actors.telemetry.masking import Masker
from actors.telemetry.tracing import current_span_id
from rtfs.spell import nearest

FAMILY: Final = "rtfs"
FORMAT_VARIABLE: Final = "RTFS_LOG"
LEVEL_VARIABLE: Final = "RTFS_LOG_LEVEL"

_FORMATS: Final = ("text", "json")
_LEVELS: Final = ("debug", "info", "warning", "error")
#: characters of a message or a traceback that are written
_LONGEST: Final = 16_384


class LogSettingError(ValueError):
    """A setting for logs that cannot be followed."""


def configure(
    environ: Mapping[str, str], *, secret_names: Iterable[str] = (), stream: TextIO | None = None
) -> logging.Handler:
    """Set the `rtfs` family up as the environment asks. Called again, it takes the place of before.

    Args:
        environ: the environment; nothing of ours is read later.
        secret_names: variables that hold secrets, beyond those whose names say so.
        stream: where lines go; None: standard error.

    Raises:
        LogSettingError: a format or a level that does not exist; logs stay as they were.
    """
    form = _one_of(environ, FORMAT_VARIABLE, _FORMATS, "text")
    level = _one_of(environ, LEVEL_VARIABLE, _LEVELS, "info")
    handler = FamilyHandler(stream if stream is not None else sys.stderr)
    masker = Masker.from_environ(environ, secret_names)
    handler.setFormatter(JsonFormatter(masker) if form == "json" else TextFormatter(masker))
    family = logging.getLogger(FAMILY)
    for old in [each for each in family.handlers if isinstance(each, FamilyHandler)]:
        family.removeHandler(old)
    family.addHandler(handler)
    family.setLevel(level.upper())
    family.propagate = False
    return handler


def _one_of(environ: Mapping[str, str], variable: str, known: tuple[str, ...], default: str) -> str:
    value = environ.get(variable, "").strip().lower() or default
    if value not in known:
        near = nearest(value, known)
        advice = f"did you mean `{near}`?" if near else f"it is {', '.join(known)}"
        raise LogSettingError(f"`{variable}` cannot be `{value}`; {advice}")
    return value


class FamilyHandler(logging.StreamHandler[TextIO]):
    """The handler that `configure` adds, told from those of others."""


class _Formatter(logging.Formatter):
    """What both forms share: what there is to say, masked."""

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self._masker = masker

    def _told(self, record: logging.LogRecord) -> dict[str, Any]:
        """The fields of a line beyond time, level and logger, in order."""
        told: dict[str, Any] = {"message": self._text(record.getMessage())}
        context = log_context.get().as_fields()
        told.update({name: self._text(value) for name, value in context.items()})
        span = current_span_id()
        if span is not None:
            told["span"] = span
        for name, value in getattr(record, "fields", {}).items():
            told.setdefault(name, value if _is_number(value) else self._text(str(value)))
        if record.exc_info:
            told["exception"] = self._text(self.formatException(record.exc_info))
        return told

    def _text(self, text: str) -> str:
        masked = self._masker(text)
        return masked if len(masked) <= _LONGEST else masked[:_LONGEST] + "…"


class TextFormatter(_Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = self._told(record)
        message = _line(told.pop("message"))
        fields = "".join(f" {_line(name)}={_quoted(str(value))}" for name, value in told.items())
        return f"{_when(record)} {record.levelname.lower()} {record.name}: {message}{fields}"


class JsonFormatter(_Formatter):
    """A line for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        head = {"at": _when(record), "level": record.levelname.lower(), "logger": record.name}
        return json.dumps({**self._told(record), **head}, default=str)


def _is_number(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and isfinite(value))


def _when(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _line(text: str) -> str:
    """The text without anything that ends a line or steers a terminal."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _quoted(text: str) -> str:
    """A value as it is, or as JSON where one could not see where it ends."""
    if text and text.isprintable() and not any(char in text for char in ' "='):
        return text
    return json.dumps(text)
