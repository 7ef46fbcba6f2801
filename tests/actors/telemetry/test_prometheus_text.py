"""The text that Prometheus reads, read by the parser of its own client."""

from __future__ import annotations

import math
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from actors.telemetry.aggregates import Aggregates, merge
from actors.telemetry.instruments import INSTRUMENTS, Instrument
from actors.telemetry.prometheus_text import render

TRICKY = 'back\\slash "quoted"\nline ü \\n'
ODD = Instrument(name="odd", kind="gauge", labels=("what", "else"), help='Back\\slash "and"\nline.')
TIME = Instrument(name="time_ms", kind="histogram", labels=("target",), help="Time.", boundaries=(0.5, 10.0))


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def test_the_exact_text() -> None:
    found = Aggregates([TIME, ODD])
    for time_ms in (0.25, 4.0, 5.0, 100.0):
        found.record("time_ms", {"target": "remote-a"}, time_ms)
    found.gauge("odd", {"what": "a", "else": ""}, 1.5)
    assert render(found.read()) == (
        "# HELP time_ms Time.\n"
        "# TYPE time_ms histogram\n"
        'time_ms_bucket{target="remote-a",le="0.5"} 1\n'
        'time_ms_bucket{target="remote-a",le="10.0"} 3\n'
        'time_ms_bucket{target="remote-a",le="+Inf"} 4\n'
        'time_ms_sum{target="remote-a"} 109.25\n'
        'time_ms_count{target="remote-a"} 4\n'
        '# HELP odd Back\\\\slash "and"\\nline.\n'
        "# TYPE odd gauge\n"
        'odd{what="a",else=""} 1.5\n'
    )


def test_values_of_labels_come_back_as_they_were() -> None:
    found = Aggregates([ODD])
    found.gauge("odd", {"what": TRICKY, "else": "x"}, math.inf)
    found.gauge("odd", {"what": "\ud800", "else": "x"}, math.nan)
    text = render(found.read())
    read = {labels["what"]: value for _, labels, value in samples(text)}
    assert read[TRICKY] == math.inf
    assert math.isnan(read["?"])
    assert next(iter(text_string_to_metric_families(text))).documentation == ODD.help


def test_every_instrument_can_be_told() -> None:
    found = Aggregates()
    for instrument in INSTRUMENTS.values():
        labels = dict.fromkeys(instrument.labels, "x")
        if instrument.kind == "counter":
            found.count(instrument.name, labels, 3)
        elif instrument.kind == "gauge":
            found.gauge(instrument.name, labels, 3)
        else:
            found.record(instrument.name, labels, 3)
    families = list(text_string_to_metric_families(render(found.read())))
    assert {family.name for family in families} == {name.removesuffix("_total") for name in INSTRUMENTS}
    assert all(family.documentation.endswith(".") for family in families)
    assert len(list(samples(render(merge({"a": found.read(), "b": found.read()}))))) > len(families)


def test_nothing_is_an_empty_text() -> None:
    assert render([]) == ""
