"""Runs: limits, safepoints, nesting, threads, forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import timeit
from contextlib import contextmanager

import pytest

from rtfs import _watchdog, errors, run
from rtfs._recursion import frames
from rtfs.host import PureHost
from rtfs.run import MIB, Limits, Run, running
from rtfs.security import RuntimeContext


def make(**limits):
    return Run(PureHost(), RuntimeContext.full(), Limits(**limits))


def spin(seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if run.STOP_REQUESTS:
            run.poll()


@contextmanager
def nothing_left_behind():
    depth = sys.getrecursionlimit()
    yield
    assert run.STOP_REQUESTS == []
    assert sys.getrecursionlimit() == depth
    with pytest.raises(errors.InternalError):
        run.current_run()


def test_the_current_run_is_the_innermost_one():
    outer, inner = make(), make()
    with nothing_left_behind(), running(outer):
        with running(inner):
            assert run.current_run() is inner
            assert inner.parent is outer
        assert run.current_run() is outer


@pytest.mark.parametrize("name", ["deadline_s", "depth", "allocation_bytes", "output_bytes", "delegations"])
def test_limits_are_not_negative(name):
    with pytest.raises(ValueError, match=name):
        Limits(**{name: -1})


def test_a_deadline_of_not_a_number_is_refused():
    with pytest.raises(ValueError, match="deadline_s"):
        Limits(deadline_s=float("nan"))


@pytest.mark.parametrize("depth", [1e5, True, None])
def test_depth_is_an_integer(depth):
    with pytest.raises(ValueError, match="depth must be an integer"):
        Limits(depth=depth)


# ---------------------------------------------------------------- deadline


def test_deadline_stops_a_loop():
    with nothing_left_behind():
        began = time.monotonic()
        with (
            pytest.raises(errors.BudgetExhausted, match=r"deadline \(policy: 0\.05 s\)"),
            running(make(deadline_s=0.05)),
        ):
            spin()
        assert 0.05 <= time.monotonic() - began < 2


def test_deadline_zero_stops_before_anything_runs():
    ran = []
    with nothing_left_behind(), pytest.raises(errors.BudgetExhausted), running(make(deadline_s=0)):
        ran.append(True)
    assert ran == []


def test_a_stopped_run_stops_again_at_each_safepoint_with_a_fresh_error():
    seen = []
    with nothing_left_behind(), running(make(deadline_s=0.02)):
        for _ in range(2):
            try:
                spin()
            except errors.BudgetExhausted as error:
                seen.append(error)
    assert seen[0] is not seen[1]


def test_the_outer_deadline_stops_an_inner_run_without_one():
    expected = pytest.raises(errors.BudgetExhausted, match=r"0\.03 s")
    with nothing_left_behind(), running(make(deadline_s=0.03)), expected, running(make()):
        spin()


def test_the_inner_deadline_leaves_the_outer_run_alone():
    with nothing_left_behind(), running(make(deadline_s=30)) as outer:
        with pytest.raises(errors.BudgetExhausted), running(make(deadline_s=0.02)):
            spin()
        run.poll()
        assert outer.stop is None


def test_a_run_starts_once_at_a_time():
    one = make()
    with running(one), pytest.raises(errors.InternalError, match="started twice"), running(one):
        pass
    assert not one.active


def test_runs_in_threads_do_not_stop_each_other():
    outcomes = {}

    def work(name, deadline_s, seconds):
        try:
            with running(make(deadline_s=deadline_s)):
                spin(seconds)
            outcomes[name] = "done"
        except errors.BudgetExhausted:
            outcomes[name] = "stopped"

    plan = [(f"short{i}", 0.03, 10) for i in range(4)] + [(f"long{i}", 30, 0.15) for i in range(4)]
    threads = [threading.Thread(target=work, args=args) for args in plan]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {name: "stopped" if name.startswith("short") else "done" for name, _, _ in plan}
    assert run.STOP_REQUESTS == []


def test_many_short_runs_leave_one_watchdog_thread():
    def work():
        for _ in range(300):
            with running(make(deadline_s=5)):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(thread.name == "rtfs-watchdog" for thread in threading.enumerate()) == 1


def test_the_watchdog_thread_ends_when_nothing_runs_and_comes_back(monkeypatch):
    monkeypatch.setattr(_watchdog, "WATCH_IDLE_S", 0.0)
    deadline = time.monotonic() + 5
    while any(thread.name == "rtfs-watchdog" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(errors.BudgetExhausted), running(make(deadline_s=0.02)):
        spin()


# ---------------------------------------------------------------- cancel


def test_cancel_from_another_thread():
    with nothing_left_behind(), running(make()) as one:
        threading.Timer(0.03, run.cancel, [one, "enough"]).start()
        with pytest.raises(errors.BudgetExhausted, match=r"cancelled \(policy: enough\)"):
            spin()


def test_cancel_before_the_start_and_after_the_end():
    early, late = make(), make()
    run.cancel(early)
    with nothing_left_behind():
        with pytest.raises(errors.BudgetExhausted, match="cancelled"), running(early):
            pass
        with running(late):
            pass
        run.cancel(late)


# ---------------------------------------------------------------- memory, output, delegations


#: grows by as many MiB as it is told at once, then waits to be stopped
GROWTH = """
import sys, time
from rtfs import errors, run
from rtfs.host import PureHost
from rtfs.security import RuntimeContext

limits = run.Limits(allocation_bytes=8 * run.MIB)
one = run.Run(PureHost(), RuntimeContext.full(), limits)
with run.running(one):
    held = bytearray(b"x") * (int(sys.argv[1]) * run.MIB)
    waits_until = time.monotonic() + float(sys.argv[2])
    try:
        while time.monotonic() < waits_until:
            run.poll()
            time.sleep(0.001)
        print("was not stopped")
    except errors.BudgetExhausted as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("grown", "waits_s", "expected"),
    [(64, 20, "Resource budget exhausted: allocation (policy: 8388608 bytes)"), (16, 0.3, "was not stopped")],
)
def test_growth_beyond_the_allocation_is_noticed(grown, waits_s, expected):
    """In a process of its own, in which nothing else grows and no freed memory is used again."""
    command = [sys.executable, "-c", GROWTH, str(grown), str(waits_s)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == (expected, "")


def test_a_descriptor_that_somebody_closed_is_opened_again(tmp_path):
    reader = _watchdog._ProcessSize()
    assert reader.read() > MIB
    os.close(reader._file)
    with (tmp_path / "other").open("w+") as other:  # takes the number of the closed one
        assert other.fileno() == reader._file
        assert reader.read() > MIB
        assert other.fileno() != reader._file
    os.close(reader._file)


@pytest.mark.parametrize(("nbytes", "refused"), [(0, False), (MIB, False), (MIB + 1, True), (10**30, True)])
def test_one_large_result_is_refused_before_it_is_made(nbytes, refused):
    with running(make(allocation_bytes=MIB)):
        if refused:
            with pytest.raises(errors.BudgetExhausted, match=f"allocation \\(policy: {MIB} bytes"):
                run.reserve(nbytes)
        else:
            run.reserve(nbytes)


def test_reserve_needs_no_run_and_no_limit():
    run.reserve(10**12)
    with running(make()):
        run.reserve(10**12)


@pytest.mark.parametrize(
    ("limits", "charge", "dimension"),
    [
        ({"output_bytes": 3}, lambda: run.charge_output(2), "output"),
        ({"delegations": 1}, run.charge_delegation, "delegations"),
    ],
)
def test_charges_add_up_to_the_limit(limits, charge, dimension):
    with running(make(**limits)):
        charge()
        with pytest.raises(errors.BudgetExhausted, match=dimension):
            charge()


# ---------------------------------------------------------------- depth


def depth_reached():
    deepest = 0

    def down(n):
        nonlocal deepest
        deepest = n
        down(n + 1)

    with pytest.raises(RecursionError):
        down(0)
    return deepest


def test_depth_does_not_depend_on_earlier_runs():
    with running(make(depth=20_000)):
        pass
    with running(make(depth=1_000)):
        assert 1_000 <= depth_reached() <= frames(1_000)


def test_the_deepest_active_run_decides():
    with running(make(depth=5_000)):
        with running(make(depth=10)):
            assert sys.getrecursionlimit() == frames(5_000)
        with running(make(depth=9_000)):
            assert sys.getrecursionlimit() == frames(9_000)
        assert sys.getrecursionlimit() == frames(5_000)


def test_a_host_with_a_higher_recursion_limit_keeps_it():
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    try:
        with running(make(depth=10)):
            assert sys.getrecursionlimit() == 50_000
        assert sys.getrecursionlimit() == 50_000
    finally:
        sys.setrecursionlimit(before)


def test_an_endless_depth_is_as_deep_as_python_can_count():
    with nothing_left_behind(), running(make(depth=10**15)):
        assert sys.getrecursionlimit() == 2**31 - 1


def test_deep_recursion_is_put_back():
    with nothing_left_behind(), run.deep_recursion(30_000):
        assert depth_reached() > 30_000


# ---------------------------------------------------------------- processes


FORK = """
import os, time, threading
from rtfs import errors, run
from rtfs.host import PureHost
from rtfs.security import RuntimeContext
def make(s): return run.Run(PureHost(), RuntimeContext.full(), run.Limits(deadline_s=s))
def spin():
    while True:
        if run.STOP_REQUESTS: run.poll()
def stopped(body):
    try: body()
    except errors.BudgetExhausted: return True
def new_run():
    with run.running(make(0.05)): spin()
def other_thread():
    try:
        with run.running(make(0.5)): spin()
    except errors.BudgetExhausted: pass
thread = threading.Thread(target=other_thread); thread.start()
with run.running(make(0.2)) as mine:
    pid = os.fork()
    if pid == 0:
        ok = stopped(new_run) and run._watchdog._runs.keys() == {id(mine)} and stopped(spin)
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
thread.join()
assert stopped(new_run)
print("fine")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_limits_hold_in_a_forked_child_inside_a_run():
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout.strip(), done.stderr) == ("fine", "")


def test_a_run_costs_microseconds():
    """A guard against a slip by an order of magnitude; benchmarks measure it."""
    limits = Limits(deadline_s=1, allocation_bytes=16 * MIB)
    host, context = PureHost(), RuntimeContext.full()

    def one():
        with running(Run(host, context, limits)):
            pass

    assert min(timeit.repeat(one, number=500, repeat=5)) / 500 < 50e-6
