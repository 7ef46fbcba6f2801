"""The host of a run: what is there, what is not, what it notes and tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.evaluator.evaluator import Evaluator
from actors.requests import DEFAULT_CAPABILITIES, RunReply, RunRequest
from rtfs import errors
from rtfs.run import Limits
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value


class Told:
    """An announcer that keeps what it is told."""

    def __init__(self) -> None:
        self.news: list[tuple[str, str, dict[str, Any], str | None]] = []

    def publish(
        self, topic: str, key: str, data: Mapping[str, Any], tenant: str | None = None, *, ended: bool = False
    ) -> None:
        assert not ended
        self.news.append((topic, key, dict(data), tenant))


def ran(source: str, *, noted: list[Value] | None = None, **more: Any) -> RunReply:
    notes = [] if noted is None else noted
    evaluator = Evaluator(capabilities={"t.note": lambda value: notes.append(value)})
    return evaluator.run(RunRequest(source=source, **{"allowed": (*DEFAULT_CAPABILITIES, "t.*"), **more}))


def test_there_is_no_environment_whatever_the_context_permits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_PROCESS", "hunter2")
    reply = ran('(call :ccos.system.get-env "SECRET_OF_THE_PROCESS")', level="full")
    assert isinstance(reply.error, errors.UnknownCapability)
    assert "hunter2" not in repr(reply)


def test_sleeping_lets_other_parts_of_the_run_go_on() -> None:
    noted: list[Value] = []
    source = """
    (let [slow (race (do (call :ccos.system.sleep-ms 3600000) :overslept)
                     (do (call :t.note :awake) (call :ccos.system.sleep-ms 1) :slept))]
      (call :t.note slow))
    """
    reply = ran(source, noted=noted, limits=Limits(deadline_s=60.0))
    assert reply.status == "completed"
    assert [each.name for each in noted] == ["awake", "slept"]


@pytest.mark.parametrize("ms", ["9000000000000000000", "1.0e300", "1.0e19"])
def test_a_sleep_of_any_length_ends_with_the_run(ms: str) -> None:
    reply = ran(f"(call :ccos.system.sleep-ms {ms})", limits=Limits(deadline_s=0.05))
    assert isinstance(reply.error, errors.BudgetExhausted), reply.error


@pytest.mark.parametrize("ms", ["0", "-5", "-1.0e300"])
def test_no_sleep_at_all(ms: str) -> None:
    assert ran(f"(call :ccos.system.sleep-ms {ms})").outcome() is None


def test_a_sleep_takes_a_number() -> None:
    assert isinstance(ran('(call :ccos.system.sleep-ms "1")').error, errors.TypeMismatch)


EFFECTS = [
    ("(+ 1 2)", False),
    ('(call :ccos.io.println "x")', False),
    ('(call :ccos.io.log "x") (call :ccos.echo 1) (call :ccos.system.current-timestamp-ms)', False),
    ("(call :ccos.state.kv.put {:key :k :value 1}) (call :ccos.state.kv.get {:key :k})", False),
    ("(call :ccos.system.sleep-ms 1)", False),
    ("(call :t.note 1)", True),
    ("(try (call :t.note) (catch _ e 0))", True),  # it may have done something before it failed
    ("(try (call :t.unknown) (catch _ e 0))", False),
    ("(try (call :other.note 1) (catch _ e 0))", False),  # forbidden, so nothing happened
]


@pytest.mark.parametrize(("source", "had_effects"), EFFECTS)
def test_only_what_others_can_see_is_an_effect(source: str, had_effects: bool) -> None:
    reply = ran(source)
    assert (reply.status, reply.had_effects) == ("completed", had_effects)


def test_a_capability_that_replaces_a_harmless_one_is_no_harmless_one() -> None:
    seen: list[Value] = []
    evaluator = Evaluator(capabilities={"ccos.io.log": lambda value: seen.append(value)})
    reply = evaluator.run(RunRequest(source='(call :ccos.io.log "x")'))
    assert (seen, reply.output, reply.had_effects) == (["x"], "", True)


def test_steps_are_told_with_the_ticket_and_the_tenant() -> None:
    told = Told()
    evaluator = Evaluator(announcer=told)
    source = '(step "read" 1) (step "a#b" (/ 1 0))'
    facts = RuntimeFacts(tenant="acme")
    evaluator.run(RunRequest(source=source, ticket_id="t-1", run_id="r-1", facts=facts))
    assert [(topic, key, tenant) for topic, key, _, tenant in told.news] == [("tickets", "t-1", "acme")] * 4
    assert [data for _, _, data, _ in told.news] == [
        {"step": step, "step_state": state, "run_id": "r-1"}
        for step, state in [
            ("read", "started"),
            ("read", "completed"),
            ("a#b", "started"),
            ("a#b", "failed"),
        ]
    ]


def test_steps_of_a_run_without_a_ticket_are_its_own_business() -> None:
    told = Told()
    assert Evaluator(announcer=told).run(RunRequest(source='(step "s" 1)')).value == 1
    assert told.news == []
