"""The writer of answers as other processes reach it: a `WriterPort` over the actor of the caches.

Nobody waits for it. What it cannot be told is not kept, which is logged.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from ray.exceptions import RayError

from actors import names
from actors.caches.errors import CacheError
from actors.caches.l2.change import Put
from actors.caches.layer import CacheStats, Which
from actors.outbox import Outbox
from actors.ray_calls import Actors, answer_of, told

_log = logging.getLogger("rtfs.caches")

#: of answers that wait to be sent; more are not kept, bytes
MOST_WAITING_BYTES: Final = 64 << 20
#: and their number, below that at which an outbox drops some
MOST_WAITING: Final = 8_192


class RemoteWriter:
    """Has the actor of the caches write. Safe to use from many threads."""

    def __init__(self, actors: Actors) -> None:
        self._actors = actors
        self._outbox: Outbox[Put] = Outbox(self._send, self._lost)
        self._lock = threading.Lock()
        #: answers given so far, and how many of them are written or lost; they are sent in order
        self._given = self._done = 0
        self._waiting_bytes = 0
        #: to be called when so many are done
        self._due: list[tuple[int, Callable[[], None]]] = []

    def put(self, puts: Sequence[Put]) -> None:
        """Keep answers."""
        for put in puts:
            with self._lock:
                waiting_bytes = self._waiting_bytes + len(put.stored)
                if waiting_bytes > MOST_WAITING_BYTES or self._given - self._done >= MOST_WAITING:
                    continue
                self._waiting_bytes += len(put.stored)
                self._given += 1
            self._outbox.put(put)

    def when_written(self, then: Callable[[], None]) -> None:
        """Call `then` once all that was put before is written, or lost; at once if nothing waits."""
        with self._lock:
            if self._done < self._given:
                self._due.append((self._given, then))
                return
        then()

    def note(self, used: Sequence[bytes], damaged: Sequence[bytes]) -> None:
        """Which entries were used, and which are damaged."""
        try:
            self._actors.get(names.CACHES).note.remote(list(used), list(damaged))
        except (RayError, ValueError):  # it is away; entries that are used will be used again
            self._actors.forget(names.CACHES)

    def invalidate(self, which: Which) -> int:
        """Remove entries; how many. Raises CacheError: they cannot be removed now."""
        return int(self._asked("invalidate", which))

    def clear(self) -> int:
        """Remove everything; how many entries. Raises CacheError as `invalidate`."""
        return int(self._asked("clear"))

    def stats(self) -> CacheStats:
        """What the writer did; nothing where it cannot be asked."""
        try:
            found: CacheStats = self._asked("stats")
            return found
        except CacheError:
            return CacheStats()

    def _asked(self, method: str, *args: object) -> Any:
        try:
            return answer_of(getattr(self._actors.get(names.CACHES), method).remote(*args))
        except (RayError, ValueError) as error:
            self._actors.forget(names.CACHES)
            raise CacheError(f"the actor of the caches cannot be asked: {type(error).__name__}") from error

    def _send(self, puts: list[Put], sent: Callable[[BaseException | None], None]) -> None:
        def over(result: object) -> None:
            sent(result if isinstance(result, BaseException) else None)
            self._over(puts)

        try:
            ref = self._actors.get(names.CACHES).keep.remote(puts)
        except Exception as error:  # whatever it is, these are lost, and nobody waits for them any more
            over(error)
            return
        told(ref, over)

    def _over(self, puts: Sequence[Put]) -> None:
        """These are written, or lost."""
        with self._lock:
            self._done += len(puts)
            self._waiting_bytes -= sum(len(put.stored) for put in puts)
            due = [then for count, then in self._due if count <= self._done]
            self._due = [each for each in self._due if each[0] > self._done]
        for then in due:
            then()

    def _lost(self, count: int, error: BaseException) -> None:
        self._actors.forget(names.CACHES)
        _log.warning("%d answers are not kept: %s", count, type(error).__name__)
