"""The dashboard: whole, every expression parses, and every metric and label in it is one that we have.

The parser reads the part of PromQL that dashboards use: numbers, arithmetic and comparison, selectors with
ranges, functions, aggregations.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from actors.telemetry.instruments import INSTRUMENTS

DASHBOARD = "cluster/manifests/grafana-dashboard.json"
#: Ray puts it before the names of metrics that are not its own
PREFIX = "ray_"
#: labels that Ray and our PodMonitor add to every metric
ADDED = {"ray_io_cluster", "NodeAddress", "SessionName", "WorkerId", "le"}
AGGREGATIONS = {"sum", "avg", "min", "max", "count"}
#: function → counts of arguments, and whether it wants a range
FUNCTIONS = {"rate": (1, True), "increase": (1, True), "histogram_quantile": (2, False)}
UNITS = {"ops", "reqps", "ms", "percentunit", "short", "currencyUSD"}

# ---------------------------------------------------------------- PromQL

TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(\.\d+)?)
    |(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<range>\[(?:\d+[smhd]|\$__rate_interval)\])
    |(?P<mark>==|!=|=~|!~|<=|>=|[-+*/%<>=(){},]))""",
    re.VERBOSE,
)


@dataclass
class Selector:
    metric: str
    labels: list[str]
    has_range: bool


@dataclass
class Parsed:
    selectors: list[Selector] = field(default_factory=list)
    #: labels of `by`, with the metrics that are aggregated
    by: list[tuple[list[str], list[Selector]]] = field(default_factory=list)


class Parser:
    def __init__(self, text: str) -> None:
        self.tokens = list(self._tokens(text))
        self.at = 0
        self.parsed = Parsed()

    @staticmethod
    def _tokens(text: str) -> Any:
        at = 0
        while at < len(text.rstrip()):
            match = TOKEN.match(text, at)
            if not match:
                raise ValueError(f"cannot read `{text[at:]}`")
            at = match.end()
            yield match.lastgroup, match[match.lastgroup or 0]

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "", kind: str = "") -> str:
        if self.at >= len(self.tokens):
            raise ValueError(f"ends where `{wanted or kind}` is wanted")
        found_kind, found = self.tokens[self.at]
        if (wanted and found != wanted) or (kind and found_kind != kind):
            raise ValueError(f"`{found}` where `{wanted or kind}` is wanted")
        self.at += 1
        return found

    def whole(self) -> Parsed:
        self.expression()
        if self.at != len(self.tokens):
            raise ValueError(f"`{self.peek()}` is left over")
        return self.parsed

    def expression(self) -> None:
        self.operand()
        while self.peek() in ("+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">="):
            self.take()
            self.operand()

    def operand(self) -> None:
        kind, token = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if token == "(":
            self.take("(")
            self.expression()
            self.take(")")
        elif kind == "number":
            self.take()
        elif token in AGGREGATIONS:
            self.aggregation()
        elif token in FUNCTIONS:
            self.function()
        else:
            self.selector()

    def names(self) -> list[str]:
        self.take("(")
        found = [self.take(kind="name")]
        while self.peek() == ",":
            self.take(",")
            found.append(self.take(kind="name"))
        self.take(")")
        return found

    def aggregation(self) -> None:
        self.take()
        labels = []
        if self.peek() == "by":
            self.take("by")
            labels = self.names()
        first = len(self.parsed.selectors)
        self.take("(")
        self.expression()
        self.take(")")
        self.parsed.by.append((labels, self.parsed.selectors[first:]))

    def function(self) -> None:
        name = self.take()
        count, wants_range = FUNCTIONS[name]
        first = len(self.parsed.selectors)
        self.take("(")
        self.expression()
        for _ in range(count - 1):
            self.take(",")
            self.expression()
        self.take(")")
        if wants_range and not all(each.has_range for each in self.parsed.selectors[first:]):
            raise ValueError(f"`{name}` wants a range")

    def selector(self) -> None:
        metric = self.take(kind="name")
        labels = []
        if self.peek() == "{":
            self.take("{")
            while self.peek() != "}":
                labels.append(self.take(kind="name"))
                if self.take() not in ("=", "!=", "=~", "!~"):
                    raise ValueError(f"no operator after `{labels[-1]}`")
                self.take(kind="text")
                if self.peek() != "}":
                    self.take(",")
            self.take("}")
        has_range = self.at < len(self.tokens) and self.tokens[self.at][0] == "range"
        if has_range:
            self.take()
        self.parsed.selectors.append(Selector(metric, labels, has_range))


@pytest.mark.parametrize(
    "text",
    [
        "sum(rate(a[5m])",
        "sum by (b (a)",
        "rate(a)",
        "a{b=c}",
        'a{b="c" d="e"}',
        "histogram_quantile(0.5)",
        "a b",
        "a +",
        "sum(a) !",
    ],
)
def test_the_parser_refuses_what_is_no_promql(text):
    with pytest.raises(ValueError, match=r"wanted|wants|left over|cannot read|operator"):
        Parser(text).whole()


# ---------------------------------------------------------------- the dashboard


@pytest.fixture
def dashboard(root) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / DASHBOARD).read_text(encoding="utf-8"))
    return found


@pytest.fixture
def panels(dashboard) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


@pytest.fixture
def expressions(panels) -> list[tuple[str, Parsed]]:
    texts = [target["expr"] for panel in panels for target in panel["targets"]]
    return [(text, Parser(text).whole()) for text in texts]


def known(metric: str) -> tuple[str, ...] | None:
    """The labels of a metric of ours, None if there is none of this name."""
    name = metric.removeprefix(PREFIX)
    if name == metric:
        return None
    for part in ("_bucket", "_sum", "_count"):
        histogram = INSTRUMENTS.get(name.removesuffix(part))
        if name.endswith(part) and histogram is not None and histogram.kind == "histogram":
            return histogram.labels
    found = INSTRUMENTS.get(name)
    return found.labels if found is not None and found.kind != "histogram" else None


def test_every_panel_is_whole(panels):
    assert panels
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["targets"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard):
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells


def test_variables_that_are_used_are_defined(dashboard):
    defined = {variable["name"] for variable in dashboard["templating"]["list"]}
    text = json.dumps(dashboard["panels"])
    used = {a or b for a, b in re.findall(r"\$(?:\{(\w+)\}|(\w+))", text)} - {"__rate_interval"}
    assert used == defined


def test_a_laptop_without_the_label_of_the_cluster_is_seen_too(dashboard):
    (cluster,) = [each for each in dashboard["templating"]["list"] if each["name"] == "cluster"]
    assert cluster["allValue"] == ".*"
    assert cluster["current"]["value"] == "$__all"


def test_every_metric_is_one_that_we_have(expressions, dashboard):
    for text, parsed in expressions:
        assert parsed.selectors, text
        for selector in parsed.selectors:
            assert known(selector.metric) is not None, f"{selector.metric} in {text}"
    (cluster,) = [each for each in dashboard["templating"]["list"] if each["name"] == "cluster"]
    (metric,) = re.findall(r"label_values\((\w+), ray_io_cluster\)", cluster["query"])
    assert known(metric) is not None


def test_every_label_is_one_that_the_metric_has(expressions):
    for text, parsed in expressions:
        for selector in parsed.selectors:
            assert set(selector.labels) <= {*(known(selector.metric) or ()), *ADDED}, text
        for labels, selectors in parsed.by:
            for selector in selectors:
                assert set(labels) <= {*(known(selector.metric) or ()), *ADDED}, text


def test_counters_are_shown_as_rates_and_gauges_are_not(expressions):
    for text, parsed in expressions:
        for selector in parsed.selectors:
            name = selector.metric.removeprefix(PREFIX)
            is_gauge = name in INSTRUMENTS and INSTRUMENTS[name].kind == "gauge"
            assert selector.has_range != is_gauge, text


def test_every_metric_is_shown(expressions):
    shown = {selector.metric.removeprefix(PREFIX) for _, parsed in expressions for selector in parsed.selectors}
    of_histograms = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert INSTRUMENTS.keys() - shown - of_histograms == set()


def test_legends_name_labels_that_remain(panels):
    for panel in panels:
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            outermost = re.search(r"(?:sum|avg) by \(([^)]*)\)", target["expr"])
            kept = {label.strip() for label in outermost[1].split(",")} if outermost else set()
            assert named <= kept, panel["title"]
            assert kept - {"le"} <= named, panel["title"]


def test_the_expressions_of_the_guide_are_as_good(root):
    page = (root / "docs/running.md").read_text(encoding="utf-8")
    texts = re.findall(r"^\| `([^`]*\(ray_[^`]*)` \|", page, re.MULTILINE)
    assert len(texts) >= 3
    for text in texts:
        for selector in Parser(text).whole().selectors:
            labels = known(selector.metric)
            assert labels is not None, text
            assert set(selector.labels) <= {*labels, *ADDED}, text
