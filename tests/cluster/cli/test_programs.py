"""What a program on the command line becomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.evaluator.evaluator import Evaluator
from actors.request_options import request_for
from actors.requests import DEFAULT_CAPABILITIES, CacheUse, RunRequest
from cluster.cli import job, submit
from cluster.cli.programs import asked, request_options
from rtfs.cli.console import UsageError
from rtfs.convert import to_python
from rtfs.run import MIB


@pytest.fixture
def request_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, console: Callable[..., Any]
) -> Callable[..., RunRequest]:
    monkeypatch.chdir(tmp_path)
    Path("lib").mkdir()
    Path("lib/m.rtfs").write_text("(module m (:exports [f]) (defn f [x] (str x x)))", encoding="utf-8")

    def made(program: str, *words: str) -> RunRequest:
        Path("plan.rtfs").write_text(program, encoding="utf-8")
        options = job.parse(["plan.rtfs", *words])
        shown = console().console
        what = asked(options, shown)
        return request_for(what.source.text, request_options(options, what, shown))

    return made


def test_without_options_it_is_repeatable_and_without_a_deadline(
    request_of: Callable[..., RunRequest],
) -> None:
    request = request_of("1")
    assert request.source_name == "plan.rtfs"
    assert (request.level, set(request.allowed)) == ("controlled", set(DEFAULT_CAPABILITIES))
    assert request.repeatable
    assert request.limits.deadline_s is None
    assert request.limits.allocation_bytes == 1024 * MIB


def test_options_are_those_of_rtfs_run(request_of: Callable[..., RunRequest]) -> None:
    request = request_of(
        "1", "--deadline", "3", "--memory", "2", "--depth", "77", "--allow", "crm.read", "--tenant", "acme"
    )
    assert (request.limits.deadline_s, request.limits.allocation_bytes) == (3.0, 2 * MIB)
    assert request.limits.depth == 77
    assert "crm.read" in request.allowed
    assert not request.repeatable
    assert request.facts.tenant == "acme"
    assert request_of("1", "--context", "pure").level == "pure"
    assert request_of("1", "--context", "full").level == "full"


def test_arguments_and_modules_arrive(request_of: Callable[..., RunRequest]) -> None:
    request = request_of("(import m) [(m/f who) n]", "--path", "lib", "--arg", "who=Ada", "--arg", "n=3")
    reply = Evaluator().run(RunRequest.decode(request.encode()))
    assert to_python(reply.outcome()) == ["AdaAda", 3]


CACHES: list[tuple[tuple[str, ...], CacheUse]] = [
    ((), CacheUse()),
    (("--no-cache",), CacheUse(bypass=True)),
    (("--no-store",), CacheUse(no_store=True)),
    (("--max-age", "1.5"), CacheUse(max_age_s=1.5)),
    (("--max-age=0", "--no-store", "--no-cache"), CacheUse(bypass=True, no_store=True, max_age_s=0)),
    (("--max-age=90s",), CacheUse(max_age_s=90)),
    (("--max-age", "1.5m"), CacheUse(max_age_s=90)),
    (("--max-age=2h",), CacheUse(max_age_s=7200)),
    (("--max-age=0.1d",), CacheUse(max_age_s=8640)),
]


@pytest.mark.parametrize(("words", "use"), CACHES)
def test_what_is_wanted_of_caches(
    request_of: Callable[..., RunRequest], words: tuple[str, ...], use: CacheUse
) -> None:
    assert request_of("1", *words).cache == use
    passed_on = submit._passed_on(submit.parse(["plan.rtfs", *words]), None)
    assert request_of("1", *passed_on).cache == use


@pytest.mark.parametrize(
    "age", ["-1", "soon", "nan", "inf", "", "m", "-1m", "nand", "5 weeks", "1e308d", "10M", "1h30m"]
)
def test_an_age_that_is_none_is_refused(request_of: Callable[..., RunRequest], age: str) -> None:
    with pytest.raises(UsageError, match="expected a number of seconds, at least 0"):
        request_of("1", f"--max-age={age}")
