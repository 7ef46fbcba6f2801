"""Delegated functions as chats: through a policy, a circuit breaker, turns and real HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from scripted_openai import in_turn, says, says_streamed
from scripted_server import (
    JSON,
    Behaviour,
    Received,
    ScriptedServer,
    answers,
    cuts,
    drips,
    floods,
    is_silent,
)

import rtfs
from actors.delegation.turns import InTurn
from actors.remote.http import HttpCaller
from actors.remote.openai.runner import OpenAiRunner, OpenAiServices
from policies.engines.standard import standard_engine
from policies.errors import TargetFailed
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.delegate import PolicyDelegate
from policies.running.health import HealthTracker
from policies.running.runner import CallRecord, Clock
from policies.targets import target_name
from policies.world import World
from rtfs import errors
from rtfs.delegation import LocalModel, RemoteModel
from rtfs.overlap import overlapping
from rtfs.program import new_run
from rtfs.run import Limits, cancel, running
from rtfs.values import Value

type Start = Callable[[Behaviour], ScriptedServer]

PROGRAM = "(defn f [x : int] : int (* 2 x)) (f 21)"


class Setting:
    """A policy that sends `f` to the first of some services, the others behind it."""

    def __init__(self, caller: HttpCaller, *urls: str, more: str = "", rule: str = "") -> None:
        names = [f"remote-{chr(97 + n)}" for n in range(len(urls))]
        providers = "\n".join(
            f'{name} = {{ endpoint = "{url}/v1", model = "m", retries = 0{more} }}'
            for name, url in zip(names, urls, strict=True)
        )
        policy = load_policy(
            f"""
            [delegation]
            [[delegation.rules]]
            symbols = ["f"]
            targets = {names[:1]}
            fallback = {names[1:]}
            {rule}
            [delegation.health]
            consecutive_failures = 2
            [delegation.remote_providers]
            {providers}
            """
        )
        self.now = 1_000_000.0
        self.current = Current(Rulebook(policy), World(now=self.now))
        self.health = HealthTracker(policy.settings.health)
        self.records: list[CallRecord] = []
        clock = Clock(monotonic=time.monotonic, wall=lambda: self.now)
        self.services = OpenAiServices(caller, self.current, {}, clock, lambda: 0.0)
        runner = InTurn(OpenAiRunner(self.services), self.current, clock)
        self.delegate = PolicyDelegate(
            standard_engine(self.current),
            self.current,
            {"remote": runner},
            clock,
            health=self.health,
            audit=self.records.append,
        )

    def run(self, source: str = PROGRAM, **more: Any) -> Value:
        linked = rtfs.compile(source).link(self.delegate)
        return overlapping(lambda: linked.run(**more))

    @property
    def answered_by(self) -> str:
        found = self.records[-1].answered_by
        assert found is not None
        return target_name(found)

    @property
    def causes(self) -> list[str]:
        return [attempt.cause for attempt in self.records[-1].history]


def test_a_function_is_answered_by_a_service(server: Start, caller: HttpCaller):
    there = server(says(1764))
    setting = Setting(caller, there.url, more=", cost_usd = 0.25")
    assert setting.run() == 1764
    assert (setting.answered_by, setting.records[-1].spent) == ("remote-a", 250_000)
    asked = "".join(each["content"] for each in there.received[0].json["messages"])
    assert "f" in asked
    assert "21" in asked


def test_an_unsure_answer_goes_on_along_the_chain(server: Start, caller: HttpCaller):
    half = {"choices": [{"message": {"content": '{"value": 1}'}, "logprobs": {"content": [{"logprob": -0.7}]}}]}
    small, large = server(answers(200, json.dumps(half))), server(says(2))
    setting = Setting(caller, small.url, large.url, rule="min_confidence = 0.8")
    assert setting.run() == 2
    assert setting.causes == ["low-confidence", ""]


def test_a_target_of_another_kind_is_refused(caller: HttpCaller):
    services = Setting(caller, "http://127.0.0.1:9").services
    for target in (RemoteModel("other"), LocalModel("a")):
        with pytest.raises(TargetFailed, match="no provider of kind `openai`") as failed:
            services.model(target)
        assert failed.value.cause == "bad-request"


def test_a_model_lasts_as_long_as_its_entry(caller: HttpCaller):
    setting = Setting(caller, "http://127.0.0.1:9")
    model = setting.services.model(RemoteModel("a"))
    assert setting.services.model(RemoteModel("a")) is model
    setting.current.rulebook = Setting(caller, "http://127.0.0.1:9", more=", seed = 1").current.rulebook
    other = setting.services.model(RemoteModel("a"))
    assert other is not model
    assert other.service.replicas is model.service.replicas


# ---------------------------------------------------------------- many calls, and calls that are given up


class Together:
    """Answers when so many have come, and counts how many are there at once."""

    def __init__(self, many: int) -> None:
        self._many = many
        self.arrived = self.here = self.most = 0

    async def __call__(self, received: Received, writer: asyncio.StreamWriter) -> None:
        self.arrived += 1
        self.here += 1
        self.most = max(self.most, self.here)
        while self.arrived % self._many:
            await asyncio.sleep(0.002)
        self.here -= 1
        await says(1)(received, writer)


MANY = "(defn f [x : int] : int 0) (reduce + (map f (range 20)))"


def test_calls_of_one_run_overlap(server: Start, caller: HttpCaller):
    """Each is answered when all have come: one after another they never would be."""
    together = Together(20)
    assert Setting(caller, server(together).url).run(MANY, limits=Limits(deadline_s=30)) == 20
    assert together.most == 20


def test_no_more_at_once_than_the_capacity(server: Start, caller: HttpCaller):
    together = Together(4)
    setting = Setting(caller, server(together).url, more=", capacity = 4")
    assert setting.run(MANY, limits=Limits(deadline_s=30)) == 20
    assert (together.most, together.arrived) == (4, 20)
    assert all(record.history[0].latency_ms < 10_000 for record in setting.records)


def test_calls_whose_time_is_over_close_their_connections(server: Start, caller: HttpCaller):
    there = server(is_silent)
    setting = Setting(caller, there.url, more=", capacity = 3")
    assert setting.run(MANY, limits=Limits(deadline_s=0.5)) == 0  # the bodies answered
    for _ in range(3):
        assert there.given_up.acquire(timeout=10)
    assert there.count == 3
    there.behaviour, setting.now = says(1), setting.now + 60
    assert setting.run() == 1  # the trial
    assert setting.run(MANY, limits=Limits(deadline_s=30)) == 20  # their turns are free again


@pytest.mark.parametrize("more", ["", ", stream = true"])
def test_a_run_that_is_stopped_takes_its_request_with_it(server: Start, caller: HttpCaller, more: str):
    there = server(is_silent)
    setting = Setting(caller, there.url, more=more)
    run = new_run(None, None, Limits(), None)
    caught: list[BaseException] = []

    def work() -> None:
        try:
            with running(run):
                setting.services.model(RemoteModel("a")).infer_text("hello")
        except errors.LimitError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    end = time.monotonic() + 10
    while there.count == 0:
        assert time.monotonic() < end
        time.sleep(0.002)
    cancel(run)
    thread.join(10)
    assert isinstance(caught[0], errors.BudgetExhausted)
    assert there.given_up.acquire(timeout=10)


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
    #: requests that a call makes
    requests: int = 1


FAULTS = [
    Fault("refused", "connection-refused", rest_s=5),
    Fault("401", "auth", answers(401), 1, 300),
    Fault("404", "bad-reply", answers(404, "<html>", {"content-type": "text/html"}), rest_s=20),
    Fault("429 with seconds", "rate-limited", answers(429, "", {**JSON, "retry-after": "37"}), 1, 37),
    Fault("429 no quota", "auth", answers(429, '{"error": {"code": "insufficient_quota"}}'), 1, 300),
    Fault("500", "server-error", answers(500), rest_s=10),
    Fault("503 with seconds", "overloaded", answers(503, "", {"retry-after": "44"}), rest_s=44),
    Fault("half a JSON", "bad-reply", answers(200, '{"choices": '), rest_s=20),
    Fault("another content type", "bad-reply", answers(200, "{}", {"content-type": "text/plain"}), rest_s=20),
    Fault("another shape", "bad-reply", answers(200, "[]"), rest_s=20),
    Fault("another type", "bad-reply", says("{}"), rest_s=20, requests=2),
    Fault("nonsense", "bad-reply", says("twenty-one"), rest_s=20, requests=2),
    Fault("cut", "connection-lost", cuts, rest_s=5),
    Fault("slow first byte", "timeout", is_silent, rest_s=15),
    Fault("slow drip", "timeout", drips, rest_s=15),
    Fault("redirect", "bad-reply", answers(307, "", {"location": "http://127.0.0.1:9/"}), rest_s=20),
    Fault("huge body", "bad-reply", floods, rest_s=20),
    Fault("refusal", "bad-request", says(None, refusal="no"), None),
    Fault("400", "bad-request", answers(400), None),
]


@pytest.mark.parametrize("has_fallback", [False, True], ids=["primary", "fallback"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_matrix(server: Start, caller: HttpCaller, fault: Fault, has_fallback: bool):
    """Whatever a server does, calls are answered; after the threshold it hears nothing while it rests."""
    broken = ScriptedServer(is_silent) if fault.behaviour is None else server(fault.behaviour)
    urls = [broken.url, *([server(says_streamed(42)).url] if has_fallback else [])]
    timeout_ms = 150 if fault.cause == "timeout" else 10_000
    setting = Setting(caller, *urls, more=f", stream = true, timeout = {timeout_ms}")
    instead = "remote-b" if has_fallback else "local-pure"
    for call in range(1, (fault.threshold or 5) + 1):
        assert setting.run() == 42
        assert (setting.answered_by, setting.causes[0]) == (instead, fault.cause)
        assert broken.count == (0 if fault.behaviour is None else call * fault.requests)
    circuit = setting.health.record("remote-a").circuit
    if fault.threshold is None:
        assert circuit == "closed"
        return
    heard = broken.count
    for wait_s in (0.0, fault.rest_s - 0.5):
        setting.now += wait_s
        assert setting.run() == 42
        assert setting.causes[0] == "breaker"
    assert broken.count == heard
    setting.now += 1.0
    if fault.behaviour is None:
        broken.start()
    broken.behaviour = says_streamed(43)
    try:
        assert setting.run() == 43
        assert setting.answered_by == "remote-a"
    finally:
        broken.stop()


def test_a_secret_stands_in_no_record(server: Start, caller: HttpCaller):
    there = server(answers(401, '{"error": {"message": "key sk-123 is wrong"}}'))
    setting = Setting(caller, there.url, more=', api_key_env = "KEY"')
    setting.services._environ = {"KEY": "sk-123"}
    assert setting.run() == 42
    assert there.received[0].headers["authorization"] == "Bearer sk-123"
    assert "sk-123" not in repr(setting.records)


def test_retries_happen_within_one_try_of_the_chain(server: Start, caller: HttpCaller):
    there = server(in_turn(answers(500), says(7)))
    setting = Setting(caller, there.url, more="")
    setting.current.rulebook = Rulebook(
        load_policy(
            '[delegation]\n[delegation.static_routes]\nf = "remote-a"\n[delegation.remote_providers]\n'
            f'a = {{ endpoint = "{there.url}/v1", model = "m", retries = 1 }}\n'
        )
    )
    assert setting.run() == 7
    assert (len(setting.records[-1].history), there.count) == (1, 2)
