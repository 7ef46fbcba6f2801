"""`rtfs cache purge`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.caches.errors import StoreError
from actors.caches.l2 import rows
from actors.caches.l2.survey import L2Survey
from actors.caches.l2.writer import CacheWriter
from actors.caches.layer import CacheConfig, Which
from cluster.cli import connecting
from rtfs.cli.console import UsageError


def left(folder: Path) -> list[str]:
    """Models and functions of the answers that are there."""
    with L2Survey(folder) as survey:
        return sorted(f"{row.origin.model} {row.origin.symbol}" for row in survey.rows())


def test_it_is_to_be_said_what_goes(mails: Path, cache: Any) -> None:
    before = left(mails)
    for words in ([], ["--dry-run"]):
        code, out, err = cache("purge", *words)
        assert (code, out) == (2, "")
        assert err.startswith("rtfs cache: name what is to be removed, or say --all\n")
    code, _, err = cache("purge", "--all", "--model", "small")
    assert (code, err) == (2, "rtfs cache: --all does not go with --model\n")
    assert left(mails) == before


@pytest.mark.parametrize(
    ("words", "gone", "rest"),
    [
        (
            ["--model", "small"],
            3,
            ["local-rules mail/mood", "remote-large mail/parts", "remote-large mail/subject"],
        ),
        (["--function", "mail/mood"], 4, ["remote-large mail/parts", "remote-large mail/subject"]),
        (["--function", "mail/mood", "--args", '["hello"]'], 1, None),
        (["--tenant", "acme"], 5, ["local-small mail/mood"]),
        (["--model", "large", "--version", "2b9d", "--function", "mail/parts"], 1, None),
        (["--all"], 6, []),
    ],
)
def test_what_is_named_goes(
    words: list[str], gone: int, rest: list[str] | None, mails: Path, cache: Any
) -> None:
    before = left(mails)
    code, out, err = cache("purge", *words, "--dry-run")
    assert (code, err) == (0, "")
    assert out.startswith(f"would remove {gone} answer{'s' if gone > 1 else ''}, ")
    assert left(mails) == before
    code, out, err = cache("purge", *words)
    assert (code, out, err) == (0, f"removed {gone} answer{'s' if gone > 1 else ''}\n", "")
    assert left(mails) == rest if rest is not None else len(left(mails)) == len(before) - gone
    assert cache("verify")[0] == 0


def test_a_key(mails: Path, cache: Any) -> None:
    (answer,) = json.loads(cache("get", "--function", "mail/parts", "--json")[1])["answers"]
    document = json.loads(cache("purge", "--key", answer["key"][:12], "--json")[1])
    assert (document["answers"], document["dry_run"]) == (1, False)
    assert "remote-large mail/parts" not in left(mails)


def test_a_dry_run_shows_the_newest(mails: Path, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cluster.cli import cache_purge

    monkeypatch.setattr(cache_purge, "_SAMPLE", 2)
    lines = cache("purge", "--all", "--dry-run")[1].splitlines()
    assert lines[0] == "would remove 6 answers, 3.8 kB"
    assert lines[1].split() == ["KEY", "AGE", "EXPIRES", "SIZE", "MODEL", "FUNCTION"]
    assert "it has" in lines[2]
    assert lines[3].endswith("remote-large  mail/parts")
    assert lines[4] == "and 4 more"
    document = json.loads(cache("purge", "--all", "--dry-run", "--json")[1])
    assert (document["answers"], document["dry_run"]) == (6, True)
    assert [each["model"] for each in document["sample"]] == ["local-rules", "remote-large"]
    assert "value" not in document["sample"][0]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_is_not_there_need_not_go_but_may_be_a_slip(dry: list[str], mails: Path, cache: Any) -> None:
    before = left(mails)
    code, out, err = cache("purge", "--model", "smal", *dry)
    assert (code, out) == (0, f"{'would remove' if dry else 'removed'} 0 answers\n")
    assert err == "there is no answer of the model `smal`; did you mean `local-small`?\n"
    document = json.loads(cache("purge", "--model", "smal", "--json", *dry)[1])
    assert (document["ok"], document["answers"], document["hint"]) == (True, 0, "did you mean `local-small`?")
    assert left(mails) == before


def test_a_second_time_there_is_nothing_left(mails: Path, cache: Any) -> None:
    assert cache("purge", "--all")[:2] == (0, "removed 6 answers\n")
    assert cache("purge", "--all")[:2] == (0, "removed 0 answers\n")
    assert cache("purge", "--all", "--dry-run")[:2] == (0, "would remove 0 answers, 0 bytes\n")


def test_a_damaged_cache_goes_as_a_whole_or_not_at_all(mails: Path, cache: Any) -> None:
    path = mails / rows.DATA_FILE
    os.truncate(path, path.stat().st_size // 2)
    damaged = path.read_bytes()
    for words in (["--model", "small"], ["--all", "--dry-run"]):
        code, out, err = cache("purge", *words)
        assert (code, out) == (2, "")
        assert "is damaged" in err
        assert path.read_bytes() == damaged
    code, out, err = cache("purge", "--all")
    assert (code, out) == (0, "removed 0 answers\n")
    assert "the file was damaged: the cache begins anew" in err
    assert cache("verify")[0] == 0
    assert left(mails) == []


def test_what_others_have_in_memory_is_good_no_longer(mails: Path, cache: Any) -> None:
    from actors.caches.l2.reader import L2Reader

    reader = L2Reader(mails)
    before = reader.epoch.get()
    reader.close()
    assert cache("purge", "--model", "small")[0] == 0
    assert reader.epoch.get() == before + 1


def test_answers_that_stay_are_kept_whatever_the_policy_allows(fill: Any, put: Any, cache: Any) -> None:
    folder = fill(*(put(i, i, model=f"local-{i % 2}") for i in range(300)))
    assert cache("purge", "--model", "local-1")[:2] == (0, "removed 150 answers\n")
    assert left(folder) == ["local-0 mail/mood"] * 150


# ---------------------------------------------------------------- a runtime that runs


class Runtime:
    """A runtime that has the folder."""

    def __init__(self, folder: Path, writer: CacheWriter) -> None:
        self.spec = SimpleNamespace(state_dir=str(folder.parents[1]))
        self._writer = writer
        self.is_closed = False

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closed = True

    def invalidate_cache(self, which: Which) -> int:
        return self._writer.invalidate(which)

    def clear_cache(self) -> int:
        return self._writer.clear()


@pytest.fixture
def running(mails: Path, runtimes: dict[str, Any]) -> Iterator[Runtime]:
    with CacheWriter(mails, CacheConfig(size_bytes=1 << 26)) as writer:
        runtimes["default"] = Runtime(mails, writer)
        yield runtimes["default"]


def test_a_runtime_that_has_the_folder_is_asked(running: Runtime, cache: Any) -> None:
    assert cache("purge", "--function", "mail/subject")[:2] == (0, "removed 1 answer\n")
    assert running.is_closed
    assert cache("purge", "--function", "mail/subject")[0] == 0
    assert cache("purge", "--all")[1].startswith("removed ")
    assert cache("export")[1] == ""


def test_a_folder_is_not_that_of_the_runtime_that_has_the_name(
    running: Runtime, cache: Any, mails: Path, tmp_path: Path
) -> None:
    code, _, err = cache("purge", "--all", "--folder", str(mails))
    assert (code, "--name NAME in place of --folder asks it" in err) == (2, True)
    running.spec.state_dir = str(tmp_path / "elsewhere")
    code, _, err = cache("purge", "--all")
    assert (code, f"the runtime `default` has that in `{tmp_path / 'elsewhere'}" in err) == (2, True)


def test_where_no_runtime_can_be_asked_it_is_said_why(
    running: Runtime, runtimes: dict[str, Any], cache: Any, mails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = left(mails)
    del runtimes["default"]
    code, out, err = cache("purge", "--all")
    assert (code, out) == (2, "")
    assert f"process {os.getpid()} writes to the cache in `{mails}`" in err
    assert "it cannot be asked to, since no runtime `default` runs on this Ray cluster" in err
    assert "end the runtime first" in err

    def unusable(options: Any) -> Any:
        raise UsageError("no Ray cluster answers at 10.0.0.1:6379: no answer")

    monkeypatch.setattr(connecting, "connected", unusable)
    code, out, err = cache("purge", "--all")
    assert (code, out) == (2, "")
    assert "it cannot be asked to: no Ray cluster answers at 10.0.0.1:6379: no answer" in err
    assert "end the runtime first" in err
    assert left(mails) == before


def test_what_a_runtime_cannot_do_is_said(
    running: Runtime, cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> int:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(running, "clear_cache", refused)
    code, out, err = cache("purge", "--all")
    assert (code, out, "the disk is gone" in err) == (2, "", True)
