"""Programs on other runtimes: tokens, replicas, what is printed."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from scripted_server import (
    JSON,
    Behaviour,
    ScriptedServer,
    answers,
    answers_error,
    answers_value,
    evaluates,
    is_silent,
)

from actors.remote.evaluation import Evaluation
from actors.remote.http import HttpCaller
from actors.remote.runtimes import RemoteRuntimes
from actors.requests import RunRequest
from policies.errors import TargetFailed
from policies.file.load import load_policy
from policies.rules.rulebook import Current, Rulebook
from policies.running.runner import Clock
from rtfs import errors
from rtfs.delegation import LocalModel, RemoteModel
from rtfs.host import ConsoleHost
from rtfs.program import new_run
from rtfs.run import running
from rtfs.runtime_facts import RuntimeFacts
from rtfs.security import RuntimeContext

type Start = Callable[[Behaviour], ScriptedServer]
X = RemoteModel("x")


def runtimes(
    caller: HttpCaller, url: str, environ: dict[str, str] | None = None, more: str = ""
) -> RemoteRuntimes:
    policy = load_policy(
        f'[delegation.remote_providers]\nremote-x = {{ endpoint = "{url}", kind = "rtfs"{more} }}\n'
        'remote-other = { endpoint = "http://127.0.0.1:9", kind = "openai" }\n'
    )
    clock = Clock(monotonic=time.monotonic, wall=time.time)
    return RemoteRuntimes(caller, Current(Rulebook(policy)), environ or {}, clock)


def program(source: str = "(+ 1 2)", **more: Any) -> Evaluation:
    fields = {"source_name": "p", "of": RunRequest(source=source), "facts": RuntimeFacts(), "timeout_s": 10.0}
    return Evaluation(source=source, **{**fields, **more})


def test_a_program_runs_there(server: Start, caller: HttpCaller):
    there = server(evaluates)
    answer = runtimes(caller, there.url + "/").evaluate(X, program("(+ x 2)", args={"x": 40}))
    assert answer.value == 42
    got = there.received[0]
    assert (got.method, got.path) == ("POST", "/v1/evaluate")
    assert got.headers["content-type"] == "application/json"
    assert "authorization" not in got.headers


def test_the_token_is_looked_up_for_each_call(server: Start, caller: HttpCaller):
    there, environ = server(answers_value("1")), {"X_TOKEN": "one"}
    ours = runtimes(caller, there.url, environ, ', api_key_env = "X_TOKEN"')
    ours.evaluate(X, program())
    environ["X_TOKEN"] = " two\n"
    ours.evaluate(X, program())
    assert [got.headers["authorization"] for got in there.received] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("environ", [{}, {"X_TOKEN": ""}, {"X_TOKEN": " \n"}])
def test_without_its_token_nothing_is_sent(server: Start, caller: HttpCaller, environ: dict[str, str]):
    there = server(answers_value("1"))
    with pytest.raises(TargetFailed) as failed:
        runtimes(caller, there.url, environ, ', api_key_env = "X_TOKEN"').evaluate(X, program())
    assert str(failed.value) == "auth: the environment variable X_TOKEN is not set"
    assert there.count == 0


@pytest.mark.parametrize("target", [RemoteModel("nobody"), RemoteModel("other"), LocalModel("x")])
def test_targets_that_are_no_runtime(caller: HttpCaller, target: RemoteModel | LocalModel):
    with pytest.raises(TargetFailed, match="no provider of kind `rtfs`") as failed:
        runtimes(caller, "http://127.0.0.1:9").evaluate(target, program())
    assert failed.value.cause == "bad-request"


def test_what_cannot_be_sent_is_not(server: Start, caller: HttpCaller):
    there = server(answers_value("1"))
    with pytest.raises(TargetFailed):
        runtimes(caller, there.url).evaluate(X, program(of=RunRequest(source="", hops=99)))
    assert there.count == 0


# ---------------------------------------------------------------- replicas


def replicas(*servers: ScriptedServer) -> str:
    return f", replicas = [{', '.join(repr(each.url) for each in servers)}]"


def test_calls_go_round(server: Start, caller: HttpCaller):
    a, b = server(answers_value("1")), server(answers_value("1"))
    ours = runtimes(caller, a.url, more=replicas(b))
    for _ in range(6):
        ours.evaluate(X, program())
    assert (a.count, b.count) == (3, 3)


@pytest.mark.parametrize("status", [None, 429, 503])
def test_where_nothing_was_done_the_next_replica_is_asked(
    server: Start, caller: HttpCaller, status: int | None
):
    well = server(answers_value("1"))
    down = ScriptedServer(is_silent) if status is None else server(answers(status))
    ours = runtimes(caller, down.url, more=replicas(well))
    for _ in range(4):
        assert ours.evaluate(X, program()).value == 1
    assert well.count == 4
    assert down.count == (0 if status is None else 1)  # then it rests


def test_where_something_may_have_been_done_nobody_else_is_asked(server: Start, caller: HttpCaller):
    well, broken = server(answers_value("1")), server(answers(500))
    ours = runtimes(caller, broken.url, more=replicas(well))
    with pytest.raises(TargetFailed) as failed:
        ours.evaluate(X, program())
    assert (failed.value.cause, well.count) == ("server-error", 0)
    ours.evaluate(X, program())
    ours.evaluate(X, program())
    assert (broken.count, well.count) == (1, 2)


def test_when_all_are_down_the_last_one_says_why(server: Start, caller: HttpCaller):
    a, b = server(answers(503)), server(answers(429, "", {**JSON, "retry-after": "9"}))
    with pytest.raises(TargetFailed) as failed:
        runtimes(caller, a.url, more=replicas(b)).evaluate(X, program())
    assert (failed.value.cause, failed.value.retry_after_s) == ("rate-limited", 9.0)
    assert (a.count, b.count) == (1, 1)


def test_the_time_is_for_all_replicas_together(server: Start, caller: HttpCaller):
    a, b = server(is_silent), server(answers_value("1"))
    with pytest.raises(TargetFailed) as failed:
        runtimes(caller, a.url, more=replicas(b)).evaluate(X, program(timeout_s=0.1))
    assert (failed.value.cause, b.count) == ("timeout", 0)
    with pytest.raises(TargetFailed, match="no time was left"):
        runtimes(caller, a.url).evaluate(X, program(timeout_s=0.0))


# ---------------------------------------------------------------- output and errors


def test_what_is_printed_there_is_printed_here_if_the_run_may_print(server: Start, caller: HttpCaller):
    there = server(answers_value("1", output="hello\n"))
    for context, printed in (
        (RuntimeContext.controlled(["ccos.io.print"]), "hello\n"),
        (RuntimeContext.pure(), ""),
    ):
        out = io.StringIO()
        with running(new_run(ConsoleHost(out), context, None, None)):
            assert runtimes(caller, there.url).evaluate(X, program()).value == 1
        assert out.getvalue() == printed
    assert runtimes(caller, there.url).evaluate(X, program()).value == 1  # outside any run


def test_the_programs_own_error_does_not_count_against_a_replica(server: Start, caller: HttpCaller):
    a, b = server(answers_error(errors.DivisionByZero())), server(answers_value("1"))
    ours = runtimes(caller, a.url, more=replicas(b))
    for _ in range(2):
        with pytest.raises(errors.DivisionByZero):
            ours.evaluate(X, program())
        ours.evaluate(X, program())
    assert (a.count, b.count) == (2, 2)


def test_no_secret_is_told_in_failures(server: Start, caller: HttpCaller):
    there = server(answers(401))
    ours = runtimes(caller, there.url, {"X_TOKEN": "s3cret"}, ', api_key_env = "X_TOKEN"')
    with pytest.raises(TargetFailed) as failed:
        ours.evaluate(X, program("private text"))
    for text in (str(failed.value), repr(failed.value), repr(program("private text").body)):
        assert "s3cret" not in text
    assert "private" not in str(failed.value)
