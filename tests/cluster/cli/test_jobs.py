"""What a job begins with runs there as it would here."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.evaluator.evaluator import Evaluator
from actors.request_options import request_for
from cluster.cli import job, jobs
from cluster.cli.programs import Asked, asked, request_options
from rtfs.cli.console import UsageError
from rtfs.cli.sources import Source
from rtfs.convert import from_python, to_python


def unpacked(words: list[str], folder: Path, console: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The value of the program, read as the job reads it."""
    monkeypatch.chdir(folder)
    options = job.parse(words)
    what = asked(options, console)
    request = request_for(what.source.text, request_options(options, what, console))
    return to_python(Evaluator().run(request).outcome())


def test_program_arguments_and_modules_travel(
    tmp_path: Path, console: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    what = Asked(
        Source("plans/plan.rtfs", "(import a.b) [(a.b/f who) n]"),
        {"who": 'it\'s "$HOME"\n', "n": from_python([1, None, 2.5])},
        {"a.b": "(module a.b (:exports [f]) (defn f [x] (str x x)))"},
    )
    words = jobs.pack(tmp_path, what)
    assert words[0] == "plans/plan.rtfs"
    value = unpacked(words, tmp_path, console().console, monkeypatch)
    assert value == ['it\'s "$HOME"\nit\'s "$HOME"\n', [1, None, 2.5]]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("plan.rtfs", "plan.rtfs"),
        ("plans/plan.rtfs", "plans/plan.rtfs"),
        ("./plan.rtfs", "plan.rtfs"),
        ("/home/ada/plan.rtfs", "plan.rtfs"),
        ("../../etc/plan.rtfs", "plan.rtfs"),
        ("<stdin>", "stdin"),
        ("--json", "json"),
        ("arguments.json", "program.rtfs"),
        ("policy.toml", "program.rtfs"),
        ("modules/x.rtfs", "program.rtfs"),
        ("a b;c.rtfs", "a b;c.rtfs"),
    ],
)
def test_names_of_files_stay_where_that_is_possible(name: str, file: str, tmp_path: Path) -> None:
    assert jobs.pack(tmp_path, Asked(Source(name, "1"), {}, {})) == [file]
    assert (tmp_path / file).read_text(encoding="utf-8") == "1"


def test_a_policy_travels(tmp_path: Path) -> None:
    words = jobs.pack(tmp_path, Asked(Source("p.rtfs", "1"), {}, {}), "[delegation]\n")
    assert words == ["p.rtfs", "--policy", "policy.toml"]
    assert (tmp_path / "policy.toml").read_text(encoding="utf-8") == "[delegation]\n"


def test_the_command_line_is_one_for_a_shell() -> None:
    line = jobs.entrypoint(["a b;c.rtfs", "--allow=x$y"])
    assert shlex.split(line) == ["python", "-m", "cluster.job", "a b;c.rtfs", "--allow=x$y"]


def test_without_a_job_server_it_says_what_to_start() -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port = made.getsockname()[1]
    with pytest.raises(UsageError, match="there is no job server") as refused:
        jobs.JobServer(f"http://127.0.0.1:{port}")
    assert "ray start --head" in (refused.value.hint or "")
