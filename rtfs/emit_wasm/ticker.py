"""The clock of running wasm: a thread that moves an engine's epoch on, so that calls are asked whether to stop.

At each tick wasmtime has every call under way look, in its own thread (`rtfs.emit_wasm.engine.Look`). The
clock's thread lives only while there are calls, and a little longer.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

#: seconds between ticks
TICK_S: Final = 0.01
#: the thread ends after so many ticks without a call
_IDLE_TICKS: Final = 100


class Ticker:
    """Ticks while somebody sets `busy` between ticks: calls do, and again at each tick they live through."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self.busy = False
        self.alive = False
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def start(self) -> None:
        """Have a thread tick."""
        with self._lock:
            if not self.alive:
                self.alive = True
                threading.Thread(target=self._loop, name="rtfs-wasm-ticker", daemon=True).start()

    def _loop(self) -> None:
        idle = 0
        while True:
            time.sleep(TICK_S)
            self._tick()
            idle = 0 if self.busy else idle + 1
            self.busy = False
            if idle > _IDLE_TICKS:
                self.alive = False  # first this, then a last look: who is busy now has seen it, or is seen
                if not self.busy:
                    return
                self.alive = True

    def _after_fork(self) -> None:
        """No thread was inherited, and the lock may be another's."""
        self._lock = threading.Lock()
        self.alive = False
