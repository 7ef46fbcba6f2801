"""L1: eviction, time to live, what is never kept, and what its operators may do."""

from __future__ import annotations

from threading import Thread
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import PolicyError
from policies.file.schema import Caches, CacheTable, Delegation, Eviction
from policies.l1_cache import NEVER_KEPT, L1Cache, may_be_kept
from policies.plan import DelegationPlan, Stage
from rtfs.delegation import L4CacheHit, LocalModel, LocalPure, RemoteModel

EVICTIONS: tuple[Eviction, ...] = get_args(Eviction.__value__)
STAGES: tuple[Stage, ...] = get_args(Stage.__value__)


class Hand:
    """A clock that somebody turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def plan(name: str = "tiny", stage: Stage = "rule") -> DelegationPlan:
    return DelegationPlan(target=LocalModel(name), stage=stage)


def cache(eviction: Eviction = "lru", *, size: int = 3, ttl: float = 10.0, hand: Hand | None = None) -> L1Cache:
    return L1Cache(timer=hand or Hand(), size=size, ttl=ttl, eviction=eviction)


def held(l1: L1Cache) -> set[str]:
    return {entry.agent for entry in l1.entries()}


@pytest.mark.parametrize("eviction", EVICTIONS)
def test_what_is_kept_is_found_by_agent_task_and_version(eviction: Eviction) -> None:
    l1 = cache(eviction)
    l1.keep("f", 1, plan("a"), version="v1")
    entry = l1.get("f", 1, version="v1")
    assert entry is not None
    assert entry.plan == plan("a")
    assert l1.get("f", 2, version="v1") is None
    assert l1.get("g", 1, version="v1") is None
    assert l1.get("f", 1, version="v2") is None
    assert l1.get("f", 1) is None
    assert (l1.stats.hits, l1.stats.misses, l1.stats.hit_rate) == (1, 4, 0.2)


def test_an_entry_is_for_the_function_that_it_was_made_for() -> None:
    l1 = cache()
    l1.keep("f", 1, plan(), version="v", ir_hash="one")
    assert l1.get("f", 1, version="v", ir_hash="two") is None
    assert l1.get("f", 1, version="v", ir_hash="one") is not None


# agents are stored in order a b c, then read as listed, then d is stored
@pytest.mark.parametrize(
    ("eviction", "reads", "left"),
    [
        ("lru", "", "bcd"),
        ("lru", "a", "acd"),
        ("lru", "ab", "abd"),
        ("lfu", "aab", "abd"),
        ("lfu", "aabccc", "acd"),
        ("fifo", "aaaa", "bcd"),
        ("ttl", "a", "acd"),
        ("ttl", "", "bcd"),
    ],
)
def test_what_gives_way(eviction: Eviction, reads: str, left: str) -> None:
    l1 = cache(eviction)
    for agent in "abc":
        l1.keep(agent, 0, plan(), version="v")
    for agent in reads:
        assert l1.get(agent, 0, version="v") is not None
    l1.keep("d", 0, plan(), version="v")
    assert held(l1) == set(left)
    assert (l1.stats.evictions, l1.stats.size) == (1, 3)


def test_looking_at_entries_is_no_use_of_them() -> None:
    for eviction in ("lru", "lfu", "ttl"):
        l1 = cache(eviction)
        for agent in "abc":
            l1.keep(agent, 7, plan(), version="v")
        assert [entry.agent for entry in l1.by_agent("a")] == ["a"]
        assert {entry.agent for entry in l1.by_task(7)} == set("abc")
        l1.keep("d", 0, plan(), version="v")
        assert held(l1) == set("bcd"), eviction
        assert l1.stats.hits == l1.stats.misses == 0


def test_random_eviction_is_drawn_from_its_seed() -> None:
    def survivors(seed: int) -> set[str]:
        l1 = L1Cache(timer=Hand(), size=4, eviction="random", seed=seed)
        for number in range(64):
            l1.keep(f"f{number}", 0, plan(), version="v")
        assert l1.stats.evictions == 60
        return held(l1)

    assert survivors(1) == survivors(1)
    assert len({frozenset(survivors(seed)) for seed in range(8)}) > 1


@pytest.mark.parametrize("eviction", EVICTIONS)
def test_every_eviction_has_a_time_to_live(eviction: Eviction) -> None:
    hand = Hand()
    l1 = cache(eviction, ttl=10, hand=hand)
    l1.keep("f", 1, plan(), version="v")
    hand.now += 9.9
    assert l1.get("f", 1, version="v") is not None
    hand.now += 0.1
    assert l1.entries() == ()
    assert l1.get("f", 1, version="v") is None
    l1.keep("g", 1, plan(), version="v")
    assert (l1.stats.expirations, l1.stats.evictions, l1.stats.size) == (1, 0, 1)


def test_with_ttl_what_has_expired_goes_before_what_is_old() -> None:
    hand = Hand()
    l1 = cache("ttl", hand=hand)
    l1.put("old", 0, plan(), ttl=100)
    l1.put("short", 0, plan(), ttl=1)
    l1.put("young", 0, plan(), ttl=100)
    hand.now += 2
    l1.put("new", 0, plan())
    assert held(l1) == {"old", "young", "new"}
    assert (l1.stats.expirations, l1.stats.evictions) == (1, 0)


@pytest.mark.parametrize("stage", STAGES)
def test_stages_that_are_never_kept(stage: Stage) -> None:
    l1 = cache()
    l1.keep("f", 1, plan(stage=stage), version="v")
    refused = stage in {"l4", "metadata", "adaptive", "fallback"}
    assert (stage in NEVER_KEPT) == refused
    assert (l1.get("f", 1, version="v") is None) == refused


def test_a_module_is_never_kept_whatever_its_stage() -> None:
    module = DelegationPlan(target=L4CacheHit("p", "s"), stage="rule")
    assert not may_be_kept(module)
    with pytest.raises(PolicyError, match="expected a plan that L1 may keep, got one of stage `rule`"):
        cache().put("f", 1, module)


def test_entries_by_hand_hold_under_every_version_and_come_first() -> None:
    l1 = cache()
    l1.keep("f", 1, plan("engine"), version="v1", ir_hash="h")
    l1.put("f", 1, plan("hand"))
    for version in ("v1", "v2"):
        entry = l1.get("f", 1, version=version, ir_hash="h")
        assert entry is not None
        assert entry.plan.target == LocalModel("hand")
    l1.put("g", 1, plan("hand"), version="v1")
    assert l1.get("g", 1, version="v2") is None


def test_pinned_entries_neither_end_nor_give_way() -> None:
    hand = Hand()
    l1 = cache(size=2, hand=hand)
    l1.put("p", 0, plan("pinned"), pinned=True)
    for number in range(10):
        l1.keep(f"f{number}", 0, plan(), version="v")
    hand.now += 1e9
    entry = l1.get("p", 0, version="v")
    assert entry is not None
    l1.drop(entry)
    assert held(l1) == {"p"}
    l1.put("p", 0, plan("loose"))
    hand.now += 1e9
    assert held(l1) == set()


def test_no_more_are_pinned_than_the_cache_holds() -> None:
    l1 = cache(size=2)
    for agent in "ab":
        l1.put(agent, 0, plan(), pinned=True)
    l1.put("a", 0, plan("again"), pinned=True)
    with pytest.raises(PolicyError, match="expected at most 2 pinned entries"):
        l1.put("c", 0, plan(), pinned=True)


@pytest.mark.parametrize(
    ("agent", "task", "left"),
    [
        ("f", None, {("g", 1), ("g", 2)}),
        (None, 1, {("f", 2), ("g", 2)}),
        ("f", 1, {("f", 2), ("g", 1), ("g", 2)}),
    ],
)
def test_invalidate(agent: str | None, task: int | None, left: set[tuple[str, int]]) -> None:
    l1 = cache(size=10)
    for name, number in [("f", 1), ("f", 2), ("g", 1)]:
        l1.keep(name, number, plan(), version="v")
    l1.put("g", 2, plan(), pinned=True)
    assert l1.invalidate(agent=agent, task=task) == 4 - len(left)
    assert {(entry.agent, entry.task) for entry in l1.entries()} == left
    assert all(l1.get(*key, version="v") for key in left)


def test_invalidate_takes_pinned_entries_and_all_versions() -> None:
    l1 = cache(size=10)
    l1.put("f", 1, plan(), pinned=True)
    l1.keep("f", 1, plan(), version="v1")
    l1.keep("f", 1, plan(), version="v2")
    assert l1.invalidate(agent="f") == 3
    assert l1.stats.size == 0
    with pytest.raises(PolicyError, match="expected an agent, a task or both"):
        l1.invalidate()


def test_clear_removes_everything_and_keeps_counts() -> None:
    l1 = cache()
    l1.put("p", 1, plan(), pinned=True)
    l1.keep("f", 1, plan(), version="v")
    l1.get("f", 1, version="v")
    l1.clear()
    assert l1.entries() == ()
    assert (l1.stats.size, l1.stats.hits) == (0, 1)


def test_only_what_is_done_by_hand_is_a_new_revision() -> None:
    l1 = cache()
    l1.keep("f", 1, plan(), version="v")
    entry = l1.get("f", 1, version="v")
    assert entry is not None
    l1.drop(entry)
    assert l1.revision == 0
    revisions = []
    for change in (lambda: l1.put("f", 1, plan()), lambda: l1.invalidate(agent="f"), l1.clear):
        change()
        revisions.append(l1.revision)
    assert revisions == [1, 2, 3]


def test_a_dropped_entry_was_no_hit() -> None:
    l1 = cache()
    l1.keep("f", 1, plan(), version="v")
    entry = l1.get("f", 1, version="v")
    assert entry is not None
    l1.drop(entry)
    assert (l1.stats.hits, l1.stats.misses, l1.stats.size) == (0, 1, 0)
    l1.keep("f", 1, plan("newer"), version="v")
    l1.drop(entry)
    assert l1.stats.size == 1, "another entry took its place meanwhile"


@pytest.mark.parametrize(("size", "ttl"), [(0, 1.0), (-1, 1.0), (1, 0.0), (1, -1.0), (1, float("nan"))])
def test_a_cache_that_could_hold_nothing_is_refused(size: int, ttl: float) -> None:
    with pytest.raises(PolicyError, match="expected a size and a time to live above 0"):
        L1Cache(timer=Hand(), size=size, ttl=ttl)


def test_the_cache_of_a_policy() -> None:
    table = CacheTable(size=5, eviction="fifo")
    l1 = L1Cache.of(Delegation(cache_ttl=60.0, caches=Caches(l1=table)), Hand())
    assert (l1.size, l1.ttl, l1.eviction) == (5, 60.0, "fifo")
    l1 = L1Cache.of(Delegation(caches=Caches(l1=CacheTable(ttl=2.5))), Hand())
    assert l1.ttl == 2.5


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.sampled_from("fgh"), st.integers(0, 3)),
        st.tuples(st.just("get"), st.sampled_from("fgh"), st.integers(0, 3)),
        st.tuples(st.just("pass"), st.just(""), st.integers(1, 6)),
        st.tuples(st.just("invalidate"), st.sampled_from("fgh"), st.integers(0, 3)),
    ),
    max_size=60,
)


@given(steps=STEPS, eviction=st.sampled_from(EVICTIONS))
def test_it_never_gives_what_a_boundless_cache_would_not(
    steps: list[tuple[str, str, int]], eviction: Eviction
) -> None:
    hand = Hand()
    l1 = cache(eviction, size=4, ttl=10, hand=hand)
    model: dict[tuple[str, int], tuple[float, DelegationPlan]] = {}
    for count, (step, agent, number) in enumerate(steps):
        if step == "keep":
            made = DelegationPlan(target=RemoteModel(str(count)), stage="rule")
            l1.keep(agent, number, made, version="v")
            model[agent, number] = (hand.now + 10, made)
            entry = l1.get(agent, number, version="v")
            assert entry is not None
        elif step == "get":
            entry = l1.get(agent, number, version="v")
            if entry is not None:
                expires, made = model[agent, number]
                assert entry.plan == made
                assert hand.now < expires
        elif step == "pass":
            hand.now += number
        else:
            l1.invalidate(agent=agent)
            model = {key: known for key, known in model.items() if key[0] != agent}
        assert l1.stats.size <= 4


@pytest.mark.parametrize("eviction", EVICTIONS)
def test_many_threads_at_once(eviction: Eviction) -> None:
    l1 = L1Cache(timer=Hand(), size=16, eviction=eviction)
    wrong: list[object] = []

    def work(seed: int) -> None:
        for number in range(300):
            agent = f"f{(number * 7 + seed) % 40}"
            l1.keep(agent, 0, DelegationPlan(target=LocalModel(agent), stage="rule"), version="v")
            entry = l1.get(agent, 0, version="v")
            if entry is not None and entry.plan.target != LocalModel(agent):
                wrong.append(entry)
            if number % 50 == 0:
                l1.invalidate(agent=agent)
                l1.entries()

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert l1.stats.size <= 16
    assert l1.stats.hits + l1.stats.misses == 1200


def test_the_body_itself_is_a_decision_worth_keeping() -> None:
    l1 = cache()
    l1.keep("f", 1, DelegationPlan(target=LocalPure(), stage="default"), version="v")
    assert l1.get("f", 1, version="v") is not None
