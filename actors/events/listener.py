"""Events for code that has no event loop: a thread that calls a function with each, in order."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from actors.events.event import Event
from actors.events.stream import EventStream

_log = logging.getLogger("rtfs.events")


class SyncListener:
    """Calls `callback` with each event of a stream, one after the other, on a thread of its own.

    A callback that fails is logged and counted, and the next event is told all the same: one event that
    somebody cannot deal with must not cut them off from all later ones. A stream that fails ends the thread, is
    logged, and stands in `error`.
    """

    def __init__(self, stream: EventStream, callback: Callable[[Event], None], *, name: str = "events") -> None:
        self._stream = stream
        self._callback = callback
        self._thread = threading.Thread(target=self._run, name=f"rtfs-{name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._is_stopping = False  # touched on the loop only
        #: callbacks that raised
        self.failures = 0
        #: what ended the stream; None: nothing has
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to listen. Once."""
        self._thread.start()
        self._ready.wait()

    @property
    def is_alive(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Unsubscribe and end the thread, after a callback that is under way. Whether it has ended in time.

        Safe to call twice, before `start`, and from a callback, which it does not wait for.
        """
        if self._loop is None or self._task is None:
            return True
        try:
            self._loop.call_soon_threadsafe(self._cancel, self._task)
        except RuntimeError:  # the loop is closed: it has ended by itself
            pass
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _cancel(self, task: asyncio.Task[None]) -> None:
        if not self._is_stopping:  # a second one would end the unsubscribing that the first one began
            self._is_stopping = True
            task.cancel()

    def _run(self) -> None:
        try:
            asyncio.run(self._listen())
        except asyncio.CancelledError:
            pass  # how `stop` ends it
        except Exception as error:
            self.error = error
            _log.exception("listening to events ended")

    async def _listen(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        async with self._stream as stream:
            async for event in stream:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            self._callback(event)
        except Exception:
            self.failures += 1
            _log.exception("a listener could not deal with the event %s/%s", event.topic, event.key)
