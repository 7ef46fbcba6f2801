"""Calls that may be made again: how, and until when their answers are known.

Bounded in number and in bytes of arguments; those that were met least recently are forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import inf

from policies.running.results import Again


@dataclass(slots=True, eq=False)
class Remembered:
    """A call that may be made again."""

    again: Again
    #: name of its target
    target: str
    #: how long an answer is kept, seconds
    ttl_s: float
    #: of its arguments
    nbytes: int
    #: of what answered last
    version: str = ""
    #: until when that answer is known; seconds of the clock
    known_until: float = -inf
    #: not to be asked before
    rests_until: float = -inf
    #: whether it is asked beforehand just now, and whether somebody waits for that
    under_way: bool = False
    joined: bool = False
    #: whether it was asked beforehand, and nobody has used the answer yet
    is_unused: bool = False

    def is_known(self, version: str, now: float) -> bool:
        """Whether its answer is still known, if `version` answers now."""
        return now < self.known_until and version in ("", self.version)


class Memory:
    """Calls by their digests. For one thread at a time."""

    def __init__(self, most_calls: int, most_bytes: int) -> None:
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self._calls: OrderedDict[bytes, Remembered] = OrderedDict()
        self.nbytes = 0

    def get(self, call: bytes) -> Remembered | None:
        """What is remembered of a call."""
        return self._calls.get(call)

    def met(self, call: bytes) -> Remembered | None:
        """The same, of a call that was made just now."""
        found = self._calls.get(call)
        if found is not None:
            self._calls.move_to_end(call)
        return found

    def keep(self, call: bytes, made: Remembered) -> list[Remembered]:
        """Remember a new call; those that are forgotten for it."""
        self._calls[call] = made
        self.nbytes += made.nbytes
        forgotten = []
        while len(self._calls) > self._most_calls or self.nbytes > self._most_bytes:
            forgotten.append(self._popped(next(iter(self._calls))))
        return forgotten

    def forget(self, call: bytes) -> Remembered | None:
        """Forget a call, if it is there."""
        return self._popped(call) if call in self._calls else None

    def __len__(self) -> int:
        """Calls that are remembered."""
        return len(self._calls)

    def _popped(self, call: bytes) -> Remembered:
        gone = self._calls.pop(call)
        self.nbytes -= gone.nbytes
        return gone
