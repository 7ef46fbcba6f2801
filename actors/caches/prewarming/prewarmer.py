"""Calls that are likely to come, asked for before they do.

    delegated call ─▶ watch ─▶ inbox ─▶ Predictor ─▶ likely, and its answer not known ─▶ Budget ─▶ made again
                        │                                                                            │
                        └─▶ caches ─▶ (one flight per key) ─▶ target ◀───────────────────────────────┘

A call is made again in the way of every other (`policies.running.results.Again`): the hard rules permit it,
its tenant's purses pay, and whoever makes it meanwhile waits for the same answer. Only what was asked before is
asked beforehand, of targets that the policy names, for functions that can do nothing but answer.

What is done in the time of a call is to note it; the rest is done in the background (`start`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from actors.caches.keys import InferenceCall, Scope
from actors.caches.prewarming.budget import Bounds, Budget
from actors.caches.prewarming.predictor import Predictor
from actors.caches.prewarming.remembered import Memory, Remembered
from actors.telemetry import instruments
from policies.file.schema import PrewarmingTable
from policies.rules.globs import matches
from policies.running.chain import Event, Refused, Succeeded
from policies.running.observe import Meter, NullMeter
from policies.running.results import Question
from policies.targets import target_name
from policies.world import MicroUsd, micro_usd
from rtfs.errors import StorageError
from rtfs.ir_codec import encode_value
from rtfs.values import Vector

#: calls asked beforehand at once, in one process
AT_ONCE: Final = 2
#: arguments of one call that is remembered, and of all of them, bytes
MOST_ARGUMENT_BYTES: Final = 1 << 16
MOST_BYTES: Final = 1 << 25
#: notes that wait for being read; further ones push the oldest out
_MOST_NOTES: Final = 4096
#: a call that came to no answer is not asked beforehand again for so long, seconds
REST_S: Final = 60.0

#: the tier of what another call was told that was under way: `actors.caches.results.SHARED`
_SHARED: Final = "shared"
_IDENTITY: Final = b"rtfs prewarm 1"


@dataclass(slots=True)
class PrewarmingStats:
    """Counts since it began."""

    #: calls asked beforehand that the target answered
    answered: int = 0
    #: that turned out to be known, or were being asked already
    known: int = 0
    failed: int = 0
    #: that a rule, a purse or a circuit breaker was against
    refused: int = 0
    #: answers that a call came for
    used: int = 0
    #: answers for which none came before their time was over
    wasted: int = 0


class _Made(NamedTuple):
    """A note: a call is made."""

    question: Question
    call: InferenceCall
    run: str | None
    at: float


class _Told(NamedTuple):
    """A note: it has been answered."""

    call: InferenceCall
    event: Succeeded
    ttl_s: float
    at: float


class Prewarmer:
    """Asks likely calls beforehand. Safe to use from many threads.

    Args:
        start: does some work soon, on a thread of its own.
        run: tells runs apart; None: none is under way.
    """

    def __init__(
        self,
        settings: PrewarmingTable,
        start: Callable[[Callable[[], None]], None],
        *,
        run: Callable[[], str | None] = lambda: None,
        timer: Callable[[], float] = time.monotonic,
        meter: Meter | None = None,
        predictor: Predictor | None = None,
        most_calls: int = 4096,
    ) -> None:
        self.stats = PrewarmingStats()
        self._settings = settings
        self._start = start
        self._run = run
        self._timer = timer
        self._meter = meter or NullMeter()
        self._predictor = Predictor(most_calls=most_calls) if predictor is None else predictor
        self._memory = Memory(most_calls, MOST_BYTES)
        self._budget = Budget(_bounds(settings))
        #: by target, what answers now
        self._versions: dict[str, str] = {}
        self._notes: deque[_Made | _Told] = deque(maxlen=_MOST_NOTES)
        self._is_reading = False
        self._lock = threading.Lock()
        self._thread = threading.local()

    @property
    def spent(self) -> MicroUsd:
        """Money that calls beforehand took."""
        return self._budget.spent

    def follow(self, settings: PrewarmingTable) -> None:
        """Keep to other settings from now on."""
        with self._lock:
            self._settings = settings
            self._budget.bounds = _bounds(settings)

    def watch(self, question: Question, call: InferenceCall, answer: Callable[[], Event]) -> Event:
        """What `answer` comes to; the call is noted unless it is one that is made beforehand."""
        if getattr(self._thread, "is_beforehand", False):
            return answer()
        self._note(_Made(question, call, self._run(), self._timer()))
        event = answer()
        if isinstance(event, Succeeded):
            self._note(_Told(call, event, question.keeping.ttl_s, self._timer()))
        return event

    def _note(self, note: _Made | _Told) -> None:
        self._notes.append(note)
        if not self._is_reading:
            self._is_reading = True
            self._start(self._read)

    # ------------------------------------------------------------ in the background

    def _read(self) -> None:
        """Learn from the notes, and begin what is worth it."""
        self._is_reading = False  # first: what is noted from here on is read now, or begins another reading
        due: list[Callable[[], None]] = []
        try:
            with self._lock:
                while self._notes:
                    note = self._notes.popleft()
                    if isinstance(note, _Told):
                        self._learn_answer(note)
                    else:
                        name = _identity(note.call)
                        self._learn_call(note, name)
                        due += self._likely(note, name)
        finally:
            for work in due:
                self._start(work)

    def _learn_call(self, made: _Made, name: bytes) -> None:
        call, question = made.call, made.question
        self._versions[call.model.target] = call.model.version
        forgotten = self._predictor.observe(name, made.at, run=made.run, tenant=call.scope.tenant)
        self._lost([gone for each in forgotten if (gone := self._memory.forget(each)) is not None])
        known = self._memory.met(name)
        if question.again is None or not self._may_be_asked(question):
            return
        if known is not None:
            known.again, known.ttl_s = question.again(), question.keeping.ttl_s
            return
        try:
            nbytes = len(encode_value(Vector(list(question.args))))
        except StorageError:
            return
        if nbytes <= MOST_ARGUMENT_BYTES:
            made_again = Remembered(
                again=question.again(),
                target=call.model.target,
                ttl_s=question.keeping.ttl_s,
                nbytes=nbytes,
            )
            self._lost(self._memory.keep(name, made_again))

    def _may_be_asked(self, question: Question) -> bool:
        may_act = bool(question.call.facts.function.capabilities)
        return not may_act and self._is_named(target_name(question.target))

    def _is_named(self, target: str) -> bool:
        return any(matches(glob, target) for glob in self._settings.targets)

    def _learn_answer(self, told: _Told) -> None:
        call, event = told.call, told.event
        entry = self._memory.get(_identity(call))
        if entry is None:
            return
        if event.known is None:
            self._lost([entry])  # what was kept beforehand was of no use
        elif entry.under_way:
            if event.known.tier == _SHARED and not entry.joined:
                entry.joined = True
                self._count("used")
        elif entry.is_unused:
            entry.is_unused = False
            self._count("used")
        _is_known(entry, event, told.ttl_s, told.at, call.model.version)

    def _likely(self, made: _Made, name: bytes) -> list[Callable[[], None]]:
        """Calls to be asked beforehand after one that was made, `name`."""
        due: list[Callable[[], None]] = []
        now = self._timer()
        if self._budget.is_used_up(now):
            return due
        for likely, probability in self._predictor.next_calls(now, run=made.run, tenant=made.call.scope.tenant):
            if probability < self._settings.min_probability:
                break
            entry = None if likely == name else self._memory.get(likely)  # that one is being answered
            if entry is None or not self._is_worth_asking(entry, now):
                continue
            price = entry.again.price
            if price is not None and self._budget.take(price, now):
                self._lost([entry])
                entry.under_way, entry.joined = True, False
                due.append(self._work(entry, price))
        return due

    def _is_worth_asking(self, entry: Remembered, now: float) -> bool:
        if entry.under_way or entry.is_known(self._versions.get(entry.target, ""), now):
            return False
        return now >= entry.rests_until and self._is_named(entry.target)

    def _work(self, entry: Remembered, price: MicroUsd) -> Callable[[], None]:
        return lambda: self._ask(entry, price)

    def _ask(self, entry: Remembered, price: MicroUsd) -> None:
        """Make a call beforehand. Whatever comes of it, nobody has asked for it yet."""
        event: Event | None = None
        self._thread.is_beforehand = True
        try:
            event = entry.again.ask(price)
        except Exception:  # of the program, or a bug of a runner: the call itself will meet it, and tell
            event = None
        finally:
            self._thread.is_beforehand = False
            with self._lock:
                self._over(entry, event, price)

    def _over(self, entry: Remembered, event: Event | None, price: MicroUsd) -> None:
        now = self._timer()
        self._budget.settle(price, cost := _cost(event, price), now)
        self._meter.count(instruments.PREWARMING_COST, {}, cost)
        entry.under_way = False
        if not isinstance(event, Succeeded):
            entry.rests_until = now + REST_S
            self._count("refused" if isinstance(event, Refused) else "failed")
            return
        entry.is_unused = event.known is None and not entry.joined
        self._count("answered" if event.known is None else "known")
        _is_known(entry, event, entry.ttl_s, now, self._versions.get(entry.target, ""))

    # ------------------------------------------------------------ counts

    def _lost(self, calls: list[Remembered]) -> None:
        """Their answers are gone, used or not."""
        for each in calls:
            if each.is_unused:
                each.is_unused = False
                self._count("wasted")

    def _count(self, result: str) -> None:
        setattr(self.stats, result, getattr(self.stats, result) + 1)
        self._meter.count(instruments.PREWARMED, {"result": result})


def _cost(event: Event | None, price: MicroUsd) -> MicroUsd:
    """What a call did cost; what it may cost at most if nobody can say."""
    if isinstance(event, Refused):
        return 0
    return price if event is None else event.cost


def _is_known(entry: Remembered, event: Succeeded, ttl_s: float, now: float, version: str) -> None:
    """Note until when an answer is known."""
    age_s = 0.0 if event.known is None else event.known.age_s
    entry.known_until = now + ttl_s - age_s
    entry.version = event.version or version


def _identity(call: InferenceCall) -> bytes:
    """The same for all calls that differ in nothing but the version of what answers: 16 bytes."""
    parts = call.function.digest + call.input + _whose(call.scope, call.model.target)
    return blake2b(parts, digest_size=16, person=_IDENTITY).digest()


@lru_cache(4096)
def _whose(scope: Scope, target: str) -> bytes:
    """For whom a call is, and who answers it, as text."""
    return repr((scope.tenant, sorted(scope.labels), target)).encode("utf-8", "surrogatepass")


def _bounds(settings: PrewarmingTable) -> Bounds:
    return Bounds(
        calls_per_minute=settings.max_calls_per_minute,
        per_hour=micro_usd(settings.max_usd_per_hour),
        at_once=AT_ONCE,
    )
