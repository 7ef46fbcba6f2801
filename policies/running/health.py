"""Health of targets: a circuit breaker as data.

    closed ──failures──▶ open ──cool-down over──▶ half-open ──success──▶ closed
                          ▲                           │
                          └────────── failure ────────┘

A `Record` is all that is known of one target. `admit`, `succeeded`, `failed` and `abandoned` take one, and the
time in seconds since the epoch, and give the next; nothing here looks at a clock. `HealthTracker` keeps the
records of many targets for many threads.

Closed: calls go through. The circuit opens

- at once for the causes in `AT_ONCE`;
- after `consecutive_failures` in a row;
- when of at least `min_calls` in the window more than `max_error_rate` failed;
- when the median latency of at least `min_calls` successes in the window is over `max_latency_ms`.

The window holds the outcomes of the last `window_s` seconds, the latest `WINDOW_CALLS` of them.

Open: no call goes through until the cool-down is over. Its length depends on the cause (`COOL_DOWN_S`, or the
policy's `cool_down_s`) and doubles each time the circuit opens again before it was closed for a whole window,
up to `max_cool_down_s`. What a target asks for itself (Retry-After) takes the place of the cause's length; the
cool-down is never shorter than that, unless it is more than `MAX_RETRY_AFTER_S`.

Half-open: `half_open_calls` go through as trials. The first success closes the circuit and forgets the window;
a failure opens it again. Trials of which nothing is heard for `TRIAL_PATIENCE_S`, or for as long as the
cool-down was, are given up: others go through in their place.

Outcomes of calls that were under way when the circuit opened count in the window, but neither close the circuit
nor lengthen the cool-down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from math import isfinite
from statistics import median
from typing import Final, Literal, NamedTuple, get_args

from policies.file.schema import Health
from policies.world import Circuit, TargetState

#: why a call of a target failed
type Cause = Literal[
    "rate-limited", "overloaded", "timeout", "connection-refused", "connection-lost", "server-error", "auth",
    "bad-reply", "out-of-memory", "crashed", "slow", "bad-request", "cancelled", "unknown",
]  # fmt: skip
CAUSES: Final[frozenset[str]] = frozenset(get_args(Cause.__value__))

#: seconds that an open circuit rests, by the cause that opened it
COOL_DOWN_S: Final[Mapping[str, float]] = {
    "rate-limited": 10.0,  # most quotas refill within seconds, and say when
    "overloaded": 5.0,  # a queue that is full drains soon
    "timeout": 15.0,  # each trial costs a whole timeout
    "connection-refused": 5.0,  # a restart takes seconds, and a trial fails at once
    "connection-lost": 5.0,
    "server-error": 10.0,
    "auth": 300.0,  # a wrong key stays wrong until somebody changes it
    "bad-reply": 20.0,  # a model that misunderstands goes on doing so, but not for every call
    "out-of-memory": 60.0,  # a model is loaded anew
    "crashed": 30.0,  # a process is started anew
    "slow": 30.0,  # load that makes a target slow passes slowly
    "unknown": 10.0,
}
#: what says nothing about the target: the call itself was at fault, or nobody wanted it any more
NOT_ITS_FAULT: Final = frozenset({"bad-request", "cancelled"})
#: further calls would fail alike
AT_ONCE: Final = frozenset({"rate-limited", "auth", "out-of-memory", "crashed"})
#: a target that asks for a longer rest is tried again after this all the same, seconds
MAX_RETRY_AFTER_S: Final = 86_400.0
#: a trial that has not ended after this is taken for lost, seconds
TRIAL_PATIENCE_S: Final = 60.0
#: outcomes that a window holds at most
WINDOW_CALLS: Final = 100


class Seen(NamedTuple):
    """One outcome in a window."""

    at: float
    #: None: the call failed
    latency_ms: float | None


class Record(NamedTuple):
    """What is known of one target. `Record()`: nothing yet.

    A tuple, since every call makes three of them and `_replace` is the cheapest way to.
    """

    circuit: Circuit = "closed"
    window: tuple[Seen, ...] = ()
    failures_in_row: int = 0
    #: how often the circuit has opened without having been closed for a whole window
    openings: int = 0
    #: length of the latest cool-down, seconds
    cool_down_s: float = 0.0
    #: open: end of the cool-down; half-open: when lost trials are given up
    retry_at: float = 0.0
    closed_at: float = float("-inf")
    #: trials let through while half-open
    trials: int = 0
    in_flight: int = 0
    #: what opened the circuit last
    cause: str | None = None


def admit(record: Record, settings: Health, now: float) -> Record | None:
    """The record with one more call under way; None if the circuit lets none through."""
    if record.circuit == "closed":
        return record._replace(in_flight=record.in_flight + 1)
    if record.retry_at > now:
        if record.circuit == "open" or record.trials >= settings.half_open_calls:
            return None
        return record._replace(trials=record.trials + 1, in_flight=record.in_flight + 1)
    return record._replace(
        circuit="half-open",
        trials=1,
        retry_at=now + max(record.cool_down_s, TRIAL_PATIENCE_S),
        in_flight=record.in_flight + 1,
    )


def succeeded(record: Record, settings: Health, now: float, latency_ms: float) -> Record:
    """A call that `admit` let through was answered."""
    record = _ended(record)
    if record.circuit == "half-open":
        return record._replace(
            circuit="closed", window=(), failures_in_row=0, trials=0, retry_at=0.0, closed_at=now
        )
    seen = Seen(now, latency_ms if isfinite(latency_ms) and latency_ms > 0 else 0.0)
    record = record._replace(window=_window(record, settings, now, seen), failures_in_row=0)
    if record.circuit == "closed" and _is_slow(record, settings):
        return _opened(record, settings, now, "slow", None)
    return record


def failed(
    record: Record, settings: Health, now: float, cause: str, retry_after_s: float | None = None
) -> Record:
    """A call that `admit` let through failed.

    Args:
        cause: one of `CAUSES`; any other counts as `unknown`.
        retry_after_s: how long the target asks to be left alone.
    """
    if cause in NOT_ITS_FAULT:
        return abandoned(record)
    record = _ended(record)
    trial = record.circuit == "half-open"
    record = record._replace(
        window=_window(record, settings, now, Seen(now, None)),
        failures_in_row=record.failures_in_row + 1,
    )
    if trial or (record.circuit == "closed" and (cause in AT_ONCE or _is_failing(record, settings))):
        return _opened(record, settings, now, cause, _retry_after(retry_after_s))
    return record


def abandoned(record: Record) -> Record:
    """A call that `admit` let through ended without saying anything about the target."""
    record = _ended(record)
    if record.circuit == "half-open" and record.trials:
        return record._replace(trials=record.trials - 1)
    return record


def adopted(record: Record, circuit: Circuit, retry_at: float, cause: str | None, now: float) -> Record | None:
    """The record after another process told that the circuit opened or closed; None if that changes nothing."""
    if circuit == "open" and retry_at > max(now, record.retry_at if record.circuit == "open" else 0.0):
        return record._replace(
            circuit="open",
            openings=max(1, record.openings),
            cool_down_s=retry_at - now,
            retry_at=retry_at,
            trials=0,
            cause=cause if cause in COOL_DOWN_S else "unknown",
        )
    if circuit == "closed" and record.circuit != "closed":
        return record._replace(
            circuit="closed", window=(), failures_in_row=0, trials=0, retry_at=0.0, closed_at=now
        )
    return None


def state_of(record: Record, settings: Health, now: float) -> TargetState:
    """What decisions see of a target."""
    window = _recent(record, settings, now)
    latencies = [seen.latency_ms for seen in window if seen.latency_ms is not None]
    return TargetState(
        circuit=record.circuit,
        retry_at=record.retry_at if record.circuit == "open" else 0.0,
        error_rate=(len(window) - len(latencies)) / len(window) if window else 0.0,
        latency_ms=median(latencies) if latencies else None,
        in_flight=record.in_flight,
    )


def cool_down(settings: Health, cause: str, openings: int, retry_after_s: float | None = None) -> float:
    """Seconds of rest for the `openings`th opening in a row, from 1."""
    base = retry_after_s
    if base is None:
        known = cause if cause in COOL_DOWN_S else "unknown"
        base = settings.cool_down_s.get(known, COOL_DOWN_S[known])
    # the exponent is bounded because a float is
    grown = min(base * 2.0 ** min(openings - 1, 60), settings.max_cool_down_s)
    return max(grown, retry_after_s or 0.0)


def _retry_after(seconds: float | None) -> float | None:
    """What a target asks for, if that can be meant; it comes from outside."""
    if seconds is None or not isfinite(seconds) or seconds < 0:
        return None
    return min(seconds, MAX_RETRY_AFTER_S)


def _ended(record: Record) -> Record:
    return record._replace(in_flight=max(0, record.in_flight - 1))


def _opened(record: Record, settings: Health, now: float, cause: str, retry_after_s: float | None) -> Record:
    again = record.circuit == "half-open" or now - record.closed_at < settings.window_s
    openings = record.openings + 1 if again else 1
    rest_s = cool_down(settings, cause, openings, retry_after_s)
    return record._replace(
        circuit="open",
        openings=openings,
        cool_down_s=rest_s,
        retry_at=now + rest_s,
        trials=0,
        cause=cause if cause in COOL_DOWN_S else "unknown",
    )


def _recent(record: Record, settings: Health, now: float) -> tuple[Seen, ...]:
    """The part of the window that is not too old. It is in order of time unless a clock was set back."""
    window = record.window
    if window and window[0].at <= now - settings.window_s:
        return tuple(seen for seen in window if seen.at > now - settings.window_s)
    return window


def _window(record: Record, settings: Health, now: float, seen: Seen) -> tuple[Seen, ...]:
    return (*_recent(record, settings, now)[-WINDOW_CALLS + 1 :], seen)


def _is_failing(record: Record, settings: Health) -> bool:
    if record.failures_in_row >= settings.consecutive_failures:
        return True
    calls = len(record.window)
    failures = sum(seen.latency_ms is None for seen in record.window)
    return calls >= settings.min_calls and failures / calls > settings.max_error_rate


def _is_slow(record: Record, settings: Health) -> bool:
    if settings.max_latency_ms is None:
        return False
    latencies = [seen.latency_ms for seen in record.window if seen.latency_ms is not None]
    return len(latencies) >= settings.min_calls and median(latencies) > settings.max_latency_ms


class HealthTracker:
    """The records of many targets, by name. Safe to use from many threads.

    Args:
        on_change: told the name of a target and its state when its circuit has changed; called without a lock.
    """

    def __init__(
        self, settings: Health | None = None, on_change: Callable[[str, TargetState], None] | None = None
    ) -> None:
        self.settings = settings or Health()  # may be replaced when the policy is
        self._on_change = on_change
        self._records: dict[str, Record] = {}
        self._lock = threading.Lock()

    def admit(self, name: str, now: float) -> bool:
        """Whether a call may go to the target now; if so it counts as under way until its end is told."""
        with self._lock:
            before = self._records.get(name, _NEW)
            after = admit(before, self.settings, now)
            if after is None:
                return False
            self._records[name] = after
        self._tell(name, before, after, now)
        return True

    def succeeded(self, name: str, now: float, latency_ms: float) -> None:
        """A call that was admitted has been answered."""
        self._step(name, now, lambda record: succeeded(record, self.settings, now, latency_ms))

    def failed(self, name: str, now: float, cause: str, retry_after_s: float | None = None) -> None:
        """A call that was admitted has failed."""
        self._step(name, now, lambda record: failed(record, self.settings, now, cause, retry_after_s))

    def abandoned(self, name: str, now: float) -> None:
        """A call that was admitted ended and says nothing about the target."""
        self._step(name, now, abandoned)

    def adopt(self, name: str, circuit: Circuit, retry_at: float, cause: str | None, now: float) -> bool:
        """Take over what another process found out: a circuit opened, or closed again; whether that is new.

        `on_change` is not told, so that what is passed on does not go round in circles.
        """
        with self._lock:
            before = self._records.get(name, _NEW)
            after = adopted(before, circuit, retry_at, cause, now)
            if after is None:
                return False
            self._records[name] = after
        return True

    def record(self, name: str) -> Record:
        """What is known of the target."""
        return self._records.get(name, _NEW)

    def states(self, now: float) -> dict[str, TargetState]:
        """What decisions see, of every target that was ever called."""
        with self._lock:
            records = dict(self._records)
        return {name: state_of(record, self.settings, now) for name, record in records.items()}

    def next_change(self, now: float) -> float | None:
        """When the next cool-down ends: a `World` made before then is out of date after it."""
        with self._lock:
            due = [
                record.retry_at
                for record in self._records.values()
                if record.circuit == "open" and record.retry_at > now
            ]
        return min(due, default=None)

    def _step(self, name: str, now: float, change: Callable[[Record], Record]) -> None:
        with self._lock:
            before = self._records.get(name, _NEW)
            after = self._records[name] = change(before)
        self._tell(name, before, after, now)

    def _tell(self, name: str, before: Record, after: Record, now: float) -> None:
        if self._on_change is not None and before.circuit != after.circuit:
            self._on_change(name, state_of(after, self.settings, now))


_NEW: Final = Record()
