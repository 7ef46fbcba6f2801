"""A runtime from a driver: programs, tickets, events, policies."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from ray_parts import POLICY, until

import rtfs
from actors import Runtime
from actors.service import NotFoundError, SubmitOptions
from actors.tickets.ids import new_ticket_id
from rtfs import errors
from rtfs.run import Limits
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext
from rtfs.values import Keyword


def test_a_program_has_its_value_and_prints(runtime: Runtime) -> None:
    reply = runtime.run('(println "seen") {:n (+ n 1) :kind :k}', args={"n": 41})
    assert rtfs.pr_str(reply.outcome()) == "{:n 42 :kind :k}"
    assert reply.output == "seen\n"


def test_an_error_arrives_with_its_place(runtime: Runtime) -> None:
    with pytest.raises(errors.DivisionByZero) as caught:
        runtime.evaluate("(defn f [x]\n  (/ x 0))\n(f 1)", source_name="plan.rtfs")
    assert (caught.value.source, caught.value.span.line) == ("plan.rtfs", 2)


def test_limits_hold(runtime: Runtime) -> None:
    with pytest.raises(errors.BudgetExhausted, match="deadline"):
        runtime.evaluate("(loop [] (recur))", limits=Limits(deadline_s=0.3))
    with pytest.raises(errors.SecurityViolation):
        runtime.evaluate('(call :ccos.network.http-fetch "http://127.0.0.1:9")')
    with pytest.raises(errors.UnknownCapability):
        runtime.evaluate('(get-env "PATH")', context=RuntimeContext.full())


def test_a_spinning_run_does_not_hold_up_others(runtime: Runtime) -> None:
    spinning = [
        runtime.submit("(loop [] (recur))", context=_bounded(20.0)) for _ in range(2 * runtime.spec.evaluators)
    ]
    until(lambda: all(ticket.view().phase == "running" for ticket in spinning))
    assert [runtime.evaluate("(+ 1 n)", args={"n": n}) for n in range(20)] == list(range(1, 21))
    assert {ticket.state for ticket in spinning} == {"working"}
    for ticket in spinning:
        ticket.cancel()
    for ticket in spinning:
        with pytest.raises(errors.BudgetExhausted):
            ticket.result(timeout=20)


def _bounded(deadline_s: float) -> RuntimeContext:
    return replace(RuntimeContext.pure(), bounds=Limits(deadline_s=deadline_s))


def test_delegated_calls_go_to_their_models(runtime: Runtime) -> None:
    reply = runtime.run('(defn echo-it [x] :body) (map echo-it [1 :k "s" nil])')
    assert rtfs.pr_str(reply.outcome()) == '[1 :k "s" nil]'
    assert [(each.function, each.target, each.answered_by, each.calls) for each in reply.calls] == [
        ("echo-it", "local-echo", "local-echo", 4)
    ]


def test_a_target_that_fails_is_replaced_by_the_body(runtime: Runtime) -> None:
    reply = runtime.run("(defn flaky-it [x] [:here x]) (map flaky-it (range 10))")
    assert rtfs.pr_str(reply.outcome()) == f"[{' '.join(f'[:here {n}]' for n in range(10))}]"
    assert {each.answered_by for each in reply.calls} == {"local-pure"}


def test_tickets(runtime: Runtime) -> None:
    ticket = runtime.submit("(defn echo-it [x] x) (echo-it {:a 1})", SubmitOptions(name="first"))
    assert ticket.result(timeout=30) == rtfs.evaluate("{:a 1}")
    assert ray.get(ticket.ref, timeout=30) == rtfs.evaluate("{:a 1}")
    assert (ticket.state, ticket.view().name) == ("completed", "first")
    assert ticket.id in [view.id for view in runtime.tickets().tickets]
    states = [event.data["state"] for event in ticket.events()]
    assert states[-1] == "completed"


def test_a_ticket_raises_what_its_run_raised(runtime: Runtime) -> None:
    ticket = runtime.submit('(throw {:type :mine :message "no"})')
    with pytest.raises(errors.ApplicationError, match="no"):
        ticket.result(timeout=30)
    with pytest.raises(errors.ApplicationError, match="no"):
        ray.get(ticket.ref, timeout=30)
    assert ticket.state == "failed"


def test_tickets_can_be_waited_for_as_references(runtime: Runtime) -> None:
    tickets = [runtime.submit("(defn slow-it [x] x) (slow-it n)", args={"n": n}) for n in range(8)]
    ready, rest = ray.wait([ticket.ref for ticket in tickets], num_returns=8, timeout=30)
    assert (len(ready), rest) == (8, [])
    assert [ray.get(ticket.ref) for ticket in tickets] == list(range(8))


def test_the_same_submission_is_one_ticket(runtime: Runtime) -> None:
    name = new_ticket_id()
    a = runtime.submit("(+ 1 1)", ticket_id=name)
    assert a.id == name
    assert a.result(timeout=30) == 2


def test_a_ticket_of_another_tenant_does_not_exist(runtime: Runtime) -> None:
    mine = replace(RuntimeContext.controlled(), facts=RuntimeFacts(tenant="acme"))
    ticket = runtime.submit("1", context=mine)
    assert ticket.result(timeout=30) == 1
    with pytest.raises(NotFoundError):
        runtime.ticket(ticket.id, tenant="other").view()
    with pytest.raises(NotFoundError):
        runtime.ticket(ticket.id).view()
    assert runtime.ticket(ticket.id, tenant="acme").view().tenant == "acme"


def test_a_delayed_ticket_waits_and_a_late_one_is_given_up(runtime: Runtime) -> None:
    late = runtime.submit("1", SubmitOptions(delay_s=60))
    assert late.view().phase == "delayed"
    assert late.cancel().state == "cancelled"
    with pytest.raises(errors.BudgetExhausted):
        late.result(timeout=10)
    spinning = runtime.submit("(loop [] (recur))", SubmitOptions(deadline_s=1), context=_bounded(60))
    with pytest.raises(errors.BudgetExhausted):
        spinning.result(timeout=30)


def test_the_same_as_coroutines(runtime: Runtime) -> None:
    async def many() -> list[object]:
        ticket = await runtime.aio.submit("(+ 20 22)")
        values = await asyncio.gather(*[runtime.aio.evaluate("(* n n)", args={"n": n}) for n in range(20)])
        return [await ticket.result(30), *values]

    assert asyncio.run(many()) == [42, *[n * n for n in range(20)]]


def test_a_new_policy_is_followed_and_taken_back(runtime: Runtime) -> None:
    program = "(defn other-it [x] [:here x]) (other-it 1)"
    assert rtfs.pr_str(runtime.evaluate(program)) == "[:here 1]"
    before = runtime.policy()
    wrong = runtime.replace_policy(POLICY + '\n[delegation.static_rutes]\n"a" = "local-pure"\n')
    assert (wrong.swapped, wrong.policy) == (False, before)
    assert "static_routes" in wrong.problems[0]
    added = POLICY.replace('"echo-*" =', '"other-*" = "local-third"\n"echo-*" =') + (
        '\n[delegation.local_models.third]\nkind = "echo"\n'
    )
    change = runtime.replace_policy(added, expected=before.number)
    assert change.swapped
    until(lambda: runtime.evaluate(program) == 1)
    assert runtime.rollback_policy().swapped
    until(lambda: runtime.evaluate(program) != 1)


def test_everybody_hears_of_a_new_policy(runtime: Runtime) -> None:
    events = runtime.events("policy")
    assert isinstance(events, Generator)
    first = next(events)
    assert (first.topic, first.state) == ("policy", True)
    runtime.replace_policy(POLICY + "\n# another text\n")
    assert next(events).data["number"] > first.data["number"]
    runtime.rollback_policy()
    events.close()


def test_a_decision_explains_itself(runtime: Runtime) -> None:
    explained = runtime.explain("(defn echo-it [x] x)")
    assert [each["target"] for each in explained["functions"]] == ["local-echo"]


def test_types_are_checked_on_both_ways(runtime: Runtime) -> None:
    reply = runtime.run('(defn echo-it [x : string] : [:enum :a :b] :b) (echo-it "text")')
    assert reply.outcome() is Keyword.of("b")
    assert "bad-reply" in reply.calls[0].reason


def test_the_example_of_the_readme(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    text = (root / "README.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Runtime" in block]
    shown = re.findall(r"^    (.*?)  # (\d+)$", code, re.MULTILINE)
    assert [value for _, value in shown] == ["42", "499500"]
    checked = re.sub(r"^    (.*?)  # (\d+)$", r"    assert \1 == \2", code, flags=re.MULTILINE)
    monkeypatch.chdir(root)
    exec(checked, {})
