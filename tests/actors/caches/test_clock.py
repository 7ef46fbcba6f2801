from __future__ import annotations

from typing import Any

from actors.caches.clock import SteadyClock


def test_it_goes_with_the_time_of_day(clocks: Any) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    clocks.pass_by(2.5)
    assert clock.now_us() == int(clocks.day * 1e6)


def test_it_goes_on_when_the_time_of_day_is_set_back(clocks: Any) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    before = clock.now_us()
    clocks.day -= 86_400
    clocks.pass_by(1.0)
    assert clock.now_us() == before + 1_000_000


def test_it_follows_when_the_time_of_day_is_set_forward(clocks: Any) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    clocks.day += 3600
    ahead = clock.now_us()
    assert ahead == int(clocks.day * 1e6)
    clocks.day -= 3600
    clocks.pass_by(1.0)
    assert clock.now_us() == ahead + 1_000_000


def test_it_goes_on_from_what_others_have_seen(clocks: Any) -> None:
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    now = clock.now_us()
    clock.at_least(now - 5)
    assert clock.now_us() == now
    clock.at_least(now + 7_000_000)
    clocks.pass_by(1.0)
    assert clock.now_us() == now + 8_000_000


def test_it_resumes_with_what_has_gone_by(clocks: Any) -> None:
    noted_us = int(clocks.day * 1e6) + 50_000_000
    clock = SteadyClock(clocks.wall, clocks.monotonic)
    clock.resume(noted_us, int(clocks.day * 1e6) - 3_000_000)
    assert clock.now_us() == noted_us + 3_000_000
