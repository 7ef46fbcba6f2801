from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors.models.registry import local_models
from actors.requests import CallSummary, RunReply
from cluster.demo import DECIDERS, categories, known, main, report
from policies.file.load import load_policy_file

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def summary(
    answered_by: str, calls: int, confidence: float | None, reason: str = "", answer: str | None = None
) -> CallSummary:
    return CallSummary(
        function="classify",
        target="local-rules",
        answered_by=answered_by,
        reason=reason,
        calls=calls,
        took_ms=1.0,
        cost_usd=0.0,
        confidence=confidence,
        answer=answer,
    )


def test_who_answered_and_how_sure_they_were() -> None:
    calls = (
        summary("local-rules", 90, 0.75),
        summary("local-meaning", 6, 0.5, "local-rules: unsure (low-confidence)"),
        summary("local-meaning", 2, 0.9, "local-rules: unsure (low-confidence); local-meaning: unsure (…)"),
        summary("local-pure", 2, None, "local-rules: failed (crashed), it is gone"),
    )
    reply = RunReply(run_id="r", status="completed", calls=calls, took_ms=100.0)
    assert report(reply, alone_ms=10.0) == [
        "FUNCTION  TARGET       ANSWERED BY    CALLS  CONFIDENCE  WHY NOT THE TARGET",
        "classify  local-rules  local-rules    90     0.75",
        "classify  local-rules  local-meaning  8      0.60        unsure (low-confidence)",
        "classify  local-rules  local-pure     2      -           failed (crashed), it is gone",
        "",
        "100 delegated calls, 10 of them answered by another than their target; no call failed.",
        "One call alone takes 10.0 ms, so one after another they would have taken 1.0 s. "
        "The whole run took 0.1 s: overlap saved 0.9 s.",
    ]


def test_each_category_has_its_number_its_confidence_and_who_decided() -> None:
    unsure = "local-log-severity: unsure (low-confidence)"
    calls = (
        summary("local-log-severity", 30, 0.8, answer=":info"),
        summary("local-log-meaning", 10, 0.4, unsure, answer=":info"),
        summary("local-log-meaning", 20, 0.5, unsure, answer=":error"),
        summary("local-log-severity", 10, 0.3, f"{unsure}; local-log-meaning: unsure", answer=":info"),
        summary("local-pure", 2, None, "local-log-severity: failed (crashed)", answer=":warning"),
        summary("local-pure", 3, None, "local-log-severity: failed (crashed)", answer=":error"),
        summary("remote-x", 1, 1.0, answer=":else"),
        summary("local-pure", 6, None, "remote-summaries: failed (connection-refused)"),
    )
    assert categories(calls) == [
        "CATEGORY  LINES  CONFIDENCE  DECIDED BY",
        ":error    23     0.50        MiniLM classifier 20 (0.50), own body 3",
        ":warning  2      -           own body 2",
        ":info     50     0.62        rules 40 (0.68), MiniLM classifier 10 (0.40)",
        ":debug    0      -           -",
        ":else     1      1.00        remote-x 1 (1.00)",
    ]


def test_the_deciders_are_those_of_its_policy() -> None:
    settings = load_policy_file(EXAMPLES / "runtime_triage.toml", environ={}).settings
    assert set(DECIDERS) == {"local-pure", *(f"local-{name}" for name in settings.local_models)}


def test_its_policy_has_rules_first() -> None:
    settings = load_policy_file(EXAMPLES / "runtime_triage.toml", environ={}).settings
    (rule,) = settings.rules
    assert (rule.targets, rule.fallback) == (("local-log-severity",), ("local-log-meaning",))
    entries = local_models(settings, EXAMPLES)
    assert (entries["log-meaning"].kind, entries["log-meaning"].path) == ("classifier", "minilm")


def test_a_log_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/no/such/log"]) == 1
    assert capsys.readouterr().err == "demo: /no/such/log: No such file or directory\n"


def test_what_caches_knew_is_told_by_tier() -> None:
    first = [summary("local-log-severity", 3, 0.9)]
    assert known(first)[1].split() == ["models", "were", "asked", "3", "100%"]
    assert known(first)[-1].startswith("Run the demo again")
    again = replace(first[0], calls=1, tier="l2-cold", saved_ms=1500.0, saved_usd=0.25)
    lines = known([*first, again, summary("local-pure", 5, None)])
    assert lines[1].split() == ["known", "on", "the", "disk", "1", "25%", "1.5", "s", "0.2500"]
    assert lines[2].split() == ["models", "were", "asked", "3", "75%"]
    assert len(lines) == 3
