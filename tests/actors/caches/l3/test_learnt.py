"""Worlds in which calls near an entry are right with some chance.

What is served of them is wrong as rarely as is promised, however the worlds are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp
from random import Random

import pytest

from actors.caches.l3.evidence import Outcome, with_outcome
from actors.caches.l3.learnt import VERIFIED_SHARE, LearntAcceptance
from actors.caches.layer import Origin

ORIGIN = Origin("t", "f", "m", "1")

#: chance that an entry's answer is right: of the entry, the similarity and how far the stream has got, 0 to 1
type World = Callable[[int, float, float], float]


@dataclass
class Seen:
    served: int = 0
    wrong: int = 0
    last: list[bool] = field(default_factory=list)


def stream(world: World, max_error: float, seed: int, calls: int = 4_000, entries: int = 200) -> Seen:
    random, learnt, evidence, seen = Random(seed), LearntAcceptance(), [b""] * entries, Seen()
    for call in range(calls):
        entry = min(int(random.paretovariate(0.8)), entries) - 1
        similarity = random.uniform(0.6, 1.0)
        correct = random.random() < world(entry, similarity, call / calls)
        judged = learnt.judge(ORIGIN, evidence[entry], similarity, max_error, random.random())
        if judged.serve:
            seen.served += 1
            seen.wrong += not correct
            if call > 0.9 * calls:
                seen.last.append(correct)
        else:
            evidence[entry] = learnt.learn(ORIGIN, evidence[entry], similarity, correct)
    return seen


def logistic(entry: int, similarity: float, _: float) -> float:
    """As vCache supposes it: each entry has a similarity above which it is right."""
    return 1 / (1 + exp(-120 * (similarity - 0.7 - (entry % 7) / 50)))


WORLDS: dict[str, World] = {
    "always right": lambda *_: 1.0,
    "nearly": lambda *_: 0.997,
    "logistic": logistic,
    "similarity means nothing": lambda *_: 0.9,
    "the nearest are wrong": lambda _, similarity, __: 0.5 if similarity > 0.95 else 1.0,
    "some entries are always wrong": lambda entry, *_: 0.0 if entry % 5 == 4 else 1.0,
    "as good as the bound": lambda *_: 0.99,
}


@pytest.mark.parametrize("max_error", [0.01, 0.03])
@pytest.mark.parametrize("name", WORLDS)
def test_what_is_served_is_wrong_as_rarely_as_promised(name: str, max_error: float) -> None:
    found = [stream(WORLDS[name], max_error, seed) for seed in range(2)]
    served, wrong = sum(each.served for each in found), sum(each.wrong for each in found)
    slack = 3 * (max_error * served) ** 0.5  # of chance
    assert wrong <= max_error * served + slack


def test_something_is_served_where_it_may_be() -> None:
    assert stream(WORLDS["always right"], 0.01, 1).served > 2_500
    assert stream(WORLDS["logistic"], 0.03, 1).served > 300
    assert stream(WORLDS["similarity means nothing"], 0.03, 1).served == 0


def test_drift_is_seen() -> None:
    """All answers change in the middle: soon nothing is served, and it does not begin again."""
    seen = stream(lambda entry, _, now: 1.0 if now < 0.5 else 0.0, 0.01, 1, calls=8_000)
    assert seen.served > 2_000
    assert seen.last == []


def test_an_entry_is_not_served_for_what_it_was_wrong() -> None:
    right = with_outcome(b"", Outcome(0.9, True))
    learnt = LearntAcceptance(lambda _: [right] * 2_000)
    assert learnt.judge(ORIGIN, b"", 0.95, 0.01, 0.5).serve  # as entries were that nobody had verified either
    assert learnt.judge(ORIGIN, right, 0.95, 0.01, 0.5).serve
    for similarity, is_served in ((0.99, False), (0.91, False), (0.7, True)):
        wrong = with_outcome(right, Outcome(similarity, False))
        assert learnt.judge(ORIGIN, wrong, 0.95, 0.01, 0.5).serve == is_served
    assert not learnt.judge(ORIGIN, right, 0.95, 0.01, VERIFIED_SHARE / 2).serve
    assert not learnt.judge(ORIGIN, right, 0.7, 0.01, 0.5).serve  # nothing so far away was ever verified


def test_what_is_right_the_second_time_says_nothing_of_the_first() -> None:
    learnt, evidence = LearntAcceptance(), with_outcome(b"", Outcome(0.9, True))
    for _ in range(500):
        evidence = learnt.learn(ORIGIN, evidence, 0.9, True)
    assert learnt.judge(ORIGIN, evidence, 0.95, 0.01, 0.5).serve
    assert not learnt.judge(ORIGIN, b"", 0.95, 0.01, 0.5).serve


def test_functions_and_versions_learn_for_themselves() -> None:
    learnt, right = LearntAcceptance(), with_outcome(b"", Outcome(0.9, True))
    for _ in range(500):
        learnt.learn(ORIGIN, b"", 0.9, True)
    assert learnt.judge(ORIGIN, right, 0.95, 0.01, 0.5).serve
    assert learnt.judge(ORIGIN._replace(tenant="other"), right, 0.95, 0.01, 0.5).serve
    for other in (ORIGIN._replace(symbol="g"), ORIGIN._replace(model="n"), ORIGIN._replace(version="2")):
        assert not learnt.judge(other, right, 0.95, 0.01, 0.5).serve
    (estimate,) = [each for each in learnt.estimates().values() if each.verified]
    assert (estimate.wrong, estimate.verified, estimate.low) == (0, 500, 0.0)
    assert 0.004 < estimate.high < 0.005
