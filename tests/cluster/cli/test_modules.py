"""`rtfs modules`."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.caches.l4.manifest import ModuleManifest, content_hash
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.store import ModuleStore, StoredModule
from actors.caches.l4.trust import TrustStore, line_of
from actors.caches.l4.trust_file import changing
from cluster.cli.modules_source import L4
from rtfs.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
KEY, OTHER = SigningKey.new(), SigningKey.new()
type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of trust, in which `KEY` is `build`."""
    path = tmp_path / "trust.json"
    monkeypatch.setenv("RTFS_TRUST_FILE", str(path))
    monkeypatch.setenv("RTFS_KEYS_DIR", str(tmp_path / "keys"))
    TrustStore().trusting(KEY.public, "build", now=1.0).write(path)
    return path


@pytest.fixture
def folder(state: Path, trust: Path) -> Path:
    return state / "default" / "caches" / "l4"


@pytest.fixture
def modules(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `rtfs modules …`; code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["modules", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def told(run: Run, *words: str, code: int = 0) -> Any:
    got, out, _ = run(*words, "--json")
    assert got == code
    return json.loads(out)


def put(
    folder: Path,
    symbol: str = "mail/score",
    blob: bytes = b"some bytes",
    key: SigningKey = KEY,
    *,
    signature: bytes | None = None,
    **changes: Any,
) -> StoredModule:
    """A module, which is kept."""
    fields: dict[str, Any] = {
        "symbol": symbol,
        "interface_hash": content_hash(symbol.encode()),
        "body_hash": "b" * 64,
        "parameter_types": ("string", "int"),
        "return_type": "float",
        "language_version": "2.0",
        "kind": "IrBinary",
        "content_hash": content_hash(blob),
        "version": 1,
        "created_at": time.time() - 3600,
        "key_id": key.id,
    }
    manifest = ModuleManifest(**{**fields, **changes})
    with ModuleStore(folder) as store:
        return store.put(manifest, key.sign(manifest) if signature is None else signature, blob)


def of_each_sort(folder: Path, trust: Path) -> dict[str, StoredModule]:
    """Modules by what is to be said of them."""
    found = {
        "usable": put(folder, "a"),
        "expired": put(folder, "b", not_after=time.time() - 10),
        "unknown-key": put(folder, "c", key=OTHER),
        "revoked": put(folder, "d", b"that was wrong"),
        "bad-signature": put(folder, "e", signature=bytes(64)),
        "unsigned": put(folder, "f", signature=b""),
        "language": put(folder, "g", language_version="1.0"),
        "downgrade": put(folder, "h", version=1),
        "not-pinned": put(folder, "i", version=2),
    }
    pinned = put(folder, "i", version=1)
    downgrade = found["downgrade"].manifest
    with changing(trust) as draft:
        draft.trust = (
            draft.trust.revoking_module(found["revoked"].manifest.content_hash, now=2.0, why="it was wrong")
            .seeing(line_of(downgrade.interface_hash, downgrade.body_hash), 2)
            .pinning(pinned.manifest.interface_hash, pinned.id)
        )
    return found


def test_the_folder_is_beside_that_of_exact_results() -> None:
    from cluster.cli.cache_source import L2

    assert L4.parent == L2.parent


# ---------------------------------------------------------------- list


def test_there_are_none(modules: Run, folder: Path, state: Path) -> None:
    code, out, err = modules("list")
    assert (code, out) == (0, "")
    assert err == f"no modules in {folder}; `rtfs publish FILE --key NAME` makes some\n"
    assert told(modules, "list")["modules"] == []
    assert not state.exists()
    put(state / "trial" / L4)
    assert "there are those of `trial`" in modules("list")[2]
    assert "did you mean --name trial?" in modules("list", "--name", "trail")[2]
    assert f"did you mean --folder {state / 'trial' / L4}?" in modules("list", "--folder", f"{state}/trial")[2]


def test_the_list(modules: Run, folder: Path) -> None:
    old = put(folder)
    new = put(folder, blob=b"x" * 2_500, version=2, kind="WasmBytecode", created_at=time.time() - 60)
    other = put(folder, "mail/mood", kind="CompressedRtfsSource", key=OTHER, created_at=time.time() - 60)
    with ModuleStore(folder) as store:
        store.used([old.id], time.time() - 7200)
    code, out, err = modules("list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "ID            FUNCTION    KIND    VERSION  KEY           STATE        SIZE      CREATED  USED",
        f"{other.id[:12]}  mail/mood   source  1        {OTHER.id[:12]}  unknown key  10 bytes  60s ago  never",
        f"{new.id[:12]}  mail/score  wasm    2        build         usable       2.5 kB    60s ago  never",
        f"{old.id[:12]}  mail/score  ir      1        build         usable       10 bytes  1h ago   2h ago",
    ]
    listed = told(modules, "list")
    assert [each["id"] for each in listed["modules"]] == [other.id, new.id, old.id]
    assert (listed["folder"], listed["problems"]) == (str(folder), [])
    assert listed["modules"][0]["reason"] == "unknown-key"
    assert (listed["modules"][1]["key_name"], listed["modules"][1]["usable"]) == ("build", True)


def test_what_is_said_of_each(modules: Run, folder: Path, trust: Path) -> None:
    wanted = {each.id: reason for reason, each in of_each_sort(folder, trust).items()}
    listed = {each["id"]: each["reason"] or "usable" for each in told(modules, "list")["modules"]}
    assert wanted.items() <= listed.items()
    assert len(listed) == len(wanted) + 1
    (pinned,) = (each for each in told(modules, "list", "--function", "i")["modules"] if each["pinned"])
    assert pinned["usable"]
    lines = modules("list", "--function", "i")[1].splitlines()
    assert ["not pinned" in lines[1], "  pinned" in lines[2]] == [True, True]


def test_filters(modules: Run, folder: Path) -> None:
    put(folder)
    put(folder, "mail/mood", kind="WasmBytecode")
    for words, symbols in (
        (["--function", "mail/mood"], ["mail/mood"]),
        (["--kind", "ir"], ["mail/score"]),
        (["--kind", "wasm", "--function", "mail/mood"], ["mail/mood"]),
        (["--kind", "source"], []),
    ):
        assert [each["function"] for each in told(modules, "list", *words)["modules"]] == symbols
    assert "none of the kind `source`" in modules("list", "--kind", "source")[2]
    for name in ("mail/mod", "mood", "mod"):
        code, _, err = modules("list", "--function", name)
        assert (code, "did you mean `mail/mood`?" in err) == (2, True)
    assert "there are those of `mail/mood`, `mail/score`" in modules("list", "--function", "quite else")[2]
    assert "did you mean `wasm`?" in modules("list", "--kind", "wasn")[2]


def test_names_with_characters_that_a_terminal_obeys(modules: Run, folder: Path) -> None:
    module = put(folder, "a\x1b[2Jb\nc", source="x\ny\x1b", description="\x07", return_type="\x1b]0;x")
    for words in (["list"], ["show", module.id], ["verify"], ["pin", module.id], ["list", "--function", "q"]):
        _, out, err = modules(*words)
        assert not {"\x1b", "\x07"} & set(out + err)
    assert len(modules("list")[1].splitlines()) == 2


# ---------------------------------------------------------------- show


def test_all_that_is_said_of_one(modules: Run, folder: Path) -> None:
    details: dict[str, Any] = {
        "description": "How glad.",
        "source": "score.rtfs",
        "not_after": time.time() + 1e6,
    }
    module = put(folder, embedder="minilm-1", embedding=bytes(1536), **details)
    code, out, err = modules("show", module.id[:8].upper())
    assert (code, err) == (0, "")
    shown = dict(line.split(None, 1) for line in out.splitlines())
    assert shown["module"] == module.id
    assert shown["state"] == "usable"
    assert "[string int] → float" in out
    assert f"signed by    {KEY.id}, build" in out
    document = told(modules, "show", module.id)
    manifest = module.manifest
    for name in ("content_hash", "interface_hash", "body_hash", "kind", "version", "source", "description"):
        assert document[name] == getattr(manifest, name)
        assert str(getattr(manifest, name)) in out
    assert (document["parameter_types"], document["embedding_numbers"]) == (["string", "int"], 384)
    assert bytes.fromhex(document["signature"]) == module.signature


def test_a_module_that_is_refused_is_shown_with_the_reason(modules: Run, folder: Path, trust: Path) -> None:
    found = of_each_sort(folder, trust)
    _, out, _ = modules("show", found["revoked"].id)
    assert "revoked: the module" in out
    assert "it was wrong" in out
    assert f"{OTHER.id}, which is not known here" in modules("show", found["unknown-key"].id)[1]
    document = told(modules, "show", found["expired"].id)
    assert (document["usable"], document["reason"]) == (False, "expired")


@pytest.mark.parametrize("kind", ["IrBinary", "CompressedRtfsSource", "WasmBytecode"])
def test_nothing_of_it_is_run_or_decoded(kind: str, modules: Run, folder: Path) -> None:
    module = put(folder, blob=b"\0 no module of any kind", kind=kind)
    assert modules("show", module.id)[0] == 0
    assert modules("verify")[0] == 0


def test_an_id_that_there_is_not(modules: Run, folder: Path) -> None:
    assert "there are none; `rtfs publish" in modules("show", "0123456789")[2]
    id = put(folder).id
    swapped = id[:4] + ("0" if id[4] != "0" else "1") + id[5:10]
    for word, hint in (
        (swapped, f"did you mean {id[:12]}?"),
        (id[:7], "8 digits of an id are needed"),
        ("mail/score", f"of that function there are {id[:12]}"),
        ("", "`rtfs modules list` shows"),
        ("0" * 70, "`rtfs modules list` shows"),
    ):
        for action in (["show"], ["verify"], ["pin"], ["revoke", "--why", "x"]):
            code, out, err = modules(*action[:1], word, *action[1:])
            assert (code, out, hint in err) == (2, "", True), (word, err)


# ---------------------------------------------------------------- verify


def test_all_is_well(modules: Run, folder: Path) -> None:
    assert modules("verify")[0] == 0
    one, two = put(folder), put(folder, "mail/mood")
    assert modules("verify") == (0, "2 modules, none refused\n", "")
    assert told(modules, "verify", one.id[:12], one.id)["checked"] == 1
    assert two.id != one.id


def test_each_that_is_refused_is_named_with_the_reason(modules: Run, folder: Path, trust: Path) -> None:
    found = of_each_sort(folder, trust)
    code, out, err = modules("verify")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[-1] == "6 of 10 modules refused"
    refused = {line.split(": ")[1] for line in lines[:-1]}
    # what another one is used in place of is whole, and signed
    assert refused == set(found) - {"usable", "downgrade", "not-pinned"}
    assert modules("verify", found["usable"].id)[0] == 0
    document = told(modules, "verify", found["usable"].id, found["expired"].id, code=1)
    assert (document["checked"], document["refused"], document["ok"]) == (2, 1, False)


def changed(folder: Path, before: bytes, after: bytes) -> None:
    path = folder / "data.mdb"
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after))


def test_bytes_that_were_changed(modules: Run, folder: Path) -> None:
    put(folder, blob=b"the very bytes of it")
    changed(folder, b"the very bytes of it", b"the evil bytes of it")
    code, out, _ = modules("verify")
    assert (code, "missing" in out or "damaged" in out) == (1, True)


def test_a_manifest_that_was_changed(modules: Run, folder: Path) -> None:
    module = put(folder, "mail/score", description="what it is for")
    put(folder, "mail/mood")
    changed(folder, b"what it is for", b"what it is not")
    code, out, err = modules("verify")
    assert (code, f"{module.id} in `{folder}` is damaged" in err) == (1, True)
    assert "1 module, none refused" in out
    document = told(modules, "verify", code=1)
    assert (document["checked"], len(document["problems"])) == (1, 1)
    assert modules("list")[0] == 1
    code, _, err = modules("show", module.id)
    assert (code, "is damaged" in err) == (2, True)
    assert logging.getLogger("rtfs.caches").handlers == []


@pytest.mark.parametrize(
    "words", [["list"], ["verify"], ["gc", "--size", "1"], ["gc", "--size", "1", "--dry-run"]]
)
def test_a_file_that_was_cut(words: list[str], modules: Run, folder: Path) -> None:
    put(folder)
    path = folder / "data.mdb"
    os.truncate(path, path.stat().st_size // 2)
    before = path.read_bytes()
    code, _, err = modules(*words)
    assert code == (1 if words[0] in ("list", "verify") else 2)
    assert "damaged" in err
    assert path.read_bytes() == before


def test_a_file_in_place_of_a_folder(modules: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="ascii")
    for words in (["list"], ["verify"], ["show", "0123456789"], ["gc", "--size", "0"]):
        code, _, err = modules(*words, "--folder", str(tmp_path / "file"))
        assert (code, "is no folder" in err) == (2, True)
    code, _, err = modules("list", "--folder", str(tmp_path), "--state-dir", str(tmp_path))
    assert (code, "not both" in err) == (2, True)


def test_another_store_is_left_alone(modules: Run, mails: Path) -> None:
    before = (mails / "data.mdb").read_bytes()
    for words in (["list"], ["verify"], ["gc", "--size", "0"]):
        assert modules(*words, "--folder", str(mails))[0] in (1, 2)
    assert (mails / "data.mdb").read_bytes() == before


def test_a_file_of_trust_that_is_none(modules: Run, folder: Path, trust: Path) -> None:
    id = put(folder).id
    trust.write_text("[]", encoding="ascii")
    for words in (
        ["list"],
        ["verify"],
        ["show", id],
        ["pin", id],
        ["unpin", id],
        ["revoke", id, "--why", "x"],
        ["gc", "--size", "0"],  # what is pinned is not known
    ):
        code, out, err = modules(*words)
        assert (code, out, "is no file of trusted keys" in err) == (2, "", True)
    with ModuleStore(folder) as store:
        assert [each.id for each in store.all()] == [id]


# ---------------------------------------------------------------- revoke


def test_a_module_that_is_revoked(modules: Run, folder: Path, trust: Path) -> None:
    module = put(folder)
    again = put(folder, version=2)
    code, out, err = modules("revoke", module.id[:9], "--why", "it rounds wrongly")
    assert (code, out) == (0, "")
    assert err.startswith(f"the bytes {module.manifest.content_hash[:12]}… are revoked: ")
    assert again.id[:12] in err
    assert TrustStore.read(trust).revoked[module.manifest.content_hash].why == "it rounds wrongly"
    assert [each["reason"] for each in told(modules, "list")["modules"]] == ["revoked"] * 2
    before = trust.read_bytes()
    second = told(modules, "revoke", module.id, "--why", "another")
    assert (second["was_revoked"], second["why"]) == (True, "it rounds wrongly")
    assert trust.read_bytes() == before


def test_bytes_that_are_not_here(modules: Run, trust: Path) -> None:
    code, _, err = modules("revoke", "AB" * 32, "--why", "seen elsewhere")
    assert (code, "no module here has them" in err) == (0, True)
    assert list(TrustStore.read(trust).revoked) == ["ab" * 32]


# ---------------------------------------------------------------- pin, unpin


def test_pins(modules: Run, folder: Path, trust: Path) -> None:
    one, two = put(folder), put(folder, version=2)
    code, out, err = modules("pin", one.id[:12])
    assert (code, out) == (0, "")
    assert err == f"the module {one.id[:12]} of `mail/score`, version 1, is pinned\n"
    assert TrustStore.read(trust).pinned == {one.manifest.interface_hash: one.id}
    assert told(modules, "pin", two.id)["instead_of"] == one.id
    assert f"in place of {two.id[:12]}" in modules("pin", one.id)[2]
    code, _, err = modules("unpin", two.id)
    assert (code, "is not pinned" in err, f"pinned are {one.id[:12]}" in err) == (2, True, True)
    for word in ("", one.id[:7]):
        assert modules("unpin", word)[0] == 2
    assert modules("unpin", one.id[:12]) == (0, "", f"the module {one.id[:12]} is not pinned any more\n")
    assert TrustStore.read(trust).pinned == {}
    assert "none is" in modules("unpin", one.id)[2]


def test_what_is_refused_is_not_pinned(modules: Run, folder: Path, trust: Path) -> None:
    module = put(folder, key=OTHER)
    before = trust.read_bytes()
    code, _, err = modules("pin", module.id)
    assert (code, "nobody here trusts the key" in err) == (2, True)
    assert trust.read_bytes() == before


def test_an_older_one_may_be_pinned(modules: Run, folder: Path, trust: Path) -> None:
    module = of_each_sort(folder, trust)["downgrade"]
    assert modules("pin", module.id)[0] == 0
    assert told(modules, "show", module.id)["usable"]


def test_a_pin_of_a_module_that_has_gone(modules: Run, folder: Path, trust: Path) -> None:
    module = put(folder)
    told(modules, "pin", module.id)
    with ModuleStore(folder) as store:
        store.remove([module.id])
    assert modules("unpin", module.id[:8])[0] == 0
    assert TrustStore.read(trust).pinned == {}


# ---------------------------------------------------------------- gc


def ids(folder: Path) -> set[str]:
    with ModuleStore(folder) as store:
        return {each.id for each in store.all()}


def test_what_was_not_used_for_longest_goes(modules: Run, folder: Path) -> None:
    kept = [put(folder, f"f{n}", bytes([n]) * 1000, created_at=time.time() - 1000 * n) for n in range(4)]
    expired = put(folder, "x", b"y" * 1000, not_after=time.time() - 1)
    told(modules, "pin", kept[3].id)
    code, out, err = modules("gc", "--size", "3kB", "--dry-run")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "would remove 2 modules, 2.0 kB; 3.0 kB stay"
    assert {line.split()[0] for line in out.splitlines()[2:]} == {expired.id[:12], kept[2].id[:12]}
    assert len(ids(folder)) == 5
    assert modules("gc", "--size", "3kB") == (0, "removed 2 modules, 2.0 kB; 3.0 kB stay\n", "")
    assert ids(folder) == {kept[0].id, kept[1].id, kept[3].id}
    document = told(modules, "gc", "--size", "0")
    assert {each["id"] for each in document["removed"]} == {kept[0].id, kept[1].id}
    assert (document["freed_bytes"], document["kept_bytes"], document["dry_run"]) == (2000, 1000, False)
    code, out, err = modules("gc", "--size=0")
    assert (code, out) == (0, "removed 0 modules, 0 bytes; 1.0 kB stay\n")
    assert "what is pinned stays" in err


@pytest.mark.parametrize("text", ["", "x", "-1", "1XB", "1e9", "MB", "1 2", "0x10", "٣MB"])
def test_no_sizes(text: str, modules: Run) -> None:
    code, _, err = modules("gc", f"--size={text}")
    assert (code, "expected a size such as" in err) == (2, True)


def test_sizes() -> None:
    from cluster.cli.modules_gc import parse

    for text, size in (("4096", 4096), ("10KB", 10_000), ("1.5 MB", 1_500_000), ("2GiB", 2 << 30), ("7b", 7)):
        assert parse(["--size", text]).size == size


def test_the_size_of_the_policy(
    modules: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder)
    policy = tmp_path / "p.toml"
    policy.write_text("[delegation.caches.l4]\nsize_bytes = 1048576\n", encoding="ascii")
    asked: list[int] = []
    collect = ModuleStore.collect

    def noted(self: ModuleStore, size_bytes: int, *args: Any, **more: Any) -> Any:
        asked.append(size_bytes)
        return collect(self, size_bytes, *args, **more)

    monkeypatch.setattr(ModuleStore, "collect", noted)
    assert modules("gc", "--policy", str(policy))[1].startswith("removed 0 modules")
    assert modules("gc", "--policy", str(policy), "--size", "7")[0] == 0
    assert asked == [1 << 20, 7]
    policy.write_text("[delegation.caches.l4]\nsize_bytes = 1\n", encoding="ascii")
    assert modules("gc", "--policy", str(policy))[0] == 1
    assert modules("gc", "--policy", str(tmp_path / "none"))[0] == 2
    assert ids(folder) == set()


def test_another_process_writes_for_too_long(
    modules: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors.caches.errors import StoreInUse

    put(folder)

    def busy(*args: object, **more: object) -> None:
        raise StoreInUse("the folder has a writer already, process 7")

    monkeypatch.setattr(ModuleStore, "collect", busy)
    code, out, err = modules("gc", "--size", "0")
    assert (code, out, "process 7" in err) == (2, "", True)


# ---------------------------------------------------------------- the whole command


def test_a_break_leaves_all_as_it_was(
    modules: Run, folder: Path, trust: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = put(folder)
    before = trust.read_bytes()

    def broken(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", broken)
    for words in (["pin", module.id], ["revoke", module.id, "--why", "x"]):
        assert modules(*words)[0] == 130
        assert trust.read_bytes() == before
    monkeypatch.undo()


def test_two_at_once_lose_none(modules: Run, folder: Path, trust: Path) -> None:
    found = [put(folder, f"f{n}", bytes([n])) for n in range(2)]
    command = [sys.executable, "-c", "import sys; from rtfs.cli.main import main; sys.exit(main())", "modules"]
    others = [
        subprocess.Popen([*command, "revoke", each.id, "--why", "x"], cwd=ROOT, stderr=-3) for each in found
    ]
    for each in found:
        with changing(trust) as draft:
            draft.trust = draft.trust.pinning(each.manifest.interface_hash, each.id)
    assert [other.wait(60) for other in others] == [0, 0]
    after = TrustStore.read(trust)
    assert (len(after.revoked), len(after.pinned)) == (2, 2)


def test_a_typo(modules: Run) -> None:
    assert "did you mean `rtfs modules verify`?" in modules("verfy")[2]
    assert "did you mean `--size`?" in modules("gc", "--sise=3")[2]
    assert modules()[0] == 0
    assert modules("list", "--name", "a b")[0] == 2


def test_the_guide_has_every_reason() -> None:
    from typing import get_args

    from actors.caches.l4.errors import Reason

    text = (ROOT / "docs" / "modules.md").read_text("utf-8")
    section = text.split("\n## What is refused\n")[1].split("\n## ")[0]
    told_of = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(told_of) == sorted(get_args(Reason.__value__))
