"""A whole answer by meaning on a runtime: embedding, search, guards, the answer out of L2, there and back.

    python benchmarks/semantic_on_ray.py [--json]

Calls of one program, one after the other, each with a text that nobody asked before to the letter.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from measure import Row, report

from actors import Runtime

POLICY = """
[delegation.local_models]
topics = { path = "topics.rules" }
[delegation.static_routes]
"topic" = "local-topics"
"""
RULES = """
default other 0.9
threshold 0.1
[billing]
9 word invoice
[other]
1 word else
"""
SOURCE = """
(defn ^{:cache {:by :semantic :max-error 0.4}} topic
  "What a message is about."
  [text : string] : [:enum :billing :other]
  :other)
(topic text)
"""
WAYS = (
    *("send me the invoice for order {}", "please send me the invoice for order {}"),
    *("could you send me the invoice for order {}", "send me the invoice for order {}, please"),
    *("can you send me the invoice for order {}", "Send me the invoice for order {}!"),
)
#: the share of a percentile, and the reach of the issue, milliseconds
P99 = 0.99
REACH_MS = 10.0


def served_ms(runtime: Runtime, orders: int) -> list[float]:
    """How long calls took that were answered by meaning."""
    found = []
    for order in range(orders):
        for way in WAYS:
            (call,) = runtime.run(SOURCE, args={"text": way.format(1000 + order)}).calls
            if call.tier == "l3":
                found.append(call.took_ms)
    return found


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policy.toml").write_text(POLICY)
        (folder / "topics.rules").write_text(RULES)
        with Runtime.start(folder / "policy.toml", state_dir=folder / "state", evaluators=1) as runtime:
            while not runtime.similar("topic", "hello", at_least=0.0, limit=1):  # until its actor has begun
                runtime.run(SOURCE, args={"text": f"hello {time.time_ns()}"})
                time.sleep(0.2)
            times = sorted(served_ms(runtime, 100))
    p50, p99 = statistics.median(times), times[int(P99 * len(times))]
    return [
        Row(
            what=f"an answer by meaning, whole, {what} of {len(times)}",
            ours=took / 1000,
            peer=None,
            peer_name="",
            figure=took,
            unit="ms",
            reach=reach,
            reached=took <= REACH_MS,
        )
        for what, took, reach in (("p50", p50, ""), ("p99", p99, f"<= {REACH_MS:g} ms"))
    ]


if __name__ == "__main__":
    sys.exit(report("Answers by meaning on a runtime", rows))
