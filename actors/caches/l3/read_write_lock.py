"""A lock that many may hold who read, or one who writes."""

from __future__ import annotations

from threading import Lock


class ReadWriteLock:
    """`with lock.reading:` or `with lock.writing:`. Neither may be taken by who holds one of them.

    Who waits to write goes before those who come later to read. The first who reads takes the room for all that
    do, the last gives it back.
    """

    __slots__ = ("_counting", "_gate", "_readers", "_room", "reading", "writing")

    def __init__(self) -> None:
        self._gate = Lock()
        self._room = Lock()
        self._counting = Lock()
        self._readers = 0
        self.reading = _Reading(self)
        self.writing = _Writing(self)


class _Reading:
    __slots__ = ("_of",)

    def __init__(self, of: ReadWriteLock) -> None:
        self._of = of

    def __enter__(self) -> None:
        of = self._of
        with of._gate, of._counting:
            of._readers += 1
            if of._readers == 1:
                of._room.acquire()

    def __exit__(self, *_: object) -> None:
        of = self._of
        with of._counting:
            of._readers -= 1
            if of._readers == 0:
                of._room.release()


class _Writing:
    __slots__ = ("_of",)

    def __init__(self, of: ReadWriteLock) -> None:
        self._of = of

    def __enter__(self) -> None:
        with self._of._gate:
            self._of._room.acquire()

    def __exit__(self, *_: object) -> None:
        self._of._room.release()
