"""Measurements on their way to Ray, which gives them to Prometheus under the same names with `ray_` in front.

    every delegated call ── count, record ──▶ aggregates ── each second, one thread ──▶ ray.util.metrics

An instrument of Ray takes 3 to 5 µs a measurement, and a delegated call makes several. Aggregates take about
one, and the process's own `/metrics` reads them as well, so Ray is told from a thread: of counters the growth,
of gauges the value, of histograms each value, since that is all that it takes. A thread that measures more than
`MOST_PENDING` values of a histogram between two flushes hands them on itself: it slows down; nothing is lost
and memory stays bounded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Protocol, Self

from actors.telemetry.aggregates import Aggregates, Series
from actors.telemetry.instruments import INSTRUMENTS, Instrument
from actors.telemetry.tracing import Tracing
from policies.running.observe import Attribute, Span

#: seconds between two flushes
FLUSH_S: Final = 1.0

_log = logging.getLogger("rtfs.telemetry")


class Sink(Protocol):
    """Where measurements go in the end."""

    def tell(self, instrument: Instrument, labels: Mapping[str, str], value: float) -> None:
        """The growth of a counter, the value of a gauge, or one value of a histogram."""


class RaySink:
    """Instruments of `ray.util.metrics`, made when first told of."""

    def __init__(self) -> None:
        self._tells: dict[str, Callable[[float, dict[str, str]], None]] = {}

    def tell(self, instrument: Instrument, labels: Mapping[str, str], value: float) -> None:
        """See `Sink`."""
        tell = self._tells.get(instrument.name)
        if tell is None:
            tell = self._tells[instrument.name] = _of_ray(instrument)
        tell(value, dict(labels))


def _of_ray(instrument: Instrument) -> Callable[[float, dict[str, str]], None]:
    from ray.util import metrics

    name, text, labels = instrument.name, instrument.help, instrument.labels
    made: Any
    if instrument.kind == "counter":
        made = metrics.Counter(name, description=text, tag_keys=labels)
        tell = made.inc
    elif instrument.kind == "gauge":
        made = metrics.Gauge(name, description=text, tag_keys=labels)
        tell = made.set
    else:
        made = metrics.Histogram(
            name, description=text, boundaries=list(instrument.boundaries), tag_keys=labels
        )
        tell = made.observe
    return tell  # type: ignore[no-any-return]


class RayMeter(Aggregates):
    """The `Meter` of a process under Ray. `start` and `close` it, or use it as a context manager."""

    def __init__(
        self,
        tracing: Tracing | None = None,
        *,
        sink: Sink | None = None,
        instruments: Iterable[Instrument] = INSTRUMENTS.values(),
        flush_s: float = FLUSH_S,
    ) -> None:
        super().__init__(instruments)
        self.tracing = tracing or Tracing.off()
        self._sink = sink or RaySink()
        self._flush_s = flush_s
        #: what Ray was told of a counter so far
        self._told: dict[Series, float] = {}
        self._gathered: list[Callable[[], None]] = []
        self._flushing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtfs-meter", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to tell Ray. Once."""
        self._thread.start()

    def gather(self, publish: Callable[[], None]) -> None:
        """Have `publish` called on the meter's thread before each flush, to measure what it counted."""
        self._gathered.append(publish)

    def close(self) -> None:
        """Tell the rest and stop. Safe to call twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def span(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """A span around a block; seen by nobody unless traces are on."""
        return self.tracing.span(name, attributes)

    def flush(self) -> None:
        """Tell Ray what it does not know yet."""
        with self._flushing:
            with self._lock:
                news = [(series, self._news(series)) for series in self._series.values()]
            for series, values in news:
                labels = dict(zip(series.instrument.labels, series.labels, strict=True))
                for value in values:
                    self._sink.tell(series.instrument, labels, value)
                    if series.instrument.kind == "counter":
                        self._told[series] = self._told.get(series, 0) + value

    def _news(self, series: Series) -> list[float]:
        """What to tell of a series. Under the lock."""
        if series.pending is not None:
            values, series.pending = series.pending, []
            return values
        if series.instrument.kind == "gauge":
            return [series.value]
        growth = series.value - self._told.get(series, 0)
        return [growth] if growth > 0 else []

    def _new_series(self, instrument: Instrument, labels: tuple[str, ...]) -> Series:
        series = super()._new_series(instrument, labels)
        if instrument.kind == "histogram":
            series.pending = []
        return series

    def _run(self) -> None:
        while not self._stop.wait(self._flush_s):
            try:
                for publish in self._gathered:
                    publish()
                self.flush()
            except Exception:  # Ray may be on its way down; measuring goes on, for whoever reads `/metrics`
                _log.exception("measurements could not be handed on")
