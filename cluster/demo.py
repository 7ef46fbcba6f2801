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
#: calls of which one is timed
_ALONE: Final = 9
_LIMITS: Final = Limits(deadline_s=60.0)


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
    _say(began, "starting a runtime on Ray: policy, tickets, one evaluator, one model of rules")
    with Runtime.start(_EXAMPLES / "runtime_triage.toml", name="demo", evaluators=1) as runtime:
        log = _own_logs() if given is None else given
        name = file or "the logs of this runtime"
        _say(began, f"it is up; {len(log.splitlines())} lines of {name} are triaged by runtime_triage.rtfs\n")
        source = (_EXAMPLES / "runtime_triage.rtfs").read_text(encoding="utf-8")
        alone_ms = _alone_ms(runtime, source, log)
        reply = runtime.run(source, source_name="runtime_triage.rtfs", args={"lines": log}, limits=_LIMITS)
        sys.stdout.write(reply.output)
        if reply.error is not None:
            print(f"the program failed: {reply.error}", file=sys.stderr)
            return 1
        print()
        print("\n".join(report(reply, alone_ms)))
        _say(began, "done; the runtime ends")
    return 0


def _alone_ms(runtime: Runtime, source: str, log: str) -> float:
    """The time of one call of `classify` that has nothing to overlap with; the median of several."""
    line = next((line for line in log.splitlines() if line.strip()), "")
    replies = [
        runtime.run(source, source_name="runtime_triage.rtfs", call=("classify", line), limits=_LIMITS)
        for _ in range(_ALONE + 1)
    ]
    times = sorted(sum(call.took_ms for call in reply.calls) for reply in replies[1:])
    return times[_ALONE // 2]


def report(reply: RunReply, alone_ms: float) -> list[str]:
    """What became of the delegated calls of a run, as lines of a table.

    Args:
        alone_ms: how long one of them takes that has nothing to overlap with.
    """
    head = ("FUNCTION", "TARGET", "ANSWERED BY", "CALLS", "CACHE", "WHY NOT THE TARGET")
    merged = _merged(reply.calls)
    rows = [
        (function, target, answered_by, str(calls), "none", reason[:60])
        for (function, target, answered_by, reason), calls in merged.items()
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    calls = sum(merged.values())
    fallbacks = sum(each.calls for each in reply.calls if each.answered_by != each.target)
    after_another_s = calls * alone_ms / 1000
    lines += [
        "",
        f"{calls} delegated calls, {fallbacks} of them answered by a fallback; no call failed.",
        f"One call alone takes {alone_ms:.1f} ms, so one after another they would have taken "
        f"{after_another_s:.1f} s. The whole run took {reply.took_ms / 1000:.1f} s: "
        f"overlap saved {max(0.0, after_another_s - reply.took_ms / 1000):.1f} s.",
    ]
    return lines


type _Kind = tuple[str, str, str, str]


def _merged(summaries: Iterable[CallSummary]) -> dict[_Kind, int]:
    """Number of the calls that differ in nothing but details of their fallbacks."""
    found: dict[_Kind, int] = {}
    for each in summaries:
        kind = (each.function, each.target, each.answered_by or "nobody", _cause(each))
        found[kind] = found.get(kind, 0) + each.calls
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
