"""What happens when processes are killed: nothing is lost, nothing is stuck, and results are right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import ray
from ray_parts import Killer, until

from actors import Runtime, names
from actors.service import SubmitOptions
from rtfs import errors
from rtfs.security import RuntimeContext

TICKETS = 1_000
PROGRAM = "(defn echo-it [x] x) (defn work [n] (reduce + (map echo-it (range n)))) [n (work 4)]"


def test_a_thousand_tickets_survive_the_death_of_every_part(runtime: Runtime, killer: Killer) -> None:
    tickets = [runtime.submit(PROGRAM, SubmitOptions(deadline_s=110), args={"n": n}) for n in range(TICKETS)]
    killed: list[tuple[str, int]] = []
    for name in (names.evaluator(0), names.TICKETS, names.POLICY, names.CONTROL, names.evaluator(1)):
        killed.append((name, killer.kill(name)))
    _kill_model("model-echo-0", runtime)
    results = [ticket.result(timeout=110) for ticket in tickets]
    assert [list(result) for result in results] == [[n, 6] for n in range(TICKETS)]
    for name, old in killed:
        killer.wait_for(name, old)
    until(lambda: runtime.status().ready)


def _kill_model(prefix: str, runtime: Runtime) -> None:
    from ray.util import list_named_actors

    space = runtime.spec.namespace
    found = [
        each["name"]
        for each in list_named_actors(all_namespaces=True)
        if each["namespace"] == space and each["name"].startswith(prefix)
    ]
    assert found
    for name in found:
        ray.kill(ray.get_actor(name, namespace=space), no_restart=False)


def test_an_evaluator_takes_only_its_own_runs_with_it(runtime: Runtime, killer: Killer) -> None:
    elsewhere = runtime.submit("(loop [i 0] (if (< i 20000000) (recur (+ i 1)) i))")
    until(lambda: elsewhere.view().phase == "running")
    with_effects = RuntimeContext.full()
    sleeping = [runtime.submit("(thread/sleep 60000)", context=with_effects) for _ in range(2)]
    until(lambda: all(ticket.view().phase == "running" for ticket in sleeping))
    old = killer.kill(names.evaluator(0))
    lost = until(lambda: [ticket for ticket in sleeping if ticket.state == "failed"])
    assert len(lost) == 1
    with pytest.raises(errors.InternalError, match="was lost"):
        lost[0].result(timeout=10)
    assert elsewhere.result(timeout=60) == 20_000_000
    for ticket in sleeping:
        ticket.cancel()
    killer.wait_for(names.evaluator(0), old)


def test_a_call_whose_evaluator_dies_is_made_again(runtime: Runtime, killer: Killer) -> None:
    import threading

    replies = []
    source = "(thread/sleep 1500) :slept"
    threads = [threading.Thread(target=lambda: replies.append(runtime.run(source))) for _ in range(4)]
    for thread in threads:
        thread.start()
    old = until(lambda: killer.process(names.evaluator(1)))
    os.kill(old, signal.SIGKILL)
    for thread in threads:
        thread.join(60)
    assert [reply.status for reply in replies] == ["completed"] * 4
    killer.wait_for(names.evaluator(1), old)


def test_a_ticket_waits_for_a_target_that_is_down(runtime: Runtime) -> None:
    program = "(defn flaky-it [x] :body) (flaky-it 1)"
    waiting = runtime.submit(program)
    until(lambda: waiting.view().phase == "waiting")
    assert "local-flaky" in waiting.view().reason
    at_once = runtime.submit(program, on_target_down="fallback")
    assert str(at_once.result(timeout=30)) == ":body"
    given_up = runtime.submit(program, SubmitOptions(deadline_s=2))
    with pytest.raises(errors.BudgetExhausted):
        given_up.result(timeout=30)
    assert given_up.view().dead
    waiting.cancel()


def test_tickets_outlive_the_driver_that_made_them(runtime: Runtime, tmp_path: Path) -> None:
    """Another driver makes tickets and is killed; this one reads them."""
    code = f"""
import os, sys
from actors import Runtime
rt = Runtime.connect({ray.get_runtime_context().gcs_address!r}, name="tests")
for n in range(50):
    print(rt.submit("(defn slow-it [x] x) (slow-it n)", args={{"n": n}}).id, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, cwd=tmp_path
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    ids = done.stdout.split()
    assert [runtime.ticket(each).result(timeout=60) for each in ids] == list(range(50))
