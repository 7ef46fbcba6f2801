"""Replies look like runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from actors.evaluator.evaluator import Evaluator
from actors.requests import CallSummary, RunReply, RunRequest
from cluster.cli.replies import show_reply, show_ticket
from rtfs.cli.main import main
from rtfs.cli.sources import Source

PROGRAMS = [
    '(println "hello") {:a [1 2.5 "x"]}',
    "nil",
    '(print "no line end") 7',
    '"text"',
    '(println "before")\n(defn f [x] (/ x 0))\n(f 3)',
    "(fn [x] x)",
    "(undefined-thing)",
]


def reply_of(program: str) -> RunReply:
    """What an evaluator answers, after the way through bytes."""
    reply = Evaluator().run(RunRequest(source=program, source_name="<expression>"))
    return RunReply.decode(reply.encode())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_reply_is_shown_as_rtfs_run_shows_the_program(
    program: str, console: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["run", "-e", program])
    expected = capsys.readouterr()
    said = console()
    assert show_reply(reply_of(program), Source("<expression>", program), said.console) == code
    assert said.out.getvalue() == expected.out.replace("no line end7", "no line end\n7")
    assert said.err.getvalue() == expected.err


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_json_has_that_of_rtfs_run_and_more(
    program: str, console: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["run", "-e", program, "--json"])
    expected = json.loads(capsys.readouterr().out)
    said = console(json=True)
    assert show_reply(reply_of(program), None, said.console, {"job": "j1"}) == code
    document = json.loads(said.out.getvalue())
    assert said.err.getvalue() == ""
    assert {"run_id", "output", "took_ms", "calls", "job"} <= document.keys()
    for key in expected.keys() - {"command", "type", "error"}:
        assert document[key] == expected[key], key
    if "error" in expected:
        assert document["error"]["code"] == expected["error"]["code"]


def test_a_limit_is_told_by_the_exit_code(console: Callable[..., Any]) -> None:
    from rtfs.errors import BudgetExhausted

    reply = RunReply(run_id="r", status="failed", error=BudgetExhausted("deadline", "1 s"))
    assert show_reply(reply, None, console().console) == 3


def calls(*tiers: tuple[str | None, int]) -> tuple[CallSummary, ...]:
    return tuple(
        CallSummary(
            function="f",
            target="local-m",
            answered_by="local-m",
            reason="",
            calls=number,
            took_ms=1.0,
            cost_usd=0.0,
            tier=tier,
            saved_usd=0.0 if tier is None else 0.25 * number,
            saved_ms=0.0 if tier is None else 600.0 * number,
        )
        for tier, number in tiers
    )


KNOWN = [
    ((), ""),
    ((("l2-hot", 1),), "1 of 1 delegated call known (l2-hot 1), which saved 0.25 USD and 600 ms"),
    (((None, 3),), ""),
    (
        ((None, 2), ("l3", 1), ("l2-hot", 1), ("l2-hot", 2)),
        "4 of 6 delegated calls known (l2-hot 3, l3 1), which saved 1 USD and 2.4 s",
    ),
]


@pytest.mark.parametrize(("tiers", "text"), KNOWN)
def test_what_was_known_is_said_beside_the_value(tiers: Any, text: str, console: Callable[..., Any]) -> None:
    reply = RunReply(run_id="r", status="completed", value=7, text="7", calls=calls(*tiers))
    said = console()
    assert show_reply(reply, None, said.console) == 0
    assert said.out.getvalue() == "7\n"
    assert said.err.getvalue() == (f"{text}\n" if text else "")
    said = console(json=True)
    show_reply(reply, None, said.console)
    assert said.err.getvalue() == ""
    found = [(call["tier"], call["calls"]) for call in json.loads(said.out.getvalue())["calls"]]
    assert found == [*tiers]


def test_a_ticket(console: Callable[..., Any]) -> None:
    said = console()
    assert show_ticket("01k", said.console) == 0
    assert said.out.getvalue() == "01k\n"
    said = console(json=True)
    show_ticket("01k", said.console, {"job": "j"})
    assert json.loads(said.out.getvalue())["ticket"] == "01k"
