"""Where running programs spend their time: a thread looks at them every 10 ms, and tells whom it concerns.

Code that is looked at does nothing for it, so it is as fast as without. Whoever starts a run puts who is to
be told among the builtins of its code (`Measured.begin`); the thread finds that in the frames, and lives only
while there are runs and a little longer.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from rtfs import ir
    from rtfs.emit_python.artifact import Routing
    from rtfs.tiering import UnitTiers

#: the variable of the environment that says which functions may be wasm
ENVIRONMENT: Final = "RTFS_TIER"
#: its values: none, and those that ask for it
PYTHON_ALONE: Final = "python"
_ASKED: Final = "asked"
#: seconds between looks
INTERVAL_S: Final = 0.01
#: the name under which a run's code has who is to be told, among its builtins
KEY: Final = "rt·watched"
#: the thread ends after so many looks at which there was no run
_IDLE_LOOKS: Final = 100
#: frames of one thread that are looked at, innermost first
_MOST_FRAMES: Final = 200
#: a look stands for no more than this, however late it comes
_MOST_S: Final = 0.05


class Watcher(Protocol):
    """Who is told about the code of some runs."""

    def seen(self, frame: FrameType, spent_s: float) -> None:
        """A thread is in `frame`, or in what it called, and was so for about `spent_s`. Must not raise."""


class Sampler:
    """The thread. One per process; it is asleep almost always."""

    def __init__(self) -> None:
        #: set by whoever starts a run
        self.busy = False
        self.alive = False
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def start(self) -> None:
        """Have a thread look. Where none can be started, nobody looks."""
        with self._lock:
            if not self.alive:
                self.alive = True
                try:
                    threading.Thread(target=self._loop, name="rtfs-sampler", daemon=True).start()
                except RuntimeError:  # no more threads, or the process is about to end
                    self.alive = False

    def _loop(self) -> None:
        idle, last = 0, time.monotonic()
        while True:
            time.sleep(INTERVAL_S)
            now = time.monotonic()
            found = self.look(min(now - last, _MOST_S))
            idle = 0 if self.busy or found else idle + 1
            self.busy, last = False, time.monotonic()
            if idle > _IDLE_LOOKS:
                self.alive = False  # first this, then a last look: who begins now has seen it, or is seen
                if not self.busy:
                    return
                self.alive = True

    def look(self, spent_s: float) -> bool:
        """Look at all other threads once; whether one of them runs what is watched."""
        own, found = threading.get_ident(), False
        for ident, top in sys._current_frames().items():
            if ident == own:
                continue
            frame: FrameType | None = top
            for _ in range(_MOST_FRAMES):
                if frame is None:
                    break
                watcher: Watcher | None = frame.f_builtins.get(KEY)
                if watcher is not None:
                    watcher.seen(frame, spent_s)
                    found = True
                    break
                frame = frame.f_back
        return found

    def _after_fork(self) -> None:
        """No thread was inherited, and the lock may be another's."""
        self._lock = threading.Lock()
        self.alive = False


#: that of this process
sampler: Final = Sampler()


class Measured:
    """The functions of a unit that may become wasm because it pays. Makes nothing until time is spent in them.

    Args:
        forms: Python's code of the unit.
        unit: gives the IR; called only when something is to be compiled.
        unit_s: what that takes, seconds.
        elsewhere: ids of functions that may run elsewhere.
    """

    def __init__(
        self,
        forms: tuple[CodeType, ...],
        unit: Callable[[], ir.Unit],
        unit_s: float = 0.0,
        elsewhere: frozenset[int] = frozenset(),
    ) -> None:
        self._forms = forms
        self._about = unit, unit_s, elsewhere
        self._tiers: UnitTiers | None = None

    def tiers(self) -> UnitTiers:
        """The functions one by one."""
        if self._tiers is None:
            from rtfs.tiering import Unit, UnitTiers

            self._tiers = UnitTiers(self._forms, Unit(*self._about))
        return self._tiers

    def seen(self, frame: FrameType, spent_s: float) -> None:
        """As `Watcher`."""
        if _can_run():
            self.tiers().seen(frame, spent_s)

    def begin(self, names: dict[str, Any], routing: Routing) -> Routing:
        """A run begins: its code has these builtins. How its forms run, which would else be by `routing`."""
        names[KEY] = self
        sampler.busy = True
        if not sampler.alive:
            sampler.start()
        if self._tiers is None or not self._tiers.routing:
            return routing
        return {**self._tiers.routing, **routing}

    def wasm(self) -> list[str]:
        """Names of the functions that are wasm now."""
        return [] if self._tiers is None else self._tiers.wasm()


def measures() -> bool:
    """Whether functions may become wasm that do not ask for it."""
    return os.environ.get(ENVIRONMENT) not in (PYTHON_ALONE, _ASKED)


@cache
def _can_run() -> bool:
    """Whether there is wasmtime. Looked at by the sampler's thread: it takes longer than a small program."""
    from importlib.util import find_spec  # as `rtfs.emit_wasm.engine.available`, which takes long to load

    return find_spec("wasmtime") is not None


def callers(frame: FrameType) -> list[FrameType]:
    """`frame` and those of the same program that wait for it, innermost first, as far as they are looked at."""
    found, names, next_ = [], frame.f_builtins, frame.f_back
    found.append(frame)
    while next_ is not None and len(found) < _MOST_FRAMES:
        if next_.f_builtins is names:
            found.append(next_)
        next_ = next_.f_back
    return found
