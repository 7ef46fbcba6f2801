"""Results that are known already: the port through which a delegated call asks caches before its target.

It is asked before each try, once the hard rules permit the target, and before money is put aside and the
circuit breaker is asked. So a cache never answers what is forbidden, and answers for a target that is down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from policies.context import CallContext
from policies.plan import CacheTier
from policies.rules.cache_wish import CacheWish
from policies.running.chain import Event
from policies.world import MicroUsd
from rtfs.delegation import ExecTarget
from rtfs.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How the results of a function are kept if some target answers."""

    tier: CacheTier
    ttl_s: float
    wish: CacheWish


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call that some target is to answer."""

    call: CallContext
    args: tuple[Value, ...]
    target: ExecTarget
    keeping: Keeping
    #: time that the answer may take, seconds
    timeout_s: float
    #: makes it possible to ask once more, later; None: it is not
    again: Callable[[], Again] | None = None


class Again(Protocol):
    """A call that may be made once more, outside the run that made it, so that its answer is known.

    Whatever stands between a call and its target stands here, too: the hard rules as they are then, money out
    of the same purses, the circuit breaker. The effects that the run permits were asked when it made the call.
    """

    @property
    def price(self) -> MicroUsd | None:
        """What it may cost now; None: nobody says."""

    def ask(self, most: MicroUsd) -> Event:
        """Make the call to this target, and to no other of its chain. For `most` money.

        Raises:
            RtfsError: the target ran the function, which failed.
        """


class Results(Protocol):
    """Results that are known already. Used by many threads at once."""

    def answer(self, question: Question, ask: Callable[[], Event]) -> Event:
        """What is known, as a `Succeeded` that is `known`; else what `ask` comes to, kept if it may be.

        Args:
            ask: tries the target. Called at most once.

        Raises:
            RtfsError: what `ask` raises, or the run must stop.
        """
