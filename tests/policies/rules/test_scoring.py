"""The optimiser: its order, its figures, its limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.file.schema import Rule, Weights
from policies.plan import Because, Expected
from policies.rules.candidates import Candidate
from policies.rules.rulebook import Rulebook
from policies.rules.scoring import beyond_ceilings, figures, ranked
from policies.world import TargetState, World
from rtfs.delegation import RemoteModel

COST, LATENCY, QUALITY = (
    Weights(**{"cost": 0, "latency": 0, "quality": 0, name: 1}) for name in Weights.model_fields
)
EVEN = Weights()


def candidate(
    name: str,
    cost_usd: float | None = None,
    latency_ms: float | None = None,
    quality: float | None = None,
    capacity: int | None = None,
) -> Candidate:
    return Candidate(
        target=RemoteModel(name),
        name=name,
        expected=Expected(cost_usd=cost_usd, latency_ms=latency_ms, quality=quality),
        max_cost_usd=None,
        distance=2,
        region=None,
        permissions=frozenset(),
        tenants=frozenset(),
        capacity=capacity,
        because=Because(what=name),
    )


CHEAP, FAST, GOOD = (
    candidate("cheap", 1, 900, 0.6),
    candidate("fast", 3, 100, 0.7),
    candidate("good", 9, 800, 0.9),
)
BLANK = candidate("blank")
ALL = (CHEAP, FAST, GOOD)

ORDERS = [
    (COST, World(), ALL, "cheap fast good"),
    (LATENCY, World(), ALL, "fast good cheap"),
    (QUALITY, World(), ALL, "good fast cheap"),
    (EVEN, World(), ALL, "fast good cheap"),
    (COST, World(), (BLANK, *ALL), "cheap fast blank good"),
    (QUALITY, World(), (GOOD, BLANK), "good blank"),
    (Weights(cost=0, latency=0, quality=0), World(), ALL, "cheap fast good"),
    (COST, World(prices_usd={"cheap": 10}), ALL, "fast good cheap"),
    (LATENCY, World(targets={"fast": TargetState(latency_ms=2000)}), ALL, "good cheap fast"),
    (QUALITY, World(targets={"good": TargetState(error_rate=0.5)}), ALL, "fast cheap good"),
    (EVEN, World(), (BLANK, candidate("blank2")), "blank blank2"),
]


@pytest.mark.parametrize(("weights", "world", "candidates", "expected"), ORDERS)
def test_order(weights: Weights, world: World, candidates: tuple[Candidate, ...], expected: str) -> None:
    ranking = ranked(candidates, weights, world)
    assert " ".join(one.candidate.name for one in ranking.order) == expected
    assert ranking.best.name == expected.split()[0]


def test_scores_are_shares_of_the_worst() -> None:
    first, second = ranked((candidate("a", 1, 50, 1.0), candidate("b", 4, 100, 0.5)), EVEN, World()).order
    assert first.score == pytest.approx(1 - (0.25 + 0.5 + 0) / 3)
    assert second.score == pytest.approx(0)


def test_what_is_full_comes_last() -> None:
    full = candidate("full", 1, 1, 1.0, capacity=2)
    for in_flight, best in ((1, "full"), (2, "good"), (3, "good")):
        ranking = ranked((full, GOOD), EVEN, World(targets={"full": TargetState(in_flight=in_flight)}))
        assert ranking.best.name == best
    assert "full" in ranking.order[1].figures()


def test_confidence_and_comparison() -> None:
    alone, close, far = (ranked(many, COST, World()) for many in ((CHEAP,), (CHEAP, CHEAP), (CHEAP, GOOD)))
    assert (alone.confidence, close.confidence) == (1.0, 0.5)
    assert close.confidence < far.confidence < 1.0
    assert "no other is allowed" in alone.comparison
    assert far.comparison == (
        "score 0.889: $1, 900 ms, quality 0.6; next `good`, score 0.000: $9, 800 ms, quality 0.9"
    )


FIGURES = [
    (Expected(cost_usd=0.0, latency_ms=12), "free, 12 ms"),
    (Expected(quality=0.5), "quality 0.5"),
    (Expected(), "no figures known"),
]


@pytest.mark.parametrize(("expected", "text"), FIGURES)
def test_figures(expected: Expected, text: str) -> None:
    assert figures(expected) == text


CEILINGS = [
    (Rule(max_latency_ms=100), Expected(latency_ms=101), "it takes 101 ms, the ceiling is 100 ms"),
    (Rule(max_latency_ms=100), Expected(latency_ms=100), None),
    (Rule(max_latency_ms=100), Expected(), None),
    (Rule(min_quality=0.5), Expected(quality=0.4), "its quality is 0.4, at least 0.5 is wanted"),
    (Rule(min_quality=0.5), Expected(quality=0.5), None),
]


@pytest.mark.parametrize(("rule", "expected", "text"), CEILINGS)
def test_ceilings(rule: Rule, expected: Expected, text: str | None) -> None:
    assert beyond_ceilings(rule, expected) == text


maybe = st.none() | st.floats(0, 1e6)
candidates = st.lists(
    st.builds(candidate, st.text("abc", min_size=1), maybe, maybe, st.none() | st.floats(0, 1)),
    min_size=1,
    max_size=6,
)
weights = st.builds(Weights, cost=st.floats(0, 10), latency=st.floats(0, 10), quality=st.floats(0, 10))


@given(candidates, weights)
def test_scores_are_between_nothing_and_one_point(many: list[Candidate], weighed: Weights) -> None:
    order = ranked(many, weighed, World()).order
    scores = [one.score for one in order]
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)
    assert sorted(one.candidate.name for one in order) == sorted(one.name for one in many)


@given(candidates, weights)
def test_what_is_better_in_all_is_never_behind(many: list[Candidate], weighed: Weights) -> None:
    best = candidate("best", 0.0, 0.0, 1.0)
    assert ranked([*many, best], weighed, World()).order[0].score == pytest.approx(1.0)


def test_the_world_is_looked_at_by_name(book: Callable[[str], Rulebook]) -> None:
    found = book(
        '[delegation.remote_providers]\na = { endpoint = "https://a.example.com", capacity = 1 }'
    ).candidates
    world = World(targets={"remote-a": TargetState(in_flight=1)})
    assert ranked([found["remote-a"]], EVEN, world).order[0].is_full
