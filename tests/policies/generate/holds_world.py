"""What surrounds generated programs: hosts, facts, targets that answer, fail, are unsure, slow or dear."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import nan
from random import Random

import holds_words as words
from holds_oracle import micro
from holds_watch import Watch

from policies.errors import TargetFailed
from policies.running.runner import Allowance, Clock, Outcome
from policies.targets import target_name
from rtfs import errors
from rtfs.delegation import ExecTarget, FunctionInfo
from rtfs.host import DictHost
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value

#: targets of one run answer without ado after so many tries, since each may run the body again
MOST_TRIES = 60
EPOCH = 1_790_000_000.0


class Time:
    """Clocks that go only when told."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._start = time.monotonic()

    def now(self) -> float:
        return self._start + self.passed

    def wall(self) -> float:
        return EPOCH + self.passed

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=self.now, wall=self.wall)


def host() -> DictHost:
    """Answers with marks of where the answers come from."""
    return DictHost(
        {id_: lambda *args, id_=id_: f"«capability:{id_}» {args[0]!s:.20}" for id_ in words.CAPABILITIES},
        context={key: f"«context:{key}»" for key in words.CONTEXT_KEYS},
    )


def facts(pick: Random) -> RuntimeFacts:
    ambient = {name: pick.choice(words.FACTS[name]) for name in words.FACTS if pick.random() < 0.5}
    return RuntimeFacts(
        tenant=pick.choice((None, *words.TENANTS, *words.TENANTS)),
        permissions=frozenset(words.PERMISSIONS if pick.random() < 0.4 else pick.sample(words.PERMISSIONS, 1)),
        labels=frozenset(pick.sample(words.LABELS, 1) if pick.random() < 0.15 else ()),
        plan=pick.choice((None, *words.PLANS)),
        ambient=ambient,
    )


CAUSES = (
    "rate-limited", "timeout", "timeout", "connection-refused", "connection-refused", "server-error",
    "server-error", "auth", "bad-reply", "out-of-memory", "slow", "slow", "bad-request", "bad-request",
    "cancelled", "cancelled", "what is that",
)  # fmt: skip

#: by mood: what a target does, and how often
MOODS: dict[str, dict[str, int]] = {
    "well": {"answers": 1},
    "mixed": {
        "answers": 6,
        "is unsure": 3,
        "fails": 3,
        "breaks": 1,
        "talks nonsense": 1,
        "is slow": 2,
        "is dear": 1,
    },
    "bad": {"is unsure": 4, "fails": 3, "fails slowly": 3, "breaks": 1, "talks nonsense": 1, "is slow": 2},
    "unsure": {"answers": 1, "is unsure": 6},
    "dear": {"answers": 3, "is dear": 2, "costs all": 6, "names no cost": 1},
}


class Targets:
    """A runner for all targets. Each runs the body of the function, and then does as it is in the mood to.

    `upheave`: called in the middle of some tries, to change what is in force.
    """

    def __init__(self, pick: Random, watch: Watch, time: Time, upheave: Callable[[], None] | None) -> None:
        self._pick = pick
        self._watch = watch
        self._time = time
        self._upheave = upheave
        self.mood = "well"

    def run(
        self, function: FunctionInfo, args: tuple[Value, ...], target: ExecTarget, allowance: Allowance
    ) -> Outcome:
        watch, pick, name = self._watch, self._pick, target_name(target)
        frame, purses, bound = watch.tried(function, args, target, allowance)
        reserved = bound or 0
        what = "answers"
        if watch.tries < MOST_TRIES:
            moods = MOODS[self.mood]
            what = pick.choices(tuple(moods), tuple(moods.values()))[0]
        watch.counts[f"target {what}"] += 1
        if self._upheave is not None and pick.random() < 0.1:
            self._upheave()
        share = {"costs all": 1.0, "is dear": 1 + pick.random() * 3}.get(
            what, pick.random() * pick.choice((0, 1))
        )
        cost_usd = share * (0.004 if bound is None else reserved / 1e6)
        if share <= 1 and bound is not None:
            cost_usd = min(cost_usd, reserved / 1e6)
        cost = micro(cost_usd)
        confidence = pick.choice((None, 0.95, 1.0))

        def pay(amount: int) -> None:
            watch.paid(frame, name, purses, reserved, amount)

        if what in ("is slow", "fails slowly"):
            self._time.passed += pick.choice((0.3, 2.0, 20.0, 70.0))
            watch.events += 1
        if what in ("fails", "fails slowly", "breaks", "talks nonsense"):
            frame.failed = True
        if what in ("fails", "fails slowly"):
            pay(cost)
            raise TargetFailed(
                pick.choice(CAUSES), retry_after_s=pick.choice((None, None, 30.0)), cost_usd=cost_usd
            )
        if what == "breaks":
            pay(reserved)
            raise pick.choice((KeyError("text"), ConnectionResetError("reset"), ValueError()))
        if what == "talks nonsense":
            pay(cost)
            return Outcome(value=pick.choice((object(), 2**70)), cost_usd=cost_usd)
        try:
            value = frame.body(*args)
        except errors.RtfsError:
            frame.failed = True
            pay(reserved)
            raise
        if what == "names no cost":
            pay(reserved)
            return Outcome(value=value, cost_usd=pick.choice((nan, -1.0)), confidence=confidence)
        if what == "is unsure":
            frame.failed = True
            confidence = pick.choice((0.1, 0.4, 0.6))
        pay(cost)
        return Outcome(
            value=value, cost_usd=cost_usd, latency_ms=pick.choice((None, 5.0)), confidence=confidence
        )
