"""Pre-warming, on and off as the policy says. While it is off, there is nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from actors.caches.prewarming.prewarmer import AT_ONCE, Prewarmer
from actors.caches.prewarming.workers import Workers
from policies.file.schema import PrewarmingTable
from policies.running.observe import Meter


class Prewarming:
    """Makes and ends the `Prewarmer` of a process. Safe to use from many threads.

    Args:
        put: has calls watched by a prewarmer, or by none.
        run: tells runs apart, as for `Prewarmer`.
    """

    def __init__(
        self, put: Callable[[Prewarmer | None], None], *, run: Callable[[], str | None], meter: Meter
    ) -> None:
        self._put = put
        self._run = run
        self._meter = meter
        self._prewarmer: Prewarmer | None = None
        self._workers: Workers | None = None
        self._lock = threading.Lock()

    def follow(self, settings: PrewarmingTable) -> None:
        """Do as a policy says. What was learnt is forgotten when it is switched off."""
        with self._lock:
            if not settings.enabled:
                self._end()
            elif self._prewarmer is not None:
                self._prewarmer.follow(settings)
            else:
                # one more: who predicts does not wait for those who ask
                self._workers = Workers(AT_ONCE + 1, "rtfs-prewarming")
                self._prewarmer = Prewarmer(settings, self._workers.start, run=self._run, meter=self._meter)
                self._put(self._prewarmer)

    def close(self) -> None:
        """Ask nothing beforehand any more."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._workers is None:
            return
        self._put(None)
        self._workers.close()
        self._workers = self._prewarmer = None
