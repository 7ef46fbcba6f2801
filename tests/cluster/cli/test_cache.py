"""`rtfs cache`: which cache is meant, what is wrong with it, and which answers are chosen."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.caches.l2 import rows, survey
from cluster.cli import cache_source
from cluster.cli.cache_source import L2, purger
from rtfs.cli.console import UsageError
from rtfs.cli.main import main

READING = [["stats"], ["get"], ["export"], ["purge", "--all", "--dry-run"]]
ALL = [*READING, ["verify"], ["purge", "--all"]]
ROOT = Path(__file__).resolve().parents[3]


def test_the_folder_is_the_one_that_a_runtime_uses(state: Path) -> None:
    from actors.caches.actor import l2_folder

    assert l2_folder(state / "default") == state / "default" / L2


# ---------------------------------------------------------------- which cache


def test_it_is_that_of_a_runtime_or_of_a_folder(
    fill: Any, put: Any, cache: Any, state: Path, tmp_path: Path
) -> None:
    folder = fill(put("x", "y"), name="trial")
    for words in (
        ["--name", "trial"],
        ["--name", "trial", "--state-dir", str(state)],
        ["--folder", str(folder)],
        ["--folder", os.path.relpath(folder)],
    ):
        code, out, _ = cache("stats", "--json", *words)
        assert (code, json.loads(out)["entries"], json.loads(out)["folder"]) == (0, 1, str(folder))
    code, _, err = cache("stats", "--folder", str(folder), "--state-dir", str(state))
    assert (code, "not both" in err) == (2, True)


@pytest.mark.parametrize("words", ALL)
def test_there_is_none(words: list[str], cache: Any, state: Path) -> None:
    code, out, err = cache(*words)
    assert (code, out) == (2, "")
    assert err.startswith(
        f"rtfs cache: there is no cache in `{state}/default/caches/l2`\n  a runtime makes one"
    )
    assert not state.exists()
    more = ["--output", "answers"] if words[0] == "export" else []
    document = json.loads(cache(*words, "--json", *more)[1])
    assert (document["ok"], document["exit"], document["error"]["code"]) == (False, 2, "usage")


def test_there_is_one_elsewhere(fill: Any, put: Any, cache: Any, state: Path) -> None:
    folder = fill(put("x", "y"), name="trial")
    assert "did you mean --name trial?" in cache("stats", "--name", "trail")[2]
    assert "there are those of `trial`" in cache("stats")[2]
    assert f"did you mean --folder {folder}?" in cache("stats", "--folder", str(state / "trial"))[2]
    assert f"did you mean --folder {folder}?" in cache("stats", "--folder", str(folder.parent))[2]
    assert "--name NAME takes" in cache("stats", "--folder", str(state / "nowhere"))[2]


@pytest.mark.parametrize("words", ALL)
def test_another_store_is_no_cache_and_is_left_alone(words: list[str], cache: Any, tmp_path: Path) -> None:
    from actors.tickets.store import TicketStore

    TicketStore(tmp_path / "tickets").close()
    before = (tmp_path / "tickets" / "data.mdb").read_bytes()
    code, _, err = cache(*words, "--folder", str(tmp_path / "tickets"))
    assert (code, "there is no cache in" in err) == (2, True)
    (tmp_path / "tickets" / "data.mdb").write_bytes(before[:5000])  # nor if it is damaged
    assert cache(*words, "--folder", str(tmp_path / "tickets"))[0] in (1, 2)
    assert (tmp_path / "tickets" / "data.mdb").read_bytes() == before[:5000]


@pytest.mark.parametrize("words", ALL)
def test_a_file_in_place_of_a_folder(words: list[str], cache: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="ascii")
    code, _, err = cache(*words, "--folder", str(tmp_path / "file"))
    assert (code, "there is no cache in" in err) == (2, True)


def test_a_name_that_is_none(cache: Any) -> None:
    code, _, err = cache("stats", "--name", "a b")
    assert (code, "expected a runtime's name" in err) == (2, True)


# ---------------------------------------------------------------- what is wrong with it


@pytest.mark.parametrize("words", READING)
def test_a_file_that_was_cut(words: list[str], mails: Path, cache: Any) -> None:
    path = mails / rows.DATA_FILE
    os.truncate(path, path.stat().st_size // 2)
    code, out, err = cache(*words)
    assert (code, out) == (2, "")
    assert f"the cache in `{mails}` is damaged" in err
    assert "`rtfs cache verify` says more; `rtfs cache purge --all` has it begin anew" in err


@pytest.mark.parametrize("words", ALL)
def test_a_cache_that_nobody_may_read(
    words: list[str], mails: Path, cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(survey, "join", refused)
    code, out, err = cache(*words)
    assert (code, out) == (2, "")
    assert err == f"rtfs cache: cannot use the cache in `{mails}`: Permission denied\n"


def test_flipped_bits_never_come_as_a_bug(mails: Path, cache: Any) -> None:
    path = mails / rows.DATA_FILE
    intact = path.read_bytes()
    chance = random.Random(3)
    codes = set()
    for _ in range(25):
        data = bytearray(intact)
        for _ in range(10):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        codes |= {cache("stats")[0], cache("get", "--limit", "100")[0], cache("export")[0], cache("verify")[0]}
    assert codes <= {0, 1, 2}
    assert len(codes) > 1


@pytest.mark.parametrize("words", [["stats"], ["get"], ["export"], ["verify"]])
def test_an_interruption(words: list[str], mails: Path, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(rows, "read_record", interrupted)
    code, _, err = cache(*words)
    assert (code, err) == (130, "\ninterrupted\n")


# ---------------------------------------------------------------- a process that writes

WRITE = """
import sys, time
from pathlib import Path
from actors.caches.l2.store import L2Store
from actors.caches.layer import CacheConfig
with L2Store(Path(sys.argv[1]), CacheConfig(size_bytes=1 << 26)) as store:
    print("ready", flush=True)
    while True:
        store.write([])
"""


@pytest.fixture
def writer(mails: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes to the cache all the time."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(mails)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_whoever_writes_all_can_be_read_and_nothing_removed(
    writer: subprocess.Popen[str], mails: Path, cache: Any
) -> None:
    code, out, _ = cache("stats")
    assert (code, f"process {writer.pid}" in out) == (0, True)
    assert len(cache("export")[1].splitlines()) == 5
    assert cache("get", "--model", "small")[0] == 0
    assert cache("verify")[0] == 0
    assert cache("purge", "--all", "--dry-run")[0] == 0
    code, out, err = cache("purge", "--all")
    assert (code, out) == (2, "")
    assert f"process {writer.pid} writes to the cache in `{mails}`" in err
    assert "rtfs runtime stop" in err
    writer.kill()
    writer.wait()
    assert cache("purge", "--all")[:2] == (0, "removed 5 answers\n")  # one had expired


def test_a_purger_is_what_a_runtime_may_stand_for(mails: Path) -> None:
    from argparse import Namespace

    options = Namespace(name="default", state_dir=None, folder=str(mails))
    with purger(options) as writer:
        answers: cache_source.Purger = writer
        assert answers.clear() == 6
        with pytest.raises(UsageError, match="writes to the cache"), purger(options):
            pass


# ---------------------------------------------------------------- which answers


def chosen(cache: Any, *words: str) -> list[str]:
    """The values of the answers that are chosen."""
    code, out, err = cache("get", "--limit", "100", "--json", *words)
    assert code == 0, out + err
    return [each["text"] for each in json.loads(out)["answers"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "local-small"], [":calm", ":cross", ":glad"]),
        (["--model", "small"], [":calm", ":cross", ":glad"]),
        (["--model", "small", "--version", "1f0d"], [":calm"]),
        (["--model", "small", "--tenant", "acme"], [":calm", ":glad"]),
        (["--function", "mail/parts"], ['{:to "ada"}']),
        (["--function", "mail/mood", "--args", '["thank you"]'], [":glad"]),
        (["--function", "mail/parts", "--args", '[(str "to " "ada") (+ 1 2)]'], ['{:to "ada"}']),
    ],
)
def test_what_is_chosen(words: list[str], expected: list[str], mails: Path, cache: Any) -> None:
    assert chosen(cache, *words) == expected


def test_a_key_may_be_shortened(mails: Path, cache: Any) -> None:
    (answer,) = json.loads(cache("get", "--function", "mail/parts", "--json")[1])["answers"]
    for digits in (8, 9, 20, 64):
        assert chosen(cache, "--key", answer["key"][:digits].upper()) == ['{:to "ada"}']
    assert cache("get", "--key", answer["key"], "--model", "small")[0] == 2


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--model", "smal"], "there is no answer of the model `smal`", "did you mean `local-small`?"),
        (["--model", "remote-larg"], "of the model `remote-larg`", "did you mean `remote-large`?"),
        (["--model", "zzz"], "of the model `zzz`", "there are `local-rules`, `local-small`, `remote-large`"),
        (["--function", "mail/moood"], "of the function `mail/moood`", "did you mean `mail/mood`?"),
        (["--function", "mood"], "of the function `mood`", "did you mean `mail/mood`?"),
        (["--function", "subjct"], "of the function `subjct`", "did you mean `mail/subject`?"),
        (["--tenant", "acne"], "of the tenant `acne`", "did you mean `acme`?"),
        (["--version", "1f0"], "2 versions begin with `1f0`", "there are `1f0c0000"),
        (["--version", "2b9"], "`2b9` is too short for a version", "did you mean `2b9d1111"),
        (["--version", "77"], "of the version `77`", "there are `1f0c"),
        (["--model", "large", "--version", "1f0c"], "of the version `1f0c`", "there are `2b9d1111"),
        (["--key", "0" * 64], "there is no answer under the key `000000", "`rtfs cache get` lists some"),
        (["--key", "xyz"], "expected 8 to 64 hexadecimal digits of a key, got `xyz`", "--help"),
        (["--key", "\x1b[2J"], "got `\\u001B[2J`", "--help"),
        (["--args", "[1]"], "--args needs the function", "--function"),
        (["--function", "mail/mood", "--args", "3"], "takes a vector of arguments, got one of type int", ""),
        (["--function", "mail/mood", "--args", "[1"], "--args cannot be read: ", ""),
        (["--function", "mail/mood", "--args", "[(fn [x] x)]"], "nothing can be kept of such arguments", ""),
        (["--function", "mail/mood", "--args", '["no"]'], 'with --function mail/mood --args ["no"]', "stats"),
    ],
)
def test_what_is_not_there(words: list[str], message: str, hint: str, mails: Path, cache: Any) -> None:
    code, out, err = cache("get", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert hint in err


def test_names_cannot_command_a_terminal(fill: Any, put: Any, cache: Any) -> None:
    fill(put("x", function="e\x1b[2Jvil\nname", tenant="\x07", model="local-\u202e"))
    for words in (["stats"], ["get"], ["purge", "--all", "--dry-run"], ["get", "--model", "zzz"]):
        _, out, err = cache(*words)
        assert not set("\x1b\x07\u202e") & set(out + err)
    assert "e\\u001B[2Jvil\\nname" in cache("stats")[1]


@pytest.mark.parametrize("words", [["stats", "--top", "0"], ["get", "--limit", "x"], ["get", "--limit", "1e9"]])
def test_numbers_that_are_none(words: list[str], cache: Any) -> None:
    code, _, err = cache(*words)
    assert (code, "expected a number from 1 to 100000" in err) == (2, True)


def test_it_starts_without_ray(mails: Path) -> None:
    code = (
        "import sys; from rtfs.cli.main import main; main(['cache', 'stats']); sys.exit('ray' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0
    )


def test_the_command_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache"]) == 0
    assert "stats|get|purge|verify|export" in capsys.readouterr().out
