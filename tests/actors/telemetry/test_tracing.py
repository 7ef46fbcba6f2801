"""Spans: their parents, within a process and across, and what they say."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from actors.telemetry.log_context import logged_as
from actors.telemetry.meter import RayMeter
from actors.telemetry.span_export import TracingError, provider_for
from actors.telemetry.tracing import Tracing, current_span_id, current_traceparent, remote_parent
from rtfs.errors import DivisionByZero
from rtfs.host import MemoryHost
from rtfs.overlap import overlapping, wait
from rtfs.overlap.fork import all_of
from rtfs.run import Run, running
from rtfs.security import RuntimeContext

ROOT = Path(__file__).parents[3]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Kept(SpanExporter):
    """Keeps spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


class Traced:
    """Traces that are kept, and read back by name."""

    def __init__(self) -> None:
        self._kept = Kept()
        self.tracing = Tracing(provider_for(self._kept))

    def spans(self) -> dict[str, ReadableSpan]:
        self.tracing.flush()
        return {span.name: span for span in self._kept.spans}

    def parents(self) -> dict[str, str | None]:
        """By a span's name, that of its parent."""
        spans = self.spans()
        names = {span.context.span_id: name for name, span in spans.items() if span.context}
        return {
            name: None if span.parent is None else names.get(span.parent.span_id)
            for name, span in spans.items()
        }


@pytest.fixture
def traced() -> Iterator[Traced]:
    found = Traced()
    yield found
    found.tracing.close()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_span_has_its_parent_and_what_was_added_to_it(traced: Traced) -> None:
    meter = RayMeter(traced.tracing)
    about: dict[str, str | int | float | bool] = {"fn_symbol": "f", "decision": "remote-a", "cache_hit": False}
    with (
        logged_as(run="run-1", tenant="acme"),
        meter.span("run", {}),
        meter.span("delegate", about) as span,
    ):
        span.attributes["answered_by"] = "local-pure"
    assert traced.parents() == {"run": None, "delegate": "run"}
    assert attributes(traced.spans()["delegate"]) == {
        "rtfs.run": "run-1",
        "rtfs.tenant": "acme",
        **about,
        "answered_by": "local-pure",
    }
    assert traced.spans()["run"].resource.attributes["service.name"] == "rtfs"


@pytest.mark.parametrize(
    ("error", "kind"), [(DivisionByZero(), "DivisionByZero"), (KeyError("a secret"), "KeyError")]
)
def test_an_error_is_named_and_not_quoted(traced: Traced, error: Exception, kind: str) -> None:
    with pytest.raises(type(error)), traced.tracing.span("run", {}):
        raise error
    span = traced.spans()["run"]
    assert not span.status.is_ok
    assert attributes(span) == {"error.type": kind}
    assert "secret" not in span.to_json()


def test_a_trace_goes_on_in_another_process(traced: Traced, tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    code = (
        "import os, sys\n"
        "from actors.telemetry.tracing import Tracing, remote_parent\n"
        "tracing = Tracing.from_environ(os.environ, process='evaluator')\n"
        "with remote_parent(sys.argv[1]), tracing.span('evaluate', {'fn_symbol': 'f'}): pass\n"
        "tracing.close()"
    )
    with traced.tracing.span("run", {}):
        traceparent = current_traceparent()
        assert traceparent is not None
        subprocess.run(
            [sys.executable, "-c", code, traceparent],
            check=True,
            cwd=ROOT,
            env={"RTFS_TRACES": f"file:{file}"},
        )
    (line,) = file.read_text().splitlines()
    theirs, ours = json.loads(line), traced.spans()["run"]
    assert ours.context is not None
    assert int(theirs["context"]["trace_id"], 16) == ours.context.trace_id
    assert int(theirs["parent_id"], 16) == ours.context.span_id
    assert theirs["attributes"] == {"fn_symbol": "f"}
    assert theirs["resource"]["attributes"]["rtfs.process"] == "evaluator"
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_parent_is_told_and_forgotten(traced: Traced) -> None:
    assert current_traceparent() is None
    with remote_parent(TRACEPARENT):
        assert current_traceparent() == TRACEPARENT
        with traced.tracing.span("evaluate", {}):
            inside = current_traceparent()
            assert inside == f"00-{TRACE}-{current_span_id()}-01"
            assert current_span_id() != PARENT
    assert (current_traceparent(), current_span_id()) == (None, None)


def test_with_traces_off_a_parent_is_passed_on() -> None:
    tracing = Tracing.from_environ({})
    assert not tracing.is_on
    with remote_parent(TRACEPARENT), tracing.span("evaluate", {"fn_symbol": "f"}) as span:
        span.attributes["x"] = 1
        assert current_traceparent() == TRACEPARENT
    with tracing.span("evaluate", {}):
        assert current_traceparent() is None
    tracing.flush()
    tracing.close()


@pytest.mark.parametrize(
    "text", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", TRACEPARENT + "\n x: y"]
)
def test_what_is_no_parent_is_as_good_as_none(traced: Traced, text: str) -> None:
    with remote_parent(text), traced.tracing.span("evaluate", {}):
        pass
    assert traced.parents() == {"evaluate": None}


async def test_tasks_side_by_side_have_their_own_spans(traced: Traced) -> None:
    meet = asyncio.Barrier(2)

    async def work(name: str) -> None:
        with traced.tracing.span(name, {}):
            await meet.wait()
            with traced.tracing.span(f"{name}-inner", {}):
                await meet.wait()

    with traced.tracing.span("run", {}):
        await asyncio.gather(work("a"), work("b"))
    assert traced.parents() == {"run": None, "a": "run", "b": "run", "a-inner": "a", "b-inner": "b"}


def test_parts_of_a_program_that_overlap_have_their_own_spans(traced: Traced) -> None:
    began: list[str] = []
    wakes: list[Callable[[], None]] = []

    def until_all_wait(wake: Callable[[], None]) -> None:
        """Each piece waits until the last has begun to, so all their spans are open at the same time."""
        wakes.append(wake)
        if len(wakes) == 3:
            for each in wakes:
                each()

    def piece(name: str) -> None:
        with traced.tracing.span(name, {}):
            began.append(name)
            wait(until_all_wait)
            assert len(began) == 3
            with traced.tracing.span(f"{name}-inner", {}):
                pass

    def program() -> str | None:
        with traced.tracing.span("run", {}):
            all_of(*(partial(piece, name) for name in "abc"))
            return current_span_id()

    context = RuntimeContext.full()
    with running(Run(host=MemoryHost(), context=context, limits=context.limits())):
        inside = overlapping(program)
    assert traced.parents() == {
        "run": None,
        **dict.fromkeys("abc", "run"),
        **{f"{name}-inner": name for name in "abc"},
    }
    run = traced.spans()["run"]
    assert run.context is not None
    assert int(inside or "0", 16) == run.context.span_id


def test_after_closing_nothing_is_traced(traced: Traced) -> None:
    traced.tracing.close()
    with traced.tracing.span("run", {}):
        assert current_traceparent() is None
    traced.tracing.close()


def test_spans_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    tracing = Tracing.from_environ({"RTFS_TRACES": "console"})
    with tracing.span("run", {}):
        pass
    tracing.close()
    out, err = capfd.readouterr()
    assert out == ""
    assert json.loads(err)["name"] == "run"


def test_processes_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    both = [Tracing.from_environ({"RTFS_TRACES": f"file:{file}"}) for _ in range(2)]
    for n in range(50):
        for tracing in both:
            with tracing.span(f"span-{n}", {}):
                pass
    for tracing in both:
        tracing.close()
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 100


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("consol", "did you mean `console`?"),
        ("jaeger", "it is console, file:PATH, otlp or off"),
        ("file:", "names no file; write `RTFS_TRACES=file:PATH`"),
        ("file:/nowhere/at/all", "cannot be written to `/nowhere/at/all`: No such file or directory"),
        ("otlp", "install `opentelemetry-exporter-otlp-proto-http`"),
    ],
)
def test_settings_that_cannot_be_followed(setting: str, message: str) -> None:
    if setting == "otlp" and any("otlp" in name for name in _exporters()):
        pytest.skip("an exporter is installed")
    with pytest.raises(TracingError) as caught:
        Tracing.from_environ({"RTFS_TRACES": setting})
    assert message in str(caught.value)


def _exporters() -> list[str]:
    import pkgutil

    import opentelemetry.exporter as exporters

    return [module.name for module in pkgutil.iter_modules(exporters.__path__)]
