"""Measurements added up in memory: cheap to add to, and read as a whole.

A measurement costs two look-ups and an addition under a lock. Its series is found by the name and the labels as
they were given, so that nothing is sorted or checked for a series that is known.

Measuring never breaks what it measures: a name or labels that the table of instruments does not have are
logged, once each, and dropped. Of one instrument at most `MOST_SERIES` series are kept; all further labels are
counted under `other`, since a label whose values have no end would fill the memory here and of whoever collects
this.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from actors.telemetry.instruments import INSTRUMENTS, Instrument, Kind

#: values of one histogram that may wait for being taken
MOST_PENDING: Final = 10_000
#: series of one instrument
MOST_SERIES: Final = 500
#: the value of each label of the series that takes what is beyond `MOST_SERIES`
OTHER: Final = "other"
#: different mistakes that are logged
_MOST_COMPLAINTS: Final = 100

_log = logging.getLogger("rtfs.telemetry")


class Histogram(NamedTuple):
    """What is known of the values of a series."""

    #: by bucket, one more than the instrument has boundaries; not added up
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One series as it stood."""

    instrument: Instrument
    #: in the order of the instrument's labels
    labels: tuple[str, ...]
    value: float | Histogram


class Series:
    """One series. Its values change under the lock of its aggregates."""

    __slots__ = ("counts", "instrument", "labels", "pending", "value")

    def __init__(self, instrument: Instrument, labels: tuple[str, ...]) -> None:
        self.instrument = instrument
        self.labels = labels
        #: sum of a counter or a histogram, latest of a gauge
        self.value: float = 0
        self.counts = [0] * (len(instrument.boundaries) + 1)
        #: values of a histogram that nobody has taken yet; None: nobody takes any
        self.pending: list[float] | None = None


class Aggregates:
    """Counters, gauges and histograms of one process. For any number of threads."""

    def __init__(self, instruments: Iterable[Instrument] = INSTRUMENTS.values()) -> None:
        self._instruments = {each.name: each for each in instruments}
        self._lock = threading.Lock()
        #: by the name and the labels as given
        self._found: dict[tuple[str, Kind, tuple[tuple[str, str], ...]], Series | None] = {}
        #: by the name and the labels in the instrument's order
        self._series: dict[tuple[str, tuple[str, ...]], Series] = {}
        self._per_name: dict[str, int] = {}
        self._complaints: set[str] = set()

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Add to a counter."""
        series = self._of(name, "counter", labels)
        if series is not None:
            with self._lock:
                series.value += amount

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        series = self._of(name, "gauge", labels)
        if series is not None:
            series.value = value

    def record(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add to a histogram."""
        series = self._of(name, "histogram", labels)
        if series is not None:
            with self._lock:
                series.counts[bisect_left(series.instrument.boundaries, value)] += 1
                series.value += value
                pending = series.pending
                if pending is None:
                    return
                pending.append(value)
                is_full = len(pending) >= MOST_PENDING
            if is_full:
                self.flush()

    def flush(self) -> None:
        """Take the pending values of histograms. Here nobody collects any."""

    def read(self) -> list[Reading]:
        """All series as they stand, by instrument in the order of the table, then by labels."""
        order = {name: n for n, name in enumerate(self._instruments)}
        with self._lock:
            readings = [_reading(series) for series in self._series.values()]
        return sorted(readings, key=lambda each: (order[each.instrument.name], each.labels))

    # ------------------------------------------------------------ series

    def _of(self, name: str, kind: Kind, labels: Mapping[str, str]) -> Series | None:
        key = (name, kind, tuple(labels.items()))
        try:
            return self._found[key]
        except KeyError:
            return self._first(key, labels)

    def _first(
        self, key: tuple[str, Kind, tuple[tuple[str, str], ...]], labels: Mapping[str, str]
    ) -> Series | None:
        name, kind, _ = key
        mistake = self._mistake(name, kind, labels)
        if mistake:
            self._complain(mistake)
            return None
        with self._lock:
            values = tuple(str(labels[label]) for label in self._instruments[name].labels)
            series = self._series.get((name, values))
            if series is None:
                if self._per_name.get(name, 0) >= MOST_SERIES:
                    return self._make(name, (OTHER,) * len(values))  # not noted: there is no end of such labels
                series = self._make(name, values)
            self._found[key] = series
            return series

    def _make(self, name: str, values: tuple[str, ...]) -> Series:
        series = self._series.get((name, values))
        if series is None:
            series = self._series[name, values] = self._new_series(self._instruments[name], values)
            self._per_name[name] = self._per_name.get(name, 0) + 1
        return series

    def _new_series(self, instrument: Instrument, labels: tuple[str, ...]) -> Series:
        return Series(instrument, labels)

    def _mistake(self, name: str, kind: Kind, labels: Mapping[str, str]) -> str | None:
        instrument = self._instruments.get(name)
        if instrument is None:
            return f"no instrument `{name}`"
        if instrument.kind != kind:
            return f"`{name}` is a {instrument.kind}, not a {kind}"
        if set(labels) != set(instrument.labels):
            wanted, got = ", ".join(instrument.labels), ", ".join(sorted(labels))
            return f"labels of `{name}` are {wanted or 'none'}, got {got or 'none'}"
        return None

    def _complain(self, mistake: str) -> None:
        with self._lock:
            if mistake in self._complaints or len(self._complaints) >= _MOST_COMPLAINTS:
                return
            self._complaints.add(mistake)
        _log.error("a measurement was dropped: %s", mistake)


def _reading(series: Series) -> Reading:
    value: float | Histogram = series.value
    if series.instrument.kind == "histogram":
        value = Histogram(tuple(series.counts), series.value)
    return Reading(instrument=series.instrument, labels=series.labels, value=value)


def merge(by_process: Mapping[str, Iterable[Reading]]) -> list[Reading]:
    """Readings of several processes as one.

    Counters and histograms are added up. Gauges cannot be, a rate of hits for example, so they stay apart by a
    further label, `process`.
    """
    merged: dict[tuple[str, tuple[str, ...]], Reading] = {}
    for process, readings in sorted(by_process.items()):
        for reading in readings:
            if reading.instrument.kind == "gauge":
                reading = _of_process(reading, process)
            key = (reading.instrument.name, reading.labels)
            merged[key] = _sum(merged[key], reading) if key in merged else reading
    return sorted(merged.values(), key=lambda each: (each.instrument.name, each.labels))


def _of_process(reading: Reading, process: str) -> Reading:
    gauge = reading.instrument
    apart = Instrument(name=gauge.name, kind="gauge", labels=(*gauge.labels, "process"), help=gauge.help)
    return Reading(instrument=apart, labels=(*reading.labels, process), value=reading.value)


def _sum(one: Reading, other: Reading) -> Reading:
    value: float | Histogram
    if isinstance(one.value, Histogram) and isinstance(other.value, Histogram):
        counts = tuple(a + b for a, b in zip(one.value.counts, other.value.counts, strict=True))
        value = Histogram(counts, one.value.total + other.value.total)
    else:
        assert not isinstance(one.value, Histogram)
        assert not isinstance(other.value, Histogram)
        value = one.value + other.value
    return Reading(instrument=one.instrument, labels=one.labels, value=value)
