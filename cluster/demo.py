"""The demo: a runtime on Ray triages the logs that it has just written. `python -m cluster.demo [LOG]`"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from actors import Runtime
from actors.requests import CallSummary, RunReply
from rtfs.run import Limits

_EXAMPLES: Final = Path(__file__).resolve().parent.parent / "examples"
_LARGEST_BYTES: Final = 2 << 20
_LIMITS: Final = Limits(deadline_s=60.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    began = time.monotonic()
    _say(began, "starting a runtime on Ray: policy, tickets, one evaluator, one model of rules")
    with Runtime.start(_EXAMPLES / "runtime_triage.toml", name="demo", evaluators=1) as runtime:
        log, name = (_tail(Path(words[0])), words[0]) if words else (_own_logs(), "the logs of this runtime")
        _say(began, f"it is up; {name}, {len(log.splitlines())} lines, are triaged by runtime_triage.rtfs\n")
        source = (_EXAMPLES / "runtime_triage.rtfs").read_text(encoding="utf-8")
        reply = runtime.run(source, source_name="runtime_triage.rtfs", args={"lines": log}, limits=_LIMITS)
        sys.stdout.write(reply.output)
        if reply.error is not None:
            print(f"the program failed: {reply.error}", file=sys.stderr)
            return 1
        print()
        print("\n".join(report(reply)))
        _say(began, "done; the runtime ends")
    return 0


def report(reply: RunReply) -> list[str]:
    """What became of the delegated calls of a run, as lines of a table."""
    head = ("FUNCTION", "TARGET", "ANSWERED BY", "CALLS", "CACHE", "WHY NOT THE TARGET")
    merged = _merged(reply.calls)
    rows = [
        (function, target, answered_by, str(calls), "none", reason[:60])
        for (function, target, answered_by, reason), (calls, _) in merged.items()
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    calls = sum(calls for calls, _ in merged.values())
    fallbacks = sum(each.calls for each in reply.calls if each.answered_by != each.target)
    each_ms = sum(took_ms for _, took_ms in merged.values())
    lines += [
        "",
        f"{calls} delegated calls, {fallbacks} of them answered by a fallback; no call failed.",
        f"Their own times add up to {each_ms / 1000:.1f} s; overlapping, the whole run took "
        f"{reply.took_ms / 1000:.2f} s: {max(0.0, each_ms - reply.took_ms) / 1000:.1f} s were not waited for.",
    ]
    return lines


type _Kind = tuple[str, str, str, str]


def _merged(summaries: Iterable[CallSummary]) -> dict[_Kind, tuple[int, float]]:
    """Number and time of the calls that differ in nothing but the places of their fallbacks."""
    found: dict[_Kind, tuple[int, float]] = {}
    for each in summaries:
        kind = (each.function, each.target, each.answered_by or "nobody", _cause(each))
        calls, took_ms = found.get(kind, (0, 0.0))
        found[kind] = calls + each.calls, took_ms + each.took_ms
    return found


def _cause(summary: CallSummary) -> str:
    return summary.reason.removeprefix(f"{summary.target}: ")


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
