"""The ceiling of a process's memory."""

from __future__ import annotations

import threading

from actors.evaluator.evaluator import Evaluator
from actors.evaluator.memory import EXIT_CODE, MemoryWatch, resident_bytes
from actors.requests import RunRequest


class Process:
    """A process of any size."""

    def __init__(self) -> None:
        self.size = 0
        self.stopped: list[str] = []
        self.ended: list[int] = []

    def stop(self, reason: str) -> int:
        self.stopped.append(reason)
        return 1

    def watch(self, ceiling: int | None = 100) -> MemoryWatch:
        return MemoryWatch(
            ceiling, self.stop, size=lambda: self.size, end=self.ended.append, interval_s=3600.0, grace_s=7200.0
        )


def test_runs_are_stopped_over_the_ceiling_and_the_process_ends_if_that_does_not_help() -> None:
    process = Process()
    watch = process.watch()
    process.size = 100
    watch.look()
    assert process.stopped == []
    process.size = 101
    watch.look()
    watch.look()
    assert len(process.stopped) == 2
    assert "ceiling of 100 bytes" in process.stopped[0]
    assert process.ended == []
    process.size = 50  # it helped, and the grace begins anew
    watch.look()
    process.size = 101
    watch.look()
    watch.look()
    assert process.ended == []
    watch.look()
    assert process.ended == [EXIT_CODE]
    watch.close()


def test_without_a_ceiling_there_is_no_watch() -> None:
    before = threading.active_count()
    MemoryWatch(None, lambda reason: 0)
    assert threading.active_count() == before


def test_a_process_over_its_ceiling_stops_its_runs_by_itself() -> None:
    evaluator = Evaluator()
    watch = MemoryWatch(1, evaluator.cancel_all, end=lambda code: None, interval_s=0.01)
    reply = evaluator.run(RunRequest(source="(loop [] (recur))"))
    watch.close()
    assert reply.status == "cancelled"
    assert reply.error is not None
    assert "memory ceiling" in reply.error.text()
    assert resident_bytes() > 1 << 20
