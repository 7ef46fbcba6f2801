"""Order, fairness, bounds and times of the queue."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from actors.tickets.errors import QueueFull
from actors.tickets.limits import QueueLimits
from actors.tickets.queue import MOST_EXPIRED, JobQueue, by_tenant
from actors.tickets.ticket import Stage, Ticket

NOW = 1_000.0
MANY = 1_000_000


def ticket(name: str, stage: Stage = "queued", **changes: Any) -> Ticket:
    """A ticket whose id is `name` and whose tenant is what stands before a dot in it."""
    working = stage in ("queued", "delayed", "running", "retrying")
    fields: dict[str, Any] = {
        "id": name,
        "tenant": name.partition(".")[0],
        "state": "working" if working else stage,
        "phase": stage if working else None,
        "created_at": NOW,
        "updated_at": NOW,
        "queued_at": NOW,
        "max_attempts": 3,
        "request_digest": "",
    }
    return Ticket(**(fields | changes))


def queue(*tickets: Ticket, **limits: Any) -> JobQueue:
    made = JobQueue(QueueLimits(**limits))
    for each in tickets:
        made.put(each, NOW)
    return made


def started(from_queue: JobQueue, free: int = MANY, now: float = NOW) -> list[str]:
    return from_queue.turn(now, free).started


# ---------------------------------------------------------------- order within a tenant

#: priority and time of arrival of each ticket, in the order in which they run; one step is worth 60 s
ORDERS: list[list[tuple[int, float]]] = [
    [(0, 0), (0, 1), (0, 2)],
    [(9, 2), (5, 1), (0, 0)],
    [(1, 59), (0, 0), (1, 61)],
    [(0, 0), (5, 301), (5, 302)],
    [(5, 299), (0, 0)],
    [(0, 0), (-1, 0)],
    [(0, 59), (-1, 0), (0, 61)],
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("backwards", [False, True])
def test_higher_priorities_first_but_waiting_counts(order: list[tuple[int, float]], backwards: bool) -> None:
    tickets = [ticket(f"a.{i}", priority=p, queued_at=NOW + at) for i, (p, at) in enumerate(order)]
    held = queue(*(reversed(tickets) if backwards else tickets))
    assert started(held) == [each.id for each in tickets]


def test_a_low_priority_is_not_starved_by_a_stream_of_high_ones() -> None:
    held = queue(ticket("a.low", priority=0), aging_s=10.0)
    for second in range(200):
        held.put(ticket(f"a.{second}", priority=5, queued_at=NOW + second), NOW + second)
        [first] = started(held, 1, NOW + second)
        held.remove(first)
        if first == "a.low":
            assert second == 50  # five steps of ten seconds: equal then, and it came first
            return
    pytest.fail("it never ran")


# ---------------------------------------------------------------- fairness between tenants


def shares(held: JobQueue, turns: int, free: int = 1) -> Counter[str]:
    """Starts by tenant, when each run ends before the next turn."""
    counts: Counter[str] = Counter()
    for _ in range(turns):
        for each in started(held, free):
            counts[each.partition(".")[0]] += 1
            held.remove(each)
    return counts


def backlog(tenant: str, count: int, **changes: Any) -> list[Ticket]:
    return [ticket(f"{tenant}.{i}", **changes) for i in range(count)]


#: tickets of each tenant, weights, starts looked at, starts of each tenant
SHARES: list[tuple[dict[str, int], dict[str, float], int, dict[str, int]]] = [
    ({"a": 1_000, "b": 30}, {}, 60, {"a": 30, "b": 30}),
    ({"a": 1_000, "b": 10}, {}, 60, {"a": 50, "b": 10}),
    ({"a": 100, "b": 100, "c": 100}, {}, 90, {"a": 30, "b": 30, "c": 30}),
    ({"a": 100, "b": 100}, {"a": 3.0}, 80, {"a": 60, "b": 20}),
    ({"a": 100, "b": 100, "c": 100}, {"a": 2.0, "c": 0.5}, 70, {"a": 40, "b": 20, "c": 10}),
]


@pytest.mark.parametrize(("waiting", "weights", "turns", "expected"), SHARES)
def test_starts_are_shared_by_weight(
    waiting: dict[str, int], weights: dict[str, float], turns: int, expected: dict[str, int]
) -> None:
    held = queue(*[each for name, n in waiting.items() for each in backlog(name, n)], tenant_weights=weights)
    counts = shares(held, turns)
    assert counts.keys() == expected.keys()
    for name, count in expected.items():
        assert abs(counts[name] - count) <= 1, counts


#: tickets of each tenant, weights, free places, places that each tenant gets
PLACES: list[tuple[dict[str, int], dict[str, float], int, dict[str, int]]] = [
    ({"a": 100, "b": 100}, {}, 10, {"a": 5, "b": 5}),
    ({"a": 100, "b": 2}, {}, 10, {"a": 8, "b": 2}),
    ({"a": 100, "b": 100}, {"b": 4.0}, 10, {"a": 2, "b": 8}),
    ({"a": 100, "b": 100}, {}, MANY, {"a": 12, "b": 12}),
    ({"a": 5}, {}, 0, {}),
]


@pytest.mark.parametrize(("waiting", "weights", "free", "expected"), PLACES)
def test_places_are_shared_by_weight_within_limits(
    waiting: dict[str, int], weights: dict[str, float], free: int, expected: dict[str, int]
) -> None:
    tickets = [each for name, n in waiting.items() for each in backlog(name, n)]
    held = queue(*tickets, tenant_weights=weights, max_running_per_tenant=12)
    assert Counter(each.partition(".")[0] for each in started(held, free)) == expected
    assert held.counts() == {
        name: (n - expected.get(name, 0), expected.get(name, 0)) for name, n in waiting.items()
    }


def test_who_holds_places_lets_others_go_first() -> None:
    held = queue(*backlog("a", 10))
    assert len(started(held, 4)) == 4
    for each in backlog("b", 10):
        held.put(each, NOW)
    assert [each[0] for each in started(held, 4)] == ["b"] * 4
    assert sorted(each[0] for each in started(held, 4)) == ["a", "a", "b", "b"]


def test_a_tenant_that_comes_back_gains_nothing_and_loses_nothing() -> None:
    """`a` always has exactly one ticket and sends the next one when it has ended; `b` has many."""
    held = queue(ticket("a.0"), *backlog("b", 200))
    counts: Counter[str] = Counter()
    for turn in range(1, 101):
        [first] = started(held, 1)
        counts[first[0]] += 1
        held.remove(first)
        if first[0] == "a":
            held.put(ticket(f"a.{turn}"), NOW)
    assert abs(counts["a"] - 50) <= 1


def test_idle_time_is_not_saved_up() -> None:
    held = queue(*backlog("a", 1_000), ticket("b.first"))
    shares(held, 500)
    for each in backlog("b", 100):
        held.put(each, NOW)
    counts = shares(held, 40)
    assert abs(counts["b"] - 20) <= 1


def test_priorities_do_not_reach_over_to_other_tenants() -> None:
    held = queue(*backlog("a", 100, priority=100), *backlog("b", 100, priority=-100))
    assert shares(held, 20) == {"a": 10, "b": 10}


# ---------------------------------------------------------------- bounds


@pytest.mark.parametrize(
    ("wanted", "refused"),
    [
        ({"a": 2}, None),
        ({"b": 3}, None),
        ({"a": 1, "b": 2}, None),
        ({"a": 3}, "2 tickets of tenant `a` wait, at most 4 may"),
        ({"b": 5}, "5 tickets wait, at most 9 may"),
        ({"a": 1, "b": 1, "c": 5}, "tickets wait, at most 9 may"),
    ],
)
def test_what_is_too_much_is_turned_away(wanted: dict[str, int], refused: str | None) -> None:
    held = queue(*backlog("a", 2), *backlog("c", 3), max_queued=9, max_queued_per_tenant=4)
    if refused is None:
        held.check_room(wanted)
        return
    with pytest.raises(QueueFull) as caught:
        held.check_room(wanted)
    assert refused in str(caught.value)
    assert caught.value.retry_after_s == 5.0  # nothing has run yet


def test_running_tickets_leave_room() -> None:
    held = queue(*backlog("a", 4), max_queued=4)
    with pytest.raises(QueueFull):
        held.check_room({"a": 1})
    assert len(started(held, 1)) == 1
    held.check_room({"a": 1})


@pytest.mark.parametrize(("gap_s", "told_s"), [(0.01, 1.0), (7.0, 7.0), (500.0, 60.0)])
def test_who_is_turned_away_is_told_the_pace_of_the_queue(gap_s: float, told_s: float) -> None:
    held = queue(*backlog("a", 60), max_queued=1)
    for turn in range(40):
        started(held, 1, NOW + turn * gap_s)
    with pytest.raises(QueueFull) as caught:
        held.check_room({"a": 1})
    assert caught.value.retry_after_s == pytest.approx(told_s, rel=0.01)


# ---------------------------------------------------------------- times and targets


def test_delayed_tickets_start_when_their_time_has_come() -> None:
    held = queue(
        ticket("a.late", "delayed", not_before=NOW + 20),
        ticket("a.soon", "retrying", not_before=NOW + 10),
        ticket("a.past", "delayed", not_before=NOW),
    )
    assert held.next_wake(NOW) == NOW + 10
    assert started(held) == ["a.past"]
    assert started(held, now=NOW + 9.9) == []
    assert started(held, now=NOW + 10) == ["a.soon"]
    assert held.next_wake(NOW) == NOW + 20
    assert held.next_wake(NOW + 99) == NOW + 99
    assert started(held, now=NOW + 99) == ["a.late"]
    assert held.next_wake(NOW) is None


def test_tickets_wait_for_their_target_or_their_time() -> None:
    held = queue(
        *[ticket(f"a.{i}", not_before=NOW + 50 + i, waiting_for="remote-x") for i in range(3)],
        ticket("a.other", not_before=NOW + 50, waiting_for="remote-y"),
        ticket("a.delayed", "delayed", not_before=NOW + 50),
    )
    assert started(held) == []
    assert held.waiting_for("remote-x") == ["a.0", "a.1", "a.2"]
    assert started(held, now=NOW + 50) == ["a.0", "a.other", "a.delayed"]
    assert held.target_up("remote-x") == ["a.1", "a.2"]
    assert held.waiting_for("remote-x") == []
    assert held.target_up("remote-x") == []
    assert started(held, now=NOW + 50) == ["a.1", "a.2"]
    assert held.next_wake(NOW) is None


def test_deadlines() -> None:
    held = queue(
        ticket("a.waits", deadline_at=NOW + 5, queued_at=NOW + 3),
        ticket("a.sleeps", "delayed", not_before=NOW + 3, deadline_at=NOW + 4),
        ticket("a.runs", deadline_at=NOW + 6),
        ticket("a.never"),
    )
    assert started(held, 1) == ["a.runs"]
    assert held.next_wake(NOW) == NOW + 3
    first = held.turn(NOW + 4, 0)
    assert (first.started, first.expired, first.overdue) == ([], ["a.sleeps"], [])
    assert held.next_wake(NOW) == NOW + 5
    last = held.turn(NOW + 6, MANY)
    assert (last.started, last.expired, last.overdue) == (["a.never"], ["a.waits"], ["a.runs"])
    assert held.turn(NOW + 7, MANY).overdue == []  # told once
    assert sorted(held.running()) == ["a.never", "a.runs"]
    assert held.next_wake(NOW) is None


def test_many_deadlines_at_once_are_dealt_with_in_slices_and_none_of_them_starts() -> None:
    held = queue(*backlog("a", 2 * MOST_EXPIRED + 1, deadline_at=NOW + 1), ticket("a.x"))
    sizes = []
    while held.next_wake(NOW) is not None:
        assert held.next_wake(NOW + 1) == NOW + 1
        turn = held.turn(NOW + 1, MANY)
        sizes.append((len(turn.expired), turn.started))
    assert sizes == [(MOST_EXPIRED, []), (MOST_EXPIRED, []), (1, ["a.x"])]


def test_a_record_that_is_put_again_takes_the_place_of_the_former_one() -> None:
    held = queue(ticket("a.1"), ticket("a.2", "running"))
    held.put(ticket("a.1", "delayed", not_before=NOW + 5), NOW)
    assert (held.place("a.1"), held.waiting, len(held)) == ("asleep", 1, 2)
    held.put(ticket("a.1", "running"), NOW)
    assert (held.place("a.1"), held.waiting, held.next_wake(NOW)) == ("running", 0, None)
    held.put(ticket("a.1", waiting_for="t", not_before=NOW + 5), NOW)
    assert held.waiting_for("t") == ["a.1"]
    held.put(ticket("a.1", "failed"), NOW)
    held.put(ticket("a.2", "completed"), NOW)
    held.remove("a.2")
    assert (held.place("a.1"), len(held), held.waiting, held.counts()) == (None, 0, 0, {})
    assert held.waiting_for("t") == []


def test_a_run_that_is_being_stopped_keeps_its_place_without_a_deadline() -> None:
    held = queue(ticket("a.1", "running", deadline_at=NOW + 1), ticket("a.2"), max_running_per_tenant=1)
    held.stopping("a.1")
    turn = held.turn(NOW + 2, MANY)
    assert turn == ([], [], [])
    held.remove("a.1")
    assert started(held) == ["a.2"]


def test_tickets_by_tenant() -> None:
    assert by_tenant([*backlog("a", 2), *backlog("b", 1)]) == {"a": 2, "b": 1}


# ---------------------------------------------------------------- size


def test_a_hundred_thousand_tickets_of_a_thousand_tenants() -> None:
    held = JobQueue(QueueLimits())
    for i in range(100_000):
        asleep: dict[str, Any] = {"stage": "delayed", "not_before": NOW + i % 100} if i % 2 else {}
        held.put(ticket(f"{i % 1_000}.{i}", priority=i % 7, deadline_at=NOW + 500 + i, **asleep), NOW)
    for i in range(0, 100_000, 10):
        held.remove(f"{i % 1_000}.{i}")
    held.check_room({"a": 1})
    seen: set[str] = set()
    for second in range(101):
        while some := started(held, 1_000, NOW + second):
            seen.update(some)
            for each in some:
                held.remove(each)
    assert len(seen) == 90_000
    assert (len(held), held.waiting, held.counts(), held.next_wake(NOW)) == (0, 0, {}, None)
