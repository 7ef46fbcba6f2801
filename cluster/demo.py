"""The demo: a runtime on Ray triages the logs that it has just written. `python -m cluster.demo [LOG]`"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from actors import Runtime
from actors.models.embedding.minilm import what_minilm_lacks
from actors.requests import CacheUse, CallSummary, RunReply
from rtfs.run import Limits

_EXAMPLES: Final = Path(__file__).resolve().parent.parent / "examples"
_LARGEST_BYTES: Final = 2 << 20
#: calls that are timed alone, about: enough that as large a part of them as of all goes to the slower model
_ALONE: Final = 60
#: a line that no rule knows, so that both models are asked
_WARMING: Final = "nobody has seen this before"
_LIMITS: Final = Limits(deadline_s=60.0)
#: for calls that are timed: the models are asked, whatever is known from a run before
_ASKED: Final = CacheUse(bypass=True, no_store=True)
#: the categories of `classify`, the worst first
_LEVELS: Final = (":error", ":warning", ":info", ":debug")
#: who decides, by the names of targets in runtime_triage.toml
DECIDERS: Final = {
    "local-log-severity": "rules",
    "local-log-meaning": "MiniLM classifier",
    "local-pure": "own body",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _demo(words[0] if words else None)
    except OSError as error:  # the log that was named, above all
        print(f"demo: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _demo(file: str | None) -> int:
    given = None if file is None else _tail(Path(file))
    began = time.monotonic()
    lacking = what_minilm_lacks()
    if lacking is not None:
        _say(began, f"without MiniLM, so lines that the rules are not sure of keep their answer: {lacking}")
    _say(
        began, "starting a runtime on Ray: policy, tickets, one evaluator, a model of rules and one of meanings"
    )
    with Runtime.start(_EXAMPLES / "runtime_triage.toml", name="demo", evaluators=1) as runtime:
        log = _own_logs() if given is None else given
        name = file or "the logs of this runtime"
        _say(began, f"it is up; {len(log.splitlines())} lines of {name} are triaged by runtime_triage.rtfs\n")
        source = (_EXAMPLES / "runtime_triage.rtfs").read_text(encoding="utf-8")
        alone_ms = _alone_ms(runtime, source, log.splitlines())
        reply = runtime.run(source, source_name="runtime_triage.rtfs", args={"lines": log}, limits=_LIMITS)
        sys.stdout.write(reply.output)
        if reply.error is not None:
            print(f"the program failed: {reply.error}", file=sys.stderr)
            return 1
        print()
        print("\n".join(categories(reply.calls)))
        print()
        print("\n".join(report(reply, alone_ms)))
        print()
        print("\n".join(known(reply.calls)))
        print()
        print("\n".join(hot_function(runtime)))
        _say(began, "done; the runtime ends")
    return 0


def _alone_ms(runtime: Runtime, source: str, lines: Sequence[str]) -> float:
    """The time of one call of `classify` that has nothing to overlap with: the mean, over lines of the log."""
    filled = [line for line in lines if line.strip()] or [""]
    step = max(1, len(filled) // _ALONE)
    replies = [
        runtime.run(
            source, source_name="runtime_triage.rtfs", call=("classify", line), limits=_LIMITS, cache=_ASKED
        )
        for line in [_WARMING, filled[0], *filled[::step]]
    ]
    # the first calls of each model take longer
    times = [sum(call.took_ms for call in reply.calls) for reply in replies[2:]]
    return sum(times) / len(times)


def categories(summaries: Iterable[CallSummary]) -> list[str]:
    """How many lines of the log got each category, how sure that is, and who decided it; lines of a table."""
    found: dict[str, dict[str, _Tally]] = {level: {} for level in _LEVELS}
    for each in summaries:
        if each.answer is not None:
            name = each.answered_by or "nobody"
            found.setdefault(each.answer, {}).setdefault(DECIDERS.get(name, name), _Tally()).add(each)
    return _table(
        ("CATEGORY", "LINES", "CONFIDENCE", "DECIDED BY"),
        [(level, *_decided(by)) for level, by in found.items()],
    )


def _decided(by: Mapping[str, _Tally]) -> tuple[str, str, str]:
    """The cells of a category: lines, mean confidence, and each who decided with both."""
    total = _Tally()
    for each in by.values():
        total.join(each)
    deciders = [
        f"{name} {tally.calls} ({tally.confidence})" if tally.told else f"{name} {tally.calls}"
        for name, tally in sorted(by.items(), key=lambda item: -item[1].calls)
    ]
    return str(total.calls), total.confidence, ", ".join(deciders) or "-"


def report(reply: RunReply, alone_ms: float) -> list[str]:
    """What became of the delegated calls of a run, as lines of a table.

    Args:
        alone_ms: how long one of them takes that has nothing to overlap with.
    """
    merged = _merged(reply.calls)
    lines = _table(
        ("FUNCTION", "TARGET", "ANSWERED BY", "CALLS", "CONFIDENCE", "WHY NOT THE TARGET"),
        [
            (function, target, answered_by, str(tally.calls), tally.confidence, reason[:60])
            for (function, target, answered_by, reason), tally in merged.items()
        ],
    )
    calls = sum(tally.calls for tally in merged.values())
    fallbacks = sum(each.calls for each in reply.calls if each.answered_by != each.target)
    after_another_s = calls * alone_ms / 1000
    lines += [
        "",
        f"{calls} delegated calls, {fallbacks} of them answered by another than their target; no call failed.",
        f"One call alone takes {alone_ms:.1f} ms, so one after another they would have taken "
        f"{after_another_s:.1f} s. The whole run took {reply.took_ms / 1000:.1f} s: "
        f"overlap saved {max(0.0, after_another_s - reply.took_ms / 1000):.1f} s.",
    ]
    return lines


#: tiers by what they are, in the order in which they are asked
_TIERS: Final = {
    "l2-hot": "known in memory",
    "l2-cold": "known on the disk",
    "l3": "known by meaning",
    "shared": "asked at the same time",
}


def known(summaries: Iterable[CallSummary]) -> list[str]:
    """What caches knew of the calls that a model was to answer, and what that saved, as lines of a table."""
    by: dict[str | None, list[CallSummary]] = {}
    for each in summaries:
        if each.answered_by not in (None, "local-pure"):
            by.setdefault(each.tier, []).append(each)
    total = sum(each.calls for group in by.values() for each in group)
    rows = []
    for tier, what in [*_TIERS.items(), (None, "models were asked")]:
        group = by.get(tier, [])
        calls = sum(each.calls for each in group)
        if calls:
            saved_s = sum(each.saved_ms for each in group) / 1000
            saved_usd = sum(each.saved_usd for each in group)
            share = f"{calls / total:.0%}"
            rows.append(
                (what, str(calls), share, *((f"{saved_s:.1f} s", f"{saved_usd:.4f}") if tier else ("", "")))
            )
    head = ("ANSWERS", "CALLS", "SHARE", "LATENCY NOT WAITED FOR", "USD NOT SPENT")
    lines = _table(head, rows)
    if by.keys() <= {None, "l2-hot", "shared"}:
        lines.append("Run the demo again: what it has asked now it knows then.")
    return lines


def hot_function(runtime: Runtime) -> list[str]:
    """How long a function that only computes takes in Python and as WebAssembly, as lines of a table."""
    source = (_EXAMPLES / "mandelbrot.rtfs").read_text(encoding="utf-8")
    seconds = {}
    for tier in ("python", "wasm"):
        text = source.replace(":tier :wasm", f":tier :{tier}")
        for _ in range(2):  # the first time it is compiled
            reply = runtime.run(text, source_name="mandelbrot.rtfs", limits=_LIMITS)
            if reply.error is not None:
                raise reply.error
        seconds[tier] = reply.took_ms / 1000
    lines = _table(
        ("MANDELBROT.RTFS RUNS AS", "TIME", "SPEED-UP"),
        [
            ("Python", f"{seconds['python']:.2f} s", ""),
            ("WebAssembly", f"{seconds['wasm']:.2f} s", f"{seconds['python'] / seconds['wasm']:.0f} x"),
        ],
    )
    if importlib.util.find_spec("wasmtime") is None:
        lines.append("The package wasmtime is missing, so that both were Python: pip install 'rtfs[wasm]'")
    return lines


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]


type _Kind = tuple[str, str, str, str]


@dataclass(slots=True)
class _Tally:
    """Calls that have something in common, as one row of a table says it."""

    calls: int = 0
    #: calls with a confidence, and the sum of these
    told: int = 0
    sure: float = 0.0

    def add(self, each: CallSummary) -> None:
        self.calls += each.calls
        if each.confidence is not None:
            self.told += each.calls
            self.sure += each.calls * each.confidence

    def join(self, other: _Tally) -> None:
        self.calls += other.calls
        self.told += other.told
        self.sure += other.sure

    @property
    def confidence(self) -> str:
        """The mean of them."""
        return f"{self.sure / self.told:.2f}" if self.told else "-"


def _merged(summaries: Iterable[CallSummary]) -> dict[_Kind, _Tally]:
    found: dict[_Kind, _Tally] = {}
    for each in summaries:
        kind = (each.function, each.target, each.answered_by or "nobody", _cause(each))
        found.setdefault(kind, _Tally()).add(each)
    return found


def _cause(summary: CallSummary) -> str:
    """Why the first target did not answer; that others were unsure as well is no cause of its own."""
    return summary.reason.removeprefix(f"{summary.target}: ").partition("; ")[0]


def _own_logs() -> str:
    """The text of the logs of Ray's session, the newest part of each."""
    import ray

    nodes: Any = ray.nodes()  # type: ignore[no-untyped-call]
    session = Path(nodes[0]["ObjectStoreSocketName"]).parent.parent / "logs"
    texts = [_tail(path, _LARGEST_BYTES // 16) for path in sorted(session.iterdir()) if path.is_file()]
    return "\n".join(text for text in texts if text.strip())


def _tail(path: Path, most: int = _LARGEST_BYTES) -> str:
    """The end of a file, from the beginning of a line."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - most))
        data = file.read(most)
    if size > most:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "replace")


def _say(began: float, text: str) -> None:
    print(f"[{time.monotonic() - began:4.1f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
