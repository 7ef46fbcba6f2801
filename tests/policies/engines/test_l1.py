"""The engine that asks L1 first."""

from __future__ import annotations

from policies.context import CallContext, CallFacts, DelegationMetadata
from policies.engines.l1 import L1Engine
from policies.engines.protocol import DelegationEngine
from policies.file.policy import Policy
from policies.file.schema import (
    Caches,
    CacheTable,
    Delegation,
    Learning,
    LocalModelEntry,
    PrivacyLabel,
    RemoteProvider,
    Security,
)
from policies.l1_cache import L1Cache
from policies.plan import DelegationPlan, Stage
from policies.rules.rulebook import Current, Rulebook
from policies.world import World
from rtfs.delegation import ExecTarget, FunctionInfo, LocalModel, LocalPure, RemoteModel, RuntimeFacts

SETTINGS = Delegation(
    remote_providers={"a": RemoteProvider(endpoint="https://a", cost_usd=0.1)},
    local_models={"tiny": LocalModelEntry(path="tiny.gguf")},
    security=Security(privacy={"secret": PrivacyLabel(allow=("local-*",))}),
    max_cost_usd=1.0,
)


class Inner(DelegationEngine):
    """Says what it is told, and counts."""

    def __init__(self, target: ExecTarget = LocalModel("tiny"), stage: Stage = "rule") -> None:  # noqa: B008
        self.said = DelegationPlan(target=target, stage=stage, reasoning="so it is")
        self.asked = 0

    version = "inner"

    def plan(self, call: CallContext) -> DelegationPlan:
        self.asked += 1
        return self.said

    def decide(self, call: CallContext) -> ExecTarget:
        return self.plan(call).target


class Setting:
    """An L1 engine with everything around it."""

    def __init__(self, inner: Inner | None = None, settings: Delegation = SETTINGS) -> None:
        self.inner = inner or Inner()
        self.current = Current(Rulebook(Policy(settings=settings, version="1")))
        self.cache = L1Cache.of(settings, lambda: self.current.world.now)
        self.engine = L1Engine(self.inner, self.cache, self.current)

    def plan(self, call: CallContext | None = None) -> DelegationPlan:
        return self.engine.plan(call or CALL)


def call_of(
    ir_hash: str = "hash",
    *,
    labels: tuple[str, ...] = (),
    tenant: str | None = None,
    metadata: DelegationMetadata | None = None,
) -> CallContext:
    function = FunctionInfo("f", None, ("x",), ("any",), "any", None, {}, ir_hash, frozenset(labels))
    facts = CallFacts(function=function, runtime=RuntimeFacts(tenant=tenant))
    return CallContext.of(facts, metadata=metadata)


CALL = call_of()


def test_the_second_time_it_is_known() -> None:
    at = Setting()
    first, second = at.plan(), at.plan()
    assert at.inner.asked == 1
    assert first is at.inner.said
    assert (second.target, second.stage) == (first.target, "l1")
    assert second.reasoning == "kept from `rule`: so it is"


def test_a_new_policy_makes_entries_unreachable() -> None:
    at = Setting()
    at.plan()
    at.current.rulebook = Rulebook(Policy(settings=SETTINGS, version="2"))
    assert at.plan().stage == "rule"
    assert at.inner.asked == 2


def test_entries_outlive_changes_of_the_world_until_their_time() -> None:
    at = Setting()
    at.plan()
    at.current.world = World(version=1, now=3599.0)
    assert at.plan().stage == "l1"
    at.current.world = World(version=2, now=3600.0)
    assert at.plan().stage == "rule"


def test_other_functions_and_circumstances_are_others() -> None:
    at = Setting()
    at.plan()
    for other in (call_of("other"), call_of(tenant="acme"), call_of(labels=("secret",))):
        assert at.plan(other).stage == "rule"
    assert at.inner.asked == 4


def test_a_vetoed_entry_does_not_linger() -> None:
    at = Setting(Inner(RemoteModel("a")))
    at.plan()
    at.current.world = World(version=1, prices_usd={"remote-a": 5.0})
    at.inner.said = DelegationPlan(target=LocalPure(), stage="default")
    assert (at.plan().target, at.plan().stage) == (LocalPure(), "l1")
    at.current.world = World(version=2)
    assert at.plan().target == LocalPure(), "the old plan is gone for good"
    assert at.inner.asked == 2
    assert at.cache.stats.hits == 2


def test_a_pinned_entry_that_is_vetoed_is_only_passed_over() -> None:
    at = Setting()
    at.cache.put("f", CALL.task, DelegationPlan(target=RemoteModel("a"), stage="rule"), pinned=True)
    assert at.plan().target == RemoteModel("a")
    at.current.world = World(version=1, prices_usd={"remote-a": 5.0})
    assert at.plan().target == LocalModel("tiny")
    at.current.world = World(version=2)
    assert at.plan().target == RemoteModel("a")


def test_an_entry_by_hand_decides_and_says_so() -> None:
    at = Setting()
    version = at.engine.version
    plan = DelegationPlan(target=RemoteModel("a"), stage="rule", reasoning="canary")
    at.cache.put("f", CALL.task, plan)
    assert at.engine.version != version
    assert at.plan().reasoning == "kept by hand: canary"
    at.current.rulebook = Rulebook(Policy(settings=SETTINGS, version="2"))
    assert at.plan().target == RemoteModel("a")
    secret = call_of(labels=("secret",))
    at.cache.put("f", secret.task, plan)
    assert at.plan(secret).target == LocalModel("tiny"), "no hard rule gives way to a hand"


def test_what_is_never_kept() -> None:
    never: tuple[Stage, ...] = ("l4", "metadata", "adaptive", "fallback")
    kept: tuple[Stage, ...] = ("rule", "optimizer", "model", "default")
    for stage in never:
        at = Setting(Inner(stage=stage))
        at.plan()
        at.plan()
        assert at.inner.asked == 2, stage
    for stage in kept:
        at = Setting(Inner(stage=stage))
        at.plan()
        at.plan()
        assert at.inner.asked == 1, stage


def test_while_learning_only_what_rules_say_is_kept() -> None:
    times: dict[Stage, int] = {"rule": 1, "optimizer": 2, "model": 2, "default": 2}
    for stage, asked in times.items():
        learning = SETTINGS.model_copy(update={"learning": Learning(enabled=True)})
        at = Setting(Inner(stage=stage), learning)
        at.plan()
        at.plan()
        assert at.inner.asked == asked, stage


def test_calls_with_metadata_read_but_do_not_write() -> None:
    at = Setting()
    told = call_of(metadata=DelegationMetadata(confidence=0.4, target="remote-a"))
    at.plan(told)
    assert at.cache.stats.size == 0
    at.plan()
    plan = at.plan(told)
    assert plan.stage == "l1"
    assert plan.metadata["delegation_metadata"]["followed"] == "no: an earlier step decided"
    assert at.plan().metadata == {}


def test_plans_below_the_threshold_are_not_kept() -> None:
    table = CacheTable(confidence_threshold=0.8)
    at = Setting(settings=SETTINGS.model_copy(update={"caches": Caches(l1=table)}))
    for confidence, size in ((0.79, 0), (0.8, 1)):
        at.inner.said = DelegationPlan(target=LocalPure(), stage="rule", confidence=confidence)
        at.plan()
        assert at.cache.stats.size == size


def test_it_can_be_switched_off() -> None:
    at = Setting(settings=SETTINGS.model_copy(update={"caches": Caches(l1=CacheTable(enabled=False))}))
    at.cache.put("f", CALL.task, DelegationPlan(target=RemoteModel("a"), stage="rule"))
    assert at.plan() is at.inner.said
    assert at.cache.stats.misses == at.cache.stats.hits == 0


def test_the_task_of_a_call_is_made_once() -> None:
    call = call_of()
    assert call.task == CALL.task
    assert call.task is call.task


def test_what_was_decided_while_the_policy_changed_is_not_kept() -> None:
    class Changing(Inner):
        def plan(self, call: CallContext) -> DelegationPlan:
            at.current.rulebook = Rulebook(Policy(settings=SETTINGS, version="2"))
            return super().plan(call)

    at = Setting(Changing())
    at.plan()
    assert at.cache.stats.size == 0
