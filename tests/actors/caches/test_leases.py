from __future__ import annotations

from actors.caches.leases import Leases

KEY = b"k" * 32


class Timer:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_holder_at_a_time() -> None:
    leases, told = Leases(), list[str | None]()
    leases.acquire(KEY, "a", told.append)
    leases.acquire(KEY, "b", told.append)
    assert len(told) == 1
    assert told[0] is not None
    leases.release(KEY, told[0])
    assert told[1:] == [None]
    assert len(leases) == 0


def test_a_lease_runs_out() -> None:
    timer = Timer()
    leases, told = Leases(10.0, timer), list[str | None]()
    leases.acquire(KEY, "a", told.append)
    leases.acquire(KEY, "b", told.append)
    timer.now = 9.9
    assert leases.expire() == 10.0
    assert len(told) == 1
    timer.now = 10.0
    assert leases.expire() is None
    assert told[1:] == [None]


def test_one_that_has_run_out_is_nothing_to_give_back() -> None:
    timer = Timer()
    leases, first, second = Leases(10.0, timer), list[str | None](), list[str | None]()
    leases.acquire(KEY, "a", first.append)
    timer.now = 11.0
    leases.acquire(KEY, "b", second.append)
    assert first[0] is not None
    assert second[0] is not None
    leases.release(KEY, first[0])
    assert len(leases) == 1
    leases.release(KEY, second[0])
    assert len(leases) == 0


def test_what_a_dead_process_held_is_free() -> None:
    leases, told = Leases(), list[str | None]()
    leases.acquire(KEY, "a", lambda _: None)
    leases.acquire(b"other", "b", lambda _: None)
    leases.acquire(KEY, "b", told.append)
    assert leases.lost("a") == 1
    assert told == [None]
    assert len(leases) == 1
