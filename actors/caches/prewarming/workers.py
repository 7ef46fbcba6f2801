"""Threads that do work in the background, one piece after the other. They do not keep a process alive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

_log = logging.getLogger("rtfs.caches")

type Work = Callable[[], None]


class Workers:
    """So many threads with a queue between them."""

    def __init__(self, count: int, name: str) -> None:
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, work: Work) -> None:
        """Have some work done. Never waits; after `close` it is not done."""
        self._queue.put(work)

    def close(self) -> None:
        """End the threads once they are done with what they do. Does not wait for them."""
        for _ in self._threads:
            self._queue.put(None)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                work()
            except Exception:  # a bug; the others go on
                _log.exception("work in the background met a bug")
