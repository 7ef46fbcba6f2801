"""Spans: one trace per run, through all the processes that it passes.

    RTFS_TRACES=console       each span as a line on standard error
    RTFS_TRACES=file:PATH     each span as a line of JSON at the end of a file, which processes may share
    RTFS_TRACES=otlp          to a collector; the OTEL_… variables say where
    RTFS_TRACES=              off, which is the default

Where a run goes to another process, its trace goes along as a `traceparent`, the text of W3C Trace Context: the
caller sends `current_traceparent()`, and the other side works inside `remote_parent(…)`. A process that has
traces off passes on what it was given.

Which span is the current one stands in a variable of the context. Parts of a program that overlap have copies
of it each, so the spans of each have the right parent.

A span says which function, decision and run it is about, and by which category of error it ended: never what
the error says, since that may quote values of a program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from opentelemetry import context, trace
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from actors.telemetry.log_context import log_context
from policies.running.observe import Attribute, Span
from rtfs.errors import RtfsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

VARIABLE: Final = "RTFS_TRACES"
OFF: Final = "off"
RUN_SPAN: Final = "run"

_HEADER: Final = "traceparent"
_propagator: Final = TraceContextTextMapPropagator()


class Tracing:
    """Where spans of this process go."""

    def __init__(self, provider: TracerProvider | None) -> None:
        """Spans through any provider of OpenTelemetry; None: off."""
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("rtfs")

    @classmethod
    def off(cls) -> Tracing:
        """Spans that nobody sees, at next to no cost."""
        return cls(None)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, process: str = "") -> Tracing:
        """What `RTFS_TRACES` asks for.

        Args:
            environ: the environment; nothing of ours is read later.
            process: what this process is, `evaluator` for example; spans carry it.

        Raises:
            TracingError: a kind that does not exist, a file that cannot be written to, or a missing exporter.
        """
        setting = environ.get(VARIABLE, "").strip()
        if setting in ("", OFF):
            return cls.off()
        from actors.telemetry.span_export import exporter_for, provider_for  # the SDK takes a while to load

        return cls(provider_for(exporter_for(setting), process))

    @property
    def is_on(self) -> bool:
        """Whether spans go anywhere."""
        return self._tracer is not None

    def span(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """A span around a block. Attributes that are added to it meanwhile count."""
        if self._tracer is None:
            return nullcontext(Span(name))
        return self._recorded(name, attributes)

    @contextmanager
    def _recorded(self, name: str, attributes: Mapping[str, Attribute]) -> Iterator[Span]:
        assert self._tracer is not None
        span = Span(name, {**log_context.get().as_attributes(), **attributes})
        with self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as recorded:
            try:
                yield span
            except BaseException as error:
                recorded.set_status(StatusCode.ERROR)
                recorded.set_attribute("error.type", _kind_of(error))
                raise
            finally:
                recorded.set_attributes(span.attributes)

    def flush(self) -> None:
        """Let the spans that have ended leave the process now."""
        if self._provider is not None:
            self._provider.force_flush()

    def close(self) -> None:
        """Flush, and let no more spans out. Safe to call twice."""
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is not None:
            provider.shutdown()


def current_traceparent() -> str | None:
    """The current span as a `traceparent`; None if there is none."""
    if not trace.get_current_span().get_span_context().is_valid:
        return None
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get(_HEADER)


def current_span_id() -> str | None:
    """The id of the current span, 16 hexadecimal digits; None if there is none."""
    found = trace.get_current_span().get_span_context()
    return trace.format_span_id(found.span_id) if found.is_valid else None


def remote_parent(traceparent: str | None) -> AbstractContextManager[None]:
    """Inside this block, spans belong to the trace of another process.

    A text that is no `traceparent` is as good as none, as W3C Trace Context asks: the trace begins here.
    """
    return nullcontext() if traceparent is None else _attached(traceparent)


@contextmanager
def _attached(traceparent: str) -> Iterator[None]:
    token = context.attach(_propagator.extract({_HEADER: traceparent}))
    try:
        yield
    finally:
        context.detach(token)


def _kind_of(error: BaseException) -> str:
    return error.category if isinstance(error, RtfsError) else type(error).__name__
