"""The command line as a shell sees it: streams, exit codes, signals, hints."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rtfs.cli.main import COMMANDS, main

RTFS = [sys.executable, "-c", "import sys; from rtfs.cli.main import main; sys.exit(main())"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: rtfs {command}")
    assert "examples:\n  " in out
    assert f"rtfs {command}" in out.partition("examples:")[2]
    assert "--json" in out


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)


def test_no_command_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: rtfs COMMAND" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rtfs 0.")


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["rum"], "unknown command `rum`", "did you mean `run`?"),
        (["frobnicate"], "unknown command", "commands: run"),
        (["run", "--contxt", "pure", "-e", "1"], "unknown option `--contxt`", "did you mean `--context`?"),
        (["run", "-e", "1", "--xyzzy=3"], "unknown option `--xyzzy`", "--help"),
        (["run", "a.rtfs", "-e", "1"], "not both", ""),
        (["run", "a.rtfs", "b.rtfs"], "unexpected argument `b.rtfs`", "--help"),
        (["run", "-e", "1", "--context", "fulll"], "got `fulll`; did you mean `full`?", "--help"),
        (["run", "-e", "1", "--deadline", "-1"], "positive number", "--help"),
        (["run", "-e", "1", "--depth", "0"], "positive whole number", "--help"),
        (["run", "-e", "1", "--context", "pure", "--allow", "x"], "--allow does not go with", ""),
        (["run", "-e", "1", "--path", "/nowhere/at/all"], "is no directory", ""),
        (["run", "/nowhere/at/all.rtfs"], "no such file", ""),
        (["run", "."], "is a directory", ""),
        (["check"], "required: FILE", "--help"),
        (["fmt", "-w", "--check", "x"], "not allowed with", "--help"),
        (["fmt", "-w", "-"], "stdin cannot be changed", ""),
        (["compile", "x", "--emit", "wasm"], "expected ir, python, hash or binary, got `wasm`", "--help"),
    ],
)
def test_misuse_says_what_and_names_the_nearest(
    words: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert hint in said.err
    assert main([*words, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["exit"] == 2
    assert message in document["error"]["message"]
    assert document["error"]["category"] == "Usage"


def test_a_file_in_place_of_a_command_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.rtfs"
    path.write_text("1")
    assert main([str(path)]) == 2
    assert f"rtfs run {path}" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = [*RTFS, "run", "-e", '(dotimes [i 200000] (println "line" i))']
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        assert writer.stdout.readline() == "line 0\n"
        writer.stdout.close()
        assert writer.stderr.read() == ""
        assert writer.wait() == 141


def test_a_closed_stdout_at_the_very_end_is_quiet() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([*RTFS, "run", "-e", '"x"'], stdout=write_end, stderr=subprocess.PIPE, text=True)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("streams", "code", "out", "err"),
    [
        (">&-", 0, "", ""),
        ("<&-", 0, "hi\n", ""),
        ("2>&-", 0, "hi\n", ""),
        pytest.param(
            ">/dev/full",
            74,
            "",
            "rtfs: the output could not be written: No space left on device\n",
            marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full"),
        ),
    ],
)
def test_streams_that_are_closed_or_full(streams: str, code: int, out: str, err: str) -> None:
    command = f"""{shlex.join(RTFS)} run -e '(println "hi")' {streams}"""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)


def test_help_in_an_encoding_without_its_characters() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(RTFS, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("usage: rtfs COMMAND \\u2026\n")


@pytest.mark.parametrize("rest", ["(call :ccos.system.sleep-ms 60000)", "(loop [i 0] (recur (+ i 1)))"])
def test_interrupt_ends_with_130_and_no_traceback(rest: str) -> None:
    command = [*RTFS, "run", "-e", f'(println "on") {rest}']
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=environment) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "on\n"
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
        assert (running.returncode, err) == (130, "\ninterrupted\n")


def test_text_that_the_terminal_cannot_show_does_not_end_the_program() -> None:
    done = subprocess.run(
        [*RTFS, "run", "-e", '(do (println "é") "π")'],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b'\\xe9\n"\\u03c0"\n', b"")
