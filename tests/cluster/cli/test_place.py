"""Where other shells find a runtime that is served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli import place


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"RTFS_STATE_DIR": str(tmp_path)}


def somewhere(pid: int) -> place.Place:
    return place.Place(
        pid=pid,
        address="10.0.0.1:6379",
        url="http://127.0.0.1:8700",
        jobs="",
        state_dir="/var/lib/rtfs/default",
    )


def gone() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_it_is_found_while_its_process_lives(environ: dict[str, str]) -> None:
    assert place.found("default", environ) is None
    place.note("default", environ, somewhere(os.getpid()))
    assert place.found("default", environ) == somewhere(os.getpid())
    assert place.found("other", environ) is None


def test_that_of_a_process_which_is_gone_is_not(environ: dict[str, str]) -> None:
    place.note("default", environ, somewhere(gone()))
    assert place.found("default", environ) is None


def test_only_the_own_note_is_removed(environ: dict[str, str], tmp_path: Path) -> None:
    place.note("default", environ, somewhere(os.getpid()))
    place.forget("default", environ, os.getpid() + 1)
    assert place.found("default", environ) is not None
    place.forget("default", environ, os.getpid())
    assert place.found("default", environ) is None
    assert list((tmp_path / "default").iterdir()) == []
    place.forget("default", environ, os.getpid())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"pid": 1}',
        json.dumps({"pid": "1", "address": "", "url": "", "jobs": "", "state_dir": ""}),
        json.dumps({"pid": -1, "address": "", "url": "", "jobs": "", "state_dir": ""}),
        json.dumps({"pid": 1, "address": 3, "url": "", "jobs": "", "state_dir": ""}),
        json.dumps({"pid": 10**30, "address": "", "url": "", "jobs": "", "state_dir": ""}),
        "[" * 50_000,
    ],
)
def test_a_damaged_note_counts_as_none(text: str, environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "serving.json").write_text(text, encoding="utf-8")
    assert place.found("default", environ) is None
