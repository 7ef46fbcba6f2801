"""What is learnt from outcomes, and what it may change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.context import CallContext
from policies.engines.adaptive import AdaptiveEngine
from policies.engines.policy import PolicyEngine
from policies.engines.standard import standard_engine
from policies.learning.learnt import Feedback, LearntState
from policies.learning.learnt_data import from_data, to_data
from policies.plan import DelegationPlan
from policies.rules.rulebook import Current
from policies.running.runner import Observation
from policies.targets import target_name
from policies.world import TargetState, World
from rtfs.delegation import LocalPure

type Make = Callable[..., Current]
type Call = Callable[..., CallContext]
#: true quality and cost by target
type Truth = Mapping[str, tuple[float, float]]

TARGETS = """
[delegation.remote_providers]
best = { endpoint = "https://a.example.com", cost_usd = 0.02, latency_ms = 900, quality = 0.95 }
middle = { endpoint = "https://b.example.com", cost_usd = 0.005, latency_ms = 500, quality = 0.9 }
cheap = { endpoint = "https://c.example.com", cost_usd = 0.001, latency_ms = 300, quality = 0.8 }
[delegation.security.privacy.secret]
allow = ["remote-best", "remote-middle"]
"""
DEFAULT = """
default_target = "remote-best"
fallback = ["remote-middle", "remote-cheap"]
weights = { cost = 1, latency = 0, quality = 0 }
"""
RULE = """
[[delegation.rules]]
name = "buy"
targets = ["remote-best", "remote-middle", "remote-cheap"]
choose = "best"
weights = { cost = 0, latency = 0, quality = 1 }
"""
SAME: Truth = {"remote-best": (0.95, 0.02), "remote-middle": (0.95, 0.005), "remote-cheap": (0.95, 0.001)}
RISING: Truth = {"remote-best": (0.95, 0.02), "remote-middle": (0.94, 0.005), "remote-cheap": (0.6, 0.001)}


def learning(**changes: object) -> str:
    table = {"enabled": True, "exploration": 0.1, "half_life": 100, "min_outcomes": 5, "min_quality": 0.95}
    lines = [f"{key} = {str(value).lower()}" for key, value in {**table, **changes}.items()]
    return "\n".join(["[delegation.learning]", *lines, ""])


def adaptive(current: Current, **options: object) -> AdaptiveEngine:
    return AdaptiveEngine(PolicyEngine(current), current, **options)  # type: ignore[arg-type]


class Users:
    """Who calls functions, and judges what comes back."""

    def __init__(self, engine: AdaptiveEngine, calls: list[CallContext], luck: int = 0) -> None:
        self.engine = engine
        self.calls = calls
        self.chance = Random(luck)
        self.trials = 0

    def use(self, truth: Truth, times: int) -> Counter[str]:
        """So many calls; how often each target was taken."""
        taken: Counter[str] = Counter()
        for number in range(times):
            call = self.calls[number % len(self.calls)]
            plan = self.engine.plan(call)
            self.trials += bool(plan.metadata.get("is_trial"))
            name = target_name(plan.target)
            taken[name] += 1
            self.tell(call, name, truth)
        return taken

    def tell(self, call: CallContext, target: str, truth: Truth) -> None:
        quality, cost = truth[target]
        passed = sum(self.chance.random() < quality for _ in range(10)) / 10
        self.engine.observe(
            Feedback(
                fn_symbol=call.fn_symbol,
                target=target,
                success=True,
                cost_usd=cost * self.chance.uniform(0.8, 1.2),
                latency_ms=300,
                quality=passed,
                task=call.task,
            )
        )

    def evaluate(self, truth: Truth, each: int = 60) -> None:
        """Outcomes of all targets, asked for by somebody else."""
        for call in self.calls:
            for target in list(truth) * each:
                self.tell(call, target, truth)


# ---------------------------------------------------------------- off


@pytest.mark.parametrize("text", ["", learning(enabled=False, exploration=0.2)])
def test_off_it_lets_everything_pass(current: Make, call: Call, text: str) -> None:
    now = current(DEFAULT + TARGETS + text)
    engine = adaptive(now)
    plain = PolicyEngine(now)
    before = engine.version
    Users(engine, [call()]).evaluate(SAME)
    assert engine.version == before == plain.version
    assert engine.state == LearntState()
    assert engine.plan(call()) == plain.plan(call())


def test_it_is_off_unless_asked_for(current: Make) -> None:
    assert not current("").rulebook.policy.settings.learning.enabled


# text and what a call carries: plans that leave no choice
FIXED = [
    "",  # the function's own body
    TARGETS.replace(
        "[delegation.remote", "[[delegation.rules]]\ntargets = ['remote-best']\n[delegation.remote", 1
    ),
    'default_target = "remote-best"\n' + TARGETS,  # no fallback to choose from
    RULE.replace('choose = "best"', "") + TARGETS,
]


@pytest.mark.parametrize("text", FIXED)
def test_where_the_policy_leaves_no_choice_nothing_changes(current: Make, call: Call, text: str) -> None:
    now = current(text + learning())
    engine = adaptive(now)
    Users(engine, [call()]).evaluate(SAME)
    plans = [engine.plan(call(f"f{number}")) for number in range(50)]
    assert plans == [PolicyEngine(now).plan(call(f"f{number}")) for number in range(50)]
    assert engine.plan(call()) == PolicyEngine(now).plan(call())


# ---------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    "text", [DEFAULT, RULE.replace("cost = 0", "cost = 1").replace("quality = 1", "quality = 0")]
)
def test_the_cheapest_that_is_good_enough_is_taken(current: Make, call: Call, text: str) -> None:
    engine = adaptive(current(text + TARGETS + learning(exploration=0.0)))
    Users(engine, [call()]).evaluate(RISING)
    plan = engine.plan(call())
    assert target_name(plan.target) == "remote-middle"
    assert plan.stage == "adaptive"
    assert "remote-best" in map(target_name, plan.chain)


def test_the_plan_gives_the_figures(current: Make, call: Call) -> None:
    engine = adaptive(current(DEFAULT + TARGETS + learning(exploration=0.0)))
    Users(engine, [call("text/label")]).evaluate(RISING)
    plan = engine.plan(call("text/label"))
    assert plan.reasoning.startswith("`text/label` goes to `remote-middle` (quality 0.9")
    assert " outcomes); good enough is 0.9" in plan.reasoning
    assert "0.95 of the best, `remote-best`" in plan.reasoning
    reasons = {target_name(each.target): each.reason for each in plan.rejected}
    assert "is wanted" in reasons["remote-cheap"]
    assert "scored" in reasons["remote-best"]
    assert plan.expected.quality == pytest.approx(0.94, abs=0.04)
    assert plan.expected.cost_usd == pytest.approx(0.005, rel=0.1)
    assert plan.metadata["is_trial"] is False


def test_weights_of_the_rule_count(current: Make, call: Call) -> None:
    now = current(RULE + TARGETS + learning(exploration=0.0, min_quality=0.5))
    users = Users(adaptive(now), [call()])
    users.evaluate({"remote-best": (0.9, 0.001), "remote-middle": (0.99, 0.02), "remote-cheap": (0.8, 0.01)})
    assert target_name(users.engine.plan(call()).target) == "remote-middle"


def test_ceilings_of_the_rule_hold_for_what_was_learnt(current: Make, call: Call) -> None:
    rule = (
        RULE.replace("cost = 0", "cost = 1").replace("quality = 1", "quality = 0") + "max_latency_ms = 1000\n"
    )
    engine = adaptive(current(rule + TARGETS + learning(exploration=0.0)))
    for target, latency_ms in (("best", 500), ("middle", 800), ("cheap", 5000)):
        for _ in range(100):
            made = Feedback(fn_symbol="f", target=f"remote-{target}", success=True, latency_ms=latency_ms,
                            cost_usd=SAME[f"remote-{target}"][1], quality=0.9)  # fmt: skip
            engine.observe(made)
    assert target_name(engine.plan(call()).target) == "remote-middle"


def test_nothing_is_chosen_before_enough_is_known(current: Make, call: Call) -> None:
    now = current(DEFAULT + TARGETS + learning(exploration=0.0, min_outcomes=30))
    users = Users(adaptive(now), [call()])
    for known in (["remote-cheap"], ["remote-middle"]):
        for _ in range(40):
            users.tell(call(), known[0], SAME)
        assert users.engine.plan(call()) == PolicyEngine(now).plan(
            call()
        )  # the policy's own choice is not known
    users.use(SAME, 29)
    assert users.engine.plan(call()) == PolicyEngine(now).plan(call())
    users.use(SAME, 70)
    assert target_name(users.engine.plan(call()).target) == "remote-cheap"


def test_failures_count_against_a_target(current: Make, call: Call) -> None:
    engine = adaptive(current(DEFAULT + TARGETS + learning(exploration=0.0)))
    users = Users(engine, [call()])
    users.evaluate(SAME)
    assert target_name(engine.plan(call()).target) == "remote-cheap"
    for _ in range(60):
        seen = Observation(fn_symbol="f", task=call().task, target="remote-cheap", cause="server-error",
                           cost_usd=0.0, latency_ms=1.0, confidence=None)  # fmt: skip
        engine.observe(seen)
    assert target_name(engine.plan(call()).target) == "remote-middle"


def test_confidence_stands_for_quality_where_nobody_judged(current: Make, call: Call) -> None:
    engine = adaptive(current(DEFAULT + TARGETS + learning(exploration=0.0)))
    for target, confidence in (("best", 0.9), ("middle", 0.88), ("cheap", 0.3)) * 100:
        name = f"remote-{target}"
        seen = Observation(fn_symbol="f", task=0, target=name, cause=None, cost_usd=SAME[name][1],
                           latency_ms=1.0, confidence=confidence)  # fmt: skip
        engine.observe(seen)
    assert target_name(engine.plan(call()).target) == "remote-middle"


def test_functions_of_one_kind_share_what_was_learnt(current: Make, call: Call) -> None:
    now = current(DEFAULT + TARGETS + learning(exploration=0.0))
    users = Users(adaptive(now, kind_of=lambda symbol: symbol.partition("/")[0]), [call("text/one")])
    users.evaluate(SAME)
    assert target_name(users.engine.plan(call("text/other")).target) == "remote-cheap"
    assert target_name(users.engine.plan(call("code/one")).target) == "remote-best"


def test_what_rests_is_neither_chosen_nor_tried(current: Make, call: Call) -> None:
    now = current(DEFAULT + TARGETS + learning(exploration=0.2))
    users = Users(adaptive(now), [call(f"f{number}") for number in range(20)])
    users.evaluate(SAME, each=10)
    now.world = World(version=1, now=10.0, targets={"remote-cheap": TargetState(circuit="open", retry_at=99.0)})
    assert users.use(SAME, 400)["remote-cheap"] == 0
    now.world = World(
        version=2, now=100.0, targets={"remote-cheap": TargetState(circuit="open", retry_at=99.0)}
    )
    assert users.use(SAME, 100)["remote-cheap"] > 50


# ---------------------------------------------------------------- drift


def settled(users: Users, truth: Truth, times: int = 1500) -> str:
    users.use(truth, times)
    return users.use(truth, 200).most_common(1)[0][0]


def test_it_follows_a_world_that_drifts(current: Make, call: Call) -> None:
    users = Users(adaptive(current(DEFAULT + TARGETS + learning())), [call(f"f{each}") for each in range(2)])
    assert settled(users, RISING, 3000) == "remote-middle"
    better = {**RISING, "remote-cheap": (0.95, 0.001)}
    assert settled(users, better, 4000) == "remote-cheap"
    worse = {**better, "remote-cheap": (0.7, 0.001)}
    assert settled(users, worse) == "remote-middle"
    dearer = {**worse, "remote-middle": (0.94, 0.05)}
    assert settled(users, dearer) == "remote-best"


def test_a_price_that_moved_in_one_task_moved_in_all(current: Make, call: Call) -> None:
    users = Users(adaptive(current(DEFAULT + TARGETS + learning(exploration=0.0))), [call("f"), call("g")])
    users.evaluate(SAME)
    assert target_name(users.engine.plan(call("g")).target) == "remote-cheap"
    dear = {**SAME, "remote-cheap": (0.95, 0.1)}
    for _ in range(100):
        users.tell(call("f"), "remote-cheap", dear)
    assert target_name(users.engine.plan(call("g")).target) == "remote-middle"


# ---------------------------------------------------------------- trials


@pytest.mark.parametrize("exploration", [0.0, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("functions", [2, 7])
def test_trials_are_bounded(current: Make, call: Call, exploration: float, functions: int) -> None:
    calls = [call(f"f{number}") for number in range(functions)]
    users = Users(adaptive(current(DEFAULT + TARGETS + learning(exploration=exploration))), calls)
    for used in range(100, 3001, 100):
        users.use(RISING, 100)
        assert users.trials <= exploration * used + 1
        assert users.trials == users.engine.state.explored
    assert bool(users.trials) == bool(exploration)


def test_without_trials_a_target_that_was_never_seen_is_never_taken(current: Make, call: Call) -> None:
    users = Users(adaptive(current(DEFAULT + TARGETS + learning(exploration=0.0))), [call()])
    assert users.use(SAME, 1000) == {"remote-best": 1000}


def test_a_trial_says_so(current: Make, call: Call) -> None:
    calls = [call(f"f{number}") for number in range(10)]
    users = Users(adaptive(current(DEFAULT + TARGETS + learning(exploration=0.2))), calls)
    users.use(SAME, 40)
    found: list[DelegationPlan] = []
    while not found:
        users.use(SAME, 1)
        found = [plan for each in calls if (plan := users.engine.plan(each)).metadata.get("is_trial")]
    assert "to learn" in found[0].reasoning
    assert found[0].stage == "adaptive"


# ---------------------------------------------------------------- determinism


def history(current: Make, call: Call, seed: int) -> list[str]:
    engine = adaptive(current(DEFAULT + TARGETS + learning(seed=seed)))
    calls = [call(f"f{number}") for number in range(5)]
    users = Users(engine, calls)
    found = []
    for _ in range(600):
        users.use(RISING, 1)
        found += [f"{engine.version} {target_name(engine.plan(each).target)}" for each in calls]
    return found


def test_the_same_seed_and_outcomes_decide_alike(current: Make, call: Call) -> None:
    assert history(current, call, 1) == history(current, call, 1)
    assert history(current, call, 1) != history(current, call, 2)


def test_within_a_version_equal_calls_have_equal_plans(current: Make, call: Call) -> None:
    engine = adaptive(current(DEFAULT + TARGETS + learning(exploration=0.2)))
    calls = [call(f"f{number}") for number in range(5)]
    users = Users(engine, calls)
    known: dict[tuple[str, str], DelegationPlan] = {}
    for _ in range(800):
        users.use(RISING, 1)
        for each in calls:
            assert known.setdefault((engine.version, each.fn_symbol), engine.plan(each)) == engine.plan(each)
    versions = {version for version, _ in known}
    assert 5 < len(versions) < 300  # in steps, not with each outcome


def test_what_was_learnt_can_be_taken_elsewhere(current: Make, call: Call) -> None:
    now = current(DEFAULT + TARGETS + learning())
    users = Users(adaptive(now), [call(f"f{number}") for number in range(3)])
    users.use(RISING, 700)
    again = adaptive(now, state=from_data(to_data(users.engine.state)))
    other = Users(again, users.calls)
    other.chance.setstate(users.chance.getstate())
    step = adaptive(now, state=users.engine.state)
    assert [again.plan(each) for each in users.calls] == [step.plan(each) for each in users.calls]
    assert again.version == users.engine.version


def test_a_memo_around_it_never_answers_for_another_version(current: Make, call: Call) -> None:
    now = current(DEFAULT + TARGETS + learning())
    made: list[AdaptiveEngine] = []

    def factory(inner: object) -> AdaptiveEngine:
        made.append(AdaptiveEngine(inner, now))  # type: ignore[arg-type]
        return made[0]

    engine = standard_engine(now, adaptive=factory)
    users = Users(made[0], [call()])
    for _ in range(300):
        users.use(RISING, 3)
        assert engine.decide(call()) == made[0].plan(call()).target


# ---------------------------------------------------------------- hard rules


@settings(max_examples=60)
@given(
    outcomes=st.lists(
        st.tuples(st.sampled_from(sorted(SAME)), st.booleans(), st.floats(0, 1), st.floats(0, 1)), max_size=60
    ),
    label=st.sampled_from([None, "secret", "other"]),
    text=st.sampled_from([DEFAULT, RULE]),
    seed=st.integers(0, 5),
)
def test_what_is_forbidden_is_never_taken_whatever_the_outcomes_say(
    current: Make,
    call: Call,
    outcomes: list[tuple[str, bool, float, float]],
    label: str | None,
    text: str,
    seed: int,
) -> None:
    now = current(text + TARGETS + learning(exploration=0.2, min_outcomes=1, min_quality=0.1, seed=seed))
    engine = adaptive(now)
    calls = [call(f"f{number}", labels={label} if label else ()) for number in range(3)]
    for number, (target, success, quality, cost) in enumerate([*outcomes, *outcomes, *outcomes]):
        each = calls[number % 3]
        engine.observe(
            Feedback(
                fn_symbol=each.fn_symbol,
                target=target,
                success=success,
                quality=quality,
                cost_usd=cost,
                task=each.task,
            )
        )
        plan = engine.plan(each)
        for chosen in (plan.target, *plan.chain):
            assert isinstance(chosen, LocalPure) or now.rulebook.veto(each, chosen, now.world) is None


def test_a_budget_that_is_used_up_ends_a_choice(current: Make, call: Call) -> None:
    budget = '[delegation.budgets.b]\nscope = "provider"\nmatch = "cheap"\nlimit_usd = 0.0\n'
    now = current(DEFAULT + TARGETS + learning(exploration=0.2) + budget)
    users = Users(adaptive(now), [call(f"f{number}") for number in range(5)])
    users.evaluate(SAME)
    assert users.use(SAME, 500)["remote-cheap"] == 0
