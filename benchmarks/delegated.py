"""What delegated calls cost on Ray, and how they overlap. `python benchmarks/delegated.py [--json]`

The peer is Ray itself: the same calls made from the same process to another actor, without anything of ours.
Both sides are measured within that process, in turns, and the median of the rounds counts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors import Runtime
from actors.control.spec import MOST_RUNS
from actors.requests import CacheUse, RunRequest
from benchmarks.measure import Row, alternate, report, text_of
from rtfs.run import Limits

POLICY = """
[delegation.local_models]
echo = { kind = "echo" }
slow = { kind = "echo", latency_ms = 100 }
slower = { kind = "echo", latency_ms = 200 }
[delegation.static_routes]
"fast-*" = "local-echo"
"slow-*" = "local-slow"
"slower-*" = "local-slower"
"""
LATENCY_S = 0.1
CALLS = 300
BATCH = 5_000
ROUNDS = 7
LIMITS = Limits(deadline_s=120.0)
#: the target is measured, and not what is known of its answers
NO_CACHES = CacheUse(bypass=True, no_store=True)

ONE_BY_ONE = f"(defn fast-echo [x] x) (loop [i 0] (if (< i {CALLS}) (do (fast-echo i) (recur (+ i 1))) i))"
TOGETHER = f"(defn fast-echo [x] x) (count (map fast-echo (range {BATCH})))"
#: two chains of two calls each, slow then slower and slower then slow, and one slow call: the critical path is
#: one slow and one slower call; with a barrier after the first calls it would be two slower ones
STRAGGLERS = """
(defn slow-a [x] x) (defn slower-a [x] x)
(let [a (slow-a 1) b (slower-a 2) c (slower-a a) d (slow-a b) e (slow-a 3)] [c d e])
"""


@ray.remote(num_cpus=0)
class Echo:
    """The peer's target."""

    def echo(self, x: Any) -> Any:
        return x


@ray.remote(num_cpus=0, max_concurrency=MOST_RUNS)
class Both:
    """An evaluator, and the peer's caller, in one process: they have the same way to their targets."""

    def __init__(self, namespace: str, echo: Any) -> None:
        from actors.evaluator.connected import ConnectedEvaluator

        self._evaluator = ConnectedEvaluator(namespace, process="benchmark").evaluator
        self._echo = echo

    def ours(self, source: str, cache: CacheUse = NO_CACHES) -> float:
        reply = self._evaluator.run(RunRequest(source=source, limits=LIMITS, cache=cache))
        if reply.error is not None:
            raise reply.error
        assert all(call.answered_by == call.target for call in reply.calls), reply.calls
        assert cache != NO_CACHES or all(call.tier is None for call in reply.calls), reply.calls
        return reply.took_ms / 1000

    def known(self, source: str) -> float:
        """The same once every answer is in memory."""
        return self.ours(source, CacheUse())

    def one_by_one(self, calls: int) -> float:
        start = time.perf_counter()
        for number in range(calls):
            ray.get(self._echo.echo.remote(number))
        return time.perf_counter() - start

    def together(self, calls: int) -> float:
        start = time.perf_counter()
        ray.get([self._echo.echo.remote(number) for number in range(calls)])
        return time.perf_counter() - start


class Sides:
    """Ours and the peer, each as seconds measured within the process that calls."""

    def __init__(self, runtime: Runtime) -> None:
        self._both = Both.remote(runtime.spec.namespace, Echo.remote())

    def ours(self, source: str) -> float:
        return ray.get(self._both.ours.remote(source))

    def known(self, source: str) -> float:
        return ray.get(self._both.known.remote(source))

    def peer(self, method: str, calls: int) -> float:
        return ray.get(getattr(self._both, method).remote(calls))


def medians(ours: Any, peer: Any) -> tuple[float, float]:
    """`alternate`, for sides that measure themselves."""
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    alternate(lambda: times["ours"].append(ours()), lambda: times["peer"].append(peer()), ROUNDS)
    middle = [sorted(each[1:])[ROUNDS // 2] for each in times.values()]
    return middle[0], middle[1]


def rows(runtime: Runtime) -> list[Row]:
    sides = Sides(runtime)
    ours, peer = (
        s / CALLS for s in medians(lambda: sides.ours(ONE_BY_ONE), lambda: sides.peer("one_by_one", CALLS))
    )
    found = [
        Row(
            "delegated echo call", ours, peer, "raw Ray actor call", ours - peer, "s",
            "<= 100 us over peer", ours - peer <= 1e-4,
        )
    ]  # fmt: skip
    sides.known(ONE_BY_ONE)  # asks the target
    ours, peer = (
        s / CALLS for s in medians(lambda: sides.known(ONE_BY_ONE), lambda: sides.peer("one_by_one", CALLS))
    )
    found.append(
        Row(
            "the same call, known", ours, peer, "raw Ray actor call", peer / ours, "x",
            "faster than the peer", ours < peer,
        )
    )  # fmt: skip
    ours, peer = medians(lambda: sides.ours(TOGETHER), lambda: sides.peer("together", BATCH))
    found.append(
        Row(
            f"{BATCH} delegated calls at once", ours, peer, f"{BATCH} raw Ray actor calls", peer / ours, "x",
            f">= 70 % of its throughput: {peer / ours:.0%}", peer / ours >= 0.7,
        )
    )  # fmt: skip
    for number, most in ((1, 1.15), (8, 1.15), (32, 1.15), (500, 1.5)):
        source = f"(defn slow-echo [x] x) (count (map slow-echo (range {number})))"
        found.append(overlap(sides, f"{number} calls of 100 ms", source, LATENCY_S, most))
    found.append(overlap(sides, "stragglers: critical path 300 ms", STRAGGLERS, 3 * LATENCY_S, 1.15))
    return found


def overlap(sides: Sides, what: str, source: str, expected_s: float, most: float) -> Row:
    times = sorted(sides.ours(source) for _ in range(ROUNDS + 1))
    ours = times[len(times) // 2]
    return Row(
        what, ours, expected_s, "the latency itself", ours / expected_s, "x",
        f"<= {text_of(most * expected_s)}", ours <= most * expected_s,
    )  # fmt: skip


def measured() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "delegation.toml"
        policy.write_text(POLICY, encoding="utf-8")
        with Runtime.start(policy, state_dir=folder, evaluators=1) as runtime:
            return rows(runtime)


if __name__ == "__main__":
    sys.exit(report("Delegated calls on Ray", measured))
