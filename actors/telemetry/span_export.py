"""Where spans go: from the words of `RTFS_TRACES` to an exporter of OpenTelemetry, and a provider for it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
    SpanExportResult,
)

from actors.telemetry.tracing import OFF, VARIABLE
from rtfs.spell import nearest

#: seconds until spans that have ended leave the process
EXPORT_S: Final = 1.0

_KINDS: Final = ("console", "file", "otlp", OFF)


class TracingError(ValueError):
    """A setting for traces that cannot be followed."""


def provider_for(exporter: SpanExporter, process: str = "") -> TracerProvider:
    """A provider whose spans go to `exporter` in batches, from a thread of its own."""
    about: dict[str, str | int] = {"service.name": "rtfs", "process.pid": os.getpid()}
    if process:
        about["rtfs.process"] = process
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_S * 1000))
    return provider


def exporter_for(setting: str) -> SpanExporter:
    """What a value of `RTFS_TRACES` that asks for traces means.

    Raises:
        TracingError: a kind that does not exist, a file that cannot be written to, or a missing exporter.
    """
    kind, _, path = setting.partition(":")
    if setting == "console":
        return ConsoleSpanExporter(out=sys.stderr, formatter=_line)
    if setting == "otlp":
        return _otlp()
    if kind == "file" and path:
        return LineExporter(path)
    if kind == "file":
        raise TracingError(f"`{VARIABLE}={setting}` names no file; write `{VARIABLE}=file:PATH`")
    near = nearest(kind, _KINDS)
    advice = f"did you mean `{near}`?" if near else "it is console, file:PATH, otlp or off"
    raise TracingError(f"`{VARIABLE}={setting}` is no way to keep traces; {advice}")


def _otlp() -> SpanExporter:
    for protocol in ("http", "grpc"):
        name = f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter"
        try:
            module = import_module(name)
        except ImportError:
            continue
        exporter: SpanExporter = module.OTLPSpanExporter()
        return exporter
    raise TracingError(
        f"`{VARIABLE}=otlp` needs an exporter, and none is installed; "
        "install `opentelemetry-exporter-otlp-proto-http`, or write to a file: `file:PATH`"
    )


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"


class LineExporter(SpanExporter):
    """A line of JSON for each span, at the end of a file. Each batch is one write, so processes may share it.

    Raises:
        TracingError: the file cannot be written to.
    """

    def __init__(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._file: int | None = os.open(path, flags, 0o600)
        except OSError as error:
            raise TracingError(f"traces cannot be written to `{path}`: {error.strerror}") from error
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them."""
        data = "".join(map(_line, spans)).encode("utf-8", "backslashreplace")
        with self._lock:
            if self._file is None:
                return SpanExportResult.FAILURE
            os.write(self._file, data)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                os.close(file)
