from __future__ import annotations

from pathlib import Path

import pytest

from actors.models.registry import local_models
from actors.requests import CallSummary, RunReply
from cluster.demo import main, report
from policies.file.load import load_policy_file

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def summary(answered_by: str, calls: int, confidence: float | None, reason: str = "") -> CallSummary:
    return CallSummary(
        function="classify",
        target="local-rules",
        answered_by=answered_by,
        reason=reason,
        calls=calls,
        took_ms=1.0,
        cost_usd=0.0,
        confidence=confidence,
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


def test_its_policy_has_rules_first() -> None:
    settings = load_policy_file(EXAMPLES / "runtime_triage.toml", environ={}).settings
    (rule,) = settings.rules
    assert (rule.targets, rule.fallback) == (("local-log-severity",), ("local-log-meaning",))
    entries = local_models(settings, EXAMPLES)
    assert (entries["log-meaning"].kind, entries["log-meaning"].path) == ("classifier", "minilm")


def test_a_log_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/no/such/log"]) == 1
    assert capsys.readouterr().err == "demo: /no/such/log: No such file or directory\n"
