"""What happens when processes are killed: nothing is lost, nothing is stuck, and results are right."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import ray
from ray_parts import POLICY, Killer, until

from actors import Runtime, names
from actors.service import SubmitOptions
from actors.ticket_handle import AsyncTicket, Ticket
from rtfs import errors
from rtfs.security import RuntimeContext

TICKETS = 1_000
#: twenty slow calls, one after the other: a thousand of these keep the runtime busy while its parts die
PROGRAM = """
(defn slow-it [x] x) (defn echo-it [x] x)
[n (loop [i 0 m n] (if (< i 20) (recur (+ i 1) (slow-it m)) m)) (reduce + (map echo-it (range 4)))]
"""


def test_a_thousand_tickets_survive_the_death_of_every_part(runtime: Runtime, killer: Killer) -> None:
    tickets = submitted(runtime, PROGRAM, TICKETS)
    waiting, running = counts(runtime)
    assert waiting + running > TICKETS // 2  # so many that no part dies idle
    killed: list[tuple[str, int]] = []
    for name in (names.evaluator(0), names.TICKETS, names.POLICY, names.CONTROL, names.evaluator(1)):
        killed.append((name, killer.kill(name)))
    _kill_model("model-slow-0", runtime)
    results = [ticket.result(timeout=110) for ticket in tickets]
    assert [list(result) for result in results] == [[n, n, 6] for n in range(TICKETS)]
    for name, old in killed:
        killer.wait_for(name, old)
    until(lambda: runtime.status().ready)


def submitted(runtime: Runtime, source: str, number: int) -> list[Ticket]:
    """So many tickets, all at the same time; `n` tells them apart."""

    async def all_of_them() -> list[AsyncTicket]:
        queue = SubmitOptions(deadline_s=110)
        return await asyncio.gather(*[runtime.aio.submit(source, queue, args={"n": n}) for n in range(number)])

    return [Ticket(ticket, runtime._wait) for ticket in asyncio.run(all_of_them())]


def counts(runtime: Runtime) -> tuple[int, int]:
    """How many tickets wait, and how many run."""
    return ray.get(ray.get_actor(names.TICKETS, namespace=runtime.spec.namespace).counts.remote())


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
    replies = []
    source = "(thread/sleep 1500) :slept"
    threads = [threading.Thread(target=lambda: replies.append(runtime.run(source))) for _ in range(4)]
    for thread in threads:
        thread.start()
    old = until(lambda: killer.process(names.evaluator(1)))
    os.kill(old, signal.SIGKILL)
    for thread in threads:
        thread.join(60)
    assert [(reply.status, reply.error) for reply in replies] == [("completed", None)] * 4
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


NODES = """
import sys
from pathlib import Path
from ray.cluster_utils import Cluster
from actors import Runtime

folder = Path(sys.argv[1])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "resources": {"rtfs_state": 1}})
worker = cluster.add_node(num_cpus=2)
cluster.wait_for_nodes()
where = {"address": cluster.address, "state_dir": folder, "state_resource": "rtfs_state"}
with Runtime.start(folder / "delegation.toml", evaluators=4, **where) as rt:
    source = "(defn slow-it [x] x) (slow-it (slow-it n))"
    tickets = [rt.submit(source, args={"n": n}) for n in range(300)]
    cluster.remove_node(worker, allow_graceful=False)
    assert [ticket.result(timeout=80) for ticket in tickets] == list(range(300))
(folder / "done").write_text("all of them")
"""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_death_of_a_node_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "delegation.toml").write_text(POLICY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", NODES, str(tmp_path)], capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Ray writes what became of the node to the driver's output, before or after what the driver says
    assert (tmp_path / "done").read_text(encoding="utf-8") == "all of them"
