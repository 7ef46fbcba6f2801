from __future__ import annotations

import pytest

from actors.caches.errors import InvalidCache
from actors.caches.l1 import DecisionKey, DecisionLayer
from actors.caches.layer import CacheControl, Item, Origin, Which
from policies.l1_cache import L1Cache
from policies.plan import DelegationPlan
from rtfs.delegation import LocalModel, RemoteModel

NOWHERE = Origin(None, "", "", "")
KEY = DecisionKey("mail/subject", 7, "v1")


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def item(plan: object) -> Item:
    return Item(value=plan, origin=NOWHERE)


def layer(hand: Hand) -> DecisionLayer:
    return DecisionLayer(L1Cache(timer=hand, size=3, ttl=10.0), hand)


def test_a_decision_comes_back_with_its_age() -> None:
    hand = Hand()
    l1 = layer(hand)
    plan = DelegationPlan(target=LocalModel("sentiment"), stage="rule")
    assert l1.get(KEY) is None
    assert l1.put(KEY, item(plan))
    hand.now = 4.0
    hit = l1.get(KEY)
    assert hit is not None
    assert (hit.value, hit.tier, hit.age_s, hit.expires_in_s) == (plan, "l1", 4.0, 6.0)
    assert hit.origin == Origin(None, "mail/subject", "local-sentiment", "v1")
    assert l1.get(KEY._replace(version="v2")) is None
    assert l1.get(KEY, CacheControl(max_age_s=3.0)) is None
    hand.now = 10.0
    assert l1.get(KEY) is None
    assert l1.stats.hits == 2
    assert l1.config.ttl_s == 10.0


def test_what_engines_may_not_keep_is_refused() -> None:
    l1 = layer(Hand())
    assert not l1.put(KEY, item(DelegationPlan(target=RemoteModel("a"), stage="fallback")))
    assert not l1.put(KEY, item("no plan"))


def test_decisions_are_invalidated_by_agent_and_task() -> None:
    l1 = layer(Hand())
    plan = DelegationPlan(target=RemoteModel("a"), stage="rule")
    for agent, task in (("f", 1), ("f", 2), ("g", 1)):
        l1.put(DecisionKey(agent, task, "v1"), item(plan))
    assert l1.invalidate(Which(symbol="f", input=(2).to_bytes(8))) == 1
    assert l1.invalidate(Which(input=(1).to_bytes(8))) == 2
    assert l1.invalidate(Which(model="local-a")) == 0
    l1.put(KEY, item(plan))
    assert l1.clear() == 1
    with pytest.raises(InvalidCache):
        l1.invalidate(Which())
