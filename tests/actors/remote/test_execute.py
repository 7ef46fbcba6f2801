"""`(call :remote-rtfs.execute …)`: steps of a plan on another runtime, and what becomes of them without it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scripted_server import (
    Behaviour,
    ScriptedServer,
    answers,
    answers_value,
    evaluates,
    is_silent,
)

import rtfs
from actors.remote.execute import ID, RemoteExecution
from actors.remote.http import HttpCaller
from actors.remote.runtimes import RemoteRuntimes
from actors.requests import DEFAULT_CAPABILITIES, RunRequest
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.health import HealthTracker
from policies.running.ledger import Ledger
from policies.running.runner import CallRecord, Clock
from policies.running.services import Services
from policies.world import World
from rtfs import errors
from rtfs.host import ConsoleHost
from rtfs.printer import pr_str
from rtfs.runtime_facts import RuntimeFacts

type Start = Callable[[Behaviour], ScriptedServer]
#: a port of this machine that nobody listens on
NOWHERE = "http://127.0.0.1:9"


class Setting:
    """Providers `x` and `y`, and a host that offers the capability."""

    def __init__(self, caller: HttpCaller, x: str = NOWHERE, y: str = NOWHERE, *, policy: str = "") -> None:
        text = f"""
            [delegation]
            {policy}
            [delegation.remote_providers]
            remote-ai = {{ endpoint = "{NOWHERE}" }}
            remote-x = {{ endpoint = "{x}", kind = "rtfs", timeout = 10000, max_cost_usd = 0.01 }}
            y = {{ endpoint = "{y}", kind = "rtfs", timeout = 10000 }}
        """
        rulebook = Rulebook(load_policy(text))
        self.now = 1_000_000.0
        self.current = Current(rulebook, World(now=self.now))
        clock = Clock(monotonic=time.monotonic, wall=lambda: self.now)
        self.records: list[CallRecord] = []
        self.services = Services(
            current=self.current,
            runners={},
            clock=clock,
            ledger=Ledger(),
            health=HealthTracker(rulebook.policy.settings.health),
            audit=self.records.append,
        )
        self.request = RunRequest(source="")
        self.execution = RemoteExecution(
            services=self.services,
            runtimes=RemoteRuntimes(caller, self.current, {}, clock),
            program_of=lambda: self.request,
        )
        self.out = io.StringIO()

    def run(self, source: str, **request: Any) -> str:
        """The value of a program, printed."""
        allowed = (*DEFAULT_CAPABILITIES, ID)
        self.request = RunRequest(source=source, **{"allowed": allowed, **request})
        host = ConsoleHost(self.out, context={"mine": 7})
        host.capabilities[ID] = self.execution.capability()
        return pr_str(rtfs.evaluate(source, host=host, context=self.request.context(), args=self.request.args))

    def execute(self, request: str, **more: Any) -> str:
        return self.run(f"(call :{ID} {request})", **more)

    @property
    def causes(self) -> list[str]:
        return [attempt.cause for attempt in self.records[-1].history]


def test_a_step_runs_there(server: Start, caller: HttpCaller):
    there = server(evaluates)
    setting = Setting(caller, there.url)
    facts = RuntimeFacts(permissions=frozenset({"p"}), plan="plan")
    assert setting.execute('{:source "(+ x 2)" :args {:x 40}}', facts=facts, hops=1) == "42"
    body = there.received[0].json
    assert (body["source"], body["rtfs_args"]) == ("(+ x 2)", {"x": "40"})
    assert (body["permissions"], body["plan"], body["hops"]) == (["p"], "plan", 2)
    assert body["level"] == "controlled"
    assert setting.causes == [""]


@pytest.mark.parametrize(
    ("request_", "value"),
    [
        ('"(+ 1 2)"', "3"),  # one required field may come by position
        ('{"source" "(str a b)" "args" {"a" 1 :b #{:k}}}', '"1#{:k}"'),
        ('{:source "(defn f [a b] [b a])" :call {:function "f" :args [1 :k]}}', "[:k 1]"),
        ('{:source "(defn f [] 5)" :call {:function "f"}}', "5"),
        ('{:source "(defn f [a] (+ a b))" :call {:function "f" :args [1]} :args {:b 2}}', "3"),
        ('{:source "1" :timeout-ms nil :provider nil :call nil :args nil}', "1"),
    ],
)
def test_the_same_there_and_here(server: Start, caller: HttpCaller, request_: str, value: str):
    assert Setting(caller, server(evaluates).url).execute(request_) == value
    here = Setting(caller)
    assert here.execute(request_) == value
    assert here.causes == ["connection-refused"]


@pytest.mark.parametrize("name", ["y", "remote-y"])
def test_the_provider_is_the_first_or_the_one_named(server: Start, caller: HttpCaller, name: str):
    x, y = server(answers_value(":x")), server(answers_value(":y"))
    setting = Setting(caller, x.url, y.url)
    assert setting.execute('{:source "1"}') == ":x"
    assert setting.execute(f'{{:source "1" :provider "{name}"}}') == ":y"


@pytest.mark.parametrize(
    ("request_", "kind", "text"),
    [
        ('{:source "1" :provider "remote-z"}', errors.InvalidArgument, "no provider `remote-z`"),
        ('{:source "1" :provider "remote-ai"}', errors.InvalidArgument, "no provider `remote-ai`"),
        ('{:source "1" :timeout-ms 0}', errors.InvalidArgument, "more than 0"),
        ('{:source "1" :args {1 2}}', errors.InvalidArgument, "expected names in :args"),
        ('{:source "1" :call {:function "f) (g"}}', errors.InvalidArgument, "expected :function to be a name"),
        ('{:source "1" :timeout-ms "5"}', errors.TypeValidationError, "Input validation failed"),
        ("{:source 1}", errors.TypeValidationError, "Input validation failed"),
    ],
)
def test_requests_that_are_wrong(caller: HttpCaller, request_: str, kind: type[errors.RtfsError], text: str):
    with pytest.raises(kind) as refused:
        Setting(caller).execute(request_)
    assert text in refused.value.text()


def test_a_policy_without_runtimes(caller: HttpCaller):
    setting = Setting(caller)
    setting.current.rulebook = Rulebook(load_policy("[delegation]"))
    with pytest.raises(errors.InvalidArgument, match="names no provider of kind `rtfs`"):
        setting.execute('{:source "1"}')


# ---------------------------------------------------------------- what is forbidden

PRIVATE = """
    [delegation.security.privacy.pii]
    allow = ["local-*"]
    [delegation.security.require]
    "remote-y" = ["may-use-y"]
"""


@pytest.mark.parametrize(
    ("request_", "facts", "by"),
    [
        ('{:source "1"}', RuntimeFacts(labels=frozenset({"pii"})), "privacy"),
        ('{:source "1" :provider "y"}', RuntimeFacts(), "authorization"),
    ],
)
def test_hard_rules_hold_whatever_the_fallback(
    server: Start, caller: HttpCaller, request_: str, facts: RuntimeFacts, by: str
):
    there = server(answers_value("1"))
    setting = Setting(caller, there.url, there.url, policy=PRIVATE)
    with pytest.raises(errors.SecurityViolation) as refused:
        setting.execute(request_, facts=facts)
    assert (refused.value.operation, refused.value.capability) == (by, ID)
    assert refused.value.hint
    assert there.count == 0
    allowed = RuntimeFacts(permissions=frozenset({"may-use-y"}))
    assert setting.execute(request_, facts=allowed) == "1"


@pytest.mark.parametrize("effect", [":network"])
def test_a_run_without_network_sends_nothing(server: Start, caller: HttpCaller, effect: str):
    there = server(answers_value("1"))
    with pytest.raises(errors.SecurityViolation):
        Setting(caller, there.url).execute('{:source "1"}', denied_effects=frozenset({effect}))
    assert there.count == 0


def test_it_is_a_capability_that_must_be_allowed(caller: HttpCaller):
    with pytest.raises(errors.SecurityViolation):
        Setting(caller).execute('{:source "1"}', allowed=DEFAULT_CAPABILITIES)


# ---------------------------------------------------------------- fallback


@pytest.mark.parametrize(
    ("fallback", "value"),
    [("", "3"), (":fallback :local", "3"), (":fallback nil", "nil"), (":fallback {:n 1}", "{:n 1}")],
)
def test_what_becomes_of_a_step_without_its_target(caller: HttpCaller, fallback: str, value: str):
    setting = Setting(caller)
    assert setting.execute(f'{{:source "(+ 1 2)" {fallback}}}') == value
    assert setting.causes == ["connection-refused"]


def test_an_error_if_that_is_wanted(caller: HttpCaller):
    request = f'(call :{ID} {{:source "1" :fallback :error}})'
    with pytest.raises(errors.NetworkError, match=r"`remote-x` did not run the step.*connection-refused"):
        Setting(caller).run(request)
    assert Setting(caller).run(f"(try {request} (catch NetworkError e :caught))") == ":caught"


def test_a_step_that_runs_here_has_the_same_context_and_host(caller: HttpCaller):
    setting = Setting(caller)
    assert setting.execute('{:source "(do (println :hello) (get :mine))"}') == "7"
    assert setting.out.getvalue() == ":hello\n"
    with pytest.raises(errors.SecurityViolation):
        setting.execute('{:source "(call :not.allowed)"}')
    with pytest.raises(errors.UndefinedSymbol):
        setting.run(f'(let [secret 1] (call :{ID} {{:source "secret"}}))')


def test_a_step_that_runs_here_is_bound_by_what_is_left_of_the_limits(caller: HttpCaller):
    setting = Setting(caller)
    tight = rtfs.Limits(output_bytes=10)
    source = f'(do (println "12345") (call :{ID} {{:source "(println 12345)"}}))'
    with pytest.raises(errors.BudgetExhausted, match="output"):
        setting.run(source, limits=tight)
    endless = '{:source "(loop [] (recur))"}'
    with pytest.raises(errors.BudgetExhausted, match="deadline"):
        setting.execute(endless, limits=rtfs.Limits(deadline_s=0.3))


def test_the_programs_error_is_no_reason_to_run_it_again(server: Start, caller: HttpCaller):
    there = server(evaluates)
    setting = Setting(caller, there.url)
    with pytest.raises(errors.DivisionByZero):
        setting.execute('{:source "(/ 1 0)" :fallback 5}')
    assert there.count == 1
    assert setting.services.health.record("remote-x").failures_in_row == 0


def test_its_own_time(server: Start, caller: HttpCaller):
    there = server(is_silent)
    setting = Setting(caller, there.url)
    assert setting.execute('{:source "1" :timeout-ms 50 :fallback :late}') == ":late"
    assert setting.causes == ["timeout"]
    assert there.received[0].json["limits"]["deadline_ms"] <= 50


# ---------------------------------------------------------------- breaker, money, audit


def test_the_circuit_breaker_is_told_and_asked(server: Start, caller: HttpCaller):
    there = server(answers(401))
    setting = Setting(caller, there.url)
    for cause in ("auth", "breaker", "breaker"):
        assert setting.execute('{:source "1"}') == "1"
        assert setting.causes == [cause]
    assert there.count == 1
    there.behaviour = answers_value(":there")
    setting.now += 301
    assert setting.execute('{:source "1"}') == ":there"
    assert setting.services.health.record("remote-x").circuit == "closed"


BUDGET = """
    [delegation.budgets.all]
    scope = "all"
    limit_usd = 0.015
    window = "forever"
"""


def test_money(server: Start, caller: HttpCaller):
    there = server(answers_value(":there", calls=[{"cost_usd": 0.01}]))
    setting = Setting(caller, there.url, policy=BUDGET)
    assert setting.execute('{:source "1"}') == ":there"
    assert sum(setting.services.ledger.spent().values()) == 10_000
    assert setting.execute('{:source "1"}') == "1"  # the rest does not pay for another one
    assert there.count == 1
    assert setting.records[-1].spent == 0


def test_the_audit_hears_of_each_step(server: Start, caller: HttpCaller):
    setting = Setting(caller, server(answers_value("1")).url)
    facts = RuntimeFacts(tenant="acme")
    setting.execute('{:source "1"}', facts=facts)
    record = setting.records[-1]
    assert (record.fn_symbol, record.plan.stage, record.facts.tenant) == (ID, "remote-rtfs", "acme")


def test_a_ticket_may_wait_for_the_target_unless_the_step_says_otherwise(caller: HttpCaller):
    setting = Setting(caller)

    def wait(symbol: str, history: object) -> None:
        raise errors.BudgetExhausted("deferred", symbol)

    setting.execution = replace(setting.execution, services=replace(setting.services, before_body=wait))
    with pytest.raises(errors.BudgetExhausted, match="deferred"):
        setting.execute('{:source "1"}')
    assert setting.execute('{:source "1" :fallback :local}') == "1"
