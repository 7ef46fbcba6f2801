"""`rtfs keys`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from actors.caches.l4.signing import SigningKey
from actors.caches.l4.trust import TrustStore
from actors.caches.l4.trust_file import keys_folder, trust_path
from cluster.cli import keys as keys_command
from cluster.cli.tokens import tokens_file
from rtfs.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
type Run = Callable[..., tuple[int, str, str]]


class Places(NamedTuple):
    trust: Path
    folder: Path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Where keys and trust are; there is nothing yet."""
    found = Places(tmp_path / "config" / "trust.json", tmp_path / "config" / "keys")
    monkeypatch.setenv("RTFS_TRUST_FILE", str(found.trust))
    monkeypatch.setenv("RTFS_KEYS_DIR", str(found.folder))
    return found


@pytest.fixture
def keys(places: Places, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `rtfs keys …`; code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["keys", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def told(run: Run, *words: str) -> Any:
    code, out, err = run(*words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_they_are_beside_the_tokens() -> None:
    for environ in ({"HOME": "/home/ada"}, {"HOME": "/home/ada", "XDG_CONFIG_HOME": "/etc/ada"}):
        folder = tokens_file(None, environ).parent
        assert (trust_path(environ).parent, keys_folder(environ).parent) == (folder, folder)


# ---------------------------------------------------------------- new


def test_a_new_key_signs_and_is_trusted(places: Places, keys: Run) -> None:
    code, out, err = keys("new", "build")
    assert (code, err) == (0, "")
    key = SigningKey.read(places.folder / "build.pem")
    assert [line.split() for line in out.splitlines()] == [
        ["id", key.id],
        ["public", key.public.hex()],
        ["file", str(places.folder / "build.pem")],
        ["state", "trusted"],
    ]
    trusted = TrustStore.read(places.trust).keys[key.id]
    assert (trusted.name, trusted.public, trusted.not_after) == ("build", key.public.hex(), None)
    assert (places.folder / "build.pem").stat().st_mode & 0o777 == 0o600
    assert places.folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in places.folder.iterdir()] == ["build.pem"]


def test_one_that_signs_for_others(places: Places, keys: Run) -> None:
    made = told(keys, "new", "ada", "--no-trust")
    assert (made["state"], made["own"], made["trusted_at"]) == ("not trusted", True, None)
    assert not places.trust.exists()
    assert told(keys, "trust", "ada")["state"] == "trusted"


def test_a_key_is_never_overwritten(places: Places, keys: Run) -> None:
    told(keys, "new", "build", "--no-trust")
    before = (places.folder / "build.pem").read_bytes()
    for words in (["--no-trust"], []):
        code, out, err = keys("new", "build", *words)
        assert (code, out, "already, which is left as it is" in err) == (2, "", True)
    assert (places.folder / "build.pem").read_bytes() == before
    assert TrustStore.read(places.trust).keys == {}
    assert [path.name for path in places.folder.iterdir()] == ["build.pem"]


@pytest.mark.parametrize("name", ["", "a b", "../x", ".x", "a/b", "x" * 65, "ä"])
def test_a_name_that_no_file_may_have(name: str, places: Places, keys: Run) -> None:
    code, _, err = keys("new", name)
    assert (code, "expected a name of letters" in err) == (2, True)
    assert not places.folder.exists()


def test_a_name_like_an_id(places: Places, keys: Run) -> None:
    assert "could be the id of a key" in keys("new", "deadbeef")[2]
    assert keys("new", "deadbee")[0] == 0


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_key_is_written_whole_or_not_at_all(
    failure: Any, places: Places, keys: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object) -> None:
        raise failure

    monkeypatch.setattr(os, "link", fails)
    code, out, _ = keys("new", "build")
    assert (code, out) == (130 if failure is KeyboardInterrupt else 2, "")
    assert list(places.folder.iterdir()) == []
    assert not places.trust.exists()
    monkeypatch.undo()


def test_a_key_that_cannot_be_trusted_is_not_made(
    places: Places, keys: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.trust.parent.mkdir(parents=True)
    places.trust.write_text("{", encoding="ascii")
    code, _, err = keys("new", "build")
    assert (code, "is no file of trusted keys" in err) == (2, True)
    assert not places.folder.exists()
    places.trust.unlink()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = keys("new", "build")
    assert (code, "No space left on device" in err) == (2, True)
    assert list(places.folder.iterdir()) == []


def test_without_the_package_it_says_what_to_install(keys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'cryptography'", name="cryptography")

    monkeypatch.setattr(keys_command, "_made_key", missing)
    code, _, err = keys("new", "build")
    assert (code, "rtfs[wasm]" in err) == (2, True)


# ---------------------------------------------------------------- list


def test_the_list(places: Places, keys: Run) -> None:
    code, out, err = keys("list")
    assert (code, out) == (0, "")
    assert f"no keys in {places.folder}, and nobody is trusted" in err
    build = told(keys, "new", "build", "--not-after", "2999-01-31")["id"]
    ada = told(keys, "new", "ada", "--no-trust")["id"]
    other = SigningKey.new()
    told(keys, "trust", other.public.hex(), "--name", "zoe")
    told(keys, "revoke", "zoe", "--why", "she left")
    code, out, err = keys("list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "ID                                NAME   OWN  STATE        UNTIL       WHY",
        f"{ada}  ada    yes  not trusted  -           -",
        f"{build}  build  yes  trusted      2999-01-31  -",
        f"{other.id}  zoe    -    revoked      -           she left",
    ]
    listed = told(keys, "list")
    assert [each["own"] for each in listed["keys"]] == [True, True, False]
    assert (listed["trust_file"], listed["folder"]) == (str(places.trust), str(places.folder))
    assert set(listed["keys"][0]) == set(told(keys, "trust", "ada")) - {"command", "ok", "exit"}


def test_a_key_that_has_expired(places: Places, keys: Run) -> None:
    key = SigningKey.new()
    TrustStore().trusting(key.public, "old", now=1.0, not_after=time.time() - 1).write(places.trust)
    assert told(keys, "list")["keys"][0]["state"] == "expired"


def test_files_that_are_no_keys_are_told(places: Places, keys: Run) -> None:
    told(keys, "new", "build")
    (places.folder / "text.pem").write_text("hello", encoding="ascii")
    (places.folder / "text.pem").chmod(0o600)
    (places.folder / "open.pem").write_bytes((places.folder / "build.pem").read_bytes())
    (places.folder / "open.pem").chmod(0o644)
    (places.folder / "folder.pem").mkdir(mode=0o700)
    (places.folder / "notes.txt").write_text("no key", encoding="ascii")
    code, out, err = keys("list")
    assert (code, len(out.splitlines())) == (0, 2)
    assert len(err.splitlines()) == 3
    assert "others may read the key" in err
    assert len(told(keys, "list")["problems"]) == 3


def test_a_name_with_characters_that_a_terminal_obeys(places: Places, keys: Run) -> None:
    TrustStore().trusting(SigningKey.new().public, "a\x1b[2Jb\nc", now=1.0).write(places.trust)
    code, out, _ = keys("list")
    assert (code, "\x1b" in out, len(out.splitlines())) == (0, False, 2)


# ---------------------------------------------------------------- trust


def test_a_key_in_each_form(places: Places, keys: Run, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    texts: list[Callable[[SigningKey], bytes]] = [
        lambda key: f"{key.public.hex().upper()}\n".encode(),
        lambda key: Ed25519PublicKey.from_public_bytes(key.public).public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ),
    ]
    for number, text in enumerate(texts):
        key = SigningKey.new()
        file = tmp_path / f"key-{number}"
        file.write_bytes(text(key))
        assert told(keys, "trust", str(file), "--name", f"ada-{number}")["id"] == key.id
    own = SigningKey.new()
    own.write(tmp_path / "own.pem")
    assert told(keys, "trust", str(tmp_path / "own.pem"), "--name", "own")["id"] == own.id
    hex = SigningKey.new()
    code, out, err = keys("trust", hex.public.hex(), "--name", "hex")
    assert (code, out, err) == (0, "", f"the key {hex.id}, hex, is trusted\n")
    assert len(TrustStore.read(places.trust).keys) == 4


def test_a_known_key_gets_another_end(keys: Run) -> None:
    id = told(keys, "new", "build")["id"]
    until = told(keys, "trust", "build", "--not-after", "30d")["not_after"]
    assert until == pytest.approx(time.time() + 30 * 86_400, abs=60)
    renamed = told(keys, "trust", id[:8], "--name", "old build")
    assert (renamed["name"], renamed["not_after"], renamed["own"]) == ("old build", until, True)
    assert told(keys, "trust", "old build", "--not-after", "never")["not_after"] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2999-01-31", 32474822399.0),
        ("2999-01-31T00:00", 32474736000.0),
        ("2999-01-31T00:00+01:00", 32474732400.0),
        ("29990131", 32474822399.0),
    ],
)
def test_dates(text: str, expected: float, keys: Run) -> None:
    assert told(keys, "new", "build", "--not-after", text)["not_after"] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("soon", "expected a date such as"),
        ("3", "expected a date such as"),
        ("2001-01-31", "expected a time to come"),
        ("0d", "expected a time to come"),
        ("999999999w", "expected a date such as"),
        ("2030-02-30", "expected a date such as"),
    ],
)
def test_no_dates(text: str, message: str, places: Places, keys: Run) -> None:
    code, _, err = keys("new", "build", "--not-after", text)
    assert (code, message in err) == (2, True)
    assert not places.folder.exists()


def test_whom_nobody_may_be_trusted_as(places: Places, keys: Run, tmp_path: Path) -> None:
    told(keys, "new", "build")
    other = SigningKey.new().public.hex()
    (tmp_path / "text").write_text("hello", encoding="ascii")
    (tmp_path / "bytes").write_bytes(b"\xff" * 100)
    (tmp_path / "pem").write_text("-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n")
    for words, message in (
        ([other], "--name is needed"),
        ([other, "--name", "build"], "is called `build` already"),
        ([other, "--name", ""], "expected a name of 1 to 64"),
        ([other, "--name", "a\nb"], "expected a name of 1 to 64"),
        ([other, "--name", "0123456789ab"], "could be the id"),
        ([other[:-2], "--name", "x"], "expected a file, 64 hexadecimal digits or a known key"),
        (["biuld"], "did you mean `build`?"),
        ([str(tmp_path / "text"), "--name", "x"], "expected 64 hexadecimal digits or a key in PEM"),
        ([str(tmp_path / "bytes"), "--name", "x"], "expected 64 hexadecimal digits or a key in PEM"),
        ([str(tmp_path / "pem"), "--name", "x"], "expected a public Ed25519 key"),
        ([str(tmp_path), "--name", "x"], "Is a directory"),
        (["a\0b", "--name", "x"], "expected a file"),
    ):
        before = places.trust.read_bytes()
        code, out, err = keys("trust", *words)
        assert (code, out, message in err) == (2, "", True), (words, err)
        assert places.trust.read_bytes() == before


# ---------------------------------------------------------------- revoke


def test_a_revoked_key_stays_so(places: Places, keys: Run) -> None:
    id = told(keys, "new", "build")["id"]
    assert keys("revoke", id[:8].upper(), "--why", "lost") == (0, "", f"the key {id}, build, is revoked\n")
    before = places.trust.read_bytes()
    again = told(keys, "revoke", "build", "--why", "another")
    assert (again["was_revoked"], again["why"]) == (True, "lost")
    code, _, err = keys("trust", "build")
    assert (code, "was revoked; make a new one" in err) == (2, True)
    assert places.trust.read_bytes() == before


def test_a_key_that_was_never_trusted_cannot_be_any_more(keys: Run) -> None:
    told(keys, "new", "build", "--no-trust")
    assert told(keys, "revoke", "build", "--why", "lost")["state"] == "revoked"
    assert keys("trust", "build")[0] == 2


def test_a_name_after_its_key_was_revoked(places: Places, keys: Run) -> None:
    told(keys, "new", "build")
    told(keys, "revoke", "build", "--why", "lost")
    new = SigningKey.new()
    assert told(keys, "trust", new.public.hex(), "--name", "build")["id"] == new.id
    assert told(keys, "revoke", "build", "--why", "too")["id"] == new.id
    code, _, err = keys("revoke", "build", "--why", "again")
    assert (code, "2 keys are called `build`" in err) == (2, True)


@pytest.mark.parametrize("word", ["biuld", "0123456789", "x", ""])
def test_a_key_that_there_is_not(word: str, places: Places, keys: Run) -> None:
    code, _, err = keys("revoke", word, "--why", "lost")
    assert (code, "`rtfs keys new NAME` makes one" in err) == (2, True)
    id = told(keys, "new", "build")["id"]
    near = {"biuld": "did you mean `build`?", "0123456789": "`rtfs keys list` shows"}
    code, _, err = keys("revoke", word, "--why", "lost")
    assert (code, near.get(word, "rtfs keys list") in err) == (2, True)
    wrong = ("0" if id[3] != "0" else "1").join((id[:3], id[4:10]))
    assert f"did you mean {id}?" in keys("revoke", wrong, "--why", "lost")[2]
    assert "8 digits of an id are needed" in keys("revoke", id[:7], "--why", "lost")[2]
    assert told(keys, "list")["keys"][0]["state"] == "trusted"


def test_a_beginning_that_two_have(places: Places, keys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from cluster.cli import keys_choice

    two = [keys_choice.KnownKey(id=f"abcdef01{n:024}", public="", name=f"k{n}") for n in range(2)]
    monkeypatch.setattr(keys_command, "known_keys", lambda trust, folder: (two, []))
    code, _, err = keys("revoke", "abcdef01", "--why", "x")
    assert (code, "2 keys are called `abcdef01` or begin so" in err) == (2, True)


# ---------------------------------------------------------------- the whole command


def test_a_file_of_trust_that_is_none(places: Places, keys: Run) -> None:
    places.trust.mkdir(parents=True)
    for words in (["list"], ["new", "x"], ["trust", "ab" * 32, "--name", "x"], ["revoke", "x", "--why", "y"]):
        code, out, err = keys(*words)
        assert (code, out, f"cannot read `{places.trust}`" in err) == (2, "", True)
        document = json.loads(keys(*words, "--json")[1])
        assert (document["ok"], document["error"]["code"]) == (False, "usage")


def test_a_typo(keys: Run) -> None:
    assert "did you mean `rtfs keys revoke`?" in keys("revok", "x")[2]
    assert "--why" in keys("revoke", "x")[2]
    assert "did you mean `--not-after`?" in keys("new", "x", "--not-afer=3d")[2]
    assert keys()[0] == 0


def test_two_at_once_lose_none(places: Places, keys: Run) -> None:
    command = [sys.executable, "-c", "import sys; from rtfs.cli.main import main; sys.exit(main())", "keys"]
    others = [subprocess.Popen([*command, "new", f"key-{n}", "--json"], cwd=ROOT, stdout=-3) for n in range(2)]
    assert [other.wait(60) for other in others] == [0, 0]
    assert len(TrustStore.read(places.trust).keys) == 2
    same = [
        subprocess.Popen([*command, "new", "same", "--json"], cwd=ROOT, stdout=-3, stderr=-3) for _ in range(2)
    ]
    assert sorted(other.wait(60) for other in same) == [0, 2]
    listed = told(keys, "list")
    assert [(each["name"], each["own"], each["state"]) for each in listed["keys"]] == [
        *((f"key-{n}", True, "trusted") for n in range(2)),
        ("same", True, "trusted"),
    ]
