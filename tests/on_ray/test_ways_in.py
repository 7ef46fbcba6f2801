"""One program, five ways in: the library, a driver, a ticket, HTTP, a job. The value is the same."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import ray

import rtfs
from actors import Runtime

PROGRAM = """
(defn echo-it "Goes to a model where there is one." [x] x)
(defn step-of [n] (let [a (echo-it n) b (echo-it (* 2 n))] [a b (+ a b)]))
(println "working")
{:steps (map step-of (range n)) "who" who :set #{1 2} :half 2.5 :sum (reduce + (map echo-it (range n)))}
"""
ARGS = {"n": 5, "who": "Ada"}
EXPECTED = rtfs.pr_str(rtfs.evaluate(PROGRAM.replace('(println "working")', ""), args=ARGS))


@pytest.fixture(scope="module")
def url(runtime: Runtime) -> Iterator[str]:
    from ray import serve

    from cluster.http.app import application

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(application({"namespace": "tests", "evaluators": "2"}), name="rtfs", route_prefix="/")
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


def test_the_library() -> None:
    assert EXPECTED.startswith("{:steps [[0 0 0] [1 2 3]")


def test_a_driver(runtime: Runtime) -> None:
    reply = runtime.run(PROGRAM, args=ARGS)
    assert rtfs.pr_str(reply.outcome()) == EXPECTED
    assert reply.output == "working\n"
    assert sum(each.calls for each in reply.calls) == 15


def test_a_ticket(runtime: Runtime) -> None:
    assert rtfs.pr_str(runtime.submit(PROGRAM, args=ARGS).result(timeout=60)) == EXPECTED


def test_http(url: str) -> None:
    answer = httpx.post(f"{url}/v1/evaluate", json={"source": PROGRAM, "args": ARGS}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["rtfs"] == EXPECTED
    assert answer.json()["output"] == "working\n"


def test_http_and_a_ticket(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        made = client.post("/v1/evaluate", json={"source": PROGRAM, "args": ARGS, "mode": "async"})
        assert made.status_code == 202, made.text
        answer = client.get(f"{made.headers['location']}/result", params={"wait": 30})
        assert answer.json()["rtfs"] == EXPECTED
        ready = client.get("/readyz")
        assert ready.status_code == 200, ready.text
        assert "rtfs_runs_total" in client.get("/metrics").text


def test_a_job(runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "plan.rtfs"
    file.write_text(PROGRAM, encoding="utf-8")
    arguments = [f"--arg={name}={json.dumps(value)}" for name, value in ARGS.items()]
    done = subprocess.run(
        [sys.executable, "-m", "cluster.job", str(file), "--name", "tests", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["working", EXPECTED]
