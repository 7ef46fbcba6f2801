"""`rtfs submit`: which server, what is passed on, and how ends of jobs are told."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.evaluator.evaluator import Evaluator
from actors.requests import RunRequest
from cluster.cli import job, place, report, submit
from cluster.cli.jobs import Ended
from cluster.cli.programs import Asked
from rtfs.cli.console import UsageError
from rtfs.cli.main import main
from rtfs.cli.sources import Source

type Said = pytest.CaptureFixture[str]

WORD = "rtfs-report-77"


def options(*words: str) -> Namespace:
    return submit.parse(["plan.rtfs", *words])


def served(tmp_path: Path, jobs: str) -> dict[str, str]:
    environ = {"RTFS_STATE_DIR": str(tmp_path)}
    there = place.Place(pid=os.getpid(), address="10.0.0.1:6379", url="http://x:8700", jobs=jobs, state_dir="")
    place.note("default", environ, there)
    return environ


def test_the_server_that_is_named_comes_before_one_that_is_found(tmp_path: Path) -> None:
    assert submit.url_of(options(), {"RTFS_STATE_DIR": str(tmp_path)}) == "http://127.0.0.1:8265"
    environ = served(tmp_path, "http://127.0.0.1:8266")
    assert submit.url_of(options(), environ) == "http://127.0.0.1:8266"
    assert submit.url_of(options("--name", "other"), environ) == "http://127.0.0.1:8265"
    environ["RAY_ADDRESS"] = "10.0.0.1:6379"
    assert submit.url_of(options(), environ) == "http://127.0.0.1:8266"
    environ["RAY_ADDRESS"] = "http://ray:8265"
    assert submit.url_of(options(), environ) == "http://ray:8265"
    environ["RAY_API_SERVER_ADDRESS"] = "http://api:8265"
    assert submit.url_of(options(), environ) == "http://api:8265"
    assert submit.url_of(options("--address", "https://head"), environ) == "https://head"
    assert submit.url_of(options("--address", "head:8265"), environ) == "http://head:8265"


def test_one_without_jobs_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no job server"):
        submit.url_of(options(), served(tmp_path, ""))


def test_the_job_gets_the_options_of_the_submission() -> None:
    given = ("--tenant", "acme", "--deadline", "3", "--memory", "5", "--depth", "9", "--name", "trial")
    words = submit._passed_on(options(*given, "--allow", "a.b", "--allow=-x", "--ticket"), "10.0.0.1:6379")
    got = job.parse(["plan.rtfs", *words, "--report", WORD])
    assert (got.tenant, got.deadline, got.memory, got.depth, got.name) == ("acme", 3.0, 5.0, 9, "trial")
    assert (got.allow, got.ticket, got.address, got.context) == (["a.b", "-x"], True, "10.0.0.1:6379", None)
    assert job.parse(["plan.rtfs", *submit._passed_on(options("--context=full"), None)]).context == "full"


# ---------------------------------------------------------------- ends


def ended(outcome: Any = None, **changes: Any) -> Ended:
    log = "" if outcome is None else "\n".join([report.begin(WORD), *report.lines(WORD, outcome)])
    return Ended(**{"status": "SUCCEEDED", "exit_code": 0, "message": "", "log": log, **changes})


def told(end: Ended, made: Callable[..., Any], text: str = "1") -> tuple[int, str, str, Any]:
    """Exit code, stdout, stderr, JSON."""
    what = Asked(Source("plan.rtfs", text), {}, {})
    plain, as_json = made(), made(json=True)
    code = submit._tell(end, "j1", WORD, what, plain.console)
    assert submit._tell(end, "j1", WORD, what, as_json.console) == code
    return code, plain.out.getvalue(), plain.err.getvalue(), json.loads(as_json.out.getvalue())


def test_a_reply_is_shown_with_the_text_that_is_here(console: Callable[..., Any]) -> None:
    text = '(println "hi")\n(defn f [x] (/ x 0))\n(f 1)'
    reply = Evaluator().run(RunRequest(source=text, source_name="plan.rtfs"))
    code, out, err, document = told(ended(reply, exit_code=1, status="FAILED"), console, text)
    assert (code, out) == (1, "hi\n")
    assert "(/ x 0)" in err
    assert (document["job"], document["output"], document["error"]["line"]) == ("j1", "hi\n", 2)


def test_a_ticket_is_shown(console: Callable[..., Any]) -> None:
    code, out, _, document = told(ended("01m8e1xd0rmbfpmrz5njedbydn"), console)
    assert (code, out, document["ticket"]) == (0, "01m8e1xd0rmbfpmrz5njedbydn\n", "01m8e1xd0rmbfpmrz5njedbydn")


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"status": "FAILED", "exit_code": 2, "message": "log …"}, 2, "the job ended with exit code 2"),
        ({"status": "FAILED", "exit_code": 3}, 3, "the job ended with exit code 3"),
        ({"status": "FAILED", "exit_code": -9}, 1, "the job ended with exit code -9"),
        ({"status": "FAILED", "exit_code": None, "message": "no node"}, 1, "the job failed: no node"),
        ({"status": "FAILED", "exit_code": None}, 1, "Ray does not say why"),
        ({"status": "STOPPED", "exit_code": None}, 1, "the job was stopped"),
        ({"log": f"{WORD} part AAAA\n{WORD} end 00"}, 1, "what the job reports cannot be read"),
    ],
)
def test_a_job_that_reports_nothing(
    changes: dict[str, Any], code: int, message: str, console: Callable[..., Any]
) -> None:
    got, out, err, document = told(ended(**changes), console)
    assert (got, out) == (code, "")
    assert message in err
    assert document["error"]["code"] == "job-failed"


# ---------------------------------------------------------------- misuse


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["nowhere.rtfs"], "no such file: nowhere.rtfs", ""),
        (["plan.rtfs", "--tiket"], "unknown option `--tiket`", "did you mean `--ticket`?"),
        (["plan.rtfs", "--wait", "--no-wait"], "not allowed with", "--help"),
        (["plan.rtfs", "--name", "a b"], "expected a runtime's name", ""),
        (["plan.rtfs", "--policy", "bad.toml"], "cache_tl", "rtfs policy check bad.toml"),
        (["plan.rtfs", "--context", "pure", "--allow", "x"], "--allow does not go with", ""),
        (["plan.rtfs", "--address", "http://127.0.0.1:1"], "there is no job server", "ray start --head"),
        (["plan.rtfs", "--address", "ftp://x"], "expected the URL of", ""),
    ],
)
def test_misuse(
    words: list[str], message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.rtfs").write_text("1", encoding="utf-8")
    Path("bad.toml").write_text("[delegation]\ncache_tl = 1\n", encoding="utf-8")
    assert main(["submit", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert hint in said.err
