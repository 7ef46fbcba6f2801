"""Delegated functions on another runtime, through a policy, a circuit breaker and real HTTP.

The second half is the matrix of faults: what a server does, with and without a healthy second target. Whatever
it is, the program gets its value; after the threshold the server hears no more; a trial brings it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from scripted_server import (
    JSON,
    Behaviour,
    ScriptedServer,
    answers,
    answers_value,
    cuts,
    drips,
    evaluates,
    floods,
    is_silent,
)

import rtfs
from actors.remote.http import HttpCaller
from actors.remote.rtfs_runner import RemoteRtfsRunner
from actors.remote.runtimes import RemoteRuntimes
from actors.requests import DEFAULT_CAPABILITIES, RunRequest
from policies.engines.standard import standard_engine
from policies.file.load import load_policy
from policies.file.policy import Policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.health import HealthTracker
from policies.running.runner import CallRecord, Clock
from policies.targets import target_name
from policies.world import World
from rtfs import errors
from rtfs.analyze.environment import MappingModules
from rtfs.runtime_facts import RuntimeFacts
from rtfs.values import Value

type Start = Callable[[Behaviour], ScriptedServer]


class Setting:
    """A policy that sends `f` and `m/f` away, and all that it takes."""

    def __init__(self, caller: HttpCaller, *urls: str, timeout_ms: int = 10_000, facts: str = "") -> None:
        self._urls, self._facts = urls, facts
        policy = self._policy(timeout_ms)
        self.now = 1_000_000.0
        self.current = Current(Rulebook(policy), World(now=self.now))
        self.health = HealthTracker(policy.settings.health)
        self.records: list[CallRecord] = []
        self.request = RunRequest(source="")
        clock = Clock(monotonic=time.monotonic, wall=lambda: self.now)
        self.runtimes = RemoteRuntimes(caller, self.current, {}, clock)
        self.delegate = PolicyDelegate(
            standard_engine(self.current),
            self.current,
            {"remote": RemoteRtfsRunner(self.runtimes, lambda: self.request)},
            clock,
            health=self.health,
            audit=self.records.append,
        )

    def _policy(self, timeout_ms: int) -> Policy:
        """In it, `timeout_ms` is that of the first target."""
        names = [f"remote-{chr(97 + n)}" for n in range(len(self._urls))]
        providers = "\n".join(
            f'{name} = {{ endpoint = "{url}", kind = "rtfs", timeout = {timeout}{self._facts} }}'
            for name, url, timeout in zip(names, self._urls, (timeout_ms, 10_000), strict=False)
        )
        return load_policy(
            f"""
            [delegation]
            [[delegation.rules]]
            symbols = ["f", "m/f"]
            targets = {names[:1]}
            fallback = {names[1:]}
            [delegation.health]
            consecutive_failures = 2
            [delegation.security]
            unknown_label_allow = ["*"]
            [delegation.remote_providers]
            {providers}
            """
        )

    def be_patient(self) -> None:
        self.current.rulebook = Rulebook(self._policy(10_000))

    def run(self, source: str, **request: Any) -> Value:
        """Run a program for somebody, as an evaluator would."""
        self.request = RunRequest(source=source, source_name="p.rtfs", **request)
        modules = MappingModules(self.request.modules)
        program = rtfs.compile(source, source_name="p.rtfs", modules=modules)
        context = self.request.context()
        return program.link(self.delegate, context).run(context=context, args=self.request.args)

    @property
    def answered_by(self) -> str:
        found = self.records[-1].answered_by
        assert found is not None
        return target_name(found)

    @property
    def causes(self) -> list[str]:
        return [attempt.cause for attempt in self.records[-1].history]


def test_a_function_goes_with_what_it_needs(server: Start, caller: HttpCaller):
    there = server(evaluates)
    setting = Setting(caller, there.url)
    source = "(def k 10) (def secret 1) (defn g [x] (* k x)) (defn f [x ys] [(g x) ys]) (f 4 [:a #{2}])"
    assert rtfs.pr_str(setting.run(source)) == "[40 [:a #{2}]]"
    assert setting.answered_by == "remote-a"
    body = there.received[0].json
    assert body["call"] == {"function": "f", "rtfs_args": ["4", "[:a #{2}]"]}
    assert "secret" not in body["source"]
    assert body["level"] == "pure"


def test_functions_of_modules_and_arguments_of_the_run(server: Start, caller: HttpCaller):
    there = server(evaluates)
    setting = Setting(caller, there.url)
    modules = {"m": "(module m (:exports [f]) (defn f [x] (+ x base)))"}
    source = "(import m) (m/f 1)"
    assert setting.run(source, modules=modules, args={"base": 41, "unused": 5}) == 42
    assert setting.answered_by == "remote-a", setting.records[-1].history
    body = there.received[0].json
    assert body["modules"] == modules
    assert body["rtfs_args"] == {"base": "41", "argument-1-of-call": "1"}


def test_the_context_goes_along(server: Start, caller: HttpCaller):
    there = server(answers_value("1"))
    setting = Setting(caller, there.url)
    facts = RuntimeFacts(
        tenant="acme", permissions=frozenset({"p"}), labels=frozenset({"l"}), plan="plan", ambient={"hour": 3}
    )
    source = '(defn f [^{:privacy :pii} x] (println x) 1) (f "a")'
    assert setting.run(source, facts=facts, hops=1, allowed=(*DEFAULT_CAPABILITIES, "x")) == 1
    body = there.received[0].json
    assert (body["permissions"], body["plan"], body["ambient"]) == (["p"], "plan", {"hour": 3})
    assert set(body["labels"]) == {"l", "pii"}
    assert (body["level"], body["allow"], body["hops"]) == ("controlled", ["ccos.io.println"], 2)
    assert 0 < body["limits"]["deadline_ms"] <= 10_000
    assert "tenant" not in body


def test_the_programs_error_is_the_programs_error(server: Start, caller: HttpCaller):
    there = server(evaluates)
    setting = Setting(caller, there.url)
    source = '(defn f [x] (+ x "a"))'
    with pytest.raises(errors.TypeMismatch) as failed:
        setting.run(f"{source} (f 1)")
    assert (failed.value.operation, failed.value.source) == ("+", "p.rtfs")
    assert failed.value.span is not None
    assert failed.value.span[:2] == (1, 18)
    assert setting.run(f"{source} (try (f 1) (catch TypeError e :caught))").name == "caught"
    assert there.count == 2
    assert setting.health.record("remote-a").failures_in_row == 0


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("(defn f [g] (g 1)) (f inc)", {}),  # an argument that is a function
        ("(defn f [x] 2) (defn f [x] 2) (f 1)", {}),
        ("(defn f [x] (* x 2)) (f 1)", {"hops": 4}),
    ],
)
def test_what_cannot_be_sent_runs_here_and_is_no_fault_of_the_target(
    server: Start, caller: HttpCaller, source: str, more: dict[str, Any]
):
    there = server(evaluates)
    setting = Setting(caller, there.url)
    for _ in range(5):
        assert setting.run(source, **more) == 2
    assert there.count == 0
    assert (setting.answered_by, setting.causes) == ("local-pure", ["bad-request"])
    assert setting.health.record("remote-a").circuit == "closed"


def test_a_function_that_reads_a_context_value_stays(server: Start, caller: HttpCaller):
    there = server(answers_value("0"))
    setting = Setting(caller, there.url)
    source = "(defn f [x] (+ x (get :base))) (f 1)"
    setting.request = RunRequest(source=source)
    linked = rtfs.compile(source).link(setting.delegate)
    assert linked.run(host=rtfs.host.MemoryHost(context={"base": 41})) == 42
    context = replace(rtfs.RuntimeContext.pure(), cross_plan_params={"base": 9})
    assert linked.run(context=context) == 10
    assert there.count == 0
    assert setting.causes == ["bad-request"]


def test_what_the_other_side_cannot_do_is_done_here(server: Start, caller: HttpCaller):
    """It has no such capability, say: that is not the program's error as long as there is a body."""
    there = server(evaluates)
    setting = Setting(caller, there.url)
    source = "(defn f [x] (call :my.own x)) (f 1)"
    setting.request = RunRequest(source=source, level="full")
    host = rtfs.host.DictHost({"my.own": lambda x: x + 41})
    linked = rtfs.compile(source).link(setting.delegate)
    assert linked.run(host=host, context=rtfs.RuntimeContext.full()) == 42
    assert (there.count, setting.causes) == (1, ["bad-request"])


def test_an_answer_of_another_type_than_declared(server: Start, caller: HttpCaller):
    setting = Setting(caller, server(answers_value('"text"')).url)
    assert setting.run("(defn f [x : int] : int x) (f 1)") == 1
    assert setting.causes == ["bad-reply"]


def test_what_it_cost_is_what_the_other_side_says_or_the_policy(server: Start, caller: HttpCaller):
    there = server(answers_value("1", calls=[{"cost_usd": 0.25}]))
    setting = Setting(caller, there.url, facts=", cost_usd = 0.5, max_cost_usd = 1.0")
    setting.run("(defn f [x] x) (f 1)")
    there.behaviour = answers_value("1")
    setting.run("(defn f [x] x) (f 1)")
    assert [record.spent for record in setting.records] == [250_000, 500_000]


# ---------------------------------------------------------------- the matrix of faults


@dataclass(frozen=True)
class Fault:
    name: str
    cause: str
    behaviour: Behaviour | None = None
    #: calls until the circuit opens; None: it never does
    threshold: int | None = 2
    #: how long it then rests, seconds
    rest_s: float = 10.0


FAULTS = [
    Fault("refused", "connection-refused", rest_s=5),
    Fault("401", "auth", answers(401), 1, 300),
    Fault("403", "auth", answers(403), 1, 300),
    Fault("404", "bad-reply", answers(404, "<html>", {"content-type": "text/html"}), rest_s=20),
    Fault("408", "timeout", answers(408), rest_s=15),
    Fault("429", "rate-limited", answers(429), 1, 10),
    Fault("429 with seconds", "rate-limited", answers(429, "", {**JSON, "retry-after": "37"}), 1, 37),
    Fault(
        "429 with a date",
        "rate-limited",
        answers(
            429,
            "",
            {
                "date": "Tue, 14 Nov 2023 22:13:20 GMT",
                "retry-after": "Tue, 14 Nov 2023 22:14:20 GMT",
            },
        ),
        1,
        60,
    ),
    Fault("500", "server-error", answers(500), rest_s=10),
    Fault("502", "server-error", answers(502), rest_s=10),
    Fault("503", "overloaded", answers(503), rest_s=5),
    Fault("503 with seconds", "overloaded", answers(503, "", {"retry-after": "44"}), rest_s=44),
    Fault("malformed JSON", "bad-reply", answers(200, '{"status": '), rest_s=20),
    Fault("another content type", "bad-reply", answers(200, "{}", {"content-type": "text/plain"}), rest_s=20),
    Fault("another shape", "bad-reply", answers(200, "[]"), rest_s=20),
    Fault("cut stream", "connection-lost", cuts, rest_s=5),
    Fault("slow first byte", "timeout", is_silent, rest_s=15),
    Fault("slow drip", "timeout", drips, rest_s=15),
    Fault("redirect", "bad-reply", answers(307, "", {"location": "http://127.0.0.1:9/"}), rest_s=20),
    Fault("huge body", "bad-reply", floods, rest_s=20),
    Fault("huge body announced", "bad-reply", answers(200, b" " * (17 << 20)), rest_s=20),
    Fault("400", "bad-request", answers(400), None),
    Fault("413", "bad-request", answers(413), None),
]
PROGRAM = "(defn f [x] (* 2 x)) (f 21)"


@pytest.mark.parametrize("has_fallback", [False, True], ids=["primary", "fallback"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_matrix(server: Start, caller: HttpCaller, fault: Fault, has_fallback: bool):
    broken = ScriptedServer(is_silent) if fault.behaviour is None else server(fault.behaviour)
    urls = [broken.url]
    if has_fallback:
        second = server(evaluates)
        urls.append(second.url)
    setting = Setting(caller, *urls, timeout_ms=120 if fault.cause == "timeout" else 10_000)
    instead = "remote-b" if has_fallback else "local-pure"

    def circuit() -> str:
        return setting.health.record("remote-a").circuit

    # until the threshold each call is tried, and answered by another
    for call in range(1, (fault.threshold or 5) + 1):
        assert circuit() == "closed"
        assert setting.run(PROGRAM) == 42
        assert (setting.answered_by, setting.causes[0]) == (instead, fault.cause)
        assert broken.count == (0 if fault.behaviour is None else call)
    if fault.threshold is None:
        assert circuit() == "closed"
        return

    # then no call reaches it, up to the end of its rest
    assert circuit() == "open"
    heard = broken.count
    for wait_s in (0.0, fault.rest_s - 0.5):
        setting.now += wait_s
        assert setting.run(PROGRAM) == 42
        assert (setting.answered_by, setting.causes[0]) == (instead, "breaker")
    assert broken.count == heard

    # the trial fails while it is broken, and it rests longer
    setting.now += 0.5
    assert setting.run(PROGRAM) == 42
    assert setting.causes[0] == fault.cause
    assert circuit() == "open"
    setting.now += fault.rest_s + 0.5
    assert setting.run(PROGRAM) == 42
    assert setting.causes[0] == "breaker"

    # mended, one trial brings it back
    if fault.behaviour is None:
        broken.start()
    broken.behaviour = evaluates
    setting.be_patient()
    try:
        heard = broken.count
        setting.now += 2 * fault.rest_s
        for call in (1, 2):
            assert setting.run(PROGRAM) == 42
            assert (setting.answered_by, circuit()) == ("remote-a", "closed")
            assert broken.count == heard + call
    finally:
        broken.stop()


@pytest.mark.parametrize("has_fallback", [False, True], ids=["primary", "fallback"])
def test_a_name_that_is_not_known(server: Start, caller: HttpCaller, has_fallback: bool):
    urls = ["http://no-such-host.invalid"] + ([server(evaluates).url] if has_fallback else [])
    setting = Setting(caller, *urls)
    for _ in range(2):
        assert setting.run(PROGRAM) == 42
        assert setting.causes[0] == "connection-refused"
    assert setting.run(PROGRAM) == 42
    assert setting.causes[0] == "breaker"


def test_both_broken_the_body_answers(server: Start, caller: HttpCaller):
    a, b = server(answers(500)), server(answers(503))
    setting = Setting(caller, a.url, b.url)
    for _ in range(4):
        assert setting.run(PROGRAM) == 42
        assert setting.answered_by == "local-pure"
    assert (a.count, b.count) == (2, 2)
