from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import pytest

from policies.errors import PolicyError
from policies.file.load import load_policy
from policies.file.policy import Policy
from policies.file.reload import PolicyHolder, Swapped

OLD = "[delegation]\ncache_ttl = 60\n"
NEW = "[delegation]\ncache_ttl = 90\n"


@pytest.fixture
def holder() -> PolicyHolder:
    return PolicyHolder.of(load_policy(OLD))


def test_a_reload_swaps_the_rulebook(holder: PolicyHolder) -> None:
    world, before = holder.current.world, holder.current.version
    result = holder.reload(NEW)
    assert (result.ok, result.swapped) == (True, True)
    assert [str(change) for change in result.changes] == ["~ delegation.cache_ttl = 60.0 → 90.0"]
    assert holder.policy is result.policy is holder.current.rulebook.policy
    assert holder.policy.settings.cache_ttl == 90
    assert holder.current.world is world
    assert holder.current.version != before


BROKEN = ["[delegation", "[delegation]\ncach_ttl = 1", "[delegation]\ndefault_target = 'remote-x'", "\0"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_text_changes_nothing(holder: PolicyHolder, text: str) -> None:
    told: list[Swapped] = []
    holder.subscribe(told.append)
    rulebook = holder.current.rulebook
    result = holder.reload(text, source="new.toml", environ={})
    assert (result.ok, result.swapped, result.changes) == (False, False, ())
    assert all(problem.source == "new.toml" for problem in result.problems)
    assert result.policy is holder.policy
    assert holder.current.rulebook is rulebook
    assert told == []
    with pytest.raises(PolicyError, match="no earlier policy"):
        holder.rollback()


def test_the_same_text_changes_nothing(holder: PolicyHolder) -> None:
    rulebook = holder.current.rulebook
    result = holder.reload(OLD)
    assert (result.ok, result.swapped) == (True, False)
    assert holder.current.rulebook is rulebook


def test_a_text_that_only_moves_lines_brings_the_new_lines(holder: PolicyHolder) -> None:
    result = holder.reload("# more\n" + OLD)
    assert (result.swapped, result.changes) == (True, ())
    assert holder.policy.lines["cache_ttl"] == 3


def test_the_environment_takes_part(holder: PolicyHolder) -> None:
    holder.reload(OLD, environ={"RTFS_DELEGATION__CACHE_TTL": "5"})
    assert holder.policy.settings.cache_ttl == 5
    assert not holder.reload(OLD, environ={"RTFS_DELEGATION__CACHE_TTL": "x"}).ok
    assert holder.policy.settings.cache_ttl == 5


def test_files(holder: PolicyHolder, tmp_path: Path) -> None:
    path = tmp_path / "delegation.toml"
    assert [problem.code for problem in holder.reload_file(path).problems] == ["unreadable"]
    path.write_bytes(b"\xff")
    assert [problem.code for problem in holder.reload_file(path).problems] == ["no-text"]
    assert holder.policy.settings.cache_ttl == 60
    path.write_text(NEW)
    assert holder.reload_file(path).swapped
    assert holder.policy.source == str(path)


def test_rolling_back(holder: PolicyHolder) -> None:
    first = holder.current.rulebook
    holder.reload(NEW)
    holder.reload("")
    result = holder.rollback()
    assert [str(change) for change in result.changes] == ["~ delegation.cache_ttl = 3600.0 → 90.0"]
    holder.rollback()
    assert holder.current.rulebook is first
    with pytest.raises(PolicyError, match="no earlier policy is kept to go back to"):
        holder.rollback()


def test_few_policies_are_kept(holder: PolicyHolder) -> None:
    for ttl in range(1, 30):
        holder.reload(f"[delegation]\ncache_ttl = {ttl}")
    for ttl in range(28, 20, -1):
        holder.rollback()
        assert holder.policy.settings.cache_ttl == ttl
    with pytest.raises(PolicyError):
        holder.rollback()


def test_subscribers_are_told_after_the_swap(holder: PolicyHolder) -> None:
    seen: list[tuple[float, float, float]] = []

    def subscriber(swapped: Swapped) -> None:
        old, new = swapped.old.settings, swapped.new.settings
        seen.append((old.cache_ttl, new.cache_ttl, holder.policy.settings.cache_ttl))

    end = holder.subscribe(subscriber)
    holder.reload(NEW)
    holder.rollback()
    end()
    end()
    holder.reload(NEW)
    assert seen == [(60, 90, 90), (90, 60, 60)]


def test_a_subscriber_that_fails_stops_nothing(holder: PolicyHolder) -> None:
    told: list[Swapped] = []

    def failing(_: Swapped) -> None:
        raise ValueError("no")

    holder.subscribe(failing)
    holder.subscribe(told.append)
    with pytest.raises(ExceptionGroup) as caught:
        holder.reload(NEW)
    assert [str(failure) for failure in caught.value.exceptions] == ["no"]
    assert len(told) == 1
    assert holder.policy.settings.cache_ttl == 90


def test_a_subscriber_may_go_back(holder: PolicyHolder) -> None:
    def careful(swapped: Swapped) -> None:
        if swapped.new.settings.cache_ttl > 80:
            holder.rollback()

    holder.subscribe(careful)
    holder.reload(NEW)
    assert holder.policy.settings.cache_ttl == 60


def test_many_threads(holder: PolicyHolder) -> None:
    """Each swap starts from what the one before it put in force, and every one is told."""
    told: list[tuple[Policy, Policy]] = []
    holder.subscribe(lambda swapped: told.append((swapped.old, swapped.new)))
    start = Barrier(8)
    first = holder.policy

    def reload(thread: int) -> None:
        start.wait()
        for turn in range(10):
            holder.reload(f"[delegation]\ncache_ttl = {1 + thread * 10 + turn}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(reload, range(8)))
    assert len(told) == 80
    assert told[0][0] is first
    assert all(after[0] is before[1] for before, after in pairwise(told))
    assert told[-1][1] is holder.policy
