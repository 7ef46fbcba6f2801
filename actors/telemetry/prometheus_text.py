"""Readings as text that Prometheus reads.

    # HELP delegation_calls_total Delegated calls, by who answered at last.
    # TYPE delegation_calls_total counter
    delegation_calls_total{target="remote-a",result="answered"} 12

Text format 0.0.4 of Prometheus: in help texts backslashes and line feeds are escaped, in values of labels
quotes too. Buckets of a histogram are added up from the smallest on, and `+Inf` is all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate, groupby
from typing import Final

from actors.telemetry.aggregates import Histogram, Reading

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def render(readings: Iterable[Reading]) -> str:
    """The text. Series of one instrument must stand together, as `read` and `merge` give them."""
    lines: list[str] = []
    for instrument, group in groupby(readings, key=lambda each: each.instrument):
        lines.append(f"# HELP {instrument.name} {_help(instrument.help)}")
        lines.append(f"# TYPE {instrument.name} {instrument.kind}")
        for reading in group:
            lines += _samples(reading)
    return "".join(f"{line}\n" for line in lines)


def _samples(reading: Reading) -> Iterator[str]:
    name, value = reading.instrument.name, reading.value
    labels = list(zip(reading.instrument.labels, reading.labels, strict=True))
    if not isinstance(value, Histogram):
        yield f"{name}{_labels(labels)} {_number(value)}"
        return
    bounds = (*reading.instrument.boundaries, math.inf)
    for bound, below in zip(bounds, accumulate(value.counts), strict=True):
        yield f"{name}_bucket{_labels([*labels, ('le', _number(bound))])} {below}"
    yield f"{name}_sum{_labels(labels)} {_number(value.total)}"
    yield f"{name}_count{_labels(labels)} {sum(value.counts)}"


def _labels(labels: list[tuple[str, str]]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_value(value)}"' for name, value in labels) + "}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _value(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # a lone half of a pair has no place in UTF-8
    return _help(text).replace('"', r"\"")
