"""How a process follows the policy, and hears and tells of the health of targets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import rtfs
from actors.delegation.delegation import DOWN, Delegation
from actors.models.batches import decode_requests, encode_replies
from actors.models.inference import InferenceResponse
from actors.policy.state import PolicyState
from policies.errors import PolicyFileError, TargetFailed
from policies.file.load import load_policy
from policies.running.health import CAUSES
from policies.running.runner import Clock, Observation
from rtfs.runtime_facts import RuntimeFacts

PATIENCE_S = 20.0
F = "(defn f [x] :body) "
MODELS = """
[delegation]
[delegation.local_models]
echo = { kind = "echo" }
other = { kind = "echo" }
"""
RULE = '[[delegation.rules]]\nsymbols = ["f"]\ntargets = ["local-echo"%s]\n'
ECHO, CHAIN = MODELS + RULE % "", MODELS + RULE % ', "local-other"'


def state(text: str, number: int, **more: Any) -> PolicyState:
    return PolicyState(text=text, source="p.toml", number=number, **more)


def down(setting: Any, cause: str = "crashed", **more: Any) -> None:
    """Have every batch fail."""
    setting.transport.answer = lambda replica, batch: TargetFailed(cause, "on purpose", **more)


# ---------------------------------------------------------------- following the policy


def test_a_newer_policy_counts_from_the_next_run_on(setting: Any) -> None:
    assert setting.run(F + "(f 1)").outcome() == 1
    setting.delegation.follow(state("[delegation]", 2))
    assert setting.delegation.number == 2
    assert setting.run(F + "(f 1)").text == ":body"
    setting.delegation.follow(state(ECHO, 3))
    assert setting.run(F + "(f 1)").outcome() == 1


def test_a_run_under_way_keeps_the_policy_it_began_with(setting: Any) -> None:
    setting.evaluator._capabilities["t.swap"] = lambda: setting.delegation.follow(state(ECHO, 2))
    setting.delegation.follow(state("[delegation]", 1))  # not newer: nothing happens
    assert setting.run(F + "(f 1)").outcome() == 1
    setting.delegation.number = 0
    setting.delegation.follow(state("[delegation]", 1))
    reply = setting.run(F + "[(f 1) (call :t.swap) (f 1)]", level="full")
    assert reply.text == "[:body nil :body]"
    assert setting.run(F + "(f 1)").outcome() == 1


@pytest.mark.parametrize("number", [1, 0, -5])
def test_an_older_policy_is_passed_over(setting: Any, number: int) -> None:
    before = setting.delegation.holder.policy
    setting.delegation.follow(state("this is no policy", number))  # not even read
    assert setting.delegation.holder.policy is before


def test_a_policy_that_is_refused_here_leaves_the_old_one(setting: Any) -> None:
    with pytest.raises(PolicyFileError):
        setting.delegation.follow(state("[delegation]\nno_such_key = 1", 2))
    assert setting.delegation.number == 1
    assert setting.run(F + "(f 1)").outcome() == 1
    setting.delegation.follow(state("[delegation]", 2))  # the next one of that number still counts
    assert setting.delegation.number == 2


def test_overrides_of_the_starter_count_and_the_environment_of_this_process_does_not(
    setting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTFS_DELEGATION__CACHE_TTL", "11")
    setting.delegation.follow(state(ECHO, 2, overrides={"RTFS_DELEGATION__CACHE_TTL": "22"}))
    assert setting.delegation.holder.policy.settings.cache_ttl == 22
    text, overrides = ECHO, {"RTFS_DELEGATION__CACHE_TTL": "22"}
    kept = load_policy(text, source="p.toml", environ=overrides)
    assert setting.delegation.holder.policy.version == kept.version  # as the policy actor has it


def test_secrets_are_not_needed_to_follow(setting: Any) -> None:
    provider = (
        '[delegation.remote_providers]\nx = { endpoint = "https://x.example", api_key_env = "NO_SUCH" }\n'
    )
    setting.delegation.follow(state("[delegation]\n" + provider, 2))
    assert setting.delegation.number == 2


def test_health_is_judged_by_the_new_policy(setting: Any) -> None:
    strict = ECHO + "[delegation.health]\nconsecutive_failures = 1\n"
    setting.delegation.follow(state(strict, 2))
    down(setting, "server-error")
    setting.run(F + "(f 1)")
    assert setting.told.circuits == [("local-echo", "open")]


# ---------------------------------------------------------------- health


def test_an_opening_is_told_once_with_what_others_need(setting: Any) -> None:
    down(setting)
    setting.run(F + "(map f (range 10))")
    ((topic, key, data),) = setting.told.news
    assert (topic, key, data["circuit"], data["cause"]) == ("health", "local-echo", "open", "crashed")
    record = setting.delegation.health.record("local-echo")
    assert data["retry_at"] == record.retry_at > time.time()


def test_while_a_target_is_down_here_nothing_more_reaches_it(setting: Any) -> None:
    down(setting)
    assert setting.run(F + "(f 1)").text == ":body"
    sent = len(setting.transport.sent)
    reply = setting.run(F + "(map f (range 10))")
    assert set(reply.text.strip("[]").split()) == {":body"}
    assert len(setting.transport.sent) == sent
    assert reply.calls[0].reason == "local-echo: refused (breaker), its circuit is open"


def test_what_others_found_out_counts_here_and_is_not_told_again(settings: Callable[..., Any]) -> None:
    setting = settings(CHAIN)
    opened = {"circuit": "open", "retry_at": time.time() + 60, "cause": "timeout"}
    setting.delegation.heard_of("local-echo", opened)
    reply = setting.run(F + "(f 1)")
    assert (reply.outcome(), reply.calls[0].target) == (1, "local-other")
    setting.delegation.heard_of("local-echo", {"circuit": "closed", "retry_at": 0.0, "cause": "timeout"})
    reply = setting.run(F + "(f 1)")
    assert (reply.outcome(), reply.calls[0].target) == (1, "local-echo")
    assert setting.told.news == []


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"circuit": "half-open", "retry_at": 9e9},
        {"circuit": "broken"},
        {"circuit": "open"},
        {"circuit": "open", "retry_at": None},
        {"circuit": "open", "retry_at": 1.0},
        {"circuit": "open", "retry_at": float("nan")},
        {"circuit": "closed"},
    ],
)
def test_news_that_say_nothing_new_change_nothing(setting: Any, data: dict[str, Any]) -> None:
    version = setting.delegation.current.version
    setting.delegation.heard_of("local-echo", data)
    assert setting.delegation.current.version == version
    assert setting.run(F + "(f 1)").outcome() == 1


def test_news_from_afar_set_no_endless_timer(setting: Any) -> None:
    setting.delegation.heard_of("local-echo", {"circuit": "open", "retry_at": float("inf")})
    timer = setting.delegation._refresh_timer
    assert timer.interval < 1e6
    setting.delegation.close()
    timer.join(PATIENCE_S)
    assert not timer.is_alive()


def test_at_the_end_of_the_cool_down_decisions_are_made_anew_and_a_trial_closes_the_circuit(
    settings: Callable[..., Any],
) -> None:
    setting = settings(CHAIN + "[delegation.health.cool_down_s]\ncrashed = 0.2\n")
    delegation = setting.delegation
    first_fails = iter([True])

    def answer(replica: str, batch: bytes) -> Any:
        if next(first_fails, False):
            return TargetFailed("crashed", "once")
        return setting.transport.hosts[replica].infer(batch)

    setting.transport.answer = answer
    assert setting.run(F + "(f 1)").calls[0].answered_by == "local-other"
    version = delegation.current.version
    end = time.monotonic() + PATIENCE_S
    while delegation.current.version == version and time.monotonic() < end:
        time.sleep(0.01)
    assert delegation.current.world.now >= delegation.health.record("local-echo").retry_at
    assert setting.run(F + "(f 1)").calls[0].answered_by == "local-echo"
    assert setting.told.circuits == [
        ("local-echo", "open"),
        ("local-echo", "half-open"),
        ("local-echo", "closed"),
    ]
    assert delegation._refresh_timer is None  # nothing is cooling down


def test_after_the_end_no_timer_is_set(setting: Any) -> None:
    setting.delegation.close()
    down(setting)
    setting.run(F + "(f 1)")
    assert setting.told.circuits == [("local-echo", "open")]
    assert setting.delegation._refresh_timer is None


# ---------------------------------------------------------------- rather waiting than doing without


def wait(setting: Any, source: str = F + "(f 1)", **more: Any) -> Any:
    return setting.run(source, on_target_down="wait", **more)


@pytest.mark.parametrize("cause", sorted(DOWN - {"breaker"}))
def test_a_run_that_would_rather_wait_is_deferred(setting: Any, cause: str) -> None:
    assert cause in CAUSES
    down(setting, cause)
    before = time.time()
    reply = wait(setting)
    assert reply.status == "deferred"
    assert reply.deferral.target == "local-echo"
    record = setting.delegation.health.record("local-echo")
    if record.circuit == "open":
        assert reply.deferral.until >= record.retry_at
    assert reply.deferral.until >= before + 0.9  # never at once, or it would spin
    assert [call.answered_by for call in reply.calls] == ["local-pure"]


def test_it_waits_as_well_where_the_target_was_down_before_it_began(setting: Any) -> None:
    down(setting)
    setting.run(F + "(f 1)")
    retry_at = setting.delegation.health.record("local-echo").retry_at
    for _ in range(2):
        reply = wait(setting)
        assert (reply.status, reply.deferral.until) == ("deferred", retry_at)
    setting.delegation.heard_of("local-echo", {"circuit": "closed"})
    setting.transport.answer = None
    assert wait(setting).outcome() == 1


def test_it_waits_where_all_of_a_chain_are_down_and_a_hint_too(settings: Callable[..., Any]) -> None:
    setting = settings(CHAIN)
    down(setting)
    assert wait(setting).status == "deferred"
    assert wait(setting).status == "deferred"
    hinted = '(defn g ^:delegation :local-model "echo" [x] :body) (g 1)'
    assert wait(setting, hinted).status == "deferred"


def test_who_does_not_wait_falls_back(setting: Any) -> None:
    down(setting)
    assert setting.run(F + "(f 1)").text == ":body"
    assert setting.run(F + "(f 1)").text == ":body"


def test_after_an_effect_it_is_too_late_to_wait(setting: Any) -> None:
    down(setting)
    reply = wait(setting, F + "(call :t.effect) (f 1)", level="full")
    assert (reply.status, reply.text, reply.had_effects) == ("completed", ":body", True)


def test_a_run_that_is_put_off_has_no_effects_any_more(settings: Callable[..., Any]) -> None:
    """What stands before the call in the program goes on when it fails; run again it would happen twice."""
    other = '[[delegation.rules]]\nsymbols = ["g"]\ntargets = ["local-other"]\n'
    setting = settings(ECHO + other)
    done: list[str] = []
    setting.evaluator._capabilities["t.effect"] = lambda: done.append("effect")

    def answer(replica: str, batch: bytes) -> Any:
        if decode_requests(batch)[0].function.symbol == "f":
            return TargetFailed("crashed", "on purpose")
        while not setting.told.news:  # `g` answers when `f` has failed
            time.sleep(0.005)
        return setting.transport.hosts[replica].infer(batch)

    setting.transport.answer = answer
    source = F + "(defn g [x] :body) [(do (g 1) (call :t.effect)) (f 1)]"
    reply = wait(setting, source, level="full")
    assert (reply.status, reply.had_effects, done) == ("deferred", False, [])
    setting.transport.answer = None
    setting.delegation.heard_of("local-echo", {"circuit": "closed"})
    assert (wait(setting, source, level="full").text, done) == ("[nil 1]", ["effect"])


VETOED = """
[delegation]
[delegation.local_models]
echo = { kind = "echo", tenants = ["acme"] }
[[delegation.rules]]
symbols = ["f"]
targets = ["local-echo"]
"""


def test_nobody_waits_for_a_target_that_is_forbidden(settings: Callable[..., Any]) -> None:
    setting = settings(VETOED)
    hinted = '(defn f ^:delegation :local-model "echo" [x] :body) (f 1)'
    for source in (F + "(f 1)", hinted):
        assert wait(setting, source).text == ":body"
        assert wait(setting, source, facts=RuntimeFacts(tenant="acme")).outcome() == 1


def test_nobody_waits_for_effects_that_the_context_denies(setting: Any) -> None:
    assert wait(setting, denied_effects=frozenset({":ai"})).text == ":body"


@pytest.mark.parametrize("cause", sorted(CAUSES - DOWN - {"cancelled"}))
def test_nobody_waits_for_a_target_that_answers_badly(setting: Any, cause: str) -> None:
    down(setting, cause)
    assert wait(setting).text == ":body"


def test_nobody_waits_for_an_answer_that_was_not_sure_enough(settings: Callable[..., Any]) -> None:
    setting = settings(MODELS + RULE % ', "local-other"' + "min_confidence = 0.9\n")

    def unsure(replica: str, batch: bytes) -> Any:
        replies = [InferenceResponse(request.args[0], confidence=0.1) for request in decode_requests(batch)]
        return encode_replies(replies)

    setting.transport.answer = unsure
    assert wait(setting).outcome() == 1  # the best there was


# ---------------------------------------------------------------- who else is told


def test_each_try_is_observed(settings: Callable[..., Any]) -> None:
    seen: list[Observation] = []
    setting = settings(observe=seen.append)
    setting.run(F + "[(f 1) (f inc)]")
    assert sorted((each.target, each.cause) for each in seen if each.cause is None) == [("local-echo", None)]
    assert [each.cause for each in seen if each.cause is not None] == ["bad-request"]


def test_calls_outside_any_run_of_an_evaluator_are_nobodys(setting: Any) -> None:
    linked = rtfs.compile(F + "(f 1)").link(setting.delegation.delegate)
    assert linked.run() == 1
    down(setting)
    assert linked.run().name == "body"


def test_a_process_that_is_alone_needs_nothing_else() -> None:
    clock = Clock(monotonic=time.monotonic, wall=time.time)
    alone = Delegation(state(ECHO, 1), lambda current: {}, clock)
    assert alone.number == 1
    alone.close()
