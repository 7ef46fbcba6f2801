"""What an evaluation costs over HTTP on Ray Serve. `python benchmarks/serving.py [--json]`

Both proxies of Serve are measured, its own and HAProxy (`RAY_SERVE_ENABLE_HA_PROXY`), each in a Ray of its own.

The peer is a Serve application that does nothing: it answers a constant. All are asked by the same client,
with the same body, over the same number of connections, in turns. A second peer also reads the body of its
request, as every application must that is sent something: that is a call of the proxy's actor in Serve.
Requests say that caches of results are to be left alone: what is measured is the evaluation.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ray import serve

from actors import Runtime
from benchmarks.measure import Row, report, text_of

CLIENTS = 8
REQUESTS = 400
ROUNDS = 5
#: names the file for the rows of the process that measures
MEASURE = "RTFS_BENCHMARK_ROWS"
BODY = json.dumps({"source": "(+ a 1)", "args": {"a": 41}}).encode()


@serve.deployment(name="noop", ray_actor_options={"num_cpus": 0}, max_ongoing_requests=1000)
class NoOp:
    """The peer."""

    async def __call__(self, request: Any) -> str:
        return "42"


@serve.deployment(name="reading", ray_actor_options={"num_cpus": 0}, max_ongoing_requests=1000)
class Reading:
    """The same, but that it reads what it is sent: in Serve a replica asks its proxy for that."""

    async def __call__(self, request: Any) -> str:
        await request.body()
        return "42"


class Client:
    """Asks one path over one connection that is kept."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self._path = path
        self._headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {token}",
            "cache-control": "no-cache, no-store",
        }
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self) -> float:
        start = time.perf_counter()
        self._connection.request("POST", self._path, BODY, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        took_s = time.perf_counter() - start
        assert answer.status == 200, text
        assert b"42" in text, text
        return took_s


def throughput(port: int, path: str, token: str) -> float:
    """Requests per second of `CLIENTS` clients at once."""

    def work() -> None:
        client = Client(port, path, token)
        for _ in range(REQUESTS // CLIENTS):
            client.ask()

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return REQUESTS / (time.perf_counter() - start)


def latency(port: int, path: str, token: str) -> float:
    """Median seconds of one client's requests."""
    client = Client(port, path, token)
    return sorted(client.ask() for _ in range(REQUESTS))[REQUESTS // 2]


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def rows(port: int, token: str, proxy: str) -> list[Row]:
    paths = ("/v1/evaluate", "/noop", "/reading")
    for path in paths:
        throughput(port, path, token)
    fast: dict[str, list[float]] = {path: [] for path in paths}
    slow: dict[str, list[float]] = {path: [] for path in paths}
    for _ in range(ROUNDS):
        for path in paths:
            fast[path].append(throughput(port, path, token))
            slow[path].append(latency(port, path, token))
    per_s = {path: middle(fast[path]) for path in paths}
    p50_s = {path: middle(slow[path]) for path in paths}
    return [
        *against("/noop", "a Serve app that does nothing", per_s, p50_s, proxy),
        *against("/reading", "one that reads its body", per_s, p50_s, proxy),
    ]


def against(
    peer: str, peer_name: str, per_s: dict[str, float], p50_s: dict[str, float], proxy: str
) -> list[Row]:
    ours = "/v1/evaluate"
    share, over_s = per_s[ours] / per_s[peer], p50_s[ours] - p50_s[peer]
    return [
        Row(
            f"{proxy}, {CLIENTS} clients, requests/s: {per_s[ours]:.0f} and {per_s[peer]:.0f}",
            1 / per_s[ours], 1 / per_s[peer], peer_name, share, "x",
            f">= 80 % of its requests/s: {share:.0%}", share >= 0.8,
        ),
        Row(
            f"{proxy}, POST /v1/evaluate, p50", p50_s[ours], p50_s[peer], peer_name, over_s, "s",
            f"<= 1.5 ms over peer: {text_of(over_s)}", over_s <= 1.5e-3,
        ),
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def measured(proxy: str) -> list[Row]:
    """The rows of one proxy, in this process."""
    from actors.access.store import TokenStore
    from cluster.http.app import application

    with tempfile.TemporaryDirectory() as folder:
        policy, tokens = Path(folder) / "delegation.toml", Path(folder) / "tokens"
        policy.write_text("", encoding="utf-8")
        _, token = TokenStore(tokens).create(name="benchmark", tenant="benchmark")
        with Runtime.start(policy, name="benchmark", state_dir=folder, evaluators=1):
            port = free_port()
            serve.start(http_options={"host": "127.0.0.1", "port": port})
            serve.run(NoOp.bind(), name="noop", route_prefix="/noop")
            serve.run(Reading.bind(), name="reading", route_prefix="/reading")
            arguments = {
                "namespace": "benchmark",
                "policy": str(policy),
                "state_dir": folder,
                "evaluators": "1",
                "tokens_file": str(tokens),
            }
            serve.run(application(arguments), name="rtfs", route_prefix="/")
            try:
                return rows(port, token, proxy)
            finally:
                serve.shutdown()


def measured_apart(proxy: str, variable: str) -> list[Row]:
    """The rows of one proxy, in a process of their own: Serve reads the variable when it is imported."""
    with tempfile.NamedTemporaryFile() as file:
        environ = {**os.environ, "RAY_SERVE_ENABLE_HA_PROXY": variable, MEASURE: file.name}
        subprocess.run([sys.executable, __file__, proxy], env=environ, check=True, stdout=sys.stderr)
        return [Row(**each) for each in json.load(file)]


def main() -> int:
    out = os.environ.get(MEASURE)
    if out:
        Path(out).write_text(json.dumps([asdict(row) for row in measured(sys.argv[1])]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()  # before minutes of measuring
    found = [*measured_apart("own proxy", "0"), *measured_apart("HAProxy", "1")]
    return report("Evaluation over HTTP", found, ["--json"] if options.json else [])


if __name__ == "__main__":
    sys.exit(main())
