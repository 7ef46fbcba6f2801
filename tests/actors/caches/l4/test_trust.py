from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from actors.caches.l4.errors import ModuleRefused, TrustFileError
from actors.caches.l4.manifest import ModuleManifest, content_hash, module_id
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.trust import TrustStore, line_of

KEY, OTHER = SigningKey.new(), SigningKey.new()
TRUST = TrustStore().trusting(KEY.public, "build", now=1.0)
MANIFEST = ModuleManifest(
    symbol="f",
    interface_hash="ab" * 32,
    body_hash="ef" * 32,
    parameter_types=(),
    return_type="int",
    language_version="2.0",
    kind="IrBinary",
    content_hash=content_hash(b"blob"),
    version=1,
    created_at=1.0,
    key_id=KEY.id,
)


def refused(trust: TrustStore, manifest: ModuleManifest, signature: bytes, now: float = 2.0) -> str:
    with pytest.raises(ModuleRefused) as caught:
        trust.check(manifest, signature, now=now)
    return caught.value.reason


def test_what_a_trusted_key_signed_is_believed() -> None:
    TRUST.check(MANIFEST, KEY.sign(MANIFEST), now=2.0)
    TRUST.check_blob(MANIFEST, b"blob")


def test_whatever_is_wrong_is_said() -> None:
    signature = KEY.sign(MANIFEST)
    assert refused(TRUST, MANIFEST, b"") == "unsigned"
    assert refused(TRUST, MANIFEST, signature[:-1] + bytes([signature[-1] ^ 1])) == "bad-signature"
    assert refused(TRUST, replace(MANIFEST, symbol="g"), signature) == "bad-signature"
    assert refused(TRUST, replace(MANIFEST, kind="WasmBytecode"), signature) == "bad-signature"
    foreign = replace(MANIFEST, key_id=OTHER.id)
    assert refused(TRUST, foreign, OTHER.sign(foreign)) == "unknown-key"
    borrowed = replace(MANIFEST, key_id=KEY.id)
    assert refused(TRUST, borrowed, OTHER.sign(foreign)) == "bad-signature"
    old = replace(MANIFEST, language_version="1.0")
    assert refused(TRUST, old, KEY.sign(old)) == "language"
    until = replace(MANIFEST, not_after=3.0)
    TRUST.check(until, KEY.sign(until), now=3.0)
    assert refused(TRUST, until, KEY.sign(until), now=3.1) == "expired"
    with pytest.raises(ModuleRefused, match="damaged"):
        TRUST.check_blob(MANIFEST, b"blob ")


def test_what_is_revoked_is_refused() -> None:
    signature = KEY.sign(MANIFEST)
    by_key = TRUST.revoking_key(KEY.id, now=2.0, why="it was lost")
    assert refused(by_key, MANIFEST, signature) == "revoked-key"
    with pytest.raises(ModuleRefused, match="make a new one"):
        by_key.trusting(KEY.public, "again", now=3.0)
    by_module = TRUST.revoking_module(MANIFEST.content_hash, now=2.0, why="it is wrong")
    assert refused(by_module, MANIFEST, signature) == "revoked"
    with pytest.raises(KeyError):
        TRUST.revoking_key(OTHER.id, now=2.0)


def test_keys_rotate() -> None:
    both = TRUST.trusting(KEY.public, "build", now=2.0, not_after=5.0).trusting(OTHER.public, "new", now=2.0)
    newer = replace(MANIFEST, key_id=OTHER.id)
    both.check(MANIFEST, KEY.sign(MANIFEST), now=5.0)
    both.check(newer, OTHER.sign(newer), now=6.0)
    assert refused(both, MANIFEST, KEY.sign(MANIFEST), now=5.1) == "expired-key"


def test_it_is_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "trust" / "trust.json"
    assert TrustStore.read(path) == TrustStore()
    full = TRUST.trusting(OTHER.public, "o", now=2.0, not_after=7.5)
    full = full.revoking_key(OTHER.id, now=3.0, why="x").revoking_module("ab" * 32, now=4.0)
    full.write(path)
    assert TrustStore.read(path) == full
    TRUST.write(path)
    assert TrustStore.read(path) == TRUST
    assert [each.name for each in path.parent.iterdir()] == ["trust.json"]


WRONG = [
    "",
    "[]",
    "{}",
    '{"format": 2}',
    '{"format": 1, "keys": [{}], "revoked": {}}',
    '{"format": 1, "keys": 3}',
]


@pytest.mark.parametrize("text", WRONG)
def test_a_file_of_something_else_trusts_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trust.json"
    path.write_text(text)
    with pytest.raises(TrustFileError, match="no file of trusted keys"):
        TrustStore.read(path)


def test_a_key_cannot_take_anothers_id(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    TRUST.write(path)
    data = json.loads(path.read_text())
    data["keys"][0]["public"] = OTHER.public.hex()
    path.write_text(json.dumps(data))
    with pytest.raises(TrustFileError, match="not what its id says"):
        TrustStore.read(path)


def test_an_older_version_than_was_used_is_refused_among_others(tmp_path: Path) -> None:
    line = line_of(MANIFEST.interface_hash, None)
    signature = KEY.sign(MANIFEST)
    TRUST.check(MANIFEST, signature, now=2.0, line=line)
    seen = TRUST.seeing(line, 2)
    seen.check(MANIFEST, signature, now=2.0)  # it is only looked at
    seen.check(MANIFEST, signature, now=2.0, line=line_of(MANIFEST.interface_hash, MANIFEST.body_hash))
    with pytest.raises(ModuleRefused, match="downgrade: it is version 1 of `f`, 2 was used already"):
        seen.check(MANIFEST, signature, now=2.0, line=line)
    assert seen.seeing(line, 1) is seen
    pinned = seen.pinning(MANIFEST.interface_hash, module_id(MANIFEST, signature))
    pinned.check(MANIFEST, signature, now=2.0, line=line)
    newer = replace(MANIFEST, version=3)
    with pytest.raises(ModuleRefused, match="not-pinned"):
        pinned.check(newer, KEY.sign(newer), now=2.0, line=line)
    pinned.unpinning(MANIFEST.interface_hash).check(newer, KEY.sign(newer), now=2.0, line=line)
    pinned.write(tmp_path / "trust.json")
    assert TrustStore.read(tmp_path / "trust.json") == pinned


@pytest.mark.parametrize("part", ['"pinned": 3', '"pinned": {"a": 1}', '"seen": []', '"seen": {"a": "1"}'])
def test_pins_and_versions_that_are_none(tmp_path: Path, part: str) -> None:
    path = tmp_path / "trust.json"
    path.write_text(f'{{"format": 1, "keys": [], "revoked": {{}}, {part}}}')
    with pytest.raises(TrustFileError, match="no file of trusted keys"):
        TrustStore.read(path)
