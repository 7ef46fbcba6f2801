"""`rtfs publish`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.caches.errors import StoreFull
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.store import ModuleStore
from actors.caches.l4.trust import TrustStore
from rtfs.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """\
(defn double [n : int] : int
  (* 2 n))
(defn greet "What one says to somebody." [name : string] : string
  (str "hello " (string-upper name)))
(defn tell [text : string] : string
  (call :ccos.io.println text))
"""
type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program, in which one is; the key `build` is trusted."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RTFS_TRUST_FILE", str(tmp_path / "trust.json"))
    monkeypatch.setenv("RTFS_KEYS_DIR", str(tmp_path / "keys"))
    (folder / "score.rtfs").write_text(PROGRAM, encoding="utf-8")
    assert main(["keys", "new", "build"]) == 0
    return folder


@pytest.fixture
def publish(here: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `rtfs publish score.rtfs …`, or another command; code, stdout, stderr."""
    capsys.readouterr()

    def run(*words: str, file: str = "score.rtfs", command: str = "publish") -> tuple[int, str, str]:
        code = main([command, *([file] if command == "publish" else []), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def told(run: Run, *words: str, code: int = 0, **more: str) -> Any:
    got, out, _ = run(*words, "--json", **more)
    assert got == code, out
    return json.loads(out)


def kept(state: Path, name: str = "default") -> dict[str, tuple[str, int]]:
    """The modules that are there: kind and version of the newest by function."""
    with ModuleStore(state / name / "caches" / "l4") as store:
        found = sorted((each.manifest for each in store.all()), key=lambda manifest: manifest.version)
    return {each.symbol: (each.kind, each.version) for each in found}


# ---------------------------------------------------------------- what is published


def test_functions_are_signed_and_kept(publish: Run, state: Path) -> None:
    code, out, err = publish("--key", "build")
    assert code == 0
    heads, *rows = (line.split() for line in out.splitlines())
    assert heads == ["FUNCTION", "KIND", "VERSION", "ID", "SIZE"]
    assert [row[:3] for row in rows] == [["double", "wasm", "1"], ["greet", "ir", "1"]]
    place, last = err.splitlines()
    assert place.startswith("score.rtfs:5:1: tell is not published: ") or "score.rtfs:6:3: tell" in place
    assert last == "2 of 3 functions published"
    assert kept(state) == {"double": ("WasmBytecode", 1), "greet": ("IrBinary", 1)}
    assert publish("verify", command="modules") == (0, "2 modules, none refused\n", "")
    listed = told(publish, "list", command="modules")["modules"]
    assert [each["id"][:12] for each in listed] == [row[3] for row in rows]
    assert {each["key_name"] for each in listed} == {"build"}


def test_some_functions_in_one_form(publish: Run, state: Path) -> None:
    document = told(publish, "--key", "build", "--function", "double", "--kind", "source")
    assert [(each["function"], each["kind"]) for each in document["published"]] == [
        ("double", "CompressedRtfsSource")
    ]
    assert (document["refused"], document["dry_run"], document["key_state"]) == ([], False, "trusted")
    document = told(publish, "--key", "build", "--kind", "wasm")
    assert [each["function"] for each in document["published"]] == ["double"]
    refused = {each["name"]: each for each in document["refused"]}
    assert set(refused) == {"greet", "tell"}
    assert (refused["greet"]["line"], "string-upper" in refused["greet"]["why"]) == (4, True)
    assert kept(state)["double"][1] == 2


def test_nothing_is_published_twice(publish: Run) -> None:
    first = told(publish, "--key", "build")["published"]
    second = told(publish, "--key", "build")["published"]
    assert [each["id"] for each in first] == [each["id"] for each in second]
    assert [each["new"] for each in (*first, *second)] == [True, True, False, False]
    assert "2 of 3 functions published, 2 of them before" in publish("--key", "build")[2]


def test_an_end(publish: Run, here: Path) -> None:
    document = told(publish, "--key", "build", "--function", "double", "--not-after", "30d")
    assert document["published"][0]["not_after"] == pytest.approx(time.time() + 30 * 86_400, abs=60)
    document = told(publish, "--key", "build", "--function", "double", "--not-after", "never")
    assert document["published"][0]["not_after"] is None
    assert "expected a time to come" in publish("--key", "build", "--not-after", "2001-01-01")[2]


def test_another_runtime(publish: Run, state: Path, here: Path) -> None:
    told(publish, "--key", "build", "--name", "trial")
    assert set(kept(state, "trial")) == {"double", "greet"}
    assert kept(state) == {}
    told(publish, "--key", "build", "--folder", "modules")
    with ModuleStore(here / "modules") as store:
        assert len(store.all()) == 2


def test_a_dry_run_keeps_nothing(publish: Run, state: Path) -> None:
    code, out, err = publish("--key", "build", "--dry-run")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "2 of 3 functions would be published" in err
    assert not state.exists()
    told(publish, "--key", "build", "--kind", "ir", "--function", "double")
    document = told(publish, "--key", "build", "--dry-run")
    assert [each["version"] for each in document["published"]] == [2, 1]
    assert kept(state) == {"double": ("IrBinary", 1)}


def test_modules_in_files(publish: Run, here: Path) -> None:
    (here / "lib").mkdir()
    (here / "lib" / "maths.rtfs").write_text(
        "(module maths (:exports [twice]) (defn twice [n : int] : int (* 2 n)))"
    )
    (here / "main.rtfs").write_text(
        "(import maths :as m)\n(defn four [n : int] : int (m/twice (m/twice n)))\n"
        "(defn six [n : int] : int (* 6 n))\n"
    )
    document = told(publish, "--key", "build", "--path", "lib", file="main.rtfs")
    assert [each["function"] for each in document["published"]] == ["six"]
    (refused,) = document["refused"]
    assert (refused["name"], "maths" in refused["why"]) == ("four", True)
    assert "is no directory" in publish("--key", "build", "--path", "none", file="main.rtfs")[2]


# ---------------------------------------------------------------- what is not


def test_nothing_could_be_published(publish: Run, here: Path, state: Path) -> None:
    code, out, err = publish("--key", "build", "--function", "tell")
    assert (code, out) == (1, "")
    assert "0 of 1 function published" in err
    code, _, err = publish("--key", "build", "--function", "duoble")
    assert (code, "did you mean `double`?" in err) == (1, True)
    (here / "empty.rtfs").write_text("(+ 1 2)")
    assert "0 of 0 functions published" in publish("--key", "build", file="empty.rtfs")[2]
    assert not state.exists()


def test_programs_that_are_none(publish: Run, here: Path, state: Path) -> None:
    (here / "open.rtfs").write_text("(defn f [x")
    (here / "binary.rtfs").write_bytes(b"\0\1")
    (here / "latin.rtfs").write_bytes(b"\xe4")
    for file, code, message in (
        ("scor.rtfs", 2, "did you mean `score.rtfs`?"),
        ("open.rtfs", 1, "is never closed"),
        ("binary.rtfs", 2, "is no text"),
        ("latin.rtfs", 2, "is not UTF-8"),
        (".", 2, "is a directory"),
    ):
        got, out, err = publish("--key", "build", file=file)
        assert (got, out, message in err) == (code, "", True)
        document = told(publish, "--key", "build", code=code, file=file)
        assert document["ok"] is False
    assert not state.exists()


def test_a_store_that_cannot_be_written(publish: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is no folder" in publish("--key", "build", "--folder", "score.rtfs")[2]

    def full(*args: object) -> None:
        raise StoreFull("no room left on the disk")

    monkeypatch.setattr(ModuleStore, "put", full)
    code, out, err = publish("--key", "build")
    assert (code, out, "no room left" in err) == (2, "", True)


# ---------------------------------------------------------------- keys


def test_each_name_of_a_key(publish: Run, here: Path, tmp_path: Path) -> None:
    id = SigningKey.read(tmp_path / "keys" / "build.pem").id
    for word in ("build", id, id[:8], str(tmp_path / "keys" / "build.pem"), "../keys/build.pem"):
        assert told(publish, "--key", word, "--dry-run")["key"] == id
    assert publish("new build", command="keys")[0] == 2
    assert told(publish, "trust", "build", "--name", "old build", command="keys")["id"] == id
    assert told(publish, "--key", "old build", "--dry-run")["key"] == id


def test_keys_that_are_none(publish: Run, here: Path, tmp_path: Path, state: Path) -> None:
    stranger = SigningKey.new()
    told(publish, "trust", stranger.public.hex(), "--name", "ada", command="keys")
    (here / "open.pem").write_bytes((tmp_path / "keys" / "build.pem").read_bytes())
    (here / "open.pem").chmod(0o644)
    (here / "text.pem").write_text("hello")
    (here / "text.pem").chmod(0o600)
    for word, message in (
        ("biuld", "did you mean `build`?"),
        ("ada", "the private half of the key `ada` is not in"),
        ("none.pem", "no such file: none.pem"),
        ("open.pem", "others may read the key"),
        ("text.pem", "expected an Ed25519 key in PEM"),
        ("", "there is no key ``"),
        ("a\0b", "there is no key"),
    ):
        code, out, err = publish("--key", word)
        assert (code, out, message in err) == (2, "", True), err
    assert "--key" in publish()[2]
    assert not state.exists()


def test_a_key_that_is_not_trusted_here(publish: Run, state: Path) -> None:
    told(publish, "new", "ada", "--no-trust", command="keys")
    code, _, err = publish("--key", "ada")
    assert (code, "is not trusted here: nothing that it signed is used" in err) == (0, True)
    assert told(publish, "--key", "ada")["key_state"] == "not trusted"
    assert publish("verify", command="modules")[0] == 1


def test_a_key_that_was_revoked_signs_nothing(publish: Run, state: Path) -> None:
    told(publish, "revoke", "build", "--why", "lost", command="keys")
    code, _, err = publish("--key", "build")
    assert (code, "was revoked: nobody would use what it signs" in err) == (2, True)
    assert not state.exists()


def test_a_file_of_trust_that_is_none(publish: Run, tmp_path: Path, state: Path) -> None:
    (tmp_path / "trust.json").write_text("{")
    code, _, err = publish("--key", "build")
    assert (code, "is no file of trusted keys" in err) == (2, True)
    assert not state.exists()


# ---------------------------------------------------------------- breaks, and two at once


def test_a_break_leaves_whole_modules(publish: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = ModuleStore.put
    told_of: list[int] = []

    def broken(self: ModuleStore, *args: Any) -> Any:
        if told_of:
            raise KeyboardInterrupt
        told_of.append(1)
        return original(self, *args)

    monkeypatch.setattr(ModuleStore, "put", broken)
    assert publish("--key", "build")[0] == 130
    assert len(kept(state)) == 1
    assert publish("verify", command="modules")[0] == 0
    monkeypatch.undo()


def test_two_at_once(here: Path, state: Path) -> None:
    command = [sys.executable, "-c", "import sys; from rtfs.cli.main import main; sys.exit(main())", "publish"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    others = [
        subprocess.Popen(
            [*command, "score.rtfs", "--key", "build", "--function", name], stdout=-3, stderr=-3, env=environ
        )
        for name in ("double", "greet")
    ]
    assert [other.wait(60) for other in others] == [0, 0]
    assert set(kept(state)) == {"double", "greet"}


def test_a_typo(publish: Run) -> None:
    assert "did you mean `--function`?" in publish("--key", "build", "--functoin=x")[2]
    assert "did you mean `wasm`?" in publish("--key", "build", "--kind", "wsam")[2]


def test_what_is_published_runs_under_the_trust_that_is_there(
    publish: Run, state: Path, tmp_path: Path
) -> None:
    told(publish, "--key", "build")
    trust = TrustStore.read(tmp_path / "trust.json")
    with ModuleStore(state / "default" / "caches" / "l4") as store:
        for each in store.all():
            trust.check(each.manifest, each.signature, now=time.time())
            trust.check_blob(each.manifest, store.blob(each.manifest.content_hash) or b"")
