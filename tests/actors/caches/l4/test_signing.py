from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors.caches.l4.errors import KeyFileError, ModuleRefused
from actors.caches.l4.manifest import ModuleManifest, content_hash, decode_manifest
from actors.caches.l4.signing import SigningKey, is_signature, key_id, public_of


def manifest(key: SigningKey, blob: bytes = b"blob") -> ModuleManifest:
    return ModuleManifest(
        symbol="f",
        interface_hash="ab" * 32,
        body_hash="ef" * 32,
        parameter_types=(),
        return_type="int",
        language_version="2.0",
        kind="IrBinary",
        content_hash=content_hash(blob),
        version=1,
        created_at=1.0,
        key_id=key.id,
    )


def test_a_signature_is_its_keys_alone() -> None:
    mine, other = SigningKey.new(), SigningKey.new()
    said = manifest(mine)
    signature = mine.sign(said)
    assert is_signature(mine.public, said, signature)
    assert not is_signature(other.public, said, signature)
    assert not is_signature(mine.public, replace(said, version=2), signature)


def test_every_bit_counts() -> None:
    """No byte of the signature, or of the manifest as it is stored, can be changed."""
    key = SigningKey.new()
    said = manifest(key)
    signature = key.sign(said)
    for place in range(len(signature)):
        forged = bytearray(signature)
        forged[place] ^= 1
        assert not is_signature(key.public, said, bytes(forged))
    stored = said.encode(signature)
    for place in range(len(stored)):
        forged = bytearray(stored)
        forged[place] ^= 1
        try:
            found, of = decode_manifest(bytes(forged))
        except ModuleRefused:
            continue
        assert (found, of) == (said, signature) or not is_signature(key.public, found, of)


def test_a_key_signs_what_names_it() -> None:
    with pytest.raises(ValueError, match="expected a manifest that names the key"):
        SigningKey.new().sign(manifest(SigningKey.new()))


def test_a_key_is_kept_in_a_file(tmp_path: Path) -> None:
    key, path = SigningKey.new(), tmp_path / "keys" / "mine.pem"
    key.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    read = SigningKey.read(path)
    assert read.id == key.id == key_id(key.public)
    assert is_signature(key.public, manifest(key), read.sign(manifest(key)))
    with pytest.raises(KeyFileError, match="already"):
        SigningKey.new().write(path)
    assert SigningKey.read(path).id == key.id


def test_files_that_will_not_do(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(KeyFileError, match="cannot read the key"):
        SigningKey.read(path)
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="expected an Ed25519 key in PEM"):
        SigningKey.read(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="others may read"):
        SigningKey.read(path)


@pytest.mark.parametrize("text", ["", "zz", "ab" * 31, "ab" * 33])
def test_a_public_half_has_32_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        public_of(text)
