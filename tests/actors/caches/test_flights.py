from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rtfs
from actors.caches.flights import Flights
from actors.caches.leases import Told
from rtfs.delegation import FunctionInfo, LocalPure, RemoteModel
from rtfs.overlap import overlapping, wait

KEY = b"k" * 32


class Leases:
    """Leases of processes that are threads here."""

    def __init__(self) -> None:
        self.held: dict[bytes, list[Told]] = {}
        self._lock = threading.Lock()

    def acquire(self, key: bytes, told: Told) -> None:
        with self._lock:
            waiting = self.held.get(key)
            if waiting is not None:
                waiting.append(told)
                return
            self.held[key] = []
        told()

    def release(self, key: bytes) -> None:
        with self._lock:
            waiting = self.held[key]
            if not waiting:
                del self.held[key]
                return
            told = waiting.pop(0)
        told()


def nothing() -> None:
    return None


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` gives or raises, of so many threads."""

    def one(number: int) -> Any:
        try:
            return work(number)
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_threads_share_one_answer() -> None:
    flights, calls = Flights(), []
    ready = threading.Barrier(8)

    def work() -> str:
        calls.append(1)
        time.sleep(0.05)
        return "answer"

    def one(_: int) -> str:
        ready.wait()
        return flights.run(KEY, nothing, work, 10.0)

    assert together(8, one) == ["answer"] * 8
    assert len(calls) == 1
    assert flights.joined == 7


def test_different_keys_do_not_wait_for_each_other() -> None:
    flights = Flights()
    both = threading.Barrier(2, timeout=10)

    def one(number: int) -> int:
        def work() -> int:
            both.wait()
            return number

        return flights.run(bytes([number]), nothing, work, 10.0)

    assert together(2, one) == [0, 1]


def test_if_the_leader_fails_another_leads() -> None:
    flights, calls = Flights(), []
    ready = threading.Barrier(3)

    def work() -> str:
        calls.append(1)
        time.sleep(0.05)
        if len(calls) == 1:
            raise ValueError("mine alone")
        return "answer"

    def one(_: int) -> str:
        ready.wait()
        return flights.run(KEY, nothing, work, 10.0)

    found = together(3, one)
    assert sorted(map(str, found)) == ["answer", "answer", "mine alone"]
    assert len(calls) == 2


def test_a_failure_may_be_shared() -> None:
    flights, calls = Flights(), []
    ready = threading.Barrier(3)

    def work() -> str:
        calls.append(1)
        time.sleep(0.05)
        raise ValueError("down")

    def one(_: int) -> str:
        ready.wait()
        return flights.run(KEY, nothing, work, 10.0, lambda error: ValueError(f"shared {error}"))

    assert sorted(map(str, together(3, one))) == ["down", "shared down", "shared down"]
    assert len(calls) == 1


def test_nobody_waits_for_longer_than_its_time() -> None:
    flights = Flights()
    go, begun = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        go.wait(10)
        return "slow"

    leader = threading.Thread(target=lambda: flights.run(KEY, nothing, slow, 10.0))
    leader.start()
    begun.wait(10)
    assert flights.run(KEY, nothing, lambda: "own", 0.01) == "own"
    go.set()
    leader.join()


def test_a_call_within_its_own_call_does_not_wait_for_itself() -> None:
    flights = Flights()

    def work() -> str:
        return flights.run(KEY, nothing, lambda: "inner", 10.0)

    assert flights.run(KEY, nothing, work, 10.0) == "inner"


def test_processes_share_an_answer_through_a_lease() -> None:
    leases, kept = Leases(), dict[bytes, str]()
    begun, calls = threading.Event(), []

    def work() -> str:
        calls.append(1)
        begun.set()
        time.sleep(0.05)
        kept[KEY] = "answer"
        return "answer"

    def one(number: int) -> str:
        if number:
            begun.wait(10)
        return Flights(leases).run(KEY, lambda: kept.get(KEY), work, 10.0)

    assert together(4, one) == ["answer"] * 4
    assert len(calls) == 1
    assert leases.held == {}


def test_a_lease_whose_holder_died_holds_up_nobody_for_ever() -> None:
    leases = Leases()
    leases.acquire(KEY, lambda: None)
    timer = threading.Timer(0.1, lambda: leases.release(KEY))
    timer.start()
    assert Flights(leases).run(KEY, nothing, lambda: "answer", 10.0) == "answer"
    timer.join()
    assert leases.held == {}


def test_without_an_answer_about_the_lease_one_asks_all_the_same() -> None:
    class Lost:
        def acquire(self, key: bytes, told: Told) -> None: ...

        def release(self, key: bytes) -> None: ...

    assert Flights(Lost()).run(KEY, nothing, lambda: "answer", 0.01) == "answer"


def test_a_lease_that_is_granted_too_late_goes_back() -> None:
    leases = Leases()
    late: list[Callable[[], None]] = []

    class Late(Leases):
        def acquire(self, key: bytes, told: Told) -> None:
            late.append(lambda: leases.acquire(key, told))

        def release(self, key: bytes) -> None:
            leases.release(key)

    assert Flights(Late()).run(KEY, nothing, lambda: "answer", 0.01) == "answer"
    late[0]()
    assert leases.held == {}


def test_what_was_found_out_after_the_caller_looked_is_not_asked_for_again() -> None:
    leases = Leases()
    found = Flights(leases).run(KEY, lambda: "kept", lambda: "asked", 10.0)
    assert found == Flights().run(KEY, lambda: "kept", lambda: "asked", 10.0) == "kept"
    assert leases.held == {}


# ---------------------------------------------------------------- parts of one run


class Shared:
    """A delegate whose functions answer by one flight, after a wait in which other parts go on."""

    version, sources = "1", None

    def __init__(self) -> None:
        self.flights = Flights()
        self.calls: list[Any] = []

    def target(self, function: FunctionInfo, facts: Any) -> Any:
        return RemoteModel("far") if function.symbol == "ask" else LocalPure()

    def bind(self, function: FunctionInfo, target: Any, facts: Any, body: Any) -> Any:
        def ask(arg: Any) -> Any:
            def work() -> Any:
                self.calls.append(arg)

                def start(wake: Callable[[], None]) -> None:
                    threading.Timer(0.05, wake).start()

                wait(start)
                return arg * 2

            return self.flights.run(str(arg).encode(), nothing, work, 10.0)

        return ask


@pytest.mark.parametrize(
    ("text", "expected", "calls"),
    [
        ("(defn ask [x] x) [(ask 1) (ask 1) (ask 1)]", "[2 2 2]", [1]),
        ("(defn ask [x] x) [(ask 1) (ask 2) (ask 1) (ask 2)]", "[2 4 2 4]", [1, 2]),
        ("(defn ask [x] x) (map (fn [x] (ask (mod x 3))) [0 1 2 3 4 5])", "[0 2 4 0 2 4]", [0, 1, 2]),
    ],
)
def test_parts_of_a_run_share_flights_and_overlap(text: str, expected: str, calls: list[int]) -> None:
    delegate = Shared()
    linked = rtfs.compile(text).link(delegate)
    found = overlapping(linked.run)
    assert rtfs.pr_str(found).replace("(", "[").replace(")", "]") == expected
    assert sorted(delegate.calls) == calls
