"""Sees to it that all parts of a runtime are there and answer: a plain class on one event loop.

A part that dies is started anew by Ray. What is left for the supervisor: parts that Ray has given up or that
somebody killed for good, parts that live and do not answer, models that a new policy adds, changes or takes
away, and to say whether the runtime is ready.

Parts are probed every `PROBE_S` seconds, all at once. One that does not answer for `HUNG_S` is killed; Ray then
starts it anew.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from actors.service import RuntimeStatus

_log = logging.getLogger("rtfs.control")

#: seconds between two rounds of probes, for one answer, and until a part that is silent is killed
PROBE_S: Final = 5.0
ANSWER_S: Final = 5.0
HUNG_S: Final = 30.0


class PartLost(Exception):
    """A part is not there, or is being started anew."""


class Part(Protocol):
    """A process of the runtime."""

    def start(self) -> None:
        """Start it, if it is not there. Does not wait for it."""

    async def probe(self) -> str:
        """`up`, or `degraded: why`. Raises PartLost."""

    def kill(self) -> None:
        """End its process; Ray starts it anew."""

    def remove(self) -> None:
        """End it for good."""


@dataclass(slots=True)
class _Watched:
    part: Part
    #: whether the runtime is not ready without it
    is_needed: bool = True
    state: str = "starting"
    #: when it last answered, or was started
    heard_at: float = 0.0


class Supervisor:
    """Watches the parts of a runtime. `run` it as a task of its event loop.

    Args:
        lost: told the name of each part that was up and is not any more.
        probed: called after each round of probes.
    """

    def __init__(
        self,
        parts: Mapping[str, Part],
        *,
        probe_s: float = PROBE_S,
        answer_s: float = ANSWER_S,
        hung_s: float = HUNG_S,
        clock: Callable[[], float] = time.monotonic,
        lost: Callable[[str], None] = lambda name: None,
        probed: Callable[[], None] = lambda: None,
    ) -> None:
        self._lost = lost
        self._probed = probed
        self._probe_s = probe_s
        self._answer_s = answer_s
        self._hung_s = hung_s
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._ready = asyncio.Event()
        self._again = asyncio.Event()
        self.add(parts)

    def add(self, parts: Mapping[str, Part], *, is_needed: bool = True) -> None:
        """Start these parts and watch them, too.

        Args:
            is_needed: False: the runtime is ready without them.
        """
        for name, part in parts.items():
            self._watched[name] = watched = _Watched(part, is_needed)
            self._start(name, watched)
        if is_needed:
            self._ready.clear()
            self._again.set()

    def remove(self, names: set[str]) -> None:
        """End these parts for good."""
        for name in names & self._watched.keys():
            self._watched.pop(name).part.remove()

    @property
    def names(self) -> set[str]:
        """The parts that are watched."""
        return set(self._watched)

    def status(self) -> RuntimeStatus:
        """How the parts were when they were last probed."""
        parts = {name: watched.state for name, watched in self._watched.items()}
        needed = [watched.state for watched in self._watched.values() if watched.is_needed]
        ready = all(state == "up" or state.startswith("degraded") for state in needed)
        return RuntimeStatus(ready=ready, parts=MappingProxyType(parts))

    async def ready(self, timeout_s: float) -> RuntimeStatus:
        """The status, as soon as all parts are up, or when the time is over."""
        try:
            await asyncio.wait_for(self._ready.wait(), timeout_s)
        except TimeoutError:
            pass
        return self.status()

    async def run(self) -> None:
        """Probe for ever."""
        while True:
            self._again.clear()
            await self.probe_all()
            try:
                await asyncio.wait_for(self._again.wait(), self._probe_s if self._ready.is_set() else 0.2)
            except TimeoutError:
                pass

    async def probe_all(self) -> None:
        """Probe each part once, all at the same time."""
        watched = tuple(self._watched.items())
        await asyncio.gather(*[self._probe(name, each) for name, each in watched])
        if self.status().ready:
            self._ready.set()
        else:
            self._ready.clear()
        self._probed()

    async def _probe(self, name: str, watched: _Watched) -> None:
        lost: Exception | None = None
        state = None
        try:
            state = await asyncio.wait_for(watched.part.probe(), self._answer_s)
        except TimeoutError:
            pass
        except PartLost as error:
            lost = error
        except Exception as error:  # one part's trouble must not end the watch over the others
            _log.exception("%s cannot be probed", name)
            lost = error
        if self._watched.get(name) is not watched:  # it was removed meanwhile, and is not to be started again
            return
        if state is not None:
            watched.state, watched.heard_at = state, self._clock()
        elif lost is not None:
            if watched.state == "up":
                _log.warning("%s was lost: %s", name, lost)
                self._lost(name)
            watched.state = "down"
            self._start(name, watched)
        else:
            self._silent(name, watched)

    def _silent(self, name: str, watched: _Watched) -> None:
        """A part did not answer in time."""
        watched.state = "starting" if watched.state == "starting" else "down"
        if self._clock() - watched.heard_at > self._hung_s:
            _log.warning("%s has not answered for %g s and is killed", name, self._hung_s)
            watched.heard_at = self._clock()
            _tried(name, "killed", watched.part.kill)

    def _start(self, name: str, watched: _Watched) -> None:
        """Start a part; the time until it counts as hung begins anew."""
        watched.heard_at = self._clock()
        _tried(name, "started", watched.part.start)


def _tried(name: str, what: str, action: Callable[[], None]) -> None:
    """Do something to a part; where that fails, it is tried again with the next probe."""
    try:
        action()
    except Exception:
        _log.exception("%s cannot be %s", name, what)
