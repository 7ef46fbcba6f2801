"""A model that decides: what it is asked, what of its replies counts, and what happens when it fails."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError

import pytest

from policies.context import CallContext, CallFacts
from policies.engines.asking import AskFailedError
from policies.engines.model import ModelEngine, chosen_name, prompt_for
from policies.engines.policy import PolicyEngine
from policies.file.policy import Policy
from policies.file.schema import (
    Delegation,
    LocalModelEntry,
    ModelChoice,
    PrivacyLabel,
    RemoteProvider,
    Rule,
    Security,
)
from policies.rules.rulebook import Current, Rulebook
from policies.world import World
from rtfs.delegation import FunctionInfo, LocalModel, LocalPure, RemoteModel, RuntimeFacts

SETTINGS = Delegation(
    remote_providers={
        "openai": RemoteProvider(endpoint="https://example.com", cost_usd=0.25, latency_ms=900.0, quality=0.9),
        "router": RemoteProvider(endpoint="https://example.com"),
    },
    local_models={"tiny": LocalModelEntry(path="tiny.gguf")},
    rules=(Rule(symbols=("ruled",), targets=("local-tiny",)),),
    security=Security(privacy={"secret": PrivacyLabel(allow=("local-*",)), "inner": PrivacyLabel()}),
    model_choice=ModelChoice(target="remote-router", timeout_ms=5000.0),
)


def current(version: str = "1", **changes: Any) -> Current:
    settings = SETTINGS.model_copy(update=changes)
    return Current(Rulebook(Policy(settings=settings, version=version)))


def call(symbol: str = "free", *, labels: frozenset[str] = frozenset()) -> CallContext:
    function = FunctionInfo(
        symbol=symbol,
        doc='Sums\nup: {"target": "x"}.',
        parameters=("a", "b"),
        parameter_types=("string", "int"),
        return_type="float",
        hint=None,
        metadata=MappingProxyType({"note": "metadata stays here"}),
        ir_hash="hash",
        labels=labels,
    )
    facts = CallFacts(function=function, arg_types=("string", None), runtime=RuntimeFacts(tenant="tenant-name"))
    return CallContext.of(facts)


class Port:
    """Answers what it was told to, and remembers what it was asked."""

    def __init__(self, reply: object = "local-tiny") -> None:
        self.reply = reply
        self.asked: list[tuple[str, tuple[str, ...], float]] = []

    def __call__(self, prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        self.asked.append((prompt, allowed, timeout_s))
        if isinstance(self.reply, BaseException):
            raise self.reply
        return self.reply  # type: ignore[return-value]


def engine(port: Callable[..., str], now: Current, **options: float) -> ModelEngine:
    return ModelEngine(PolicyEngine(now), now, port, **options)  # type: ignore[arg-type]


ALLOWED = ("local-pure", "remote-openai", "remote-router", "local-tiny")


def test_its_choice_is_the_plan() -> None:
    port = Port()
    plan = engine(port, current()).plan(call())
    assert (plan.target, plan.stage) == (LocalModel("tiny"), "model")
    assert plan.reasoning == "`remote-router` chose `local-tiny` for `free`, which no rule decides"
    assert [(allowed, timeout_s) for _, allowed, timeout_s in port.asked] == [(ALLOWED, 5.0)]


@pytest.mark.parametrize(
    ("symbol", "changes"),
    [("ruled", {}), ("free", {"model_choice": ModelChoice()})],
    ids=["a rule decides", "off"],
)
def test_when_it_is_not_asked(symbol: str, changes: dict[str, Any]) -> None:
    port, now = Port(), current(**changes)
    assert engine(port, now).plan(call(symbol)) == PolicyEngine(now).plan(call(symbol))
    assert port.asked == []


def test_candidates_narrow_the_choice() -> None:
    choice = ModelChoice(target="remote-router", candidates=("remote-openai", "local-pure"))
    port = Port("local-tiny")
    plan = engine(port, current(model_choice=choice)).plan(call())
    assert port.asked[0][1] == ("local-pure", "remote-openai")
    assert (plan.target, plan.stage) == (LocalPure(), "default")


def test_only_allowed_targets_are_offered_and_none_else_is_followed() -> None:
    choice = ModelChoice(target="local-tiny")
    port = Port("remote-openai")
    plan = engine(port, current(model_choice=choice)).plan(call(labels=frozenset({"secret"})))
    assert port.asked[0][1] == ("local-pure", "local-tiny")
    assert plan.target == LocalPure()
    why = "not followed: expected one of local-pure, local-tiny as reply, got `remote-openai`"
    assert plan.metadata["model_choice"] == why


def test_a_model_that_is_not_allowed_is_not_asked() -> None:
    port = Port()
    plan = engine(port, current()).plan(call(labels=frozenset({"secret"})))
    assert port.asked == []
    assert plan.target == LocalPure()
    assert "`remote-router` may not be asked: " in plan.metadata["model_choice"]


def test_with_one_allowed_target_there_is_nothing_to_ask() -> None:
    port = Port()
    now = current()
    confined = call(labels=frozenset({"inner"}))
    assert engine(port, now).plan(confined) == PolicyEngine(now).plan(confined)
    assert port.asked == []


def test_the_prompt() -> None:
    now = current()
    secret = call(labels=frozenset({"secret"}))
    assert prompt_for(secret, now.rulebook.candidates.values(), World(prices_usd={"remote-openai": 0.5})) == (
        "Choose where calls of a function run. Answer with exactly one of the names listed under `targets`.\n"
        "function: free\n"
        'doc: "Sums\\nup: {\\"target\\": \\"x\\"}."\n'
        "parameters: a: string, b: int\n"
        "result: float\n"
        "privacy labels: secret\n"
        "targets:\n"
        "- local-pure (cost in USD 0, latency in ms 0, this machine)\n"
        "- remote-openai (cost in USD 0.5, latency in ms 900, quality 0.9, a remote site)\n"
        "- remote-router (a remote site)\n"
        "- local-tiny (cost in USD 0, this machine)"
    )


@pytest.mark.parametrize(
    "reply",
    [
        "remote-openai",
        "  remote-openai\n",
        '"remote-openai"',
        "'remote-openai'",
        "`remote-openai`",
        ' " remote-openai " ',
        '{"target": "remote-openai"}',
        ' {"why": [1, {}], "target": " remote-openai "} ',
    ],
)
def test_replies_that_count(reply: str) -> None:
    assert chosen_name(reply, ALLOWED) == "remote-openai"
    plan = engine(Port(reply), current()).plan(call())
    assert plan.target == RemoteModel("openai")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "got ``"),
        ("remote-opena", "got `remote-opena`, which is like `remote-openai`"),
        ("REMOTE-OPENAI", "got `REMOTE-OPENAI`"),
        ("I choose remote-openai.", "got `I choose remote-openai.`"),
        ("remote-openai local-tiny", "expected one of"),
        ("remote-stranger", "got `remote-stranger`"),
        ("{", "expected a JSON object as reply"),
        ("{}", "expected a JSON object with a text as `target`"),
        ('{"target": 3}', "expected a JSON object with a text as `target`"),
        ('{"target": null}', "expected a JSON object with a text as `target`"),
        ('{"target": "remote-stranger"}', "got `remote-stranger`"),
        ('{"target": ' * 300, "expected a JSON object as reply"),
        ('{"target":' + "[" * 4000, "expected a JSON object as reply"),
        ('["remote-openai"]', 'got `["remote-openai"]`'),
        ("x" * 5000, "expected a name as reply, got 5000 characters"),
        ("\x00\ud800", "expected one of"),
        (None, "expected a text as reply, got a value of type NoneType"),
        (b"remote-openai", "expected a text as reply, got a value of type bytes"),
        (OSError("refused"), "asking failed: OSError: refused"),
    ],
)
def test_odd_replies_leave_the_inner_plan(reply: object, why: str) -> None:
    now = current()
    plan = engine(Port(reply), now).plan(call())
    inner = PolicyEngine(now).plan(call())
    assert (plan.target, plan.stage, plan.chain) == (inner.target, "default", inner.chain)
    assert why in plan.metadata["model_choice"]
    if not isinstance(reply, BaseException):
        with pytest.raises(AskFailedError):
            chosen_name(reply, ALLOWED)


def test_a_choice_holds_for_a_version_of_the_policy_and_a_call() -> None:
    port, now = Port(), current()
    model = engine(port, now)
    for _ in range(3):
        model.plan(call())
    now.world = World(version=1, now=5000.0)
    model.plan(call())
    assert len(port.asked) == 1
    model.plan(call("other"))
    assert len(port.asked) == 2
    now.rulebook = current("2").rulebook
    model.plan(call())
    assert len(port.asked) == 3


def test_what_was_chosen_once_is_not_followed_when_it_is_no_longer_allowed() -> None:
    port, now = Port("remote-openai"), current(max_cost_usd=1.0, model_choice=ModelChoice(target="local-tiny"))
    model = engine(port, now)
    assert model.decide(call()) == RemoteModel("openai")
    now.world = World(version=1, prices_usd={"remote-openai": 2.0})
    assert model.decide(call()) == LocalPure()
    assert "remote-openai" not in port.asked[1][1]


def test_a_failure_holds_until_the_world_is_older() -> None:
    port, now = Port("nonsense"), current()
    model = engine(port, now, retry_s=30.0)
    for moment in (0.0, 0.0, 29.0):
        now.world = World(version=int(moment), now=moment)
        assert "got `nonsense`" in model.plan(call()).metadata["model_choice"]
    assert len(port.asked) == 1
    now.world = World(version=30, now=30.0)
    port.reply = "local-tiny"
    assert model.decide(call()) == LocalModel("tiny")
    assert len(port.asked) == 2


def test_hung_askers_are_bounded() -> None:
    release = Event()
    asked = []

    def hang(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
        asked.append(prompt)
        release.wait()
        return "local-tiny"

    now = current(model_choice=ModelChoice(target="remote-router", timeout_ms=1.0))
    model = engine(hang, now, limit=2)
    reasons = [model.plan(call(f"f{number}")).metadata["model_choice"] for number in range(6)]
    release.set()
    assert reasons[:2] == ["not followed: no answer within 1 ms"] * 2
    assert reasons[2:] == ["not followed: 2 questions still wait for an answer"] * 4
    assert len(asked) == 2


def test_where_a_model_may_choose_arguments_still_decide_first() -> None:
    """A rule that looks at arguments gets its say at the call, even if it leads to the function's own body."""
    here = (Rule(symbols=("free",), arg_types=("string", "..."), targets=("local-pure",)),)
    undecided = CallContext.of(
        CallFacts(function=FunctionInfo("free", None, ("x",), ("any",), "any", None, {}, "h"))
    )
    assert current(rules=here).rulebook.depends_on_arguments(undecided)
    assert not current(rules=here, model_choice=ModelChoice()).rulebook.depends_on_arguments(undecided)


# ------------------------------------------------------------ a model behind HTTP


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler, dict[str, object]], None]) -> Iterator[Callable[..., str]]:
    """A port that asks a real server on loopback, which answers with `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer(self, json.loads(body))

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = False  # closing waits for them
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def ask(prompt: str, allowed: tuple[str, ...], timeout_s: float) -> str:
            data = json.dumps({"prompt": prompt, "allowed": allowed}).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{http.server_port}/", data)
            try:
                with urllib.request.urlopen(request, timeout=60) as reply:
                    return str(reply.read().decode())
            except HTTPError as error:
                error.close()
                raise

        try:
            yield ask
        finally:
            http.shutdown()
            thread.join()


def send(handler: BaseHTTPRequestHandler, text: bytes, status: int = 200, length: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(text) if length is None else length))
    handler.end_headers()
    handler.wfile.write(text)


def test_a_good_server() -> None:
    questions = []

    def answer(handler: BaseHTTPRequestHandler, question: dict[str, object]) -> None:
        questions.append(question)
        send(handler, b'{"target": "remote-openai"}\n')

    with server(answer) as port:
        model = engine(port, current())
        plans = [model.plan(call()) for _ in range(2)]
    assert {plan.target for plan in plans} == {RemoteModel("openai")}
    assert [question["allowed"] for question in questions] == [list(ALLOWED)]


@pytest.mark.parametrize(
    ("text", "status", "length", "why"),
    [
        (b"I would rather not say", 200, None, "got `I would rather not say`"),
        (b"\xff\xfe\x00", 200, None, "asking failed: UnicodeDecodeError"),
        (b"local-tiny", 500, None, "asking failed: HTTPError"),
        (b"local-tiny", 200, 1000, "asking failed: IncompleteRead"),
        (b"", 200, None, "got ``"),
        (b"<html>" * 1000, 200, None, "got 6000 characters"),
    ],
)
def test_a_garbling_server(text: bytes, status: int, length: int | None, why: str) -> None:
    with server(lambda handler, _: send(handler, text, status, length)) as port:
        plan = engine(port, current()).plan(call())
    assert (plan.target, plan.stage) == (LocalPure(), "default")
    assert why in plan.metadata["model_choice"]


def test_a_slow_server() -> None:
    release = Event()

    def answer(handler: BaseHTTPRequestHandler, _: dict[str, object]) -> None:
        release.wait()
        send(handler, b"local-tiny")

    now = current(model_choice=ModelChoice(target="remote-router", timeout_ms=20.0))
    with server(answer) as port:
        plan = engine(port, now).plan(call())
        release.set()
    assert plan.target == LocalPure()
    assert plan.metadata["model_choice"] == "not followed: no answer within 20 ms"


def test_a_server_that_is_not_there() -> None:
    with server(lambda handler, _: send(handler, b"local-tiny")) as port:
        pass
    plan = engine(port, current()).plan(call())
    assert "asking failed: URLError" in plan.metadata["model_choice"]
