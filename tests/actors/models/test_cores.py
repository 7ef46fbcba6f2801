"""Real processes take cores of this machine, in a folder of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.models import cores as module
from actors.models.cores import Cores, granted_cpus
from actors.models.host import ModelHost
from policies.file.schema import LocalModelEntry

ROOT = Path(__file__).resolve().parents[3]
#: takes cores, says which, and whether a thread made before and one made after are bound to them; then waits
PROCESS = """
import json, os, sys, threading
from pathlib import Path
from actors.models.cores import Cores

found, go = [], threading.Event()
def look():
    go.wait()
    found.append(sorted(os.sched_getaffinity(0)))
before = threading.Thread(target=look)
before.start()
cores = Cores(Path(sys.argv[1]))
cores.fit(int(sys.argv[2]))
after = threading.Thread(target=look)
after.start()
go.set()
before.join(), after.join()
bound = sorted(os.sched_getaffinity(0))
print(json.dumps({"held": cores.held, "bound": bound, "threads": found, "problem": cores.problem}), flush=True)
sys.stdin.read()
"""

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="threads are bound to cores on Linux only"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores"),
]


class Processes:
    """Processes that take cores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, wanted: int, allowed: set[int] | None = None) -> Any:
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(self.folder), str(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=None if allowed is None else lambda: os.sched_setaffinity(0, allowed),
        )
        self.started.append(process)
        assert process.stdout is not None
        return json.loads(process.stdout.readline())

    def kill(self, number: int) -> None:
        self.started[number].send_signal(signal.SIGKILL)
        self.started[number].wait()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "cores")
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


@pytest.fixture
def two() -> set[int]:
    return set(sorted(os.sched_getaffinity(0))[:2])


def test_each_has_its_own_and_a_killed_one_gives_them_back(processes: Processes, two: set[int]) -> None:
    first, second = processes.start(1, two), processes.start(1, two)
    for each in (first, second):
        assert each["problem"] is None
        assert each["bound"] == each["held"]
        assert each["threads"] == [each["held"]] * 2
    assert {*first["held"], *second["held"]} == two

    third = processes.start(1, two)
    assert (third["held"], third["bound"]) == ([], sorted(two))
    assert third["problem"] == (
        "its threads are not bound to cores, `cpu:1`: of the 2 cores it may use, other models have all but 0"
    )
    processes.kill(0)
    assert processes.start(1, two)["held"] == first["held"]


def test_what_is_too_much_takes_nothing_from_others(processes: Processes, two: set[int]) -> None:
    first = processes.start(3, two)
    assert (first["held"], first["bound"]) == ([], sorted(two))
    assert first["problem"] == (
        "its threads are not bound to cores, `cpu:3`: this process may use 2 of the machine's cores"
    )
    assert processes.start(1, two)["problem"] is None
    assert "all but 1" in processes.start(2, two)["problem"]
    assert processes.start(1, two)["problem"] is None


# ---------------------------------------------------------------- in this process


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cores]:
    monkeypatch.setattr(module, "granted_cpus", lambda: float("inf"))
    before = os.sched_getaffinity(0)
    made = Cores(tmp_path / "cores")
    yield made
    made.fit(None)
    assert os.sched_getaffinity(0) == before


def test_they_can_become_more_and_fewer(here: Cores) -> None:
    allowed = os.sched_getaffinity(0)
    for wanted in (1, 2, 2, 1):
        here.fit(wanted)
        assert (len(here.held), here.problem) == (wanted, None)
        assert os.sched_getaffinity(0) == set(here.held) <= allowed
    here.fit(len(allowed) + 1)
    assert (here.held, os.sched_getaffinity(0)) == ((), allowed)
    assert here.problem is not None
    here.fit(None)
    assert (here.held, here.problem) == ((), None)


def test_where_the_time_of_cpus_is_bounded(here: Cores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "granted_cpus", lambda: 1.5)
    here.fit(2)
    assert (
        here.problem
        == "its threads are not bound to cores, `cpu:2`: this process may use 1.5 of the machine's cores"
    )
    here.fit(1)
    assert (len(here.held), here.problem) == (1, None)


def test_on_other_systems(here: Cores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    here.fit(1)
    assert (here.held, here.problem) == (
        (),
        "its threads are not bound to cores, `cpu:1`: that can be done on Linux only",
    )


def test_a_folder_that_others_may_write_to(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    (tmp_path / "link").symlink_to(folder)
    for path in (folder, tmp_path / "link"):
        cores = Cores(path)
        cores.fit(1)
        assert cores.held == ()
        assert cores.problem is not None
        assert "no others may write to" in cores.problem
    assert list(folder.iterdir()) == []


def test_a_host_has_them_while_its_model_is_loaded(here: Cores) -> None:
    host = ModelHost("e", LocalModelEntry(kind="echo", device="cpu:1"), cores=here)
    assert here.held == ()
    assert host.load().problems == ()
    assert len(here.held) == 1
    too_many = LocalModelEntry(kind="echo", device="cpu:999")
    stats = host.reload(too_many)
    assert (stats.state, here.held, len(stats.problems)) == ("ready", (), 1)
    assert "not bound to cores" in stats.problems[0]
    assert host.reload(LocalModelEntry(kind="echo", device="cpu:2")).problems == ()
    assert len(here.held) == 2
    broken = LocalModelEntry(kind="rules", path="/no/such.rules", device="cpu:1")
    assert host.reload(broken).state == "ready"
    assert len(here.held) == 2  # as many as the model that is still there wants
    assert host.reload(LocalModelEntry(kind="echo")).problems == ()
    assert here.held == ()
    host.reload(LocalModelEntry(kind="echo", device="cpu:1"))
    assert (host.unload().state, here.held) == ("unloaded", ())


def test_a_host_whose_first_model_cannot_be_loaded_has_none(here: Cores) -> None:
    host = ModelHost("e", LocalModelEntry(kind="rules", path="/no/such.rules", device="cpu:1"), cores=here)
    assert host.load().state == "failed"
    assert here.held == ()


# ---------------------------------------------------------------- what the system says


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, float("inf")),
        ({"a/b/cpu.max": "max 100000"}, float("inf")),
        ({"a/b/cpu.max": "150000 100000\n"}, 1.5),
        ({"a/b/cpu.max": "400000 100000", "a/cpu.max": "200000 100000"}, 2.0),
        ({"a/b/cpu.max": "nonsense"}, float("inf")),
        ({"cpu.max": "50000 100000"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, float("inf")),
    ],
)
def test_the_time_that_a_control_group_grants(tmp_path: Path, files: dict[str, str], expected: float) -> None:
    (tmp_path / "cgroup").write_text("1:cpu:/elsewhere\n0::/a/b\n")
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert granted_cpus(tmp_path, tmp_path / "groups") == expected


@pytest.mark.parametrize(
    ("siblings", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, [0, 1, 2, 3]),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3\n"}, [0, 2, 1, 3]),
        ({0: "nonsense"}, [0, 1, 2, 3]),
    ],
)
def test_physical_cores_come_before_their_second_threads(siblings: dict[int, str], expected: list[int]) -> None:
    assert module._apart({3, 1, 0, 2}, lambda core: siblings.get(core, "")) == expected
